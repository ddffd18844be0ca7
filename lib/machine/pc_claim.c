/* SPDX-License-Identifier: Apache-2.0 */
/* Who has which ports, addresses and lines. What the machine itself has is in one table here, by
 * the numbers of pc.h; the hypervisor's, the nodes' and the claims are looked up. Whatever is asked
 * of this file is compared with all of them. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "machine/pc.h"

static const char operation[] = "vsdk_pc_claim";

enum {
    ON_PORTABLE = 1 << VSDK_IRQCHIP_PORTABLE,
    ON_KERNEL = 1 << VSDK_IRQCHIP_KERNEL,
    ON_NONE = 1 << VSDK_IRQCHIP_NONE,
    WITH_LINES = ON_PORTABLE | ON_KERNEL,
    ON_ANY = WITH_LINES | ON_NONE,
    WITH_PCI = 1 << 8,
};

/* What the machine has whether or not this hypervisor serves it: a port that is a part's on one
 * hypervisor is nobody else's on another, so that claims come out alike everywhere. The exit port
 * and RAM depend on the description and are looked at apart. */
static const struct pc_own {
    vsdk_pc_resource_kind kind;
    uint32_t on;
    uint64_t address, length;
} pc_own[] = {
    {VSDK_PC_PORTS, WITH_LINES, PC_PIT, 4},
    {VSDK_PC_PORTS, ON_ANY, PC_KEYBOARD, 1},
    {VSDK_PC_PORTS, ON_ANY, PC_KEYBOARD + 4, 1},
    {VSDK_PC_PORTS, ON_ANY, PC_RTC, 2},
    {VSDK_PC_PORTS, ON_ANY, PC_POST, 1},
    {VSDK_PC_PORTS, ON_ANY, PC_PORT92, 1},
    {VSDK_PC_PORTS, ON_ANY, PC_SERIAL, 8},
    {VSDK_PC_PORTS, ON_ANY, PC_DEBUG_CONSOLE, 1},
    {VSDK_PC_PORTS, ON_ANY, PC_PVPANIC, 1},
    {VSDK_PC_PORTS, ON_ANY, PC_FW_CFG, 12},
    {VSDK_PC_PORTS, ON_PORTABLE | ON_NONE, PC_SLEEP, PC_REDUCED_RESET + 1 - PC_SLEEP},
    {VSDK_PC_PORTS, WITH_LINES, PC_GED, PC_GED_LENGTH},
    {VSDK_PC_PORTS, ON_KERNEL, PC_PM, PC_PM_RESET + 1 - PC_PM},
    {VSDK_PC_MEMORY, WITH_LINES, PC_IOAPIC, 0x1000},
    {VSDK_PC_MEMORY, WITH_LINES, PC_LOCAL_APIC, 0x1000},
    {VSDK_PC_MEMORY, ON_ANY, PC_HYPERVISOR, PC_HYPERVISOR_LENGTH},
    {VSDK_PC_MEMORY, WITH_PCI, PC_PCI_WINDOW, PC_PCI_WINDOW_LENGTH},
    {VSDK_PC_MEMORY, WITH_PCI, PC_ECAM, PC_ECAM_LENGTH},
    {VSDK_PC_LINES, ON_KERNEL, 0, 1}, /* the PIT's, by the second way at pin 2 */
    {VSDK_PC_LINES, ON_KERNEL, 2, 1},
    {VSDK_PC_LINES, WITH_LINES, PC_SERIAL_GSI, 1},
    {VSDK_PC_LINES, WITH_LINES, PC_GED_GSI, 1},
    {VSDK_PC_LINES, WITH_LINES, 8, 1}, /* the clock's */
    {VSDK_PC_LINES, ON_KERNEL, PC_SCI_GSI, 1},
};

/* Where the machine chooses. Below are addresses and ports that guests expect something at. */
static const struct pc_window {
    vsdk_pc_resource_kind kind;
    uint64_t first, end;
} pc_windows[] = {
    {VSDK_PC_PORTS, 0x1000, 0xb000}, {VSDK_PC_MEMORY, 0xf0000000, PC_IOAPIC},
    {VSDK_PC_LINES, 16, PC_LINES},   {VSDK_PC_LINES, 10, 16},
    {VSDK_PC_LINES, 5, PC_GED_GSI},  {VSDK_PC_LINES, 7, 8},
};

/* What has some of a resource. */
typedef struct pc_holder {
    vsdk_status code;
    const char *who;
    uint64_t address, length;
} pc_holder;

