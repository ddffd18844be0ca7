/* SPDX-License-Identifier: Apache-2.0 */
/* A request of Xen's as exits, and the answers as its response.
 *
 * A request may hold many elements. Port I/O comes as one exit, its elements in the bounce page;
 * memory accesses come as one exit an element, and Xen gets the response after the last. */
#include "backends/xen/xen.h"
#include "base/checked.h"
#include <string.h>

enum { STATE_BYTE = 30, STATE_MASK = 15, PAGES_A_TURN = 65536 };
_Static_assert(sizeof(struct ioreq) == 32, "the layout of a request is Xen's");

static uint8_t *state_of(struct ioreq *request)
{
    return (uint8_t *)request + STATE_BYTE;
}

int exit_waiting(const xen_vcpu *vcpu)
{
    uint8_t state = __atomic_load_n(state_of(vcpu->request), __ATOMIC_ACQUIRE);

    return (state & STATE_MASK) == STATE_IOREQ_READY;
}

static void respond(xen_vcpu *vcpu, uint64_t data)
{
    uint8_t *state = state_of(vcpu->request);
    uint8_t others = *state & (uint8_t)~STATE_MASK;

    vcpu->request->data = data;
    __atomic_store_n(state, others | STATE_IORESP_READY, __ATOMIC_RELEASE);
    vcpu->access.pending = vcpu->access.shown = 0;
    xenevtchn_notify(vcpu->events, vcpu->port);
}

void exit_drop(xen_vm *vm)
{
    for (uint32_t i = 0; vm->requests && i < vm->vm->config.vcpus_max; i++) {
        xen_vcpu *vcpu = vm->vcpus[i];
        if (vcpu && exit_waiting(vcpu))
            respond(vcpu, 0);
        if (vcpu)
            vcpu->access = (xen_access){0};
    }
}

static uint64_t low_bytes(uint64_t value, uint32_t size)
{
    return size >= 8 ? value : value & ((1ull << (size * 8)) - 1);
}

static uint64_t element(const xen_access *access, uint64_t base, uint32_t index)
{
    uint64_t distance = (uint64_t)index * access->size;

    return access->down ? base - distance : base + distance;
}

/* Memory that a string instruction names may be no RAM: then reads give ones and writes go
 * nowhere, as on a bus. */
static void fetch(xen_vcpu *vcpu, uint32_t index, void *to)
{
    backend_vm *vm = vcpu->vm->vm;
    const xen_access *access = &vcpu->access;

    if (!access->indirect)
        memcpy(to, &access->data, access->size);
    else if (vm->host->core->gate_read(vm, element(access, access->data, index), to, access->size))
        memset(to, 0xff, access->size);
}

static void store(xen_vcpu *vcpu, uint32_t index, const void *from)
{
    backend_vm *vm = vcpu->vm->vm;
    const xen_access *access = &vcpu->access;

    vm->host->core->gate_write(vm, element(access, access->data, index), from, access->size);
}

static void show(xen_vcpu *vcpu, vsdk_exit_reason reason, uint64_t address, uint32_t count)
{
    vsdk_exit *exit = vcpu->vcpu->exit;
    const xen_access *access = &vcpu->access;

    *exit = (vsdk_exit){.reason = reason,
                        .address = address,
                        .data = (uint64_t)(uintptr_t)&exit->value,
                        .count = count,
                        .width = (uint16_t)access->size,
                        .direction = access->read ? VSDK_DIRECTION_READ : VSDK_DIRECTION_WRITE,
                        .native = access->type};
    if (access->read)
        exit->value = low_bytes(~0ull, access->size);
    vcpu->access.shown = 1;
}

static void show_string(xen_vcpu *vcpu)
{
    const xen_access *access = &vcpu->access;

    show(vcpu, VSDK_EXIT_PIO, access->address, access->count);
    vcpu->vcpu->exit->value = 0;
    vcpu->vcpu->exit->data = (uint64_t)(uintptr_t)vcpu->bounce;
    memset(vcpu->bounce, 0xff, access->count * access->size);
    for (uint32_t i = 0; !access->read && i < access->count; i++)
        fetch(vcpu, i, vcpu->bounce + i * access->size);
}

static void show_port(xen_vcpu *vcpu)
{
    const xen_access *access = &vcpu->access;
    vsdk_exit *exit = vcpu->vcpu->exit;

    if (access->count > 1) {
        show_string(vcpu);
        return;
    }
    show(vcpu, VSDK_EXIT_PIO, access->address, 1);
    if (access->read)
        return;
    fetch(vcpu, 0, &exit->value);
    if (!access->indirect)
        exit->flags = VSDK_EXIT_REGS_SETTABLE;
}

