#include "stoic/version.h"

#include "exec/dnnl_shim.h"
#include "exec/kernels.h"

const char *stoic_version(void) {
    return STOIC_VERSION;
}

const char *stoic_version_build(void) {
#ifdef __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

const char *stoic_version_cpu(void) {
    return stoic_kernels_get()->isa;
}

const char *stoic_version_onednn(void) {
    return stoic_dnn_version();
}
