/* SPDX-License-Identifier: Apache-2.0 */
/* A function: what it is made of, and its life as a device. The configuration space at power-on is
 * written once, here; beside it the bits that a guest may change. Attached it has addresses too. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include "pci/pci.h"
#include <string.h>

static const char operation[] = "vsdk_pci_function_create";

static const uint64_t BAR_LEAST = 16, BAR_MOST_32 = UINT64_C(1) << 31,
                      BAR_MOST_64 = UINT64_C(1) << 40;
enum { BAR_64 = 4, BAR_PREFETCHABLE = 8, MSI_ID = 5 };

vsdk_status pci_get(vsdk_device *device, pci_function **f, const char *operation, vsdk_error *error)
{
    *f = vsdk_device_user(device, &pci_function_ops);
    if (!device)
        return error_null(error, operation, "function");
    if (!*f)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the device is no PCI function");
    return (*f)->process == process_id() ? VSDK_OK : error_forked(error, operation);
}

void *vsdk_pci_function_user(vsdk_device *function, const vsdk_pci_function_ops *ops)
{
    const pci_function *f = vsdk_device_user(function, &pci_function_ops);

    return f && f->kind == ops ? f->user : NULL;
}

/* The device's callbacks: its own ranges are the table's, and BARs that nobody else answers. */
static uint64_t function_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    pci_function *f = user;

    if (access->region == PCI_REGION_MSIX)
        return msix_read(f, access->offset, access->width);
    return f->ops.read ? f->ops.read(f->user, device, access) : UINT64_MAX;
}

static void function_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    pci_function *f = user;

    if (access->region == PCI_REGION_MSIX)
        msix_write(f, access->offset, access->width, access->value);
    else if (f->ops.write)
        f->ops.write(f->user, device, access);
}

/* Who interrupts looks at it in the same breath as at the masks. */
static void set_started(pci_function *f, int started)
{
    lock_take(&f->lock);
    f->is_started = started;
    lock_give(&f->lock);
}

static void function_start(void *user, vsdk_device *device)
{
    pci_function *f = user;

    set_started(f, 1);
    if (f->ops.start)
        f->ops.start(f->user, device);
    msix_deliver(f);
}

/* What comes after it stays pending, and is saved. */
static vsdk_stop_answer function_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    pci_function *f = user;

    set_started(f, 0);
    return f->ops.stop ? f->ops.stop(f->user, device, mode) : VSDK_STOP_DONE;
}

/* What is PCI's the host resets, since a function without a range hears of no reset. */
static void function_reset(void *user, vsdk_device *device)
{
    pci_function *f = user;

    if (f->ops.reset)
        f->ops.reset(f->user, device);
}

static vsdk_status function_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                                 vsdk_error *error)
{
    pci_function *f = user;
    vsdk_status status = vsdk_pci_function_save(device, writer, error);

    return !status && f->ops.save ? f->ops.save(f->user, device, writer, error) : status;
}

/* The function's own first: what is PCI's either fails or changes all. */
static vsdk_status function_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                                 vsdk_error *error)
{
    pci_function *f = user;
    vsdk_status status = f->ops.load ? f->ops.load(f->user, device, reader, error) : VSDK_OK;

    return status ? status : vsdk_pci_function_load(device, reader, error);
}

static void function_release(void *user)
{
    pci_function *f = user;
    vsdk_release_fn release = f->ops.release;
    void *with = f->user;

    lock_destroy(&f->lock);
    alloc_free(f);
    if (release)
        release(with);
}

const vsdk_device_ops pci_function_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = function_read,
    .write = function_write,
    .start = function_start,
    .stop = function_stop,
    .reset = function_reset,
    .save = function_save,
    .load = function_load,
    .release = function_release,
};

/* The message names the field, as all of these do. */
static vsdk_status bad_bar(uint32_t i, const char *why, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "bars[%u]: %s", i, why);
}

/* What a register can say: a power of two, whose low bits are the kind. What would be in two places
 * at once, or answered by two, is a mistake of the embedder's. */
