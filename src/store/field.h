/* Fields of a stored weight: names and lists of bits ("exponent-msb", "30+23-26") and the masks
 * they stand for. Bits from `format->bits` on are the redundancy of the weight's word. */
#ifndef STOIC_STORE_FIELD_H
#define STOIC_STORE_FIELD_H

#include "store/format.h"

/* A field or list as a mask; `what` begins the message of a failure. `redundant` is the number of
 * redundant bits a word has. "all" takes data and redundancy, "data" and "redundancy" one of them,
 * the other names bits of the data. */
stoic_status stoic_field_parse(const stoic_format *format, int redundant, const char *what,
                               const char *text, stoic_field *out, stoic_error *err);

/* The other way: one canonical spelling, a field's name where one fits, else a list from the
 * highest bit down. Bits of `protect` do not count. */
enum { STOIC_FIELD_TEXT = 1024 };
void stoic_field_spell(const stoic_format *format, int redundant, const stoic_field *field,
                       const stoic_field *protect, char text[STOIC_FIELD_TEXT]);

bool stoic_field_has(const stoic_field *field, int bit);
int stoic_field_count(const stoic_field *field);
bool stoic_field_same(const stoic_field *a, const stoic_field *b);
void stoic_field_remove(stoic_field *field, const stoic_field *bits);

#endif
