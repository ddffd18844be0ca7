/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that asks its terminal something (a shell asks where the cursor is: ESC [ 6 n) is
 * answered as if the answer had been typed. If the guest is gone by then, the user's shell gets it.
 *
 * Terminals answer in order. So where the guest asked lately the terminal is asked something of our
 * own, and everything up to the answer to that is thrown away: however long the line to it is. A
 * terminal that answers nothing is waited for no longer than ANSWER_MS. */
#include "answers.h"
#include "command.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { TEXT, ESCAPE, CONTROL };
enum { ENQ = 5, ESC = 27, ANSWER_MS = 500 };

static const uint64_t lately_ns = 10000000000u;
static const char question[] = "\033[5n"; /* are you well? ESC [ 0 n */

/* 1 when `byte` ends a question. Some of these sequences ask only with certain arguments: to ask
 * the terminal once too often does no harm. */
static int is_question(answers *a, unsigned char byte)
{
    int state = a->state;

    a->state = byte == ESC ? ESCAPE : TEXT;
    switch (state) {
    case ESCAPE:
        if (byte == '[')
            a->state = CONTROL;
        return byte == 'Z' || byte == ']' || byte == 'P'; /* identify; colours; settings */
    case CONTROL:
        if (byte >= 0x20 && byte < 0x40)
            a->state = CONTROL;
        return byte && strchr("cnptux", byte) != NULL;
    default:
        return byte == ENQ;
    }
}

void answers_look(answers *a, const void *bytes, size_t length)
{
    const unsigned char *b = bytes;
    int asked = 0;

    for (size_t i = 0; i < length; i++)
        asked |= is_question(a, b[i]);
    if (asked)
        a->asked_ns = now_ns();
}

/* Where in "ESC [ 0 n" a stream of bytes is. */
static int follow(int at, unsigned char byte)
{
    static const char answer[] = "\033[0n";

    if (byte == (unsigned char)answer[at])
        return at + 1;
    return byte == ESC;
}

void answers_settle(const answers *a, int in, int out)
{
    struct pollfd ready = {.fd = in, .events = POLLIN};
    uint64_t now = now_ns(), end = now + ANSWER_MS * 1000000u;
    unsigned char bytes[256];
    int at = 0;

    if (!a->asked_ns || now - a->asked_ns > lately_ns ||
        write(out, question, sizeof question - 1) < (ssize_t)sizeof question - 1)
        return;
    for (; now < end; now = now_ns()) {
        if (poll(&ready, 1, (int)((end - now) / 1000000u) + 1) <= 0)
            continue; /* a signal, or the end */
        ssize_t got = read(in, bytes, sizeof bytes);
        if (got <= 0)
            return;
        for (ssize_t i = 0; i < got; i++)
            if ((at = follow(at, bytes[i])) == 4)
                return;
    }
}
