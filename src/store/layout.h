/* What a stoic_store is inside, for the files of src/store and for the fault models, which need
 * layer names and the encoding of a value. */
#ifndef STOIC_STORE_LAYOUT_H
#define STOIC_STORE_LAYOUT_H

#include "base/csv_rows.h"
#include "base/digest.h"
#include "base/text.h"
#include "model/graph.h"
#include "store/code.h"
#include "store/field.h"

enum { STOIC_N_ROLES = STOIC_ROLE_BN + 1 };

typedef enum stoic_scale {
    STOIC_SCALE_NONE,
    STOIC_SCALE_MAX,   /* c = T / max|W| */
    STOIC_SCALE_CONST, /* c = C */
    STOIC_SCALE_POW2,  /* the largest power of two with max|c W| < 2 */
    STOIC_SCALE_AUTO   /* the c with the least expected error at a bit error rate */
} stoic_scale;
typedef enum stoic_granularity { STOIC_PER_TENSOR, STOIC_PER_CHANNEL } stoic_granularity;
typedef enum stoic_outliers {
    STOIC_OUTLIERS_KEEP,
    STOIC_OUTLIERS_CLAMP,
    STOIC_OUTLIERS_SPARSE
} stoic_outliers;
typedef enum stoic_due { STOIC_DUE_KEEP, STOIC_DUE_ZERO, STOIC_DUE_REPORT } stoic_due;
typedef enum stoic_rescale {
    STOIC_RESCALE_WEIGHTS, /* divide when reading */
    STOIC_RESCALE_LOGITS,  /* divide once, at the logits (paper 1, Fig. 4) */
    STOIC_RESCALE_FOLD     /* in the batch normalisation that follows, or the layer's output */
} stoic_rescale;

/* What a spec asks for. */
typedef struct stoic_layout {
    stoic_format format;
    stoic_code code;
    stoic_scale scale;
    double scale_value; /* T, C, or the bit error rate of auto */
    stoic_granularity granularity;
    stoic_outliers outliers;
    stoic_due due;
    stoic_rescale rescale;
    unsigned include;    /* bit r: tensors of role r */
    stoic_field protect; /* bits that no fault may hit */
    char *aside; /* file that lists weights to keep aside; NULL: none. The store's as a whole */
    char aside_digest[STOIC_DIGEST_TEXT]; /* of its content */
    char *text; /* canonical spelling: what is not the default, in the order of the keys */
} stoic_layout;

/* The layouts of a store: one for all layers but those that have their own. include= and rescale=
 * are the same in all of them. */
typedef struct stoic_layouts {
    stoic_layout *items; /* the first is also that of batch normalisation */
    int n;
    int *of_layer; /* number of each layer's layout */
    int n_layers;
    char *text; /* canonical spelling, layers by their numbers */
} stoic_layouts;

/* What a store keeps of one entry beside the public part. */
typedef struct stoic_lines {
    const stoic_layout *layout;
    const float *given;   /* of the model */
    const float *weights; /* the same with 0 for those that aside= lists: what is encoded */
    float *own;           /* `weights`, where they are not `given` */
    uint64_t *image;      /* the words, packed; NULL: the weights' own bits (fp32 as it is) */
    stoic_grid *grids;    /* one, or one an output channel */
    int64_t channels;     /* grids there are */
    double largest;       /* magnitude of the scaled weights */
    int64_t inner;        /* channel of weight i: i / inner % channels */
    uint32_t *side;       /* of each word: what its code keeps aside; may be NULL */
    int64_t n_listed;     /* weights that aside= lists, by index: no fault hits their places */
    int64_t *listed;
    int64_t n_sparse; /* all that are kept aside, outliers=sparse included */
    int64_t *sparse;
} stoic_lines;

struct stoic_store {
    stoic_layouts layouts;
    stoic_model *model;
    stoic_store_entry *entries;
    stoic_lines *lines;
    int *rank; /* of each entry when sorted by value number */
    int n_entries;
    stoic_store_facts facts;
    int64_t aside_bits; /* of facts.side_bits: positions and values of what is kept aside */
};

/* `out` must stay where it is: its code points to its format. */
stoic_status stoic_layout_parse(const char *spec, stoic_layout *out, stoic_error *err);
/* The same for the layers of one part of a spec: include= and rescale= are those of `base`. */
stoic_status stoic_layout_parse_part(const char *spec, const stoic_layout *base, stoic_layout *out,
                                     stoic_error *err);
void stoic_layout_deinit(stoic_layout *layout);

/* "BASE/LAYERS=SPEC/…" (docs/store-specs.md). Without a model, layers are known by their numbers
 * only.
 */
stoic_status stoic_layouts_parse(const char *spec, const stoic_model *model, int n_layers,
                                 stoic_layouts *out, stoic_error *err);
void stoic_layouts_deinit(stoic_layouts *layouts);
/* Of a layer; -1: of batch normalisation. */
const stoic_layout *stoic_layouts_at(const stoic_layouts *layouts, int layer);

/* Of an entry of a store. */
static inline const stoic_layout *stoic_layout_of(const stoic_store *store, int entry) {
    return store->lines[entry].layout;
}
/* The field of a bit of a weight; of redundancy, what it is or repeats. "" for bit -1. */
const char *stoic_layout_field(const stoic_layout *layout, int bit, stoic_bit_role role);

/* ---- pieces of stoic_store_create ---- */

