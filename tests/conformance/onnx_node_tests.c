/*
 * Runs the tests that ONNX ships (Debian: libonnx-testdata) through inference and the plain
 * kernels of every operator on the list.
 *
 *   onnx_node_tests [folder]
 *
 * A folder that does not apply is listed with its reason. Refusals of the library count as such
 * only where this file says that they are meant; everything else that does not give the expected
 * output is a failure. So is running fewer folders than have been seen to run.
 *
 * What the plain kernels pass goes through the fast executor as well, where it is a network over a
 * batch of images; counted and listed in the same way.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec_node.h"
#include "op/op.h"
#include "pb_lite.h"

enum { MUST_RUN = 285, MUST_RUN_FAST = 160, LIMIT = 64 };

static const char *const groups[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};

/* Refused on purpose: part of the folder's name, part of the message. */
static const struct {
    const char *folder, *message;
} refusals[] = {
    {"test_batchnorm_", "outputs"}, /* training */
    {"test_cast_", "to element type"},
    {"test_maxpool_with_argmax_2d_precomputed_", "outputs"},
    {"test_operator_add_", "attribute 'broadcast'"}, /* opset 6, along an axis of its own */
    {"test_training_dropout", "training mode"},
    {"test_reshape_allowzero_reordered", "no elements"},
    {"test_slice_start_out_of_bounds", "no elements"},
    {"test_edge_pad", "mode 'edge'"},
    {"test_reflect_pad", "mode 'reflect'"},
    {"test_wrap_pad", "mode 'wrap'"},
    {"test_ReflectionPad2d", "mode 'reflect'"},
    {"test_ReplicationPad2d", "mode 'edge'"},
    {"test_operator_pad", "mode 'reflect'"},
};

typedef enum outcome { PASSED, FAILED, NOT_APPLICABLE } outcome;

/* All values of one run; small graphs, so a list will do. */
typedef struct values {
    named list[LIMIT];
    size_t count;
} values;

static stoic_tensor *lookup(const values *v, const char *name) {
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->list[i].name, name) == 0)
            return v->list[i].tensor;
    return NULL;
}

/* Takes the reference over. */
static bool define(values *v, const char *name, stoic_tensor *tensor) {
    if (v->count == LIMIT) {
        stoic_tensor_free(tensor);
        return false;
    }
    v->list[v->count++] = (named){name, tensor};
    return true;
}

static double *doubles_of(const stoic_tensor *tensor) {
    int64_t count = stoic_tensor_count(tensor);
    double *values_ = malloc(((size_t)count + 1) * sizeof *values_);
    for (int64_t i = 0; values_ && i < count; i++)
        values_[i] = stoic_tensor_get(tensor, i);
    return values_;
}

static double *doubles_for(const stoic_shape *shape) {
    return calloc((size_t)stoic_shape_count(shape) + 1, sizeof(double));
}

/*
 * Models of opset 6 run by the definitions of opset 7, which differ in attributes that have gone:
 * broadcast = 1 (now always) and is_test = 1 (now said by the number of outputs). Left in place
 * where they say something else, and then refused.
 */
static size_t modernise(stoic_attr *attrs, size_t count) {
    size_t kept = 0;
    bool has_axis = false;
    for (size_t i = 0; i < count; i++)
        has_axis = has_axis || strcmp(attrs[i].name, "axis") == 0;
    for (size_t i = 0; i < count; i++) {
        bool gone = strcmp(attrs[i].name, "is_test") == 0 ||
                    (strcmp(attrs[i].name, "broadcast") == 0 && !has_axis);
        if (!gone || attrs[i].i != 1)
            attrs[kept++] = attrs[i];
    }
    return kept;
}

typedef struct run {
    stoic_op_call call;
    stoic_operand in[LIMIT], out[LIMIT];
    double *x[LIMIT], *y[LIMIT];
} run;

static void bind(run *r, const pb_node *node, const values *v) {
    bool fold = r->call.op->facts & STOIC_OP_FOLD_ONLY;
    for (size_t i = 0; i < node->n_in; i++) {
        stoic_tensor *tensor = lookup(v, node->in[i]);
        if (!tensor)
            continue;
        r->in[i] = (stoic_operand){.present = true,
                                   .dtype = stoic_tensor_dtype(tensor),
                                   .shape = *stoic_tensor_shape(tensor),
                                   .constant = i || fold ? tensor : NULL};
        r->x[i] = doubles_of(tensor);
    }
    for (size_t i = 0; i < node->n_out; i++)
        r->out[i].present = node->out[i][0] != '\0';
}

