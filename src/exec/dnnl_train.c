#include "exec/dnnl_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/dnnl_inside.h"

struct stoic_dnn_train {
    stoic_dnn_shape shape;
    bool data;
    dnnl_engine_t engine;
    dnnl_stream_t stream; /* for packing */
    md_handle plain;      /* weights as ONNX stores them */
    dnnl_primitive_desc_t desc[STOIC_TRAIN_PARTS];
    dnnl_primitive_t primitive[STOIC_TRAIN_PARTS];
    dnnl_primitive_t pack[STOIC_TRAIN_PARTS], unpack;
    dnnl_memory_t plain_memory, packed_memory[STOIC_TRAIN_PARTS];
    size_t packed[STOIC_TRAIN_PARTS], scratch[STOIC_TRAIN_PARTS]; /* bytes */
    char kernel[STOIC_TRAIN_PARTS][64];
};

struct stoic_dnn_hands {
    const stoic_dnn_train *train;
    dnnl_stream_t stream;
    dnnl_memory_t x[STOIC_TRAIN_PARTS], y[STOIC_TRAIN_PARTS], weights[STOIC_TRAIN_PARTS],
        bias[STOIC_TRAIN_PARTS], scratch[STOIC_TRAIN_PARTS];
};

/* What oneDNN calls the operands of each part. */
static const struct part {
    stoic_dnn_part part;
    dnnl_query_t x, weights, y;
    int x_arg, weights_arg, bias_arg, y_arg;
} parts[STOIC_TRAIN_PARTS] = {
    {STOIC_DNN_FORWARD, dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md, DNNL_ARG_SRC,
     DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST},
    {STOIC_DNN_BACK_DATA, dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md,
     DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST},
    {STOIC_DNN_BACK_WEIGHTS, dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md,
     DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS, DNNL_ARG_DIFF_DST},
};

static md_const weights_md(const stoic_dnn_train *t, int part) {
    return dnnl_primitive_desc_query_md(t->desc[part], parts[part].weights, 0);
}

/* The first implementation that keeps IEEE semantics; with `any` the first of all. */
static stoic_status choose(stoic_dnn_train *t, int part, bool any, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_descs d;
    stoic_dnn_candidates it;
    dnnl_primitive_attr_t attr = NULL;
    memset(&d, 0, sizeof d);
    memset(&it, 0, sizeof it);
    TRY(stoic_dnn_attributes(&attr, err));
    TRY(stoic_dnn_check(stoic_dnn_descs_create(&t->shape, &d), "memory descriptors", err));
    dnnl_status_t code =
        stoic_dnn_candidates_begin(&it, parts[part].part, &t->shape, &d, t->engine, attr,
                                   part == STOIC_TRAIN_FORWARD ? NULL : t->desc[0]);
    while (code == dnnl_success && !t->desc[part]) {
        dnnl_primitive_desc_t desc = stoic_dnn_candidates_fetch(&it);
        const char *name = "";
        if (!desc)
            break;
        if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
            (any || stoic_dnn_kernel_allowed(name))) {
            t->desc[part] = desc;
            snprintf(t->kernel[part], sizeof t->kernel[part], "%s", name);
            break;
        }
        dnnl_primitive_desc_destroy(desc);
        code = stoic_dnn_candidates_next(&it);
    }
done:
    stoic_dnn_candidates_end(&it);
    stoic_dnn_descs_destroy(&d);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

static stoic_status reorder(stoic_dnn_train *t, md_const from, md_const to, dnnl_primitive_t *out,
                            stoic_error *err) {
    stoic_status status = STOIC_OK;
    dnnl_primitive_desc_t desc = NULL;
    TRY(stoic_dnn_check(
        dnnl_reorder_primitive_desc_create(&desc, from, t->engine, to, t->engine, NULL),
        "packing of weights", err));
    status = stoic_dnn_check(dnnl_primitive_create(out, desc), "packing of weights", err);
    dnnl_primitive_desc_destroy(desc);
done:
    return status;
}

static stoic_status create_part(stoic_dnn_train *t, int part, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(choose(t, part, false, err));
    if (!t->desc[part])
        TRY(choose(t, part, true, err));
    if (!t->desc[part]) {
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "oneDNN has no gradient for a convolution of this shape");
        goto done;
    }
    TRY(stoic_dnn_check(dnnl_primitive_create(&t->primitive[part], t->desc[part]), "primitive",
                        err));
    md_const weights = weights_md(t, part);
    md_const scratch = dnnl_primitive_desc_query_md(t->desc[part], dnnl_query_scratchpad_md, 0);
    t->packed[part] = dnnl_memory_desc_get_size(weights);
    t->scratch[part] = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    TRY(stoic_dnn_check(
        dnnl_memory_create(&t->packed_memory[part], weights, t->engine, DNNL_MEMORY_NONE), "memory",
        err));
    if (part == STOIC_TRAIN_WEIGHTS)
        status = reorder(t, weights, MD_REF(t->plain), &t->unpack, err);
    else
        status = reorder(t, MD_REF(t->plain), weights, &t->pack[part], err);
