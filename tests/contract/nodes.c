/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and claims of a machine as a program sees them: each documented error, on the mock. What
 * they do: tests/unit/nodes.c. */
#include "check.h"
#include <criterion/criterion.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_pc *pc;
static uint64_t got;

static void setup(void)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = 2 << 20};

    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_pc_create(host, &config, &pc, E));
}

static void teardown(void)
{
    vsdk_pc_close(pc);
    vsdk_host_close(host);
}

TestSuite(nodes, .init = setup, .fini = teardown);

static vsdk_status claim(vsdk_pc_resource_kind kind, uint64_t address, uint64_t length)
{
    return vsdk_pc_claim(pc, kind, address, length, &got, E);
}

static vsdk_status add(uint32_t uid, vsdk_pc_resource resource)
{
    vsdk_pc_node node = {
        .hid = "LNRO0005", .uid = uid, .resource_count = 1, .resources = {resource}};

    return vsdk_pc_add_node(pc, &node, E);
}

Test(nodes, claims)
{
    fails(EXISTS, claim(VSDK_PC_PORTS, 0x3f8, 1));
    fails(RANGE, claim(VSDK_PC_PORTS, 0xffff, 2));
    fails(LIMIT, claim(VSDK_PC_MEMORY, VSDK_PC_ANY, 0x10000000));
    ok(claim(VSDK_PC_LINES, VSDK_PC_ANY, 1));
    ok(vsdk_pc_unclaim(pc, VSDK_PC_LINES, got, E));
    fails(NOT_FOUND, vsdk_pc_unclaim(pc, VSDK_PC_LINES, got, E));
}

Test(nodes, described)
{
    vsdk_pc_node many = {.hid = "LNRO0005", .resource_count = 9};

    ok(add(1, (vsdk_pc_resource){VSDK_PC_PORTS, 0, 0x1000, 8}));
    fails(EXISTS, add(2, (vsdk_pc_resource){VSDK_PC_PORTS, 0, 0x1004, 8}));
    fails(RANGE, add(2, (vsdk_pc_resource){VSDK_PC_PORTS, 0, 0xffff, 2}));
    fails(UNSUPPORTED, add(2, (vsdk_pc_resource){VSDK_PC_LINES, VSDK_PC_LEVEL, 18, 1}));
    fails(LIMIT, vsdk_pc_add_node(pc, &many, E));
    ok(vsdk_pc_remove_node(pc, "LNRO0005", 1, E));
    fails(NOT_FOUND, vsdk_pc_remove_node(pc, "LNRO0005", 1, E));
}

Test(nodes, without_controllers)
{
    vsdk_pc_config config = {
        .size = sizeof config, .memory = 2 << 20, .irqchip = VSDK_IRQCHIP_NONE};

    vsdk_pc_close(pc);
    ok(vsdk_pc_create(host, &config, &pc, E));
    fails(UNSUPPORTED, claim(VSDK_PC_LINES, VSDK_PC_ANY, 1));
}
