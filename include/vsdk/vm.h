/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual machines.
 *
 * A virtual machine is CREATED, RUNNING, PAUSED or STOPPED. vsdk_vm_resume starts it and ends a
 * pause; a guest that ends, or vsdk_vm_stop, makes it STOPPED for good. vsdk_vm_destroy gives
 * everything back to the hypervisor; the handle stays valid and answers VSDK_ERROR_GONE.
 *
 * Who executes the guest differs: on a *driven* backend (KVM, mock) it executes only inside
 * vsdk_vcpu_run; on an *autonomous* one (Xen, mock-autonomous) it executes in RUNNING whether or
 * not anybody is inside. Not calling run is therefore never the way to stop a guest: pause is.
 *
 * The first vsdk_vcpu_create freezes the platform: interrupt controller, CPUID, the number of
 * processors.
 *
 * Any number of virtual machines a process; every function may be called from any thread unless it
 * says otherwise.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/vm.toml by abi/generate.py.
 */

#ifndef VSDK_VM_H
#define VSDK_VM_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/exit.h>
#include <vsdk/host.h>
#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A virtual machine. Counted. Since 0.1. */
typedef struct vsdk_vm vsdk_vm;

/*
 * State of a virtual machine.
 *
 * Since 0.1.
 */
enum vsdk_vm_state_values {
    VSDK_VM_CREATED = 0, /* Never resumed; no guest instruction has run */
    VSDK_VM_RUNNING = 1, /* The guest may execute */
    VSDK_VM_PAUSED = 2,  /* No vCPU is in the guest, no device callback runs, its clock stands */
    VSDK_VM_STOPPED = 3, /* The guest has ended */
};
typedef uint32_t vsdk_vm_state;

/*
 * Where the interrupt controllers are.
 *
 * Since 0.1.
 */
enum vsdk_irqchip_values {
    /*
     * Local APICs in the hypervisor; lines go to a controller that a device registers, such as the
     * library's IOAPIC. The same machine on KVM and on Xen. A processor that halts waits inside
     * run.
     */
    VSDK_IRQCHIP_PORTABLE = 0,
    VSDK_IRQCHIP_KERNEL = 1,   /* Local APICs, IOAPIC, PIC and PIT in the hypervisor (on Xen the
                                  full emulation), for firmware and old guests */
    VSDK_IRQCHIP_NONE = 2,     /* None: HALT exits, no interrupts */
};
typedef uint32_t vsdk_irqchip;

/*
 * Flags of vsdk_vm_config.
 *
 * Since 0.1.
 */
enum vsdk_vm_flags_values {
    VSDK_VM_HIDE_HYPERVISOR = 0x1, /* KVM: no hypervisor leaves in CPUID. VSDK_ERROR_UNSUPPORTED
                                      on Xen, whose leaves cannot be hidden. */
};
typedef uint32_t vsdk_vm_flags;

/*
 * All that a backend must know before the first vCPU. Dirty tracking, other clocks and CPUID modes
 * will be fields after these.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 64 bytes. Since 0.1.
 */
typedef struct vsdk_vm_config {
    uint32_t size;        /* sizeof(vsdk_vm_config) */
    uint32_t flags;       /* vsdk_vm_flags */
    uint32_t vcpus_max;   /* Most vCPUs, 0 for 1 */
    vsdk_irqchip irqchip; /* Interrupt controllers */
    uint64_t memory_max;  /* (bytes) Most guest memory that will ever be mapped at a time, 0 for
                             4 GiB. Xen sizes its tables by it. */
    uint64_t reserved[5]; /* Zero */
} vsdk_vm_config;

/*
 * State of a virtual machine at one moment.
 *
 * The caller sets size to sizeof; the library fills in the rest. 64 bytes. Since 0.1.
 */
typedef struct vsdk_vm_info {
    uint32_t size;                /* sizeof(vsdk_vm_info), set by the caller */
    uint32_t flags;               /* Zero */
    vsdk_vm_state state;          /* The state */
    vsdk_exit_reason stop_reason; /* In STOPPED, why */
    uint64_t stop_code;           /* In STOPPED, the code that came with it */
    uint64_t stop_detail;         /* In STOPPED, the detail (vsdk_crash_detail) */
    uint32_t vcpus;               /* vCPUs created */
    vsdk_irqchip irqchip;         /* As configured */
    uint64_t clock_ns;            /* (ns) The virtual machine's clock: nanoseconds in RUNNING */
    uint64_t domain;              /* The hypervisor's number of the guest (Xen domid), 0 if it
                                     has none */
    uint32_t vcpus_max;           /* Most vCPUs, as configured */
    uint32_t reserved;            /* Zero */
} vsdk_vm_info;

