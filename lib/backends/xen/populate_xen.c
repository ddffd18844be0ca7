/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a domain: given from Xen's free memory, large ones where that works, and taken away. */
#include "backends/xen/xen.h"
#include <errno.h>

enum { BATCH = 512, LARGE_ORDER = 9 };

#define MIB (1ull << 20)
#define LARGE (2 * MIB)

/* What the guest may own beyond what is mapped: nothing, or it could take the host's memory. */
static int set_limits(xen_vm *vm, uint64_t bytes)
{
    uint64_t pool = vm->vm->config.vcpus_max * MIB + 2 * MIB + bytes / 128;
    int result = compat_set_memory_limit(vm->host->control, vm->domid, bytes);

    if (result < 0 || bytes < vm->mapped)
        return result;
    pool = (pool + MIB - 1) & ~(MIB - 1);
    return compat_set_paging_pool(vm->host->control, vm->domid, pool);
}

static vsdk_status no_memory(vsdk_error *error, uint64_t bytes, uint64_t available)
{
    vsdk_status status =
        error_set(error, VSDK_ERROR_NO_MEMORY, "XENMEM_populate_physmap",
                  "Xen has %llu MiB free, and %llu MiB are wanted",
                  (unsigned long long)(available >> 20), (unsigned long long)(bytes >> 20));

    return error_hint(error, status,
                      "end other guests, or boot Xen with a smaller dom0_mem: "
                      "the library never takes memory from dom0");
}

/* There was memory, and Xen stopped all the same. */
static vsdk_status stopped(vsdk_error *error, uint64_t gpa)
{
    vsdk_status status = error_set(error, VSDK_ERROR_NO_MEMORY, "XENMEM_populate_physmap",
                                   "Xen gives the guest no page at %#llx", (unsigned long long)gpa);

    return error_hint(error, status,
                      "the address is above what guests can have here, or another program took "
                      "the memory meanwhile");
}

/* One call for extents of 1 << order pages; how many were done. */
static uint64_t populate_some(xen_vm *vm, uint64_t gpa, uint64_t bytes, uint32_t order)
{
    uint64_t frames[BATCH], step = (uint64_t)XEN_PAGE << order;
    uint32_t count = 0;
    int done;

    for (; count < BATCH && (count + 1) * step <= bytes; count++)
        frames[count] = (gpa + count * step) / XEN_PAGE;
    done = compat_populate(vm->host->control, vm->domid, frames, count, order);
    return done > 0 ? (uint64_t)done * step : 0;
}

static uint64_t populate_all(xen_vm *vm, uint64_t gpa, uint64_t bytes)
{
    uint64_t done = 0, small = 0; /* small: up to there large pages were refused */

    while (done < bytes) {
        uint64_t at = gpa + done, left = bytes - done, some;
        int large = at % LARGE == 0 && left >= LARGE && done >= small;

        if (!large && left > LARGE - at % LARGE)
            left = LARGE - at % LARGE;
        some = populate_some(vm, at, left, large ? LARGE_ORDER : 0);
        if (some == 0 && !large)
            break;
        if (some == 0)
            small = done + LARGE;
        done += some;
    }
    return done;
}

vsdk_status populate(xen_vm *vm, uint64_t gpa, uint64_t bytes, uint64_t *done, vsdk_error *error)
{
    uint64_t available = 0;
    int result = compat_free_memory(vm->host->control, &available);

    *done = 0;
    vm->mapped += bytes; /* until they are taken away, see release_limit */
    if (result < 0)
        return xen_failed(error, result, "XEN_SYSCTL_physinfo", "free memory is not known");
    if (available < bytes)
        return no_memory(error, bytes, available);
    result = set_limits(vm, vm->mapped);
    if (result == -ENOMEM)
        return no_memory(error, bytes, available);
    if (result < 0)
        return xen_failed(error, result, "XEN_DOMCTL_max_mem", "Xen refused the memory limit");
    *done = populate_all(vm, gpa, bytes);
    return *done == bytes ? VSDK_OK : stopped(error, gpa + *done);
}

static uint64_t depopulate_some(xen_vm *vm, uint64_t gpa, uint64_t bytes)
{
    uint64_t frames[BATCH];
    uint32_t count = 0;
    int done;

    for (; count < BATCH && (count + 1) * XEN_PAGE <= bytes; count++)
        frames[count] = gpa / XEN_PAGE + count;
    done = compat_depopulate(vm->host->control, vm->domid, frames, count, 0);
    if (done < 0) /* of all: the call failed, and may not a second time */
        done = compat_depopulate(vm->host->control, vm->domid, frames, count, 0);
    return done > 0 ? (uint64_t)done * XEN_PAGE : 0;
}

/* Where a call stopped: pages that the guest has given away are stepped over, and one that is there
 * is left. What can't be asked is taken to be there. */
static uint64_t step_over(xen_vm *vm, uint64_t gpa, uint64_t bytes, uint64_t *left)
{
    uint8_t missing[BATCH] = {0};
    uint32_t count = bytes / XEN_PAGE < BATCH ? (uint32_t)(bytes / XEN_PAGE) : BATCH, run = 0;

    compat_missing(vm->host->control, vm->domid, gpa / XEN_PAGE, count, missing);
    while (run < count && missing[run])
        run++;
    if (run)
        return (uint64_t)run * XEN_PAGE;
    *left += XEN_PAGE;
    return XEN_PAGE;
}

uint64_t depopulate(xen_vm *vm, uint64_t gpa, uint64_t bytes)
{
    uint64_t left = 0;

    for (uint64_t done = 0; done < bytes;) {
        uint64_t some = depopulate_some(vm, gpa + done, bytes - done);
        done += some ? some : step_over(vm, gpa + done, bytes - done, &left);
    }
    return left;
}

void release_limit(xen_vm *vm, uint64_t bytes)
{
    vm->mapped -= bytes;
    set_limits(vm, vm->mapped);
}
