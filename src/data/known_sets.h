/* The data sets known by name: their files, usual normalisation and class names. */
#ifndef STOIC_DATA_KNOWN_SETS_H
#define STOIC_DATA_KNOWN_SETS_H

#include <stddef.h>

typedef struct stoic_known_set {
    const char *name;
    int classes, channels;
    const char *mean, *std;         /* as an option would say it */
    const char *const *class_names; /* `classes` names, or NULL */
    const char *advice;             /* how to get it; the folder is to be appended */
} stoic_known_set;

/* The set whose name is the first `length` characters of `name`, or NULL. */
const stoic_known_set *stoic_known_set_find(const char *name, size_t length);

/* NULL-terminated. */
extern const char *const stoic_known_set_names[];

#endif
