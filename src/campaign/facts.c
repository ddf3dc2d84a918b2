#include "campaign/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "base/text.h"
#include "stoic/parse.h"

void stoic_facts_deinit(stoic_facts *facts) {
    for (size_t i = 0; i < facts->count; i++) {
        free(facts->items[i].key);
        free(facts->items[i].value);
    }
    free(facts->items);
    memset(facts, 0, sizeof *facts);
}

static stoic_fact *find(const stoic_facts *facts, const char *key) {
    for (size_t i = 0; i < facts->count; i++) {
        if (!strcmp(facts->items[i].key, key))
            return &facts->items[i];
    }
    return NULL;
}

static stoic_fact *append(stoic_facts *facts, const char *key) {
    if (facts->count == facts->capacity) {
        size_t capacity = facts->capacity ? 2 * facts->capacity : 32;
        stoic_fact *items = realloc(facts->items, capacity * sizeof *items);
        if (!items)
            return NULL;
        facts->items = items;
        facts->capacity = capacity;
    }
    char *copy = strdup(key);
    if (!copy)
        return NULL;
    stoic_fact *fact = &facts->items[facts->count++];
    *fact = (stoic_fact){copy, NULL, false};
    return fact;
}

stoic_status stoic_facts_set(stoic_facts *facts, bool identity, const char *key, stoic_error *err,
                             const char *fmt, ...) {
    char *value = NULL;
    va_list args;
    va_start(args, fmt);
    int length = vasprintf(&value, fmt, args);
    va_end(args);
    if (length < 0)
        return stoic_fail_memory(err, key, strlen(fmt));
    stoic_fact *fact = find(facts, key);
    if (!fact)
        fact = append(facts, key);
    if (!fact) {
        free(value);
        return stoic_fail_memory(err, key, strlen(key));
    }
    free(fact->value);
    fact->value = value;
    fact->identity = identity;
    return STOIC_OK;
}

stoic_status stoic_facts_set_digest(stoic_facts *facts, const char *key, const uint8_t digest[16],
                                    stoic_error *err) {
    char text[STOIC_DIGEST_TEXT];
    stoic_digest_spell(digest, text);
    return stoic_facts_set(facts, true, key, err, "%s", text);
}

const char *stoic_facts_number_text(double value, char text[32]) {
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        stoic_text buffer = {0};
        stoic_text_printf(&buffer, "%.*g", digits, value);
        snprintf(text, 32, "%s", buffer.data ? buffer.data : "nan");
        stoic_text_deinit(&buffer);
        if (stoic_parse_number(text, "number", &back, NULL) == STOIC_OK && back == value)
            break;
    }
    return text;
}

stoic_status stoic_facts_set_number(stoic_facts *facts, const char *key, double value,
                                    stoic_error *err) {
    char text[32];
    return stoic_facts_set(facts, false, key, err, "%s", stoic_facts_number_text(value, text));
}

const char *stoic_facts_get(const stoic_facts *facts, const char *key) {
    const stoic_fact *fact = find(facts, key);
    return fact ? fact->value : NULL;
}

int64_t stoic_facts_integer(const stoic_facts *facts, const char *key, int64_t missing) {
    const char *text = stoic_facts_get(facts, key);
    char *end;
    if (!text || !*text)
        return missing;
    long long value = strtoll(text, &end, 10);
    return *end ? missing : value;
}

bool stoic_facts_differ(const stoic_facts *there, const stoic_facts *here, bool complete,
                        stoic_difference *out) {
    for (size_t i = 0; i < here->count; i++) {
        const stoic_fact *fact = &here->items[i];
        const stoic_fact *other = find(there, fact->key);
        if (!fact->identity || (!other && !complete))
            continue;
        *out = (stoic_difference){fact->key, other ? other->value : "nothing", fact->value};
        if (strcmp(out->there, out->here) != 0)
            return true;
    }
    for (size_t i = 0; complete && i < there->count; i++) {
        *out = (stoic_difference){there->items[i].key, there->items[i].value, "nothing"};
        if (there->items[i].identity && !find(here, there->items[i].key))
            return true;
    }
    return false;
}

stoic_status stoic_facts_match(const stoic_facts *file, const stoic_facts *wanted, bool complete,
                               const char *path, stoic_error *err) {
    stoic_difference at;
    if (stoic_facts_differ(file, wanted, complete, &at))
        return stoic_fail(err, STOIC_ERR_MISMATCH, path,
                          "the file belongs to another campaign: %s there is %s, here %s", at.key,
                          at.there, at.here);
    return STOIC_OK;
}
