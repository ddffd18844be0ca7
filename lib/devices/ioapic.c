/* SPDX-License-Identifier: Apache-2.0 */
/* An IOAPIC whose interrupts are messages.
 *
 * Everything is atomic: any thread raises lines while vCPUs write entries. Both sides store first
 * and look at the other's store then (sequentially consistent), so that an edge that meets an
 * unmasking is delivered, by one of them and once: who takes the bit in `missed` delivers it. An
 * edge that comes while its entry is masked is kept there until it is unmasked, as controllers that
 * guests were written for keep it. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/refs.h"
#include "devices/device.h"

#include <stdatomic.h>
#include <vsdk/irq.h>

enum { IOAPIC_PINS = 24, IOAPIC_VERSION = 0x11 };
enum { OFFSET_SELECT = 0x00, OFFSET_WINDOW = 0x10 };
enum { REGISTER_ID = 0, REGISTER_VERSION = 1, REGISTER_ARBITRATION = 2, REGISTER_ENTRIES = 0x10 };

static const uint64_t IOAPIC_ADDRESS = 0xfec00000, IOAPIC_LENGTH = 0x1000;
static const uint64_t ENTRY_MASKED = 1 << 16, ENTRY_LOGICAL = 1 << 11;
static const uint64_t ENTRY_VECTOR = 0xff, ENTRY_DELIVERY = 0x700;
static const uint64_t ENTRY_READ_ONLY = 1 << 12 | 1 << 14; /* delivery status, remote IRR */

typedef struct ioapic {
    refs refs; /* the device and the controller */
    uint32_t first_gsi, first_id;
    _Atomic uint32_t select, id;
    _Atomic uint32_t high;   /* lines, a bit each */
    _Atomic uint32_t missed; /* edges that came while their entry was masked */
    _Atomic uint64_t entry[IOAPIC_PINS];
} ioapic;

static void ioapic_put(void *user)
{
    ioapic *io = user;

    if (refs_put(&io->refs))
        alloc_free(io);
}

/* A level entry too is sent as an edge: its end would be told to no one, and a guest that sees an
 * edge where it has asked for a level ends it here, by masking and unmasking the entry. */
static void ioapic_deliver(vsdk_vm *vm, uint64_t entry)
{
    uint64_t address = 0xfee00000 | (entry >> 56) << 12 | (entry & ENTRY_LOGICAL ? 1 << 2 : 0);

    vsdk_vm_send_msi(vm, address, (uint32_t)(entry & (ENTRY_VECTOR | ENTRY_DELIVERY)), NULL);
}

static void ioapic_set_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    ioapic *io = user;
    uint32_t pin = gsi - io->first_gsi, bit = UINT32_C(1) << pin;
    uint64_t entry;

    if (!level) {
        atomic_fetch_and(&io->high, ~bit);
        return;
    }
    if (atomic_fetch_or(&io->high, bit) & bit)
        return;
    atomic_fetch_or(&io->missed, bit);
    entry = atomic_load(&io->entry[pin]);
    if (!(entry & ENTRY_MASKED) && atomic_fetch_and(&io->missed, ~bit) & bit)
        ioapic_deliver(vm, entry);
}

static uint32_t ioapic_get(ioapic *io)
{
    uint32_t select = atomic_load(&io->select), n = select - REGISTER_ENTRIES;

    if (select == REGISTER_ID || select == REGISTER_ARBITRATION)
        return atomic_load(&io->id);
    if (select == REGISTER_VERSION)
        return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
    if (select < REGISTER_ENTRIES || n >= 2 * IOAPIC_PINS)
        return 0;
    return (uint32_t)(atomic_load(&io->entry[n / 2]) >> (n & 1 ? 32 : 0));
}

static uint64_t ioapic_merge(uint64_t old, uint32_t high, uint32_t value)
{
    if (high)
        return (uint32_t)old | (uint64_t)value << 32;
    return (old & ~(uint64_t)UINT32_MAX) | (value & ~ENTRY_READ_ONLY);
}

static void ioapic_set_entry(ioapic *io, vsdk_vm *vm, uint32_t n, uint32_t value)
{
    uint32_t pin = n / 2, bit = UINT32_C(1) << pin;
    uint64_t old = atomic_load(&io->entry[pin]), new;

    do
        new = ioapic_merge(old, n & 1, value);
    while (!atomic_compare_exchange_weak(&io->entry[pin], &old, new));
    if (!(old & ENTRY_MASKED) || new &ENTRY_MASKED)
        return;
    if (atomic_fetch_and(&io->missed, ~bit) & bit || atomic_load(&io->high) & bit)
        ioapic_deliver(vm, new);
}

static void ioapic_set(ioapic *io, vsdk_vm *vm, uint32_t value)
{
    uint32_t select = atomic_load(&io->select), n = select - REGISTER_ENTRIES;

    if (select == REGISTER_ID)
        atomic_store(&io->id, value & 0x0f000000);
    else if (select >= REGISTER_ENTRIES && n < 2 * IOAPIC_PINS)
        ioapic_set_entry(io, vm, n, value);
}

