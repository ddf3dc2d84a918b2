#include "exec/dnnl_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fail.h"
#include "exec/dnnl_inside.h"

/* libgomp's entry points, declared here so that a build with clang does not pull in a second
 * OpenMP runtime. */
void omp_set_num_threads(int n);

struct stoic_dnn_conv {
    stoic_dnn_shape shape;
    dnnl_engine_t engine;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    stoic_dnn_layout layout;
    size_t scratch;
    char kernel[64];
};

struct stoic_dnn_run {
    const stoic_dnn_conv *conv;
    dnnl_stream_t stream;
    dnnl_memory_t src, dst, weights, bias, scratch;
};

/* By the system, which counts what is not touched too where it sets a limit. */
stoic_status stoic_dnn_room(size_t bytes, stoic_error *err) {
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return stoic_fail_memory(err, "oneDNN", bytes);
    munmap(room, bytes);
    return STOIC_OK;
}

stoic_status stoic_dnn_check(dnnl_status_t code, const char *what, stoic_error *err) {
    if (code == dnnl_success)
        return STOIC_OK;
    if (code == dnnl_out_of_memory)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "out of memory in oneDNN: %s", what);
    return stoic_fail(err, STOIC_ERR_BACKEND, "", "oneDNN failed with status %d: %s", (int)code,
                      what);
}

/* ---- what differs between oneDNN 2.x and 3.x ---- */

dnnl_status_t stoic_dnn_md_create(md_handle *md, int rank, const dnnl_dim_t *dims,
                                  dnnl_format_tag_t tag) {
    dnnl_dims_t copy = {0};
    memcpy(copy, dims, (size_t)rank * sizeof *dims);
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_tag(md, rank, copy, dnnl_f32, tag);
#else
    return dnnl_memory_desc_init_by_tag(md, rank, copy, dnnl_f32, tag);
#endif
}

void stoic_dnn_md_destroy(md_handle *md) {
#if DNNL_VERSION_MAJOR >= 3
    if (*md)
        dnnl_memory_desc_destroy(*md);
    *md = NULL;
#else
    (void)md;
#endif
}

/* Describes blocked float memory; false for formats that are not plain blocks. */
static bool md_layout(md_const md, stoic_dnn_layout *out) {
#if DNNL_VERSION_MAJOR >= 3
    int rank = 0, n_blocks = 0;
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    const dnnl_dims_t *dims = NULL, *strides = NULL, *blocks = NULL, *axes = NULL;
    if (dnnl_memory_desc_query(md, dnnl_query_format_kind, &kind) || kind != dnnl_blocked ||
        dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &rank) ||
        dnnl_memory_desc_query(md, dnnl_query_dims, &dims) ||
        dnnl_memory_desc_query(md, dnnl_query_strides, &strides) ||
        dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &n_blocks) || n_blocks > 5)
        return false;
    if (n_blocks && (dnnl_memory_desc_query(md, dnnl_query_inner_blks, &blocks) ||
                     dnnl_memory_desc_query(md, dnnl_query_inner_idxs, &axes)))
        return false;
    out->bytes = dnnl_memory_desc_get_size(md);
    const dnnl_dim_t *d = *dims, *s = *strides;
    const dnnl_dim_t *b = n_blocks ? *blocks : NULL, *a = n_blocks ? *axes : NULL;
#else
    if (md->format_kind != dnnl_blocked || md->format_desc.blocking.inner_nblks > 5)
        return false;
    int rank = md->ndims, n_blocks = md->format_desc.blocking.inner_nblks;
    const dnnl_dim_t *d = md->dims, *s = md->format_desc.blocking.strides;
    const dnnl_dim_t *b = md->format_desc.blocking.inner_blks;
    const dnnl_dim_t *a = md->format_desc.blocking.inner_idxs;
    out->bytes = dnnl_memory_desc_get_size(md);
#endif
    if (rank < 4 || rank > 5)
        return false;
    out->rank = rank;
    out->n_blocks = n_blocks;
    for (int i = 0; i < rank; i++) {
        out->dims[i] = d[i];
        out->strides[i] = s[i];
    }
    for (int i = 0; i < n_blocks; i++) {
        out->block_size[i] = b[i];
        out->block_axis[i] = (int)a[i];
    }
    return true;
}

