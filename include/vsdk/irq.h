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
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/irq.toml by abi/generate.py.
 */

#ifndef VSDK_IRQ_H
#define VSDK_IRQ_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* One user of an interrupt line. Counted; keeps its virtual machine's handle alive. Since 0.1. */
typedef struct vsdk_irq vsdk_irq;

/*
 * A line of the registered controller changed.
 *
 *   user   (may be NULL) The controller's pointer.
 *   gsi    The line.
 *   level  1 raised, 0 lowered.
 *
 * Runs on: The thread that raised or lowered it; several at once.
 * May call: vsdk_vm_send_msi and everything that may be called from any callback.
 * Since 0.1.
 */
typedef void (*vsdk_irq_line_fn)(void *user, uint32_t gsi, uint32_t level);

/*
 * Become a user of an interrupt line.
 *
 *   gsi  The line, 0 to 1023.
 *   irq  (out, new reference) The handle, lowered.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   LIMIT             gsi is above 1023
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_create(vsdk_vm *vm, uint32_t gsi, vsdk_irq **irq, vsdk_error *error);

/*
 * Lower the line if this handle raised it, and drop the reference.
 *
 *   irq  May be NULL.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: while it takes a pause that waited for the controller's callback, which
 * calls the devices. From callbacks: yes. States: any. Backends: all. Since 0.1.
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
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: while it takes a pause that waited for the controller's callback, which
 * calls the devices. From callbacks: yes. States: any. Backends: all. Since 0.1.
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
 * Threads: any. Blocks: while it takes a pause that waited for the controller's callback, which
 * calls the devices. From callbacks: yes. States: any. Backends: all. Since 0.1.
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
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: while it takes a pause that waited for the controller's callback, which
 * calls the devices. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_pulse(vsdk_irq *irq, vsdk_error *error);

/*
 * Send a message-signalled interrupt.
 *
 *   address  Message address: 0xfee00000 | destination << 12 | redirection << 3 | mode << 2.
 *   data     Message data: vector | delivery mode << 8.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL, the address is not that of an MSI, or the vector is below 16
 *   UNSUPPORTED       no local APIC, or a delivery mode that the backend lacks
 *   STATE             no vCPU exists yet
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: no. From callbacks: yes. States: any; before the first vCPU exists it is
 * VSDK_ERROR_STATE. Backends: all; see VSDK_CAPABILITY_MSI_ALL_MODES. Since 0.1.
 * Source: Intel SDM volume 3, section 11.11.
 */
vsdk_status vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error);

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
 *   EXISTS            a controller has one of these lines, or the hypervisor's has
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
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
 * Threads: any. Blocks: until its callback has returned. From callbacks: no: VSDK_ERROR_BUSY from a
 * callback of this virtual machine. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_irq_controller_detach(vsdk_vm *vm, uint32_t first_gsi, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_IRQ_H */
