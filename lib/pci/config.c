/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration space of a function. Every byte has a mask of the bits that the guest may
 * change; the rest of what it writes is dropped. So an access may have any width and offset: what
 * it does to one register it does to each. Beyond the first 256 bytes there is nothing, and that
 * reads 0: no extended capability. */
#include "base/element.h"
#include "pci/pci.h"
#include <string.h>

uint32_t config_get(const pci_function *f, uint32_t offset, uint32_t width)
{
    return (uint32_t)element_get(f->config + offset, width);
}

void config_put(uint8_t *to, uint64_t value, uint32_t width)
{
    element_copy(to, &value, width);
}

/* With the lock. */
static uint64_t stored(const pci_function *f, uint32_t offset, uint32_t width)
{
    uint64_t value = 0;

    if (offset < PCI_CONFIG)
        memcpy(&value, f->config + offset,
               width < PCI_CONFIG - offset ? width : PCI_CONFIG - offset);
    return value;
}

uint64_t config_read(pci_function *f, uint32_t offset, uint32_t width)
{
    int asks = 0;

    lock_take(&f->lock);
    uint64_t value = stored(f, offset, width);
    lock_give(&f->lock);
    for (uint32_t i = offset; i < offset + width && i < PCI_CONFIG; i++)
        asks |= f->asks[i];
    if (!asks || !f->ops.config_read)
        return value;
    return f->ops.config_read(f->user, f->device, offset, width, value);
}

/* What was pending when messages are switched off is nobody's any more. */
void config_write(pci_function *f, uint32_t offset, uint32_t width, uint64_t value)
{
    int own = 0;

    lock_take(&f->lock);
    for (uint32_t i = offset; i < offset + width && i < PCI_CONFIG; i++, value >>= 8) {
        f->config[i] = (uint8_t)((f->config[i] & ~f->mask[i]) | (value & f->mask[i]));
        own |= i >= f->own_list && f->mask[i];
    }
    if (f->vectors && !(config_get(f, PCI_LIST + 2, 2) & MSIX_ENABLE))
        memset(f->pending, 0, msix_words(f->vectors) * sizeof *f->pending);
    uint64_t now = stored(f, offset, width);
    lock_give(&f->lock);
    bars_update(f);
    msix_deliver(f);
    if (own && f->ops.config_written)
        f->ops.config_written(f->user, f->device, offset, width, now);
}
