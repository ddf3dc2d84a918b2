/* A protected weight file from a store: the bytes of docs/formats.md. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "stoic/infer.h"
#include "store/stw_sheet.h"

/* Everything in front of the words. Failure sticks, as that of a stoic_text. */
static uint64_t put(stoic_text *front, const void *data, size_t bytes) {
    static const char zeros[8] = {0};
    stoic_text_add(front, zeros, (8 - front->length % 8) % 8);
    uint64_t at = front->length;
    stoic_text_add(front, data, bytes);
    return at;
}

/* Puts a text behind the others; where it begins in them. */
static uint32_t put_text(stoic_text *texts, const char *text) {
    size_t at = texts->length;
    stoic_text_add(texts, text ? text : "", strlen(text ? text : "") + 1);
    return (uint32_t)at;
}

/* The entry of the store that is constant `value`, -1. */
static int entry_of(const stoic_store *store, int value) {
    for (int i = 0; i < store->n_entries; i++) {
        if (store->entries[i].tensor == value)
            return i;
    }
    return -1;
}

static void put_texts(const stoic_stw_sheet *s, stoic_stw_header *h, stoic_stw_tensor *tensors,
                      stoic_text *front) {
    stoic_text texts = {0};
    const stoic_model *model = s->store->model;
    h->model_text = put_text(&texts, model->name);
    h->store_text = put_text(&texts, stoic_store_text(s->store));
    for (uint32_t i = 0; i < s->n_tensors; i++)
        tensors[i].name_text = put_text(&texts, s->model->values[s->constants[i]].name);
    h->meta_text = (uint32_t)texts.length;
    for (size_t i = 0; i < model->n_meta; i++) {
        if (strncmp(model->meta[i].key, "stoic.", 6) != 0)
            continue;
        put_text(&texts, model->meta[i].key);
        put_text(&texts, model->meta[i].value);
        h->n_meta++;
    }
    put_text(&texts, ""); /* so that meta_text points at something */
    h->texts_at = put(front, texts.data, texts.length);
    h->texts_bytes = (uint32_t)texts.length;
    front->failed = front->failed || texts.failed || texts.length > UINT32_MAX;
    stoic_text_deinit(&texts);
}

static uint32_t code_number(const stoic_code *code) {
    static const struct {
        const stoic_code_family *family;
        stoic_stw_code number;
    } numbers[] = {{&stoic_code_none, STOIC_STW_PLAIN},
                   {&stoic_code_secded72, STOIC_STW_SECDED72},
                   {&stoic_code_secded39, STOIC_STW_SECDED39},
                   {&stoic_code_zerospace64, STOIC_STW_ZEROSPACE64},
                   {&stoic_code_parity64, STOIC_STW_PARITY64}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].family == code->family)
            return numbers[i].number;
    }
    return STOIC_STW_REPEAT;
}

/* Grids, positions and values kept aside. */
static void put_side(const stoic_stw_sheet *s, int entry, stoic_stw_tensor *t, stoic_text *front) {
    const stoic_lines *lines = &s->store->lines[entry];
    const stoic_store_entry *e = &s->store->entries[entry];
    stoic_text side = {0};
    for (int64_t i = 0; i < lines->channels; i++) {
        const stoic_grid *g = &lines->grids[i];
        const stoic_stw_grid grid = {g->step, g->zero, g->scale, 0};
        stoic_text_add(&side, (const char *)&grid, sizeof grid);
    }
    t->grids_at = put(front, side.data, side.length);
    front->failed = front->failed || side.failed;
    stoic_text_deinit(&side);
    for (int64_t i = 0; lines->side && i < e->words; i++) {
        const char byte = (char)lines->side[i];
        if (i == 0)
            t->side_at = put(front, "", 0);
        stoic_text_add(front, &byte, 1);
    }
    for (int64_t i = 0; i < lines->n_sparse; i++) {
        stoic_stw_sparse aside = {.index = (uint64_t)lines->sparse[i]};
        memcpy(&aside.value, &lines->given[aside.index], sizeof aside.value);
        uint64_t at = put(front, &aside, sizeof aside);
        t->sparse_at = i == 0 ? at : t->sparse_at;
    }
    t->n_sparse = (uint64_t)lines->n_sparse;
}

