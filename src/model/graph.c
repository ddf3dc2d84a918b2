#include "model/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/draft.h"
#include "model/internals.h"

void stoic_structure_free(stoic_structure *s) {
    if (!s || atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n_values; i++)
        free(s->value_names[i]);
    for (size_t i = 0; i < s->n_nodes; i++) {
        free(s->nodes[i].name);
        stoic_attrs_free(s->nodes[i].attrs, s->nodes[i].n_attrs);
        free(s->nodes[i].in);
        free(s->nodes[i].out);
    }
    free(s->name);
    free(s->value_names);
    free(s->nodes);
    free(s->layer_nodes);
    free(s->node_macs);
    free(s);
}

stoic_status stoic_model_wrap(stoic_structure *structure, stoic_model **out, stoic_error *err) {
    stoic_model *model = calloc(1, sizeof *model);
    struct stoic_model_private *private_ = calloc(1, sizeof *private_);
    if (!model || !private_) {
        free(model);
        free(private_);
        stoic_structure_free(structure);
        return stoic_fail_memory(err, "a model", sizeof *model + sizeof *private_);
    }
    atomic_init(&private_->references, 1);
    private_->structure = structure;
    model->private_ = private_;
    model->name = structure->name;
    model->nodes = structure->nodes;
    model->n_nodes = structure->n_nodes;
    model->layer_nodes = structure->layer_nodes;
    *out = model;
    return STOIC_OK;
}

stoic_model *stoic_model_retain(const stoic_model *model) {
    if (model)
        atomic_fetch_add_explicit(&model->private_->references, 1, memory_order_relaxed);
    return (stoic_model *)model;
}

void stoic_model_free(stoic_model *model) {
    if (!model ||
        atomic_fetch_sub_explicit(&model->private_->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < model->n_values && model->values; i++)
        stoic_tensor_free(model->values[i].constant);
    for (size_t i = 0; i < model->n_meta; i++) {
        free(model->meta[i].key);
        free(model->meta[i].value);
    }
    free(model->values);
    free(model->meta);
    stoic_structure_free(model->private_->structure);
    free(model->private_);
    free(model);
}

stoic_status stoic_model_copy_meta(const stoic_model *from, stoic_model *to, stoic_error *err) {
    to->meta = calloc(from->n_meta + 1, sizeof *to->meta); /* one more: with_meta may add it */
    if (!to->meta)
        return stoic_fail_memory(err, "metadata", (from->n_meta + 1) * sizeof *to->meta);
    for (size_t i = 0; i < from->n_meta; i++) {
        stoic_meta *pair = &to->meta[to->n_meta++];
        pair->key = strdup(from->meta[i].key);
        pair->value = strdup(from->meta[i].value);
        if (!pair->key || !pair->value)
            return stoic_fail_memory(err, "metadata", strlen(from->meta[i].value) + 1);
    }
    return STOIC_OK;
}

/* A second model of the same structure, constants shared. */
static stoic_status copy_model(const stoic_model *from, stoic_model **out, stoic_error *err) {
    stoic_status status;
    stoic_model *to = NULL;
    stoic_structure *structure = from->private_->structure;
    atomic_fetch_add_explicit(&structure->references, 1, memory_order_relaxed);
    TRY(stoic_model_wrap(structure, &to, err));
    to->opset = from->opset;
    to->ir_version = from->ir_version;
    to->input = from->input;
    to->output = from->output;
    to->n_layers = from->n_layers;
    memcpy(to->private_->digest, from->private_->digest, sizeof to->private_->digest);
    to->values = malloc(from->n_values * sizeof *to->values);
    if (!to->values) {
        status = stoic_fail_memory(err, "a model", from->n_values * sizeof *to->values);
        goto done;
    }
    memcpy(to->values, from->values, from->n_values * sizeof *to->values);
    to->n_values = from->n_values;
    for (size_t i = 0; i < to->n_values; i++)
        stoic_tensor_retain(to->values[i].constant);
    TRY(stoic_model_copy_meta(from, to, err));
    *out = to;
    to = NULL;
done:
    stoic_model_free(to);
    return status;
}

static stoic_status replace(stoic_model *model, int number, stoic_tensor *tensor,
                            stoic_error *err) {
    char is[128], was[128];
    /* integer constants have shaped the graph and are not free to change */
    if (number < 0 || (size_t)number >= model->n_values || !model->values[number].constant ||
        model->values[number].dtype != STOIC_F32)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "value %d is not a float32 constant of the model", number);
    stoic_value *value = &model->values[number];
    const stoic_shape *shape = stoic_tensor_shape(tensor);
    bool same = shape->rank == value->shape.rank && stoic_tensor_dtype(tensor) == value->dtype;
    for (int i = 0; i < shape->rank && same; i++)
        same = shape->dim[i] == value->shape.dim[i];
    if (!same)
        return stoic_fail(
            err, STOIC_ERR_SHAPE, value->name, "constant '%s' is %s %s and cannot become %s %s",
            value->name, stoic_dtype_name(value->dtype), stoic_shape_text(&value->shape, was),
            stoic_dtype_name(stoic_tensor_dtype(tensor)), stoic_shape_text(shape, is));
    stoic_tensor_retain(tensor);
    stoic_tensor_free(value->constant);
    value->constant = tensor;
    return STOIC_OK;
}

