/* SPDX-License-Identifier: Apache-2.0 */
/* PCI from the inside. A host is a vsdk_device that has the configuration space of its bus; a
 * function is a vsdk_device that has its MSI-X table and those BARs that are nobody else's.
 *
 * Locks. The host's gate is entered first, a function's then. What any thread may look at of a
 * function is under its leaf lock: configuration space, table, pending bits, where BARs are. Who
 * leaves its slot clears `host` there first; who places a BAR looks at that afterwards, and takes
 * it away again. */
#ifndef VSDK_PCI_PCI_H
#define VSDK_PCI_PCI_H

#include "base/lock.h"
#include "base/refs.h"
#include <stdatomic.h>
#include <vsdk/vsdk.h>

enum {
    PCI_SLOTS = 32,
    PCI_BARS = 6,
    PCI_CONFIG = 256,
    PCI_VECTORS_MOST = 2048,
    PCI_REGION_MSIX = PCI_BARS /* of a function's own ranges; below it are BARs */
};
/* The configuration space. */
enum {
    PCI_COMMAND = 4,
    PCI_STATUS = 6,
    PCI_REVISION = 8,
    PCI_CLASS = 9,
    PCI_BAR = 0x10,
    PCI_SUBSYSTEM = 0x2c,
    PCI_FIRST = 0x34,
    PCI_LINE = 0x3c,
    PCI_LIST = 0x40
};
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 0x400 };
enum { STATUS_LIST = 0x10 };
enum { MSIX_ID = 0x11, MSIX_LENGTH = 12, MSIX_ENABLE = 0x8000, MSIX_MASK = 0x4000 };
enum { EVENT_ADDED = 1, EVENT_ASKED = 2 };

typedef struct pci_function pci_function;

typedef struct pci_host {
    refs memory; /* the device, each function in a slot */
    vsdk_device *device;
    vsdk_device *events; /* or NULL */
    uint64_t window, window_end;
    _Atomic uint32_t asked; /* to go, a bit a slot */
    lock lock;              /* RANK_LEAF: the slots */
    pci_function *slot[PCI_SLOTS];
} pci_host;

typedef struct pci_bar {
    uint64_t length; /* 0: there is none */
    uint64_t front;  /* what comes before the MSI-X table */
    uint64_t tag;
    vsdk_device *device;
    uint32_t region, flags;
    uint64_t placed; /* 0: nowhere */
} pci_bar;

typedef struct pci_vector {
    uint32_t address, address_high, data, control;
} pci_vector;

struct pci_function {
    uint32_t process;
    vsdk_device *device;
    const vsdk_pci_function_ops *kind; /* the caller's table */
    vsdk_pci_function_ops ops;
    void *user;
    atomic_int attached;
    uint32_t slot;
    uint32_t vectors, own_list; /* where the embedder's capabilities begin */
    uint8_t mask[PCI_CONFIG];   /* bits that the guest may change */
    uint8_t asks[PCI_CONFIG];   /* bytes that are read by config_read */
    uint8_t power_on[PCI_CONFIG];
    lock lock; /* RANK_LEAF: all that follows */
    pci_host *host;
    vsdk_timer *timer;
    int is_started;
    uint8_t config[PCI_CONFIG];
    pci_bar bar[PCI_BARS];
    uint64_t *pending;
    pci_vector table[];
};

extern const vsdk_device_ops pci_host_ops, pci_function_ops;

vsdk_status pci_get(vsdk_device *device, pci_function **f, const char *operation,
                    vsdk_error *error);

/* host.c: out of its slot, with all that the slot gave; 0 if it was in none. */
int pci_leave(pci_function *f);
void pci_host_put(pci_host *host);

/* config.c: in the host's gate. */
uint64_t config_read(pci_function *f, uint32_t offset, uint32_t width);
void config_write(pci_function *f, uint32_t offset, uint32_t width, uint64_t value);
uint32_t config_get(const pci_function *f, uint32_t offset, uint32_t width);
void config_put(uint8_t *to, uint64_t value, uint32_t width);

/* bar.c: where BARs are. In the host's gate, or where no guest runs. */
uint64_t bar_register(const pci_function *f, uint32_t i); /* what the guest has written */
void bars_update(pci_function *f);                        /* as the configuration space says */
void bars_take(pci_function *f);
void bars_assign(pci_function *f, pci_host *host); /* addresses at power-on */

/* msix.c: `offset` is from the table's begin. */
uint64_t msix_read(pci_function *f, uint64_t offset, uint32_t width);
void msix_write(pci_function *f, uint64_t offset, uint32_t width, uint64_t value);
void msix_clean(pci_vector *v);
void msix_deliver(pci_function *f); /* what is pending and can be sent */
void msix_reset(pci_function *f);
uint64_t msix_pba_offset(uint32_t vectors);
uint32_t msix_words(uint32_t vectors); /* of pending bits */

/* Power-on state. */
void pci_power_on(pci_function *f);

#endif