static stoic_status run_node(const pb_node *node, int opset, values *v, stoic_error *err) {
    run *r = calloc(1, sizeof *r);
    stoic_status status = STOIC_ERR_MEMORY;
    if (!r || node->n_in > LIMIT || node->n_out > LIMIT)
        goto done;
    r->call = (stoic_op_call){.op = stoic_op_find(node->domain, node->type),
                              .node = node->type,
                              .opset = opset < 7 ? 7 : opset,
                              .attrs = node->attrs,
                              .n_attrs =
                                  opset < 7 ? modernise(node->attrs, node->n_attrs) : node->n_attrs,
                              .in = r->in,
                              .n_in = node->n_in,
                              .out = r->out,
                              .n_out = node->n_out};
    bind(r, node, v);
    status = stoic_op_infer(&r->call, err);
    for (size_t i = 0; status == STOIC_OK && i < node->n_out; i++)
        r->y[i] = doubles_for(&r->out[i].shape);
    if (status == STOIC_OK)
        status = r->call.op->reference(&r->call, (const double *const *)r->x, r->y, err);
    for (size_t i = 0; status == STOIC_OK && i < node->n_out; i++) {
        stoic_tensor *tensor;
        status = stoic_tensor_create(r->out[i].dtype, &r->out[i].shape, &tensor, err);
        for (int64_t k = 0; status == STOIC_OK && k < stoic_tensor_count(tensor); k++)
            stoic_tensor_set(tensor, k, r->y[i][k]);
        if (status == STOIC_OK && !define(v, node->out[i], tensor))
            status = STOIC_ERR_MEMORY;
    }
done:
    for (size_t i = 0; r && i < LIMIT; i++) {
        free(r->x[i]);
        free(r->y[i]);
    }
    free(r);
    return status;
}

typedef struct tolerance {
    double relative, absolute;
} tolerance;

/* ONNX's own runner takes 1e-3 and 1e-7. Whatever only moves values must match exactly. */
static tolerance tolerance_of(const char *folder, const pb_model *model) {
    /* its expected values are written with four digits */
    if (strstr(folder, "test_averagepool_2d_ceil_last_window_starts_on_pad"))
        return (tolerance){1e-3, 1e-6};
    const unsigned copies = STOIC_OP_MOVES | STOIC_OP_FOLD_ONLY;
    bool exact = true;
    for (size_t i = 0; i < model->n_nodes; i++)
        exact = exact && (stoic_op_find("", model->nodes[i].type)->facts & copies);
    return exact ? (tolerance){0, 0} : (tolerance){1e-5, 1e-6};
}

static bool same_value(double found, double expected, tolerance t) {
    if (isnan(expected) || isinf(expected) || isnan(found) || isinf(found))
        return found == expected || (isnan(found) && isnan(expected));
    return fabs(found - expected) <= t.relative * fabs(expected) + t.absolute;
}

static bool same_tensor(const stoic_tensor *found, const stoic_tensor *expected, tolerance t,
                        char reason[256]) {
    char a[128], b[128];
    if (stoic_tensor_dtype(found) != stoic_tensor_dtype(expected) ||
        strcmp(stoic_shape_text(stoic_tensor_shape(found), a),
               stoic_shape_text(stoic_tensor_shape(expected), b)) != 0) {
        snprintf(reason, 256, "%s %.80s instead of %s %.80s",
                 stoic_dtype_name(stoic_tensor_dtype(found)), a,
                 stoic_dtype_name(stoic_tensor_dtype(expected)), b);
        return false;
    }
    for (int64_t i = 0; i < stoic_tensor_count(found); i++) {
        double x = stoic_tensor_get(found, i), y = stoic_tensor_get(expected, i);
        if (!same_value(x, y, t)) {
            snprintf(reason, 256, "element %lld is %.9g instead of %.9g", (long long)i, x, y);
            return false;
        }
    }
    return true;
}

