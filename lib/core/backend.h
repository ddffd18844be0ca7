/* SPDX-License-Identifier: Apache-2.0 */
/* The one operations table between the core and a backend. Entries are named after the API
 * functions that they serve. A backend sees these structs and lib/base, never the core's objects.
 *
 * The core checks arguments, states and overlaps before it calls; a backend checks what only the
 * hypervisor can know. Unless an entry says otherwise calls for one virtual machine are serialised
 * by the core, and no vCPU of it is inside vcpu_run.
 *
 * Optional entries may be NULL where it says so; the core then answers VSDK_ERROR_UNSUPPORTED or
 * does it itself. */
#ifndef VSDK_CORE_BACKEND_H
#define VSDK_CORE_BACKEND_H

#include <stdatomic.h>
#include <vsdk/exit.h>
#include <vsdk/host.h>
#include <vsdk/irq.h>
#include <vsdk/ram.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/vm.h>
#include <vsdk/x86.h>

enum { BACKEND_ABI = 9 }; /* grows with every change of this file; a module must match */

enum backend_traits {
    BACKEND_AUTONOMOUS = 1,    /* RUNNING guests execute outside vcpu_run too */
    BACKEND_RAM_ALIAS = 2,     /* one byte of RAM at several guest addresses */
    BACKEND_EXACT_COMPLETE = 4 /* vcpu_complete exists */
};

/* Bits of backend_vcpu.requests. A backend leaves the guest when it is not zero and never clears
 * it. */
enum backend_request { REQUEST_KICK = 1, REQUEST_HOLD = 2, REQUEST_STOP = 4, REQUEST_GONE = 8 };

typedef struct backend_host backend_host;
typedef struct backend_vm backend_vm;
typedef struct backend_vcpu backend_vcpu;
typedef struct backend_ram backend_ram;
typedef struct backend_slot backend_slot;
typedef struct backend_ops backend_ops;

/* What a backend may call in the core; a loadable module reaches the core through this alone. */
typedef struct core_table {
    uint32_t size;
    uint32_t abi;                                                            /* BACKEND_ABI */
    void (*log)(backend_host *host, vsdk_log_level level, const char *text); /* any thread */
    vsdk_status (*gate_read)(backend_vm *vm, uint64_t gpa, void *to, uint64_t length);
    vsdk_status (*gate_write)(backend_vm *vm, uint64_t gpa, const void *from, uint64_t length);
} core_table;

struct backend_host {
    const backend_ops *ops;
    const core_table *core;
    void *data; /* the backend's */
};

struct backend_vm {
    backend_host *host;
    vsdk_vm_config config; /* checked copy: vcpus_max and memory_max are set */
    backend_vcpu **vcpus;  /* config.vcpus_max entries, NULL where none is created yet */
    uint64_t domain;       /* set by vm_create: the hypervisor's number, 0 if it has none */
    /* Set by the backend when the guest wrote to its console or read from it, and by the core when
     * it has more to do there; the core clears it. While it is set vcpu_run of vCPU 0 comes back
     * (KICKED, detail 0) instead of waiting. */
    _Atomic uint32_t console_due;
    void *data;
};

struct backend_vcpu {
    backend_vm *vm;
    uint32_t index;
    uint32_t flags;             /* vsdk_vcpu_flags */
    vsdk_exit *exit;            /* the record */
    vsdk_x86_regs *sync_regs;   /* where to put general registers at an exit; NULL: not wanted */
    vsdk_x86_sregs *sync_sregs; /* the same for segment and control registers */
    _Atomic uint32_t requests;  /* backend_request; not zero: leave the guest */
    uint64_t deadline_ns;       /* absolute CLOCK_MONOTONIC of this run, 0: none */
    _Atomic uint64_t internal;  /* count of what the backend handled itself */
    void *data;
};

/* What ram_create gets was checked: the backend's capability for it, the length of the file, the
 * caller's pages. */
struct backend_ram {
    backend_vm *vm;
    uint64_t bytes;
    uint32_t backing; /* vsdk_ram_backing */
    uint32_t sharing; /* vsdk_ram_sharing */
    int fd;           /* of a memfd or file, the library's own and open until ram_free; else -1 */
    uint64_t offset;  /* of the first byte in it */
    void *caller;     /* the caller's pages, or NULL */
    void *memory;     /* set by ram_create: stable until ram_free */
    /* A bit a page, set after the page was written; NULL: nobody asks. The core's, there from
     * ram_create to the end of ram_free. */
    _Atomic uint64_t *dirty;
    void *data;
};

/* One mapping, of the core's, alive from vm_map to vm_unmap (or vm_destroy). */
struct backend_slot {
    backend_ram *ram;
    uint64_t gpa, offset, length;
    uint32_t flags; /* vsdk_map_flags */
    uint32_t index; /* small, unique among the live slots of the virtual machine */
    uint32_t lost;  /* set by a vm_protect that failed: the guest has nothing there any more */
    void *data;
};

struct backend_ops {
    uint32_t size;
    uint32_t abi; /* BACKEND_ABI */
    const char *name;
    uint32_t traits;

