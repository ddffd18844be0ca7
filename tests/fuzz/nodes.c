/* SPDX-License-Identifier: Apache-2.0 */
/* Claims and nodes in any order, well formed and not; then the tables are read as a guest would:
 * all of an SSDT is in the area, and no two that were given share anything. */
#include "fake.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { AREA = 0x2000, STEPS = 512, STEP = 8 };

static vsdk_vm vm;
static vsdk_host host = {&vm};

static void demand(int holds)
{
    if (!holds)
        abort();
}

static int share(const vsdk_pc_resource *a, const vsdk_pc_resource *b)
{
    return a->kind == b->kind && a->address < b->address + b->length &&
           b->address < a->address + a->length;
}

static void check_nodes(vsdk_pc *pc)
{
    static vsdk_pc_resource all[32 * 8];
    vsdk_pc_config config = {.size = sizeof config};
    uint32_t count = 0;

    demand(vsdk_pc_get_config(pc, &config, NULL) == VSDK_OK && config.node_count <= 32);
    for (uint32_t n = 0; n < config.node_count; n++)
        for (uint32_t i = 0; i < config.nodes[n].resource_count; i++)
            all[count++] = config.nodes[n].resources[i];
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            demand(!share(&all[i], &all[k]));
}

static void check_tables(vsdk_pc *pc)
{
    static uint8_t area[AREA];
    const vsdk_boot_config boot = {.size = sizeof boot,
                                   .format = VSDK_BOOT_FLAT,
                                   .image = "",
                                   .image_length = 1,
                                   .address = 0x8000};
    uint32_t xsdt, at, length;
    uint8_t sum = 0;

    demand(vsdk_pc_boot(pc, &boot, NULL) == VSDK_OK);
    vsdk_vm_read(&vm, 0xe0000, area, AREA, NULL);
    memcpy(&xsdt, area + 0x44, 4);
    if (xsdt != 60)
        return;
    memcpy(&at, area + 0x40 + 52, 4);
    at -= 0xe0000;
    memcpy(&length, area + at + 4, 4);
    demand(at < AREA && length <= AREA - at && !memcmp(area + at, "SSDT", 4));
    for (uint32_t i = 0; i < length; i++)
        sum += area[at + i];
    demand(sum == 0);
}

/* Few numbers, so that they meet. */
static vsdk_pc_resource resource(const uint8_t *b)
{
    static const uint64_t from[] = {0x1000, 0xf0000000, 0, UINT64_C(1) << 32};

    return (vsdk_pc_resource){.kind = b[0] & 3,
                              .flags = b[0] >> 7,
                              .address = b[1] == 0xff ? VSDK_PC_ANY
                                                      : from[b[0] >> 2 & 3] + b[1] * (b[2] & 15u),
                              .length = b[2] >> 4 ? b[2] >> 4 : (uint64_t)b[3] << (b[4] & 63)};
}

static void add(vsdk_pc *pc, const uint8_t *b, size_t length)
{
    vsdk_pc_node node = {.hid = "LNRO0005", .uid = b[5], .resource_count = b[6] % 10};

    for (uint32_t i = 0; i < 8; i++) {
        node.resources[i] = resource(b);
        node.resources[i].address += i * (uint64_t)b[7] * 16;
    }
    if (b[6] & 0x40)
        memcpy(node.hid, "PNP0A03", 8);
    if (b[6] & 0x80) /* whatever comes */
        memcpy(&node, b, length < sizeof node ? length : sizeof node);
    vsdk_pc_add_node(pc, &node, NULL);
}

static void step(vsdk_pc *pc, const uint8_t *b, size_t length)
{
    vsdk_pc_resource r = resource(b);
    uint64_t got;

    if ((b[0] >> 4 & 7) < 4)
        add(pc, b, length);
    else if ((b[0] >> 4 & 7) == 4)
        vsdk_pc_remove_node(pc, b[6] & 0x40 ? "PNP0A03" : "LNRO0005", b[5], NULL);
    else if ((b[0] >> 4 & 7) == 5)
        vsdk_pc_unclaim(pc, r.kind, r.address, NULL);
    else if (!vsdk_pc_claim(pc, r.kind, r.address, r.length, &got, NULL))
        demand(r.address == VSDK_PC_ANY || r.address == got);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = 2 << 20};
    vsdk_pc *pc = NULL;

    memset(&vm, 0, sizeof vm);
    config.irqchip = length ? bytes[0] % 3 : 0;
    demand(vsdk_pc_create(&host, &config, &pc, NULL) == VSDK_OK);
    for (size_t n = 0; n < STEPS && length >= STEP; n++, bytes += STEP, length -= STEP)
        step(pc, bytes, length);
    check_nodes(pc);
    check_tables(pc);
    vsdk_pc_close(pc);
    demand(!vm.devices && !vm.rams);
    return 0;
}
