/* How images were prepared, and where each part of that came from. */
#ifndef CLI_PREPROCESSING_TEXT_H
#define CLI_PREPROCESSING_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "stoic/dataset.h"

/* NULL when memory runs out. */
json_t *cli_preprocessing_json(const stoic_preprocessing *used);
/* In one line, without its end. */
void cli_preprocessing_print(FILE *file, const stoic_preprocessing *used);

#endif