#if DNNL_VERSION_MAJOR >= 3
dnnl_status_t stoic_dnn_candidates_begin(stoic_dnn_candidates *it, stoic_dnn_part part,
                                         const stoic_dnn_shape *s, stoic_dnn_descs *d,
                                         dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                         dnnl_primitive_desc_t forward) {
    const dnnl_dims_t strides = {s->stride_h, s->stride_w};
    const dnnl_dims_t dilates = {s->dilation_h - 1, s->dilation_w - 1};
    const dnnl_dims_t low = {s->pad_top, s->pad_left}, high = {s->pad_bottom, s->pad_right};
    const_dnnl_memory_desc_t bias = s->bias ? d->bias : NULL;
    if (part == STOIC_DNN_BACK_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(
            &it->current, engine, dnnl_convolution_direct, d->src, d->weights, d->dst, strides,
            dilates, low, high, forward, attr);
    if (part == STOIC_DNN_BACK_WEIGHTS)
        return dnnl_convolution_backward_weights_primitive_desc_create(
            &it->current, engine, dnnl_convolution_direct, d->src, d->weights, bias, d->dst,
            strides, dilates, low, high, forward, attr);
    return dnnl_convolution_forward_primitive_desc_create(
        &it->current, engine,
        part == STOIC_DNN_INFERENCE ? dnnl_forward_inference : dnnl_forward_training,
        dnnl_convolution_direct, d->src, d->weights, bias, d->dst, strides, dilates, low, high,
        attr);
}
#else
dnnl_status_t stoic_dnn_candidates_begin(stoic_dnn_candidates *it, stoic_dnn_part part,
                                         const stoic_dnn_shape *s, stoic_dnn_descs *d,
                                         dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                         dnnl_primitive_desc_t forward) {
    const dnnl_dims_t strides = {s->stride_h, s->stride_w};
    const dnnl_dims_t dilates = {s->dilation_h - 1, s->dilation_w - 1};
    const dnnl_dims_t low = {s->pad_top, s->pad_left}, high = {s->pad_bottom, s->pad_right};
    const dnnl_memory_desc_t *bias = s->bias ? &d->bias : NULL;
    dnnl_status_t code;
    if (part == STOIC_DNN_BACK_DATA)
        code = dnnl_dilated_convolution_backward_data_desc_init(&it->desc, dnnl_convolution_direct,
                                                                &d->src, &d->weights, &d->dst,
                                                                strides, dilates, low, high);
    else if (part == STOIC_DNN_BACK_WEIGHTS)
        code = dnnl_dilated_convolution_backward_weights_desc_init(
            &it->desc, dnnl_convolution_direct, &d->src, &d->weights, bias, &d->dst, strides,
            dilates, low, high);
    else
        code = dnnl_dilated_convolution_forward_desc_init(
            &it->desc, part == STOIC_DNN_INFERENCE ? dnnl_forward_inference : dnnl_forward_training,
            dnnl_convolution_direct, &d->src, &d->weights, bias, &d->dst, strides, dilates, low,
            high);
    if (code != dnnl_success)
        return code;
    return dnnl_primitive_desc_iterator_create(&it->iterator, &it->desc, attr, engine, forward);
}
#endif

dnnl_primitive_desc_t stoic_dnn_candidates_fetch(stoic_dnn_candidates *it) {
#if DNNL_VERSION_MAJOR >= 3
    dnnl_primitive_desc_t copy = NULL;
    return dnnl_primitive_desc_clone(&copy, it->current) == dnnl_success ? copy : NULL;
#else
    return dnnl_primitive_desc_iterator_fetch(it->iterator);
#endif
}

dnnl_status_t stoic_dnn_candidates_next(stoic_dnn_candidates *it) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_primitive_desc_next_impl(it->current);
#else
    return dnnl_primitive_desc_iterator_next(it->iterator);
#endif
}

void stoic_dnn_candidates_end(stoic_dnn_candidates *it) {
#if DNNL_VERSION_MAJOR >= 3
    if (it->current)
        dnnl_primitive_desc_destroy(it->current);
#else
    if (it->iterator)
        dnnl_primitive_desc_iterator_destroy(it->iterator);
#endif
}

/* ---- the rest is the same for both ---- */

int64_t stoic_dnn_layout_offset(const stoic_dnn_layout *layout, int64_t index) {
    int64_t at[5], offset = 0;
    for (int i = layout->rank - 1; i >= 0; i--) {
        at[i] = index % layout->dims[i];
        index /= layout->dims[i];
    }
    int64_t inner = 1;
    for (int b = layout->n_blocks - 1; b >= 0; b--) {
        int axis = layout->block_axis[b];
        offset += at[axis] % layout->block_size[b] * inner;
        at[axis] /= layout->block_size[b];
        inner *= layout->block_size[b];
    }
    for (int i = 0; i < layout->rank; i++)
        offset += at[i] * layout->strides[i];
    return offset;
}

