/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a function: the table and the pending bits that its driver sees, and when one is
 * sent. A message that can't be sent (its vector or all of them masked, no bus mastering, the
 * device stopped) leaves its pending bit, once, and goes when the last of these reasons does. What
 * it says is what the table says at that moment; a message that is none is lost, as a write to
 * nowhere. */
#include "base/error.h"
#include "pci/pci.h"
#include <string.h>

enum { CONTROL_MASKED = 1, ADDRESS_BITS = ~3 };

uint64_t msix_pba_offset(uint32_t vectors)
{
    return (vectors * sizeof(pci_vector) + 0xfff) & ~UINT64_C(0xfff);
}

uint32_t msix_words(uint32_t vectors)
{
    return (vectors + 63) / 64;
}

/* Accesses are aligned dwords or quadwords (PCI 3.0, 6.8.2); others read 0 and write nothing. */
static int is_sound(uint64_t offset, uint32_t width)
{
    return (width == 4 || width == 8) && !(offset % width);
}

uint64_t msix_read(pci_function *f, uint64_t offset, uint32_t width)
{
    uint64_t value = 0, table = f->vectors * sizeof(pci_vector);
    uint64_t pba = msix_pba_offset(f->vectors), bits = msix_words(f->vectors) * sizeof(uint64_t);

    if (!is_sound(offset, width))
        return 0;
    lock_take(&f->lock);
    if (offset < table)
        memcpy(&value, (const uint8_t *)f->table + offset, width);
    else if (offset >= pba && offset - pba < bits)
        memcpy(&value, (const uint8_t *)f->pending + (offset - pba), width);
    lock_give(&f->lock);
    return value;
}

/* What is reserved is 0, whoever wrote it. */
void msix_clean(pci_vector *v)
{
    v->address &= (uint32_t)ADDRESS_BITS;
    v->control &= CONTROL_MASKED;
}

/* Nobody writes the pending bits. */
void msix_write(pci_function *f, uint64_t offset, uint32_t width, uint64_t value)
{
    if (!is_sound(offset, width) || offset >= f->vectors * sizeof(pci_vector))
        return;
    lock_take(&f->lock);
    pci_vector *v = &f->table[offset / sizeof *v];
    memcpy((uint8_t *)f->table + offset, &value, width);
    msix_clean(v);
    lock_give(&f->lock);
    msix_deliver(f);
}

void msix_reset(pci_function *f)
{
    memset(f->table, 0, f->vectors * sizeof *f->table);
    memset(f->pending, 0, msix_words(f->vectors) * sizeof *f->pending);
    for (uint32_t i = 0; i < f->vectors; i++)
        f->table[i].control = CONTROL_MASKED;
}

/* With the lock. */
static int is_enabled(const pci_function *f)
{
    return f->host && f->vectors && config_get(f, PCI_LIST + 2, 2) & MSIX_ENABLE;
}

static int sends(const pci_function *f)
{
    return is_enabled(f) && !(config_get(f, PCI_LIST + 2, 2) & MSIX_MASK) && f->is_started &&
           config_get(f, PCI_COMMAND, 2) & COMMAND_MASTER;
}

static void send(pci_function *f, pci_vector v)
{
    uint64_t address = v.address | (uint64_t)v.address_high << 32;

    vsdk_vm_send_msi(vsdk_device_vm(f->device), address, v.data, NULL);
}

/* With the lock: the next from `from` on that is pending and not masked; `vectors` if none is. */
static uint32_t next_due(const pci_function *f, uint32_t from)
{
    for (uint32_t i = from; i < f->vectors; i++) {
        uint64_t bits = f->pending[i / 64] >> i % 64;

        if (!bits)
            i |= 63; /* and the step makes it the next word's first */
        else if (bits & 1 && !(f->table[i].control & CONTROL_MASKED))
            return i;
    }
    return f->vectors;
}

void msix_deliver(pci_function *f)
{
    for (uint32_t i = 0;; i++) {
        lock_take(&f->lock);
        i = sends(f) ? next_due(f, i) : f->vectors;
        int due = i < f->vectors;
        pci_vector v = {0};
        if (due) {
            v = f->table[i];
            f->pending[i / 64] &= ~(UINT64_C(1) << i % 64);
        }
        lock_give(&f->lock);
        if (!due)
            return;
        send(f, v);
    }
}

vsdk_status vsdk_pci_function_interrupt(vsdk_device *function, uint32_t vector, vsdk_error *error)
{
    static const char operation[] = "vsdk_pci_function_interrupt";
    pci_function *f;
    vsdk_status status = pci_get(function, &f, operation, error);

    if (status)
        return status;
    if (vector >= f->vectors)
        return error_set(error, VSDK_ERROR_RANGE, operation, "vector %u of %u", vector, f->vectors);
    lock_take(&f->lock);
    int enabled = is_enabled(f);
    int goes = sends(f) && !(f->table[vector].control & CONTROL_MASKED);
    pci_vector v = f->table[vector];
    if (enabled && !goes)
        f->pending[vector / 64] |= UINT64_C(1) << vector % 64;
    lock_give(&f->lock);
    if (!enabled)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation,
                         "the function's driver has not enabled MSI-X");
    if (goes)
        send(f, v);
    return VSDK_OK;
}
