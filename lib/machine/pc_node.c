/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables must say of the embedder's devices. A node is copied once and then checked, so
 * that the list holds only nodes that can be written; that they fit into the tables is found out by
 * writing them. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "machine/pc.h"

#include <string.h>

/* What the DSDT has by these names. */
static const struct pc_known {
    const char *hid;
    uint32_t uid;
    int with_pci;
} pc_known[] = {{"PNP0501", 1, 0},
                {"QEMU0001", 0, 0},
                {"ACPI0013", 0, 0},
                {"PNP0A08", 0, 1},
                {"PNP0C02", 1, 1}};

static int is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ACPI 6.5, 6.1.5: three letters, or four letters and digits; then four hexadecimal digits. */
static int is_id(const char id[16])
{
    size_t length = strnlen(id, 16), letters = length - 4;

    if (length != 7 && length != 8)
        return 0;
    for (size_t i = 0; i < letters; i++)
        if (!is_capital(id[i]) && !(letters == 4 && is_digit(id[i])))
            return 0;
    for (size_t i = letters; i < length; i++)
        if (!is_digit(id[i]) && !(id[i] >= 'A' && id[i] <= 'F'))
            return 0;
    return 1;
}

/* Before anything is looked up by it: the ids end, the count is no more than there is. */
static vsdk_status check_head(const vsdk_pc_node *node, const char *operation, vsdk_error *error)
{
    for (size_t i = 0; i < sizeof node->reserved2 / sizeof *node->reserved2; i++)
        if (node->reserved || node->reserved2[i])
            return record_later(operation, error);
    if (!is_id(node->hid) || (node->cid[0] && !is_id(node->cid)))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%s: an id is 3 capital letters, or 4 with digits, and 4 hexadecimal "
                         "digits",
                         is_id(node->hid) ? "cid" : "hid");
    if (node->flags)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%s: flags 0x%x has an unknown bit", node->hid, node->flags);
    if (node->resource_count > PC_NODE_RESOURCES)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%s: %u resources, at most %d",
                         node->hid, node->resource_count, PC_NODE_RESOURCES);
    return VSDK_OK;
}

/* Not yet whether somebody else has it. */
static vsdk_status check_shape(const vsdk_pc *pc, const vsdk_pc_node *node, uint32_t i,
                               const char *operation, vsdk_error *error)
{
    const vsdk_pc_resource *r = &node->resources[i];
    vsdk_status status = pc_check_resource(pc, r, operation, error);

    if (status)
        return status;
    if (r->flags & ~(uint32_t)VSDK_PC_LEVEL || (r->flags && r->kind != VSDK_PC_LINES))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%s: flags 0x%x of resource %u", node->hid, r->flags, i);
    if (r->flags && pc->config.irqchip == VSDK_IRQCHIP_PORTABLE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "%s: the portable machine's lines are edges", node->hid);
    for (uint32_t k = 0; k < i; k++)
        if (r->kind == node->resources[k].kind &&
            ranges_overlap(r->address, r->length, node->resources[k].address,
                           node->resources[k].length))
            return error_set(error, VSDK_ERROR_EXISTS, operation, "%s: resources %u and %u overlap",
                             node->hid, k, i);
    return VSDK_OK;
}

/* ACPI 6.5, 6.1.12: a guest tells devices of one id apart by the uid alone. */
static vsdk_status check_name(const vsdk_pc *pc, const vsdk_pc_node *node, const char *operation,
                              vsdk_error *error)
{
    int there = 0;

    for (size_t i = 0; i < sizeof pc_known / sizeof *pc_known; i++)
        there |= !strcmp(node->hid, pc_known[i].hid) && node->uid == pc_known[i].uid &&
                 (!pc_known[i].with_pci || pc_has_pci(pc));
    for (uint32_t i = 0; i < pc->config.node_count; i++)
        there |= !strcmp(node->hid, pc->nodes[i].hid) && node->uid == pc->nodes[i].uid;
    return there ? error_set(error, VSDK_ERROR_EXISTS, operation, "%s with uid %u is there",
                             node->hid, node->uid)
                 : VSDK_OK;
}

static vsdk_status check_node(const vsdk_pc *pc, const vsdk_pc_node *node, const char *operation,
                              vsdk_error *error)
{
    vsdk_status status = check_head(node, operation, error);

    if (!status && pc->config.irqchip == VSDK_IRQCHIP_NONE)
        status = error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                           "a machine without interrupt controllers has no tables");
    if (!status)
        status = check_name(pc, node, operation, error);
    for (uint32_t i = 0; !status && i < node->resource_count; i++) {
        status = check_shape(pc, node, i, operation, error);
        if (!status)
            status = pc_check_free(pc, &node->resources[i], 0, operation, error);
    }
    return status;
}

vsdk_status pc_add_node(vsdk_pc *pc, const vsdk_pc_node *given, const char *operation,
                        vsdk_error *error)
{
    const vsdk_pc_node node = *given;
    vsdk_status status = check_node(pc, &node, operation, error);
    uint8_t area[ACPI_AREA_MOST];
    acpi_machine tables;

    if (status)
        return status;
    if (pc->config.node_count == PC_NODES_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "there are %d nodes", PC_NODES_MAX);
    if (!pc->nodes)
        pc->nodes = alloc_array(PC_NODES_MAX, sizeof *pc->nodes);
    if (!pc->nodes)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for nodes");
    /* It is in the list while the tables are tried, and taken out when they are full. */
    pc->nodes[pc->config.node_count++] = node;
    pc->config.nodes = pc->nodes;
    tables = pc_describe_tables(pc);
    if (acpi_build(&tables, area))
        return VSDK_OK;
    pc->config.node_count--;
    return error_set(error, VSDK_ERROR_LIMIT, operation, "%s: the tables are full", node.hid);
}

vsdk_status vsdk_pc_add_node(vsdk_pc *pc, const vsdk_pc_node *node, vsdk_error *error)
{
    vsdk_status status;

    if (!pc || !node)
        return error_null(error, __func__, pc ? "node" : "pc");
    status = pc_check_created(pc, __func__, error);
    return status ? status : pc_add_node(pc, node, __func__, error);
}

/* The others keep their order, and so the bytes that tell of them. */
vsdk_status vsdk_pc_remove_node(vsdk_pc *pc, const char *hid, uint32_t uid, vsdk_error *error)
{
    vsdk_status status;
    uint32_t i = 0;

    if (!pc || !hid)
        return error_null(error, __func__, pc ? "hid" : "pc");
    status = pc_check_created(pc, __func__, error);
    if (status)
        return status;
    while (i < pc->config.node_count && (strcmp(pc->nodes[i].hid, hid) || pc->nodes[i].uid != uid))
        i++;
    if (i == pc->config.node_count)
        return error_set(error, VSDK_ERROR_NOT_FOUND, __func__, "no %.16s with uid %u", hid, uid);
    pc->config.node_count--;
    memmove(&pc->nodes[i], &pc->nodes[i + 1], (pc->config.node_count - i) * sizeof *pc->nodes);
    return VSDK_OK;
}
