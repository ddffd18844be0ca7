/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the embedder's in the machine: claims, nodes, and what the tables say of them. */
#include "fake.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AREA = 0x2000, SSDT = 0x1110 };

static vsdk_vm vm;
static vsdk_host host = {&vm};
static vsdk_pc *pc;
static uint8_t area[AREA];

#define answers(want, call) cr_assert(eq(i32, call, want))
#define ok(call) answers(VSDK_OK, call)
#define fails(code, call) answers(VSDK_ERROR_##code, call)

static vsdk_status make(vsdk_irqchip irqchip, const vsdk_pc_node *nodes, uint32_t count)
{
    vsdk_pc_config config = {.size = sizeof config,
                             .memory = 4 << 20,
                             .irqchip = irqchip,
                             .nodes = nodes,
                             .node_count = count};

    return vsdk_pc_create(&host, &config, &pc, NULL);
}

static void begin(void)
{
    memset(&vm, 0, sizeof vm);
    vm.served[0] = (vsdk_vm_range){.space = VSDK_SPACE_PIO, .address = 0x1010, .length = 2};
    vm.served[1] = (vsdk_vm_range){.space = VSDK_SPACE_MMIO, .address = 0xf0001000, .length = 1};
    vm.served_count = 2;
    ok(make(VSDK_IRQCHIP_PORTABLE, NULL, 0));
}

static void again(vsdk_irqchip irqchip)
{
    vsdk_pc_close(pc);
    ok(make(irqchip, NULL, 0));
}

static void end(void)
{
    vsdk_pc_close(pc);
    cr_assert(eq(u32, vm.devices, 0));
    cr_assert(zero(fake_leaks()));
}

static void boots(void)
{
    const vsdk_boot_config config = {.size = sizeof config,
                                     .format = VSDK_BOOT_FLAT,
                                     .image = "\xf4",
                                     .image_length = 1,
                                     .address = 0x8000};

    ok(vsdk_pc_boot(pc, &config, NULL));
    vsdk_vm_read(&vm, 0xe0000, area, AREA, NULL);
}

static uint64_t value(uint32_t at, uint32_t width)
{
    uint64_t v = 0;

    memcpy(&v, area + at, width);
    return v;
}

/* What a virtio device's node is. */
static vsdk_pc_node node(uint32_t uid, uint64_t address, uint64_t line)
{
    return (vsdk_pc_node){
        .hid = "LNRO0005",
        .uid = uid,
        .resource_count = 2,
        .resources = {{VSDK_PC_MEMORY, 0, address, 0x200}, {VSDK_PC_LINES, 0, line, 1}}};
}

TestSuite(claims, .init = begin, .fini = end);

static uint64_t got;

static vsdk_status claim(vsdk_pc_resource_kind kind, uint64_t address, uint64_t length)
{
    return vsdk_pc_claim(pc, kind, address, length, &got, NULL);
}

/* Aligned to their length, behind what the hypervisor and others have. */
Test(claims, are_chosen)
{
    static const struct {
        vsdk_pc_resource_kind kind;
        uint64_t length, want;
    } row[] = {{VSDK_PC_PORTS, 8, 0x1000},
               {VSDK_PC_PORTS, 12, 0x1020},
               {VSDK_PC_PORTS, 4, 0x1008},
               {VSDK_PC_MEMORY, 0x200, 0xf0000000},
               {VSDK_PC_MEMORY, 0x200, 0xf0002000},
               {VSDK_PC_MEMORY, 0x180000, 0xf0200000},
               {VSDK_PC_LINES, 1, 16},
               {VSDK_PC_LINES, 2, 17},
               {VSDK_PC_LINES, 5, 19},
               {VSDK_PC_LINES, 1, 10}};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        ok(claim(row[i].kind, VSDK_PC_ANY, row[i].length));
        cr_assert(eq(u64, got, row[i].want), "row %zu", i);
    }
}

