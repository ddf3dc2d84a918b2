#include "study/family.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"

static const char mark[] = "{M}";

bool stoic_family_varies(const char *pattern) {
    return strstr(pattern, mark) != NULL;
}

static bool belongs_to_code(const char *item) {
    return !strncmp(item, "code=", 5) || !strncmp(item, "due=", 4);
}

static void add_item(stoic_text *out, const char *item, size_t length, int width) {
    const size_t marked = strlen(mark);
    for (size_t i = 0; i < length;) {
        if (length - i >= marked && !memcmp(item + i, mark, marked)) {
            stoic_text_printf(out, "%d", width);
            i += marked;
        } else {
            stoic_text_add(out, item + i++, 1);
        }
    }
}

stoic_status stoic_family_spec(const char *pattern, int width, bool unprotected, char **out,
                               stoic_error *err) {
    stoic_text text = {0};
    *out = NULL;
    for (const char *item = pattern; *item;) {
        size_t length = strcspn(item, ",/"); /* a store's layers are parts of their own */
        if (!unprotected || !belongs_to_code(item)) {
            stoic_text_add(&text, item - 1, item > pattern);
            add_item(&text, item, length, width);
        }
        item += length;
        item += *item != '\0';
    }
    stoic_status status = stoic_text_finish(&text, err);
    if (status == STOIC_OK)
        *out = text.data;
    else
        stoic_text_deinit(&text);
    return status;
}
