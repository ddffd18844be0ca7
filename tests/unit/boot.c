/* SPDX-License-Identifier: Apache-2.0 */
/* The loaders: what valid images become, and what malformed ones are told. */
#include "fake.h"
#include "images.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P64(n, field) (sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field))
#define P32(n, field) (sizeof(Elf32_Ehdr) + (n) * sizeof(Elf32_Phdr) + offsetof(Elf32_Phdr, field))

static const vsdk_memory_range map[] = {
    {0, 0xa0000, VSDK_MEMORY_RAM, 0},
    {0xe0000, 0x2000, VSDK_MEMORY_RESERVED, 0},
    {0x100000, 0x700000, VSDK_MEMORY_RAM, 0},
};

static vsdk_vm vm;
static vsdk_boot_config config;
static vsdk_boot_entry entry;
static vsdk_error error;
static test_image img;

static void begin(void)
{
    memset(&vm, 0, sizeof vm);
    fake_ram(&vm, 0, 0xa0000);
    fake_ram(&vm, 0xc0000, 0x740000);
    config = (vsdk_boot_config){
        .size = sizeof config,
        .memory = map,
        .memory_count = 3,
        .rsdp = 0xe0000,
        .command_line = "console=ttyS0",
        .initrd = "initrd!",
        .initrd_length = 7,
    };
    entry = (vsdk_boot_entry){.size = sizeof entry};
}

static void end(void)
{
    fake_end(&vm);
    cr_assert(zero(fake_leaks()));
}

/* Loads from a copy of exactly its length, so that a read beyond it shows. */
static vsdk_status load(void)
{
    uint8_t *copy = malloc(img.length ? img.length : 1);
    vsdk_status status;

    memcpy(copy, img.bytes, img.length);
    config.image = copy;
    config.image_length = img.length;
    memset(&error, 0, sizeof error);
    entry = (vsdk_boot_entry){.size = sizeof entry};
    status = vsdk_boot_load(&vm, &config, &entry, &error);
    free(copy);
    return status;
}

static void loads(void)
{
    vsdk_status status = load();

    cr_assert(eq(i32, status, VSDK_OK), "%s", error.message);
}

/* The linker sends the loaders' own calls here. */
vsdk_status __real_vsdk_vm_read(vsdk_vm *of, uint64_t gpa, void *buffer, uint64_t length,
                                vsdk_error *e);
vsdk_status __wrap_vsdk_vm_read(vsdk_vm *of, uint64_t gpa, void *buffer, uint64_t length,
                                vsdk_error *e);
static uint32_t reads;

vsdk_status __wrap_vsdk_vm_read(vsdk_vm *of, uint64_t gpa, void *buffer, uint64_t length,
                                vsdk_error *e)
{
    reads++;
    return __real_vsdk_vm_read(of, gpa, buffer, length, e);
}

static uint64_t peek(uint64_t gpa, uint32_t width)
{
    uint64_t value = 0;

    cr_assert(eq(i32, vsdk_vm_read(&vm, gpa, &value, width, NULL), VSDK_OK));
    return value;
}

static const char *text(uint64_t gpa)
{
    static char bytes[64];

    vsdk_vm_read(&vm, gpa, bytes, sizeof bytes - 1, NULL);
    return bytes;
}

TestSuite(bzimage, .init = begin, .fini = end);

Test(bzimage, loads)
{
    image_bzimage(&img);
    loads();
    cr_assert(eq(u32, entry.format, VSDK_BOOT_BZIMAGE));
    cr_assert(eq(u32, entry.mode, VSDK_BOOT_LONG));
    cr_assert(eq(u64, entry.rip, 0x100200));
    cr_assert(eq(u64, entry.rsi, 0x7000));
    cr_assert(eq(u64, entry.rsp, 0x5ff0));
    cr_assert(eq(u64, entry.gdt, 0x6000));
    cr_assert(eq(u64, entry.page_table, 0x9000));
    cr_assert(eq(u64, entry.image_start, 0x100000));
    cr_assert(eq(u64, entry.image_end, 0x110000));
    cr_assert(eq(u64, peek(0x100200, 2), 0x90f4));
    cr_assert(eq(u64, peek(0x6010, 8), 0x00af9b000000ffff));
}

Test(bzimage, boot_params)
{
    image_bzimage(&img);
    loads();
    cr_assert(eq(u64, peek(0x7000 + 0x202, 4), 0x53726448));
    cr_assert(eq(u64, peek(0x7000 + 0x210, 1), 0xff));
    cr_assert(eq(u64, peek(0x7000 + 0x70, 8), 0xe0000));
    cr_assert(eq(u64, peek(0x7000 + 0x1e8, 1), 3));
    cr_assert(eq(u64, peek(0x7000 + 0x2d0 + 40, 8), 0x100000));
    cr_assert(eq(u64, peek(0x7000 + 0x2d0 + 56, 4), 1));
    cr_assert(eq(u64, peek(0x7000 + 0x218, 4), entry.initrd));
    cr_assert(eq(u64, peek(0x7000 + 0x21c, 4), 7));
    cr_assert(eq(u64, entry.initrd, 0x7ff000));
    cr_assert(eq(str, (char *)text(entry.initrd), "initrd!"));
    cr_assert(eq(u64, peek(0x7000 + 0x228, 4), 0x20000));
    cr_assert(eq(str, (char *)text(0x20000), "console=ttyS0"));
}

Test(bzimage, page_tables_map_4_gib)
{
    image_bzimage(&img);
    loads();
    cr_assert(eq(u64, peek(0x9000, 8), 0xa007));
    for (uint64_t i = 0; i < 4; i++)
        cr_assert(eq(u64, peek(0xa000 + 8 * i, 8), 0xb007 + 0x1000 * i));
    cr_assert(eq(u64, peek(0xa020, 8), 0));
    cr_assert(eq(u64, peek(0xb000, 8), 0x87));
    cr_assert(eq(u64, peek(0xe000 + 511 * 8, 8), 0xffe00087));
}

Test(bzimage, moves_where_there_is_room)
{
    image_bzimage(&img);
    image_put(&img, 0x258, 0x1000000, 8); /* beyond RAM */
    loads();
    cr_assert(eq(u64, entry.rip, 0x200200));
    image_put(&img, 0x230, 0x100000, 4); /* aligned already */
    loads();
    cr_assert(eq(u64, entry.rip, 0x100200));
    image_put(&img, 0x234, 0, 1);
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
}

Test(bzimage, takes_no_less_than_it_has)
{
    image_bzimage(&img);
    image_put(&img, 0x260, 0x100, 4);
    loads();
    cr_assert(eq(u64, entry.image_end, 0x100400));
}

Test(bzimage, initrd_stays_below_its_limit)
{
    image_bzimage(&img);
    image_put(&img, 0x22c, 0x3fffff, 4);
    loads();
    cr_assert(eq(u64, entry.initrd, 0x3ff000));
    image_put(&img, 0x22c, 0x10ffff, 4); /* the kernel is there: only low memory is left */
    loads();
    cr_assert(eq(u64, entry.initrd, 0x9f000));
    config.initrd_length = 0;
    loads();
    cr_assert(eq(u64, entry.initrd, 0));
    cr_assert(eq(u64, peek(0x7000 + 0x218, 8), 0));
}

