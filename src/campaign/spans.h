/*
 * Spans: the sites of many single-flip trials in a few rows. A span is `words` consecutive words of
 * one entry with the same mask of bits; its trials go through the words and, within a word,
 * through the mask's bits upwards. An exhaustive campaign is one span a chunk.
 */
#ifndef STOIC_CAMPAIGN_SPANS_H
#define STOIC_CAMPAIGN_SPANS_H

#include "campaign/hit_sites.h"

typedef struct stoic_span {
    int64_t trial, word, words;
    int32_t entry;
    uint64_t mask;
} stoic_span;

/* Collects sites, trial by trial; start from {0}. */
typedef struct stoic_span_list {
    stoic_span *items;
    size_t count, capacity;
    uint32_t *stored; /* of all words, in order */
    size_t words, word_capacity;
    int64_t next; /* the trial expected */
} stoic_span_list;

void stoic_span_list_deinit(stoic_span_list *list);
void stoic_span_list_clear(stoic_span_list *list, int64_t first_trial);
/* Adds the one site of the next trial: a flip of one bit. */
stoic_status stoic_span_list_add(stoic_span_list *list, const stoic_site *site, stoic_error *err);

int64_t stoic_span_trials(const stoic_span *span);
/* The site of a trial in the span; `stored` holds the span's words. Layer is left to the caller. */
void stoic_span_site(const stoic_span *span, const uint32_t *stored, int64_t trial,
                     stoic_site *out);

#endif
