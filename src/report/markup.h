/* Strangers' strings in our output: escaped for HTML and SVG, cleaned, shortened. */
#ifndef STOIC_REPORT_MARKUP_H
#define STOIC_REPORT_MARKUP_H

#include "base/text.h"

/* Appends `string` as character data or attribute value: the five special characters become
 * references; control characters and bytes that are not UTF-8 become U+FFFD. At most `columns`
 * characters, the last an ellipsis where more follows; 0: no limit. */
void stoic_markup_add(stoic_text *out, const char *string, int columns);

/* Characters that stoic_markup_add() would show. */
int stoic_markup_columns(const char *string, int columns);

/* A field of a CSV line: quoted where needed. */
void stoic_markup_csv(stoic_text *out, const char *string);

/* "96,000": an integer with separators. */
void stoic_markup_integer(stoic_text *out, long long value);

/* "0.9167"; a small rate keeps two digits ("0.00031"); "–" for NaN. */
void stoic_markup_rate(stoic_text *out, double value);

#endif