/* The last of these ranges has room enough, but not from a page's begin. */
Test(bzimage, initrd_lies_where_a_page_begins)
{
    static const vsdk_memory_range ranges[] = {{0, 0xa0000, VSDK_MEMORY_RAM, 0},
                                               {0x100000, 0x300000, VSDK_MEMORY_RAM, 0},
                                               {0x500800, 0x1000, VSDK_MEMORY_RAM, 0}};
    static const uint8_t initrd[0x900];

    image_bzimage(&img);
    config.memory = ranges;
    config.memory_count = sizeof ranges / sizeof *ranges;
    config.initrd = initrd;
    config.initrd_length = sizeof initrd;
    loads();
    cr_assert(eq(u64, entry.initrd, 0x3ff000));
}

Test(bzimage, command_line_has_a_limit)
{
    image_bzimage(&img);
    image_put(&img, 0x238, 13, 4);
    loads();
    image_put(&img, 0x238, 12, 4);
    cr_assert(eq(i32, load(), VSDK_ERROR_LIMIT));
    config.command_line = NULL;
    loads();
    cr_assert(eq(u64, peek(0x7000 + 0x228, 4), 0));
}

/* Debian's memtest86+ counts 8 bytes more than it has. */
Test(bzimage, last_unit_of_its_size_may_be_cut)
{
    uint8_t ones[64];

    memset(ones, 0xff, sizeof ones);
    for (uint32_t missing = 1; missing < 16; missing++) {
        image_bzimage(&img);
        vsdk_vm_write(&vm, 0x1003e0, ones, sizeof ones, NULL);
        img.length -= missing;
        loads();
        cr_assert(eq(u64, peek(0x100400 - missing - 1, 1), 0x90));
        for (uint32_t k = 1; k <= missing; k++)
            cr_assert(eq(u64, peek(0x100400 - k, 1), 0));
        cr_assert(eq(u64, peek(0x100400, 1), 0xff));
    }
    img.length--;
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    cr_assert(zero(strncmp(error.message, "syssize:", 8)), "%s", error.message);
}

/* init_size counts from what the header says, not from what is there. */
Test(bzimage, cut_unit_is_part_of_what_it_takes)
{
    image_bzimage(&img);
    image_put(&img, 0x260, 0x100, 4);
    img.length -= 9;
    loads();
    cr_assert(eq(u64, entry.image_end, 0x100400));
}

/* RAM goes on where the map ends: the map counts, to the byte. */
Test(bzimage, memory_map_counts_to_the_byte)
{
    vsdk_memory_range short_map[] = {map[0], map[1], {0x100000, 0x10000, VSDK_MEMORY_RAM, 0}};

    config.memory = short_map;
    config.initrd_length = 0;
    image_bzimage(&img); /* takes 0x10000 bytes at 0x100000 */
    loads();
    cr_assert(eq(u64, entry.image_end, 0x110000));
    short_map[2].length--;
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    image_put(&img, 0x260, 0xffff, 4);
    loads();
    short_map[2] = (vsdk_memory_range){0x100001, 0x20000, VSDK_MEMORY_RAM, 0};
    image_put(&img, 0x234, 0, 1); /* can't be moved */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    short_map[2].address--;
    loads();
}

/* What does not fit says how much memory would do. */
Test(bzimage, says_how_much_memory_it_needs)
{
    image_bzimage(&img);
    image_put(&img, 0x260, 0x2000000, 4); /* 32 MiB from 2 MiB on, and a page for the initrd */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(strstr(error.message, "at least 35 MiB") != NULL, "%s", error.message);
    cr_assert(strstr(error.hint, "at least 35 MiB") != NULL, "%s", error.hint);
    config.initrd_length = 0;
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(strstr(error.message, "at least 34 MiB") != NULL, "%s", error.message);
    image_put(&img, 0x234, 0, 1);         /* can't be moved */
    image_put(&img, 0x258, 0x3000000, 8); /* 48 MiB */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(strstr(error.message, "at least 80 MiB") != NULL, "%s", error.message);
    image_pvh64(&img);
    image_put(&img, P64(1, p_memsz), 0x1000000, 8); /* 16 MiB at 0x110000 */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(strstr(error.hint, "at least 18 MiB") != NULL, "%s", error.hint);
    image_bzimage(&img);
    config.initrd_length = 0x1000000; /* never read: it does not fit */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(strstr(error.hint, "at least 18 MiB") != NULL, "%s", error.hint);
    cr_assert(zero(strncmp(error.message, "initrd:", 7)), "%s", error.message);
}

/* More memory would not help: no such advice. */
Test(bzimage, no_advice_that_does_not_help)
{
    image_bzimage(&img);
    image_put(&img, 0x234, 0, 1);
    image_put(&img, 0x258, 0xfec00000, 8);
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(eq(str, error.hint, (char *)""));
    image_bzimage(&img);
    image_put(&img, 0x22c, 0xfff, 4); /* its initrd would have to be in the first page */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    cr_assert(eq(str, error.hint, (char *)""));
}

TestSuite(cmdline, .init = begin, .fini = end);

static const char *line_of(void (*make)(test_image *), uint32_t flags, const char *given)
{
    config.flags = flags;
    config.command_line = given;
    make(&img);
    loads();
    return text(0x20000);
}

/* Its first note names the guest's system, in four bytes more. */
static void image_pvh_of_linux(test_image *image)
{
    image_pvh64(image);
    memmove(image->bytes + 0x518, image->bytes + 0x514, 20);
    image_put(image, 0x504, 6, 4); /* n_descsz */
    image_put(image, 0x508, 6, 4); /* GUEST_OS */
    memcpy(image->bytes + 0x510, "linux\0\0", 8);
    image_put(image, P64(2, p_filesz), 44, 8);
    image->length += 4;
}

Test(cmdline, linux_is_told_that_there_is_no_pci)
{
    static void (*const linuxes[])(test_image *) = {image_bzimage, image_pvh_of_linux};

    for (size_t n = 0; n < 2; n++) {
        cr_assert(eq(str, (char *)line_of(linuxes[n], 1, "quiet"), "pci=off quiet"));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 1, NULL), "pci=off"));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 1, "a -- b"), "pci=off a -- b"));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 1, "xpci=1"), "pci=off xpci=1"));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 1, "pci="), "pci="));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 1, "a pci=noacpi b"), "a pci=noacpi b"));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 0, "quiet"), "quiet"));
        cr_assert(eq(str, (char *)line_of(linuxes[n], 3, "quiet"), "quiet"));
    }
}

Test(cmdline, others_are_not)
{
    cr_assert(eq(str, (char *)line_of(image_pvh64, 1, "quiet"), "quiet"));
    cr_assert(eq(str, (char *)line_of(image_pvh32, 1, "quiet"), "quiet"));
    cr_assert(eq(str, (char *)line_of(image_multiboot_elf, 1, "quiet"), "image quiet"));
}