static void show_memory(xen_vcpu *vcpu)
{
    const xen_access *access = &vcpu->access;

    show(vcpu, VSDK_EXIT_MMIO, element(access, access->address, access->done), 1);
    if (!access->read)
        fetch(vcpu, access->done, &vcpu->vcpu->exit->value);
}

/* Elements as Xen promises them; anything else would be an error of Xen's. */
static int is_sound(const xen_access *access)
{
    int size = access->size == 1 || access->size == 2 || access->size == 4 || access->size == 8;

    if (!size || !access->count || access->count > XEN_PAGE / access->size)
        return 0;
    if (access->type == IOREQ_TYPE_PIO)
        return checked_within(access->address, access->size, XEN_PORTS);
    return access->type == IOREQ_TYPE_COPY;
}

static void copy_request(xen_access *access, const struct ioreq *request)
{
    *access = (xen_access){.pending = 1,
                           .type = request->type,
                           .read = request->dir == IOREQ_READ,
                           .indirect = request->data_is_ptr,
                           .down = request->df,
                           .size = request->size,
                           .count = request->count,
                           .address = request->addr,
                           .data = request->data};
    if (access->type == IOREQ_TYPE_PCI_CONFIG) {
        access->type = IOREQ_TYPE_PIO;
        access->address = 0xcfc + (request->addr & 3);
    }
}

static void show_unknown(xen_vcpu *vcpu)
{
    const xen_access *access = &vcpu->access;

    *vcpu->vcpu->exit = (vsdk_exit){.reason = VSDK_EXIT_UNKNOWN,
                                    .native = access->type,
                                    .detail = (uint64_t)access->size << 32 | access->count};
}

static void show_element(xen_vcpu *vcpu)
{
    if (vcpu->access.type == IOREQ_TYPE_PIO)
        show_port(vcpu);
    else
        show_memory(vcpu);
}

static int is_internal(const xen_access *access)
{
    return access->type == IOREQ_TYPE_TIMEOFFSET || access->type == IOREQ_TYPE_INVALIDATE;
}

int exit_take(xen_vcpu *vcpu)
{
    vcpu->busy = 0;
    if (!exit_waiting(vcpu))
        return 0;
    if (__atomic_load_n(&vcpu->request->type, __ATOMIC_RELAXED) == IOREQ_TYPE_INVALIDATE &&
        !memory_follow(vcpu->vm, &vcpu->followed, PAGES_A_TURN / 1024)) {
        vcpu->busy = 1;
        return 0;
    }
    copy_request(&vcpu->access, vcpu->request);
    if (is_internal(&vcpu->access)) {
        respond(vcpu, vcpu->access.data);
        atomic_fetch_add_explicit(&vcpu->vcpu->internal, 1, memory_order_relaxed);
        return 0;
    }
    if (is_sound(&vcpu->access))
        show_element(vcpu);
    else
        show_unknown(vcpu);
    return 1;
}

static void take_port(xen_vcpu *vcpu)
{
    xen_access *access = &vcpu->access;
    const uint8_t *from = vcpu->bounce;

    if (access->count == 1)
        from = (const uint8_t *)&vcpu->vcpu->exit->value;
    access->done = access->count;
    if (!access->indirect)
        memcpy(&access->data, from + (access->count - 1) * access->size, access->size);
    for (uint32_t i = 0; access->indirect && i < access->count; i++)
        store(vcpu, i, from + i * access->size);
}

static void take_memory(xen_vcpu *vcpu)
{
    xen_access *access = &vcpu->access;

    if (access->read && access->indirect)
        store(vcpu, access->done, &vcpu->vcpu->exit->value);
    else if (access->read)
        access->data = low_bytes(vcpu->vcpu->exit->value, access->size);
    access->done++;
}

int exit_answer(xen_vcpu *vcpu)
{
    xen_access *access = &vcpu->access;

    if (access->shown && access->type == IOREQ_TYPE_COPY)
        take_memory(vcpu);
    else if (access->shown && access->read)
        take_port(vcpu);
    else
        access->done = access->count;
    if (access->shown && access->done < access->count) {
        show_memory(vcpu);
        return 1;
    }
    respond(vcpu, access->indirect || !access->read ? access->data
                                                    : low_bytes(access->data, access->size));
    return 0;
}
