/* The digest of a model: operators, attributes, wiring, constants, and the names of layers.
 * Values are numbered as they are met, so neither their names nor the file's layout count. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "model/internals.h"

typedef struct hasher {
    stoic_digest *digest;
    const stoic_model *model;
    int *number; /* of a value, in the order of meeting; -1: not met */
    int n_met;
} hasher;

static void add_int(hasher *h, int64_t value) {
    stoic_digest_add(h->digest, &value, sizeof value);
}

static void add_tensor(hasher *h, const stoic_tensor *tensor) {
    const stoic_shape *shape = stoic_tensor_shape(tensor);
    add_int(h, (int64_t)stoic_tensor_dtype(tensor));
    add_int(h, shape->rank);
    for (int i = 0; i < shape->rank; i++)
        add_int(h, shape->dim[i]);
    stoic_digest_add(h->digest, stoic_tensor_data(tensor),
                     (size_t)stoic_tensor_count(tensor) *
                         stoic_dtype_size(stoic_tensor_dtype(tensor)));
}

static void add_attr(hasher *h, const stoic_attr *attr) {
    stoic_digest_add_string(h->digest, attr->name);
    add_int(h, (int64_t)attr->kind);
    add_int(h, attr->i);
    stoic_digest_add(h->digest, &attr->f, sizeof attr->f);
    stoic_digest_add_string(h->digest, attr->s ? attr->s : "");
    add_int(h, (int64_t)attr->count);
    if (attr->ints)
        stoic_digest_add(h->digest, attr->ints, attr->count * sizeof *attr->ints);
    if (attr->floats)
        stoic_digest_add(h->digest, attr->floats, attr->count * sizeof *attr->floats);
    if (attr->tensor)
        add_tensor(h, attr->tensor);
}

static void add_value(hasher *h, int id) {
    if (id < 0 || h->number[id] >= 0) {
        add_int(h, id < 0 ? -1 : h->number[id]);
        return;
    }
    const stoic_value *value = &h->model->values[id];
    h->number[id] = h->n_met++;
    add_int(h, h->number[id]);
    add_int(h, value->constant ? 1 : 0);
    if (value->constant)
        add_tensor(h, value->constant);
    for (int i = 0; i < value->shape.rank; i++)
        add_int(h, value->shape.dim[i]);
}

/* Attributes in the order of their names, whatever the file's. */
static stoic_status add_attrs(hasher *h, const stoic_node *node, stoic_error *err) {
    const stoic_attr **sorted = calloc(node->n_attrs + 1, sizeof *sorted);
    if (!sorted)
        return stoic_fail_memory(err, "a digest", (node->n_attrs + 1) * sizeof *sorted);
    for (size_t i = 0; i < node->n_attrs; i++) {
        size_t k = i;
        for (; k > 0 && strcmp(sorted[k - 1]->name, node->attrs[i].name) > 0; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = &node->attrs[i];
    }
    add_int(h, (int64_t)node->n_attrs);
    for (size_t i = 0; i < node->n_attrs; i++)
        add_attr(h, sorted[i]);
    free(sorted);
    return STOIC_OK;
}

static stoic_status add_node(hasher *h, const stoic_node *node, stoic_error *err) {
    stoic_digest_add_string(h->digest, node->op->domain);
    stoic_digest_add_string(h->digest, node->op->name);
    stoic_status status = add_attrs(h, node, err);
    add_int(h, (int64_t)node->n_in);
    for (size_t i = 0; i < node->n_in; i++)
        add_value(h, node->in[i]);
    add_int(h, (int64_t)node->n_out);
    for (size_t i = 0; i < node->n_out; i++)
        add_value(h, node->out[i]);
    add_int(h, node->layer);
    if (node->layer >= 0)
        stoic_digest_add_string(h->digest, node->name);
    return status;
}

stoic_status stoic_model_fingerprint(stoic_model *model, stoic_error *err) {
    stoic_status status = STOIC_OK;
    uint8_t unused[16];
    hasher h = {.model = model, .digest = stoic_digest_create()};
    h.number = malloc((model->n_values + 1) * sizeof *h.number);
    if (!h.digest || !h.number) {
        status = stoic_fail_memory(err, "a digest", model->n_values * sizeof *h.number);
        goto done;
    }
    for (size_t i = 0; i < model->n_values; i++)
        h.number[i] = -1;
    add_int(&h, model->opset);
    add_value(&h, model->input);
    for (size_t i = 0; i < model->n_nodes; i++)
        TRY(add_node(&h, &model->nodes[i], err));
    add_value(&h, model->output);
done:
    if (h.digest)
        stoic_digest_finish(h.digest, status == STOIC_OK ? model->private_->digest : unused);
    free(h.number);
    return status;
}