/* What the library adds is no reason to refuse a line. */
Test(cmdline, is_added_where_there_is_room_only)
{
    image_bzimage(&img);
    config.flags = VSDK_BOOT_NO_PCI;
    config.command_line = "12345";
    image_put(&img, 0x238, 13, 4);
    loads();
    cr_assert(eq(str, (char *)text(0x20000), "pci=off 12345"));
    image_put(&img, 0x238, 12, 4);
    loads();
    cr_assert(eq(str, (char *)text(0x20000), "12345"));
}

TestSuite(pvh, .init = begin, .fini = end);

static void check_pvh(void)
{
    loads();
    cr_assert(eq(u32, entry.format, VSDK_BOOT_PVH));
    cr_assert(eq(u32, entry.mode, VSDK_BOOT_PROTECTED));
    cr_assert(eq(u64, entry.rip, 0x100010));
    cr_assert(eq(u64, entry.rbx, 0x7000));
    cr_assert(eq(u64, entry.image_end, 0x110080));
    cr_assert(eq(u64, peek(0x10007c, 8), 0x11111111));
    cr_assert(eq(u64, peek(0x110000, 4), 0x22222222));
    cr_assert(eq(u64, peek(0x7000, 8), 0x1336ec578));
    cr_assert(eq(u64, peek(0x700c, 4), 1));
    cr_assert(eq(u64, peek(0x7010, 8), 0x7400));
    cr_assert(eq(u64, peek(0x7018, 8), 0x20000));
    cr_assert(eq(u64, peek(0x7020, 8), 0xe0000));
    cr_assert(eq(u64, peek(0x7028, 8), 0x7100));
    cr_assert(eq(u64, peek(0x7030, 4), 3));
    cr_assert(eq(u64, peek(0x7400, 8), entry.initrd));
    cr_assert(eq(u64, peek(0x7408, 8), 7));
    cr_assert(eq(u64, peek(0x7410, 8), 0));
    cr_assert(eq(u64, peek(0x7118, 8), 0xe0000));
    cr_assert(eq(u64, peek(0x7128, 4), 2));
}

Test(pvh, loads_64_bits)
{
    image_pvh64(&img);
    check_pvh();
}

Test(pvh, loads_32_bits)
{
    image_pvh32(&img);
    check_pvh();
}

/* Padding of 8 bytes: the second note begins four bytes later. */
Test(pvh, finds_its_note_by_the_alignment_of_the_segment)
{
    Elf64_Phdr *p = (Elf64_Phdr *)(img.bytes + sizeof(Elf64_Ehdr));

    image_pvh64(&img);
    memmove(img.bytes + 0x518, img.bytes + 0x514, 20);
    img.length += 4;
    p[2].p_filesz = 44;
    p[2].p_align = 8;
    loads();
    cr_assert(eq(u64, entry.rip, 0x100010));
    p[2].p_align = 4;
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
}

Test(pvh, zeroes_what_the_file_does_not_have)
{
    uint8_t ones[0x1000];

    memset(ones, 0xff, sizeof ones);
    vsdk_vm_write(&vm, 0x100000, ones, sizeof ones, NULL);
    image_pvh64(&img);
    loads();
    cr_assert(eq(u64, peek(0x100ff8, 8), 0));
}

/* Notes are aligned to their segment's beginning, wherever that is in the file. */
Test(pvh, notes_at_any_offset)
{
    for (uint32_t by = 1; by < 8; by++)
        for (uint32_t align = 4; align <= 8; align += 4) {
            Elf64_Phdr *p = (Elf64_Phdr *)(img.bytes + sizeof(Elf64_Ehdr)) + 2;

            image_pvh64(&img);
            memmove(img.bytes + 0x500 + by, img.bytes + 0x500, 40);
            p->p_offset += by;
            p->p_align = align;
            if (align == 8) { /* the second note begins 4 later */
                memmove(img.bytes + 0x518 + by, img.bytes + 0x514 + by, 20);
                p->p_filesz += 4;
            }
            img.length += 16;
            loads();
            cr_assert(eq(u64, entry.rip, 0x100010));
        }
}

Test(pvh, small_structures_move_out_of_its_way)
{
    Elf64_Phdr *p = (Elf64_Phdr *)(img.bytes + sizeof(Elf64_Ehdr));

    image_pvh64(&img);
    p[1].p_paddr = 0x6800;
    p[1].p_memsz = 0x1000; /* 0x6800 to 0x77ff */
    loads();
    cr_assert(eq(u64, entry.gdt, 0x6000));
    cr_assert(eq(u64, entry.image_start, 0x6800));
    cr_assert(eq(u64, entry.info, 0x1000));
    cr_assert(eq(u64, peek(0x1000, 4), 0x336ec578));
    p[1].p_memsz = 0xa0000 - 0x6800;
    p[1].p_paddr = 0x1000;
    p[1].p_memsz = 0x9f000;
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
}

/* Note segments over the same bytes: no more is walked than the image has. The entry's note is in
 * the second, and the first is as long as the image. */
Test(pvh, notes_are_not_walked_again_and_again)
{
    image_pvh64(&img);
    image_put(&img, P64(0, p_type), PT_NOTE, 4);
    image_put(&img, P64(0, p_offset), 0, 8);
    image_put(&img, P64(0, p_filesz), img.length, 8);
    image_put(&img, P64(2, p_offset), 0x514, 8); /* the entry's note only */
    image_put(&img, P64(2, p_filesz), 20, 8);
    image_put(&img, 0x524, 0x110000, 4);
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    image_put(&img, P64(0, p_filesz), img.length - 20, 8);
    loads();
    cr_assert(eq(u64, entry.rip, 0x110000));
}

/* The last one of them has the entry. */
Test(pvh, has_as_many_segments_as_are_read)
{
    uint8_t *list = img.bytes + 0x600;

    image_pvh64(&img);
    memcpy(list, img.bytes + sizeof(Elf64_Ehdr), 2 * sizeof(Elf64_Phdr));
    memcpy(list + 63 * sizeof(Elf64_Phdr), img.bytes + P64(2, p_type), sizeof(Elf64_Phdr));
    image_put(&img, 32, 0x600, 8); /* e_phoff */
    image_put(&img, 56, 64, 2);    /* e_phnum */
    img.length = 0x600 + 64 * sizeof(Elf64_Phdr);
    loads();
    cr_assert(eq(u64, entry.rip, 0x100010));
}

static const vsdk_boot_module modules[] = {
    {"second", 6, "name a b"}, {"third!", 6, NULL}, {"4", 1, "x"}, {"5", 1, ""}};

