/* Version and build facts. Strings are static. */
#ifndef STOIC_VERSION_H
#define STOIC_VERSION_H

#include "stoic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

STOIC_API const char *stoic_version(void);        /* "0.1.0" */
STOIC_API const char *stoic_version_build(void);  /* compiler, ", without JPEG" … */
STOIC_API const char *stoic_version_cpu(void);    /* instruction set in use, "avx512" … */
STOIC_API const char *stoic_version_onednn(void); /* "2.6.3" */

#ifdef __cplusplus
}
#endif
#endif