stoic_status stoic_model_with_constants(const stoic_model *model, const int *values,
                                        stoic_tensor *const *tensors, size_t n, stoic_model **out,
                                        stoic_error *err) {
    stoic_model *copy = NULL;
    stoic_status status = STOIC_OK;
    TRY(copy_model(model, &copy, err));
    for (size_t i = 0; i < n; i++)
        TRY(replace(copy, values[i], tensors[i], err));
    TRY(stoic_model_fingerprint(copy, err));
    *out = copy;
    copy = NULL;
done:
    stoic_model_free(copy);
    return status;
}

static size_t find_meta(const stoic_model *model, const char *key) {
    size_t i = 0;
    while (i < model->n_meta && strcmp(model->meta[i].key, key) != 0)
        i++;
    return i;
}

static void remove_meta(stoic_model *model, size_t at) {
    free(model->meta[at].key);
    free(model->meta[at].value);
    model->n_meta--;
    memmove(&model->meta[at], &model->meta[at + 1], (model->n_meta - at) * sizeof *model->meta);
}

static stoic_status set_meta(stoic_model *model, const char *key, const char *value,
                             stoic_error *err) {
    size_t at = find_meta(model, key);
    char *text = strdup(value);
    char *name = at == model->n_meta ? strdup(key) : model->meta[at].key;
    if (!text || !name) {
        free(text);
        if (at == model->n_meta)
            free(name);
        return stoic_fail_memory(err, "metadata", strlen(value) + strlen(key) + 2);
    }
    if (at == model->n_meta)
        model->n_meta++;
    else
        free(model->meta[at].value);
    model->meta[at] = (stoic_meta){name, text};
    return STOIC_OK;
}

stoic_status stoic_model_with_meta(const stoic_model *model, const char *key, const char *value,
                                   stoic_model **out, stoic_error *err) {
    stoic_model *copy = NULL;
    stoic_status status = STOIC_OK;
    TRY(copy_model(model, &copy, err));
    size_t at = find_meta(copy, key);
    if (value)
        TRY(set_meta(copy, key, value, err));
    else if (at < copy->n_meta)
        remove_meta(copy, at);
    *out = copy;
    copy = NULL;
done:
    stoic_model_free(copy);
    return status;
}

size_t stoic_model_meta_count(const stoic_model *model) {
    return model->n_meta;
}

const char *stoic_model_meta_key(const stoic_model *model, size_t i) {
    return i < model->n_meta ? model->meta[i].key : NULL;
}

const char *stoic_model_meta_get(const stoic_model *model, const char *key) {
    size_t i = find_meta(model, key);
    return i < model->n_meta ? model->meta[i].value : NULL;
}

const stoic_shape *stoic_model_input_shape(const stoic_model *model) {
    return &model->values[model->input].shape;
}

