/* SPDX-License-Identifier: Apache-2.0 */
/* A host: its configuration space (ECAM, one bus), its slots, and how functions come and go.
 *
 * A slot has a reference to its function's device, and the function one to the host's memory. So
 * whoever finds a function in a slot can use it, and a function outlives its host. The guest's
 * words about coming and going pass through the event device: what was added (it looks itself), and
 * that it is asked to let slots go (it reads which). Its answer is a write of these slots; it may
 * also come without having been asked for. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "pci/pci.h"

enum { ECAM_BYTES = 1 << 20 };
enum { REGION_ECAM, REGION_EJECT };
enum { EJECT_PORT = 0x624, EJECT_BYTES = 4 };
#define ECAM_DEFAULT UINT64_C(0xe0000000)
#define WINDOW_DEFAULT UINT64_C(0xc0000000)
#define WINDOW_LENGTH UINT64_C(0x20000000)
#define SPACE_END (UINT64_C(1) << 52)

static const char operation[] = "vsdk_pci_create";

void pci_host_put(pci_host *host)
{
    if (!refs_put(&host->memory))
        return;
    vsdk_device_close(host->events);
    lock_destroy(&host->lock);
    alloc_free(host);
}

/* With a reference that the caller gives back; NULL if the slot is empty. */
static pci_function *get_slot(pci_host *host, uint32_t slot)
{
    lock_take(&host->lock);
    pci_function *f = host->slot[slot];
    if (f)
        vsdk_device_ref(f->device);
    lock_give(&host->lock);
    return f;
}

/* The last one may release it: no lock is held here. */
static void put_slot(pci_function *f)
{
    vsdk_device_close(f->device);
}

/* Out of the slot first: nobody finds it any more. Who still has it is waited for, in the host's
 * gate and in the function's own; inside the host's gate that is this thread. */
int pci_leave(pci_function *f)
{
    lock_take(&f->lock);
    pci_host *host = f->host;
    vsdk_timer *timer = f->timer;
    f->host = NULL;
    f->timer = NULL;
    lock_give(&f->lock);
    if (!host)
        return 0;
    lock_take(&host->lock);
    host->slot[f->slot] = NULL;
    lock_give(&host->lock);
    atomic_fetch_and(&host->asked, ~(UINT32_C(1) << f->slot));
    if (!vsdk_device_enter(host->device, NULL))
        vsdk_device_leave(host->device);
    vsdk_timer_close(timer);
    bars_take(f);
    vsdk_device_detach(f->device, NULL);
    lock_take(&f->lock);
    f->is_started = 0;
    pci_power_on(f);
    lock_give(&f->lock);
    for (uint32_t i = 0; i < PCI_BARS; i++)
        vsdk_device_close(f->bar[i].device);
    atomic_store(&f->attached, 0);
    put_slot(f);
    pci_host_put(host);
    return 1;
}

/* The guest lets slots go. */
static void eject(pci_host *host, uint32_t slots)
{
    for (uint32_t i = 0; i < PCI_SLOTS; i++) {
        pci_function *f = slots >> i & 1 ? get_slot(host, i) : NULL;
        if (!f)
            continue;
        if (pci_leave(f) && f->ops.ejected)
            f->ops.ejected(f->user, f->device, VSDK_PCI_EJECTED);
        put_slot(f);
    }
}

/* Bus, device, function and register are in the address. Only function 0 of a slot is there. */
static pci_function *find(pci_host *host, uint64_t offset)
{
    return offset >> 12 & 7 ? NULL : get_slot(host, offset >> 15 & (PCI_SLOTS - 1));
}

static uint64_t host_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    pci_host *host = user;

    (void)device;
    if (access->region == REGION_EJECT)
        return access->width == EJECT_BYTES ? atomic_exchange(&host->asked, 0) : 0;
    pci_function *f = find(host, access->offset);
    if (!f)
        return UINT64_MAX;
    uint64_t value = config_read(f, access->offset & 0xfff, access->width);
    put_slot(f);
    return value;
}

static void host_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    pci_host *host = user;

    (void)device;
    if (access->region == REGION_EJECT) {
        if (access->width == EJECT_BYTES)
            eject(host, (uint32_t)access->value);
        return;
    }
    pci_function *f = find(host, access->offset);
    if (!f)
        return;
    config_write(f, access->offset & 0xfff, access->width, access->value);
    put_slot(f);
}

