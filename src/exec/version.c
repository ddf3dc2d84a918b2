#include "stoic/version.h"

#include <stdio.h>
#include <string.h>

#include "exec/dnnl_shim.h"
#include "exec/kernels.h"

const char *stoic_version(void) {
    return STOIC_VERSION;
}

const char *stoic_version_build(void) {
#ifdef __clang__
    return "clang " __clang_version__ STOIC_LACKS;
#else
    return "gcc " __VERSION__ STOIC_LACKS;
#endif
}

/* Our kernels and oneDNN choose apart; an environment variable may hold oneDNN back. Both decide
 * the bytes of a result, so both are told. */
const char *stoic_version_cpu(void) {
    static char text[64];
    const char *ours = stoic_kernels_get()->isa, *theirs = stoic_dnn_isa();
    if (strcmp(ours, theirs) == 0)
        return ours;
    snprintf(text, sizeof text, "%s, oneDNN %s", ours, theirs);
    return text;
}

const char *stoic_version_onednn(void) {
    return stoic_dnn_version();
}
