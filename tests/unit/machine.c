/* SPDX-License-Identifier: Apache-2.0 */
/* The machine on the fake: memory map, tables, which devices it makes. */
#include "fake.h"
#include "images.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AREA = 0x2000, AREA_PCI = 0x3000 };

static vsdk_vm vm;
static vsdk_host host = {&vm};
static vsdk_pc *pc;
static vsdk_irqchip irqchip; /* of the machines that makes() makes */
static uint32_t vcpus, flags;
static uint8_t area[AREA_PCI];
static uint32_t released[2]; /* ends of streams that were given to a machine */

static void begin(void)
{
    memset(&vm, 0, sizeof vm);
    memset(released, 0, sizeof released);
    irqchip = VSDK_IRQCHIP_PORTABLE;
    vcpus = 2;
    flags = 0;
    pc = NULL;
}

static void end(void)
{
    vsdk_pc_close(pc);
    cr_assert(eq(u32, vm.devices, 0));
    cr_assert(eq(u32, vm.rams, 0));
    cr_assert(zero(fake_leaks()));
}

/* The embedder's end: closed when the other one is. */
static void stream_happened(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    if (!(events & VSDK_STREAM_ENDED))
        return;
    released[(uintptr_t)user]++;
    vsdk_stream_close(stream);
}

static vsdk_stream *stream(uintptr_t which)
{
    vsdk_stream *near, *far;

    cr_assert(eq(i32, vsdk_stream_create(NULL, &near, &far, NULL), VSDK_OK));
    cr_assert(eq(i32, vsdk_stream_set_handler(near, stream_happened, (void *)which, NULL, NULL),
                 VSDK_OK));
    return far;
}

/* The machine takes references of its own. */
static vsdk_status make_with(vsdk_pc_config *config)
{
    config->serial = stream(0);
    config->debug_output = stream(1);
    vsdk_status status = vsdk_pc_create(&host, config, &pc, NULL);
    vsdk_stream_close(config->serial);
    vsdk_stream_close(config->debug_output);
    return status;
}

static vsdk_status make(uint64_t memory)
{
    vsdk_pc_config config = {.size = sizeof config,
                             .flags = flags,
                             .memory = memory,
                             .irqchip = irqchip,
                             .vcpus = vcpus};

    return make_with(&config);
}

static void makes(void)
{
    cr_assert(eq(i32, make(4 << 20), VSDK_OK));
}

/* Writes the tables, and reads them. */
static void boots(void)
{
    const vsdk_boot_config config = {.size = sizeof config,
                                     .format = VSDK_BOOT_FLAT,
                                     .image = "\xf4",
                                     .image_length = 1,
                                     .address = 0x8000};

    cr_assert(eq(i32, vsdk_pc_boot(pc, &config, NULL), VSDK_OK));
    vsdk_vm_read(&vm, 0xe0000, area, AREA_PCI, NULL);
}

static void makes_and_boots(void)
{
    makes();
    boots();
}

static uint64_t value(uint32_t offset, uint32_t width)
{
    uint64_t v = 0;

    memcpy(&v, area + offset, width);
    return v;
}

static uint8_t sum(uint32_t offset, uint64_t length)
{
    uint8_t s = 0;

    cr_assert(offset + length <= AREA_PCI);
    while (length--)
        s += area[offset++];
    return s;
}

static uint64_t fnv(const void *bytes, uint64_t length)
{
    const uint8_t *b = bytes;
    uint64_t h = 0xcbf29ce484222325;

    while (length--)
        h = (h ^ *b++) * 0x100000001b3;
    return h;
}

TestSuite(tables, .init = begin, .fini = end);

