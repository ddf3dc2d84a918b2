/* The sites of a trial, described: what the tables `sites` and `spans` are made of. */
#ifndef STOIC_CAMPAIGN_HIT_SITES_H
#define STOIC_CAMPAIGN_HIT_SITES_H

#include "stoic/fault.h"

/* One hit, with the weight's value without fault and with all hits of its trial. */
typedef struct stoic_site {
    int32_t entry, layer, bit; /* bit -1: the whole word */
    stoic_action action;
    stoic_bit_role role;
    int64_t word, index;
    uint64_t stored; /* the first 64 of the word's bits without fault */
    float before, after;
} stoic_site;

typedef struct stoic_site_list {
    stoic_site *items;
    size_t count, capacity;
    size_t left_out; /* sites of a trial with too many of them to be described; `count` is 0 then */
    int32_t layer;   /* of those: the one they share, or STOIC_SEVERAL_LAYERS */
} stoic_site_list;

/* Where sites have no single layer. */
enum { STOIC_SEVERAL_LAYERS = -2 };

/* A trial with more sites is kept without them, unless asked for: they can be drawn anew. */
enum { STOIC_MOST_SITES = 10000 };

void stoic_site_list_deinit(stoic_site_list *list);
/* Room for `count` sites; the contents are kept. */
stoic_status stoic_site_list_resize(stoic_site_list *list, size_t count, stoic_error *err);

/* Where a campaign's sites come from. */
typedef struct stoic_site_source {
    void *user;
    /* The sites of one trial, in a fixed order; replaces what the list held. One thread. */
    stoic_status (*draw)(void *user, int64_t trial, stoic_site_list *sites, stoic_error *err);
    bool plain; /* a stored word is the weight's float32: sites in order need not be stored */
} stoic_site_source;

/* The sites of the faults of a campaign, one fault after the other. */
typedef struct stoic_site_drawer {
    const stoic_store *store;
    stoic_fault *const *faults;
    size_t n_faults;
    size_t most; /* sites a trial that are described; 0: any number */
    stoic_hits hits, all;
    stoic_edit *edits;
    size_t edit_capacity;
    stoic_decoded decoded; /* what decoding told in the last trial */
} stoic_site_drawer;

void stoic_site_drawer_init(stoic_site_drawer *drawer, const stoic_store *store,
                            stoic_fault *const *faults, size_t n_faults);
void stoic_site_drawer_deinit(stoic_site_drawer *drawer);
stoic_site_source stoic_site_drawer_source(stoic_site_drawer *drawer);
/* The hits of all faults, and the weights they change; both live until the next call. */
stoic_status stoic_site_drawer_hits(stoic_site_drawer *drawer, int64_t trial, size_t *n_edits,
                                    stoic_error *err) STOIC_MUST_CHECK;

#endif
