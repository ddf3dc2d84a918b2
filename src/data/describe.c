/* A data set's preprocessing and class names, written into a model. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "data/dataset_inside.h"

static void add_list(stoic_text *text, const float *values, int n) {
    for (int i = 0; i < n; i++) {
        if (i)
            stoic_text_puts(text, ",");
        stoic_text_number(text, (double)values[i], true);
    }
}

/* A known set has names for its own labels only. */
static bool all_named(const stoic_dataset *dataset) {
    int classes = stoic_dataset_classes(dataset);
    return classes > 0 && stoic_dataset_class_name(dataset, 0) &&
           stoic_dataset_class_name(dataset, classes - 1);
}

/* Names joined by commas; one inside a name is written "\,". */
static void add_names(stoic_text *text, const stoic_dataset *dataset) {
    for (int i = 0; i < stoic_dataset_classes(dataset); i++) {
        if (i)
            stoic_text_puts(text, ",");
        for (const char *at = stoic_dataset_class_name(dataset, i); *at; at++) {
            if (*at == ',')
                stoic_text_puts(text, "\\");
            stoic_text_add(text, at, 1);
        }
    }
}

/* Takes the reference *model and gives another; an empty `value` removes the key. */
static stoic_status set_meta(stoic_model **model, const char *key, stoic_text *value,
                             stoic_error *err) {
    stoic_model *changed = NULL;
    stoic_status status = stoic_text_finish(value, err);
    if (status == STOIC_OK)
        status =
            stoic_model_with_meta(*model, key, value->length ? value->data : NULL, &changed, err);
    stoic_text_deinit(value);
    if (status != STOIC_OK)
        return status;
    stoic_model_free(*model);
    *model = changed;
    return STOIC_OK;
}

stoic_status stoic_dataset_describe(const stoic_dataset *dataset, const stoic_model *model,
                                    stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_preprocessing *p = &dataset->preprocessing;
    stoic_text text = {0};
    stoic_model *described = stoic_model_retain(model);
    /* Where nothing is subtracted, that is said too: else a known set's usual values would
     * apply to a network that was not trained with them. */
    if (p->channels)
        add_list(&text, p->mean, p->channels);
    else
        stoic_text_puts(&text, "0");
    TRY(set_meta(&described, "stoic.mean", &text, err));
    if (p->channels)
        add_list(&text, p->std, p->channels);
    else
        stoic_text_puts(&text, "1");
    TRY(set_meta(&described, "stoic.std", &text, err));
    if (p->resize)
        stoic_text_printf(&text, "%d", p->resize);
    TRY(set_meta(&described, "stoic.resize", &text, err));
    if (p->crop)
        stoic_text_printf(&text, "%d", p->crop);
    TRY(set_meta(&described, "stoic.crop", &text, err));
    if (all_named(dataset))
        add_names(&text, dataset);
    TRY(set_meta(&described, "stoic.classes", &text, err));
    *out = described;
    described = NULL;
done:
    stoic_model_free(described);
    return status;
}
