/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts.
 *
 * Two ways to interrupt a guest: a line (a GSI) and a message (MSI). A line goes to the controller
 * that a device registered for it, such as the library's IOAPIC, else to the hypervisor's
 * controllers where there are any. Several handles may share a line: it is high while any of them
 * is raised.
 *
 * In the portable machine lines are edge-triggered (see VSDK_CAPABILITY_IRQ_LEVEL).
 *
 * A line or message that has a device is refused with VSDK_ERROR_STATE while that device is
 * stopped. What it would have told, the device tells in its start callback.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/irq.toml by abi/generate.py.
 */

#ifndef VSDK_IRQ_H
#define VSDK_IRQ_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * One user of an interrupt line. Counted; keeps the memory of its virtual machine's handle. Since
 * 0.1.
 */
typedef struct vsdk_irq vsdk_irq;

/*
 * A message-signalled interrupt of a device: an address, a value, and who sends it. Counted; keeps
 * the memory of its virtual machine's handle. Since 0.1.
 */
typedef struct vsdk_msi vsdk_msi;

/*
 * How a line is triggered.
 *
 * Since 0.1.
 */
enum vsdk_irq_trigger_values {
    VSDK_IRQ_EDGE = 0,  /* By its rising edge */
    VSDK_IRQ_LEVEL = 1, /* As long as it is high */
};
typedef uint32_t vsdk_irq_trigger;

/*
 * Which line.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_irq_config {
    uint32_t size;            /* sizeof(vsdk_irq_config) */
    uint32_t flags;           /* Zero */
    uint32_t gsi;             /* The line, 0 to 1023 */
    vsdk_irq_trigger trigger; /* How it is triggered */
    vsdk_device *device;      /* (may be NULL) The device that raises it. Its memory is kept. */
    uint64_t reserved;        /* Zero */
} vsdk_irq_config;

/*
 * What a message says.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_msi_config {
    uint32_t size;       /* sizeof(vsdk_msi_config) */
    uint32_t flags;      /* Zero */
    uint64_t address;    /* Message address, in the architecture's format (x86.h); 0 for none yet */
    uint32_t data;       /* Message data */
    uint32_t device_id;  /* Who sends it, where controllers look at that: bus, device and
                            function of a PCI device. Ignored on x86. */
    vsdk_device *device; /* (may be NULL) The device that sends it. Its memory is kept. */
    uint64_t reserved;   /* Zero */
} vsdk_msi_config;

/*
 * A line of the registered controller changed.
 *
 *   user   (may be NULL) The controller's pointer.
 *   vm     (inout) The virtual machine; borrowed.
 *   gsi    The line.
 *   level  1 raised, 0 lowered.
 *
 * Runs on: The thread that raised or lowered it; several at once.
 * May call: vsdk_vm_send_msi and everything that may be called from any callback.
 * Since 0.1.
 */
typedef void (*vsdk_irq_line_fn)(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level);

/*
 * Take a reference more.
 *
 *   irq  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_irq *vsdk_irq_ref(vsdk_irq *irq);

/*
 * Take a reference more.
 *
 *   msi  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_msi *vsdk_msi_ref(vsdk_msi *msi);

/*
 * The name of a vsdk_irq_trigger: edge, level.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_irq_trigger_name(vsdk_irq_trigger value);

/*
 * Become a user of an interrupt line.
 *
 *   config  Which line.
 *   irq     (out, new reference) The handle, lowered.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the trigger is unknown, or the device is of another
 *                     virtual machine
 *   UNSUPPORTED       level-triggered, and this line's controller is the portable machine's, or the
 *                     configuration has a later version's field
 *   LIMIT             gsi is above 1023
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_create(vsdk_vm *vm, const vsdk_irq_config *config, vsdk_irq **irq,
                            vsdk_error *error);

/*
 * Lower the line if this handle raised it, and drop the reference.
 *
 *   irq  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_irq_close(vsdk_irq *irq);

/*
 * Raise the line.
 *
 * Does nothing if this handle has raised it already.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  irq is NULL
 *   NOT_FOUND         no controller serves this line
 *   STATE             its device is stopped, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_raise(vsdk_irq *irq, vsdk_error *error);

/*
 * Lower the line.
 *
 * Does nothing if this handle has not raised it.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  irq is NULL
 *   NOT_FOUND         no controller serves this line any more
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_lower(vsdk_irq *irq, vsdk_error *error);

/*
 * Raise and lower the line: one edge.
 *
 * On a line that another handle holds high no edge results.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  irq is NULL
 *   NOT_FOUND         no controller serves this line
 *   STATE             its device is stopped, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_pulse(vsdk_irq *irq, vsdk_error *error);

/*
 * Send a message-signalled interrupt.
 *
 *   address  Message address, in the architecture's format (x86.h).
 *   data     Message data, in the architecture's format.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL, the address is not that of an MSI, or the vector is below 16
 *   UNSUPPORTED       no local APIC, or a delivery mode that the backend lacks
 *   STATE             no vCPU exists yet, or called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: no. From callbacks: yes. States: any; before the first vCPU exists it is
 * VSDK_ERROR_STATE. Backends: all; see VSDK_CAPABILITY_MSI_ALL_MODES. Since 0.1.
 * Source: Intel SDM volume 3, section 11.11.
 */