/* In the order given, after the initial RAM disk, each on pages of its own. */
static void modules_are(uint64_t list, uint32_t stride, int start_and_end)
{
    static const char *const contents[] = {"initrd!", "second", "third!", "4", "5"};
    static const char *const strings[] = {"", "name a b", "", "x", ""};

    for (uint32_t n = 0; n < 5; n++) {
        uint64_t at = peek(list + n * stride, start_and_end ? 4 : 8);
        uint64_t end = peek(list + n * stride + (start_and_end ? 4 : 8), start_and_end ? 4 : 8);
        uint64_t string = peek(list + n * stride + (start_and_end ? 8 : 16), start_and_end ? 4 : 8);

        if (!start_and_end)
            end += at;
        cr_assert(eq(u64, at & 0xfff, 0));
        cr_assert(eq(u64, end - at, strlen(contents[n])));
        cr_assert(zero(memcmp(text(at), contents[n], strlen(contents[n]))), "%u", n);
        cr_assert(start_and_end || !*strings[n] == !string, "%u", n);
        if (string)
            cr_assert(eq(str, (char *)text(string), (char *)strings[n]), "%u", n);
    }
    cr_assert(eq(u64, peek(list, start_and_end ? 4 : 8), entry.initrd));
}

Test(pvh, has_several_modules)
{
    config.modules = modules;
    config.module_count = 4;
    image_pvh64(&img);
    loads();
    cr_assert(eq(u64, peek(0x700c, 4), 5));
    modules_are(peek(0x7010, 8), 32, 0);
}

TestSuite(multiboot, .init = begin, .fini = end);

Test(multiboot, has_several_modules)
{
    config.modules = modules;
    config.module_count = 4;
    image_multiboot_elf(&img);
    loads();
    cr_assert(eq(u64, peek(entry.info + 20, 4), 5));
    modules_are(peek(entry.info + 24, 4), 16, 1);
}

/* The list, the map and the strings of the largest number that there may be. */
Test(multiboot, has_as_many_modules_as_there_may_be)
{
    static vsdk_boot_module many[65];
    static vsdk_memory_range ranges[32];
    static char strings[65][16];

    for (uint32_t n = 0; n < 65; n++) {
        snprintf(strings[n], sizeof strings[n], "module %u", n);
        many[n] = (vsdk_boot_module){strings[n], 9, strings[n]};
    }
    ranges[0] = map[0];
    ranges[1] = map[1];
    ranges[2] = map[2];
    for (uint32_t n = 3; n < 32; n++)
        ranges[n] = (vsdk_memory_range){n * UINT64_C(0x10000000), 4096, VSDK_MEMORY_RESERVED, 0};
    config.memory = ranges;
    config.memory_count = 32;
    config.modules = many;
    config.module_count = 64;
    image_multiboot_elf(&img);
    loads();
    cr_assert(eq(u64, peek(entry.info + 20, 4), 65));
    for (uint32_t n = 1; n < 65; n++) {
        uint64_t module = peek(entry.info + 24, 4) + n * 16;

        cr_assert(eq(str, (char *)text(peek(module + 8, 4)), strings[n - 1]));
        cr_assert(zero(memcmp(text(peek(module, 4)), strings[n - 1], 9)));
    }
    cr_assert(eq(u64, peek(peek(entry.info + 48, 4) + 31 * 24 + 4, 8), 31 * UINT64_C(0x10000000)));
    image_pvh64(&img);
    loads();
    cr_assert(eq(u64, peek(0x700c, 4), 65));
    cr_assert(eq(str, (char *)text(peek(peek(0x7010, 8) + 64 * 32 + 16, 8)), strings[63]));
    cr_assert(eq(u64, peek(peek(0x7028, 8) + 31 * 24, 8), 31 * UINT64_C(0x10000000)));
    config.module_count = 65;
    cr_assert(eq(i32, load(), VSDK_ERROR_LIMIT));
}

Test(multiboot, strings_of_modules_have_a_limit)
{
    static char longest[0x10000];
    vsdk_boot_module one = {"x", 1, longest};

    memset(longest, 'a', 0xfffe);
    config.modules = &one;
    config.module_count = 1;
    image_multiboot_elf(&img);
    loads();
    longest[0xfffe] = 'a';
    cr_assert(eq(i32, load(), VSDK_ERROR_LIMIT));
}

/* One initial RAM disk, however it is given. */
Test(bzimage, takes_one_module)
{
    config.initrd_length = 0;
    config.modules = modules;
    config.module_count = 1;
    image_bzimage(&img);
    loads();
    cr_assert(eq(u64, peek(0x7000 + 0x218, 4), entry.initrd));
    cr_assert(eq(u64, peek(0x7000 + 0x21c, 4), 6));
    cr_assert(eq(str, (char *)text(entry.initrd), "second"));
    config.module_count = 2;
    cr_assert(eq(i32, load(), VSDK_ERROR_INVALID_ARGUMENT));
    config.module_count = 1;
    config.initrd_length = 7;
    cr_assert(eq(i32, load(), VSDK_ERROR_INVALID_ARGUMENT));
}

static void check_multiboot(void)
{
    uint64_t info = entry.info;

    cr_assert(eq(u32, entry.format, VSDK_BOOT_MULTIBOOT));
    cr_assert(eq(u32, entry.mode, VSDK_BOOT_PROTECTED));
    cr_assert(eq(u64, entry.rax, 0x2badb002));
    cr_assert(eq(u64, entry.rbx, info));
    cr_assert(eq(u64, peek(info, 4), 0x24d));
    cr_assert(eq(u64, peek(info + 4, 4), 640));
    cr_assert(eq(u64, peek(info + 8, 4), 0x700000 >> 10));
    cr_assert(eq(str, (char *)text(peek(info + 16, 4)), "image console=ttyS0"));
    cr_assert(eq(u64, peek(info + 20, 4), 1));
    cr_assert(eq(u64, peek(peek(info + 24, 4), 4), entry.initrd));
    cr_assert(eq(u64, peek(peek(info + 24, 4) + 4, 4), entry.initrd + 7));
    cr_assert(eq(u64, peek(info + 44, 4), 3 * 24));
    cr_assert(eq(u64, peek(peek(info + 48, 4) + 24, 4), 20));
    cr_assert(eq(u64, peek(peek(info + 48, 4) + 28, 8), 0xe0000));
    cr_assert(eq(str, (char *)text(peek(info + 64, 4)), "vsdk"));
}

Test(multiboot, loads_elf)
{
    image_multiboot_elf(&img);
    loads();
    cr_assert(eq(u64, entry.rip, 0x100020));
    cr_assert(eq(u64, peek(0x100000, 4), 0x1badb002));
    check_multiboot();
}

/* A kernel that is linked high: its entry is a virtual address. */
Test(multiboot, entry_is_where_its_segment_is_loaded)
{
    Elf32_Ehdr *h = (Elf32_Ehdr *)img.bytes;
    Elf32_Phdr *p = (Elf32_Phdr *)(img.bytes + sizeof *h);

    image_multiboot_elf(&img);
    p->p_vaddr = 0xc0100000;
    h->e_entry = 0xc0100020;
    loads();
    cr_assert(eq(u64, entry.rip, 0x100020));
    check_multiboot();
    h->e_entry = 0x100020; /* or a physical one */
    loads();
    cr_assert(eq(u64, entry.rip, 0x100020));
    h->e_entry = 0xc0100000 + p->p_memsz;
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    p->p_vaddr = h->e_entry = 0xfffffff0; /* its end is beyond 4 GiB */
    loads();
    cr_assert(eq(u64, entry.rip, 0x100000));
}

