/* What a stoic_map_fault is inside. */
#ifndef STOIC_FAULT_MAP_H
#define STOIC_FAULT_MAP_H

#include "base/digest.h"
#include "base/rng.h"
#include "base/spec.h"
#include "base/text.h"
#include "stoic/map_fault.h"

/* xmin · u^(-1/(alpha-1)), drawn with probability weight / sum of weights. */
typedef struct stoic_power_law {
    double weight, xmin, alpha;
} stoic_power_law;

/* What becomes of the hit elements. */
typedef struct stoic_map_error {
    stoic_map_value value;
    stoic_power_law *laws; /* power, power-table */
    int n_laws;
    double total_weight;
    double low, high; /* uniform; const has both */
    double last;      /* ramp= */
    float set;
    int bit[32]; /* flip: the bits of the field, ascending */
    int n_bits;
    char *path;      /* power-table:FILE, else NULL */
    char digest[STOIC_DIGEST_TEXT]; /* of its content */
} stoic_map_error;

struct stoic_map_fault {
    stoic_model *model;
    uint64_t seed;
    stoic_map_kind kind;
    char *text;
    stoic_map_site *sites;
    int n_sites;
    bool every_site; /* no other layer fits the model */
    stoic_map_error error;
    int64_t n;   /* scatter; 0: by rate */
    double rate; /* scatter */
    double share;
    int64_t scope; /* images that share a draw */
};

/* More elements would need more random numbers than an image has (base/rng.h). */
enum { STOIC_MAP_ELEMENTS = 1 << 28 };

/* Does a model (but mix, which adapts) fit a map? Two dimensions are needed for lines and blocks.
 */
bool stoic_map_kind_fits(stoic_map_kind kind, const stoic_map_site *site);
static inline int64_t stoic_map_site_elements(const stoic_map_site *site) {
    return site->channels * site->height * site->width;
}

/* Fills sites and every_site; `layers` is the value of layer= or NULL. */
stoic_status stoic_map_sites_select(stoic_map_fault *fault, const char *layers, stoic_error *err);
/* ",layer=…" */
void stoic_map_sites_text(const stoic_map_fault *fault, stoic_text *text);

/* Reads value=, ramp= and digest=; `fallback` stands for an absent value=. */
stoic_status stoic_map_error_parse(stoic_map_error *error, const stoic_spec *spec,
                                   const char *fallback, stoic_error *err);
/* ",value=…", with ramp= and digest= where they belong to it. */
void stoic_map_error_text(const stoic_map_error *error, stoic_text *text);
void stoic_map_error_deinit(stoic_map_error *error);

/* The one factor of MULTIPLY; finite. */
float stoic_map_error_factor(const stoic_map_error *error, stoic_rng *rng, double severity);

/* Reads a table of power laws into `error`. */
stoic_status stoic_power_table_read(stoic_map_error *error, const char *path, uint8_t digest[16],
                                    stoic_error *err);
/* The table of value=power-table without a file. */
stoic_status stoic_power_table_default(stoic_map_error *error, stoic_error *err);

#endif
