/*
 * NumPy's npy: magic, version, length of the header, and the header: a Python dictionary
 * {'descr': '<f4', 'fortran_order': False, 'shape': (10, 1, 28, 28), }
 * of which exactly this much of the grammar is accepted.
 */
#include <string.h>

#include "base/fail.h"
#include "data/array_file.h"

typedef struct cursor {
    const char *start, *at, *end;
    const char *name;
    size_t base; /* file offset of `start` */
    stoic_error *err;
} cursor;

static stoic_status unexpected(const cursor *c, const char *expected) {
    return stoic_fail(c->err, STOIC_ERR_FORMAT, c->name, "npy header at byte %zu: expected %s",
                      c->base + (size_t)(c->at - c->start), expected);
}

static void skip_spaces(cursor *c) {
    while (c->at < c->end && *c->at == ' ')
        c->at++;
}

static bool accept(cursor *c, char wanted) {
    skip_spaces(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static stoic_status parse_string(cursor *c, char *text, size_t capacity) {
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return unexpected(c, "a string");
    char quote = *c->at++;
    size_t used = 0;
    while (c->at < c->end && *c->at != quote) {
        if (used + 1 >= capacity)
            return unexpected(c, "a short string (structured types are not supported)");
        text[used++] = *c->at++;
    }
    text[used] = 0;
    return accept(c, quote) ? STOIC_OK : unexpected(c, "a closing quote");
}

static stoic_status parse_shape(cursor *c, stoic_array *array) {
    if (!accept(c, '('))
        return unexpected(c, "'('");
    while (!accept(c, ')')) {
        if (array->rank == STOIC_ARRAY_MAX_RANK)
            return unexpected(c, "at most 4 dimensions");
        skip_spaces(c);
        int64_t value = 0;
        const char *begin = c->at;
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
            if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
                __builtin_add_overflow(value, (int64_t)(*c->at - '0'), &value))
                return unexpected(c, "a smaller number");
        }
        if (c->at == begin)
            return unexpected(c, "a number");
        array->dim[array->rank++] = value;
        if (!accept(c, ',')) {
            if (array->rank == 1 || !accept(c, ')'))
                return unexpected(c, "','");
            return STOIC_OK;
        }
    }
    return array->rank ? STOIC_OK : unexpected(c, "at least one dimension before");
}

static stoic_status parse_descr(cursor *c, stoic_array *array) {
    static const struct {
        const char *text;
        stoic_element element;
    } known[] = {{"|u1", STOIC_ELEMENT_U8},
                 {"<i4", STOIC_ELEMENT_I32},
                 {"<i8", STOIC_ELEMENT_I64},
                 {"<f4", STOIC_ELEMENT_F32}};
    char text[32];
    stoic_status status = parse_string(c, text, sizeof text);
    if (status != STOIC_OK)
        return status;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(text, known[i].text)) {
            array->element = known[i].element;
            return STOIC_OK;
        }
    }
    return stoic_fail(c->err, STOIC_ERR_FORMAT, c->name,
                      "npy element type '%s', supported are '<f4' and '|u1' for images, '<i8', "
                      "'<i4' and '|u1' for labels",
                      text);
}

static stoic_status parse_order(cursor *c) {
    static const char c_order[] = "False";
    skip_spaces(c);
    size_t length = sizeof c_order - 1;
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, c_order, length))
        return unexpected(c, "False (only C order is supported: save numpy.ascontiguousarray(a))");
    c->at += length;
    return STOIC_OK;
}

static stoic_status parse_entry(cursor *c, stoic_array *array, unsigned *seen) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[16];
    unsigned k = 0;
    stoic_status status = parse_string(c, key, sizeof key);
    if (status != STOIC_OK)
        return status;
    while (k < 3 && strcmp(key, keys[k]))
        k++;
    if (k == 3 || (*seen & 1u << k))
        return unexpected(c, "the keys descr, fortran_order and shape, once each");
    *seen |= 1u << k;
    if (!accept(c, ':'))
        return unexpected(c, "':'");
    return k == 0 ? parse_descr(c, array) : k == 1 ? parse_order(c) : parse_shape(c, array);
}

static stoic_status parse_dictionary(cursor *c, stoic_array *array) {
    unsigned seen = 0;
    if (!accept(c, '{'))
        return unexpected(c, "'{'");
    while (!accept(c, '}')) {
        stoic_status status = parse_entry(c, array, &seen);
        if (status != STOIC_OK)
            return status;
        if (!accept(c, ',')) {
            if (!accept(c, '}'))
                return unexpected(c, "',' or '}'");
            break;
        }
    }
    if (seen != 7)
        return unexpected(c, "the keys descr, fortran_order and shape before the end");
    skip_spaces(c);
    if (c->end - c->at != 1 || *c->at != '\n')
        return unexpected(c, "spaces and one newline after the dictionary");
    return STOIC_OK;
}

stoic_status stoic_npy_parse(const uint8_t *data, size_t size, const char *name, stoic_array *out,
                             stoic_error *err) {
    static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (size < sizeof magic || memcmp(data, magic, sizeof magic))
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "not an npy file: it does not begin with \\x93NUMPY");
    if (size < 12)
        return stoic_fail(err, STOIC_ERR_FORMAT, name, "truncated npy header: %zu bytes", size);
    int version = data[6];
    if (version < 1 || version > 3 || data[7] != 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, name, "npy version %d.%d, expected 1.0 to 3.0",
                          version, data[7]);
    size_t offset = version == 1 ? 10 : 12;
    size_t length = data[8] | (size_t)data[9] << 8;
    if (version > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > STOIC_ARRAY_MAX_HEADER - offset)
        return stoic_fail(err, STOIC_ERR_FORMAT, name, "npy header of %zu bytes is too long",
                          length);
    if (length > size - offset)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "truncated npy header: %zu bytes announced, %zu there", length,
                          size - offset);
    const char *text = (const char *)data + offset;
    cursor c = {text, text, text + length, name, offset, err};
    stoic_array array = {0};
    stoic_status status = parse_dictionary(&c, &array);
    if (status == STOIC_OK)
        status = stoic_array_measure(&array, offset + length, name, err);
    if (status == STOIC_OK)
        *out = array;
    return status;
}