    /* Hosts. config is a checked copy. The answer of host_query has `answer`, `value` and `reason`;
     * NOT_FOUND is the core's to give. Any thread, not serialised. */
    vsdk_status (*host_open)(backend_host *host, const vsdk_host_config *config, vsdk_error *error);
    void (*host_close)(backend_host *host);
    vsdk_status (*host_query)(backend_host *host, vsdk_capability capability,
                              vsdk_capability_info *info, vsdk_error *error);
    vsdk_status (*host_get_cpuid)(backend_host *host, vsdk_x86_cpuid_entry *entries,
                                  uint32_t capacity, uint32_t *needed, vsdk_error *error);
    /* Both optional: NULL where guests die with their owner. */
    vsdk_status (*host_list_orphans)(backend_host *host, vsdk_orphan *orphans, uint32_t capacity,
                                     uint32_t *needed, vsdk_error *error);
    vsdk_status (*host_reap)(backend_host *host, uint64_t id, vsdk_error *error);

    /* Virtual machines. vm_destroy gives the hypervisor's resources back; no vCPU is inside, all
     * slots are gone with it (vm_unmap is not called for them). vcpu_destroy and ram_free may come
     * after it; vm_free is the last call. */
    vsdk_status (*vm_create)(backend_vm *vm, vsdk_error *error);
    void (*vm_destroy)(backend_vm *vm);
    void (*vm_free)(backend_vm *vm);
    /* Autonomous backends: let the guest execute, and stop it; nested never. One that fails changes
     * nothing. Optional otherwise. */
    vsdk_status (*vm_resume)(backend_vm *vm, vsdk_error *error);
    vsdk_status (*vm_pause)(backend_vm *vm, vsdk_error *error);
    /* Optional. The guest is paused and every device has stopped; PAUSED follows. What is at the
     * addresses of memory may be replaced here: only an embedder looks at it meanwhile. */
    void (*vm_settled)(backend_vm *vm);
    /* The vCPUs and the hypervisor's controllers become what they were when they were created:
     * vCPU 0 at the architecture's reset state, the others waiting for INIT and SIPI; a pending
     * access is dropped, a shutdown of the guest forgotten. Memory, slots, doorbells and message
     * descriptors stay. The guest is paused or has ended, nobody is inside. Optional. */
    vsdk_status (*vm_reset)(backend_vm *vm, vsdk_error *error);
    vsdk_status (*vm_list_reserved)(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                    uint32_t *needed, vsdk_error *error);
    /* Optional. Before the first vCPU; entries is a checked copy, valid during the call. */
    vsdk_status (*vm_set_cpuid)(backend_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                                vsdk_error *error);

    /* Memory. ram_create sets ram->memory; contents survive map, unmap and map elsewhere, and so
     * does the address. ram_free comes after the last use and may come after vm_destroy. In
     * RUNNING the core holds the vCPUs (and pauses an autonomous guest) around map, unmap and
     * protect.
     *
     * slot->data is NULL when nothing of the slot is mapped. A vm_map that failed and leaves it
     * set, or a vm_unmap that failed, still has (some of) it: slot and RAM must live until a
     * later vm_unmap succeeds or vm_destroy. Either the guest has it as it was, or the backend
     * has ended the guest. A vm_protect that failed has changed nothing, or the mapping is lost
     * (slot->lost): the core ends the guest, and vm_unmap does not come for it. */
    vsdk_status (*ram_create)(backend_ram *ram, vsdk_error *error);
    void (*ram_free)(backend_ram *ram);
    vsdk_status (*vm_map)(backend_vm *vm, backend_slot *slot, vsdk_error *error);
    vsdk_status (*vm_unmap)(backend_vm *vm, backend_slot *slot, vsdk_error *error);
    vsdk_status (*vm_protect)(backend_vm *vm, backend_slot *slot, uint32_t flags,
                              vsdk_error *error);
    /* For a writable slot of memory that has `dirty`: sets the bits of the pages that the guest
     * wrote through the slot since vm_map or the last call. vCPUs may be running: what they write
     * meanwhile is told by this call or the next. The core calls it before vm_unmap and vm_protect.
     * NULL where the backend sets the bits itself as the guest writes, or has no such memory
     * (VSDK_CAPABILITY_DIRTY). */
    vsdk_status (*slot_dirty)(backend_vm *vm, backend_slot *slot, vsdk_error *error);

    /* Doorbells in the hypervisor; both NULL: the core rings on the vCPU's thread. Serialised, but
     * vCPUs may be running; after deassign nothing writes to the descriptor. */
    vsdk_status (*doorbell_assign)(backend_vm *vm, vsdk_space space, uint64_t address,
                                   uint32_t width, const uint64_t *match, int fd,
                                   vsdk_error *error);
    void (*doorbell_deassign)(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                              const uint64_t *match, int fd);

