/* Gives every file of the folders named to the target, as an ordinary test. */
#include "../contract/tap.h"
#include "target.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* From memory of exactly its length, so that a read beyond it shows. */
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    static uint8_t most[1 << 16];
    size_t length = file ? fread(most, 1, sizeof most, file) : 0;
    uint8_t *bytes = malloc(length ? length : 1);

    if (!file || !bytes)
        return 0;
    fclose(file);
    memcpy(bytes, most, length);
    LLVMFuzzerTestOneInput(bytes, length);
    for (size_t cut = 0; cut < length; cut += length / 64 + 1) {
        uint8_t *shorter = malloc(cut ? cut : 1);

        memcpy(shorter, bytes, cut);
        LLVMFuzzerTestOneInput(shorter, cut);
        free(shorter);
    }
    free(bytes);
    return 1;
}

static void replay_folder(const char *folder)
{
    DIR *open = opendir(folder);
    const struct dirent *entry;
    char path[512];

    tap(open != NULL, "%s is there", folder);
    while (open && (entry = readdir(open))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        tap(replay(path), "%s", entry->d_name);
    }
    if (open)
        closedir(open);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay_folder(argv[i]);
    return tap_end();
}
