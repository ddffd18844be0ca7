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

vsdk_status populate(xen_vm *vm, uint64_t gpa, uint64_t bytes, vsdk_error *error)
{
    uint64_t available = 0, done;
    int result = compat_free_memory(vm->host->control, &available);

    if (result < 0)
        return xen_failed(error, result, "XEN_SYSCTL_physinfo", "free memory is not known");
    if (available < bytes)
        return no_memory(error, bytes, available);
    result = set_limits(vm, vm->mapped + bytes);
    if (result == -ENOMEM)
        return no_memory(error, bytes, available);
    if (result < 0)
        return xen_failed(error, result, "XEN_DOMCTL_max_mem", "Xen refused the memory limit");
    done = populate_all(vm, gpa, bytes);
    vm->mapped += done;
    if (done == bytes)
        return VSDK_OK;
    depopulate(vm, gpa, done);
    return stopped(error, gpa + done);
}

static uint64_t depopulate_some(xen_vm *vm, uint64_t gpa, uint64_t bytes)
{
    uint64_t frames[BATCH];
    uint32_t count = 0;
    int done;

    for (; count < BATCH && (count + 1) * XEN_PAGE <= bytes; count++)
        frames[count] = gpa / XEN_PAGE + count;
    done = compat_depopulate(vm->host->control, vm->domid, frames, count, 0);
    return done > 0 ? (uint64_t)done * XEN_PAGE : 0;
}

/* A page that the guest has given away itself stops the call: it is stepped over. */
void depopulate(xen_vm *vm, uint64_t gpa, uint64_t bytes)
{
    for (uint64_t done = 0; done < bytes;) {
        uint64_t some = depopulate_some(vm, gpa + done, bytes - done);
        done += some ? some : XEN_PAGE;
    }
    vm->mapped -= bytes;
    set_limits(vm, vm->mapped);
}