done:
    return status;
}

static stoic_status create_plain(stoic_dnn_train *t, stoic_error *err) {
    const stoic_dnn_shape *s = &t->shape;
    const dnnl_dim_t dims[] = {s->groups, s->oc, s->ic, s->kh, s->kw};
    stoic_status status = STOIC_OK;
    dnnl_status_t code = s->groups > 1 ? stoic_dnn_md_create(&t->plain, 5, dims, dnnl_goihw)
                                       : stoic_dnn_md_create(&t->plain, 4, dims + 1, dnnl_oihw);
    TRY(stoic_dnn_check(code, "memory descriptors", err));
    TRY(stoic_dnn_check(
        dnnl_memory_create(&t->plain_memory, MD_REF(t->plain), t->engine, DNNL_MEMORY_NONE),
        "memory", err));
    TRY(stoic_dnn_check(dnnl_stream_create(&t->stream, t->engine, dnnl_stream_default_flags),
                        "stream", err));
done:
    return status;
}

stoic_status stoic_dnn_train_create(const stoic_dnn_shape *shape, bool data, stoic_dnn_train **out,
                                    stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_train *t = calloc(1, sizeof *t);
    if (!t)
        return stoic_fail_memory(err, "a convolution", sizeof *t);
    t->shape = *shape;
    t->data = data;
    TRY(stoic_dnn_room(STOIC_DNN_ROOM, err));
    TRY(stoic_dnn_check(dnnl_engine_create(&t->engine, dnnl_cpu, 0), "engine", err));
    TRY(create_plain(t, err));
    for (int part = 0; part < STOIC_TRAIN_PARTS; part++) {
        if (part == STOIC_TRAIN_DATA && !data)
            continue;
        TRY(stoic_dnn_room(STOIC_DNN_ROOM, err));
        TRY(create_part(t, part, err));
    }
    *out = t;
    t = NULL;
done:
    stoic_dnn_train_free(t);
    return status;
}

void stoic_dnn_train_free(stoic_dnn_train *t) {
    if (!t)
        return;
    for (int part = 0; part < STOIC_TRAIN_PARTS; part++) {
        if (t->primitive[part])
            dnnl_primitive_destroy(t->primitive[part]);
        if (t->pack[part])
            dnnl_primitive_destroy(t->pack[part]);
        if (t->packed_memory[part])
            dnnl_memory_destroy(t->packed_memory[part]);
    }
    /* the forward part is the others' hint: it goes last */
    for (int part = STOIC_TRAIN_PARTS - 1; part >= 0; part--) {
        if (t->desc[part])
            dnnl_primitive_desc_destroy(t->desc[part]);
    }
    if (t->unpack)
        dnnl_primitive_destroy(t->unpack);
    if (t->plain_memory)
        dnnl_memory_destroy(t->plain_memory);
    stoic_dnn_md_destroy(&t->plain);
    if (t->stream)
        dnnl_stream_destroy(t->stream);
    if (t->engine)
        dnnl_engine_destroy(t->engine);
    free(t);
}

int64_t stoic_dnn_train_packed(const stoic_dnn_train *t, int part) {
    return (int64_t)(t->packed[part] / sizeof(float));
}

size_t stoic_dnn_train_scratch(const stoic_dnn_train *t) {
    size_t most = 0;
    for (int part = 0; part < STOIC_TRAIN_PARTS; part++)
        most = t->scratch[part] > most ? t->scratch[part] : most;
    return most;
}

const char *stoic_dnn_train_kernel(const stoic_dnn_train *t, int part) {
    return t->kernel[part];
}

bool stoic_dnn_train_agree(const stoic_dnn_train *a, const stoic_dnn_train *b, int part) {
    return dnnl_memory_desc_equal(weights_md(a, part), weights_md(b, part));
}

/* oneDNN's handles are not const; it writes to the destination alone. */
static void *handle(const float *data) {
    union {
        const float *in;
        void *out;
    } u = {.in = data};
    return u.out;
}

static stoic_status move(stoic_dnn_train *t, int part, dnnl_primitive_t how, const float *plain,
                         const float *packed, bool pack, stoic_error *err) {
    dnnl_memory_set_data_handle(t->plain_memory, handle(plain));
    dnnl_memory_set_data_handle(t->packed_memory[part], handle(packed));
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, pack ? t->plain_memory : t->packed_memory[part]},
                               {DNNL_ARG_TO, pack ? t->packed_memory[part] : t->plain_memory}};
    return stoic_dnn_check(dnnl_primitive_execute(how, t->stream, 2, args), "packing of weights",
                           err);
}