static stoic_status put_tensor(const stoic_stw_sheet *s, uint32_t index, stoic_stw_tensor *t,
                               stoic_text *front, stoic_error *err) {
    const stoic_store *store = s->store;
    const int entry = entry_of(store, s->constants[index]);
    const stoic_tensor *tensor = s->model->values[s->constants[index]].constant;
    t->weights = (uint64_t)stoic_tensor_count(tensor);
    if (t->weights > INT32_MAX)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, s->model->values[s->constants[index]].name,
                          "a tensor of a protected weight file has at most 2^31 - 1 weights");
    if (entry < 0) {
        t->bytes = 4 * t->weights;
        t->layer = -1;
        t->at = put(front, stoic_tensor_data(tensor), (size_t)t->bytes);
        return STOIC_OK;
    }
    const stoic_store_entry *e = &store->entries[entry];
    const stoic_layout *layout = stoic_layout_of(store, entry);
    if (layout->format.kind == STOIC_FORMAT_FP64)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, e->name,
                          "a protected weight file holds at most 32 bits a weight, fp64 has 64");
    t->packed = 1;
    t->format = layout->format.kind;
    t->bits = (uint32_t)layout->format.bits;
    t->fraction = (uint32_t)layout->format.fraction;
    t->code = code_number(&layout->code);
    t->copied = (uint32_t)layout->code.copied;
    t->due = layout->due;
    t->divides = stoic_store_divides(store);
    t->layer = e->layer;
    t->role = e->role;
    t->stored_bits = (uint64_t)e->stored_bits;
    t->bytes = (uint64_t)(e->words * e->word_bits + 7) / 8;
    t->channels = (uint64_t)store->lines[entry].channels;
    t->inner = (uint64_t)store->lines[entry].inner;
    for (int i = 0; i < 3; i++)
        t->protect[i] = layout->protect.bits[i];
    put_side(s, entry, t, front);
    return STOIC_OK;
}

/* The bytes in front of the words; then where the words go is known. */
static stoic_status make_front(const stoic_stw_sheet *s, stoic_stw_tensor *tensors,
                               stoic_stw_header *h, stoic_text *front, stoic_error *err) {
    stoic_status status = STOIC_OK;
    static const char zeros[STOIC_STW_ALIGN] = {0};
    put(front, h, sizeof *h);
    h->tensors_at = put(front, tensors, s->n_tensors * sizeof *tensors);
    h->nodes_at = put(front, s->nodes, s->n_nodes * sizeof *s->nodes);
    h->values_at = put(front, s->values, s->n_values * sizeof *s->values);
    put_texts(s, h, tensors, front);
    for (uint32_t i = 0; i < s->n_tensors; i++)
        TRY(put_tensor(s, i, &tensors[i], front, err));
    stoic_text_add(front, zeros,
                   (STOIC_STW_ALIGN - front->length % STOIC_STW_ALIGN) % STOIC_STW_ALIGN);
    TRY(stoic_text_finish(front, err));
    uint64_t end = h->words_at = front->length;
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        stoic_stw_tensor *t = &tensors[i];
        if (!t->packed)
            continue;
        t->at = end;
        end +=
            (t->bytes + STOIC_STW_BEHIND + STOIC_STW_ALIGN - 1) / STOIC_STW_ALIGN * STOIC_STW_ALIGN;
    }
    h->words_bytes = end - h->words_at;
    h->file_bytes = end;
    memcpy(front->data + h->tensors_at, tensors, s->n_tensors * sizeof *tensors);
    memcpy(front->data, h, sizeof *h);
    h->checksum =
        stoic_stw_checksum(front->data + STOIC_STW_CHECKED, front->length - STOIC_STW_CHECKED);
    memcpy(front->data, h, sizeof *h);
done:
    return status;
}

static const void *words_of(const stoic_stw_sheet *s, uint32_t tensor) {
    const stoic_lines *lines = &s->store->lines[entry_of(s->store, s->constants[tensor])];
    return lines->image ? (const void *)lines->image : lines->weights;
}