static vsdk_status check_bar(vsdk_vm *vm, const vsdk_pci_function_config *c, uint32_t i,
                             vsdk_error *error)
{
    const vsdk_pci_bar *bar = &c->bars[i];
    int wide = !!(bar->flags & VSDK_PCI_BAR_64);

    if (bar->reserved)
        return record_later(operation, error);
    if (!bar->length)
        return VSDK_OK;
    if (bar->flags & ~(uint32_t)(VSDK_PCI_BAR_64 | VSDK_PCI_BAR_PREFETCHABLE))
        return bad_bar(i, "an unknown flag", error);
    if (bar->length & (bar->length - 1) || bar->length < BAR_LEAST ||
        bar->length > (wide ? BAR_MOST_64 : BAR_MOST_32))
        return bad_bar(i, "the length is no power of two from 16 on, or too much", error);
    if (wide && (i + 1 == PCI_BARS || c->bars[i + 1].length))
        return bad_bar(i, "one of 64 bits has the next number too", error);
    if (bar->device && bar->tag)
        return bad_bar(i, "either a device answers or it has a tag", error);
    if (bar->device && vsdk_device_vm(bar->device) != vm)
        return bad_bar(i, "the device is another virtual machine's", error);
    return VSDK_OK;
}

/* Table and pending bits lie behind each other at the BAR's end; nothing here wraps, since the
 * count is bounded before it is used. */
static vsdk_status check_vectors(const vsdk_pci_function_config *c, vsdk_error *error)
{
    uint64_t length = c->vectors_bar < PCI_BARS ? c->bars[c->vectors_bar].length : 0;
    uint64_t needed = msix_pba_offset(c->vectors) + msix_words(c->vectors) * sizeof(uint64_t);

    if (!c->vectors)
        return VSDK_OK;
    if (c->vectors > PCI_VECTORS_MOST || c->vectors_offset % sizeof(pci_vector) ||
        c->vectors_offset > length || needed > length - c->vectors_offset ||
        c->vectors_offset + needed > UINT32_MAX)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "vectors: BAR %u has no room for %u at 0x%llx", c->vectors_bar, c->vectors,
                         (unsigned long long)c->vectors_offset);
    return VSDK_OK;
}

/* A vendor of ones is how an empty slot reads. */
static vsdk_status check_ids(const vsdk_pci_function_config *c, vsdk_error *error)
{
    const struct {
        const char *name;
        uint32_t value, least, most;
    } field[] = {
        {"vendor_id", c->vendor_id, 1, 0xfffe},
        {"device_id", c->device_id, 0, 0xffff},
        {"subsystem_vendor_id", c->subsystem_vendor_id, 0, 0xffff},
        {"subsystem_id", c->subsystem_id, 0, 0xffff},
        {"class_code", c->class_code, 0, 0xffffff},
        {"revision", c->revision, 0, 0xff},
    };

    for (size_t i = 0; i < sizeof field / sizeof *field; i++)
        if (field[i].value < field[i].least || field[i].value > field[i].most)
            return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s: 0x%x",
                             field[i].name, field[i].value);
    return VSDK_OK;
}

/* Devices and vectors are looked at after the BARs that they need. */
static vsdk_status check_config(vsdk_vm *vm, const vsdk_pci_function_config *c, vsdk_error *error)
{
    vsdk_status status = check_ids(c, error);

    for (size_t i = 0; i < sizeof c->reserved2 / sizeof *c->reserved2; i++)
        if (c->reserved || c->reserved2[i])
            return record_later(operation, error);
    for (uint32_t i = 0; !status && i < PCI_BARS; i++)
        status = check_bar(vm, c, i, error);
    if (!status && c->capability_count && !c->capabilities)
        status = error_null(error, operation, "capabilities");
    return status ? status : check_vectors(c, error);
}

/* The mask is the size: what a guest writes below it is dropped, and it reads that back. */
static void put_bars(pci_function *f, const vsdk_pci_function_config *c)
{
    for (uint32_t i = 0; i < PCI_BARS; i++) {
        const vsdk_pci_bar *from = &c->bars[i];
        int wide = !!(from->flags & VSDK_PCI_BAR_64), at = PCI_BAR + 4 * (int)i;

        if (!from->length)
            continue;
        f->bar[i] = (pci_bar){.length = from->length,
                              .front = from->length,
                              .tag = from->tag,
                              .device = from->device,
                              .region = from->region,
                              .flags = from->flags};
        if (c->vectors && c->vectors_bar == i)
            f->bar[i].front = c->vectors_offset;
        f->power_on[at] =
            (uint8_t)((wide ? BAR_64 : 0) |
                      (from->flags & VSDK_PCI_BAR_PREFETCHABLE ? BAR_PREFETCHABLE : 0));
        config_put(f->mask + at, ~(from->length - 1), wide ? 8 : 4);
    }
}

