/* The ONNX reader and writer: what people export, what survives, and what is refused and how. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "model/graph.h"

/* ---- a wire format encoder that does not mind writing nonsense ---- */

typedef struct bytes {
    uint8_t *data;
    size_t n, capacity;
} bytes;

static void put(bytes *b, const void *data, size_t n) {
    if (b->n + n > b->capacity) {
        b->capacity = 2 * (b->n + n);
        b->data = realloc(b->data, b->capacity);
        assert_non_null(b->data);
    }
    if (n > 0)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void put_varint(bytes *b, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put(b, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_int(bytes *b, unsigned field, int64_t value) {
    put_varint(b, field << 3);
    put_varint(b, (uint64_t)value);
}

static void put_data(bytes *b, unsigned field, const void *data, size_t n) {
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    put(b, data, n);
}

static void put_text(bytes *b, unsigned field, const char *text) {
    put_data(b, field, text, strlen(text));
}

/* A submessage, which is freed. */
static void put_message(bytes *b, unsigned field, bytes *message) {
    put_data(b, field, message->data, message->n);
    free(message->data);
    *message = (bytes){0};
}

/* ---- a small model, with one thing changed at will ---- */

typedef struct change {
    int64_t ir, opset, batch, width, type; /* 0: as usual */
    const char *width_name;
    bool second_input, second_output, initialiser_is_input, no_graph;
    int weight_type; /* TensorProto.DataType */
    const void *raw;
    size_t raw_bytes;
    const char *location, *offset, *length;
    const char *op;
} change;

static void put_value_info(bytes *graph, unsigned field, const char *name, const change *c) {
    bytes dim = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    if (c->batch)
        put_int(&dim, 1, c->batch);
    else
        put_text(&dim, 2, "N");
    put_message(&shape, 1, &dim);
    if (c->width_name)
        put_text(&dim, 2, c->width_name);
    else
        put_int(&dim, 1, c->width ? c->width : 2);
    put_message(&shape, 1, &dim);
    put_int(&tensor, 1, c->type ? c->type : 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

static void put_external(bytes *tensor, const char *key, const char *value) {
    bytes entry = {0};
    if (!value)
        return;
    put_text(&entry, 1, key);
    put_text(&entry, 2, value);
    put_message(tensor, 13, &entry);
}

static const float usual_weights[4] = {1, 2, 3, 4};

static void put_weights(bytes *graph, const change *c) {
    bytes tensor = {0};
    put_int(&tensor, 1, 2);
    put_int(&tensor, 1, 2);
    put_int(&tensor, 2, c->weight_type ? c->weight_type : 1);
    put_text(&tensor, 8, "w");
    put_external(&tensor, "location", c->location);
    put_external(&tensor, "offset", c->offset);
    put_external(&tensor, "length", c->length);
    if (c->location)
        put_int(&tensor, 14, 1);
    else
        put_data(&tensor, 9, c->raw ? c->raw : usual_weights,
                 c->raw ? c->raw_bytes : sizeof usual_weights);
    put_message(graph, 5, &tensor);
}

/* y = x w, one MatMul. */
static bytes model_bytes(const change *c) {
    bytes model = {0}, graph = {0}, node = {0}, opset = {0};
    put_text(&node, 1, "x");
    put_text(&node, 1, "w");
    put_text(&node, 2, "y");
    put_text(&node, 3, "product");
    put_text(&node, 4, c->op ? c->op : "MatMul");
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "g");
    put_weights(&graph, c);
    if (c->initialiser_is_input)
        put_value_info(&graph, 11, "w", c);
    put_value_info(&graph, 11, "x", c);
    if (c->second_input)
        put_value_info(&graph, 11, "x2", c);
    put_value_info(&graph, 12, "y", c);
    if (c->second_output)
        put_value_info(&graph, 12, "x", c);
    put_int(&model, 1, c->ir ? c->ir : 7);
    put_int(&opset, 2, c->opset ? c->opset : 13);
    put_message(&model, 8, &opset);
    if (c->no_graph)
        free(graph.data);
    else
        put_message(&model, 7, &graph);
    return model;
}

static char last_warning[512];
static int warnings;

static void on_log(void *user, stoic_log_level level, const char *message) {
    (void)user;
    warnings += level == STOIC_LOG_WARNING;
    snprintf(last_warning, sizeof last_warning, "%s", message);
}

static stoic_status parse(const change *c, const char *folder, stoic_model **out,
                          stoic_error *err) {
    bytes b = model_bytes(c);
    stoic_status status = stoic_model_parse(b.data, b.n, folder, out, err);
    free(b.data);
    return status;
}

static stoic_model *accept(const change *c, const char *folder) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    if (parse(c, folder, &model, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return model;
}

static void refuse(const change *c, const char *folder, stoic_status code, const char *word) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    stoic_status status = parse(c, folder, &model, &err);
    if (status != code || !strstr(err.message, word) || strchr(err.message, '\n'))
        fail_msg("status %d (%s), expected %d and '%s'", (int)status, err.message, (int)code, word);
}

/* ---- tests ---- */

static void reads_versions_and_ends(void **state) {
    (void)state;
    stoic_model_free(accept(&(change){.opset = 7}, NULL));
    stoic_model_free(accept(&(change){.opset = 23}, NULL));
    stoic_model_free(accept(&(change){.batch = 1}, NULL));
    stoic_model_free(accept(&(change){.ir = 3, .initialiser_is_input = true}, NULL));
    refuse(&(change){.opset = 6}, NULL, STOIC_ERR_UNSUPPORTED, "opset 6, expected 7 to 23");
    refuse(&(change){.opset = 24}, NULL, STOIC_ERR_UNSUPPORTED, "opset 24");
    refuse(&(change){.ir = 1000}, NULL, STOIC_ERR_UNSUPPORTED, "ir_version is 1000");
    refuse(&(change){.batch = 8}, NULL, STOIC_ERR_UNSUPPORTED, "batch of 8: export");
    refuse(&(change){.width_name = "wide"}, NULL, STOIC_ERR_UNSUPPORTED, "symbolic: wide");
    refuse(&(change){.width = -5}, NULL, STOIC_ERR_UNSUPPORTED, "not given");
    refuse(&(change){.type = 10}, NULL, STOIC_ERR_UNSUPPORTED, "type 10, expected float32");
    refuse(&(change){.second_input = true}, NULL, STOIC_ERR_UNSUPPORTED, "('x', 'x2')");
    refuse(&(change){.no_graph = true}, NULL, STOIC_ERR_FORMAT, "no graph");
    refuse(&(change){.op = "Loop"}, NULL, STOIC_ERR_UNSUPPORTED, "node 'product' (Loop)");
    refuse(&(change){.width = 3}, NULL, STOIC_ERR_SHAPE, "");
    warnings = 0;
    stoic_model_free(accept(&(change){.second_output = true}, NULL));
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "2 outputs, only the first ('y')"));
}

static void expect_weights(const change *c, const float expected[4]) {
    stoic_model *model = accept(c, NULL);
    const float *w = stoic_tensor_data(stoic_model_layer(model, 0).weights);
    for (int i = 0; i < 4; i++)
        assert_memory_equal(&w[i], &expected[i], sizeof *w);
    stoic_model_free(model);
}

static void converts_element_types(void **state) {
    (void)state;
    /* one, the largest, the smallest subnormal negative, infinity */
    const uint16_t half[] = {0x3c00, 0x7bff, 0x8001, 0x7c00};
    const uint16_t brain[] = {0x3f80, 0xc000, 0x0001, 0xff80};
    const double wide[] = {0.1, -2, 1e300, 0x1p-149};
    expect_weights(&(change){.weight_type = 10, .raw = half, .raw_bytes = sizeof half},
                   (const float[]){1, 65504, -0x1p-24f, INFINITY});
    expect_weights(&(change){.weight_type = 16, .raw = brain, .raw_bytes = sizeof brain},
                   (const float[]){1, -2, 0x1p-133f, -INFINITY});
    expect_weights(&(change){.weight_type = 11, .raw = wide, .raw_bytes = sizeof wide},
                   (const float[]){0.1f, -2, INFINITY, 0x1p-149f});
    refuse(&(change){.weight_type = 9, .raw = wide, .raw_bytes = 4}, NULL, STOIC_ERR_UNSUPPORTED,
           "bool");
    refuse(&(change){.weight_type = 17, .raw = wide, .raw_bytes = 4}, NULL, STOIC_ERR_UNSUPPORTED,
           "tensor 'w' has elements of ONNX type 17");
    refuse(&(change){.raw = wide, .raw_bytes = 12}, NULL, STOIC_ERR_FORMAT,
           "tensor 'w' of shape 2x2 (float32) holds 12 bytes, expected 16");
    refuse(&(change){.raw = wide, .raw_bytes = 20}, NULL, STOIC_ERR_FORMAT, "holds 20 bytes");
    refuse(&(change){.raw = wide, .raw_bytes = 0}, NULL, STOIC_ERR_FORMAT, "holds 0 elements");
}

static void warns_of_nan(void **state) {
    (void)state;
    const float w[] = {1, NAN, 2, NAN};
    warnings = 0;
    stoic_model_free(accept(&(change){.raw = w, .raw_bytes = sizeof w}, NULL));
    assert_int_equal(warnings, 1);
    assert_string_equal(last_warning, "weights 'w': 2 NaN values, the first at index 1");
    stoic_model_free(accept(&(change){0}, NULL));
    assert_int_equal(warnings, 1);
}

static void external_data_stays_inside(void **state) {
    (void)state;
    char folder[] = "/tmp/stoic-onnx-XXXXXX", path[300], inside[300];
    assert_non_null(mkdtemp(folder));
    float data[] = {9, 1, 2, 3, 4};
    snprintf(path, sizeof path, "%s/w.bin", folder);
    assert_int_equal(stoic_file_write(path, data, sizeof data, NULL), STOIC_OK);
    snprintf(inside, sizeof inside, "%s/model", folder);
    assert_int_equal(mkdir(inside, 0700), 0);
    snprintf(path, sizeof path, "%s/model/link.bin", folder);
    assert_int_equal(symlink("../w.bin", path), 0);

    stoic_model *model =
        accept(&(change){.location = "w.bin", .offset = "4", .length = "16"}, folder);
    const float *w = stoic_tensor_data(stoic_model_layer(model, 0).weights);
    assert_memory_equal(w, usual_weights, sizeof usual_weights);
    stoic_model_free(model);
    stoic_model_free(accept(&(change){.location = "./w.bin"}, folder));
    stoic_model_free(accept(&(change){.location = "model/link.bin"}, folder)); /* ends up inside */

    refuse(&(change){.location = "link.bin"}, inside, STOIC_ERR_FORMAT, "link out of the model");
    refuse(&(change){.location = "../w.bin"}, inside, STOIC_ERR_FORMAT, "outside the model's");
    refuse(&(change){.location = "a/../../w.bin"}, inside, STOIC_ERR_FORMAT, "outside the model's");
    refuse(&(change){.location = "/etc/passwd"}, inside, STOIC_ERR_FORMAT, "outside the model's");
    refuse(&(change){.location = "gone.bin"}, folder, STOIC_ERR_IO, "No such file");
    refuse(&(change){.location = "model"}, folder, STOIC_ERR_FORMAT, "not a regular file");
    refuse(&(change){.location = "w.bin"}, NULL, STOIC_ERR_FORMAT, "without a folder");
    refuse(&(change){.location = ""}, folder, STOIC_ERR_FORMAT, "external data");
    refuse(&(change){.location = "w.bin", .offset = "8"}, folder, STOIC_ERR_FORMAT,
           "needs 16 bytes at offset 8, 'w.bin' has 20");
    refuse(&(change){.location = "w.bin", .offset = "9223372036854775807"}, folder,
           STOIC_ERR_FORMAT, "needs 16 bytes");
    refuse(&(change){.location = "w.bin", .length = "12"}, folder, STOIC_ERR_FORMAT,
           "has length 12, its shape needs 16");
    refuse(&(change){.location = "w.bin", .offset = "-4"}, folder, STOIC_ERR_FORMAT,
           "offset '-4', expected a number");

    unlink(path);
    snprintf(path, sizeof path, "%s/w.bin", folder);
    unlink(path);
    rmdir(inside);
    rmdir(folder);
}

/* The folder of this source file, from where the build runs. */
static const char *fixture(const char *name, char path[512]) {
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, 512, "%.*s/fixtures/onnx/%s.onnx", (int)(slash - __FILE__), __FILE__, name);
    return path;
}

typedef struct exported {
    const char *name;
    int layers;
    int64_t macs;
    size_t nodes;
} exported;

static const exported fixtures[] = {
    {"lenet-flatten-new-free", 4, 38864, 11},
    {"lenet-flatten-old-fixed", 4, 38864, 11},
    {"lenet-view-minus-new-free", 4, 38864, 11},
    {"lenet-view-minus-old-fixed", 4, 38864, 11},
    {"lenet-view-size-new-free", 4, 38864, 11},
    {"lenet-view-size-old-fixed", 4, 38864, 11},
    {"lenet-view-size-raw-free", 4, 38864, 11},
    {"mobile-new-free", 5, 9252, 0},
    {"mobile-old-fixed", 5, 9252, 0},
    {"mobile-raw-free", 5, 9252, 0},
    {"perceptron-new-free", 2, 96, 0},
    {"perceptron-old-fixed", 2, 96, 0},
    {"perceptron-raw-free", 2, 96, 0},
    {"resnet-a-new-free", 6, 156752, 0},
    {"resnet-a-old-fixed", 6, 156752, 0},
    {"resnet-a-raw-free", 6, 156752, 0},
    {"resnet-b-new-free", 7, 158800, 0},
    {"resnet-b-old-fixed", 7, 158800, 0},
    {"resnet-b-raw-free", 7, 158800, 0},
    {"resnet-cat-new-free", 6, 156752, 0},
    {"resnet-cat-old-fixed", 6, 156752, 0},
    {"resnet-cat-raw-free", 6, 156752, 0},
};

static stoic_model *read_model(const char *path) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    if (stoic_model_read(path, &model, &err) != STOIC_OK)
        fail_msg("%s: %s: %s", path, err.place, err.message);
    return model;
}

