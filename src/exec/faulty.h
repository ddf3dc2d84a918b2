/*
 * Evaluating a fault on a block: only what the fault changes is computed.
 *
 * Ways, each exact:
 * - rows: from the first changed step on, the canonical kernels, for the images asked for;
 * - narrow: where few output channels of the first changed layer change, these alone are summed
 *   again by their chains (chain.h), to the bits of the canonical kernels; images whose values
 *   come out as before are masked, the others continue with the canonical kernels;
 * - difference: behind a narrow change the next layer's sums are golden sums plus the change
 *   (docs/methods.md 8). These differ from the canonical ones by rounding alone, which is bounded;
 * the class is taken from them only where no rounding could make it another one, and everything
 *   else is executed canonically;
 * - intervals and limits: for one weight, how far it may move before the class can change (line.c,
 *   threshold.c), and where it may, its change carried to the class with its bound (carry_run.c).
 */
#ifndef STOIC_EXEC_FAULTY_H
#define STOIC_EXEC_FAULTY_H

#include "exec/block.h"

/* What came out. Images that are not reported have golden's output, bit for bit, and its alarm. */
typedef struct stoic_sink {
    void *user;
    /* the output (memory order) of image `image`, an offset into the block, and whether a checksum
     * is off, so that it is no answer */
    void (*output)(void *user, int image, const float *output, bool alarm);
    /* only the class is known, and the output has no NaN; NULL: outputs are needed */
    void (*top1)(void *user, int image, int top1);
    /* with top1: images of golden's class need not be reported, where neither output has a NaN */
    bool same_class;
} stoic_sink;

/* What one worker needs; owns its session. */
typedef struct stoic_faulty stoic_faulty;

typedef struct stoic_faulty_counts {
    /* images each way; small: those of difference that golden's logits decided; again: undecided */
    int64_t rows, narrow, difference, small, again;
    int64_t line, carried; /* images that intervals decided, and that carry_run.c did */
    int64_t alike;         /* images that went on as another one, being the same */
    int64_t beside;        /* images of which all values of the weight went side by side */
} stoic_faulty_counts;

/* `full`: rows only. `chains` may be NULL with full. */
stoic_status stoic_faulty_create(const stoic_program *program, const stoic_chains *chains,
                                 bool full, stoic_faulty **out, stoic_error *err);
void stoic_faulty_free(stoic_faulty *faulty);
/* Every weight will be asked for many times in a row: what serves all of them is made at once. */
void stoic_faulty_sweep(stoic_faulty *faulty);
/* The next edits of one weight, one after the other; n 0: nothing is expected. At most
 * STOIC_EXPECTED. What is found does not depend on it. */
enum { STOIC_EXPECTED = 32 };
void stoic_faulty_expect(stoic_faulty *faulty, const stoic_edit *edits, size_t n);
/* Are edits of this one's weight expected? */
bool stoic_faulty_expects(const stoic_faulty *faulty, const stoic_edit *edit);
/* Its session, without any edit. */
stoic_session *stoic_faulty_session(stoic_faulty *faulty);
const stoic_faulty_counts *stoic_faulty_count(const stoic_faulty *faulty);

/* Are the weights in its sessions still those of the program, whose digest this is, but for edits
 * that it holds? Once they were not it stays false. */
bool stoic_faulty_intact(stoic_faulty *faulty, uint64_t digest);

/* For tests (docs/dev.md): flips a bit of its session's constants; false: there is no such byte. */
bool stoic_faulty_flip(stoic_faulty *faulty, int64_t byte, int bit);

/* The first operator whose weights the edits change, as "Conv 'conv1'"; empty: none. */
stoic_status stoic_faulty_first(stoic_faulty *faulty, const stoic_edit *edits, size_t n_edits,
                                char *name, size_t size, stoic_error *err);

/* Many edits that one block after the other will ask for stay in the session until something else
 * is asked for. Whoever changes them in place must hold them again. */
stoic_status stoic_faulty_hold(stoic_faulty *faulty, const stoic_edit *edits, size_t n_edits,
                               stoic_error *err);

/* Of the edits that are held: do they hit several operators, and is all that they change computed
 * from the network's input alone? Then a block that is not filled will do. */
bool stoic_faulty_whole(stoic_faulty *faulty);

/* Evaluates the edits on the listed images (offsets, ascending; NULL: the whole block). Fills the
 * block if need be. */
stoic_status stoic_faulty_run(stoic_faulty *faulty, stoic_block *block, const int32_t *images,
                              int n_images, const stoic_edit *edits, size_t n_edits,
                              const stoic_sink *sink, stoic_error *err);

#endif