static int overlaps(const vsdk_pc_resource *r, vsdk_pc_resource_kind kind, uint64_t address,
                    uint64_t length)
{
    return r->kind == kind && ranges_overlap(r->address, r->length, address, length);
}

/* Asked first: RESERVED says more than that something is there. */
static int served_has(const vsdk_pc *pc, const vsdk_pc_resource *r, pc_holder *holder)
{
    for (uint32_t i = 0; i < pc->served_count; i++) {
        const vsdk_vm_range *s = &pc->served[i];
        vsdk_pc_resource_kind kind = s->space == VSDK_SPACE_PIO ? VSDK_PC_PORTS : VSDK_PC_MEMORY;

        *holder = (pc_holder){VSDK_ERROR_RESERVED, s->reason, s->address, s->length};
        if (overlaps(r, kind, s->address, s->length))
            return 1;
    }
    return 0;
}

static int machine_has(const vsdk_pc *pc, const vsdk_pc_resource *r, pc_holder *holder)
{
    pc_block blocks[PC_BLOCKS];
    uint32_t count = pc_list_ram(pc, blocks);
    uint32_t is = 1u << pc->config.irqchip | (pc_has_pci(pc) ? WITH_PCI : 0);

    for (size_t i = 0; i < sizeof pc_own / sizeof *pc_own; i++) {
        const struct pc_own *own = &pc_own[i];

        *holder = (pc_holder){VSDK_ERROR_EXISTS, "the machine", own->address, own->length};
        if (own->on & is && overlaps(r, own->kind, own->address, own->length))
            return 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        *holder = (pc_holder){VSDK_ERROR_EXISTS, "RAM", blocks[i].address, blocks[i].length};
        if (overlaps(r, VSDK_PC_MEMORY, blocks[i].address, blocks[i].length))
            return 1;
    }
    *holder = (pc_holder){VSDK_ERROR_EXISTS, "the exit port", pc->config.exit_port, 4};
    return overlaps(r, VSDK_PC_PORTS, holder->address, holder->length);
}

static int node_has(const vsdk_pc *pc, const vsdk_pc_resource *r, pc_holder *holder)
{
    for (uint32_t n = 0; n < pc->config.node_count; n++)
        for (uint32_t i = 0; i < pc->nodes[n].resource_count; i++) {
            const vsdk_pc_resource *other = &pc->nodes[n].resources[i];

            *holder =
                (pc_holder){VSDK_ERROR_EXISTS, pc->nodes[n].hid, other->address, other->length};
            if (overlaps(r, other->kind, other->address, other->length))
                return 1;
        }
    return 0;
}

/* A node does not look here: its resources are what its maker has claimed. */
static int claim_has(const vsdk_pc *pc, const vsdk_pc_resource *r, pc_holder *holder)
{
    for (uint32_t i = 0; i < pc->claim_count; i++) {
        const vsdk_pc_resource *other = &pc->claims[i];

        *holder = (pc_holder){VSDK_ERROR_EXISTS, "a claim", other->address, other->length};
        if (overlaps(r, other->kind, other->address, other->length))
            return 1;
    }
    return 0;
}

static int somebody_has(const vsdk_pc *pc, const vsdk_pc_resource *r, int claims, pc_holder *holder)
{
    return served_has(pc, r, holder) || machine_has(pc, r, holder) || node_has(pc, r, holder) ||
           (claims && claim_has(pc, r, holder));
}

/* After this address plus length wraps nowhere: 52 bits are what a processor addresses at most. */
vsdk_status pc_check_resource(const vsdk_pc *pc, const vsdk_pc_resource *r, const char *operation,
                              vsdk_error *error)
{
    static const uint64_t ends[] = {UINT64_C(1) << 16, UINT64_C(1) << 52, PC_LINES};

    if (r->kind > VSDK_PC_LINES || !r->length)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         r->length ? "a resource of unknown kind" : "a resource of length 0");
    if (r->kind == VSDK_PC_LINES && pc->config.irqchip == VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "a machine without interrupt controllers has no lines");
    if (!checked_within(r->address, r->length, ends[r->kind]))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "%s 0x%llx, 0x%llx of them, go beyond 0x%llx",
                         vsdk_pc_resource_kind_name(r->kind), (unsigned long long)r->address,
                         (unsigned long long)r->length, (unsigned long long)ends[r->kind] - 1);
    return VSDK_OK;
}

