/* SPDX-License-Identifier: Apache-2.0 */
/* Where BARs are. A BAR has up to two ranges: in front what its device answers, behind it the MSI-X
 * table and its pending bits, which are the function's. Both are there or none. An address is the
 * guest's: it must lie in the host's window, and nothing else may be there. */
#include "base/checked.h"
#include "pci/pci.h"

enum { PIECES = 2 };

static uint32_t register_at(uint32_t bar)
{
    return PCI_BAR + 4 * bar;
}

uint64_t bar_register(const pci_function *f, uint32_t i)
{
    uint64_t address = config_get(f, register_at(i), 4) & ~UINT32_C(0xf);

    if (f->bar[i].flags & VSDK_PCI_BAR_64)
        address |= (uint64_t)config_get(f, register_at(i) + 4, 4) << 32;
    return address;
}

/* With the lock. 0: it should be nowhere. */
static uint64_t wanted(const pci_function *f, uint32_t i)
{
    const pci_host *host = f->host;
    uint64_t address = bar_register(f, i);

    if (!f->bar[i].length || !host || !(config_get(f, PCI_COMMAND, 2) & COMMAND_MEMORY) ||
        address < host->window || !checked_within(address, f->bar[i].length, host->window_end))
        return 0;
    return address;
}

/* By whom it is answered was said when the function was made. */
static vsdk_status front_add(pci_function *f, uint32_t i, uint64_t address)
{
    const pci_bar *bar = &f->bar[i];

    if (bar->tag)
        return vsdk_vm_add_range(vsdk_device_vm(f->device), VSDK_SPACE_MMIO, address, bar->front,
                                 bar->tag, NULL);
    return vsdk_device_add_range(bar->device ? bar->device : f->device, VSDK_SPACE_MMIO, address,
                                 bar->front, bar->device ? bar->region : i, NULL);
}

static void front_remove(pci_function *f, uint32_t i, uint64_t address)
{
    const pci_bar *bar = &f->bar[i];

    if (bar->tag)
        vsdk_vm_remove_range(vsdk_device_vm(f->device), VSDK_SPACE_MMIO, address, NULL);
    else
        vsdk_device_remove_range(bar->device ? bar->device : f->device, VSDK_SPACE_MMIO, address,
                                 NULL);
}

static void ranges_remove(pci_function *f, uint32_t i, uint64_t address)
{
    const pci_bar *bar = &f->bar[i];

    if (bar->front)
        front_remove(f, i, address);
    if (bar->front < bar->length)
        vsdk_device_remove_range(f->device, VSDK_SPACE_MMIO, address + bar->front, NULL);
}

/* 1 if it is there whole. */
static int ranges_add(pci_function *f, uint32_t i, uint64_t address)
{
    const pci_bar *bar = &f->bar[i];

    if (bar->front && front_add(f, i, address))
        return 0;
    if (bar->front == bar->length ||
        !vsdk_device_add_range(f->device, VSDK_SPACE_MMIO, address + bar->front,
                               bar->length - bar->front, PCI_REGION_MSIX, NULL))
        return 1;
    if (bar->front)
        front_remove(f, i, address);
    return 0;
}

/* In the host's gate, or where no guest runs; never with a lock. */
static void tell(pci_function *f, uint32_t i, uint64_t address)
{
    if (f->ops.placed)
        f->ops.placed(f->user, f->device, i, address);
}

/* `placed` is cleared first: of two who take it away one does. */
static void take_one(pci_function *f, uint32_t i)
{
    lock_take(&f->lock);
    uint64_t address = f->bar[i].placed;
    f->bar[i].placed = 0;
    lock_give(&f->lock);
    if (!address)
        return;
    ranges_remove(f, i, address);
    tell(f, i, 0);
}

/* Who has left its slot meanwhile has not seen it. */
static void place_one(pci_function *f, uint32_t i, uint64_t address)
{
    if (!ranges_add(f, i, address))
        return;
    lock_take(&f->lock);
    int stays = f->host != NULL;
    if (stays)
        f->bar[i].placed = address;
    lock_give(&f->lock);
    if (stays)
        tell(f, i, address);
    else
        ranges_remove(f, i, address);
}

void bars_take(pci_function *f)
{
    for (uint32_t i = 0; i < PCI_BARS; i++)
        take_one(f, i);
}

/* First all that go, so that two may change places. */
void bars_update(pci_function *f)
{
    uint64_t want[PCI_BARS];

    lock_take(&f->lock);
    for (uint32_t i = 0; i < PCI_BARS; i++)
        want[i] = wanted(f, i);
    lock_give(&f->lock);
    for (uint32_t i = 0; i < PCI_BARS; i++)
        if (f->bar[i].placed != want[i])
            take_one(f, i);
    for (uint32_t i = 0; i < PCI_BARS; i++)
        if (f->bar[i].placed != want[i])
            place_one(f, i, want[i]);
}

/* Addresses that BARs on the bus have, whether they decode or not. */
typedef struct taken {
    uint64_t address, length;
} taken;

static uint32_t list_taken(pci_host *host, const pci_function *self, taken *list)
{
    uint32_t count = 0;

    for (uint32_t s = 0; s < PCI_SLOTS; s++) {
        lock_take(&host->lock);
        pci_function *f = host->slot[s];
        vsdk_device *keep = f && f != self ? vsdk_device_ref(f->device) : NULL;
        lock_give(&host->lock);
        if (!keep)
            continue;
        lock_take(&f->lock);
        for (uint32_t i = 0; i < PCI_BARS; i++)
            if (f->bar[i].length && bar_register(f, i))
                list[count++] = (taken){bar_register(f, i), f->bar[i].length};
        lock_give(&f->lock);
        vsdk_device_close(keep);
    }
    return count;
}

/* The first place in the window, or 0. Each step goes behind one that is taken. */
static uint64_t find_free(const pci_host *host, const taken *list, uint32_t count, uint64_t length,
                          int wide)
{
    uint64_t end =
        wide || host->window_end < UINT64_C(1) << 32 ? host->window_end : UINT64_C(1) << 32;
    uint64_t at = host->window;

    for (;;) {
        uint32_t i = 0;
        at = (at + length - 1) & ~(length - 1);
        if (!checked_within(at, length, end))
            return 0;
        while (i < count && !ranges_overlap(at, length, list[i].address, list[i].length))
            i++;
        if (i == count)
            return at;
        at = list[i].address + list[i].length;
    }
}

/* A guest that assigns nothing has only to switch decoding on. What finds no room stays at 0. */
void bars_assign(pci_function *f, pci_host *host)
{
    taken list[(PCI_SLOTS + 1) * PCI_BARS];
    uint32_t count = list_taken(host, f, list);

    for (uint32_t i = 0; i < PCI_BARS; i++) {
        uint64_t length = f->bar[i].length;
        int wide = !!(f->bar[i].flags & VSDK_PCI_BAR_64);
        uint64_t at = length ? find_free(host, list, count, length, wide) : 0;
        if (!length)
            continue;
        if (at)
            list[count++] = (taken){at, length};
        uint8_t *to = f->power_on + register_at(i);
        config_put(to, (at & UINT32_MAX) | (to[0] & 0xf), 4);
        if (wide)
            config_put(to + 4, at >> 32, 4);
    }
}
