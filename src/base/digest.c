#include "base/digest.h"

#include <string.h>
#include <xxhash.h>

stoic_digest *stoic_digest_create(void) {
    XXH3_state_t *state = XXH3_createState();
    if (state)
        XXH3_128bits_reset(state);
    return (stoic_digest *)state;
}

void stoic_digest_add(stoic_digest *digest, const void *data, size_t bytes) {
    XXH3_128bits_update((XXH3_state_t *)digest, data, bytes);
}

void stoic_digest_add_string(stoic_digest *digest, const char *text) {
    uint64_t length = strlen(text);
    stoic_digest_add(digest, &length, sizeof length);
    stoic_digest_add(digest, text, length);
}

void stoic_digest_finish(stoic_digest *digest, uint8_t out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((XXH3_state_t *)digest));
    memcpy(out, canonical.digest, 16);
    XXH3_freeState((XXH3_state_t *)digest);
}

void stoic_digest_spell(const uint8_t digest[16], char text[STOIC_DIGEST_TEXT]) {
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    text[32] = '\0';
}