vsdk_status pc_check_free(const vsdk_pc *pc, const vsdk_pc_resource *r, int claims,
                          const char *operation, vsdk_error *error)
{
    pc_holder holder;

    if (!somebody_has(pc, r, claims, &holder))
        return VSDK_OK;
    return error_set(error, holder.code, operation,
                     "%s 0x%llx, 0x%llx of them: 0x%llx from 0x%llx on belong to %s",
                     vsdk_pc_resource_kind_name(r->kind), (unsigned long long)r->address,
                     (unsigned long long)r->length, (unsigned long long)holder.length,
                     (unsigned long long)holder.address, holder.who);
}

/* What an address is a multiple of. */
static uint64_t alignment(const vsdk_pc_resource *r)
{
    uint64_t align = r->kind == VSDK_PC_MEMORY ? 0x1000 : 1;

    while (r->kind != VSDK_PC_LINES && align < r->length)
        align <<= 1;
    return align;
}

/* Goes from one holder to behind it, so that the number of steps is bounded by what is held. The
 * windows lie far below the end of the numbers: nothing wraps. */
static int choose_in(const vsdk_pc *pc, const struct pc_window *window, vsdk_pc_resource *r)
{
    uint64_t align = alignment(r);
    pc_holder holder;

    r->address = window->first;
    for (;;) {
        r->address = (r->address + align - 1) & ~(align - 1);
        if (!checked_within(r->address, r->length, window->end))
            return 0;
        if (!somebody_has(pc, r, 1, &holder))
            return 1;
        r->address = holder.address + holder.length;
    }
}

static vsdk_status choose(const vsdk_pc *pc, vsdk_pc_resource *r, vsdk_error *error)
{
    uint64_t length = r->length;

    for (size_t i = 0; i < sizeof pc_windows / sizeof *pc_windows; i++) {
        const struct pc_window *window = &pc_windows[i];

        if (window->kind == r->kind && length <= window->end && choose_in(pc, window, r))
            return VSDK_OK;
    }
    return error_set(error, VSDK_ERROR_LIMIT, operation, "no 0x%llx %s are free",
                     (unsigned long long)length, vsdk_pc_resource_kind_name(r->kind));
}

static vsdk_status pc_claim(vsdk_pc *pc, vsdk_pc_resource *r, vsdk_error *error)
{
    int any = r->address == VSDK_PC_ANY;
    vsdk_status status;

    /* With any address the length is checked as if it began at the first. */
    r->address = any ? 0 : r->address;
    status = pc_check_resource(pc, r, operation, error);
    if (!status)
        status = any ? choose(pc, r, error) : pc_check_free(pc, r, 1, operation, error);
    if (status)
        return status;
    if (pc->claim_count == PC_CLAIMS_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "there are %d claims", PC_CLAIMS_MAX);
    if (!pc->claims)
        pc->claims = alloc_array(PC_CLAIMS_MAX, sizeof *pc->claims);
    if (!pc->claims)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for claims");
    pc->claims[pc->claim_count++] = *r;
    return VSDK_OK;
}

vsdk_status vsdk_pc_claim(vsdk_pc *pc, vsdk_pc_resource_kind kind, uint64_t address,
                          uint64_t length, uint64_t *got, vsdk_error *error)
{
    vsdk_pc_resource r = {.kind = kind, .address = address, .length = length};
    vsdk_status status;

    if (got)
        *got = 0;
    if (!pc || !got)
        return error_null(error, operation, pc ? "got" : "pc");
    status = pc_check_process(pc, operation, error);
    if (!status)
        status = pc_claim(pc, &r, error);
    if (!status)
        *got = r.address;
    return status;
}

vsdk_status vsdk_pc_unclaim(vsdk_pc *pc, vsdk_pc_resource_kind kind, uint64_t address,
                            vsdk_error *error)
{
    vsdk_status status;

    if (!pc)
        return error_null(error, __func__, "pc");
    status = pc_check_process(pc, __func__, error);
    if (status)
        return status;
    for (uint32_t i = 0; i < pc->claim_count; i++)
        if (pc->claims[i].kind == kind && pc->claims[i].address == address) {
            pc->claims[i] = pc->claims[--pc->claim_count];
            return VSDK_OK;
        }
    return error_set(error, VSDK_ERROR_NOT_FOUND, __func__, "no claim begins at 0x%llx",
                     (unsigned long long)address);
}