stoic_status stoic_dnn_train_pack(stoic_dnn_train *t, int part, const float *plain, float *packed,
                                  stoic_error *err) {
    return move(t, part, t->pack[part], plain, packed, true, err);
}

stoic_status stoic_dnn_train_unpack(stoic_dnn_train *t, int part, const float *packed, float *plain,
                                    stoic_error *err) {
    return move(t, part, t->unpack, plain, packed, false, err);
}

static stoic_status hold(const stoic_dnn_train *t, int part, dnnl_query_t what, int index,
                         dnnl_memory_t *out, stoic_error *err) {
    md_const md = dnnl_primitive_desc_query_md(t->desc[part], what, index);
    return stoic_dnn_check(dnnl_memory_create(out, md, t->engine, DNNL_MEMORY_NONE), "memory", err);
}

stoic_status stoic_dnn_hands_create(const stoic_dnn_train *t, stoic_dnn_hands **out,
                                    stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_hands *h = calloc(1, sizeof *h);
    if (!h)
        return stoic_fail_memory(err, "a convolution's handles", sizeof *h);
    h->train = t;
    TRY(stoic_dnn_room(STOIC_DNN_ROOM, err));
    TRY(stoic_dnn_check(dnnl_stream_create(&h->stream, t->engine, dnnl_stream_default_flags),
                        "stream", err));
    for (int part = 0; part < STOIC_TRAIN_PARTS; part++) {
        if (!t->desc[part])
            continue;
        TRY(hold(t, part, parts[part].x, 0, &h->x[part], err));
        TRY(hold(t, part, parts[part].y, 0, &h->y[part], err));
        TRY(hold(t, part, parts[part].weights, 0, &h->weights[part], err));
        if (t->shape.bias && parts[part].bias_arg)
            TRY(hold(t, part, parts[part].weights, 1, &h->bias[part], err));
        if (t->scratch[part])
            TRY(hold(t, part, dnnl_query_scratchpad_md, 0, &h->scratch[part], err));
    }
    *out = h;
    h = NULL;
done:
    stoic_dnn_hands_free(h);
    return status;
}

void stoic_dnn_hands_free(stoic_dnn_hands *h) {
    if (!h)
        return;
    for (int part = 0; part < STOIC_TRAIN_PARTS; part++) {
        dnnl_memory_t all[] = {h->x[part], h->y[part], h->weights[part], h->bias[part],
                               h->scratch[part]};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            if (all[i])
                dnnl_memory_destroy(all[i]);
        }
    }
    if (h->stream)
        dnnl_stream_destroy(h->stream);
    free(h);
}

stoic_status stoic_dnn_train_run(stoic_dnn_hands *h, int part, const float *x, const float *weights,
                                 const float *bias, const float *y, void *scratch,
                                 stoic_error *err) {
    const struct part *p = &parts[part];
    dnnl_memory_set_data_handle(h->x[part], handle(x));
    dnnl_memory_set_data_handle(h->y[part], handle(y));
    dnnl_memory_set_data_handle(h->weights[part], handle(weights));
    dnnl_exec_arg_t args[5] = {
        {p->x_arg, h->x[part]}, {p->y_arg, h->y[part]}, {p->weights_arg, h->weights[part]}};
    int n = 3;
    if (h->bias[part]) {
        dnnl_memory_set_data_handle(h->bias[part], handle(bias));
        args[n++] = (dnnl_exec_arg_t){p->bias_arg, h->bias[part]};
    }
    if (h->scratch[part]) {
        dnnl_memory_set_data_handle(h->scratch[part], scratch);
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, h->scratch[part]};
    }
    return stoic_dnn_check(dnnl_primitive_execute(h->train->primitive[part], h->stream, n, args),
                           "convolution", err);
}

stoic_status stoic_dnn_product(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                               float alpha, const float *a, int64_t lda, const float *b,
                               int64_t ldb, float beta, float *c, int64_t ldc, stoic_error *err) {
    return stoic_dnn_check(dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k,
                                      alpha, a, lda, b, ldb, beta, c, ldc),
                           "matrix product", err);
}

/* Each way to transpose, with and without adding, has code of its own. */
stoic_status stoic_dnn_product_prepare(stoic_error *err) {
    enum { M = 2, N = 96, K = 8 };
    static const bool transposed[][2] = {{false, true}, {false, false}, {true, false}};
    static const float a[M * K], b[N * K];
    float c[M * N] = {0};
    stoic_status status;
    TRY(stoic_dnn_room(STOIC_DNN_PRODUCT_ROOM, err));
    for (int i = 0; i < 6; i++) {
        const bool *t = transposed[i / 2];
        TRY(stoic_dnn_product(t[0], t[1], M, N, K, 1.0f, a, t[0] ? M : K, b, t[1] ? K : N,
                              (float)(i % 2), c, N, err));
    }
done:
    return status;
}