static void write_words(const stoic_stw_sheet *s, const stoic_stw_tensor *tensors, FILE *file) {
    static const char zeros[STOIC_STW_ALIGN + STOIC_STW_BEHIND] = {0};
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        if (!tensors[i].packed)
            continue;
        const uint64_t bytes = tensors[i].bytes;
        fwrite(words_of(s, i), 1, (size_t)bytes, file);
        fwrite(zeros, 1,
               (size_t)((bytes + STOIC_STW_BEHIND + STOIC_STW_ALIGN - 1) / STOIC_STW_ALIGN *
                            STOIC_STW_ALIGN -
                        bytes),
               file);
    }
}

/* A file on its way: what stands in front of the words, and what becomes of them. */
typedef struct sheaf {
    stoic_stw_sheet sheet;
    stoic_model *golden;
    stoic_text front;
    stoic_stw_header head;
    stoic_stw_tensor *tensors;
} sheaf;

static void unbind(sheaf *f) {
    free(f->sheet.value_of);
    free(f->sheet.values);
    free(f->sheet.nodes);
    free(f->tensors);
    stoic_text_deinit(&f->sheet.refused);
    stoic_text_deinit(&f->front);
    stoic_model_free(f->golden);
}

static stoic_status make_head(sheaf *f, stoic_error *err) {
    const stoic_stw_sheet *s = &f->sheet;
    f->head = (stoic_stw_header){.version = STOIC_STW_VERSION,
                                 .header_bytes = sizeof f->head,
                                 .n_tensors = s->n_tensors,
                                 .n_nodes = s->n_nodes,
                                 .n_values = s->n_values,
                                 .output = (uint32_t)s->value_of[s->model->output],
                                 .layers = (uint32_t)s->store->model->n_layers};
    memcpy(f->head.magic, STOIC_STW_MAGIC, sizeof f->head.magic);
    f->tensors = calloc(s->n_tensors + 1, sizeof *f->tensors);
    return f->tensors ? make_front(s, f->tensors, &f->head, &f->front, err)
                      : stoic_fail_memory(err, "a file", s->n_tensors * sizeof *f->tensors);
}

/* To be unbound, also on failure. */
static stoic_status bind(const stoic_store *store, sheaf *f, stoic_error *err) {
    stoic_stw_sheet *s = &f->sheet;
    stoic_status status = STOIC_OK;
    *f = (sheaf){.sheet.store = store};
    TRY(stoic_store_golden(store, &f->golden, err));
    s->model = f->golden;
    s->value_of = calloc(3 * s->model->n_values + 1, sizeof *s->value_of);
    s->values = calloc(STOIC_STW_MOST, sizeof *s->values);
    s->nodes = calloc(STOIC_STW_MOST, sizeof *s->nodes);
    if (!s->value_of || !s->values || !s->nodes)
        return stoic_fail_memory(err, "a file", 3 * s->model->n_values * sizeof *s->value_of);
    s->tensor_of = s->value_of + s->model->n_values;
    s->constants = s->tensor_of + s->model->n_values;
    TRY(stoic_stw_sheet_fill(s, err));
    TRY(make_head(f, err));
done:
    return status;
}

stoic_status stoic_store_write(const stoic_store *store, const char *path, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_file_writer writer;
    sheaf f;
    TRY(bind(store, &f, err));
    TRY(stoic_file_create(path, &writer, err));
    fwrite(f.front.data, 1, f.front.length, writer.stream);
    write_words(&f.sheet, f.tensors, writer.stream);
    status = stoic_file_commit(&writer, err);
done:
    unbind(&f);
    return status;
}

stoic_status stoic_store_write_memory(const stoic_store *store, uint8_t **out, size_t *size,
                                      stoic_error *err) {
    stoic_status status = STOIC_OK;
    sheaf f;
    *out = NULL;
    TRY(bind(store, &f, err));
    *size = (size_t)f.head.file_bytes;
    uint8_t *bytes = calloc(*size, 1);
    if (!bytes) {
        status = stoic_fail_memory(err, "a protected weight file", *size);
        goto done;
    }
    memcpy(bytes, f.front.data, f.front.length);
    for (uint32_t i = 0; i < f.sheet.n_tensors; i++) {
        if (f.tensors[i].packed)
            memcpy(bytes + f.tensors[i].at, words_of(&f.sheet, i), (size_t)f.tensors[i].bytes);
    }
    *out = bytes;
done:
    unbind(&f);
    return status;
}
