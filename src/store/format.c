/* Number formats. The float formats share one conversion, which rounds a double once. */
#include "store/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "runtime/minifloat.h"

bool stoic_format_is_float(const stoic_format *format) {
    return format->exponent_high >= 0;
}

bool stoic_format_is_ranged(const stoic_format *format) {
    return format->kind == STOIC_FORMAT_AFFINE || format->kind == STOIC_FORMAT_INT8;
}

static int mantissa_bits(const stoic_format *format) {
    return format->exponent_low;
}

static int exponent_bits(const stoic_format *format) {
    return format->exponent_high - format->exponent_low + 1;
}

void stoic_grid_fit(const stoic_format *format, double low, double high, stoic_grid *out) {
    *out = (stoic_grid){1.0f, 1.0, 0.0};
    if (format->kind == STOIC_FORMAT_AFFINE) {
        double most = (double)(((uint64_t)1 << format->bits) - 1);
        out->step = high > low ? (high - low) / most : 1.0;
        out->zero = -low / out->step;
    } else if (format->kind == STOIC_FORMAT_INT8) {
        double largest = fmax(fabs(low), fabs(high));
        out->step = largest > 0 ? largest / 127 : 1.0;
    }
}

double stoic_format_limit(const stoic_format *format, bool negative) {
    double limit = 2.0 - ldexp(1.0, -mantissa_bits(format));
    if (format->kind == STOIC_FORMAT_FIXED) {
        double unit = ldexp(1.0, -format->fraction), end = ldexp(unit, format->bits - 1);
        return negative ? -end : end - unit;
    }
    return negative ? -limit : limit;
}

static uint64_t low_bits(int bits) {
    return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

static uint64_t fixed_code(const stoic_format *format, double value, stoic_fit *fit) {
    double scaled = rint(ldexp(value, format->fraction)); /* half to even */
    double end = ldexp(1.0, format->bits - 1);
    if (scaled < -end || scaled >= end) {
        *fit = STOIC_FIT_OUTSIDE;
        if (format->saturate)
            scaled = scaled < 0 ? -end : end - 1;
        else
            scaled = fmod(scaled, 2 * end); /* exact; the conversion below wraps the rest */
    }
    if (isnan(scaled)) { /* from set:nan, or infinity wrapped around: it has no integer */
        *fit = STOIC_FIT_OUTSIDE;
        return 0;
    }
    return (uint64_t)(int64_t)scaled & low_bits(format->bits);
}

static uint64_t float_code(const stoic_format *format, double value, stoic_fit *fit) {
    uint64_t code = stoic_minifloat_round(value, exponent_bits(format), mantissa_bits(format));
    uint64_t magnitude = code & low_bits(format->exponent_high + 1);
    uint64_t two = (uint64_t)1 << format->exponent_high;
    uint64_t infinite = low_bits(exponent_bits(format)) << mantissa_bits(format);
    if (format->hold && magnitude >= two && fabs(value) < 2.0) {
        *fit = STOIC_FIT_CLAMPED;
        return code - 1;
    }
    if (magnitude == infinite && isfinite(value))
        *fit = STOIC_FIT_OUTSIDE;
    return code;
}

uint64_t stoic_format_code(const stoic_format *format, const stoic_grid *grid, double value,
                           stoic_fit *fit) {
    double q;
    *fit = STOIC_FIT_ROUNDED;
    switch (format->kind) {
    case STOIC_FORMAT_FIXED:
        return fixed_code(format, value, fit);
    case STOIC_FORMAT_AFFINE:
        q = rint(value / grid->step + grid->zero);
        q = fmin(fmax(q, 0.0), (double)low_bits(format->bits));
        return (uint64_t)q;
    case STOIC_FORMAT_INT8:
        q = fmin(fmax(rint(value / grid->step), -127.0), 127.0);
        return (uint64_t)(int64_t)q & 0xff;
    default:
        return float_code(format, value, fit);
    }
}

uint64_t stoic_format_encode(const stoic_format *format, const stoic_grid *grid,
                             const float *weight, stoic_fit *fit) {
    uint32_t bits;
    if (format->kind == STOIC_FORMAT_FP32 && grid->scale == 1.0f && !format->hold) {
        *fit = STOIC_FIT_ROUNDED;
        memcpy(&bits, weight, sizeof bits);
        return bits;
    }
    /* 24 x 24 bits: the product is exact, so the format rounds once. */
    return stoic_format_code(format, grid, (double)*weight * (double)grid->scale, fit);
}

/* Two's complement. */
static double signed_code(uint64_t code, int bits) {
    uint64_t sign = (uint64_t)1 << (bits - 1);
    return (double)(int64_t)(((code & low_bits(bits)) ^ sign) - sign);
}

double stoic_format_value(const stoic_format *format, const stoic_grid *grid, uint64_t code) {
    switch (format->kind) {
    case STOIC_FORMAT_FIXED:
        return ldexp(signed_code(code, format->bits), -format->fraction);
    case STOIC_FORMAT_AFFINE:
        return ((double)(code & low_bits(format->bits)) - grid->zero) * grid->step;
    case STOIC_FORMAT_INT8:
        return signed_code(code, 8) * grid->step;
    default:
        return stoic_minifloat_value(code, exponent_bits(format), mantissa_bits(format));
    }
}

void stoic_format_decode(const stoic_format *format, const stoic_grid *grid, uint64_t code,
                         float *weight) {
    uint32_t bits = (uint32_t)code;
    if (format->kind == STOIC_FORMAT_FP32 && grid->scale == 1.0f)
        memcpy(weight, &bits, sizeof bits);
    else
        *weight = (float)(stoic_format_value(format, grid, code) / (double)grid->scale);
}

/* ---- spelling ---- */

#define FORMAT_NAME(enumerator, name, argument) name,
static const char *const names[] = {STOIC_FORMAT_LIST(FORMAT_NAME) NULL};
#define FORMAT_ARGUMENT(enumerator, name, argument) argument,
static const char *const arguments[] = {STOIC_FORMAT_LIST(FORMAT_ARGUMENT) NULL};

static stoic_status parse_fixed(const char *argument, stoic_format *out, stoic_error *err) {
    char text[16] = "";
    int64_t width = 0, fraction = 0;
    const char *colon = strchr(argument, ':');
    if (!colon || colon - argument >= (ptrdiff_t)sizeof text)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: expected fixed:W:F, bits and bits behind the point such as "
                          "fixed:8:6, found 'fixed:%s'",
                          argument);
    memcpy(text, argument, (size_t)(colon - argument));
    stoic_status status = stoic_parse_count(text, "fixed:W", 2, 32, &width, err);
    if (status == STOIC_OK)
        status = stoic_parse_count(colon + 1, "fixed:W:F", 0, 30, &fraction, err);
    out->bits = (int)width;
    out->fraction = (int)fraction;
    out->sign = (int)width - 1;
    if (status == STOIC_OK)
        snprintf(out->name, sizeof out->name, "fixed:%d:%d", out->bits, out->fraction);
    return status;
}