Test(tables, checksums)
{
    static const struct {
        vsdk_irqchip irqchip;
        uint32_t vcpus;
    } row[] = {{VSDK_IRQCHIP_PORTABLE, 1},
               {VSDK_IRQCHIP_PORTABLE, 127},
               {VSDK_IRQCHIP_KERNEL, 4},
               {VSDK_IRQCHIP_KERNEL, 127}};
    static const uint32_t table[] = {0x40, 0x80, 0x200, 0x1000};
    static const char *const signature[] = {"XSDT", "FACP", "APIC", "DSDT"};

    for (size_t i = 0; i < 4; i++) {
        irqchip = row[i].irqchip;
        vcpus = row[i].vcpus;
        makes_and_boots();
        cr_assert(zero(memcmp(area, "RSD PTR ", 8)));
        cr_assert(eq(u8, sum(0, 20), 0));
        cr_assert(eq(u8, sum(0, 36), 0));
        for (size_t t = 0; t < 4; t++) {
            cr_assert(zero(memcmp(area + table[t], signature[t], 4)));
            cr_assert(eq(u8, sum(table[t], value(table[t] + 4, 4)), 0));
        }
        cr_assert(eq(u64, value(24, 8), 0xe0040));
        cr_assert(eq(u64, value(0x40 + 36, 8), 0xe0080));
        cr_assert(eq(u64, value(0x40 + 44, 8), 0xe0200));
        cr_assert(eq(u64, value(0x80 + 140, 8), 0xe1000));
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

Test(tables, hardware_reduced)
{
    makes_and_boots();
    cr_assert(eq(u64, value(0x80 + 112, 4), 0x100471));
    cr_assert(eq(u64, value(0x80 + 109, 2), 0x04));
    cr_assert(eq(u64, value(0x80 + 36, 4), 0));
    cr_assert(eq(u64, value(0x1c0, 8), 0));
    cr_assert(eq(u64, value(0x80 + 244, 4), 0x01000801));
    cr_assert(eq(u64, value(0x80 + 248, 8), 0x600));
    cr_assert(eq(u64, value(0x80 + 260, 8), 0x601));
    cr_assert(eq(u64, value(0x80 + 120, 8), 0x602));
    cr_assert(eq(u64, value(0x80 + 128, 1), 1));
    cr_assert(eq(u64, value(0x200 + 40, 4), 0));
    cr_assert(eq(u64, value(0x200 + 44, 8), 0x100000800));
    cr_assert(eq(u64, value(0x200 + 52, 8), 0x102010800));
    cr_assert(eq(u64, value(0x200 + 60, 4), 0x00010c01));
    cr_assert(eq(u64, value(0x200 + 64, 4), 0xfec00000));
    cr_assert(eq(u64, value(0x204, 4), 72));
}

Test(tables, fixed_hardware)
{
    irqchip = VSDK_IRQCHIP_KERNEL;
    makes_and_boots();
    cr_assert(eq(u64, value(0x80 + 112, 4), 0x571));
    cr_assert(eq(u64, value(0x80 + 109, 2), 0x05));
    cr_assert(eq(u64, value(0x80 + 46, 2), 9));
    cr_assert(eq(u64, value(0x80 + 64, 4), 0xb004));
    cr_assert(eq(u64, value(0x80 + 120, 8), 0xb00c));
    cr_assert(eq(u64, value(0x200 + 40, 4), 1));
    cr_assert(eq(u64, value(0x200 + 72, 8), 0x200000a02));
    cr_assert(eq(u64, value(0x200 + 82, 8), 0x909000a02));
}

/* Hardware that is not reduced has a FACS: aligned to 64 bytes, without a checksum. */
Test(tables, fixed_hardware_has_a_facs)
{
    uint64_t at;

    irqchip = VSDK_IRQCHIP_KERNEL;
    vcpus = 127;
    makes_and_boots();
    at = value(0x80 + 36, 4);
    cr_assert(eq(u64, at, 0xe01c0));
    cr_assert(eq(u64, value(0x80 + 132, 8), 0)); /* one of the two addresses only */
    at -= 0xe0000;
    cr_assert(zero(memcmp(area + at, "FACS", 4)));
    cr_assert(eq(u64, value((uint32_t)at + 4, 4), 64));
    cr_assert(eq(u64, value((uint32_t)at + 32, 1), 2));
    for (uint32_t i = 8; i < 64; i += 8)
        cr_assert(eq(u64, value((uint32_t)at + i, 8), i == 32 ? 2 : 0));
    cr_assert(at >= 0x80 + value(0x84, 4) && at + 64 <= 0x200);
}

/* Known bytes: a change here changes what every guest of the portable machine sees. */
Test(tables, portable_bytes_stay)
{
    makes_and_boots();
    cr_assert(eq(u64, fnv(area, AREA), 0x4a5f6d54af02ebfb), "now %016llx",
              (unsigned long long)fnv(area, AREA));
}

static void dsdt_is(const char *name)
{
    const char *source = getenv("VSDK_SOURCE_ROOT");
    char command[512], folder[] = "/tmp/vsdk-dsdt-XXXXXX", path[64];
    uint8_t aml[4096];
    size_t length;
    FILE *file;

    if (!source || system("command -v iasl >/dev/null 2>&1"))
        cr_skip("no iasl here");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(command, sizeof command, "iasl -p %s/dsdt %s/lib/machine/%s >/dev/null 2>&1", folder,
             source, name);
    cr_assert(zero(system(command)));
    snprintf(path, sizeof path, "%s/dsdt.aml", folder);
    file = fopen(path, "rb");
    cr_assert(file != NULL);
    length = fread(aml, 1, sizeof aml, file);
    fclose(file);
    remove(path);
    remove(folder);
    makes_and_boots();
    cr_assert(eq(u64, value(0x1004, 4), length));
    cr_assert(zero(memcmp(area + 0x1000 + 36, aml + 36, length - 36)));
}

Test(tables, dsdt_is_its_source)
{
    dsdt_is("dsdt.asl");
}

Test(tables, dsdt_with_pci_is_its_source)
{
    flags = VSDK_PC_PCI;
    dsdt_is("dsdt_pci.asl");
}

/* The configuration space of bus 0, and a table of tables that has moved. */
Test(tables, tell_of_pci)
{
    static const uint8_t mcfg[] = {0, 0, 0, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const vsdk_irqchip kinds[] = {VSDK_IRQCHIP_PORTABLE, VSDK_IRQCHIP_KERNEL};
    const vsdk_pc_node node = {.hid = "LNRO0005", .uid = 3};
    uint64_t plain[2];

    for (unsigned i = 0; i < 4; i++) {
        irqchip = kinds[i % 2];
        flags = i < 2 ? 0 : VSDK_PC_PCI;
        makes();
        cr_assert(eq(i32, vsdk_pc_add_node(pc, &node, NULL), VSDK_OK));
        boots();
        uint32_t at = (uint32_t)value(24, 8) - 0xe0000, entries = flags ? 4 : 3;
        cr_assert(eq(u32, at, flags ? 0xf80 : 0x40));
        cr_assert(eq(u64, value(at + 4, 4), 36 + 8 * entries));
        for (uint32_t n = 0; n < entries; n++) {
            uint32_t table = (uint32_t)value(at + 36 + 8 * n, 8) - 0xe0000;
            cr_assert(zero(sum(table, value(table + 4, 4))));
        }
        cr_assert(zero(sum(at, value(at + 4, 4))));
        if (flags) {
            cr_assert(zero(memcmp(area + 0xf00, "MCFG", 4)));
            cr_assert(zero(memcmp(area + 0xf00 + 44, mcfg, sizeof mcfg)));
            cr_assert(eq(u64, fnv(area + 0x200, 0x400), plain[i % 2]), "the rest stays");
        }
        plain[i % 2] = fnv(area + 0x200, 0x400);
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

static void run_iasl(const char *folder, const char *arguments)
{
    char command[512];

    snprintf(command, sizeof command, "cd %s && iasl %s >/dev/null 2>&1", folder, arguments);
    cr_assert(zero(system(command)), "%s", command);
}

/* What the ACPI compiler reads out of a table makes the same table again, but for the compiler's
 * name, its version and with them the checksum. */
static void disassembles(const char *folder, uint32_t at)
{
    uint32_t length = (uint32_t)value(at + 4, 4);
    uint8_t again[AREA_PCI];
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/t.aml", folder);
    file = fopen(path, "wb");
    cr_assert(file && fwrite(area + at, 1, length, file) == length);
    fclose(file);
    run_iasl(folder, "-d t.aml");
    run_iasl(folder, "-we -p t t.dsl");
    file = fopen(path, "rb");
    cr_assert(file && fread(again, 1, sizeof again, file) == length);
    fclose(file);
    again[9] = area[at + 9];
    memcpy(again + 28, area + at + 28, 8);
    cr_assert(zero(memcmp(again, area + at, length)), "%.4s", (char *)area + at);
    remove(path);
    snprintf(path, sizeof path, "%s/t.dsl", folder);
    remove(path);
}

Test(tables, are_what_the_acpi_compiler_makes)
{
    static const uint32_t table[] = {0x80, 0x200, 0x1000, 0x40}, counts[] = {1, 127};
    static const uint32_t with_pci[] = {0x80, 0x200, 0x1000, 0xf00, 0xf80};
    char folder[] = "/tmp/vsdk-acpi-XXXXXX";

    if (system("command -v iasl >/dev/null 2>&1"))
        cr_skip("no iasl here");
    cr_assert(mkdtemp(folder) != NULL);
    for (uint32_t i = 0; i < 4; i++) {
        irqchip = i & 1 ? VSDK_IRQCHIP_KERNEL : VSDK_IRQCHIP_PORTABLE;
        vcpus = counts[i / 2];
        makes_and_boots();
        for (size_t t = 0; t < sizeof table / sizeof *table; t++)
            disassembles(folder, table[t]);
        vsdk_pc_close(pc);
        pc = NULL;
    }
    flags = VSDK_PC_PCI;
    makes_and_boots();
    for (size_t t = 0; t < sizeof with_pci / sizeof *with_pci; t++)
        disassembles(folder, with_pci[t]);
    remove(folder);
}

Test(tables, name_every_processor_once)
{
    uint32_t entries = 0;

    vcpus = 127;
    makes_and_boots();
    for (uint32_t at = 0x200 + 44; at < 0x200 + value(0x204, 4); at += (uint32_t)value(at + 1, 1)) {
        if (value(at, 1) == 0) {
            cr_assert(eq(u64, value(at + 2, 1), entries));
            cr_assert(eq(u64, value(at + 3, 1), 2 * entries));
            cr_assert(eq(u64, value(at + 4, 4), 1));
            entries++;
        } else {
            cr_assert(eq(u64, value(at, 1), 1));
            cr_assert(eq(u64, value(at + 2, 1) & 1, 1)); /* an id that no local APIC has */
        }
    }
    cr_assert(eq(u32, entries, 127));
}

TestSuite(memory, .init = begin, .fini = end);

static void map_is(const vsdk_memory_range *want, uint32_t count)
{
    vsdk_memory_range map[8];
    uint32_t needed = 0;

    cr_assert(eq(i32, vsdk_pc_get_memory_map(pc, map, 8, &needed, NULL), VSDK_OK));
    cr_assert(eq(u32, needed, count));
    cr_assert(zero(memcmp(map, want, count * sizeof *map)));
}

Test(memory, small)
{
    const vsdk_memory_range want[] = {{0, 0xa0000, 1, 0},
                                      {0xe0000, 0x2000, 2, 0},
                                      {0x100000, 0x300000, 1, 0},
                                      {0xfeff8000, 0x8000, 2, 0}};

    makes();
    map_is(want, 4);
    cr_assert(eq(u32, vm.blocks, 1));
    cr_assert(eq(u64, vm.block[0].length, 4 << 20));
}

/* Two ranges more, that nobody can claim; and the devices that serve them. */
Test(memory, with_pci)
{
    const vsdk_memory_range want[] = {{0, 0xa0000, 1, 0},
                                      {0xe0000, 0x3000, 2, 0},
                                      {0x100000, 0x300000, 1, 0},
                                      {0xe0000000, 0x100000, 2, 0},
                                      {0xfeff8000, 0x8000, 2, 0}};
    uint64_t got;

    makes();
    cr_assert(eq(i32, vsdk_pc_claim(pc, VSDK_PC_MEMORY, 0xc0000000, 1, &got, NULL), VSDK_OK));
    cr_assert(eq(ptr, vsdk_pc_device(pc, VSDK_PC_PCI_HOST), NULL));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x620, 4), 0));
    vsdk_pc_close(pc);
    pc = NULL;
    flags = VSDK_PC_PCI;
    makes();
    map_is(want, 5);
    cr_assert(
        eq(i32, vsdk_pc_claim(pc, VSDK_PC_MEMORY, 0xc0000000, 1, &got, NULL), VSDK_ERROR_EXISTS));
    cr_assert(
        eq(i32, vsdk_pc_claim(pc, VSDK_PC_MEMORY, 0xe00ff000, 1, &got, NULL), VSDK_ERROR_EXISTS));
    cr_assert(vsdk_pc_device(pc, VSDK_PC_PCI_HOST) && vsdk_pc_device(pc, VSDK_PC_GED));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_MMIO, 0xe0000000, 4), UINT32_MAX));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x620, 4), 0));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x624, 4), 0));
    vsdk_pc_close(pc);
    pc = NULL;
    irqchip = VSDK_IRQCHIP_NONE;
    cr_assert(eq(i32, make(4 << 20), VSDK_ERROR_UNSUPPORTED));
}

