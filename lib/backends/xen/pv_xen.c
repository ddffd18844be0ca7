/* SPDX-License-Identifier: Apache-2.0 */
/* The console and the store that guests of Xen trust to be there: two pages of the guest's, each
 * with an event channel, named to it by parameters of the domain.
 *
 * Whoever is inside run of vCPU 0 takes the guest's notifications and serves the store; a turn is
 * short, and what is left is told by `more`. The console's bytes are for the core to take and give:
 * it is told by `console_due`. What the guest has in the pages is copied once and then checked; our
 * own places in the rings are kept here, where it can't move them.
 *
 * `lock` is held around the handle of the channels, which a reset replaces. */
#include "backends/xen/store.h"
#include "backends/xen/xen.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

enum { PAGES = 2 };

static struct xencons_interface *console_of(const xen_vm *vm)
{
    return vm->pv.pages;
}

static struct xenstore_domain_interface *store_ring_of(const xen_vm *vm)
{
    return (void *)((uint8_t *)vm->pv.pages + XEN_PAGE);
}

/* A channel of the guest's that leads to us, and the parameters that name it. */
static int connect_one(xen_vm *vm, uint32_t page_param, uint64_t page, uint32_t port_param,
                       evtchn_port_t *local)
{
    xen_control *control = vm->host->control;
    int result, port = compat_make_port(control, vm->domid);

    if (port < 0)
        return port;
    result = xenevtchn_bind_interdomain(vm->pv.events, vm->domid, (evtchn_port_t)port);
    if (result < 0)
        return -errno;
    *local = (evtchn_port_t)result;
    result = compat_set_param(control, vm->domid, port_param, (uint64_t)port);
    if (result >= 0)
        result = compat_set_param(control, vm->domid, page_param, page / XEN_PAGE);
    return result;
}

static int connect_both(xen_vm *vm)
{
    int result;

    memset(vm->pv.pages, 0, PAGES * XEN_PAGE);
    vm->pv.out_consumed = vm->pv.in_produced = 0;
    vm->pv.more = 0;
    store_reset(vm->pv.store, vm->domid, vm->vm->config.vcpus_max);
    result = connect_one(vm, HVM_PARAM_CONSOLE_PFN, XEN_CONSOLE_PAGE, HVM_PARAM_CONSOLE_EVTCHN,
                         &vm->pv.console_port);
    if (result >= 0)
        result = connect_one(vm, HVM_PARAM_STORE_PFN, XEN_STORE_PAGE, HVM_PARAM_STORE_EVTCHN,
                             &vm->pv.store_port);
    return result;
}

static int open_channels(xen_vm *vm)
{
    descriptor_plug plug;
    int failure;

    descriptor_plug_in(&plug);
    vm->pv.events = xenevtchn_open(&vm->host->logger.base, 0);
    failure = -errno;
    descriptor_plug_out(&plug);
    return vm->pv.events ? 0 : failure;
}

vsdk_status pv_open(xen_vm *vm, vsdk_error *error)
{
    const xen_pfn_t frames[PAGES] = {XEN_CONSOLE_PAGE / XEN_PAGE, XEN_STORE_PAGE / XEN_PAGE};
    int failed[PAGES] = {0}, result;

    vm->pv.store = store_create();
    if (!vm->pv.store)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_create", "no memory for a store");
    vm->pv.pages = xenforeignmemory_map(vm->host->memory, vm->domid, PROT_READ | PROT_WRITE, PAGES,
                                        frames, failed);
    if (!vm->pv.pages || failed[0] || failed[1])
        return xen_failed(error, vm->pv.pages ? failed[0] + failed[1] : -errno,
                          "xenforeignmemory_map", "the console's page was not mapped");
    result = open_channels(vm);
    if (result < 0)
        return xen_failed(error, result, "xenevtchn_open", "no event channel handle");
    result = connect_both(vm);
    if (result < 0)
        return xen_failed(error, result, "EVTCHNOP_alloc_unbound",
                          "the guest's console was not connected");
    return VSDK_OK;
}

void pv_close(xen_vm *vm)
{
    if (vm->pv.events)
        events_close(vm->pv.events);
    if (vm->pv.pages)
        xenforeignmemory_unmap(vm->host->memory, vm->pv.pages, PAGES);
    store_free(vm->pv.store);
    vm->pv.events = NULL;
    vm->pv.pages = NULL;
    vm->pv.store = NULL;
}

/* Xen's soft reset has closed the guest's channels: ours lead nowhere. */
int pv_reset(xen_vm *vm)
{
    int result;

    lock_take(&vm->pv.lock);
    if (vm->pv.events)
        events_close(vm->pv.events);
    vm->pv.events = NULL;
    result = open_channels(vm);
    if (result >= 0)
        result = connect_both(vm);
    lock_give(&vm->pv.lock);
    return result;
}