Test(multiboot, loads_by_addresses)
{
    image_multiboot_kludge(&img);
    loads();
    cr_assert(eq(u64, entry.rip, 0x120100));
    cr_assert(eq(u64, peek(0x120010, 4), 0x1badb002));
    cr_assert(eq(u64, peek(0x1201ff, 2), 0x33));
    cr_assert(eq(u64, entry.image_end, 0x120400));
    check_multiboot();
}

Test(multiboot, load_end_0_takes_the_rest)
{
    image_multiboot_kludge(&img);
    image_put(&img, 0x11c + 8, 0, 4);
    image_put(&img, 0x11c + 12, 0, 4);
    loads();
    cr_assert(eq(u64, entry.image_end, 0x120200));
}

Test(multiboot, names_the_image)
{
    config.image_name = "guest.elf";
    config.command_line = NULL;
    image_multiboot_elf(&img);
    loads();
    cr_assert(eq(str, (char *)text(peek(entry.info + 16, 4)), "guest.elf"));
}

TestSuite(flat, .init = begin, .fini = end);

static void flat(vsdk_boot_mode mode, uint64_t address)
{
    memset(img.bytes, 0xf4, 64);
    img.length = 64;
    config.format = VSDK_BOOT_FLAT;
    config.mode = mode;
    config.address = address;
}

Test(flat, modes)
{
    flat(VSDK_BOOT_REAL, 0x7c00);
    config.entry = 0x7c10;
    loads();
    cr_assert(eq(u64, entry.rip, 0x7c10));
    cr_assert(eq(u64, entry.gdt, 0));
    cr_assert(eq(u64, peek(0x7c3f, 2), 0xf4));
    flat(VSDK_BOOT_PROTECTED, 0x200000);
    config.entry = 0;
    loads();
    cr_assert(eq(u64, entry.rip, 0x200000));
    cr_assert(eq(u64, peek(entry.gdt, 8) | peek(entry.gdt + 8, 8), 0));
    cr_assert(eq(u64, peek(entry.gdt + 16, 8), 0x00cf9b000000ffff));
    cr_assert(eq(u64, peek(entry.gdt + 24, 8), 0x00cf93000000ffff));
    cr_assert(eq(u64, entry.page_table, 0));
    flat(VSDK_BOOT_LONG, 0x9000); /* where page tables would go */
    loads();
    cr_assert(ne(u64, entry.page_table, 0x9000));
    cr_assert(eq(u64, peek(entry.page_table, 8), (entry.page_table + 0x1000) | 7));
}

Test(flat, entry_is_in_the_image_and_in_reach)
{
    flat(VSDK_BOOT_PROTECTED, 0x200000);
    config.entry = 0x200040;
    cr_assert(eq(i32, load(), VSDK_ERROR_INVALID_ARGUMENT));
    config.entry = 0x1fffff;
    cr_assert(eq(i32, load(), VSDK_ERROR_INVALID_ARGUMENT));
    flat(VSDK_BOOT_REAL, 0x100000);
    config.entry = 0;
    cr_assert(eq(i32, load(), VSDK_ERROR_INVALID_ARGUMENT));
    flat(VSDK_BOOT_PROTECTED, 0x7fffe0);
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    flat(VSDK_BOOT_PROTECTED, 0xe0000); /* RAM, but the map reserves it */
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
}