/* A large page does not reach across the end of a mapping: the portable machine has one below 3
 * GiB. The others keep the place free where a PC has its screen. */
Test(memory, hole_below_1_mib_is_not_in_the_portable_machine)
{
    static const vsdk_irqchip others[] = {VSDK_IRQCHIP_KERNEL, VSDK_IRQCHIP_NONE};

    for (size_t n = 0; n < 2; n++) {
        irqchip = others[n];
        makes();
        cr_assert(eq(u32, vm.blocks, 2));
        cr_assert(eq(u64, vm.block[0].length, 0xa0000));
        cr_assert(eq(u64, vm.block[1].gpa, 0xc0000));
        cr_assert(eq(u64, vm.block[1].offset, 0xc0000));
        cr_assert(eq(u64, vm.block[1].length, 0x340000));
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

static uint64_t word(uint64_t gpa)
{
    uint16_t w = 0;

    cr_assert(eq(i32, vsdk_vm_read(&vm, gpa, &w, sizeof w, NULL), VSDK_OK));
    return w;
}

Test(memory, has_a_bios_data_area)
{
    static const vsdk_irqchip machines[] = {VSDK_IRQCHIP_PORTABLE, VSDK_IRQCHIP_KERNEL};

    for (size_t n = 0; n < 2; n++) {
        irqchip = machines[n];
        makes_and_boots();
        cr_assert(eq(u64, word(0x400), 0x3f8));
        cr_assert(eq(u64, word(0x402), 0));
        cr_assert(eq(u64, word(0x40e), 0));
        cr_assert(eq(u64, word(0x410), 0x202));
        cr_assert(eq(u64, word(0x413), 640));
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

Test(memory, splits_above_3_gib)
{
    const vsdk_memory_range want[] = {{0, 0xa0000, 1, 0},
                                      {0xe0000, 0x2000, 2, 0},
                                      {0x100000, 0xbff00000, 1, 0},
                                      {0xfeff8000, 0x8000, 2, 0},
                                      {0x100000000, 0x40000000, 1, 0}};

    cr_assert(eq(i32, make(UINT64_C(4) << 30), VSDK_OK));
    map_is(want, 5);
    cr_assert(eq(u64, vm.block[0].length, 0xc0000000));
    cr_assert(eq(u64, vm.block[1].gpa, UINT64_C(1) << 32));
    cr_assert(eq(u64, vm.block[1].length, 0x40000000));
    cr_assert(eq(u64, vm.block[1].offset, 0xc0000000));
}

static uint64_t mapped(uint64_t start, uint64_t length)
{
    for (uint32_t i = 0; i < vm.blocks; i++)
        if (start >= vm.block[i].gpa && start + length <= vm.block[i].gpa + vm.block[i].length)
            return 1;
    return 0;
}

/* RAM that is told is there, ends where it is told to, and is all of it but what lies between
 * 640 KiB and 1 MiB. */
Test(memory, every_size_around_the_holes)
{
    static const uint64_t sizes[] = {2 << 20,     (2 << 20) + 4096, 0xbffff000,  0xc0000000,
                                     0xc0001000,  0xffffe000,       0xfffff000,  0x100000000,
                                     0x100001000, 0x13ffff000,      0x1000000000};

    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        vsdk_memory_range map[8];
        uint64_t told = 0, end = 0;
        uint32_t count;

        cr_assert(eq(i32, make(sizes[n]), VSDK_OK));
        vsdk_pc_get_memory_map(pc, map, 8, &count, NULL);
        for (uint32_t i = 0; i < count; i++) {
            cr_assert(map[i].address >= end && map[i].length);
            end = map[i].address + map[i].length;
            cr_assert(end <= 0xfec00000 || map[i].address >= 0xfeff8000);
            if (map[i].type != VSDK_MEMORY_RAM)
                continue;
            told += map[i].length;
            cr_assert(eq(u64, mapped(map[i].address, map[i].length), 1));
            cr_assert(map[i].address == 0 || !mapped(end - 1, 2));
        }
        cr_assert(eq(u64, told, sizes[n] - 0x60000));
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

Test(memory, map_checks)
{
    vsdk_memory_range map[8];
    uint32_t needed = 0;

    makes();
    cr_assert(eq(i32, vsdk_pc_get_memory_map(pc, NULL, 0, &needed, NULL), VSDK_OK));
    cr_assert(eq(u32, needed, 4));
    cr_assert(
        eq(i32, vsdk_pc_get_memory_map(pc, NULL, 1, &needed, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_pc_get_memory_map(pc, map, 8, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(
        eq(i32, vsdk_pc_get_memory_map(NULL, map, 8, &needed, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}

TestSuite(pc, .init = begin, .fini = end);

Test(pc, has_every_device)
{
    makes();
    for (uint32_t part = 0; part <= VSDK_PC_PORT92; part++)
        cr_assert(ne(ptr, vsdk_pc_device(pc, part), NULL));
    cr_assert(eq(ptr, vsdk_pc_device(pc, VSDK_PC_PORT92 + 1), NULL));
    cr_assert(eq(ptr, vsdk_pc_device(NULL, 0), NULL));
    cr_assert(eq(u8, fake_in(&vm, 0x40), 0));
    cr_assert(eq(u8, fake_in(&vm, 0x61), 0xff));
    cr_assert(eq(u8, fake_in(&vm, 0x402), 0xe9));
    cr_assert(eq(u8, fake_in(&vm, 0x505), 3));
    fake_out(&vm, 0xf4, 7);
    cr_assert(eq(u32, vm.stop, VSDK_EXIT_GUEST_EXIT));
    fake_write(&vm, VSDK_SPACE_PIO, 0x510, 2, 5);
    cr_assert(eq(u8, fake_in(&vm, 0x511), 2));
}

/* The event device of the tables: nothing has happened, and nothing is there to be ejected. */
Test(pc, event_device_has_no_events)
{
    static const vsdk_irqchip machines[] = {VSDK_IRQCHIP_PORTABLE, VSDK_IRQCHIP_KERNEL};

    for (size_t n = 0; n < 2; n++) {
        irqchip = machines[n];
        makes();
        cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x620, 4), 0));
        cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x624, 4), 0));
        cr_assert(eq(u8, fake_in(&vm, 0x628), 0xff));
        fake_write(&vm, VSDK_SPACE_PIO, 0x624, 4, UINT32_MAX);
        cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x620, 4), 0));
        cr_assert(eq(u32, vm.stop, 0));
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

Test(pc, port_92_resets)
{
    makes();
    cr_assert(eq(u8, fake_in(&vm, 0x92), 2));
    fake_out(&vm, 0x92, 0);
    fake_out(&vm, 0x92, fake_in(&vm, 0x92));
    fake_out(&vm, 0x92, 0xfe);
    cr_assert(eq(u32, vm.stop, 0));
    cr_assert(eq(u8, fake_in(&vm, 0x92), 2));
    fake_out(&vm, 0x92, 1);
    cr_assert(eq(u32, vm.stop, VSDK_EXIT_RESET));
}

Test(pc, reset_stub)
{
    uint8_t stub[9];

    makes_and_boots();
    vsdk_vm_read(&vm, 0xffff0, stub, sizeof stub, NULL);
    cr_assert(zero(memcmp(stub, "\xba\x02\x06\xb0\x01\xee\xf4\xeb\xfd", 9)));
}

Test(pc, leaves_to_the_hypervisor_what_it_serves)
{
    irqchip = VSDK_IRQCHIP_KERNEL;
    vm.served[0] = (vsdk_vm_range){.space = VSDK_SPACE_PIO, .address = 0x70, .length = 2};
    vm.served[1] = (vsdk_vm_range){.space = VSDK_SPACE_PIO, .address = 0xb000, .length = 4};
    vm.served[2] = (vsdk_vm_range){.space = VSDK_SPACE_PIO, .address = 0xb008, .length = 4};
    vm.served_count = 3;
    makes();
    cr_assert(eq(ptr, vsdk_pc_device(pc, VSDK_PC_RTC), NULL));
    cr_assert(eq(ptr, vsdk_pc_device(pc, VSDK_PC_IOAPIC), NULL));
    cr_assert(eq(ptr, (void *)fake_find(&vm, VSDK_SPACE_PIO, 0xb000, 4), NULL));
    cr_assert(eq(ptr, (void *)fake_find(&vm, VSDK_SPACE_PIO, 0x40, 1), NULL));
    fake_write(&vm, VSDK_SPACE_PIO, 0xb004, 2, 5 << 10 | 1 << 13);
    cr_assert(eq(u32, vm.stop, VSDK_EXIT_POWEROFF));
}

Test(pc, without_interrupts_there_are_no_tables)
{
    irqchip = VSDK_IRQCHIP_NONE;
    makes_and_boots();
    cr_assert(eq(u64, value(0, 8), 0));
    cr_assert(eq(ptr, vsdk_pc_device(pc, VSDK_PC_IOAPIC), NULL));
}

Test(pc, checks)
{
    vsdk_pc_config c = {.size = sizeof c};

    cr_assert(eq(i32, make(1 << 20), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, make((4 << 20) + 1), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(u32, released[0], 2));
    cr_assert(eq(u32, released[1], 2));
    vcpus = 128;
    cr_assert(eq(i32, make(4 << 20), VSDK_ERROR_LIMIT));
    cr_assert(eq(i32, vsdk_pc_create(NULL, &c, &pc, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_pc_create(&host, &c, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    c.memory = 4 << 20;
    c.memory_max = (4 << 20) - 1;
    cr_assert(eq(i32, vsdk_pc_create(&host, &c, &pc, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    c.memory_max = 0;
    c.reserved2[3] = 1;
    cr_assert(eq(i32, vsdk_pc_create(&host, &c, &pc, NULL), VSDK_ERROR_UNSUPPORTED));
    c.flags = VSDK_PC_PCI << 1;
    cr_assert(eq(i32, vsdk_pc_create(&host, &c, &pc, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}

/* What is wrong with a processor is told before there is a virtual machine. */
Test(pc, checks_the_processors_configuration)
{
    static vsdk_exit record __attribute__((aligned(64)));
    vsdk_vcpu_config v = {.size = sizeof v, .exit = &record};
    vsdk_pc_config c = {.size = sizeof c, .vcpu = &v};

    cr_assert(eq(i32, vsdk_pc_create(&host, &c, &pc, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    v = (vsdk_vcpu_config){.size = sizeof v, .flags = 1u << 31};
    cr_assert(eq(i32, vsdk_pc_create(&host, &c, &pc, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    v = (vsdk_vcpu_config){.size = sizeof v, .reserved = {0, 1}};
    cr_assert(eq(i32, vsdk_pc_create(&host, &c, &pc, NULL), VSDK_ERROR_UNSUPPORTED));
    cr_assert(eq(u32, vm.refs, 0));
}

Test(pc, fills_in_what_is_not_described)
{
    vsdk_pc_config c = {.size = sizeof c}, small = {.size = sizeof c - 1};

    cr_assert(eq(i32, vsdk_pc_create(&host, NULL, &pc, NULL), VSDK_OK));
    cr_assert(eq(i32, vsdk_pc_get_config(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(u64, c.memory, 256 << 20));
    cr_assert(eq(u64, c.memory_max, 256 << 20));
    cr_assert(eq(u64, vm.memory_max, 256 << 20));
    cr_assert(eq(u32, c.vcpus, 1));
    cr_assert(eq(u32, vm.vcpus_max, 1));
    cr_assert(eq(u32, c.irqchip, VSDK_IRQCHIP_PORTABLE));
    cr_assert(eq(u32, c.exit_port, 0xf4));
    cr_assert(eq(u32, c.vcpu->size, sizeof(vsdk_vcpu_config)));
    cr_assert(eq(u32, c.vcpu->flags, 0));
    cr_assert(eq(u32, c.ram->backing, VSDK_RAM_ANONYMOUS));
    cr_assert(eq(i32, vsdk_pc_get_config(pc, &small, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_pc_get_config(pc, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_pc_get_config(NULL, &c, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(zero(c.memory));
}

/* All of it is said once, and comes back. */
Test(pc, is_what_is_described)
{
    const vsdk_vcpu_config v = {.size = sizeof v, .flags = VSDK_VCPU_SYNC_GENERAL};
    const vsdk_ram_config r = {.size = sizeof r, .backing = VSDK_RAM_MEMFD, .sharing = 1};
    vsdk_pc_config c = {.size = sizeof c,
                        .memory = 4 << 20,
                        .memory_max = 6 << 20,
                        .vcpus = 3,
                        .irqchip = VSDK_IRQCHIP_KERNEL,
                        .exit_port = 0x501,
                        .vcpu = &v,
                        .ram = &r},
                   got = {.size = sizeof got};
    vsdk_boot_config boot = {.size = sizeof boot,
                             .format = VSDK_BOOT_FLAT,
                             .image = "",
                             .image_length = 1,
                             .address = 0x8000};

    cr_assert(eq(i32, make_with(&c), VSDK_OK));
    cr_assert(eq(u32, vm.vcpus_max, 3));
    cr_assert(eq(u32, vm.irqchip, VSDK_IRQCHIP_KERNEL));
    cr_assert(eq(u64, vm.memory_max, 6 << 20));
    cr_assert(eq(u32, vm.ram_config.backing, VSDK_RAM_MEMFD));
    cr_assert(eq(u32, vm.ram_config.sharing, VSDK_RAM_SHARED));
    cr_assert(eq(i32, vsdk_pc_boot(pc, &boot, NULL), VSDK_OK));
    cr_assert(eq(u32, vm.vcpu_config.flags, VSDK_VCPU_SYNC_GENERAL));
    cr_assert(eq(i32, vsdk_pc_get_config(pc, &got, NULL), VSDK_OK));
    cr_assert(eq(u64, got.memory_max, c.memory_max));
    cr_assert(eq(u32, got.vcpus, 3));
    cr_assert(eq(u32, got.irqchip, c.irqchip));
    cr_assert(eq(u32, got.exit_port, 0x501));
    cr_assert(eq(u32, got.vcpu->flags, v.flags));
    cr_assert(eq(u32, got.ram->backing, r.backing));
    cr_assert(eq(ptr, got.serial, NULL));
    cr_assert(eq(ptr, got.debug_output, NULL));
}

/* The machine has a reference of its own to the virtual machine, and no more than one. */
Test(pc, has_its_virtual_machine)
{
    makes();
    cr_assert(eq(ptr, vsdk_pc_vm(pc), &vm));
    cr_assert(eq(u32, vm.refs, 1));
    cr_assert(eq(ptr, vsdk_pc_vm(NULL), NULL));
    vsdk_pc_close(pc);
    pc = NULL;
    cr_assert(eq(u32, vm.refs, 0));
    cr_assert(eq(u32, vm.rams, 0));
}

Test(pc, exit_port_is_where_it_is_wanted)
{
    vsdk_pc_config c = {.size = sizeof c, .exit_port = 0x501};

    cr_assert(eq(i32, make_with(&c), VSDK_OK));
    fake_out(&vm, 0xf4, 3);
    cr_assert(eq(u32, vm.stop, 0));
    fake_out(&vm, 0x501, 3);
    cr_assert(eq(u32, vm.stop, VSDK_EXIT_GUEST_EXIT));
    vsdk_pc_close(pc);
    cr_assert(eq(u32, released[0], 1));
    c.exit_port = 0x3fc; /* in the serial port */
    cr_assert(eq(i32, make_with(&c), VSDK_ERROR_EXISTS));
    c.exit_port = 0xfffd;
    cr_assert(eq(i32, make_with(&c), VSDK_ERROR_RANGE));
    cr_assert(eq(u32, released[0], 3));
    cr_assert(eq(u32, released[1], 3));
}

/* Nothing is left of one that could not be made. */
Test(pc, survives_every_failure)
{
    vsdk_status status = VSDK_ERROR_NO_MEMORY;
    uint32_t n = 0;

    while (status) {
        vm.fail = ++n;
        status = make(2 << 20);
        cr_assert(status == VSDK_OK || status == VSDK_ERROR_NO_MEMORY);
        if (!status)
            break;
        cr_assert(eq(ptr, pc, NULL));
        cr_assert(eq(u32, released[0], n));
        cr_assert(eq(u32, released[1], n));
        cr_assert(eq(u32, vm.devices, 0));
        cr_assert(eq(u32, vm.rams, 0));
        cr_assert(eq(u32, vm.blocks, 0));
        cr_assert(eq(u32, vm.refs, 0));
    }
    vm.fail = 0;
    cr_assert(n > 20);
}

TestSuite(pc_boot, .init = begin, .fini = end);

static test_image img;

static vsdk_boot_config boot_config(void)
{
    image_pvh64(&img);
    return (vsdk_boot_config){.size = sizeof(vsdk_boot_config),
                              .image = img.bytes,
                              .image_length = img.length,
                              .command_line = "quiet"};
}

Test(pc_boot, makes_every_processor)
{
    vsdk_boot_config c = boot_config();
    uint64_t rsdp = 0;

    makes();
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, 0), NULL));
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, 0), &vm.vcpu[0]));
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, 1), &vm.vcpu[1]));
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, 2), NULL));
    cr_assert(eq(ptr, vsdk_pc_vcpu(NULL, 0), NULL));
    cr_assert(eq(u64, vm.vcpu[0].regs.rip, 0x100010));
    cr_assert(eq(u64, vm.vcpu[1].regs.rip, 0));
    vsdk_vm_read(&vm, 0x7020, &rsdp, 8, NULL);
    cr_assert(eq(u64, rsdp, 0xe0000));
}

/* The guest before a reset had them in its memory. */
Test(pc_boot, writes_its_tables_again)
{
    vsdk_boot_config c = boot_config();
    uint8_t nothing[64] = {0}, tables[64], stub;

    makes();
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    vsdk_vm_read(&vm, 0xe0000, tables, sizeof tables, NULL);
    vsdk_vm_write(&vm, 0xe0000, nothing, sizeof nothing, NULL);
    vsdk_vm_write(&vm, 0x400, nothing, sizeof nothing, NULL);
    vsdk_vm_write(&vm, 0xffff0, nothing, 9, NULL);
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    vsdk_vm_read(&vm, 0xe0000, nothing, sizeof nothing, NULL);
    cr_assert(zero(memcmp(tables, nothing, sizeof tables)));
    cr_assert(eq(u64, word(0x413), 640));
    vsdk_vm_read(&vm, 0xffff0, &stub, 1, NULL);
    cr_assert(eq(u8, stub, 0xba));
}

Test(pc_boot, fits_into_the_least_memory)
{
    static void (*const makers[])(test_image *) = {image_bzimage, image_pvh64, image_pvh32,
                                                   image_multiboot_elf, image_multiboot_kludge};

    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        vsdk_boot_config c = boot_config();

        cr_assert(eq(i32, make(2 << 20), VSDK_OK));
        c.initrd = "initrd";
        c.initrd_length = 7;
        makers[i](&img);
        c.image_length = img.length;
        cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
        vsdk_pc_close(pc);
        pc = NULL;
    }
}

Test(pc_boot, makes_as_many_processors_as_there_may_be)
{
    vsdk_boot_config c = boot_config();

    vcpus = 127;
    makes();
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, 126), &vm.vcpu[126]));
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, 127), NULL));
    cr_assert(eq(ptr, vsdk_pc_vcpu(pc, UINT32_MAX), NULL));
}

/* The entry of the memory map that a PVH guest is told, at 0x7100. */
static vsdk_memory_range told(uint32_t n)
{
    vsdk_memory_range range = {0};

    vsdk_vm_read(&vm, 0x7100 + n * sizeof range, &range, sizeof range, NULL);
    return range;
}

/* Embedders' ranges stand between the machine's, by address. */
Test(pc_boot, tells_the_embedder_s_ranges)
{
    const vsdk_memory_range own[] = {{0x200000000, 0x1000, VSDK_MEMORY_RAM, 0},
                                     {0xd0000000, 0x1000, VSDK_MEMORY_RESERVED, 0},
                                     {0xa0000, 0x20000, VSDK_MEMORY_RESERVED, 0},
                                     {0x400000, 0x1000, VSDK_MEMORY_ACPI, 0}};
    static const uint64_t want[] = {0,        0xa0000,    0xe0000,    0x100000,
                                    0x400000, 0xd0000000, 0xfeff8000, 0x200000000};
    static const uint32_t type[] = {1, 2, 2, 1, 3, 2, 2, 1};
    vsdk_boot_config c = boot_config();
    uint32_t count = 0;

    makes();
    c.memory = own;
    c.memory_count = 4;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    vsdk_vm_read(&vm, 0x7030, &count, 4, NULL);
    cr_assert(eq(u32, count, 8));
    for (uint32_t i = 0; i < 8; i++) {
        cr_assert(eq(u64, told(i).address, want[i]));
        cr_assert(eq(u32, told(i).type, type[i]));
    }
    cr_assert(eq(i32, vsdk_pc_get_memory_map(pc, NULL, 0, &count, NULL), VSDK_OK));
    cr_assert(eq(u32, count, 4)); /* the machine's own stays */
}

Test(pc_boot, ranges_do_not_overlap)
{
    static const vsdk_memory_range overlaps[] = {{0, 1, 1, 0},
                                                 {0x9ffff, 1, 2, 0},
                                                 {0xdffff, 2, 2, 0},
                                                 {0xe1fff, 1, 2, 0},
                                                 {0xfffff, 2, 2, 0},
                                                 {0x3fffff, 0x1000, 1, 0},
                                                 {0x0, UINT64_MAX, 2, 0},
                                                 {0xfeff7fff, 2, 2, 0}};
    static const vsdk_memory_range wrong[] = {
        {0x400000, 0, 1, 0}, {0x400000, UINT64_MAX, 1, 0}, {UINT64_MAX, 2, 1, 0}};
    static const vsdk_memory_range twice[] = {{0x401000, 0x1000, 1, 0}, {0x400000, 0x1001, 1, 0}};
    static vsdk_memory_range many[29];
    vsdk_boot_config c = boot_config();

    makes();
    c.memory_count = 1;
    for (size_t i = 0; i < sizeof overlaps / sizeof *overlaps; i++) {
        c.memory = &overlaps[i];
        cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_EXISTS), "row %zu", i);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        c.memory = &wrong[i];
        cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_INVALID_ARGUMENT), "row %zu", i);
    }
    c.memory = NULL;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    c.memory = twice;
    c.memory_count = 2;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_EXISTS));
    for (uint32_t i = 0; i < 29; i++)
        many[i] = (vsdk_memory_range){0x400000 + i * 0x1000, 0x1000, 2, 0};
    c.memory = many;
    c.memory_count = 29;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_LIMIT));
    c.memory_count = 28;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(u64, told(31).address, 0xfeff8000));
}

/* RAM that the embedder mapped and told is RAM to the loader. */
Test(pc_boot, loads_into_the_embedder_s_ram)
{
    const vsdk_memory_range own = {0x10000000, 0x100000, VSDK_MEMORY_RAM, 0};
    vsdk_boot_config c = boot_config();

    makes();
    fake_ram(&vm, own.address, own.length);
    image_bzimage(&img);
    c.image_length = img.length;
    image_put(&img, 0x234, 0, 1);
    image_put(&img, 0x258, own.address, 8);
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_RANGE));
    c.memory = &own;
    c.memory_count = 1;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(u64, vm.vcpu[0].regs.rip, own.address + 0x200));
}

