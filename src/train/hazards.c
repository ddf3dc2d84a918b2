#include "train/hazards.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "base/text.h"
#include "stoic/fault.h"
#include "stoic/parse.h"
#include "store/layout.h"

typedef struct stored {
    char *spec; /* without fixed= */
    uint64_t seed;
    bool fixed; /* trial 0 (of a list: all trials) in every step */
    bool all;   /* a list */
    int action; /* of a listed site; -1: as the model says */
} stored;

struct stoic_hazards {
    char *store;
    stored *faults;
    size_t n_faults;
    stoic_map_fault *map;
    stoic_map_hits *map_hits; /* of each image of the batch */
    int64_t batch;
    stoic_hits drawn, hits;
    stoic_edit *edits;
    size_t edits_room;
    stoic_text text;
};

static const char fixed_key[] = "fixed";

/* The spec again, without fixed=. */
static stoic_status without_fixed(const stoic_spec *spec, const char *head, char **out,
                                  stoic_error *err) {
    stoic_text text = {0};
    stoic_text_puts(&text, head);
    for (size_t i = 0; i < spec->n_items; i++) {
        if (strcmp(spec->items[i].key, fixed_key) == 0)
            continue;
        stoic_text_printf(&text, ",%s", spec->items[i].key);
        for (const char *p = spec->items[i].value; p && *p; p++)
            stoic_text_printf(&text, "%s%c",
                              p == spec->items[i].value ? "="
                              : *p == ','               ? "\\"
                                                        : "",
                              *p);
    }
    stoic_status status = stoic_text_finish(&text, err);
    if (status == STOIC_OK)
        *out = text.data;
    else
        stoic_text_deinit(&text);
    return status;
}

static bool is_number(const char *text) {
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* fixed=FILE: the sites of a list, hit in every step; the head says how. */
static stoic_status from_list(const stoic_spec *spec, const char *path, stored *out,
                              stoic_error *err) {
    static const char *const heads[] = {"flips", "stuck0", "stuck1"};
    static const int actions[] = {STOIC_FLIP, STOIC_SET_0, STOIC_SET_1};
    size_t length = strcspn(spec->head, ":");
    stoic_text head = {0};
    stoic_spec rest = *spec;
    out->action = -1;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(heads[i]) == length && strncmp(spec->head, heads[i], length) == 0)
            out->action = actions[i];
    }
    if (out->action < 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "fixed=FILE needs flips, stuck0 or stuck1 to say what happens to the "
                          "file's bits, found '%s'",
                          spec->head);
    out->all = true;
    stoic_text_puts(&head, "list:");
    for (const char *p = path; *p; p++)
        stoic_text_printf(&head, "%s%c", *p == ',' ? "\\" : "", *p);
    stoic_status status = stoic_text_finish(&head, err);
    rest.n_items = 0; /* the file names layers and bits itself */
    if (status == STOIC_OK)
        status = without_fixed(&rest, head.data, &out->spec, err);
    stoic_text_deinit(&head);
    return status;
}

static stoic_status read_stored(const char *spec_text, uint64_t seed, stored *out,
                                stoic_error *err) {
    stoic_spec spec;
    stoic_status status = stoic_spec_parse(spec_text, &spec, err);
    if (status != STOIC_OK)
        return status;
    const char *fixed = stoic_spec_get(&spec, fixed_key);
    *out = (stored){.seed = seed, .fixed = fixed != NULL, .action = -1};
    if (fixed && !is_number(fixed)) {
        status = from_list(&spec, fixed, out, err);
    } else {
        int64_t number = 0;
        if (fixed)
            status = stoic_parse_count(fixed, "fixed=", 0, INT64_MAX, &number, err);
        out->seed = fixed ? (uint64_t)number : seed;
        if (status == STOIC_OK)
            status = without_fixed(&spec, spec.head, &out->spec, err);
    }
    stoic_spec_deinit(&spec);
    return status;
}