Test(flat, an_empty_image_is_called_that)
{
    flat(VSDK_BOOT_REAL, 0x7c00);
    img.length = 0;
    cr_assert(eq(i32, load(), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(str, error.message, (char *)"image: empty"));
    cr_assert(ne(str, error.hint, (char *)""));
}

/* Malformed images: one value changed, and the field that the message must name. */

typedef struct spoiled {
    void (*make)(test_image *);
    uint64_t offset, value;
    uint32_t width;
    vsdk_status status;
    const char *field;
} spoiled;

static const spoiled malformed[] = {
    {image_bzimage, 0x206, 0x20b, 2, VSDK_ERROR_FORMAT, "version"},
    {image_bzimage, 0x201, 0x10, 1, VSDK_ERROR_FORMAT, "jump"},
    {image_bzimage, 0x201, 0xff, 1, VSDK_ERROR_FORMAT, "jump"},
    {image_bzimage, 0x211, 0, 1, VSDK_ERROR_FORMAT, "loadflags"},
    {image_bzimage, 0x236, 0, 2, VSDK_ERROR_FORMAT, "xloadflags"},
    {image_bzimage, 0x1f1, 0xff, 1, VSDK_ERROR_FORMAT, "setup_sects"},
    {image_bzimage, 0x1f1, 3, 1, VSDK_ERROR_FORMAT, "setup_sects"},
    {image_bzimage, 0x1f4, 0x41, 4, VSDK_ERROR_FORMAT, "syssize"},
    {image_bzimage, 0x1f4, 0xffffffff, 4, VSDK_ERROR_FORMAT, "syssize"},
    {image_bzimage, 0x230, 0, 4, VSDK_ERROR_FORMAT, "kernel_alignment"},
    {image_bzimage, 0x230, 0x300000, 4, VSDK_ERROR_FORMAT, "kernel_alignment"},
    {image_bzimage, 0x260, 0xffffffff, 4, VSDK_ERROR_FORMAT, "pref_address"},
    {image_bzimage, 0x260, 0x8000000, 4, VSDK_ERROR_RANGE, "init_size"},
    {image_bzimage, 0x258, UINT64_MAX, 8, VSDK_OK, ""}, /* it can be moved */
    {image_bzimage, 0x22c, 0xfff, 4, VSDK_ERROR_RANGE, "initrd"},
    {image_bzimage, 0x202, 0, 4, VSDK_ERROR_FORMAT, "image"},
    {image_pvh64, 4, 3, 1, VSDK_ERROR_FORMAT, "EI_CLASS"},
    {image_pvh64, P64(0, p_offset), 0x10000, 8, VSDK_ERROR_FORMAT, "p_filesz"},
    {image_pvh64, P64(0, p_offset), UINT64_MAX, 8, VSDK_ERROR_FORMAT, "p_filesz"},
    {image_pvh64, P64(0, p_filesz), UINT64_MAX - 0x3ff, 8, VSDK_ERROR_FORMAT, "p_filesz"},
    {image_pvh64, P64(1, p_filesz), 0x81, 8, VSDK_ERROR_FORMAT, "p_memsz"},
    {image_pvh64, P64(1, p_memsz), UINT64_MAX, 8, VSDK_ERROR_FORMAT, "p_paddr"},
    {image_pvh64, P64(1, p_memsz), 0x8000000, 8, VSDK_ERROR_RANGE, "p_paddr"},
    {image_pvh64, P64(1, p_paddr), 0x100fff, 8, VSDK_ERROR_FORMAT, "p_paddr"},
    {image_pvh64, P64(1, p_paddr), 0x100000, 8, VSDK_ERROR_FORMAT, "p_paddr"},
    {image_pvh64, P64(1, p_paddr), 0x7fffc0, 8, VSDK_ERROR_RANGE, "p_paddr"},
    {image_pvh64, P64(1, p_paddr), 0xfec00000, 8, VSDK_ERROR_RANGE, "p_paddr"},
    {image_pvh64, P64(1, p_paddr), 0xe0000, 8, VSDK_ERROR_RANGE, "p_paddr"},
    {image_pvh64, 0x524, 0x100000 - 1, 4, VSDK_ERROR_FORMAT, "PHYS32_ENTRY"},
    {image_pvh64, 0x524, 0x101000, 4, VSDK_ERROR_FORMAT, "PHYS32_ENTRY"},
    {image_pvh64, 0x518, 0xffffffff, 4, VSDK_ERROR_FORMAT, "image"}, /* n_descsz */
    {image_pvh64, 0x514, 0xffffffff, 4, VSDK_ERROR_FORMAT, "image"}, /* n_namesz */
    {image_pvh64, 0x518, 8, 4, VSDK_ERROR_FORMAT, "image"},
    {image_pvh64, P64(2, p_filesz), 31, 8, VSDK_ERROR_FORMAT, "image"},
    {image_pvh64, P64(2, p_filesz), 39, 8, VSDK_ERROR_FORMAT, "image"},
    {image_pvh64, P64(2, p_offset), UINT64_MAX - 8, 8, VSDK_ERROR_FORMAT, "image"},
    {image_pvh32, P32(1, p_paddr), 0xffffffff, 4, VSDK_ERROR_RANGE, "p_paddr"},
    {image_pvh32, P32(0, p_filesz), 0xffffffff, 4, VSDK_ERROR_FORMAT, "p_filesz"},
    {image_multiboot_elf, 24, 0x100800, 4, VSDK_ERROR_FORMAT, "e_entry"},
    {image_multiboot_elf, 16, ET_REL, 2, VSDK_ERROR_FORMAT, "e_type"},
    {image_multiboot_elf, 18, EM_ARM, 2, VSDK_ERROR_FORMAT, "e_machine"},
    {image_multiboot_elf, 4, 0, 1, VSDK_ERROR_FORMAT, "EI_CLASS"},
    {image_multiboot_elf, 5, 2, 1, VSDK_ERROR_FORMAT, "EI_DATA"},
    {image_multiboot_elf, 0, 0, 1, VSDK_ERROR_FORMAT, "e_ident"},
    {image_multiboot_elf, 42, 31, 2, VSDK_ERROR_FORMAT, "e_phentsize"},
    {image_multiboot_elf, 42, 33, 2, VSDK_ERROR_FORMAT, "e_phentsize"},
    {image_multiboot_elf, 0x208, 0, 4, VSDK_ERROR_FORMAT, "image"}, /* checksum */
    {image_multiboot_elf, 44, 0, 2, VSDK_ERROR_FORMAT, "e_phnum"},
    {image_multiboot_elf, 44, 65, 2, VSDK_ERROR_FORMAT, "e_phnum"},
    {image_multiboot_elf, 28, 0x2f0, 4, VSDK_ERROR_FORMAT, "e_phoff"},
    {image_multiboot_elf, 28, 0xffffffff, 4, VSDK_ERROR_FORMAT, "e_phoff"},
    {image_multiboot_elf, P32(0, p_type), PT_NULL, 4, VSDK_ERROR_FORMAT, "e_entry"},
    {image_multiboot_kludge, 0x11c, 0x11ffff, 4, VSDK_ERROR_FORMAT, "load_addr"},
    {image_multiboot_kludge, 0x11c, 0x120200, 4, VSDK_ERROR_FORMAT, "load_addr"},
    {image_multiboot_kludge, 0x120, 0, 4, VSDK_ERROR_FORMAT, "load_addr"},
    {image_multiboot_kludge, 0x124, 0x11ffff, 4, VSDK_ERROR_FORMAT, "load_end_addr"},
    {image_multiboot_kludge, 0x124, 0x120201, 4, VSDK_ERROR_FORMAT, "load_end_addr"},
    {image_multiboot_kludge, 0x124, 0xffffffff, 4, VSDK_ERROR_FORMAT, "load_end_addr"},
    {image_multiboot_kludge, 0x128, 0x1201ff, 4, VSDK_ERROR_FORMAT, "bss_end_addr"},
    {image_multiboot_kludge, 0x128, 0xffffffff, 4, VSDK_ERROR_RANGE, "load_addr"},
    {image_multiboot_kludge, 0x12c, 0x11ffff, 4, VSDK_ERROR_FORMAT, "entry_addr"},
    {image_multiboot_kludge, 0x12c, 0x120400, 4, VSDK_ERROR_FORMAT, "entry_addr"},
};

TestSuite(hostile, .init = begin, .fini = end);

Test(hostile, fields_are_named)
{
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        const spoiled *s = &malformed[i];

        s->make(&img);
        image_put(&img, s->offset, s->value, s->width);
        cr_assert(eq(i32, load(), s->status), "row %zu, %s: %s", i, s->field, error.message);
        cr_assert(zero(strncmp(error.message, s->field, strlen(s->field))), "row %zu, %s: %s", i,
                  s->field, error.message);
    }
}

static void (*const makers[])(test_image *) = {image_bzimage, image_pvh64, image_pvh32,
                                               image_multiboot_elf, image_multiboot_kludge};

Test(hostile, cut_anywhere)
{
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
        uint32_t whole;

        makers[m](&img);
        whole = img.length;
        for (img.length = 0; img.length < whole; img.length++) {
            vsdk_status status = load();

            cr_assert(status == VSDK_OK || status == VSDK_ERROR_FORMAT, "%zu at %u: %s", m,
                      img.length, error.message);
        }
    }
}

Test(hostile, any_byte_anything)
{
    static const uint8_t value[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++)
        for (uint32_t at = 0; at < 0x540; at++)
            for (size_t v = 0; v < sizeof value; v++) {
                vsdk_status status;

                makers[m](&img);
                img.bytes[at] = value[v];
                status = load();
                cr_assert(status == VSDK_OK || status == VSDK_ERROR_FORMAT ||
                          status == VSDK_ERROR_RANGE || status == VSDK_ERROR_LIMIT);
            }
}

static int in_map(uint64_t start, uint64_t length)
{
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (map[i].type == VSDK_MEMORY_RAM && start >= map[i].address && length <= map[i].length &&
            start - map[i].address <= map[i].length - length)
            return 1;
    return 0;
}

/* An image that was loaded begins in what was loaded, and every structure is in RAM. */
static void check_loaded(void)
{
    cr_assert(entry.rip >= entry.image_start && entry.rip < entry.image_end);
    cr_assert(in_map(entry.initrd, 7));
    cr_assert(in_map(entry.info, 0x1000));
    cr_assert(in_map(entry.rsp - 0xff0, 0x1000));
    cr_assert(in_map(entry.gdt, 32));
    cr_assert(entry.mode != VSDK_BOOT_LONG || in_map(entry.page_table, 0x6000));
}