int pv_fd(const xen_vm *vm)
{
    return vm->pv.events ? xenevtchn_fd(vm->pv.events) : -1;
}

static void notify(xen_vm *vm, evtchn_port_t port)
{
    lock_take(&vm->pv.lock);
    if (vm->pv.events)
        xenevtchn_notify(vm->pv.events, port);
    lock_give(&vm->pv.lock);
}

/* Before the rings are looked at: what comes later is told again. Reading the handle when nothing
 * is pending would block. */
static void take_events(xen_vm *vm)
{
    lock_take(&vm->pv.lock);
    for (int i = 0; i < PAGES && events_are_there(pv_fd(vm)); i++) {
        int port = events_take(vm->pv.events);
        if (port >= 0 && (evtchn_port_t)port == vm->pv.console_port)
            vm->vm->console_due = 1; /* it may also have read, and made room */
    }
    lock_give(&vm->pv.lock);
}

/* A guest that breaks its indices is served what the ring holds. */
static uint32_t output_waiting(const xen_vm *vm, uint32_t produced)
{
    uint32_t count = produced - vm->pv.out_consumed;

    return count > sizeof console_of(vm)->out ? (uint32_t)sizeof console_of(vm)->out : count;
}

static int has_output(const xen_vm *vm)
{
    return output_waiting(vm, __atomic_load_n(&console_of(vm)->out_prod, __ATOMIC_ACQUIRE)) != 0;
}

uint64_t xen_console_output(backend_vm *outer, void *bytes, uint64_t capacity)
{
    xen_vm *vm = xen_vm_of(outer);
    struct xencons_interface *ring = console_of(vm);

    if (!ring)
        return 0;
    uint32_t produced = __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE);
    uint32_t count = output_waiting(vm, produced);
    if (!count)
        return 0;
    if (produced - vm->pv.out_consumed > count)
        vm->pv.out_consumed = produced - count; /* what there was before can't be told from it */
    if (count > capacity)
        count = (uint32_t)capacity;
    uint32_t from = MASK_XENCONS_IDX(vm->pv.out_consumed, ring->out);
    uint32_t first = (uint32_t)sizeof ring->out - from;
    if (first > count)
        first = count;
    memcpy(bytes, ring->out + from, first);
    memcpy((char *)bytes + first, ring->out, count - first);
    vm->pv.out_consumed += count;
    __atomic_store_n(&ring->out_cons, vm->pv.out_consumed, __ATOMIC_RELEASE);
    notify(vm, vm->pv.console_port);
    return count;
}

static void serve_store(xen_vm *vm)
{
    int served = store_serve(vm->pv.store, store_ring_of(vm));

    if (served & STORE_MOVED)
        notify(vm, vm->pv.store_port);
    vm->pv.more = !!(served & STORE_MORE);
    if (served & STORE_BROKE)
        xen_log(vm->host->host, VSDK_LOG_WARNING,
                "domain %u broke the rules of its store's ring: nothing is served any more",
                vm->domid);
    if (served & STORE_LOST)
        xen_log(vm->host->host, VSDK_LOG_WARNING, "domain %u does not read its store's events",
                vm->domid);
}

void pv_serve(xen_vm *vm)
{
    if (!vm->pv.pages)
        return;
    take_events(vm);
    if (has_output(vm))
        vm->vm->console_due = 1;
    serve_store(vm);
}

static uint32_t put_input(xen_vm *vm, const uint8_t *bytes, uint64_t length)
{
    struct xencons_interface *ring = console_of(vm);
    uint32_t used = vm->pv.in_produced - __atomic_load_n(&ring->in_cons, __ATOMIC_ACQUIRE);
    uint32_t count, to = MASK_XENCONS_IDX(vm->pv.in_produced, ring->in), first;

    if (used > sizeof ring->in)
        return 0;
    count = (uint32_t)sizeof ring->in - used;
    if (count > length)
        count = (uint32_t)length;
    first = (uint32_t)sizeof ring->in - to;
    if (first > count)
        first = count;
    memcpy(ring->in + to, bytes, first);
    memcpy(ring->in, bytes + first, count - first);
    vm->pv.in_produced += count;
    __atomic_store_n(&ring->in_prod, vm->pv.in_produced, __ATOMIC_RELEASE);
    if (count)
        notify(vm, vm->pv.console_port);
    return count;
}

uint64_t xen_console_input(backend_vm *vm, const void *bytes, uint64_t length)
{
    xen_vm *made = xen_vm_of(vm);

    return made->pv.pages ? put_input(made, bytes, length) : 0;
}
