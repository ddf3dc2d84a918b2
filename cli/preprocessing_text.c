#include "preprocessing_text.h"

#include "output.h"

static json_t *number_list(const float *values, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        if (json_array_append_new(list, cli_json_float(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *cli_preprocessing_json(const stoic_preprocessing *used) {
    json_t *object = json_object(), *source = json_object();
    int bad = cli_put_count(object, "resize", used->resize);
    bad |= cli_put_count(object, "crop", used->crop);
    bad |= json_object_set_new(object, "mean", number_list(used->mean, used->channels));
    bad |= json_object_set_new(object, "std", number_list(used->std, used->channels));
    bad |= cli_put_text(source, "size", used->source[0]);
    bad |= cli_put_text(source, "mean", used->source[1]);
    bad |= cli_put_text(source, "std", used->source[2]);
    bad |= json_object_set_new(object, "source", source);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_list(FILE *file, const char *name, const float *values, int n,
                       const char *source) {
    fputs(name, file);
    if (n == 0)
        fputs(" none", file);
    for (int i = 0; i < n; i++)
        fprintf(file, "%s%.6g", i ? "," : " ", (double)values[i]);
    fprintf(file, " (%s)", source);
}

void cli_preprocessing_print(FILE *file, const stoic_preprocessing *used) {
    if (used->resize)
        fprintf(file, "resize %d%s", used->resize, used->crop ? ", " : "");
    if (used->crop)
        fprintf(file, "crop %d", used->crop);
    if (used->resize || used->crop)
        fprintf(file, " (%s); ", used->source[0]);
    else
        fputs("size as it is; ", file);
    print_list(file, "mean", used->mean, used->channels, used->source[1]);
    print_list(file, "; std", used->std, used->channels, used->source[2]);
}
