/* SPDX-License-Identifier: Apache-2.0 */
/* Takes options apart in place: the text is the command line's own. */
#include "words.h"
#include "command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *words_cut(char *text)
{
    char *comma = strchr(text, ',');

    if (comma)
        *comma++ = 0;
    return comma;
}

char *words_next(char **rest, const char **value)
{
    char *word = *rest;

    *value = NULL;
    if (!word)
        return NULL;
    *rest = words_cut(word);
    char *sign = strchr(word, '=');
    if (sign) {
        *sign = 0;
        *value = sign + 1;
    }
    return word;
}

int words_number(const char *text, uint32_t most, uint32_t *value)
{
    uint64_t number = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        number = 10 * number + (uint64_t)(*text - '0');
        if (number > most)
            return -1;
    }
    *value = (uint32_t)number;
    return 0;
}

int words_size(const char *what, const char *text, uint64_t *size)
{
    static const char suffixes[] = "kmgt";
    int base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;
    char *end;

    errno = 0;
    *size = strtoull(text, &end, base);
    const char *suffix = *end ? strchr(suffixes, *end | 0x20) : NULL;
    unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
    if (end == text || strchr(text, '-') || end[suffix != NULL])
        return complain("%s %s is not a size: bytes, or a number with K, M, G or T", what, text),
               -1;
    if (errno || *size > UINT64_MAX >> shift)
        return complain("%s %s is too large", what, text), -1;
    *size <<= shift;
    return 0;
}

int words_choice(const char *option, const char *text, const char *(*name)(uint32_t),
                 uint32_t count, uint32_t *value)
{
    for (*value = 0; *value < count; ++*value)
        if (!strcmp(text, name(*value)))
            return 0;
    fprintf(stderr, "vsdk: --%s %s is none of", option, text);
    for (uint32_t i = 0; i < count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", name(i));
    fputc('\n', stderr);
    return -1;
}

int words_unknown(const char *option, const char *word, const char *known)
{
    return complain("--%s: no word %s; it knows %s", option, word, known), -1;
}