const stoic_shape *stoic_model_output_shape(const stoic_model *model) {
    return &model->values[model->output].shape;
}

int64_t stoic_model_classes(const stoic_model *model) {
    return stoic_shape_count(stoic_model_output_shape(model));
}

/* Is this number nothing but the ratio of Dropout nodes, which inference does not read? */
static bool is_dropout_ratio(const stoic_model *model, size_t value) {
    if (stoic_shape_count(&model->values[value].shape) != 1)
        return false;
    for (size_t i = 0; i < model->n_nodes; i++) {
        const stoic_node *node = &model->nodes[i];
        for (size_t k = 0; k < node->n_in && node->op != &stoic_op_dropout; k++) {
            if (node->in[k] == (int)value)
                return false;
        }
    }
    return true;
}

int64_t stoic_model_parameters(const stoic_model *model) {
    int64_t total = 0;
    for (size_t i = 0; i < model->n_values; i++) {
        const stoic_value *value = &model->values[i];
        if (value->constant && value->dtype == STOIC_F32 && !is_dropout_ratio(model, i))
            total += stoic_tensor_count(value->constant);
    }
    return total;
}

int64_t stoic_model_macs(const stoic_model *model) {
    int64_t total = 0;
    for (size_t i = 0; i < model->n_nodes; i++) {
        if (__builtin_add_overflow(total, model->private_->structure->node_macs[i], &total))
            return INT64_MAX;
    }
    return total;
}

int stoic_model_layer_count(const stoic_model *model) {
    return (int)model->n_layers;
}

stoic_layer stoic_model_layer(const stoic_model *model, int index) {
    assert(index >= 0 && (size_t)index < model->n_layers);
    int at = model->layer_nodes[index];
    const stoic_node *node = &model->nodes[at];
    const stoic_value *weights = &model->values[node->in[1]];
    const stoic_value *bias =
        node->n_in > 2 && node->in[2] >= 0 ? &model->values[node->in[2]] : NULL;
    return (stoic_layer){.index = index,
                         .name = node->name,
                         .op = node->op->name,
                         .weights = weights->constant,
                         .bias = bias ? bias->constant : NULL,
                         .weights_name = weights->name,
                         .bias_name = bias ? bias->name : NULL,
                         .output = model->values[node->out[0]].shape,
                         .macs = model->private_->structure->node_macs[at]};
}

void stoic_model_digest(const stoic_model *model, uint8_t digest[16]) {
    memcpy(digest, model->private_->digest, sizeof model->private_->digest);
}

static stoic_operand operand_of(const stoic_model *model, int number) {
    if (number < 0)
        return (stoic_operand){0};
    const stoic_value *value = &model->values[number];
    return (stoic_operand){true, value->dtype, value->shape, value->constant};
}

void stoic_model_call(const stoic_model *model, size_t node, stoic_operand *in, stoic_operand *out,
                      stoic_op_call *call) {
    const stoic_node *n = &model->nodes[node];
    for (size_t i = 0; i < n->n_in; i++)
        in[i] = operand_of(model, n->in[i]);
    for (size_t i = 0; i < n->n_out; i++)
        out[i] = operand_of(model, n->out[i]);
    *call = (stoic_op_call){.op = n->op,
                            .node = n->name,
                            .opset = *n->op->domain ? STOIC_DOMAIN_VERSION : model->opset,
                            .attrs = n->attrs,
                            .n_attrs = n->n_attrs,
                            .in = in,
                            .n_in = n->n_in,
                            .out = out,
                            .n_out = n->n_out};
}

int stoic_model_channel_axis(const stoic_model *model, int layer) {
    stoic_operand in[8], out[2];
    stoic_op_call call;
    size_t at = (size_t)model->layer_nodes[layer];
    const stoic_node *node = &model->nodes[at];
    if (node->op == &stoic_op_mat_mul)
        return stoic_tensor_shape(model->values[node->in[1]].constant)->rank - 1;
    if (node->op != &stoic_op_gemm)
        return 0;
    stoic_model_call(model, at, in, out, &call);
    return stoic_attr_int(&call, "transB", 0) ? 0 : 1;
}
