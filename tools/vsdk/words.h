/* SPDX-License-Identifier: Apache-2.0 */
/* Options with several words: FIRST,NAME,NAME=VALUE. */
#ifndef VSDK_COMMAND_WORDS_H
#define VSDK_COMMAND_WORDS_H

#include <stdint.h>

/* Ends the first word; what comes after it, or NULL. */
char *words_cut(char *text);
/* The next word's name, or NULL; its value, or NULL. */
char *words_next(char **rest, const char **value);
/* A whole decimal number: 0, or -1 without a complaint. */
int words_number(const char *text, uint32_t most, uint32_t *value);
/* Bytes, decimal or 0x, with an optional K, M, G or T: 0, or -1 after a complaint about `what`. */
int words_size(const char *what, const char *text, uint64_t *size);
/* Finds `text` among the names of an enumeration: 0, or -1 after a complaint. */
int words_choice(const char *option, const char *text, const char *(*name)(uint32_t),
                 uint32_t count, uint32_t *value);
/* -1, after a complaint. */
int words_unknown(const char *option, const char *word, const char *known);

#endif