/* Every field of every width at its edges, and at those of the image and of RAM. */
Test(hostile, any_field_anything)
{
    static const uint64_t value[] = {
        0,          1,           0xffff,          0x7fffffff,     0x80000000,
        0xffffffff, 0x100000000, UINT64_MAX >> 1, UINT64_MAX - 1, UINT64_MAX,
        0x9ffff,    0xa0000,     0xe1fff,         0x7fffff,       0x800000};
    enum { VALUES = sizeof value / sizeof *value };

    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++)
        for (uint32_t at = 0; at < 0x290; at += 2)
            for (uint32_t n = 0; n < 3 * (VALUES + 3); n++) {
                uint32_t width = 2u << n % 3, v = n / 3;
                vsdk_status status;

                makers[m](&img);
                image_put(&img, at, v < VALUES ? value[v] : img.length + v - VALUES - 1, width);
                status = load();
                if (status == VSDK_OK)
                    check_loaded();
                else
                    cr_assert(strchr(error.message, ':') &&
                                  (status == VSDK_ERROR_FORMAT || status == VSDK_ERROR_RANGE ||
                                   status == VSDK_ERROR_LIMIT),
                              "%zu at 0x%x: %s", m, at, error.message);
            }
}

Test(hostile, formats_asked_for)
{
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++)
        for (uint32_t format = VSDK_BOOT_BZIMAGE; format <= VSDK_BOOT_MULTIBOOT; format++) {
            makers[m](&img);
            config.format = format;
            load();
            for (img.length = 0; img.length < 0x60; img.length++)
                cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
        }
}

/* A read of memory that nobody has written maps the host's zero page, and each large page that it
 * lies in is split by the first write. */
Test(hostile, nothing_of_the_guest_is_read)
{
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
        makers[m](&img);
        reads = 0;
        loads();
        cr_assert(eq(u32, reads, 0));
    }
}

static void fails_at(const char *field)
{
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    cr_assert(zero(strncmp(error.message, field, strlen(field))), "%s, not %s", error.message,
              field);
}

Test(hostile, fields_that_take_more_than_one_change)
{
    image_bzimage(&img);
    image_put(&img, 0x202, 0, 4);
    config.format = VSDK_BOOT_BZIMAGE;
    fails_at("header:");
    image_bzimage(&img);
    image_put(&img, 0x1f4, 0x200 / 16, 4);
    img.length = 1024 + 0x200; /* up to its entry, but not with it */
    fails_at("syssize:");
    config.format = VSDK_BOOT_AUTO;
    image_multiboot_elf(&img);
    image_put(&img, 0x204, 3 | 8, 4);
    image_put(&img, 0x208, -(0x1badb002u + (3 | 8)), 4);
    fails_at("flags:");
    image_put(&img, 0x204, 0x20003, 4); /* not required: ignored */
    image_put(&img, 0x208, -(0x1badb002u + 0x20003), 4);
    loads();
    image_pvh64(&img);
    image_put(&img, P64(0, p_type), PT_NULL, 4);
    image_put(&img, P64(1, p_type), PT_NULL, 4);
    fails_at("PHYS32_ENTRY:");
}

TestSuite(load, .init = begin, .fini = end);

