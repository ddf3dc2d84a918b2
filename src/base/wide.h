/* 128-bit integers, a compiler extension that -Wpedantic wants to be told about. */
#ifndef STOIC_BASE_WIDE_H
#define STOIC_BASE_WIDE_H

__extension__ typedef __int128 stoic_i128;
__extension__ typedef unsigned __int128 stoic_u128;

#endif
