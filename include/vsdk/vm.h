/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual machines.
 *
 * A virtual machine is CREATED, RUNNING, PAUSED or STOPPED.
 *
 * | from | event | to |
 * |---|---|---|
 * | CREATED, PAUSED | vsdk_vm_resume | RUNNING |
 * | RUNNING | vsdk_vm_pause | PAUSED |
 * | any | the guest ends, vsdk_vm_stop | STOPPED |
 * | STOPPED with VSDK_EXIT_SUSPEND | vsdk_vm_resume | RUNNING |
 * | PAUSED, STOPPED | vsdk_vm_reset | CREATED |
 * | any | vsdk_vm_destroy, the last close | every call answers VSDK_ERROR_GONE |
 *
 * Transitions are made only inside pause, resume, reset, vsdk_vcpu_run, vsdk_vcpu_complete,
 * vsdk_vm_run, dispatch of the virtual machine's loop, and destroy: only there are devices started
 * and stopped. A pause request, or a stop while nobody is inside one of these, is noted: the
 * virtual machine is STOPPED at once and DMA is refused, and its devices are stopped by the next
 * call that makes transitions.
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
#include <vsdk/stream.h>
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
 * All that a backend must know before the first vCPU. Other clocks and CPUID modes will be fields
 * after these.
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
    /*
     * An end of a stream, to be connected to the console that the hypervisor gives the guest
     * (VSDK_CAPABILITY_CONSOLE); the virtual machine takes a reference, and its handler place.
     * Bytes go both ways while a thread is inside run of vCPU 0; what the guest wrote before it
     * stopped is in the stream when that is told. NULL: what the guest writes there is dropped.
     */
    vsdk_stream *console;
    uint64_t reserved[4]; /* Zero */
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
 * Flags of vsdk_vm_pause.
 *
 * Since 0.1.
 */
enum vsdk_pause_flags_values {
    /*
     * Also finish the accesses that the embedder has not answered yet, with what is in their
     * records. On a backend without VSDK_CAPABILITY_COMPLETE_EXACT the guest may execute a few
     * instructions more for it.
     */
    VSDK_PAUSE_SETTLE = 0x1,
    VSDK_PAUSE_PARK = 0x2,   /* Devices stop with VSDK_STOP_PARK instead of VSDK_STOP_FINISH */
};
typedef uint32_t vsdk_pause_flags;

/*
 * Take a reference more.
 *
 *   vm  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_vm *vsdk_vm_ref(vsdk_vm *vm);

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
 *   UNSUPPORTED       the backend has no such interrupt controller or flag, or no console, or the
 *                     configuration has a later version's field
 *   LIMIT             more vCPUs or memory than the backend has (see VSDK_CAPABILITY_VCPUS_MAX and
 *                     VSDK_CAPABILITY_MEMORY_MAX)
 *   NO_MEMORY         no memory, or the hypervisor has none
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: asks the hypervisor. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 * Source: Linux api.rst, KVM_CREATE_VM; xen/include/public/domctl.h, XEN_DOMCTL_createdomain.
 */
vsdk_status vsdk_vm_create(vsdk_host *host, const vsdk_vm_config *config, vsdk_vm **vm,
                           vsdk_error *error);