/* The comparison itself is tested: one element, changed a little, must be noticed. */
static bool notices(const stoic_tensor *found, stoic_tensor *expected, tolerance t) {
    char reason[256];
    int64_t last = stoic_tensor_count(expected) - 1;
    if (last < 0)
        return true;
    double value = stoic_tensor_get(expected, last);
    double step = stoic_tensor_dtype(expected) <= STOIC_F64 ? 1e-3 : 1;
    stoic_tensor_set(expected, last,
                     !isfinite(value) ? 0
                     : stoic_tensor_dtype(expected) == STOIC_BOOL
                         ? !value
                         : value + step + step * fabs(value));
    bool noticed = !same_tensor(found, expected, t, reason);
    stoic_tensor_set(expected, last, value);
    return noticed;
}

static outcome load(const char *folder, const char *what, size_t index, stoic_tensor **out,
                    char reason[256]) {
    char path[1200], problem[160];
    snprintf(path, sizeof path, "%s/%s_%zu.pb", folder, what, index);
    pb_status status = pb_tensor_load(path, out, problem);
    if (status != PB_OK)
        snprintf(reason, 256, "%s_%zu.pb: %s", what, index, problem);
    return status == PB_OK ? PASSED : status == PB_OTHER ? NOT_APPLICABLE : FAILED;
}

static outcome check_outputs(const char *folder, const pb_model *model, const values *v,
                             char reason[256]) {
    tolerance t = tolerance_of(folder, model);
    for (size_t i = 0; i < model->n_outputs; i++) {
        stoic_tensor *expected = NULL, *found = lookup(v, model->outputs[i].name);
        outcome result = load(folder, "output", i, &expected, reason);
        if (result == PASSED && (!found || !same_tensor(found, expected, t, reason)))
            result = FAILED;
        if (result == PASSED && !notices(found, expected, t)) {
            snprintf(reason, 256, "the comparison does not notice a changed element");
            result = FAILED;
        }
        stoic_tensor_free(expected);
        if (result != PASSED)
            return result;
    }
    return PASSED;
}

static bool meant(const char *folder, const char *message) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strstr(folder, refusals[i].folder) && strstr(message, refusals[i].message))
            return true;
    return false;
}