dnnl_status_t stoic_dnn_descs_create(const stoic_dnn_shape *s, stoic_dnn_descs *d) {
    const dnnl_dim_t src[] = {s->batch, s->groups * s->ic, s->ih, s->iw};
    const dnnl_dim_t dst[] = {s->batch, s->groups * s->oc, s->oh, s->ow};
    const dnnl_dim_t weights[] = {s->groups, s->oc, s->ic, s->kh, s->kw};
    const dnnl_dim_t bias[] = {s->groups * s->oc};
    dnnl_status_t code = stoic_dnn_md_create(&d->src, 4, src, dnnl_nhwc);
    if (code == dnnl_success)
        code = stoic_dnn_md_create(&d->dst, 4, dst, dnnl_nhwc);
    if (code == dnnl_success)
        code = s->groups > 1
                   ? stoic_dnn_md_create(&d->weights, 5, weights, dnnl_format_tag_any)
                   : stoic_dnn_md_create(&d->weights, 4, weights + 1, dnnl_format_tag_any);
    if (code == dnnl_success && s->bias)
        code = stoic_dnn_md_create(&d->bias, 1, bias, dnnl_x);
    return code;
}

void stoic_dnn_descs_destroy(stoic_dnn_descs *d) {
    stoic_dnn_md_destroy(&d->src);
    stoic_dnn_md_destroy(&d->weights);
    stoic_dnn_md_destroy(&d->bias);
    stoic_dnn_md_destroy(&d->dst);
}

bool stoic_dnn_kernel_allowed(const char *name) {
    return !strstr(name, "gemm") && !strstr(name, "ref") && !strstr(name, "wino");
}

static bool layouts_equal(const stoic_dnn_layout *a, const stoic_dnn_layout *b) {
    bool same = a->rank == b->rank && a->n_blocks == b->n_blocks && a->bytes == b->bytes;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i] && a->strides[i] == b->strides[i];
    for (int i = 0; same && i < a->n_blocks; i++)
        same = a->block_size[i] == b->block_size[i] && a->block_axis[i] == b->block_axis[i];
    return same;
}

/* Takes the first implementation that keeps the rules; true if `conv` got one. */
static bool adopt(stoic_dnn_conv *conv, dnnl_primitive_desc_t desc, const stoic_dnn_conv *like) {
    const char *name = "";
    if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) != dnnl_success ||
        !stoic_dnn_kernel_allowed(name) || (like && strcmp(name, like->kernel) != 0))
        return false;
    md_const weights = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    if (!weights || !md_layout(weights, &conv->layout) ||
        (like && !layouts_equal(&conv->layout, &like->layout)))
        return false;
    md_const scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    conv->scratch = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    snprintf(conv->kernel, sizeof conv->kernel, "%s", name);
    conv->desc = desc;
    return true;
}

stoic_status stoic_dnn_attributes(dnnl_primitive_attr_t *attr, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(stoic_dnn_check(dnnl_primitive_attr_create(attr), "attributes", err));
    TRY(stoic_dnn_check(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user),
                        "scratchpad mode", err));
    TRY(stoic_dnn_check(dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict),
                        "math mode", err));
done:
    return status;
}

static stoic_status choose(stoic_dnn_conv *conv, const stoic_dnn_conv *like, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_descs d;
    memset(&d, 0, sizeof d);
    stoic_dnn_candidates it;
    memset(&it, 0, sizeof it);
    dnnl_primitive_attr_t attr = NULL;
    TRY(stoic_dnn_attributes(&attr, err));
    TRY(stoic_dnn_check(stoic_dnn_descs_create(&conv->shape, &d), "memory descriptors", err));
    dnnl_status_t code = stoic_dnn_candidates_begin(&it, STOIC_DNN_INFERENCE, &conv->shape, &d,
                                                    conv->engine, attr, NULL);
    while (code == dnnl_success) {
        dnnl_primitive_desc_t desc = stoic_dnn_candidates_fetch(&it);
        if (!desc)
            break;
        if (adopt(conv, desc, like))
            break;
        dnnl_primitive_desc_destroy(desc);
        code = stoic_dnn_candidates_next(&it);
    }
    if (!conv->desc)
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "oneDNN has no convolution of this shape that keeps IEEE semantics");
done:
    stoic_dnn_candidates_end(&it);
    stoic_dnn_descs_destroy(&d);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

stoic_status stoic_dnn_conv_create(const stoic_dnn_shape *shape, const stoic_dnn_conv *like,
                                   stoic_dnn_conv **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_conv *conv = calloc(1, sizeof *conv);
    if (!conv)
        return stoic_fail_memory(err, "a convolution", sizeof *conv);
    conv->shape = *shape;
    TRY(stoic_dnn_room(STOIC_DNN_ROOM, err));
    TRY(stoic_dnn_check(dnnl_engine_create(&conv->engine, dnnl_cpu, 0), "engine", err));
    TRY(choose(conv, like, err));
    TRY(stoic_dnn_check(dnnl_primitive_create(&conv->primitive, conv->desc), "primitive", err));
    *out = conv;
    conv = NULL;
done:
    stoic_dnn_conv_free(conv);
    return status;
}