/* What is there: parts of the machine, RAM, the hypervisor's. */
Test(claims, of_what_is_taken)
{
    static const vsdk_pc_resource exists[] = {
        {VSDK_PC_PORTS, 0, 0x3ff, 1},       {VSDK_PC_PORTS, 0, 0xf0, 5},
        {VSDK_PC_PORTS, 0, 0x624, 1},       {VSDK_PC_PORTS, 0, 0x60, 1},
        {VSDK_PC_PORTS, 0, 0x600, 1},       {VSDK_PC_MEMORY, 0, 0, 1},
        {VSDK_PC_MEMORY, 0, 0xa0000, 1},    {VSDK_PC_MEMORY, 0, 0x3fffff, 2},
        {VSDK_PC_MEMORY, 0, 0xfec00fff, 1}, {VSDK_PC_MEMORY, 0, 0xfeff7fff, 2},
        {VSDK_PC_LINES, 0, 4, 1},           {VSDK_PC_LINES, 0, 5, 2}};

    for (size_t i = 0; i < sizeof exists / sizeof *exists; i++) {
        got = 1;
        cr_assert(
            eq(i32, claim(exists[i].kind, exists[i].address, exists[i].length), VSDK_ERROR_EXISTS),
            "row %zu", i);
        cr_assert(zero(got));
    }
    fails(RESERVED, claim(VSDK_PC_PORTS, 0x100f, 2));
    fails(RESERVED, claim(VSDK_PC_MEMORY, 0xf0000000, 0x1001));
    ok(claim(VSDK_PC_PORTS, 0x61, 3));
    ok(claim(VSDK_PC_MEMORY, 0x400000, 0x1000));
    fails(EXISTS, claim(VSDK_PC_PORTS, 0x63, 1));
}

/* Each kind of machine has other parts. */
Test(claims, follow_the_machine)
{
    ok(claim(VSDK_PC_PORTS, 0xb000, 1));
    ok(claim(VSDK_PC_LINES, 9, 1));
    again(VSDK_IRQCHIP_KERNEL);
    fails(EXISTS, claim(VSDK_PC_PORTS, 0xb000, 1));
    fails(EXISTS, claim(VSDK_PC_LINES, 9, 1));
    ok(claim(VSDK_PC_PORTS, 0x600, 3));
    ok(claim(VSDK_PC_MEMORY, 0xa0000, 0x20000));
    again(VSDK_IRQCHIP_NONE);
    fails(UNSUPPORTED, claim(VSDK_PC_LINES, 5, 1));
    fails(UNSUPPORTED, claim(VSDK_PC_LINES, VSDK_PC_ANY, 1));
    ok(claim(VSDK_PC_PORTS, 0x620, 8));
}

Test(claims, are_checked)
{
    fails(INVALID_ARGUMENT, vsdk_pc_claim(NULL, VSDK_PC_PORTS, VSDK_PC_ANY, 1, &got, NULL));
    fails(INVALID_ARGUMENT, vsdk_pc_claim(pc, VSDK_PC_PORTS, VSDK_PC_ANY, 1, NULL, NULL));
    fails(INVALID_ARGUMENT, claim(3, VSDK_PC_ANY, 1));
    fails(INVALID_ARGUMENT, claim(VSDK_PC_PORTS, VSDK_PC_ANY, 0));
    fails(RANGE, claim(VSDK_PC_PORTS, 0xffff, 2));
    fails(RANGE, claim(VSDK_PC_PORTS, VSDK_PC_ANY, 0x10001));
    fails(RANGE, claim(VSDK_PC_MEMORY, UINT64_MAX - 1, 1));
    fails(RANGE, claim(VSDK_PC_MEMORY, 0x1000, UINT64_MAX));
    fails(RANGE, claim(VSDK_PC_LINES, 24, 1));
    fails(LIMIT, claim(VSDK_PC_MEMORY, VSDK_PC_ANY, 0x10000000));
    fails(LIMIT, claim(VSDK_PC_PORTS, VSDK_PC_ANY, 0x8000)); /* begins in the window, ends behind */
    ok(claim(VSDK_PC_LINES, 16, 1));
    fails(NOT_FOUND, vsdk_pc_unclaim(pc, VSDK_PC_PORTS, 16, NULL));
    ok(vsdk_pc_unclaim(pc, VSDK_PC_LINES, 16, NULL));
    fails(LIMIT, claim(VSDK_PC_MEMORY, VSDK_PC_ANY, UINT64_C(1) << 52));
}

