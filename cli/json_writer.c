/* jansson's own writer gives every real 17 digits, 0.96 as 0.95999999999999996; this one gives it
 * as many as it takes to read back. */
#include <stdlib.h>
#include <string.h>

#include "output.h"

static int write_real(FILE *file, double value) {
    char text[40];
    const char *digits = cli_text_double(value, text);
    fputs(digits, file);
    if (!strpbrk(digits, ".e"))
        fputs(".0", file); /* a real stays one for readers that tell it from an integer */
    return 0;
}

static int write_array(FILE *file, const json_t *array) {
    int bad = 0;
    fputc('[', file);
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i)
            fputs(", ", file);
        bad |= cli_json_write(file, json_array_get(array, i));
    }
    fputc(']', file);
    return bad;
}

static int write_string(FILE *file, const json_t *string) {
    char *text = json_dumps(string, JSON_ENCODE_ANY);
    if (!text)
        return -1;
    fputs(text, file);
    free(text);
    return 0;
}

static int write_object(FILE *file, json_t *object) {
    const char *key, *between = "";
    json_t *value;
    int bad = 0;
    fputc('{', file);
    json_object_foreach(object, key, value) {
        json_t *name = json_string(key);
        fputs(between, file);
        between = ", ";
        bad |= write_string(file, name);
        fputs(": ", file);
        bad |= cli_json_write(file, value);
        json_decref(name);
    }
    fputc('}', file);
    return bad;
}

int cli_json_write(FILE *file, json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(file, value);
    case JSON_ARRAY:
        return write_array(file, value);
    case JSON_REAL:
        return write_real(file, json_real_value(value));
    default:
        return write_string(file, value);
    }
}
