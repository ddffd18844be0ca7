/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON to standard output while it is made up: there is no tree, and nothing can fail but
 * the output itself, which the end of the program looks at.
 *
 * Text comes from the library and from the system (paths, the loader's words), so its bytes may be
 * anything: what is no UTF-8 becomes U+FFFD, or a reader would refuse the whole output. */
#include "json.h"
#include <inttypes.h>
#include <stdio.h>

enum { INDENT = 2 };

static unsigned depth;
static int first = 1; /* nothing stands before it on this level */

/* Bytes of the UTF-8 character at `s`, 0 if it is none. */
static unsigned utf8_length(const unsigned char *s)
{
    unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (s[0] > 0xf4)
        return 0;
    for (unsigned i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what lies above the last character. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

static void put_text(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    putchar('"');
    while (*s) {
        unsigned length = utf8_length(s);

        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || !length)
            printf("\\u%04x", *s < 0x20 ? *s : 0xfffd);
        else
            fwrite(s, 1, length, stdout);
        s += length ? length : 1;
    }
    putchar('"');
}

static void new_line(void)
{
    printf("\n%*s", (int)(depth * INDENT), "");
}

static void begin(const char *name)
{
    if (!first)
        putchar(',');
    if (depth)
        new_line();
    first = 0;
    if (name) {
        put_text(name);
        fputs(": ", stdout);
    }
}

void json_open(const char *name, char bracket)
{
    begin(name);
    putchar(bracket);
    depth++;
    first = 1;
}

void json_close(char bracket)
{
    depth--;
    if (!first)
        new_line();
    putchar(bracket);
    first = 0;
    if (!depth)
        putchar('\n');
}

void json_text(const char *name, const char *text)
{
    begin(name);
    put_text(text);
}

void json_number(const char *name, uint64_t value)
{
    begin(name);
    printf("%" PRIu64, value);
}

void json_truth(const char *name, int truth)
{
    begin(name);
    fputs(truth ? "true" : "false", stdout);
}
