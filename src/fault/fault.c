#include "stoic/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fault/space.h"
#include "fault/spelling.h"
#include "store/layout.h"

/* What stands before the keys that every model has. */
static void head_text(const stoic_fault *fault, char text[128]) {
    char first[STOIC_NUMBER_TEXT], second[STOIC_NUMBER_TEXT];
    long long n = (long long)fault->n;
    switch (fault->kind) {
    case STOIC_FAULT_FLIPS:
        snprintf(text, 128, "flips:%lld", n);
        return;
    case STOIC_FAULT_BER:
        stoic_number_spell(fault->p01, false, first);
        stoic_number_spell(fault->p10, false, second);
        if (fault->p01 == fault->p10)
            snprintf(text, 128, "ber:%s", first);
        else
            snprintf(text, 128, "ber:%s:%s", first, second);
        return;
    case STOIC_FAULT_EXHAUSTIVE:
        snprintf(text, 128, "exhaustive");
        return;
    case STOIC_FAULT_STUCK0:
        snprintf(text, 128, "stuck0,n=%lld", n);
        return;
    case STOIC_FAULT_STUCK1:
        snprintf(text, 128, "stuck1,n=%lld", n);
        return;
    case STOIC_FAULT_SET:
        stoic_number_spell((double)fault->value, true, first);
        snprintf(text, 128, "set:%s,n=%lld", first[0] == '-' && first[1] == 'n' ? "nan" : first, n);
        return;
    case STOIC_FAULT_RANDOM:
        snprintf(text, 128, "random,n=%lld", n);
        return;
    case STOIC_FAULT_ZERO:
        snprintf(text, 128, "zero,n=%lld", n);
        return;
    case STOIC_FAULT_MBU:
        snprintf(text, 128, "mbu:%d,n=%lld,distance=%d", fault->run, n, fault->distance);
        return;
    case STOIC_FAULT_CSV:
        snprintf(text, 128, "list");
    }
}

/* "list:PATH,tensor=weight,digest=…", commas in the path escaped again. */
static stoic_status list_text(stoic_fault *fault, stoic_error *err) {
    size_t room = 2 * strlen(fault->path) + 96, used = 0;
    char *text = malloc(room);
    if (!text)
        return stoic_fail_memory(err, "a fault model", room);
    used = (size_t)snprintf(text, room, "list:");
    for (const char *p = fault->path; *p; p++) {
        if (*p == ',')
            text[used++] = '\\';
        text[used++] = *p;
    }
    snprintf(text + used, room - used, ",tensor=%s,digest=%s", stoic_role_name(fault->list_role),
             fault->digest);
    fault->text = text;
    return STOIC_OK;
}

static stoic_status write_text(stoic_fault *fault, stoic_error *err) {
    char head[128], *keys = NULL;
    if (fault->kind == STOIC_FAULT_CSV)
        return list_text(fault, err);
    stoic_status status = stoic_sites_text(fault, &keys, err);
    if (status != STOIC_OK)
        return status;
    head_text(fault, head);
    size_t room = strlen(head) + strlen(keys) + 1;
    fault->text = malloc(room);
    if (fault->text)
        snprintf(fault->text, room, "%s%s", head, keys);
    else
        status = stoic_fail_memory(err, "a fault model", room);
    free(keys);
    return status;
}

stoic_status stoic_fault_create(const stoic_store *store, const char *spec, uint64_t seed,
                                stoic_fault **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_fault *fault = calloc(1, sizeof *fault);
    *out = NULL;
    if (!fault)
        return stoic_fail_memory(err, "a fault model", sizeof *fault);
    fault->store = store;
    fault->seed = seed;
    TRY(stoic_fault_parse(fault, spec, err));
    TRY(write_text(fault, err));
done:
    if (status == STOIC_OK)
        *out = fault;
    else
        stoic_fault_free(fault);
    return status;
}

void stoic_fault_free(stoic_fault *fault) {
    if (!fault)
        return;
    free(fault->text);
    free(fault->patches);
    for (int i = 0; i < fault->n_ways; i++)
        free(fault->ways[i].bit);
    free(fault->ways);
    free(fault->fields);
    free(fault->bits);
    free(fault->list);
    free(fault->list_first);
    free(fault->path);
    free(fault);
}

stoic_fault_kind stoic_fault_kind_of(const stoic_fault *fault) {
    return fault->kind;
}

const char *stoic_fault_text(const stoic_fault *fault) {
    return fault->text;
}

/* Pairs of a weight and its new bits; INT64_MAX where there are more. */
static int64_t random_faults(const stoic_fault *fault) {
    int64_t faults = 0, some = 0;
    for (int i = 0; i < fault->n_patches; i++) {
        const stoic_patch *patch = &fault->patches[i];
        int bits = 0;
        for (int bit = 0; bit < stoic_store_data_bits(fault->store, patch->entry); bit++)
            bits += stoic_field_has(&fault->fields[patch->entry], bit);
        if (bits > 62 ||
            __builtin_mul_overflow(patch->words * patch->ways, (int64_t)1 << bits, &some) ||
            __builtin_add_overflow(faults, some, &faults))
            return INT64_MAX;
    }
    return faults;
}

int64_t stoic_fault_population(const stoic_fault *fault) {
    if (fault->kind == STOIC_FAULT_CSV)
        return fault->n_list;
    if (fault->kind == STOIC_FAULT_RANDOM && fault->n == 1) { /* a weight and its new bits */
        return random_faults(fault);
    }
    bool single = stoic_fault_max_trials(fault) >= 0;
    return single ? fault->sites : fault->selected_bits;
}

int64_t stoic_fault_trials(const stoic_fault *fault) {
    if (fault->kind == STOIC_FAULT_CSV)
        return fault->n_list_trials;
    return fault->kind == STOIC_FAULT_EXHAUSTIVE ? fault->sites : -1;
}

int64_t stoic_fault_max_trials(const stoic_fault *fault) {
    int64_t fixed = stoic_fault_trials(fault);
    if (fixed >= 0)
        return fixed;
    /* a weight may be replaced at random again and again, by something else each time */
    bool endless = fault->kind == STOIC_FAULT_BER || fault->kind == STOIC_FAULT_RANDOM;
    return fault->n == 1 && !endless ? fault->sites : -1;
}

bool stoic_fault_is_ordered(const stoic_fault *fault) {
    return fault->kind == STOIC_FAULT_EXHAUSTIVE;
}