void stoic_dnn_conv_free(stoic_dnn_conv *conv) {
    if (!conv)
        return;
    if (conv->primitive)
        dnnl_primitive_destroy(conv->primitive);
    if (conv->desc)
        dnnl_primitive_desc_destroy(conv->desc);
    if (conv->engine)
        dnnl_engine_destroy(conv->engine);
    free(conv);
}

const stoic_dnn_layout *stoic_dnn_conv_layout(const stoic_dnn_conv *conv) {
    return &conv->layout;
}

size_t stoic_dnn_conv_scratch(const stoic_dnn_conv *conv) {
    return conv->scratch;
}

const char *stoic_dnn_conv_kernel(const stoic_dnn_conv *conv) {
    return conv->kernel;
}

static stoic_status memory(const stoic_dnn_conv *conv, dnnl_query_t what, int index, void *handle,
                           dnnl_memory_t *out, stoic_error *err) {
    md_const md = dnnl_primitive_desc_query_md(conv->desc, what, index);
    return stoic_dnn_check(dnnl_memory_create(out, md, conv->engine, handle), "memory", err);
}

stoic_status stoic_dnn_run_create(const stoic_dnn_conv *conv, float *weights, float *bias,
                                  void *scratch, stoic_dnn_run **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_run *run = calloc(1, sizeof *run);
    if (!run)
        return stoic_fail_memory(err, "a convolution's handles", sizeof *run);
    run->conv = conv;
    TRY(stoic_dnn_room(STOIC_DNN_ROOM, err));
    TRY(stoic_dnn_check(dnnl_stream_create(&run->stream, conv->engine, dnnl_stream_default_flags),
                        "stream", err));
    TRY(memory(conv, dnnl_query_src_md, 0, NULL, &run->src, err));
    TRY(memory(conv, dnnl_query_dst_md, 0, NULL, &run->dst, err));
    TRY(memory(conv, dnnl_query_weights_md, 0, weights, &run->weights, err));
    if (conv->shape.bias)
        TRY(memory(conv, dnnl_query_weights_md, 1, bias, &run->bias, err));
    if (conv->scratch)
        TRY(memory(conv, dnnl_query_scratchpad_md, 0, scratch, &run->scratch, err));
    *out = run;
    run = NULL;
done:
    stoic_dnn_run_free(run);
    return status;
}

void stoic_dnn_run_free(stoic_dnn_run *run) {
    if (!run)
        return;
    dnnl_memory_t all[] = {run->src, run->dst, run->weights, run->bias, run->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i])
            dnnl_memory_destroy(all[i]);
    }
    if (run->stream)
        dnnl_stream_destroy(run->stream);
    free(run);
}

stoic_status stoic_dnn_run_execute(stoic_dnn_run *run, const float *src, float *dst,
                                   stoic_error *err) {
    /* oneDNN does not write to the source; its handle is just not const */
    union {
        const float *in;
        void *out;
    } source = {.in = src};
    dnnl_memory_set_data_handle(run->src, source.out);
    dnnl_memory_set_data_handle(run->dst, dst);
    dnnl_exec_arg_t args[5] = {
        {DNNL_ARG_SRC, run->src}, {DNNL_ARG_WEIGHTS, run->weights}, {DNNL_ARG_DST, run->dst}};
    int n = 3;
    if (run->bias)
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, run->bias};
    if (run->scratch)
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, run->scratch};
    return stoic_dnn_check(dnnl_primitive_execute(run->conv->primitive, run->stream, n, args),
                           "convolution", err);
}

/* libgomp ends the process where it gets no memory for a thread's settings. */
stoic_status stoic_dnn_single_thread(stoic_error *err) {
    static _Thread_local bool single;
    stoic_status status = single ? STOIC_OK : stoic_dnn_room(STOIC_DNN_ROOM, err);
    if (status == STOIC_OK)
        omp_set_num_threads(1);
    single = single || status == STOIC_OK;
    return status;
}

const char *stoic_dnn_version(void) {
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

const char *stoic_dnn_isa(void) {
#ifdef STOIC_X86 /* elsewhere the same numbers mean other things */
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
        return "avx512";
    if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2)
        return "avx2";
    if ((isa & dnnl_cpu_isa_sse41) == dnnl_cpu_isa_sse41)
        return "sse4.1";
#endif
    return "portable";
}