/* Everything once, so that mistakes are told before the first step. */
static stoic_status try_stored(stoic_hazards *h, const stoic_model *model, stoic_error *err) {
    stoic_store *store = NULL;
    stoic_status status = STOIC_OK;
    TRY(stoic_store_create(model, h->store, &store, err));
    if (!stoic_store_divides(store)) {
        status =
            stoic_fail(err, STOIC_ERR_UNSUPPORTED, "--store",
                       "store '%s': training divides weights when it reads them; rescale=logits "
                       "and fold change the network and are for inference",
                       stoic_store_text(store));
        goto done;
    }
    stoic_text_printf(&h->text, "store %s", stoic_store_text(store));
    for (size_t i = 0; i < h->n_faults; i++) {
        stoic_fault *fault = NULL;
        TRY(stoic_fault_create(store, h->faults[i].spec, h->faults[i].seed, &fault, err));
        stoic_text_printf(&h->text, "; %s", stoic_fault_text(fault));
        if (h->faults[i].fixed)
            stoic_text_printf(&h->text, " (the same in every step, seed %llu)",
                              (unsigned long long)h->faults[i].seed);
        stoic_fault_free(fault);
    }
done:
    stoic_store_free(store);
    return status;
}

static stoic_status add_map(stoic_hazards *h, const stoic_model *model, const char *spec,
                            uint64_t seed, stoic_error *err) {
    if (h->map)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                          "one fault model of feature maps at a time, found a second: '%s'", spec);
    stoic_status status = stoic_map_fault_create_for_training(model, spec, seed, &h->map, err);
    if (status != STOIC_OK)
        return status;
    h->map_hits = calloc((size_t)h->batch, sizeof *h->map_hits);
    if (!h->map_hits)
        return stoic_fail_memory(err, "faults in feature maps", (size_t)h->batch);
    stoic_text_printf(&h->text, "%s%s", h->text.length ? "; " : "", stoic_map_fault_text(h->map));
    return STOIC_OK;
}

stoic_status stoic_hazards_create(const stoic_model *model, const stoic_train_options *options,
                                  stoic_hazards **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    *out = NULL;
    if (options->n_faults == 0 && (!options->store || !*options->store))
        return STOIC_OK;
    stoic_hazards *h = calloc(1, sizeof *h);
    if (!h)
        return stoic_fail_memory(err, "faults while training", sizeof *h);
    h->batch = options->batch;
    h->store = strdup(options->store ? options->store : "fp32");
    h->faults = calloc(options->n_faults + 1, sizeof *h->faults);
    if (!h->store || !h->faults) {
        status = stoic_fail_memory(err, "faults while training", sizeof *h->faults);
        goto done;
    }
    for (size_t i = 0; i < options->n_faults; i++) {
        /* as in a campaign: each model its own draws */
        uint64_t seed = options->seed + i * UINT64_C(0x9e3779b97f4a7c15);
        if (!stoic_map_fault_is_spec(options->faults[i]))
            TRY(read_stored(options->faults[i], seed, &h->faults[h->n_faults++], err));
    }
    if (h->n_faults || (options->store && *options->store))
        TRY(try_stored(h, model, err));
    for (size_t i = 0; i < options->n_faults; i++) {
        uint64_t seed = options->seed + i * UINT64_C(0x9e3779b97f4a7c15);
        if (stoic_map_fault_is_spec(options->faults[i]))
            TRY(add_map(h, model, options->faults[i], seed, err));
    }
    TRY(stoic_text_finish(&h->text, err));
    *out = h;
    h = NULL;
done:
    stoic_hazards_free(h);
    return status;
}

void stoic_hazards_free(stoic_hazards *h) {
    if (!h)
        return;
    for (size_t i = 0; i < h->n_faults && h->faults; i++)
        free(h->faults[i].spec);
    for (int64_t i = 0; i < h->batch && h->map_hits; i++)
        stoic_map_hits_deinit(&h->map_hits[i]);
    stoic_map_fault_free(h->map);
    stoic_hits_deinit(&h->drawn);
    stoic_hits_deinit(&h->hits);
    stoic_text_deinit(&h->text);
    free(h->map_hits);
    free(h->faults);
    free(h->store);
    free(h->edits);
    free(h);
}

/* A store of fp32 without faults gives back what it got: nothing to do. */
bool stoic_hazards_of_weights(const stoic_hazards *h) {
    return h && (h->n_faults || strcmp(h->store, "fp32") != 0);
}

bool stoic_hazards_of_maps(const stoic_hazards *h) {
    return h && h->map;
}

const char *stoic_hazards_text(const stoic_hazards *h) {
    return h ? h->text.data : "";
}

