/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the small valid images that the corpora grew from: seeds FOLDER. */
#include "images.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int seed(const char *folder, const char *kind, const char *name, const test_image *image)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, kind);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", folder, kind, name);
    file = fopen(path, "wb");
    if (!file || fwrite(image->bytes, 1, image->length, file) != image->length)
        return 0;
    return !fclose(file);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *kind, *name;
        void (*make)(test_image *);
    } seeds[] = {
        {"bzimage", "small", image_bzimage},
        {"elf", "pvh-64", image_pvh64},
        {"elf", "pvh-32", image_pvh32},
        {"multiboot", "elf", image_multiboot_elf},
        {"multiboot", "addresses", image_multiboot_kludge},
    };
    static test_image image;
    int done = argc == 2;

    for (size_t i = 0; done && i < sizeof seeds / sizeof *seeds; i++) {
        seeds[i].make(&image);
        done = seed(argv[1], seeds[i].kind, seeds[i].name, &image);
    }
    for (uint8_t mode = 0; done && mode < 3; mode++) {
        memset(&image, 0, sizeof image);
        image.bytes[0] = mode;
        image_put(&image, 1, mode ? 0x100000 : 0x7c00, 8);
        image.bytes[17] = 0xf4;
        image.length = 32;
        done = seed(argv[1], "flat", (const char *[]){"real", "protected", "long"}[mode], &image);
    }
    return !done;
}