/* Until nothing is free, or the list is full. */
Test(claims, have_an_end)
{
    uint32_t lines = 0, ports = 0;

    while (!claim(VSDK_PC_LINES, VSDK_PC_ANY, 1)) {
        cr_assert(got != 4 && got != 6 && got != 8);
        lines++;
    }
    cr_assert(eq(u32, lines, 16));
    fails(LIMIT, claim(VSDK_PC_LINES, VSDK_PC_ANY, 1));
    while (!claim(VSDK_PC_PORTS, VSDK_PC_ANY, 1))
        ports++;
    cr_assert(eq(u32, lines + ports, 256));
    fails(LIMIT, claim(VSDK_PC_PORTS, 0x7000, 1));
    ok(vsdk_pc_unclaim(pc, VSDK_PC_LINES, 18, NULL));
    fails(NOT_FOUND, vsdk_pc_unclaim(pc, VSDK_PC_LINES, 18, NULL));
    ok(claim(VSDK_PC_LINES, VSDK_PC_ANY, 1));
    cr_assert(eq(u64, got, 18));
    fails(INVALID_ARGUMENT, vsdk_pc_unclaim(NULL, VSDK_PC_LINES, 18, NULL));
}

/* A node's resources are nobody else's, whether they were claimed or not. */
Test(claims, keep_clear_of_nodes)
{
    vsdk_pc_node n = node(1, 0xf0000000, 16);

    ok(vsdk_pc_add_node(pc, &n, NULL));
    ok(claim(VSDK_PC_LINES, VSDK_PC_ANY, 1));
    cr_assert(eq(u64, got, 17));
    fails(EXISTS, claim(VSDK_PC_MEMORY, 0xf00001ff, 1));
    n = node(2, 0xf1000000, 17); /* what has been claimed is told */
    ok(vsdk_pc_add_node(pc, &n, NULL));
}

TestSuite(nodes, .init = begin, .fini = end);

Test(nodes, have_well_formed_ids)
{
    static const char *const good[] = {"PNP0A03", "ABCFFFF", "LNRO0005", "0A1BFFFF", "QEMU0002"};
    static const char *const bad[] = {"",         "PNP0A0",    "PNP0A0G",         "PNP0a03",
                                      "pNP0A03",  "PN10A03",   "LNRO000G",        "LNRo0005",
                                      "LN.O0005", "LNRO00055", "0123456789abcdef"};

    for (uint32_t i = 0; i < sizeof good / sizeof *good; i++) {
        vsdk_pc_node n = {.uid = 7}, c = {.hid = "LNRO0005", .uid = 100 + i};

        memcpy(n.hid, good[i], strlen(good[i]));
        memcpy(c.cid, good[i], strlen(good[i]));
        ok(vsdk_pc_add_node(pc, &n, NULL));
        ok(vsdk_pc_add_node(pc, &c, NULL));
    }
    for (uint32_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vsdk_pc_node n = {.uid = 7}, c = {.hid = "LNRO0005", .uid = 7};

        memcpy(n.hid, bad[i], strlen(bad[i]));
        memcpy(c.cid, bad[i], strlen(bad[i]));
        cr_assert(eq(i32, vsdk_pc_add_node(pc, &n, NULL), VSDK_ERROR_INVALID_ARGUMENT), "%s",
                  bad[i]);
        if (*bad[i])
            fails(INVALID_ARGUMENT, vsdk_pc_add_node(pc, &c, NULL));
    }
}

static vsdk_status add_with(vsdk_pc_resource first, vsdk_pc_resource second)
{
    const vsdk_pc_node n = {
        .hid = "LNRO0005", .uid = 9, .resource_count = 2, .resources = {first, second}};

    return vsdk_pc_add_node(pc, &n, NULL);
}