static void assert_same_model(const stoic_model *a, const stoic_model *b) {
    uint8_t da[16], db[16];
    stoic_model_digest(a, da);
    stoic_model_digest(b, db);
    assert_memory_equal(da, db, 16);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->opset, b->opset);
    assert_int_equal(a->n_nodes, b->n_nodes);
    assert_int_equal(a->n_values, b->n_values);
    assert_string_equal(a->values[a->input].name, b->values[b->input].name);
    assert_string_equal(a->values[a->output].name, b->values[b->output].name);
    for (size_t i = 0; i < a->n_nodes; i++) {
        assert_string_equal(a->nodes[i].name, b->nodes[i].name);
        for (size_t k = 0; k < a->nodes[i].n_in; k++) {
            if (a->nodes[i].in[k] >= 0)
                assert_string_equal(a->values[a->nodes[i].in[k]].name,
                                    b->values[b->nodes[i].in[k]].name);
        }
    }
    assert_int_equal(a->n_meta, b->n_meta);
    for (size_t i = 0; i < a->n_meta; i++) {
        assert_string_equal(a->meta[i].key, b->meta[i].key);
        assert_string_equal(a->meta[i].value, b->meta[i].value);
    }
}

static char *temporary(char path[64]) {
    strcpy(path, "/tmp/stoic-onnx-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return path;
}

static void assert_round_trip(const stoic_model *model) {
    char path[64];
    stoic_error err = {0};
    if (stoic_model_write(model, temporary(path), &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    stoic_model *again = read_model(path);
    assert_same_model(model, again);
    stoic_model_free(again);
    unlink(path);
}

static void reads_what_pytorch_exports(void **state) {
    (void)state;
    char path[512];
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
        stoic_model *model = read_model(fixture(fixtures[i].name, path));
        assert_int_equal(stoic_model_layer_count(model), fixtures[i].layers);
        assert_int_equal(stoic_model_macs(model), fixtures[i].macs);
        if (fixtures[i].nodes)
            assert_int_equal(model->n_nodes, fixtures[i].nodes);
        assert_string_equal(model->values[model->input].name, "x");
        assert_string_equal(model->values[model->output].name, "y");
        assert_round_trip(model);
        stoic_model_free(model);
    }
}

/* Does the written file declare its batch as free? Its name stands nowhere else in these. */
static bool writes_free_batch(const char *name) {
    char path[512];
    uint8_t *data = NULL;
    size_t n = 0;
    stoic_model *model = read_model(fixture(name, path));
    assert_int_equal(stoic_model_write(model, temporary(path), NULL), STOIC_OK);
    assert_int_equal(stoic_file_read(path, 1 << 20, &data, &n, NULL), STOIC_OK);
    bool is_free = memmem(data, n, "\x12\x01N", 3) != NULL; /* dim_param "N" */
    free(data);
    unlink(path);
    stoic_model_free(model);
    return is_free;
}

/* A Concat with a block of zeros for one image is all that must stay at batch 1. */
static void frees_the_batch_where_it_can(void **state) {
    (void)state;
    assert_true(writes_free_batch("lenet-view-size-old-fixed"));
    assert_true(writes_free_batch("resnet-a-old-fixed"));
    assert_true(writes_free_batch("mobile-old-fixed"));
    assert_false(writes_free_batch("resnet-cat-old-fixed"));
}

static void metadata_survives(void **state) {
    (void)state;
    stoic_model *model = NULL, *with = NULL;
    assert_int_equal(stoic_zoo_build("lenet5", 1, &model, NULL), STOIC_OK);
    assert_int_equal(stoic_model_with_meta(model, "stoic.mean", "0.5,0.25", &with, NULL), STOIC_OK);
    assert_round_trip(with);
    stoic_model_free(with);
    stoic_error err = {0};
    assert_int_equal(stoic_model_write(model, "/nowhere/at/all.onnx", &err), STOIC_ERR_IO);
    stoic_model_free(model);
    assert_int_equal(stoic_model_read("/nowhere/at/all.onnx", &model, &err), STOIC_ERR_IO);
}

/* Every prefix of a file is refused: in ONNX the graph's length comes before the graph. */
static void refuses_truncated_files(void **state) {
    (void)state;
    char path[512];
    uint8_t *data = NULL;
    size_t n = 0;
    assert_int_equal(
        stoic_file_read(fixture("perceptron-old-fixed", path), 1 << 20, &data, &n, NULL), STOIC_OK);
    int accepted = 0;
    for (size_t length = 0; length <= n; length++) {
        stoic_model *model = NULL;
        stoic_error err = {0};
        uint8_t *copy = malloc(length + (length == 0)); /* so that a sanitizer sees the end */
        if (length > 0)
            memcpy(copy, data, length);
        stoic_status status = stoic_model_parse(copy, length, NULL, &model, &err);
        accepted += status == STOIC_OK;
        assert_true(status == STOIC_OK || *err.message);
        if (length < n)
            assert_int_not_equal(status, STOIC_OK);
        stoic_model_free(model);
        free(copy);
    }
    assert_int_equal(accepted, 1);
    free(data);
}

/* One byte of a good file replaced, everywhere: never a crash, and every refusal says why. */
static void survives_mutations(void **state) {
    (void)state;
    char path[512];
    uint8_t *data = NULL;
    size_t n = 0;
    int refused = 0;
    assert_int_equal(
        stoic_file_read(fixture("perceptron-raw-free", path), 1 << 20, &data, &n, NULL), STOIC_OK);
    static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};
    for (size_t at = 0; at < n; at++) {
        uint8_t before = data[at];
        for (size_t k = 0; k < sizeof values; k++) {
            stoic_model *model = NULL;
            stoic_error err = {0};
            data[at] = values[k];
            if (stoic_model_parse(data, n, NULL, &model, &err) != STOIC_OK) {
                refused++;
                assert_true(*err.message && !strchr(err.message, '\n'));
            }
            stoic_model_free(model);
        }
        data[at] = before;
    }
    assert_true(refused > (int)n);
    free(data);
}

static void refuses_noise(void **state) {
    (void)state;
    stoic_rng rng;
    stoic_rng_init(&rng, 1, 0, STOIC_STREAM_VALUE);
    for (int i = 0; i < 2000; i++) {
        uint8_t noise[64];
        stoic_model *model = NULL;
        stoic_error err = {0};
        size_t n = (size_t)stoic_rng_below(&rng, sizeof noise + 1);
        for (size_t k = 0; k < n; k++)
            noise[k] = (uint8_t)stoic_rng_u32(&rng);
        assert_int_not_equal(stoic_model_parse(noise, n, NULL, &model, &err), STOIC_OK);
        assert_true(*err.message);
    }
}

static void refuse_bytes(bytes *b, stoic_status code, const char *word) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    stoic_status status = stoic_model_parse(b->data, b->n, NULL, &model, &err);
    if (status != code || !strstr(err.message, word))
        fail_msg("status %d (%s), expected %d and '%s'", (int)status, err.message, (int)code, word);
    free(b->data);
    *b = (bytes){0};
}

