#include "stoic/metrics.h"

double stoic_p_drop(double stored_bits, double lifetime_flips, double ber, double drop) {
    return stored_bits * stored_bits * lifetime_flips * ber * drop;
}

double stoic_rap(double drop, double memory_ratio, double time_ratio) {
    return drop * memory_ratio * time_ratio;
}