Test(nodes, have_resources_that_are_free)
{
    const vsdk_pc_resource fine = {VSDK_PC_PORTS, 0, 0x2000, 8};
    vsdk_pc_node n = node(1, 0xf0000000, 16);

    ok(vsdk_pc_add_node(pc, &n, NULL));
    fails(EXISTS, add_with(fine, fine));
    fails(EXISTS, add_with(fine, (vsdk_pc_resource){VSDK_PC_LINES, 0, 16, 1}));
    fails(EXISTS, add_with(fine, (vsdk_pc_resource){VSDK_PC_LINES, 0, 3, 2}));
    fails(EXISTS, add_with(fine, (vsdk_pc_resource){VSDK_PC_MEMORY, 0, 0x1000, 0x1000}));
    fails(RESERVED, add_with(fine, (vsdk_pc_resource){VSDK_PC_PORTS, 0, 0x1010, 1}));
    fails(RANGE, add_with(fine, (vsdk_pc_resource){VSDK_PC_PORTS, 0, 0xffff, 2}));
    fails(RANGE, add_with(fine, (vsdk_pc_resource){VSDK_PC_MEMORY, 0, UINT64_MAX, 2}));
    fails(INVALID_ARGUMENT, add_with(fine, (vsdk_pc_resource){VSDK_PC_PORTS, 0, 0x3000, 0}));
    fails(INVALID_ARGUMENT, add_with(fine, (vsdk_pc_resource){3, 0, 0x3000, 1}));
    fails(INVALID_ARGUMENT, add_with(fine, (vsdk_pc_resource){VSDK_PC_LINES, 2, 18, 1}));
    fails(INVALID_ARGUMENT, add_with(fine, (vsdk_pc_resource){VSDK_PC_PORTS, 1, 0x3000, 1}));
    fails(UNSUPPORTED, add_with(fine, (vsdk_pc_resource){VSDK_PC_LINES, VSDK_PC_LEVEL, 18, 1}));
    ok(add_with(fine, (vsdk_pc_resource){VSDK_PC_LINES, 0, 18, 1}));
    again(VSDK_IRQCHIP_KERNEL);
    ok(add_with(fine, (vsdk_pc_resource){VSDK_PC_LINES, VSDK_PC_LEVEL, 18, 1}));
}

Test(nodes, are_checked)
{
    vsdk_pc_node n = node(1, 0xf0000000, 16), odd;

    fails(INVALID_ARGUMENT, vsdk_pc_add_node(NULL, &n, NULL));
    fails(INVALID_ARGUMENT, vsdk_pc_add_node(pc, NULL, NULL));
    odd = n, odd.flags = 1;
    fails(INVALID_ARGUMENT, vsdk_pc_add_node(pc, &odd, NULL));
    odd = n, odd.resource_count = 9;
    fails(LIMIT, vsdk_pc_add_node(pc, &odd, NULL));
    odd.resource_count = UINT32_MAX;
    fails(LIMIT, vsdk_pc_add_node(pc, &odd, NULL));
    odd = n, odd.reserved = 1;
    fails(UNSUPPORTED, vsdk_pc_add_node(pc, &odd, NULL));
    odd = n, odd.reserved2[3] = 1;
    fails(UNSUPPORTED, vsdk_pc_add_node(pc, &odd, NULL));
    vm.state = VSDK_VM_RUNNING;
    fails(STATE, vsdk_pc_add_node(pc, &n, NULL));
    fails(STATE, vsdk_pc_remove_node(pc, "LNRO0005", 1, NULL));
    vm.state = VSDK_VM_CREATED;
    again(VSDK_IRQCHIP_NONE);
    fails(UNSUPPORTED, vsdk_pc_add_node(pc, &n, NULL));
}

/* A name is there once: those of the machine's own devices, too. */
Test(nodes, have_names_of_their_own)
{
    vsdk_pc_node n = node(1, 0xf0000000, 16), com = {.hid = "PNP0501", .uid = 1};

    ok(vsdk_pc_add_node(pc, &n, NULL));
    n.resource_count = 0;
    fails(EXISTS, vsdk_pc_add_node(pc, &n, NULL));
    fails(EXISTS, vsdk_pc_add_node(pc, &com, NULL));
    com.uid = 2;
    ok(vsdk_pc_add_node(pc, &com, NULL));
    fails(NOT_FOUND, vsdk_pc_remove_node(pc, "LNRO0005", 2, NULL));
    fails(NOT_FOUND, vsdk_pc_remove_node(pc, "LNRO0006", 1, NULL));
    fails(INVALID_ARGUMENT, vsdk_pc_remove_node(pc, NULL, 1, NULL));
    fails(INVALID_ARGUMENT, vsdk_pc_remove_node(NULL, "LNRO0005", 1, NULL));
    ok(vsdk_pc_remove_node(pc, "LNRO0005", 1, NULL));
    ok(vsdk_pc_add_node(pc, &n, NULL));
}

