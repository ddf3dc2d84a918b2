/* 128-bit content digests (XXH3). For telling things apart by accident, not against an attacker. */
#ifndef STOIC_BASE_DIGEST_H
#define STOIC_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

typedef struct stoic_digest stoic_digest;

stoic_digest *stoic_digest_create(void); /* NULL: out of memory */
void stoic_digest_add(stoic_digest *digest, const void *data, size_t bytes);
/* Adds length and bytes, so that neighbouring strings cannot run together. */
void stoic_digest_add_string(stoic_digest *digest, const char *text);
/* Writes the digest (big-endian canonical form) and frees. */
void stoic_digest_finish(stoic_digest *digest, uint8_t out[16]);

/* A digest in hexadecimal. */
enum { STOIC_DIGEST_TEXT = 33 };
void stoic_digest_spell(const uint8_t digest[16], char text[STOIC_DIGEST_TEXT]);

#endif