static stoic_status parse_affine(const char *argument, stoic_format *out, stoic_error *err) {
    int64_t width = 0;
    stoic_status status = stoic_parse_count(argument, "affine:M", 2, 8, &width, err);
    out->bits = (int)width;
    if (status == STOIC_OK)
        snprintf(out->name, sizeof out->name, "affine:%d", out->bits);
    return status;
}

static void set_float(stoic_format *out, int bits, int mantissa) {
    out->bits = bits;
    out->sign = bits - 1;
    out->exponent_high = bits - 2;
    out->exponent_low = mantissa;
}

static stoic_status find_kind(const char *text, int *kind, stoic_error *err) {
    size_t length = strcspn(text, ":");
    for (*kind = 0; names[*kind]; ++*kind) {
        if (strlen(names[*kind]) == length && !strncmp(text, names[*kind], length))
            break;
    }
    if (!names[*kind]) {
        const char *near = stoic_nearest(text, names);
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: unknown format '%s'%s%s%s", text,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (text[length] && !*arguments[*kind])
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: format '%s' takes no argument, found '%s'", names[*kind], text);
    if (!text[length] && *arguments[*kind])
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: format '%s' needs its argument, '%s:%s'", names[*kind],
                          names[*kind], arguments[*kind]);
    return STOIC_OK;
}

stoic_status stoic_format_parse(const char *text, stoic_format *out, stoic_error *err) {
    int kind = 0;
    stoic_status status = find_kind(text, &kind, err);
    if (status != STOIC_OK)
        return status;
    const char *argument = strchr(text, ':');
    *out = (stoic_format){
        .kind = (stoic_format_kind)kind, .sign = -1, .exponent_high = -1, .exponent_low = -1};
    snprintf(out->name, sizeof out->name, "%s", names[kind]);
    switch (out->kind) {
    case STOIC_FORMAT_FP32:
        set_float(out, 32, 23);
        return STOIC_OK;
    case STOIC_FORMAT_FP16:
        set_float(out, 16, 10);
        return STOIC_OK;
    case STOIC_FORMAT_BF16:
        set_float(out, 16, 7);
        return STOIC_OK;
    case STOIC_FORMAT_FP64:
        set_float(out, 64, 52);
        return STOIC_OK;
    case STOIC_FORMAT_Q25:
        out->kind = STOIC_FORMAT_FIXED;
        return parse_fixed("8:6", out, err);
    case STOIC_FORMAT_FIXED:
        return parse_fixed(argument + 1, out, err);
    case STOIC_FORMAT_AFFINE:
        return parse_affine(argument + 1, out, err);
    default:
        out->bits = 8;
        out->sign = 7;
        return STOIC_OK;
    }
}

const char *stoic_store_format(size_t i) {
#define USAGE(identifier, name, argument) sizeof(argument) > 1 ? name ":" argument : name,
    static const char *const usages[] = {STOIC_FORMAT_LIST(USAGE)};
#undef USAGE
    return i < sizeof usages / sizeof *usages ? usages[i] : NULL;
}
