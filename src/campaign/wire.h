/*
 * What the ranks of a cluster say to each other. A message is one byte that says which it is, and
 * what follows; numbers are little-endian. Both sides are the same version of the program, which
 * the first message checks; lengths are checked all the same.
 */
#ifndef STOIC_CAMPAIGN_WIRE_H
#define STOIC_CAMPAIGN_WIRE_H

#include "base/text.h"
#include "campaign/allocation.h"
#include "campaign/facts.h"
#include "campaign/unit.h"

typedef enum stoic_message {
    STOIC_MESSAGE_START = 1, /* 0 to all: facts of the campaign */
    STOIC_MESSAGE_STOP,      /* 0 to all: drop everything, say good-bye */
    STOIC_MESSAGE_STAGES,    /* 0 to one: strata and stages of a stratified campaign */
    STOIC_MESSAGE_WORK,      /* 0 to one: units to evaluate */
    STOIC_MESSAGE_READY,     /* to 0: host, units wanted at a time, facts with the golden pass */
    STOIC_MESSAGE_RESULTS,   /* to 0: units wanted at a time, evaluated units */
    STOIC_MESSAGE_FAILED,    /* to 0, the last one: host, status and error */
    STOIC_MESSAGE_BYE        /* to 0, the last one */
} stoic_message;

/* Replaces what the text held by the beginning of a message. */
void stoic_wire_begin(stoic_text *out, stoic_message message);
void stoic_wire_put_u32(stoic_text *out, uint32_t value);
void stoic_wire_put_i64(stoic_text *out, int64_t value);
void stoic_wire_put_string(stoic_text *out, const char *string);

/* Reading: after a number or a string that is not there, `bad` is set and all others are 0 or "".
 */
typedef struct stoic_wire {
    const uint8_t *at, *end;
    bool bad;
} stoic_wire;

stoic_wire stoic_wire_read(const void *data, size_t bytes, stoic_message *message);
uint32_t stoic_wire_u32(stoic_wire *in);
int64_t stoic_wire_i64(stoic_wire *in);
const char *stoic_wire_string(stoic_wire *in); /* lives as long as the message */

void stoic_wire_put_facts(stoic_text *out, const stoic_facts *facts);
stoic_status stoic_wire_facts(stoic_wire *in, stoic_facts *out, stoic_error *err) STOIC_MUST_CHECK;

/* The stages from number `first` on, and the strata if there are any. */
void stoic_wire_put_stages(stoic_text *out, const stoic_allocation *allocation, size_t first);
/* Adds them to an allocation over the same space that has the stages before. */
stoic_status stoic_wire_stages(stoic_wire *in, stoic_allocation *allocation,
                               stoic_error *err) STOIC_MUST_CHECK;

/* A unit to evaluate; `id` comes back with its result. */
void stoic_wire_put_job(stoic_text *out, uint32_t id, const stoic_piece *piece, int64_t block);
/* Fills chunk, lo and hi of the piece; false: no unit of this design. */
bool stoic_wire_job(stoic_wire *in, const stoic_design *design, uint32_t *id, stoic_piece *piece,
                    int64_t *block);

/* The result of a unit, without ids. */
void stoic_wire_put_unit(stoic_text *out, const stoic_unit *unit);
/* Into a unit whose piece and blocks are known; counts of images that it cannot have are refused.
 */
stoic_status stoic_wire_unit(stoic_wire *in, const stoic_design *design, stoic_unit *unit,
                             stoic_error *err) STOIC_MUST_CHECK;

void stoic_wire_put_failure(stoic_text *out, const char *host, const stoic_error *failure);
/* As rank 0 tells it: "rank 2 on node7: model.onnx: cannot open". */
void stoic_wire_failure(stoic_wire *in, int rank, stoic_error *out);

#endif