/*
 * Addresses that the hypervisor serves itself.
 *
 * 128 bytes. Since 0.1.
 */
typedef struct vsdk_vm_range {
    vsdk_space space;  /* Ports or guest physical addresses */
    uint32_t reserved; /* Zero */
    uint64_t address;  /* First */
    uint64_t length;   /* (bytes) How many */
    char reason[104];  /* What is there */
} vsdk_vm_range;

/*
 * The name of a vsdk_vm_state: created, running, paused and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_vm_state_name(vsdk_vm_state value);

/*
 * The name of a vsdk_irqchip: portable, kernel, none.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_irqchip_name(vsdk_irqchip value);

/*
 * Create a virtual machine, in state CREATED, without memory and processors.
 *
 *   host    Where. Kept alive.
 *   config  NULL for all defaults.
 *   vm      Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or a field has an unknown value
 *   UNSUPPORTED       the backend has no such interrupt controller or flag, or the configuration
 *                     has a later version's field
 *   LIMIT             more vCPUs or memory than the backend has (see VSDK_CAPABILITY_VCPUS_MAX and
 *                     VSDK_CAPABILITY_MEMORY_MAX)
 *   NO_MEMORY         no memory, or the hypervisor has none
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: briefly: asks the hypervisor. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 * Source: Linux api.rst, KVM_CREATE_VM; xen/include/public/domctl.h, XEN_DOMCTL_createdomain.
 */
vsdk_status vsdk_vm_create(vsdk_host *host, const vsdk_vm_config *config, vsdk_vm **vm,
                           vsdk_error *error);

/*
 * Drop a reference to a virtual machine.
 *
 * When the last reference, those of its children included, is gone it is destroyed as by
 * vsdk_vm_destroy. vCPUs, RAM and devices keep it alive.
 *
 *   vm  May be NULL.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_vm_close(vsdk_vm *vm);

/*
 * End a guest and give the hypervisor's resources back now.
 *
 * Waits for running vCPUs (their run returns VSDK_ERROR_GONE), detaches every device (one that
 * nobody holds is released). Afterwards the handle and its children answer VSDK_ERROR_GONE. Views
 * of its memory stay valid pointers; on Xen their contents become zero. A second destroy succeeds
 * and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   BUSY              called from a callback of this virtual machine
 * Threads: any. Blocks: until no vCPU is inside run and no callback runs. From callbacks: no:
 * VSDK_ERROR_BUSY from a callback of this virtual machine. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_destroy(vsdk_vm *vm, vsdk_error *error);

/*
 * Start the guest, or go on after a pause.
 *
 * Runs that wait inside vsdk_vcpu_run proceed. Does nothing in RUNNING. A pause requested and not
 * yet taken is withdrawn.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   STATE             it is STOPPED, or has no vCPU
 *   GONE              it was destroyed
 *   BUSY              called from a pause or resume callback
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: until a pause that is under way has finished. From callbacks: yes; it takes
 * effect when a pause under way has finished and the callback has returned, and should the
 * hypervisor refuse then, the log is told. States: CREATED, PAUSED, RUNNING; needs at least one
 * vCPU. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_resume(vsdk_vm *vm, vsdk_error *error);

/*
 * Hold the guest.
 *
 * Returns when no vCPU is in the guest, no device callback is running and every attached device's
 * pause callback has returned. An exit that the embedder has not answered yet counts as held and
 * stays unfinished: pause never waits for the embedder to call run. Does nothing in PAUSED; in
 * CREATED the guest stays CREATED.
 *
 * A run in a paused virtual machine waits inside until resume, kick, deadline or destroy.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   BUSY              called from a callback of this virtual machine
 *   STATE             it is STOPPED
 *   GONE              it was destroyed
 *   SYSTEM            the hypervisor did not stop the guest, which goes on
 * Threads: any. Blocks: until all vCPUs are held and the devices are quiet. From callbacks: no:
 * VSDK_ERROR_BUSY from a callback of this virtual machine; use vsdk_vm_pause_request. States:
 * CREATED, RUNNING, PAUSED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_pause(vsdk_vm *vm, vsdk_error *error);

/*
 * Ask for a pause without waiting for it.
 *
 * Takes effect when the callbacks that are running have returned; the vCPUs then hold inside run.
 * vsdk_vm_pause waits for it; should the hypervisor refuse, and nobody wait, the log is told.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   STATE             it is STOPPED
 *   GONE              it was destroyed
 * Threads: any. Blocks: while it takes the pause itself, where nothing is left to wait for. From
 * callbacks: yes. States: CREATED, RUNNING, PAUSED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_pause_request(vsdk_vm *vm, vsdk_error *error);

/*
 * Finish every unanswered access of a paused guest.
 *
 * As vsdk_vcpu_complete for each vCPU that is AT_EXIT, with the answers that are in the records. A
 * thread that waits inside vsdk_vcpu_run for the pause to end counts as inside, whatever it waits
 * for: kick it, and let its run return, before. Where an access comes in fragments the next one is
 * given to the attached devices; if none claims it, it stays and VSDK_ERROR_STATE is returned, the
 * record showing it.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   BUSY              called from a callback, or a vCPU is inside run
 *   STATE             it is not PAUSED, or a fragment was left
 *   UNSUPPORTED       the backend cannot finish an access without going on
 *   GONE              it was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any, while nobody is inside vsdk_vcpu_run of these vCPUs. Blocks: while devices answer
 * further fragments. From callbacks: no: VSDK_ERROR_BUSY. States: PAUSED. Backends: all; on those
 * without VSDK_CAPABILITY_COMPLETE_EXACT VSDK_ERROR_UNSUPPORTED if an access is unfinished. Since
 * 0.1.
 */