static uint64_t ioapic_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    ioapic *io = user;

    if (access->offset == OFFSET_SELECT)
        return atomic_load(&io->select);
    return access->offset == OFFSET_WINDOW ? ioapic_get(io) : 0;
}

static void ioapic_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    ioapic *io = user;

    if (access->offset == OFFSET_SELECT)
        atomic_store(&io->select, access->value & 0xff);
    else if (access->offset == OFFSET_WINDOW)
        ioapic_set(io, vsdk_device_vm(device), (uint32_t)access->value);
}

/* The lines are their users': they stay as they are. */
static void ioapic_reset(void *user, vsdk_device *device)
{
    ioapic *io = user;

    atomic_store(&io->select, 0);
    atomic_store(&io->id, io->first_id);
    atomic_store(&io->missed, 0);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        atomic_store(&io->entry[pin], ENTRY_MASKED);
}

static vsdk_status ioapic_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    ioapic *io = user;
    uint64_t entry[IOAPIC_PINS];
    vsdk_status status = vsdk_state_put_number(writer, "select", atomic_load(&io->select), error);

    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        entry[pin] = atomic_load(&io->entry[pin]);
    if (!status)
        status = vsdk_state_put_number(writer, "id", atomic_load(&io->id), error);
    if (!status)
        status = vsdk_state_put_number(writer, "missed", atomic_load(&io->missed), error);
    return status ? status : vsdk_state_put_bytes(writer, "entries", entry, sizeof entry, error);
}

static vsdk_status ioapic_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    ioapic *io = user;
    uint64_t entry[IOAPIC_PINS], select, id, missed, length;
    vsdk_status status = vsdk_state_get_number(reader, "select", UINT8_MAX, &select, error);

    if (!status)
        status = vsdk_state_get_number(reader, "id", 0x0f000000, &id, error);
    if (!status)
        status = vsdk_state_get_number(reader, "missed", (1u << IOAPIC_PINS) - 1, &missed, error);
    if (!status)
        status = vsdk_state_get_bytes(reader, "entries", entry, sizeof entry, &length, error);
    if (!status && length != sizeof entry)
        status =
            error_set(error, VSDK_ERROR_FORMAT, "vsdk_device_load", "entries are %u bytes, not %u",
                      (unsigned)length, (unsigned)sizeof entry);
    if (status)
        return status;
    atomic_store(&io->select, (uint32_t)select);
    atomic_store(&io->id, (uint32_t)id & 0x0f000000);
    atomic_store(&io->missed, (uint32_t)missed);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        atomic_store(&io->entry[pin], entry[pin] & ~ENTRY_READ_ONLY);
    return VSDK_OK;
}

static const vsdk_device_ops ioapic_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = ioapic_read,
    .write = ioapic_write,
    .reset = ioapic_reset,
    .save = ioapic_save,
    .load = ioapic_load,
    .release = ioapic_put,
};

static ioapic *ioapic_alloc(const vsdk_ioapic_config *config)
{
    ioapic *io = alloc_zeroed(sizeof *io);

    if (!io)
        return NULL;
    refs_init(&io->refs);
    io->first_gsi = config->first_gsi;
    io->first_id = config->id << 24;
    atomic_init(&io->id, io->first_id);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        atomic_init(&io->entry[pin], ENTRY_MASKED);
    return io;
}

/* Its messages go to local APICs: without them nothing would ever arrive. */
static vsdk_status ioapic_check_vm(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};

    if (vsdk_vm_get_info(vm, &info, NULL) || info.irqchip != VSDK_IRQCHIP_NONE)
        return VSDK_OK;
    error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "the virtual machine has no local APIC");
    return error_hint(error, VSDK_ERROR_UNSUPPORTED,
                      "set irqchip to VSDK_IRQCHIP_PORTABLE in vsdk_vm_config");
}

vsdk_status vsdk_ioapic_create(vsdk_vm *vm, const vsdk_ioapic_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_ioapic_config c;
    vsdk_device_config make = {
        .size = sizeof make, .flags = VSDK_DEVICE_CONCURRENT, .name = "ioapic"};
    vsdk_status status = device_begin(vm, device, __func__, error);
    ioapic *io;

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_ioapic_config, reserved), config,
                                    __func__, error);
    if (!status)
        status = ioapic_check_vm(vm, __func__, error);
    if (status)
        return status;
    if (c.id > 15)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, __func__, "id %u is above 15", c.id);
    device_range range = {VSDK_SPACE_MMIO, c.address ? c.address : IOAPIC_ADDRESS, IOAPIC_LENGTH,
                          0};
    io = ioapic_alloc(&c);
    if (!io)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    refs_get(&io->refs);
    status = device_make(vm, &ioapic_ops, io, &make, &range, 1, device, error);
    if (status) {
        ioapic_put(io);
        return status;
    }
    status = vsdk_irq_controller_attach(vm, c.first_gsi, IOAPIC_PINS, ioapic_set_line, io,
                                        ioapic_put, error);
    if (status) {
        vsdk_device_detach(*device, NULL);
        vsdk_device_close(*device);
        *device = NULL;
    }
    return status;
}