/* By number, and by what they take in the tables. */
Test(nodes, have_an_end)
{
    vsdk_pc_config config = {.size = sizeof config};
    vsdk_pc_node n = {.hid = "LNRO0005"};
    uint32_t count = 0;

    for (; n.uid < 32; n.uid++)
        ok(vsdk_pc_add_node(pc, &n, NULL));
    fails(LIMIT, vsdk_pc_add_node(pc, &n, NULL));
    again(VSDK_IRQCHIP_PORTABLE);
    n = (vsdk_pc_node){.hid = "LNRO0005", .resource_count = 8};
    do {
        n.uid = count++;
        for (uint32_t i = 0; i < 8; i++)
            n.resources[i] = (vsdk_pc_resource){
                VSDK_PC_MEMORY, 0, (UINT64_C(1) << 32) + (n.uid * 8 + i) * 0x1000, 0x1000};
    } while (!vsdk_pc_add_node(pc, &n, NULL));
    cr_assert(count > 4 && count < 16, "%u", count);
    ok(vsdk_pc_get_config(pc, &config, NULL));
    cr_assert(eq(u32, config.node_count, count - 1));
    n.resource_count = 0;
    ok(vsdk_pc_add_node(pc, &n, NULL)); /* a smaller one still fits */
}

Test(nodes, are_part_of_the_description)
{
    vsdk_pc_node n[] = {node(1, 0xf0000000, 16), node(2, 0xf0000200, 17)};
    vsdk_pc_config config = {.size = sizeof config};

    vsdk_pc_close(pc);
    ok(make(VSDK_IRQCHIP_PORTABLE, n, 2));
    ok(vsdk_pc_get_config(pc, &config, NULL));
    cr_assert(eq(u32, config.node_count, 2));
    cr_assert(zero(memcmp(config.nodes, n, sizeof n)));
    vsdk_pc_close(pc);
    n[1].resources[1].address = 16;
    fails(EXISTS, make(VSDK_IRQCHIP_PORTABLE, n, 2));
    cr_assert(eq(u32, vm.refs, 0));
    fails(INVALID_ARGUMENT, make(VSDK_IRQCHIP_PORTABLE, NULL, 2));
    fails(UNSUPPORTED, make(VSDK_IRQCHIP_NONE, n, 1));
}

/* By the specification: 5.2.8 for the list, 20.2 and 6.4.3 for the node. */
Test(nodes, are_told)
{
    static const uint8_t want[] = {
        0x10, 0x43, 0x04, '_',  'S',  'B',  '_',  0x5b, 0x82, 0x3b, 'N',  'O',  '0',  '0',
        0x08, '_',  'H',  'I',  'D',  0x0d, 'L',  'N',  'R',  'O',  '0',  '0',  '0',  '5',
        0x00, 0x08, '_',  'U',  'I',  'D',  0x0a, 0x03, 0x08, '_',  'C',  'R',  'S',  0x11,
        0x1a, 0x0a, 0x17, 0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0xf0, 0x00, 0x02, 0x00,
        0x00, 0x89, 0x06, 0x00, 0x03, 0x01, 0x10, 0x00, 0x00, 0x00, 0x79, 0x00};
    const vsdk_pc_node n = node(3, 0xf0000000, 16);
    uint8_t sum = 0;

    ok(vsdk_pc_add_node(pc, &n, NULL));
    boots();
    cr_assert(eq(u64, value(0x44, 4), 60));
    cr_assert(eq(u64, value(0x40 + 52, 8), 0xe0000 + SSDT));
    cr_assert(zero(memcmp(area + SSDT, "SSDT", 4)));
    cr_assert(eq(u64, value(SSDT + 4, 4), 36 + sizeof want));
    cr_assert(zero(memcmp(area + SSDT + 36, want, sizeof want)));
    for (uint32_t i = 0; i < 36 + sizeof want; i++)
        sum += area[SSDT + i];
    cr_assert(zero(sum));
}

/* After a reset the machine may be told of other devices. */
Test(nodes, are_told_anew_at_each_boot)
{
    static uint8_t before[AREA];
    const vsdk_pc_node one = node(1, 0xf0000000, 16), two = node(2, 0xf0000200, 17);

    boots();
    memcpy(before, area, AREA);
    ok(vsdk_pc_add_node(pc, &one, NULL));
    boots();
    cr_assert(eq(u64, value(SSDT + 36 + 34, 1), 1)); /* _UID's One */
    ok(vsdk_pc_remove_node(pc, "LNRO0005", 1, NULL));
    ok(vsdk_pc_add_node(pc, &two, NULL));
    boots();
    cr_assert(eq(u64, value(SSDT + 36 + 35, 1), 2));
    ok(vsdk_pc_remove_node(pc, "LNRO0005", 2, NULL));
    boots();
    cr_assert(zero(memcmp(before, area, AREA))); /* nothing is left of them */
}

