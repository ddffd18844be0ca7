/* SPDX-License-Identifier: Apache-2.0 */
/* Gives every input of the corpora named to the target, as an ordinary test; see corpus.py. */
#include "../contract/tap.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

/* From memory of exactly its length, so that a read beyond it shows. */
static void give(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);

    if (!copy)
        abort();
    memcpy(copy, bytes, length);
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static int replay(const uint8_t *bytes, size_t length)
{
    give(bytes, length);
    for (size_t cut = 0; cut < length; cut += length / 64 + 1)
        give(bytes, cut);
    return 1;
}

/* In place: two digits become one byte. -1: these are no digits. */
static ssize_t from_hex(char *text)
{
    size_t digits = strcmp(text, "-") == 0 ? 0 : strlen(text);
    unsigned value;

    for (size_t i = 0; i < digits; i += 2) {
        if (sscanf(text + i, "%2x", &value) != 1)
            return -1;
        text[i / 2] = (char)value;
    }
    return digits % 2 ? -1 : (ssize_t)(digits / 2);
}

static void replay_corpus(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL, *rest;
    size_t room = 0;
    unsigned inputs = 0;

    while (file && getline(&line, &room, file) > 0) {
        const char *name = strtok_r(line, " \n", &rest);
        char *hex = strtok_r(NULL, " \n", &rest);
        ssize_t length = name && hex ? from_hex(hex) : -1;

        tap(length >= 0 && replay((const uint8_t *)hex, (size_t)length), "%s", name ? name : "?");
        inputs++;
    }
    tap(inputs > 0, "%s has inputs", path);
    free(line);
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay_corpus(argv[i]);
    return tap_end();
}
