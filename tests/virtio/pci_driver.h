/* SPDX-License-Identifier: Apache-2.0 */
/* A driver's way to PCI functions: the configuration space, and virtio's registers in a BAR by the
 * offsets that they have over MMIO. So one driver of rings tests both transports. */
#ifndef VSDK_TESTS_VIRTIO_PCI_DRIVER_H
#define VSDK_TESTS_VIRTIO_PCI_DRIVER_H

#include <stdint.h>

enum { PCI_TEST_ECAM = 0xe0000000, PCI_TEST_SLOT = 3 };

/* An access of the guest's to its memory. */
typedef struct pci_way {
    uint64_t (*read)(uint64_t address, uint16_t width);
    void (*write)(uint64_t address, uint16_t width, uint64_t value);
} pci_way;

extern pci_way pci_way_of;    /* the test's */
extern uint64_t pci_test_bar; /* where the function's BAR 0 is */

uint32_t pci_config(uint32_t slot, uint32_t offset, uint16_t width);
void pci_set_config(uint32_t slot, uint32_t offset, uint16_t width, uint64_t value);
/* Where a capability of this id is; with `type` not 0 virtio's of that type. 0: nowhere. */
uint32_t pci_find(uint32_t slot, uint32_t id, uint32_t type);
/* Decoding, bus mastering and all messages on, with data 0x40 and more. */
void pci_driver_start(void);
uint32_t pci_driver_read(uint32_t offset);
void pci_driver_write(uint32_t offset, uint32_t value);

#endif
