/*
 * What a stoic_fault is inside, and the space its trials are drawn from.
 *
 * The space numbers every single-site fault: site = entry, then word, then way. A way is one of
 * the things that can happen to a word: a bit of the field for models of one bit, a first bit for
 * mbu, the replacement of one of its weights for set, random and zero.
 *
 * ber: numbers data bits and redundant bits apart, so that under every code of a format the same
 * data bits of the same weights are hit.
 */
#ifndef STOIC_FAULT_SPACE_H
#define STOIC_FAULT_SPACE_H

#include "base/digest.h"
#include "base/spec.h"
#include "fault/cells.h"
#include "stoic/fault.h"
#include "store/field.h"

/* What can happen to a word. */
typedef struct stoic_ways {
    int weights;     /* that the word holds */
    uint32_t spared; /* of them, those that lie aside (aside=) */
    int bits;        /* of the field */
    int ways, data_ways;
    int16_t *bit;
} stoic_ways;

/* A stretch of words of one store entry to which the same can happen: all of it, but for a last
 * word that holds fewer weights, and for words some of whose weights lie aside. Words all of whose
 * weights do are in none. */
typedef struct stoic_patch {
    int entry;
    int ways;             /* a word */
    int data_ways;        /* those in data bits: they stand first */
    const int16_t *bit;   /* of each way, ascending; -1 - s: the whole of weight s */
    int64_t start, words; /* first word of the entry, number of them */
    int64_t first_site, first_word, first_data, first_redundant;
} stoic_patch;

/* Sites of list:, sorted by trial, entry, word, bit. */
typedef struct stoic_listed {
    int64_t trial;
    int64_t word;
    int64_t line; /* of the file */
    int32_t entry, bit;
} stoic_listed;

struct stoic_fault {
    const stoic_store *store;
    uint64_t seed;
    stoic_fault_kind kind;
    char *text;

    stoic_patch *patches;
    int n_patches, room_patches;
    stoic_ways *ways; /* what patches point into */
    int n_ways, room_ways;
    bool same_ways;       /* every patch has as many ways a word */
    stoic_field *fields;  /* of each entry of the store: bits of a weight, and of redundancy */
    char *bits;           /* bits= as it was asked for */
    int64_t sites, words; /* of all patches */
    int64_t data_sites, redundant_sites;
    int64_t selected_bits;

    int64_t n;         /* flips:N and n= */
    double p01, p10;   /* ber */
    float value;       /* set */
    int run, distance; /* mbu */

    stoic_site_order *order; /* NULL: by the seed's permutation */
    const void *order_user;

    stoic_listed *list; /* list: */
    int64_t n_list, n_list_trials;
    int64_t *list_first; /* index of each trial's first site, n_list_trials + 1 of them */
    stoic_role list_role;
    char *path;
    char digest[STOIC_DIGEST_TEXT]; /* of the file's content, in hexadecimal */
};

/* A site taken apart. */
typedef struct stoic_site {
    const stoic_patch *patch;
    int64_t word; /* of the entry */
    int way;
} stoic_site;

/* set, random, zero: does a fault replace a whole weight? */
bool stoic_fault_replaces(const stoic_fault *fault);

/* Fills patches and their totals from layer=, bits= and tensor=. */
stoic_status stoic_sites_select(stoic_fault *fault, const stoic_spec *spec, stoic_error *err);
/* ",layer=…,bits=…,tensor=…" with defaults written out; malloc'ed. */
stoic_status stoic_sites_text(const stoic_fault *fault, char **text, stoic_error *err);
/* site in 0 … sites-1 */
stoic_site stoic_sites_at(const stoic_fault *fault, int64_t site);
/* The same among the ways in data bits, and among those in redundant bits. */
stoic_site stoic_sites_data(const stoic_fault *fault, int64_t site);
stoic_site stoic_sites_redundant(const stoic_fault *fault, int64_t site);
/* word in 0 … words-1, way 0 */
stoic_site stoic_sites_word(const stoic_fault *fault, int64_t word);

/* Reads the file of list:. `role` says which tensor of a layer its sites mean. */
stoic_status stoic_list_read(stoic_fault *fault, const char *path, stoic_role role,
                             uint8_t digest[16], stoic_error *err);

/* Parses the spec into everything but the canonical text. */
stoic_status stoic_fault_parse(stoic_fault *fault, const char *spec, stoic_error *err);

#endif