/* Each points to the next; `last` is where the pointer to this one goes. */
static uint32_t link_in(pci_function *f, uint32_t *last, uint32_t at, uint8_t id)
{
    f->power_on[*last] = (uint8_t)at;
    f->power_on[at] = id;
    *last = at + 1;
    f->power_on[PCI_STATUS] = STATUS_LIST;
    return at;
}

/* Only the two bits that switch all messages are the guest's here. */
static void put_vectors(pci_function *f, const vsdk_pci_function_config *c, uint32_t at)
{
    uint64_t pba = c->vectors_offset + msix_pba_offset(c->vectors);

    config_put(f->power_on + at + 2, c->vectors - 1, 2);
    config_put(f->power_on + at + 4, c->vectors_offset | c->vectors_bar, 4);
    config_put(f->power_on + at + 8, pba | c->vectors_bar, 4);
    config_put(f->mask + at + 2, MSIX_ENABLE | MSIX_MASK, 2);
}

/* The embedder's bytes are copied once; whatever changes them later changes nothing here. */
static vsdk_status put_capability(pci_function *f, const vsdk_pci_capability *capability,
                                  uint32_t i, uint32_t *last, uint32_t *at, vsdk_error *error)
{
    const vsdk_pci_capability c = *capability;

    if (c.reserved)
        return record_later(operation, error);
    if (!c.id || c.id > UINT8_MAX || c.id == MSI_ID || c.id == MSIX_ID || !c.bytes || !c.length ||
        c.flags & ~(uint32_t)VSDK_PCI_CAPABILITY_READ)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "capabilities[%u]: its id, bytes, length or flags", i);
    if (*at > PCI_CONFIG - 2 || c.length > PCI_CONFIG - 2 - *at)
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "capabilities[%u] does not fit into the configuration space", i);
    link_in(f, last, *at, (uint8_t)c.id);
    memcpy(f->power_on + *at + 2, c.bytes, c.length);
    if (c.writable)
        memcpy(f->mask + *at + 2, c.writable, c.length);
    if (c.flags & VSDK_PCI_CAPABILITY_READ)
        memset(f->asks + *at + 2, 1, c.length);
    *at = (*at + 2 + (uint32_t)c.length + 3) & ~UINT32_C(3);
    return VSDK_OK;
}

/* MSI-X first, so that it is where it is whatever the embedder adds. */
static vsdk_status put_list(pci_function *f, const vsdk_pci_function_config *c, vsdk_error *error)
{
    uint32_t at = PCI_LIST, last = PCI_FIRST;
    vsdk_status status = VSDK_OK;

    if (c->vectors) {
        put_vectors(f, c, link_in(f, &last, at, MSIX_ID));
        at += MSIX_LENGTH;
    }
    f->own_list = at;
    for (uint32_t i = 0; !status && i < c->capability_count; i++)
        status = put_capability(f, &c->capabilities[i], i, &last, &at, error);
    return status;
}

/* Interrupt line and cache line are memory for the guest; there is no pin. */
static vsdk_status put_config(pci_function *f, const vsdk_pci_function_config *c, vsdk_error *error)
{
    uint8_t *to = f->power_on;

    config_put(to, c->vendor_id | c->device_id << 16, 4);
    config_put(to + PCI_REVISION, c->revision | c->class_code << 8, 4);
    config_put(to + PCI_SUBSYSTEM, c->subsystem_vendor_id | c->subsystem_id << 16, 4);
    config_put(f->mask + PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX, 2);
    f->mask[PCI_LINE] = UINT8_MAX;
    f->mask[0xc] = UINT8_MAX;
    put_bars(f, c);
    return put_list(f, c, error);
}

/* With the lock, or where nobody else has it. */
void pci_power_on(pci_function *f)
{
    memcpy(f->config, f->power_on, sizeof f->config);
    msix_reset(f);
}

