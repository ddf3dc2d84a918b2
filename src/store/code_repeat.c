/*
 * Repetition: two more copies of a weight's top K bits stand right above it, and a reader takes the
 * majority of the three, bit by bit. FORTUNE (paper 3) triplicates the most significant bit,
 * whole-word TMR all bits.
 *
 *   word = | copy 2 of the top K | copy 1 of the top K | data |
 */
#include <stdio.h>

#include "base/fail.h"
#include "base/spec.h"
#include "store/code.h"

static void plan_copies(stoic_code *code, int copied) {
    code->weights = 1;
    code->copied = copied;
    code->redundant = 2 * copied;
    code->corrects = code->detects = copied == code->data ? 1 : 0;
}

static stoic_status plan_msb3(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    (void)err;
    plan_copies(code, 1);
    return STOIC_OK;
}

static stoic_status plan_tmr(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    (void)err;
    plan_copies(code, code->data);
    return STOIC_OK;
}

static stoic_status plan_rep(stoic_code *code, const char *argument, stoic_error *err) {
    int64_t copied = 0;
    stoic_status status = stoic_parse_count(argument, "rep:K", 1, code->data, &copied, err);
    if (status != STOIC_OK)
        return status;
    plan_copies(code, (int)copied);
    snprintf(code->name, sizeof code->name, "rep:%d", code->copied);
    return STOIC_OK;
}

static int encode(const stoic_code *code, const uint64_t *data, uint32_t side, stoic_word *word) {
    (void)side;
    uint64_t top = data[0] >> (code->data - code->copied);
    *word = (stoic_word){{data[0]}};
    stoic_word_put(word, code->data, code->copied, top);
    stoic_word_put(word, code->data + code->copied, code->copied, top);
    return 0;
}

static stoic_bit_role role(const stoic_code *code, int bit, uint32_t side) {
    (void)side;
    return bit < code->data ? STOIC_BIT_DATA : STOIC_BIT_COPY;
}

const stoic_code_family stoic_code_msb3 = {
    "msb3",          "",   plan_msb3, encode,
    stoic_code_open, role, NULL,      "the top bit, by majority of three"};
const stoic_code_family stoic_code_rep = {
    "rep",           "K",  plan_rep, encode,
    stoic_code_open, role, NULL,     "the top K bits, each by majority of three"};
const stoic_code_family stoic_code_tmr = {
    "tmr", "", plan_tmr, encode, stoic_code_open, role, NULL, "every bit, by majority of three"};
