/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a function that is PCI's: configuration space, table, pending bits. A loaded state
 * is not trusted: what a guest can't change must be as it is here, and the rest is what a guest
 * could have written. BARs are placed with it, as the guest's write would place them. */
#include "base/alloc.h"
#include "base/error.h"
#include "pci/pci.h"
#include <string.h>

vsdk_status vsdk_pci_function_save(vsdk_device *function, vsdk_state_writer *writer,
                                   vsdk_error *error)
{
    uint8_t config[PCI_CONFIG];
    pci_function *f;
    vsdk_status status = pci_get(function, &f, __func__, error);

    if (!status && !writer)
        status = error_null(error, __func__, "writer");
    if (status)
        return status;
    uint64_t bytes = f->vectors * sizeof *f->table, bits = msix_words(f->vectors) * 8;
    uint8_t *copy = alloc_unset(bytes + bits + 1);
    if (!copy)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory");
    lock_take(&f->lock);
    memcpy(config, f->config, sizeof config);
    memcpy(copy, f->table, bytes);
    memcpy(copy + bytes, f->pending, bits);
    lock_give(&f->lock);
    status = vsdk_state_put_bytes(writer, "pci.config", config, sizeof config, error);
    if (!status)
        status = vsdk_state_put_bytes(writer, "pci.table", copy, bytes, error);
    if (!status)
        status = vsdk_state_put_bytes(writer, "pci.pending", copy + bytes, bits, error);
    alloc_free(copy);
    return status;
}

/* Read-only bits tell functions apart. */
static int fits(const pci_function *f, const uint8_t *config)
{
    for (uint32_t i = 0; i < PCI_CONFIG; i++)
        if ((config[i] ^ f->power_on[i]) & ~f->mask[i])
            return 0;
    return 1;
}

static void take(pci_function *f, const uint8_t *config, const uint8_t *table, uint64_t bytes)
{
    lock_take(&f->lock);
    memcpy(f->config, config, sizeof f->config);
    memcpy(f->table, table, bytes);
    memcpy(f->pending, table + bytes, msix_words(f->vectors) * sizeof *f->pending);
    for (uint32_t i = 0; i < f->vectors; i++)
        msix_clean(&f->table[i]);
    lock_give(&f->lock);
    bars_update(f);
    msix_deliver(f);
}

/* All is read before anything changes. */
vsdk_status vsdk_pci_function_load(vsdk_device *function, vsdk_state_reader *reader,
                                   vsdk_error *error)
{
    uint8_t config[PCI_CONFIG];
    uint64_t got[3] = {0};
    pci_function *f;
    vsdk_status status = pci_get(function, &f, __func__, error);

    if (!status && !reader)
        status = error_null(error, __func__, "reader");
    if (status)
        return status;
    uint64_t bytes = f->vectors * sizeof *f->table, bits = msix_words(f->vectors) * 8;
    uint8_t *table = alloc_unset(bytes + bits + 1);
    if (!table)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory");
    status = vsdk_state_get_bytes(reader, "pci.config", config, sizeof config, &got[0], error);
    if (!status)
        status = vsdk_state_get_bytes(reader, "pci.table", table, bytes, &got[1], error);
    if (!status)
        status = vsdk_state_get_bytes(reader, "pci.pending", table + bytes, bits, &got[2], error);
    if (!status &&
        (got[0] != sizeof config || got[1] != bytes || got[2] != bits || !fits(f, config)))
        status = error_set(error, VSDK_ERROR_FORMAT, __func__, "the state is another function's");
    if (!status)
        take(f, config, table, bytes);
    alloc_free(table);
    return status;
}