    /* Interrupts. Any thread, not serialised, vCPUs may be running. irq_lines: how many lines the
     * hypervisor's own controllers have from GSI 0 (0 in the portable machine); set_line is for
     * those only. vm_send_msi gets a checked message. */
    uint32_t (*irq_lines)(backend_vm *vm);
    vsdk_status (*irq_set_line)(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error);
    vsdk_status (*vm_send_msi)(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error);
    /* Messages by descriptor; both NULL: VSDK_CAPABILITY_MSI_DESCRIPTOR is no. From then on each
     * write to the eventfd sends the message, without the library. `id` is small and unique among
     * those of the virtual machine that are assigned; assigning one again changes its message.
     * Serialised, vCPUs may be running; after deassign nothing reads the descriptor. */
    vsdk_status (*msi_assign)(backend_vm *vm, uint32_t id, uint64_t address, uint32_t data,
                              uint32_t device_id, int fd, vsdk_error *error);
    void (*msi_deassign)(backend_vm *vm, uint32_t id, int fd);
    /* Optional. */
    vsdk_status (*vcpu_inject_nmi)(backend_vcpu *vcpu, vsdk_error *error);

    /* Both or none (VSDK_CAPABILITY_CONSOLE): the console that the hypervisor gives a guest.
     * console_output takes up to `capacity` bytes of what the guest wrote, in order, and returns
     * how many; what is not taken keeps the guest waiting. console_input gives it bytes and returns
     * how many had room. One thread at a time, which is inside no vcpu_run; vCPUs may be running,
     * or have ended. */
    uint64_t (*console_output)(backend_vm *vm, void *bytes, uint64_t capacity);
    uint64_t (*console_input)(backend_vm *vm, const void *bytes, uint64_t length);

    /* vCPUs. The first vcpu_create freezes the platform.
     *
     * vcpu_enter and vcpu_leave bracket the time that one thread spends in vsdk_vcpu_run (several
     * vcpu_run calls); after vcpu_leave that thread is never touched again. Optional.
     *
     * vcpu_run: takes the answers of the pending access from the record, enters, and returns with
     * the record filled: an access (all of `data` ready; reads preset to ones), a terminal reason,
     * an error reason, or KICKED with detail 0 (requests is not zero, or nothing happened: the core
     * looks and calls again), VSDK_KICK_SIGNAL or VSDK_KICK_DEADLINE. Everything internal is
     * handled inside. When requests is not zero it finishes a pending PIO or MMIO (autonomous:
     * sends the answer; driven: completes it if that takes no guest instruction) and returns KICKED
     * without executing the guest, or returns the next fragment. With REQUEST_KICK alone and
     * nothing pending it shows an access at which an autonomous guest waits already, or its end.
     * Called on any thread, different vCPUs in parallel. Nothing is allocated or locked.
     *
     * vcpu_interrupt: makes a thread inside vcpu_run return soon; called after a bit was set in
     * requests; any thread, async-signal-safe, and harmless when nobody is inside.
     *
     * vcpu_complete (BACKEND_EXACT_COMPLETE): finishes the pending access without executing what
     * follows; the record then has reason NONE, or the next fragment. */
    vsdk_status (*vcpu_create)(backend_vcpu *vcpu, vsdk_error *error);
    void (*vcpu_destroy)(backend_vcpu *vcpu);
    vsdk_status (*vcpu_enter)(backend_vcpu *vcpu, vsdk_error *error);
    void (*vcpu_leave)(backend_vcpu *vcpu);
    vsdk_status (*vcpu_run)(backend_vcpu *vcpu, vsdk_error *error);
    void (*vcpu_interrupt)(backend_vcpu *vcpu);
    vsdk_status (*vcpu_complete)(backend_vcpu *vcpu, vsdk_error *error);

    /* A processor that halted for good (HLT with interrupts off, nothing pending), 1 if that is
     * what it did. Optional; the vCPU is not inside vcpu_run. */
    int (*vcpu_is_halted)(backend_vcpu *vcpu);

    /* State. The core has checked that the vCPU is AT_EXIT or HELD, and that the architecture has
     * such values. Setting general registers of a processor that halted makes it runnable again.
     * With an access pending, vcpu_set_regs comes only for non-string PIO writes and
     * leaves RIP alone. Optional, but for CPUID. */
    vsdk_status (*vcpu_get_regs)(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error);
    vsdk_status (*vcpu_set_regs)(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error);
    vsdk_status (*vcpu_get_sregs)(backend_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error);
    vsdk_status (*vcpu_set_sregs)(backend_vcpu *vcpu, const vsdk_x86_sregs *sregs,
                                  vsdk_error *error);
    vsdk_status (*vcpu_get_fpu)(backend_vcpu *vcpu, vsdk_x86_fpu *fpu, vsdk_error *error);
    vsdk_status (*vcpu_set_fpu)(backend_vcpu *vcpu, const vsdk_x86_fpu *fpu, vsdk_error *error);
    vsdk_status (*vcpu_get_cpuid)(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                  vsdk_x86_cpuid_entry *entry, vsdk_error *error);
};

/* Built in. A module exports `vsdk_backend_module`, a function of this type. */
const backend_ops *backend_kvm(void);
const backend_ops *backend_mock(void);
const backend_ops *backend_mock_autonomous(void);
typedef const backend_ops *(*backend_module_fn)(const core_table *core);

#endif