static void refuses_bombs(void **state) {
    (void)state;
    bytes b = {0}, inner = {0};
    refuse_bytes(&b, STOIC_ERR_FORMAT, "it is empty");
    put_varint(&b, 7 << 3 | 2); /* a graph of 2^63 bytes */
    put_varint(&b, UINT64_C(1) << 63);
    refuse_bytes(&b, STOIC_ERR_FORMAT, "'graph' at byte 0 claims 9223372036854775808 bytes");
    put(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    refuse_bytes(&b, STOIC_ERR_FORMAT, "byte 0 starts a number of more than 64 bits");
    put(&b, "\x0b", 1); /* the start of a group */
    refuse_bytes(&b, STOIC_ERR_FORMAT, "byte 0 starts no valid field");
    put_text(&b, 1, "text");
    refuse_bytes(&b, STOIC_ERR_FORMAT, "'ir_version' at byte 0 is of the wrong kind");
    put_data(&b, 2, "a\0b", 3);
    refuse_bytes(&b, STOIC_ERR_FORMAT, "zero byte");
    put_message(&b, 7, &inner);
    put_message(&b, 7, &inner);
    refuse_bytes(&b, STOIC_ERR_FORMAT, "'graph' is given a second time at byte 2");

    /* messages nested as deep as they like: what the schema does not know is not entered */
    for (int depth = 0; depth < 10000; depth++) {
        bytes outer = {0};
        put_message(&outer, 7, &inner);
        inner = outer;
    }
    put_int(&b, 1, 7);
    put(&b, inner.data, inner.n);
    free(inner.data);
    refuse_bytes(&b, STOIC_ERR_UNSUPPORTED, "opset 0");

    /* two bytes each in the file, some hundred in memory */
    bytes graph = {0};
    for (int i = 0; i < 2000000; i++)
        put(&graph, "\x0a\x00", 2);
    put_message(&b, 7, &graph);
    refuse_bytes(&b, STOIC_ERR_FORMAT, "decoding the file would take over");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_versions_and_ends),
        cmocka_unit_test(converts_element_types),
        cmocka_unit_test(warns_of_nan),
        cmocka_unit_test(external_data_stays_inside),
        cmocka_unit_test(reads_what_pytorch_exports),
        cmocka_unit_test(metadata_survives),
        cmocka_unit_test(frees_the_batch_where_it_can),
        cmocka_unit_test(refuses_truncated_files),
        cmocka_unit_test(survives_mutations),
        cmocka_unit_test(refuses_noise),
        cmocka_unit_test(refuses_bombs),
    };
    stoic_log_set(on_log, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
