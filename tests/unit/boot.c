/* The loaders: what valid images become, and what malformed ones are told. */
#include "fake.h"
#include "images.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

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
    cr_assert(eq(u64, peek(0x7010, 8), 0x7100));
    cr_assert(eq(u64, peek(0x7018, 8), 0x20000));
    cr_assert(eq(u64, peek(0x7020, 8), 0xe0000));
    cr_assert(eq(u64, peek(0x7028, 8), 0x7200));
    cr_assert(eq(u64, peek(0x7030, 4), 3));
    cr_assert(eq(u64, peek(0x7100, 8), entry.initrd));
    cr_assert(eq(u64, peek(0x7108, 8), 7));
    cr_assert(eq(u64, peek(0x7218, 8), 0xe0000));
    cr_assert(eq(u64, peek(0x7228, 4), 2));
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

TestSuite(multiboot, .init = begin, .fini = end);

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
    cr_assert(eq(u64, peek(entry.gdt + 16, 8), 0x00cf9b000000ffff));
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

/* Malformed images: one value changed, and the field that the message must name. */

typedef struct spoiled {
    void (*make)(test_image *);
    uint64_t offset, value;
    uint32_t width;
    vsdk_status status;
    const char *field;
} spoiled;

#define P64(n, field) (sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field))
#define P32(n, field) (sizeof(Elf32_Ehdr) + (n) * sizeof(Elf32_Phdr) + offsetof(Elf32_Phdr, field))

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
    {image_bzimage, 0x260, 0x8000000, 4, VSDK_ERROR_RANGE, "pref_address"},
    {image_bzimage, 0x258, UINT64_MAX, 8, VSDK_OK, ""}, /* it can be moved */
    {image_bzimage, 0x22c, 0xfff, 4, VSDK_ERROR_RANGE, "initrd"},
    {image_bzimage, 0x202, 0, 4, VSDK_ERROR_FORMAT, "image"},
    {image_pvh64, 4, 3, 1, VSDK_ERROR_FORMAT, "image"}, /* probed, so only the first look counts */
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

Test(load, checks_its_configuration)
{
    const vsdk_memory_range wrong[] = {{0x1000, 0x2000, 1, 0}, {0x2000, 0x1000, 1, 0}};
    const vsdk_memory_range wraps[] = {{0x1000, UINT64_MAX, 1, 0}};
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
    REFUSES(c.flags = 1, VSDK_ERROR_INVALID_ARGUMENT);
    REFUSES(c.reserved2[2] = 1, VSDK_ERROR_UNSUPPORTED);
    REFUSES(entry.size = 8, VSDK_ERROR_INVALID_ARGUMENT);
    entry.size = sizeof entry;
    cr_assert(eq(i32, vsdk_boot_load(NULL, &c, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_load(&vm, NULL, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_load(&vm, &c, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}

Test(load, says_what_flat_needs)
{
    img.length = 16;
    memset(img.bytes, 0, 16);
    cr_assert(eq(i32, load(), VSDK_ERROR_FORMAT));
    cr_assert(ne(str, error.hint, (char *)""));
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
    entry.reserved[1] = 1;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_ERROR_UNSUPPORTED));
    entry.size = 16;
    cr_assert(eq(i32, vsdk_boot_apply(cpu, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_apply(NULL, &entry, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_boot_apply(cpu, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}