vsdk_status vsdk_vm_drain(vsdk_vm *vm, vsdk_error *error);

/*
 * End the guest with a reason.
 *
 * Every run returns the terminal exit from now on. The first reason stays. How a device ends a run.
 *
 *   reason  A terminal reason, POWEROFF to STOP.
 *   code    Becomes value of the exit.
 *   detail  Becomes detail: a vsdk_crash_detail for CRASH, else 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or the reason is not a terminal one
 *   GONE              it was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any; in STOPPED it does nothing. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_vm_stop(vsdk_vm *vm, vsdk_exit_reason reason, uint64_t code, uint64_t detail,
                         vsdk_error *error);

/*
 * State, stop reason and clock.
 *
 *   info  (inout) size set by the caller.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or size is too small
 *   GONE              it was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_get_info(vsdk_vm *vm, vsdk_vm_info *info, vsdk_error *error);

/*
 * Addresses that the hypervisor serves itself, with reasons.
 *
 * Devices can't be attached there. They depend on the backend and on the interrupt controller
 * chosen.
 *
 *   ranges    (out, capacity elements) Filled; NULL with capacity 0 just asks for the number.
 *   capacity  (entries) Room in ranges.
 *   needed    (out, entries) How many there are.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or needed is NULL, or ranges is NULL with a capacity
 *   GONE              it was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_list_reserved(vsdk_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error);

/*
 * Run the whole guest from one call, the convenience for simple programs.
 *
 * Resumes the virtual machine, runs every vCPU that exists, each on a thread made for it, and its
 * loop on the calling thread, until the guest ends, the time is over or vsdk_vm_run_cancel is
 * called. This is the only function that starts threads; all have ended when it returns. Signals
 * are blocked in them.
 *
 * Accesses that no device claims read all ones and drop writes, and are told to the log once an
 * address, the first 128 of them (VSDK_LOG_DEBUG). Ends with the virtual machine STOPPED, or PAUSED
 * when something else ended it.
 *
 *   timeout_ns  (ns) Longest time from now, in real time; 0 returns at once, VSDK_FOREVER has no
 *               end.
 *   end         (out, may be NULL) The terminal exit, or KICKED with VSDK_KICK_DEADLINE or
 *               VSDK_KICK_REQUEST, HALT where no interrupt can come (VSDK_IRQCHIP_NONE), or an exit
 *               that no run can go on from (INTERNAL_ERROR, FAIL_ENTRY, MEMORY_FAULT, UNKNOWN).
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   STATE             it has no vCPU or is STOPPED
 *   BUSY              it is being run already, or called from a callback
 *   GONE              it was destroyed
 *   NO_MEMORY         no memory for threads or the loop
 *   LIMIT             no more descriptors for the loop
 *   SYSTEM            a run failed, or the guest could not be started or, at the end, paused
 * Threads: any; one at a time a virtual machine. Blocks: until the guest has ended. From callbacks:
 * no: VSDK_ERROR_BUSY. States: CREATED, RUNNING or PAUSED, with at least one vCPU and nobody inside
 * vsdk_vcpu_run. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_run(vsdk_vm *vm, uint64_t timeout_ns, vsdk_exit *end, vsdk_error *error);

/*
 * Make vsdk_vm_run return.
 *
 * Sticky: a cancel before the run makes that run return at once.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   GONE              it was destroyed
 * Threads: any; async-signal-safe. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_vm_run_cancel(vsdk_vm *vm, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VM_H */
