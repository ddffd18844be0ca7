/* SPDX-License-Identifier: Apache-2.0 */
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

/* Everything is atomic: any thread raises lines while vCPUs write entries. Both sides store first
 * and look at the other's store then (sequentially consistent), so that an edge that meets an
 * unmasking is delivered by one of them at least. */
typedef struct ioapic {
    refs refs; /* the device and the controller */
    vsdk_vm *vm;
    uint32_t first_gsi;
    _Atomic uint32_t select, id;
    _Atomic uint32_t high; /* lines, a bit each */
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
static void ioapic_deliver(ioapic *io, uint64_t entry)
{
    uint64_t address = 0xfee00000 | (entry >> 56) << 12 | (entry & ENTRY_LOGICAL ? 1 << 2 : 0);

    vsdk_vm_send_msi(io->vm, address, (uint32_t)(entry & (ENTRY_VECTOR | ENTRY_DELIVERY)), NULL);
}

static void ioapic_set_line(void *user, uint32_t gsi, uint32_t level)
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
    entry = atomic_load(&io->entry[pin]);
    if (!(entry & ENTRY_MASKED))
        ioapic_deliver(io, entry);
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

static void ioapic_set_entry(ioapic *io, uint32_t n, uint32_t value)
{
    uint32_t pin = n / 2;
    uint64_t old = atomic_load(&io->entry[pin]), new;

    do
        new = ioapic_merge(old, n & 1, value);
    while (!atomic_compare_exchange_weak(&io->entry[pin], &old, new));
    if (old & ENTRY_MASKED && !(new &ENTRY_MASKED) && atomic_load(&io->high) & UINT32_C(1) << pin)
        ioapic_deliver(io, new);
}

static void ioapic_set(ioapic *io, uint32_t value)
{
    uint32_t select = atomic_load(&io->select), n = select - REGISTER_ENTRIES;

    if (select == REGISTER_ID)
        atomic_store(&io->id, value & 0x0f000000);
    else if (select >= REGISTER_ENTRIES && n < 2 * IOAPIC_PINS)
        ioapic_set_entry(io, n, value);
}

static uint64_t ioapic_read(void *user, uint32_t region, uint64_t offset, uint32_t width)
{
    ioapic *io = user;

    if (offset == OFFSET_SELECT)
        return atomic_load(&io->select);
    return offset == OFFSET_WINDOW ? ioapic_get(io) : 0;
}

static void ioapic_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                         uint64_t value)
{
    ioapic *io = user;

    if (offset == OFFSET_SELECT)
        atomic_store(&io->select, value & 0xff);
    else if (offset == OFFSET_WINDOW)
        ioapic_set(io, (uint32_t)value);
}

static const vsdk_device_ops ioapic_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = ioapic_read,
    .write = ioapic_write,
    .release = ioapic_put,
};

static ioapic *ioapic_alloc(vsdk_vm *vm, const vsdk_ioapic_config *config)
{
    ioapic *io = alloc_zeroed(sizeof *io);

    if (!io)
        return NULL;
    refs_init(&io->refs);
    io->vm = vm;
    io->first_gsi = config->first_gsi;
    atomic_init(&io->id, config->id << 24);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        atomic_init(&io->entry[pin], ENTRY_MASKED);
    return io;
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
    if (status)
        return status;
    if (c.id > 15)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, __func__, "id %u is above 15", c.id);
    device_range range = {VSDK_SPACE_MMIO, c.address ? c.address : IOAPIC_ADDRESS, IOAPIC_LENGTH,
                          0};
    io = ioapic_alloc(vm, &c);
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