static stoic_status append(stoic_hits *to, const stoic_hits *from, int action, stoic_error *err) {
    size_t need = to->count + from->count;
    if (need > to->capacity) {
        stoic_hit *items = realloc(to->items, 2 * need * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "fault sites", 2 * need * sizeof *items);
        to->items = items;
        to->capacity = 2 * need;
    }
    for (size_t i = 0; i < from->count; i++) {
        stoic_hit *hit = &to->items[to->count++];
        *hit = from->items[i];
        if (action >= 0 && hit->bit >= 0)
            hit->action = (stoic_action)action;
    }
    return STOIC_OK;
}

static stoic_status draw(stoic_hazards *h, const stoic_store *store, const stored *s, uint64_t step,
                         stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_fault *fault = NULL;
    TRY(stoic_fault_create(store, s->spec, s->seed, &fault, err));
    int64_t first = s->fixed ? 0 : (int64_t)step;
    int64_t trials = s->all ? stoic_fault_trials(fault) : 1, most = stoic_fault_max_trials(fault);
    /* single sites are drawn without replacement: when all have had their turn, again */
    if (!s->all && most > 0)
        first %= most;
    for (int64_t t = first; t < first + trials; t++) {
        TRY(stoic_fault_draw(fault, t, &h->drawn, err));
        TRY(append(&h->hits, &h->drawn, s->action, err));
    }
done:
    stoic_fault_free(fault);
    return status;
}

static stoic_tape_param *param_of(stoic_tape *tape, int tensor) {
    for (int i = 0; i < stoic_tape_param_count(tape); i++) {
        stoic_tape_param *p = stoic_tape_param_at(tape, i);
        if (p->tensor == tensor)
            return p;
    }
    return NULL;
}

static stoic_status apply(stoic_hazards *h, const stoic_store *store, size_t *n, stoic_error *err) {
    *n = h->edits_room;
    stoic_status status =
        stoic_store_apply(store, h->hits.items, h->hits.count, h->edits, n, NULL, err);
    if (status != STOIC_ERR_MEMORY || *n <= h->edits_room)
        return status;
    stoic_edit *edits = realloc(h->edits, 2 * *n * sizeof *edits);
    if (!edits)
        return stoic_fail_memory(err, "edits", 2 * *n * sizeof *edits);
    h->edits = edits;
    h->edits_room = 2 * *n;
    *n = h->edits_room;
    return stoic_store_apply(store, h->hits.items, h->hits.count, h->edits, n, NULL, err);
}

stoic_status stoic_hazards_weights(stoic_hazards *h, stoic_tape *tape, uint64_t step,
                                   stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_store *store = NULL;
    size_t n_edits = 0;
    if (!stoic_hazards_of_weights(h))
        return STOIC_OK;
    TRY(stoic_store_create(stoic_tape_model(tape), h->store, &store, err));
    for (int i = 0; i < stoic_tape_param_count(tape); i++) {
        stoic_tape_param *p = stoic_tape_param_at(tape, i);
        memcpy(p->used, p->value, (size_t)p->count * sizeof *p->used);
    }
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        stoic_tape_param *p = param_of(tape, stoic_store_entry_at(store, i)->tensor);
        if (p)
            TRY(stoic_store_decode(store, i, p->used, err));
    }
    h->hits.count = 0;
    for (size_t i = 0; i < h->n_faults; i++)
        TRY(draw(h, store, &h->faults[i], step, err));
    TRY(apply(h, store, &n_edits, err));
    for (size_t i = 0; i < n_edits; i++) {
        stoic_tape_param *p = param_of(tape, h->edits[i].tensor);
        if (p)
            p->used[h->edits[i].index] = h->edits[i].value;
    }
done:
    stoic_store_free(store);
    return status;
}

stoic_status stoic_hazards_maps(stoic_hazards *h, stoic_tape *tape, int shard, uint64_t step,
                                int64_t epoch, int64_t epochs, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t first, count;
    double severity = stoic_map_fault_severity(h->map, epoch, epochs);
    stoic_tape_shard(tape, shard, &first, &count);
    for (int64_t i = first; i < first + count && status == STOIC_OK; i++) {
        stoic_map_hits *hits = &h->map_hits[i];
        status = stoic_map_fault_draw(h->map, step, i, severity, hits, err);
        bool hit = status == STOIC_OK && hits->hit;
        stoic_tape_corrupt(tape, i, hit ? stoic_map_fault_site(h->map, hits->site)->layer : -1,
                           hits);
    }
    return status;
}