static const char *line(void)
{
    static char text[64];

    vsdk_vm_read(&vm, 0x20000, text, sizeof text - 1, NULL);
    return text;
}

/* The machine has no PCI. */
Test(pc_boot, tells_linux_that_there_is_no_pci)
{
    vsdk_boot_config c = boot_config();

    makes();
    image_bzimage(&img);
    c.image_length = img.length;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(str, (char *)line(), "pci=off quiet"));
    c.command_line = "pci=nomsi";
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(str, (char *)line(), "pci=nomsi"));
    c.command_line = "quiet";
    c.flags = VSDK_BOOT_EXACT_COMMAND_LINE;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
    cr_assert(eq(str, (char *)line(), "quiet"));
    c.flags = 4;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_INVALID_ARGUMENT));
}

Test(pc_boot, may_be_tried_again)
{
    vsdk_boot_config c = boot_config();

    makes();
    c.image_length = 10;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_FORMAT));
    c.image_length = img.length;
    vm.fail = 2; /* the second processor */
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_NO_MEMORY));
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_OK));
}

Test(pc_boot, checks)
{
    vsdk_boot_config c = boot_config();

    makes();
    cr_assert(eq(i32, vsdk_pc_boot(NULL, &c, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_pc_boot(pc, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    c.rsdp = 1;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    c.rsdp = 0;
    c.reserved[0] = 1;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_UNSUPPORTED));
    vm.state = VSDK_VM_RUNNING;
    cr_assert(eq(i32, vsdk_pc_boot(pc, &c, NULL), VSDK_ERROR_STATE));
}