Test(load, probes)
{
    static const vsdk_boot_format want[] = {VSDK_BOOT_BZIMAGE, VSDK_BOOT_PVH, VSDK_BOOT_PVH,
                                            VSDK_BOOT_MULTIBOOT, VSDK_BOOT_MULTIBOOT};
    vsdk_boot_format format;

    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
        makers[m](&img);
        cr_assert(eq(i32, vsdk_boot_probe(img.bytes, img.length, &format, NULL), VSDK_OK));
        cr_assert(eq(u32, format, want[m]));
    }
    cr_assert(eq(i32, vsdk_boot_probe("x", 1, &format, NULL), VSDK_OK));
    cr_assert(eq(u32, format, VSDK_BOOT_AUTO));
    cr_assert(eq(i32, vsdk_boot_probe(NULL, 0, &format, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_probe("x", 1, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}

Test(load, output_that_is_too_small_loads_nothing)
{
    image_bzimage(&img);
    config.image = img.bytes;
    config.image_length = img.length;
    entry.size = 8;
    cr_assert(eq(i32, vsdk_boot_load(&vm, &config, &entry, &error), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(u64, peek(0x7000 + 0x1fe, 2), 0));
}

Test(load, checks_its_configuration)
{
    const vsdk_memory_range wrong[] = {{0x1000, 0x2000, 1, 0}, {0x2000, 0x1000, 1, 0}};
    const vsdk_memory_range wraps[] = {{0x1000, UINT64_MAX, 1, 0}};
    const vsdk_boot_module empty = {"x", 0, NULL}, lost = {NULL, 1, NULL};
    vsdk_boot_config good, c;

    image_bzimage(&img);
    loads();
    config.image = img.bytes;
    good = config;
#define REFUSES(change, status)                                                                    \
    do {                                                                                           \
        c = good;                                                                                  \
        change;                                                                                    \
        cr_assert(eq(i32, vsdk_boot_load(&vm, &c, &entry, &error), status));                       \
    } while (0)
    REFUSES(c.image = NULL, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.initrd = NULL, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.format = 5, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.mode = 3, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.memory = NULL, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.memory_count = 33, VSDK_ERROR_LIMIT);
    REFUSES((c.memory = wrong, c.memory_count = 2), VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES((c.memory = wraps, c.memory_count = 1), VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.flags = 4, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.reserved[0] = 1, VSDK_ERROR_UNSUPPORTED);
    REFUSES(c.reserved[1] = 1, VSDK_ERROR_UNSUPPORTED);
    REFUSES(c.module_count = 65, VSDK_ERROR_LIMIT);
    REFUSES(c.module_count = 1, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES((c.modules = &empty, c.module_count = 1), VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES((c.modules = &lost, c.module_count = 1), VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(entry.size = 8, VSDK_ERROR_INVALID_ARGUMENT);
    entry.size = sizeof entry;
    cr_assert(eq(i32, vsdk_boot_load(NULL, &c, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_load(&vm, NULL, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_load(&vm, &c, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}

/* What is no kernel for x86 is told what it is. */
TestSuite(unknown, .init = begin, .fini = end);

static void make_elf(uint8_t class, uint8_t data, uint16_t type, uint16_t machine)
{
    image_pvh64(&img);
    image_put(&img, P64(2, p_type), PT_NULL, 4);
    img.bytes[EI_CLASS] = class;
    img.bytes[EI_DATA] = data;
    if (data == ELFDATA2MSB) {
        type = (uint16_t)(type << 8 | type >> 8);
        machine = (uint16_t)(machine << 8 | machine >> 8);
    }
    image_put(&img, 16, type, 2);
    image_put(&img, 18, machine, 2);
}

static void is_told(const char *what)
{
    vsdk_boot_format format = VSDK_BOOT_FLAT;

    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    cr_assert(zero(strncmp(error.message, "image: ", 7)), "%s", error.message);
    cr_assert(strstr(error.message, what) != NULL, "%s, not %s", error.message, what);
    cr_assert(ne(str, error.hint, (char *)""), "%s", what);
    cr_assert(lt(sz, strlen(error.hint), sizeof error.hint - 1), "%s is cut", error.hint);
    if (img.length)
        vsdk_boot_probe(img.bytes, img.length, &format, NULL);
    cr_assert(img.length == 0 || format == VSDK_BOOT_AUTO);
}

Test(unknown, elf_of_another_machine)
{
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_EXEC, 183);
    is_told("ELF of 64 bits for machine 183 (64-bit Arm, AArch64)");
    make_elf(ELFCLASS32, ELFDATA2LSB, ET_EXEC, 40);
    is_told("ELF of 32 bits for machine 40 (32-bit Arm)");
    make_elf(ELFCLASS64, ELFDATA2MSB, ET_EXEC, 22);
    is_told("ELF of 64 bits, big-endian, for machine 22 (S/390)");
    make_elf(ELFCLASS64, ELFDATA2MSB, ET_EXEC, 999);
    is_told("ELF of 64 bits, big-endian, for machine 999, not for x86");
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_EXEC, 999);
    is_told("for machine 999, not for x86");
}

Test(unknown, elf_for_x86)
{
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_EXEC, EM_X86_64);
    is_told("neither a PVH entry note nor a multiboot header");
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_REL, EM_X86_64);
    is_told("object file");
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_CORE, EM_X86_64);
    is_told("core dump");
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_X86_64);
    image_put(&img, P64(2, p_type), PT_INTERP, 4);
    is_told("program for an operating system");
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_EXEC, EM_X86_64);
    image_put(&img, 0x400, 0xe85250d6, 4);
    is_told("multiboot 2");
    image_pvh64(&img);
    image_put(&img, 0x51c, 1, 4); /* the entry's note becomes another one of Xen's */
    is_told("Xen PV kernel");
    make_elf(ELFCLASS64, ELFDATA2LSB, ET_EXEC, EM_X86_64);
    image_put(&img, 56, 65, 2); /* program headers: more than are looked at */
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    cr_assert(zero(strncmp(error.message, "e_phnum:", 8)), "%s", error.message);
}

Test(unknown, known_beginnings)
{
    static const struct {
        uint32_t at, length;
        const char *magic, *what;
    } row[] = {{56, 4, "ARM\x64", "arm64"},
               {56, 4, "RSC\x05", "RISC-V"},
               {36, 4, "\x18\x28\x6f\x01", "zImage"},
               {0, 2, "\x1f\x8b", "gzip"},
               {0, 6, "\xfd\x37zXZ\0", "xz"},
               {0, 4, "\x28\xb5\x2f\xfd", "zstd"},
               {0, 4, "\x02\x21\x4c\x18", "lz4"},
               {0, 4, "\x04\x22\x4d\x18", "lz4"},
               {0, 3, "\x5d\0\0", "lzma"},
               {0, 3, "BZh", "bzip2"},
               {0, 5, "070701", "cpio"},
               {0, 4, "QFI\xfb", "qcow2"},
               {0, 4, "KDMV", "VMDK"},
               {0, 8, "vhdxfile", "VHDX"},
               {510, 2, "\x55\xaa", "boot sector"},
               {0, 2, "MZ", "EFI"},
               {0, 4, "\x27\x05\x19\x56", "U-Boot"},
               {0, 4, "\xd0\x0d\xfe\xed", "device tree"},
               {0, 2, "#!", "script"}};

    for (size_t n = 0; n < sizeof row / sizeof *row; n++) {
        memset(&img, 0x90, sizeof img);
        img.length = 1024;
        memcpy(img.bytes + row[n].at, row[n].magic, row[n].length);
        is_told(row[n].what);
        img.length = row[n].at + row[n].length - 1; /* cut: no longer that */
        is_told(img.length ? "neither" : "empty");
    }
    memset(&img, 0x90, sizeof img); /* an arm64 kernel that is an EFI program too */
    img.length = 1024;
    memcpy(img.bytes, "MZ", 2);
    memcpy(img.bytes + 56, "ARM\x64", 4);
    is_told("arm64");
}

Test(unknown, nothing_known)
{
    img.length = 16;
    memset(img.bytes, 0, 16);
    is_told("neither a bzImage, nor ELF with a PVH entry, nor multiboot");
    cr_assert(strstr(error.hint, "flat") != NULL, "%s", error.hint);
    img.length = 0;
    is_told("empty");
}

Test(load, without_a_memory_map)
{
    config.memory = NULL;
    config.memory_count = 0;
    config.initrd_length = 0;
    image_pvh64(&img);
    loads();
    image_put(&img, P64(1, p_paddr), 0xb0000, 8);
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
    config.initrd_length = 7;
    image_pvh64(&img);
    cr_assert(eq(i32, load(), VSDK_ERROR_RANGE));
}

TestSuite(apply, .init = begin, .fini = end);

Test(apply, long_mode)
{
    vsdk_vcpu *cpu = &vm.vcpu[0];

    image_bzimage(&img);
    loads();
    cpu->sregs.cr2 = 0x1234;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_OK));
    cr_assert(eq(u64, cpu->sregs.cr2, 0));
    cr_assert(eq(u64, cpu->regs.rip, 0x100200));
    cr_assert(eq(u64, cpu->regs.rsi, 0x7000));
    cr_assert(eq(u64, cpu->regs.rflags, 2));
    cr_assert(eq(u16, cpu->sregs.cs.selector, 0x10));
    cr_assert(eq(u16, cpu->sregs.cs.access, 0xa09b));
    cr_assert(eq(u16, cpu->sregs.ss.access, 0xc093));
    cr_assert(eq(u64, cpu->sregs.cr0, 0x80050033));
    cr_assert(eq(u64, cpu->sregs.cr3, 0x9000));
    cr_assert(eq(u64, cpu->sregs.efer, 0x500));
    cr_assert(eq(u64, cpu->sregs.gdt.base, 0x6000));
}

Test(apply, protected_and_real_mode)
{
    vsdk_vcpu *cpu = &vm.vcpu[0];

    entry = (vsdk_boot_entry){
        .size = sizeof entry, .mode = VSDK_BOOT_PROTECTED, .rip = 0x123456, .gdt = 0x6000};
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_OK));
    cr_assert(eq(u64, cpu->sregs.cr0, 0x11));
    cr_assert(eq(u16, cpu->sregs.cs.access, 0xc09b));
    entry.mode = VSDK_BOOT_REAL;
    entry.rip = 0xffff0;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_OK));
    cr_assert(eq(u16, cpu->sregs.cs.selector, 0xf000));
    cr_assert(eq(u64, cpu->sregs.cs.base, 0xf0000));
    cr_assert(eq(u64, cpu->regs.rip, 0xfff0));
    cr_assert(eq(u64, cpu->sregs.cr0, 0x10));
}

Test(apply, checks)
{
    vsdk_vcpu *cpu = &vm.vcpu[0];

    entry.mode = 3;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    entry.mode = 0;
    entry.flags = 1;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    entry.flags = 0;
    entry.reserved[1] = 1;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_ERROR_UNSUPPORTED));
    entry.size = 16;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_apply(NULL, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_apply(cpu, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}