vsdk_status vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error);

/*
 * Make a message that a device sends.
 *
 *   config  NULL for no message yet, and no device.
 *   msi     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the address is not that of a message, the vector is below
 *                     16, or the device is of another virtual machine
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_msi_create(vsdk_vm *vm, const vsdk_msi_config *config, vsdk_msi **msi,
                            vsdk_error *error);

/*
 * Drop a reference to a message.
 *
 * The last one takes its descriptor back.
 *
 *   msi  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_msi_close(vsdk_msi *msi);

/*
 * Change what a message says.
 *
 * As a guest does with a table entry of its device. What is sent at the same moment is the old
 * message or the new one.
 *
 *   address  Message address; 0 for none: sending is VSDK_ERROR_STATE then.
 *   data     Message data.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  msi is NULL, the address is not that of a message, or the vector is below 16
 *   NO_MEMORY         no memory, or the hypervisor has none
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_msi_set(vsdk_msi *msi, uint64_t address, uint32_t data, vsdk_error *error);

/*
 * Send a message.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  msi is NULL
 *   UNSUPPORTED       no local APIC, or a delivery mode that the backend lacks
 *   STATE             no vCPU exists yet, the message has no address, or its device is stopped, or
 *                     called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: no. From callbacks: yes. States: any; before the first vCPU exists it is
 * VSDK_ERROR_STATE. Backends: all; see VSDK_CAPABILITY_MSI_ALL_MODES. Since 0.1.
 */
vsdk_status vsdk_msi_send(vsdk_msi *msi, vsdk_error *error);

/*
 * A descriptor that sends a message: write 8 bytes, a number above 0.
 *
 * An eventfd, for a process or a kernel part that knows no library (vhost, VFIO). It is made when
 * it is first asked for. What comes by it is sent whether or not the device is stopped: who writes
 * to it stops with the device.
 *
 * Returns the descriptor, the message's; -1 when it fails, and error says why (borrowed).
 * Given NULL: returns -1.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: kvm; see
 * VSDK_CAPABILITY_MSI_DESCRIPTOR. Since 0.1.
 */
int32_t vsdk_msi_descriptor(vsdk_msi *msi, vsdk_error *error);

/*
 * Register as the controller of a range of lines.
 *
 *   first_gsi  First line.
 *   count      How many, not 0.
 *   set_line   Called when a line changes.
 *   user       (may be NULL) Given to it.
 *   release    (may be NULL) Called once when the controller is gone, on failure too.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or count is 0
 *   LIMIT             a line is above 1023
 *   EXISTS            a controller has one of these lines
 *   RESERVED          the hypervisor's controllers have one of them
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_controller_attach(vsdk_vm *vm, uint32_t first_gsi, uint32_t count,
                                       vsdk_irq_line_fn set_line, void *user,
                                       vsdk_release_fn release, vsdk_error *error);

/*
 * Take a controller away.
 *
 * When it returns its callback is not running and will not start.
 *
 *   first_gsi  As attached.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   NOT_FOUND         no controller begins there
 *   BUSY              called from a callback of this virtual machine
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: until its callback has returned. From callbacks: no: VSDK_ERROR_BUSY from a
 * callback of this virtual machine. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_controller_detach(vsdk_vm *vm, uint32_t first_gsi, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_IRQ_H */