/* All functions with it: those that have no range are told of no reset. */
static void host_reset(void *user, vsdk_device *device)
{
    pci_host *host = user;

    (void)device;
    atomic_store(&host->asked, 0);
    for (uint32_t i = 0; i < PCI_SLOTS; i++) {
        pci_function *f = get_slot(host, i);
        if (!f)
            continue;
        lock_take(&f->lock);
        pci_power_on(f);
        lock_give(&f->lock);
        bars_update(f);
        put_slot(f);
    }
}

static vsdk_status host_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                             vsdk_error *error)
{
    pci_host *host = user;

    (void)device;
    return vsdk_state_put_number(writer, "asked", atomic_load(&host->asked), error);
}

/* Slots and what is in them are the embedder's to make again. */
static vsdk_status host_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                             vsdk_error *error)
{
    pci_host *host = user;
    uint64_t asked;
    vsdk_status status = vsdk_state_get_number(reader, "asked", UINT32_MAX, &asked, error);

    (void)device;
    if (!status)
        atomic_store(&host->asked, (uint32_t)asked);
    return status;
}

static void host_release(void *user)
{
    pci_host *host = user;

    host->device = NULL; /* whose gate nobody enters any more */
    for (uint32_t i = 0; i < PCI_SLOTS; i++) {
        pci_function *f = get_slot(host, i);
        if (!f)
            continue;
        pci_leave(f);
        put_slot(f);
    }
    pci_host_put(host);
}

const vsdk_device_ops pci_host_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = host_read,
    .write = host_write,
    .reset = host_reset,
    .save = host_save,
    .load = host_load,
    .release = host_release,
};

/* GONE as it is; a forked child is told so by this function's own name. */
static vsdk_status check_vm(vsdk_vm *vm, const char *operation, vsdk_vm_info *info,
                            vsdk_error *error)
{
    *info = (vsdk_vm_info){.size = sizeof *info};
    vsdk_status status = vsdk_vm_get_info(vm, info, error);

    return status == VSDK_ERROR_STATE ? error_forked(error, operation) : status;
}

/* The event device is asked to raise nothing: so it says whether it is one. */
static vsdk_status read_config(vsdk_vm *vm, const vsdk_pci_config *given, vsdk_pci_config *c,
                               vsdk_error *error)
{
    vsdk_status status = record_read(c, sizeof *c, given, 0, operation, error);
    const char *what = NULL;

    if (status)
        return status;
    for (size_t i = 0; i < sizeof c->reserved2 / sizeof *c->reserved2; i++)
        if (c->reserved || c->reserved2[i])
            return record_later(operation, error);
    c->ecam = c->ecam ? c->ecam : ECAM_DEFAULT;
    c->window_length = c->window_length || c->window ? c->window_length : WINDOW_LENGTH;
    c->window = c->window ? c->window : WINDOW_DEFAULT;
    c->eject_port = c->eject_port ? c->eject_port : EJECT_PORT;
    if (c->ecam % ECAM_BYTES)
        what = "ecam is no multiple of 1 MiB";
    else if (!c->window_length || !checked_within(c->window, c->window_length, SPACE_END))
        what = "the window has no length, or leaves 52 bits";
    else if (c->events && vsdk_device_vm(c->events) != vm)
        what = "events is another virtual machine's";
    else if (c->events && vsdk_ged_raise(c->events, 0, NULL))
        what = "events is no event device";
    return what ? error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what) : VSDK_OK;
}

/* Without events nobody ejects: there is no port. */
static vsdk_status add_ranges(vsdk_device *device, const vsdk_pci_config *c, vsdk_error *error)
{
    vsdk_status status =
        vsdk_device_add_range(device, VSDK_SPACE_MMIO, c->ecam, ECAM_BYTES, REGION_ECAM, error);

    if (!status && c->events)
        status = vsdk_device_add_range(device, VSDK_SPACE_PIO, c->eject_port, EJECT_BYTES,
                                       REGION_EJECT, error);
    return status;
}

