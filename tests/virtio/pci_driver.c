/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of virtio-mmio are looked up in a table of what virtio-pci has in their place. */
#include "pci_driver.h"
#include <criterion/criterion.h>

enum { COMMON = 0, ISR = 0x1000, SPACE = 0x2000, NOTIFY = 0x3000, TABLE = 0x4000 };
enum { MSI = 0xfee00000, DATA = 0x40 };

pci_way pci_way_of;
uint64_t pci_test_bar;

static uint64_t config_at(uint32_t slot, uint32_t offset)
{
    return PCI_TEST_ECAM + slot * 0x8000 + offset;
}

uint32_t pci_config(uint32_t slot, uint32_t offset, uint16_t width)
{
    return (uint32_t)pci_way_of.read(config_at(slot, offset), width);
}

void pci_set_config(uint32_t slot, uint32_t offset, uint16_t width, uint64_t value)
{
    pci_way_of.write(config_at(slot, offset), width, value);
}

uint32_t pci_find(uint32_t slot, uint32_t id, uint32_t type)
{
    uint32_t at = pci_config(slot, 0x34, 1);

    for (unsigned steps = 0; at; steps++) {
        cr_assert(at >= 0x40 && at % 4 == 0 && steps < 48, "a capability at 0x%x", at);
        if (pci_config(slot, at, 1) == id && (!type || pci_config(slot, at + 3, 1) == type))
            return at;
        at = pci_config(slot, at + 1, 1);
    }
    return 0;
}

void pci_driver_start(void)
{
    uint32_t msix = pci_find(PCI_TEST_SLOT, 0x11, 0);
    uint32_t count = (pci_config(PCI_TEST_SLOT, msix + 2, 2) & 0x7ff) + 1;

    cr_assert_eq(pci_config(PCI_TEST_SLOT, msix + 4, 4), TABLE);
    pci_test_bar = pci_config(PCI_TEST_SLOT, 0x10, 4) & ~UINT32_C(0xf);
    pci_test_bar |= (uint64_t)pci_config(PCI_TEST_SLOT, 0x14, 4) << 32;
    pci_set_config(PCI_TEST_SLOT, 4, 2, 6);
    pci_set_config(PCI_TEST_SLOT, msix + 2, 2, 0x8000);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry = pci_test_bar + TABLE + 16 * i;
        pci_way_of.write(entry, 4, MSI);
        pci_way_of.write(entry + 4, 4, 0);
        pci_way_of.write(entry + 8, 4, DATA + i);
        pci_way_of.write(entry + 12, 4, 0);
    }
}

/* 0 in `width`: PCI has no such register. */
static const struct place {
    uint32_t mmio, pci;
    uint16_t width;
} places[] = {
    {0x10, COMMON + 4, 4},  {0x14, COMMON + 0, 4},  {0x20, COMMON + 12, 4}, {0x24, COMMON + 8, 4},
    {0x30, COMMON + 22, 2}, {0x34, COMMON + 24, 2}, {0x38, COMMON + 24, 2}, {0x44, COMMON + 28, 2},
    {0x60, ISR, 1},         {0x70, COMMON + 20, 1}, {0x80, COMMON + 32, 4}, {0x84, COMMON + 36, 4},
    {0x90, COMMON + 40, 4}, {0x94, COMMON + 44, 4}, {0xa0, COMMON + 48, 4}, {0xa4, COMMON + 52, 4},
    {0xc0, COMMON + 58, 2}, {0xfc, COMMON + 21, 1},
};

static struct place find(uint32_t offset)
{
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i].mmio == offset)
            return places[i];
    return (struct place){0, 0, 0};
}

uint32_t pci_driver_read(uint32_t offset)
{
    struct place p = find(offset);

    if (offset >= 0x100)
        return (uint32_t)pci_way_of.read(pci_test_bar + SPACE + offset - 0x100, 4);
    if (offset == 8)
        return pci_config(PCI_TEST_SLOT, 2, 2) - 0x1040;
    return p.width ? (uint32_t)pci_way_of.read(pci_test_bar + p.pci, p.width) : 0;
}

/* What a driver does of itself: each queue has a vector, the configuration the first. */
void pci_driver_write(uint32_t offset, uint32_t value)
{
    struct place p = find(offset);

    if (offset >= 0x100)
        pci_way_of.write(pci_test_bar + SPACE + offset - 0x100, 4, value);
    else if (offset == 0x50)
        pci_way_of.write(pci_test_bar + NOTIFY + 4 * value, 2, value);
    else if (p.width)
        pci_way_of.write(pci_test_bar + p.pci, p.width, value);
    if (offset == 0x30) {
        pci_way_of.write(pci_test_bar + COMMON + 26, 2, value + 1);
        pci_way_of.write(pci_test_bar + COMMON + 16, 2, 0);
    }
}
