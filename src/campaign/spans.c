#include "campaign/spans.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

void stoic_span_list_deinit(stoic_span_list *list) {
    free(list->items);
    free(list->stored);
    memset(list, 0, sizeof *list);
}

void stoic_span_list_clear(stoic_span_list *list, int64_t first_trial) {
    list->count = 0;
    list->words = 0;
    list->next = first_trial;
}

int64_t stoic_span_trials(const stoic_span *span) {
    return span->words * __builtin_popcountll(span->mask);
}

static stoic_status append_span(stoic_span_list *list, const stoic_span *span, stoic_error *err) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        stoic_span *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "spans of sites", capacity * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *span;
    return STOIC_OK;
}

static stoic_status append_word(stoic_span_list *list, uint32_t stored, stoic_error *err) {
    if (list->words == list->word_capacity) {
        size_t capacity = list->word_capacity ? 2 * list->word_capacity : 256;
        uint32_t *words = realloc(list->stored, capacity * sizeof *words);
        if (!words)
            return stoic_fail_memory(err, "spans of sites", capacity * sizeof *words);
        list->stored = words;
        list->word_capacity = capacity;
    }
    list->stored[list->words++] = stored;
    return STOIC_OK;
}

/* The last two spans become one where the second goes on with the next word and the same mask. */
static void join_last(stoic_span_list *list) {
    if (list->count < 2)
        return;
    stoic_span *last = &list->items[list->count - 1], *before = last - 1;
    if (before->entry == last->entry && before->mask == last->mask &&
        before->word + before->words == last->word) {
        before->words += last->words;
        list->count--;
    }
}

stoic_status stoic_span_list_add(stoic_span_list *list, const stoic_site *site, stoic_error *err) {
    uint64_t bit = (uint64_t)1 << site->bit;
    stoic_span *last = list->count ? &list->items[list->count - 1] : NULL;
    bool same_word = last && last->words == 1 && last->entry == site->entry &&
                     last->word == site->word && bit > last->mask;
    stoic_status status = STOIC_OK;
    if (same_word) {
        last->mask |= bit;
    } else {
        join_last(list); /* the word before is finished */
        stoic_span span = {list->next, site->word, 1, site->entry, bit};
        TRY(append_span(list, &span, err));
        TRY(append_word(list, (uint32_t)site->stored, err));
    }
    list->next++;
done:
    return status;
}

static float bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void stoic_span_site(const stoic_span *span, const uint32_t *stored, int64_t trial,
                     stoic_site *out) {
    int64_t position = trial - span->trial;
    int bits = __builtin_popcountll(span->mask);
    int64_t word = position / bits;
    uint64_t mask = span->mask;
    for (int64_t skip = position % bits; skip > 0; skip--)
        mask &= mask - 1;
    memset(out, 0, sizeof *out);
    out->entry = span->entry;
    out->bit = __builtin_ctzll(mask);
    out->action = STOIC_FLIP;
    out->role = STOIC_BIT_DATA;
    out->word = span->word + word;
    out->index = out->word;
    out->stored = stored[word];
    out->before = bits_to_float(stored[word]);
    out->after = bits_to_float(stored[word] ^ (uint32_t)1 << out->bit);
}