/* ",aside=FILE,digest=…" so that it can be read again. */
void stoic_aside_spell(const char *path, const char *digest, stoic_text *text);
/* Content digest of a file for aside=. */
stoic_status stoic_aside_digest(const char *path, char text[STOIC_DIGEST_TEXT], stoic_error *err);
/* Takes the weights that aside= lists out of the entries, and counts their bits. */
stoic_status stoic_aside_read(stoic_store *store, stoic_error *err);
/* Notes that n more weights of an entry are kept aside, and counts their bits. */
void stoic_aside_count(stoic_store *store, int entry, int64_t n);
/* Bits that tell n things apart. */
int stoic_bits_to_count(int64_t n);

/* Chooses the grids of an entry; counts their side bits. */
stoic_status stoic_lines_fit(stoic_store *store, int entry, stoic_error *err);
/* Memory for an entry's words; none where the words are the weights (fp32 as it is). */
stoic_status stoic_lines_reserve(stoic_store *store, int entry, stoic_error *err);
/* Encodes and packs an entry's weights; counts what did not fit. The reference of bulk.h. */
stoic_status stoic_lines_encode(stoic_store *store, int entry, stoic_error *err);
/* Notes what the code of n words keeps aside, and counts its bits. */
void stoic_lines_note(stoic_store *store, int entry, int64_t word, int n, const uint32_t *side);
void stoic_lines_deinit(stoic_lines *lines);
/* Weights of an entry from its words, in order; the reference that the fast ways are held against.
 */
void stoic_lines_decode(const stoic_store *store, int entry, float *weights);

/* The graph that undoes the scales elsewhere than in the weights. */
stoic_status stoic_store_rescale(const stoic_store *store, stoic_model *decoded, stoic_model **out,
                                 stoic_error *err);

/* ---- inside an entry ---- */

const stoic_grid *stoic_lines_grid(const stoic_lines *lines, int64_t index);
/* Puts a word into bits that are zero, from bit `at` of an image on. */
void stoic_image_put(uint64_t *image, int64_t at, int bits, const stoic_word *word);
/* Weights that lie in word `word`. */
int stoic_store_held(const stoic_store *store, int entry, int64_t word);
/* Position of a weight in the list of those kept aside, -1. */
int64_t stoic_lines_sparse(const stoic_lines *lines, int64_t index);
/* Does aside= list it? */
bool stoic_lines_is_listed(const stoic_lines *lines, int64_t index);
/* What weight `index` of an entry decodes to from its data bits. */
void stoic_lines_value(const stoic_store *store, int entry, int64_t index, uint64_t data,
                       float *weight);

/* ---- for the fault models ---- */

const stoic_model *stoic_store_model(const stoic_store *store);
/* The data bits of any value at the place of weight `index`, before the code. */
uint64_t stoic_store_encode(const stoic_store *store, int entry, int64_t index, const float *value);
/* The same as it would lie in the store; check bits that stand inside the data are of no meaning.
 */
uint64_t stoic_store_form(const stoic_store *store, int entry, int64_t index, const float *value);
/* Bits of a weight's data that are no check bits. */
uint64_t stoic_store_plain_bits(const stoic_store *store, int entry, int64_t index);
/* Does the format hold infinity and NaN? */
bool stoic_store_is_float(const stoic_store *store, int entry);
/* Is a finite value within what the format holds, for every tensor or channel of an entry? */
bool stoic_store_holds(const stoic_store *store, int entry, float value);
/* Bits of a weight's data, and redundant bits of a word. */
int stoic_store_data_bits(const stoic_store *store, int entry);
int stoic_store_redundant_bits(const stoic_store *store, int entry);
/* Are there layers with a layout of their own? */
bool stoic_store_differs(const stoic_store *store);
/* Has any layer a code? */
bool stoic_store_is_coded(const stoic_store *store);
bool stoic_store_protects(const stoic_store *store, int entry, int bit);
/* Weights of an entry that aside= lists, ascending. */
const int64_t *stoic_store_listed(const stoic_store *store, int entry, int64_t *n);
/* The weights of a word that aside= lists: bit i is its weight i. */
uint32_t stoic_store_spared(const stoic_store *store, int entry, int64_t word);
/* May no fault hit bit `bit` of a word, which may be -1 - s as in stoic_hit, because it belongs to
 * weights that lie aside? Redundancy does where they are all of the word's. */
bool stoic_store_is_spared(const stoic_store *store, int entry, int64_t word, int bit);
/* Are scales undone when weights are read, as opposed to rescale=logits and fold? */
bool stoic_store_divides(const stoic_store *store);
/* One spelling for a set of bits; protected bits do not count. */
void stoic_store_bits_text(const stoic_store *store, int entry, const stoic_field *field,
                           char text[STOIC_FIELD_TEXT]);

/* The weight that a row of a file names: layer as layer= takes one, index flat or "i;j;k;l", tensor
 * "weight" or "bias", NULL: as `role` says. Errors name the line. */
stoic_status stoic_store_named(const stoic_store *store, const stoic_csv *csv, const char *layer,
                               const char *tensor, stoic_role role, char *index, int *entry,
                               int64_t *flat, stoic_error *err);
/* A whole number from digits alone: a position is never rounded from something else. */
bool stoic_digits_parse(const char *text, int64_t *out);

/* A list of roles, "weight+bias", as a set. */
stoic_status stoic_roles_parse(const char *key, const char *list, unsigned *roles,
                               stoic_error *err);
/* "weight+bias" for a set; `text` has room for 32 bytes. */
const char *stoic_roles_text(unsigned roles, char text[32]);

#endif