vsdk_status vsdk_pci_create(vsdk_vm *vm, const vsdk_pci_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    vsdk_device_config make = {.size = sizeof make, .name = "pci-host"};
    vsdk_pci_config c;
    vsdk_vm_info info;

    if (device)
        *device = NULL;
    if (!vm || !device)
        return error_null(error, operation, vm ? "device" : "vm");
    vsdk_status status = check_vm(vm, operation, &info, error);
    if (!status)
        status = read_config(vm, config, &c, error);
    if (!status && info.irqchip == VSDK_IRQCHIP_NONE)
        status = error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                           "without local APICs there are no messages");
    pci_host *host = status ? NULL : alloc_zeroed(sizeof *host);
    if (!status && !host)
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    if (status)
        return status;
    refs_init(&host->memory);
    lock_init(&host->lock, RANK_LEAF);
    host->window = c.window;
    host->window_end = c.window + c.window_length;
    host->events = vsdk_device_ref(c.events);
    vsdk_device *made;
    status = vsdk_device_create(vm, &pci_host_ops, host, &make, &made, error);
    if (status)
        return status;
    host->device = made;
    status = add_ranges(made, &c, error);
    if (status) {
        vsdk_device_detach(made, NULL);
        vsdk_device_close(made);
        return status;
    }
    *device = made;
    return VSDK_OK;
}

/* The table says that it is one of ours. */
static vsdk_status get_host(vsdk_device *device, pci_host **host, const char *operation,
                            vsdk_error *error)
{
    *host = vsdk_device_user(device, &pci_host_ops);
    if (!device)
        return error_null(error, operation, "host");
    return *host ? VSDK_OK
                 : error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                             "the device is no PCI host");
}

/* 0 is left for a host bridge, unless it is asked for. */
static vsdk_status choose_slot(pci_host *host, uint32_t *slot, const char *operation,
                               vsdk_error *error)
{
    if (*slot != VSDK_PCI_ANY && *slot >= PCI_SLOTS)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "slot %u of %d", *slot,
                         PCI_SLOTS);
    int any = *slot == VSDK_PCI_ANY, taken;
    *slot = any ? 1 : *slot;
    lock_take(&host->lock);
    while ((taken = host->slot[*slot] != NULL) && any && *slot + 1 < PCI_SLOTS)
        ++*slot;
    lock_give(&host->lock);
    if (taken && any)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "no slot is free");
    return taken ? error_set(error, VSDK_ERROR_EXISTS, operation, "slot %u is taken", *slot)
                 : VSDK_OK;
}

/* The function is complete when it is found. */
static void enter_slot(pci_function *f, pci_host *host, uint32_t slot)
{
    refs_get(&host->memory);
    vsdk_device_ref(f->device);
    for (uint32_t i = 0; i < PCI_BARS; i++)
        vsdk_device_ref(f->bar[i].device);
    bars_assign(f, host);
    lock_take(&f->lock);
    f->slot = slot;
    pci_power_on(f);
    f->host = host;
    lock_give(&f->lock);
    lock_take(&host->lock);
    host->slot[slot] = f;
    lock_give(&host->lock);
}

vsdk_status vsdk_pci_function_attach(vsdk_device *function, vsdk_device *host, uint32_t slot,
                                     vsdk_error *error)
{
    static const char operation[] = "vsdk_pci_function_attach";
    pci_function *f;
    pci_host *h;
    vsdk_vm_info info;
    int free = 0;
    vsdk_status status = pci_get(function, &f, operation, error);

    if (!status)
        status = get_host(host, &h, operation, error);
    if (!status && vsdk_device_vm(function) != vsdk_device_vm(host))
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "the host is another virtual machine's");
    if (!status)
        status = check_vm(vsdk_device_vm(host), operation, &info, error);
    if (!status && !atomic_compare_exchange_strong(&f->attached, &free, 1))
        return error_set(error, VSDK_ERROR_EXISTS, operation, "the function is attached");
    if (status)
        return status;
    status = choose_slot(h, &slot, operation, error);
    if (status) {
        atomic_store(&f->attached, 0);
        return status;
    }
    enter_slot(f, h, slot);
    if (info.state != VSDK_VM_CREATED && h->events)
        vsdk_ged_raise(h->events, EVENT_ADDED, NULL);
    return VSDK_OK;
}