/*
 * Drop a reference to a virtual machine.
 *
 * The last close of one that was not destroyed destroys it, on this thread: its devices are
 * released without a stop. vCPUs, RAM and devices keep the memory of the handle only; calls on them
 * answer VSDK_ERROR_GONE then. A thread that is inside a run or a transition keeps it until it has
 * left.
 *
 *   vm  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_vm_close(vsdk_vm *vm);

/*
 * End a guest and give the hypervisor's resources back now.
 *
 * Waits for running vCPUs (their run returns VSDK_ERROR_GONE), stops devices that are started and
 * does not wait for a stop that is pending, detaches every device (one that nobody holds is
 * released). Afterwards the handle and its children answer VSDK_ERROR_GONE. Views of its memory
 * stay valid pointers; on Xen their contents become zero. A second destroy succeeds and does
 * nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   BUSY              called from a callback of this virtual machine
 *   STATE             called in a forked child
 * Threads: any. Blocks: until no vCPU is inside run and no callback runs. From callbacks: no:
 * VSDK_ERROR_BUSY from a callback of this virtual machine. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_destroy(vsdk_vm *vm, vsdk_error *error);

/*
 * Start the guest, or go on after a pause.
 *
 * Starts the devices, then runs that wait inside vsdk_vcpu_run proceed. Does nothing in RUNNING. A
 * pause that was requested and has not come to be is withdrawn. Where the hypervisor refuses the
 * state is what it was, and the devices have been stopped again. While it waits for a device whose
 * stop is pending it dispatches the virtual machine's own loop, where nobody else does.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   STATE             it is STOPPED, or has no vCPU, or called in a forked child
 *   GONE              it was destroyed
 *   BUSY              called from a callback of this virtual machine
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: until a pause that is under way has finished; after SUSPEND also until the
 * devices have stopped for that end. From callbacks: VSDK_ERROR_BUSY from a callback of this
 * virtual machine, unless it only withdraws a pause request. States: CREATED, PAUSED, RUNNING,
 * STOPPED with VSDK_EXIT_SUSPEND; needs at least one vCPU. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_resume(vsdk_vm *vm, vsdk_error *error);

/*
 * Hold the guest.
 *
 * Returns when no vCPU is in the guest, no device callback is running and every device has stopped.
 * An exit that the embedder has not answered yet counts as held and stays unfinished, unless
 * VSDK_PAUSE_SETTLE asks for more: pause never waits for the embedder to call run. Does nothing in
 * PAUSED; in CREATED the guest stays CREATED.
 *
 * When the time is over before that, the guest goes on: it is RUNNING, and devices that had stopped
 * have been started again.
 *
 * A device is told to stop when no callback of it runs and no thread is between vsdk_device_enter
 * and vsdk_device_leave. The wait for that ends with the time too. What the time does not end is a
 * start or stop callback that runs at that moment, and with VSDK_PAUSE_SETTLE the callbacks that
 * the rest of an access needs.
 *
 * A device whose stop is pending may need its loop. Where that is the virtual machine's own and
 * nobody dispatches it, pause does while it waits. In a callback of any kind it does not, and
 * nobody else may: give it a time there, or call vsdk_vm_pause_request.
 *
 * A run in a paused virtual machine waits inside until resume, kick, deadline or destroy.
 *
 *   flags       How.
 *   timeout_ns  (ns) Longest wait; 0 does not wait, VSDK_FOREVER has no end.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or a flag is unknown
 *   BUSY              called from a callback of this virtual machine, or to settle while a vCPU is
 *                     inside run in PAUSED
 *   STATE             it is STOPPED, or settling left a part of an access that no device answers:
 *                     it is paused then, or called in a forked child
 *   TIMEOUT           the time was over; the guest goes on
 *   GONE              it was destroyed
 *   SYSTEM            the hypervisor did not stop the guest, which goes on
 * Threads: any. Blocks: until all vCPUs are held and the devices have stopped. From callbacks: no:
 * VSDK_ERROR_BUSY from a callback of this virtual machine; use vsdk_vm_pause_request. States:
 * CREATED, RUNNING, PAUSED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_pause(vsdk_vm *vm, vsdk_pause_flags flags, uint64_t timeout_ns,
                          vsdk_error *error);

/*
 * Ask for a pause without waiting for it.
 *
 * It comes to be when the callbacks that are running have returned and the vCPUs hold inside run,
 * by the next call that makes transitions; on a thread that is inside run that is at once.
 * vsdk_vm_pause waits for it, vsdk_vm_resume withdraws it. Where the hypervisor refuses, the log is
 * told.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   STATE             it is STOPPED, or called in a forked child
 *   GONE              it was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: CREATED, RUNNING, PAUSED. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_vm_pause_request(vsdk_vm *vm, vsdk_error *error);

/*
 * Give a virtual machine its power-on state.
 *
 * Processors and controllers become what they were when they were created, each device's reset
 * callback runs, the clock is 0, pending accesses are forgotten and so is how the guest ended: it
 * is CREATED. The exit records stay as they are (vsdk_vcpu_record). Memory and its contents,
 * devices and what they are attached to stay. A guest is loaded anew and resumed, or its processors
 * get the registers to begin with.
 *
 * A thread that waits inside run in CREATED or PAUSED stays there: it goes on with the new guest.
 * In STOPPED a thread that is inside run returns the terminal exit first; the reset waits for that.
 * A device whose stop is pending may need the virtual machine's own loop: where nobody dispatches
 * it, the reset does while it waits.
 *
 *   timeout_ns  (ns) Longest wait; 0 does not wait, VSDK_FOREVER has no end.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   BUSY              called from a callback of this virtual machine
 *   STATE             it is RUNNING, or called in a forked child
 *   TIMEOUT           the time was over; nothing has changed
 *   NO_MEMORY         the hypervisor has no memory
 *   GONE              it was destroyed
 *   SYSTEM            the hypervisor refused; the guest is as it was or STOPPED
 * Threads: any. Blocks: until every device has stopped, and in STOPPED until the runs that are
 * inside have returned. From callbacks: no: VSDK_ERROR_BUSY from a callback of this virtual
 * machine. States: CREATED, PAUSED, STOPPED. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_reset(vsdk_vm *vm, uint64_t timeout_ns, vsdk_error *error);

/*
 * End the guest with a reason.
 *
 * Every run returns the terminal exit from now on. The first reason stays. How a device ends a run.
 *
 *   reason  A terminal reason, POWEROFF to STOP or HALTED.
 *   code    Becomes value of the exit.
 *   detail  Becomes detail: a vsdk_crash_detail for CRASH, else 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or the reason is not a terminal one
 *   GONE              it was destroyed
 *   STATE             called in a forked child
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
 *   STATE             called in a forked child
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
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_list_reserved(vsdk_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error);

/*
 * Give a range a tag: its accesses return from run with it.
 *
 * The device model for languages that can't be called from foreign threads.
 *
 *   space    Ports or guest physical addresses.
 *   address  First.
 *   length   (bytes) How many, not 0.
 *   tag      Any value but 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL, the length or the tag 0 or the space unknown
 *   RANGE             the range wraps or leaves the space
 *   EXISTS            guest memory or another range is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                              uint64_t tag, vsdk_error *error);

/*
 * Take a tagged range away.
 *
 * Waits for nobody: an access that found the range before may still return with its tag.
 *
 *   space    As added.
 *   address  As added.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or the space unknown
 *   NOT_FOUND         no tagged range begins there
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address,
                                 vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VM_H */