/* A table of an earlier version is shorter: what it lacks is NULL. */
static vsdk_status read_ops(vsdk_pci_function_ops *copy, const vsdk_pci_function_ops *ops,
                            vsdk_error *error)
{
    if (!ops)
        return error_null(error, operation, "ops");
    vsdk_status status = record_read(copy, sizeof *copy, ops, 0, operation, error);
    if (!status && (copy->reserved[0] || copy->reserved[1]))
        status = record_later(operation, error);
    return status;
}

/* Before anything is allocated: in a forked child nobody is called, so nobody would free it. */
static int is_foreign(vsdk_vm *vm)
{
    vsdk_vm_info info = {.size = sizeof info};

    return vsdk_vm_get_info(vm, &info, NULL) == VSDK_ERROR_STATE;
}

/* NULL, and why. */
static pci_function *make(vsdk_vm *vm, const vsdk_pci_function_config *c, vsdk_status *status,
                          vsdk_error *error)
{
    pci_function *f = NULL;

    *status = check_config(vm, c, error);
    if (!*status) {
        f = alloc_zeroed(sizeof *f + c->vectors * sizeof *f->table +
                         msix_words(c->vectors) * sizeof *f->pending);
        if (!f)
            *status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    }
    if (*status)
        return NULL;
    lock_init(&f->lock, RANK_LEAF);
    f->process = process_id();
    f->slot = VSDK_PCI_ANY;
    f->vectors = c->vectors;
    f->pending = (uint64_t *)(f->table + c->vectors);
    *status = put_config(f, c, error);
    if (!*status) {
        pci_power_on(f);
        return f;
    }
    lock_destroy(&f->lock);
    alloc_free(f);
    return NULL;
}

/* Until the device has it, a failure gives `user` back here. */
vsdk_status vsdk_pci_function_create(vsdk_vm *vm, const vsdk_pci_function_ops *ops, void *user,
                                     const vsdk_pci_function_config *config, vsdk_device **function,
                                     vsdk_error *error)
{
    vsdk_pci_function_config c;
    vsdk_pci_function_ops copied = {0};
    vsdk_device_config device = {.size = sizeof device};
    pci_function *f = NULL;
    vsdk_status status = read_ops(&copied, ops, error);

    if (function)
        *function = NULL;
    if (!status && (!vm || !function || !config))
        status = error_null(error, operation, !vm ? "vm" : function ? "config" : "function");
    if (!status && is_foreign(vm))
        return error_forked(error, operation); /* where nobody is called */
    if (!status)
        status = record_read(&c, sizeof c, config, 0, operation, error);
    if (!status)
        f = make(vm, &c, &status, error);
    if (status) {
        if (copied.release)
            copied.release(user);
        return status;
    }
    f->kind = ops;
    f->ops = copied;
    f->user = user;
    device.name = c.name ? c.name : "pci";
    status = vsdk_device_create(vm, &pci_function_ops, f, &device, function, error);
    if (!status)
        f->device = *function;
    return status;
}

vsdk_status vsdk_pci_function_get_info(vsdk_device *function, vsdk_pci_function_info *info,
                                       vsdk_error *error)
{
    vsdk_pci_function_info answer = {.slot = VSDK_PCI_ANY};
    pci_function *f;

    record_clear(info, sizeof *info);
    vsdk_status status = pci_get(function, &f, __func__, error);
    if (!status && !info)
        status = error_null(error, __func__, "info");
    if (status)
        return status;
    lock_take(&f->lock);
    uint32_t command = config_get(f, PCI_COMMAND, 2);
    if (f->host) {
        answer.slot = f->slot;
        answer.flags = VSDK_PCI_ATTACHED;
    }
    answer.flags |= command & COMMAND_MEMORY ? VSDK_PCI_DECODES : 0;
    answer.flags |= command & COMMAND_MASTER ? VSDK_PCI_MASTERS : 0;
    if (f->vectors && config_get(f, PCI_LIST + 2, 2) & MSIX_ENABLE)
        answer.flags |= VSDK_PCI_MSIX;
    for (uint32_t i = 0; i < PCI_BARS; i++)
        answer.bars[i] = f->bar[i].placed;
    lock_give(&f->lock);
    return record_write(info, &answer, sizeof answer, sizeof answer, __func__, error);
}