vsdk_status vsdk_pci_function_detach(vsdk_device *function, vsdk_error *error)
{
    static const char operation[] = "vsdk_pci_function_detach";
    pci_function *f;
    vsdk_status status = pci_get(function, &f, operation, error);

    if (status)
        return status;
    /* From its own callback it could not wait for that. */
    status = vsdk_device_enter(function, error);
    if (status == VSDK_ERROR_BUSY)
        return status;
    if (!status)
        vsdk_device_leave(function);
    return pci_leave(f) ? VSDK_OK
                        : error_set(error, VSDK_ERROR_NOT_FOUND, operation, "it is not attached");
}

/* In the host's gate, as the guest's answer is: one of them comes first. */
static void timed_out(void *user, vsdk_timer *timer)
{
    pci_function *f = user;

    lock_take(&f->lock);
    int due = f->timer == timer; /* else it was asked again, or has gone */
    if (due)
        f->timer = NULL;
    lock_give(&f->lock);
    if (!due)
        return;
    if (f->ops.ejected)
        f->ops.ejected(f->user, f->device, VSDK_PCI_TIMED_OUT);
    vsdk_timer_close(timer);
}

/* A timer keeps its function, until the slot is left. */
static void drop_function(void *user)
{
    pci_function *f = user;

    vsdk_device_close(f->device);
}

/* On the host: it has a range, and so its timers run. */
static vsdk_status make_timer(pci_function *f, pci_host *host, vsdk_timer **timer,
                              vsdk_error *error)
{
    vsdk_error why = {0};
    vsdk_loop *loop = vsdk_vm_loop(vsdk_device_vm(f->device), &why);

    if (!loop) {
        if (error)
            *error = why;
        return why.code;
    }
    vsdk_device_ref(f->device);
    return vsdk_timer_create(loop, host->device, timed_out, f, drop_function, timer, error);
}

/* With a reference: the function may leave its slot meanwhile. */
static pci_host *host_of(pci_function *f)
{
    lock_take(&f->lock);
    pci_host *host = f->host;
    if (host)
        refs_get(&host->memory);
    lock_give(&f->lock);
    return host;
}

/* The bit before the event: a guest that hears of it reads the bit. A second question has a time of
 * its own, and the first one's is over. */
static vsdk_status ask(pci_function *f, pci_host *host, uint64_t timeout_ns, const char *operation,
                       vsdk_error *error)
{
    vsdk_timer *timer = NULL;
    vsdk_status status = timeout_ns ? make_timer(f, host, &timer, error) : VSDK_OK;

    if (status)
        return status;
    lock_take(&f->lock);
    int here = f->host != NULL;
    vsdk_timer *before = f->timer;
    if (here) {
        f->timer = vsdk_timer_ref(timer);
        atomic_fetch_or(&host->asked, UINT32_C(1) << f->slot); /* which who leaves clears */
    }
    lock_give(&f->lock);
    if (here) {
        vsdk_timer_close(before);
        if (timer)
            vsdk_timer_arm(timer, timeout_ns, 0, NULL);
        vsdk_ged_raise(host->events, EVENT_ASKED, NULL);
    }
    vsdk_timer_close(timer);
    return here ? VSDK_OK : error_set(error, VSDK_ERROR_NOT_FOUND, operation, "it is not attached");
}

vsdk_status vsdk_pci_function_eject(vsdk_device *function, uint64_t timeout_ns, vsdk_error *error)
{
    static const char operation[] = "vsdk_pci_function_eject";
    pci_function *f;
    vsdk_vm_info info;
    vsdk_status status = pci_get(function, &f, operation, error);

    if (status)
        return status;
    pci_host *host = host_of(f);
    if (!host)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "it is not attached");
    status = check_vm(vsdk_device_vm(function), operation, &info, error);
    if (!status && !host->events)
        status =
            error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "the host has no event device");
    if (!status && info.state == VSDK_VM_CREATED)
        status = error_set(error, VSDK_ERROR_STATE, operation, "no guest was started");
    if (!status)
        status = ask(f, host, timeout_ns, operation, error);
    pci_host_put(host);
    return status;
}