static void run_iasl(const char *folder, const char *arguments)
{
    char command[512];

    snprintf(command, sizeof command, "cd %s && iasl %s >/dev/null 2>&1", folder, arguments);
    cr_assert(zero(system(command)), "%s", command);
}

/* Every kind of resource and id, and lengths of one byte and of two. */
static void add_all_kinds(void)
{
    static const vsdk_pc_node all[] = {
        {.hid = "LNRO0005"},
        {.hid = "ABC1DEF",
         .cid = "PNP0A03",
         .uid = 255,
         .resource_count = 8,
         .resources = {{VSDK_PC_PORTS, 0, 0x2000, 255},
                       {VSDK_PC_PORTS, 0, 0x3000, 256},
                       {VSDK_PC_MEMORY, 0, 0xe0000000, 0x10000000},
                       {VSDK_PC_MEMORY, 0, 0xfffff000, 0x1000},
                       {VSDK_PC_MEMORY, 0, UINT64_C(1) << 40, UINT64_C(1) << 33},
                       {VSDK_PC_MEMORY, 0, 0xd0000000, 1},
                       {VSDK_PC_LINES, 0, 16, 8},
                       {VSDK_PC_LINES, VSDK_PC_LEVEL, 11, 1}}},
        {.hid = "QEMU0002", .cid = "LNRO0005", .uid = 256},
        /* A buffer of 63 bytes, the first whose length is told by two. */
        {.hid = "LNRO0006",
         .resource_count = 7,
         .resources = {{VSDK_PC_PORTS, 0, 0x5000, 1},
                       {VSDK_PC_PORTS, 0, 0x5002, 1},
                       {VSDK_PC_PORTS, 0, 0x5004, 1},
                       {VSDK_PC_PORTS, 0, 0x5006, 1},
                       {VSDK_PC_LINES, 0, 5, 1},
                       {VSDK_PC_LINES, 0, 7, 1},
                       {VSDK_PC_LINES, 0, 10, 1}}},
        {.hid = "QEMU0002", .uid = UINT32_MAX},
    };

    vm.served_count = 0;
    again(VSDK_IRQCHIP_KERNEL);
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
        ok(vsdk_pc_add_node(pc, &all[i], NULL));
}

static uint32_t read_file(const char *folder, const char *name, void *bytes, size_t room)
{
    char path[128];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    cr_assert(file != NULL);
    length = fread(bytes, 1, room, file);
    fclose(file);
    remove(path);
    return (uint32_t)length;
}

/* The compiler reads them, says what was meant, and makes the same bytes of what it read. */
Test(nodes, are_what_the_acpi_compiler_makes)
{
    static const char *const said[] = {"_HID, EisaId (\"ABC1DEF\")",
                                       "_CID, EisaId (\"PNP0A03\")",
                                       "_HID, \"QEMU0002\"",
                                       "0x0000010000000000,",
                                       "0x0000000200000000,",
                                       "Level, ActiveHigh, Exclusive",
                                       "Edge, ActiveHigh, Exclusive",
                                       "Memory32Fixed (ReadWrite",
                                       "0xFFFFF000,",
                                       "0x30FF,"};
    static char text[1 << 16];
    char folder[] = "/tmp/vsdk-nodes-XXXXXX", path[64];
    uint8_t again_bytes[AREA];
    uint32_t length;
    FILE *file;

    if (system("command -v iasl >/dev/null 2>&1"))
        cr_skip("no iasl here");
    add_all_kinds();
    boots();
    length = (uint32_t)value(SSDT + 4, 4);
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/t.aml", folder);
    file = fopen(path, "wb");
    cr_assert(file && fwrite(area + SSDT, 1, length, file) == length);
    fclose(file);
    run_iasl(folder, "-d t.aml");
    run_iasl(folder, "-we -p t t.dsl");
    cr_assert(eq(u32, read_file(folder, "t.aml", again_bytes, AREA), length));
    text[read_file(folder, "t.dsl", text, sizeof text - 1)] = 0;
    remove(folder);
    again_bytes[9] = area[SSDT + 9];
    memcpy(again_bytes + 28, area + SSDT + 28, 8);
    cr_assert(zero(memcmp(again_bytes, area + SSDT, length)));
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        cr_assert(strstr(text, said[i]) != NULL, "%s", said[i]);
}