/* Do the shapes agree but for the batch? Where the batch is 1 the test may have left it out. */
static bool same_batch(const stoic_tensor *found, const stoic_tensor *expected) {
    const stoic_shape *a = stoic_tensor_shape(found), *b = stoic_tensor_shape(expected);
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* Sums in float32 differ from the expected ones in proportion to what was added up. */
static bool close_tensor(const stoic_tensor *found, const stoic_tensor *expected,
                         char reason[256]) {
    double largest = 0;
    for (int64_t i = 0; i < stoic_tensor_count(expected); i++) {
        double x = fabs(stoic_tensor_get(expected, i));
        largest = isfinite(x) && x > largest ? x : largest;
    }
    return same_tensor(found, expected, (tolerance){1e-5, 1e-5 * largest + 1e-7}, reason);
}

/* The same by the fast executor. `n` values stood there before the nodes ran. */
static outcome run_fast(const char *folder, const pb_model *model, const values *v, size_t n,
                        char reason[256]) {
    stoic_tensor *found = NULL, *expected = NULL;
    stoic_status status = exec_node_run(model, v->list, n, &found, reason);
    outcome result = status == STOIC_OK                ? PASSED
                     : status == STOIC_ERR_UNSUPPORTED ? NOT_APPLICABLE
                                                       : FAILED;
    if (result == PASSED)
        result = load(folder, "output", 0, &expected, reason);
    if (result == PASSED && !same_batch(found, expected)) {
        snprintf(reason, 256, "the first dimension is no batch");
        result = NOT_APPLICABLE;
    }
    if (result == PASSED && !close_tensor(found, expected, reason))
        result = FAILED;
    if (result == PASSED && !notices(found, expected, (tolerance){1e-5, 1e-5})) {
        snprintf(reason, 256, "the comparison does not notice a changed element");
        result = FAILED;
    }
    stoic_tensor_free(found);
    stoic_tensor_free(expected);
    return result;
}

static int fast_counts[3];

static void count_fast(const char *folder, const pb_model *model, const values *v, size_t n) {
    static const char *const words[] = {"ok", "FAILED", "not applicable"};
    char reason[256] = "";
    outcome result = run_fast(folder, model, v, n, reason);
    fast_counts[result]++;
    if (result != PASSED)
        printf("%s on the fast executor: %s: %s\n", words[result], folder, reason);
}

/* One test_data_set folder. */
static outcome run_data_set(const char *folder, const pb_model *model, char reason[256]) {
    values v = {.count = 0};
    stoic_error err = {.message = ""};
    outcome result = PASSED;
    size_t file = 0;
    for (size_t i = 0; i < model->n_initializers; i++)
        define(&v, model->initializers[i].name, stoic_tensor_retain(model->initializers[i].tensor));
    for (size_t i = 0; result == PASSED && i < model->n_inputs; i++) {
        stoic_tensor *tensor;
        if (lookup(&v, model->inputs[i].name))
            continue;
        result = load(folder, "input", file++, &tensor, reason);
        if (result == PASSED)
            define(&v, model->inputs[i].name, tensor);
    }
    size_t given = v.count;
    for (size_t i = 0; result == PASSED && i < model->n_nodes; i++) {
        if (run_node(&model->nodes[i], model->opset, &v, &err) == STOIC_OK)
            continue;
        snprintf(reason, 256, "%.250s", err.message);
        result = meant(folder, err.message) ? NOT_APPLICABLE : FAILED;
    }
    if (result == PASSED)
        result = check_outputs(folder, model, &v, reason);
    if (result == PASSED)
        count_fast(folder, model, &v, given);
    for (size_t i = 0; i < v.count; i++)
        stoic_tensor_free(v.list[i].tensor);
    return result;
}

static outcome applies(const pb_model *model, char reason[256]) {
    for (size_t i = 0; i < model->n_nodes; i++)
        if (!stoic_op_find(model->nodes[i].domain, model->nodes[i].type)) {
            snprintf(reason, 256, "operator %s%s%s is not on the list", model->nodes[i].domain,
                     model->nodes[i].domain[0] ? "." : "", model->nodes[i].type);
            return NOT_APPLICABLE;
        }
    for (size_t i = 0; i < model->n_inputs; i++)
        if (model->inputs[i].elem_type == 0) {
            snprintf(reason, 256, "input '%s' is not a tensor", model->inputs[i].name);
            return NOT_APPLICABLE;
        }
    if (model->status != PB_OK) {
        snprintf(reason, 256, "%s", model->problem);
        return model->status == PB_OTHER ? NOT_APPLICABLE : FAILED;
    }
    return PASSED;
}

static outcome run_folder(const char *folder, char reason[256]) {
    char path[1100];
    pb_model model;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    pb_model_load(path, &model);
    outcome result = applies(&model, reason);
    size_t sets = 0;
    for (; result == PASSED && sets < LIMIT; sets++) {
        snprintf(path, sizeof path, "%s/test_data_set_%zu", folder, sets);
        DIR *dir = opendir(path);
        if (!dir)
            break;
        closedir(dir);
        result = run_data_set(path, &model, reason);
    }
    if (result == PASSED && sets == 0) {
        snprintf(reason, 256, "no data");
        result = NOT_APPLICABLE;
    }
    pb_model_free(&model);
    return result;
}

static int run_group(const char *root, const char *group, int counts[3]) {
    char path[512], folder[1024], reason[256];
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/%s", root, group);
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(folder, sizeof folder, "%s/%s", path, entries[i]->d_name);
            reason[0] = '\0';
            outcome result = run_folder(folder, reason);
            counts[result]++;
            static const char *const words[] = {"ok", "FAILED", "not applicable"};
            printf("%s %s/%s%s%s\n", words[result], group, entries[i]->d_name,
                   reason[0] ? ": " : "", reason);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return n;
}

int main(int argc, char **argv) {
    const char *root = argc > 1 ? argv[1] : "/usr/share/libonnx-testdata/data";
    int counts[3] = {0};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (run_group(root, groups[i], counts) < 0)
            printf("cannot read %s/%s\n", root, groups[i]);
    int ran = counts[PASSED] + counts[FAILED];
    printf("%d ran, %d passed, %d failed, %d not applicable\n", ran, counts[PASSED], counts[FAILED],
           counts[NOT_APPLICABLE]);
    if (ran < MUST_RUN)
        printf("expected at least %d to run\n", MUST_RUN);
    int fast = fast_counts[PASSED] + fast_counts[FAILED];
    printf("fast executor: %d ran, %d passed, %d failed, %d not applicable\n", fast,
           fast_counts[PASSED], fast_counts[FAILED], fast_counts[NOT_APPLICABLE]);
    if (fast < MUST_RUN_FAST)
        printf("expected at least %d to run\n", MUST_RUN_FAST);
    return counts[FAILED] || ran < MUST_RUN || fast_counts[FAILED] || fast < MUST_RUN_FAST;
}
