#include "store/scaling.h"

float stoic_scaling_best(const stoic_format *format, const stoic_field *protect, double ber,
                         const float *weights, int64_t n, int64_t inner, int64_t channels,
                         int64_t channel, double largest) {
    (void)format, (void)protect, (void)ber, (void)weights, (void)n, (void)inner, (void)channels;
    (void)channel;
    return (float)(1.9999 / largest);
}
