/* SPDX-License-Identifier: Apache-2.0 */
/* The mock backend's objects and the two personalities.
 *
 * `mock` is driven: a guest executes on the thread inside vcpu_run, vCPUs in parallel, and what
 * comes from other threads (interrupts, kicks) comes through atomics: the exit path takes no lock.
 *
 * `mock-autonomous` has no thread either: whenever a function of the backend is called for a
 * running virtual machine all its processors first execute a number of instructions, drawn from the
 * seed. One fair lock a virtual machine orders that; only vcpu_interrupt stays outside of it. */
#ifndef VSDK_MOCK_H
#define VSDK_MOCK_H

#include "backends/mock/cpu.h"
#include "backends/mock/turn.h"
#include "core/backend.h"

enum { MOCK_VCPUS_MAX = 127, MOCK_SLOTS_MAX = 8192, MOCK_DOORBELLS_MAX = 64 };

/* `native` of an exit. */
enum mock_native {
    MOCK_NATIVE_PORT = 1,
    MOCK_NATIVE_MEMORY = 2,
    MOCK_NATIVE_HALT = 3,
    MOCK_NATIVE_TRIPLE_FAULT = 4,
    MOCK_NATIVE_KICKED = 5,
    MOCK_NATIVE_ALL_DOWN = 6
};

typedef struct mock_host {
    uint64_t seed;
    _Atomic uint64_t machines; /* created so far: each has a schedule of its own */
} mock_host;

typedef struct mock_slot {
    uint64_t gpa, length;
    uint8_t *host;
    uint32_t flags;
    const backend_ram *ram;
} mock_slot;

typedef struct mock_doorbell {
    uint64_t address, match;
    uint32_t port, width, matches;
    int fd;
} mock_doorbell;

typedef struct mock_ram {
    backend_ram *ram;
    struct mock_ram *next;
} mock_ram;

typedef struct mock_vcpu mock_vcpu;

typedef struct mock_vm {
    backend_vm *backend;
    uint32_t irqchip, vcpus_max, autonomous;
    uint32_t slot_count;
    uint32_t tracked;                /* slots whose memory wants to know of writes */
    _Atomic uint32_t doorbell_count; /* so that a processor looks at none without a lock */
    uint64_t generation;             /* grows when the memory map changes */
    mock_slot *slots;                /* by address; there is room for slot_room */
    uint32_t slot_room;
    mock_doorbell doorbells[MOCK_DOORBELLS_MAX];
    _Atomic(mock_vcpu *) *vcpus;

    turn turn; /* guards the rest and, if autonomous, every processor */
    mock_ram *rams;
    uint64_t random;
    uint32_t running; /* resumed */
    step ended;       /* STEP_CRASH or STEP_DOWN: for every vCPU */
} mock_vm;

/* What the record shows that the processor waits at. */
enum mock_shown { SHOWN_NOTHING, SHOWN_ACCESS, SHOWN_OTHER };

struct mock_vcpu {
    cpu cpu;
    backend_vcpu *backend;
    uint32_t shown;       /* mock_shown */
    uint32_t until_clock; /* steps before the deadline is looked at again */
    step outcome;         /* autonomous: why it stands; STEP_DONE: it goes on */
};

static inline mock_vm *mock_vm_of(backend_vm *vm)
{
    return vm->data;
}

static inline mock_vcpu *mock_vcpu_of(backend_vcpu *vcpu)
{
    return vcpu->data;
}

static inline cpu *mock_vm_cpu(mock_vm *vm, uint32_t index)
{
    mock_vcpu *vcpu = atomic_load_explicit(&vm->vcpus[index], memory_order_acquire);

    return vcpu ? &vcpu->cpu : NULL;
}

/* host_mock.c, capability_mock.c, cpuid_mock.c */
vsdk_status mock_host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error);
void mock_host_close(backend_host *host);
vsdk_status mock_host_query(backend_host *host, vsdk_capability capability,
                            vsdk_capability_info *info, vsdk_error *error);
vsdk_status mock_host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries,
                                uint32_t capacity, uint32_t *needed, vsdk_error *error);
/* What CPUID answers; zeros and 0 for a leaf that does not exist. */
int mock_cpuid(const cpu *c, uint32_t leaf, uint32_t subleaf, vsdk_x86_cpuid_entry *entry);

/* vm_mock.c */
vsdk_status mock_vm_create(backend_vm *vm, vsdk_error *error);
void mock_vm_destroy(backend_vm *vm);
void mock_vm_free(backend_vm *vm);
vsdk_status mock_vm_reset(backend_vm *vm, vsdk_error *error);
vsdk_status mock_vm_list_reserved(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error);

/* ram_mock.c */
vsdk_status mock_ram_create(backend_ram *ram, vsdk_error *error);
void mock_ram_free(backend_ram *ram);
void mock_ram_forget(mock_vm *vm); /* contents of all RAM become zero */
vsdk_status mock_vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status mock_vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status mock_vm_protect(backend_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error);
/* The byte at a guest address up to the end of its page; NULL if it is no memory, or read-only and
 * `write`. */
uint8_t *mock_vm_memory(const mock_vm *vm, uint64_t gpa, int write);
/* After a store to tracked memory, which does not leave its page. */
void mock_ram_wrote(const mock_vm *vm, const uint8_t *host);

/* doorbell_mock.c */
vsdk_status mock_doorbell_assign(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                                 const uint64_t *match, int fd, vsdk_error *error);
void mock_doorbell_deassign(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                            const uint64_t *match, int fd);
int mock_doorbell_ring(mock_vm *vm, const cpu_access *access); /* 1 if it rang */

/* irq_mock.c */
uint32_t mock_irq_lines(backend_vm *vm);
vsdk_status mock_irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error);
vsdk_status mock_vm_send_msi(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error);
vsdk_status mock_vcpu_inject_nmi(backend_vcpu *vcpu, vsdk_error *error);

/* vcpu_mock.c */
vsdk_status mock_vcpu_create(backend_vcpu *vcpu, vsdk_error *error);
void mock_vcpu_destroy(backend_vcpu *vcpu);
vsdk_status mock_vcpu_run(backend_vcpu *vcpu, vsdk_error *error);
vsdk_status mock_vcpu_complete(backend_vcpu *vcpu, vsdk_error *error);
void mock_vcpu_interrupt(backend_vcpu *vcpu);

/* autonomous_mock.c: the schedule. mock_enter and mock_leave bracket every use of a virtual machine
 * that may run; on a driven one they do nothing. */
void mock_enter(mock_vm *vm);
void mock_leave(mock_vm *vm);
vsdk_status mock_autonomous_resume(backend_vm *vm, vsdk_error *error);
vsdk_status mock_autonomous_pause(backend_vm *vm, vsdk_error *error);
vsdk_status mock_autonomous_run(backend_vcpu *vcpu, vsdk_error *error);

/* exit_mock.c: filling the record, and taking an answer out of it. */
void mock_exit_fill(mock_vcpu *vcpu, step s);
void mock_exit_kicked(mock_vcpu *vcpu, uint32_t detail);
void mock_exit_none(mock_vcpu *vcpu);
void mock_exit_answer(mock_vcpu *vcpu);

/* wait_mock.c. mock_attend: something for the processor to look at; any thread. mock_wake does not
 * set its attention and is async-signal-safe. */
void mock_attend(cpu *c);
void mock_wake(cpu *c);
uint64_t mock_now(void);
/* Until wake differs from `seen`, the deadline, or a signal: 0, ETIMEDOUT or EINTR. */
int mock_wait(cpu *c, uint32_t seen, uint64_t deadline_ns);

/* regs_mock.c */
void mock_regs_read(const cpu *c, vsdk_x86_regs *regs);
void mock_sregs_read(const cpu *c, vsdk_x86_sregs *sregs);
int mock_vcpu_is_halted(backend_vcpu *vcpu);
vsdk_status mock_vcpu_get_regs(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error);
vsdk_status mock_vcpu_set_regs(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error);
vsdk_status mock_vcpu_get_sregs(backend_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error);
vsdk_status mock_vcpu_set_sregs(backend_vcpu *vcpu, const vsdk_x86_sregs *sregs, vsdk_error *error);
vsdk_status mock_vcpu_get_fpu(backend_vcpu *vcpu, vsdk_x86_fpu *fpu, vsdk_error *error);
vsdk_status mock_vcpu_set_fpu(backend_vcpu *vcpu, const vsdk_x86_fpu *fpu, vsdk_error *error);
vsdk_status mock_vcpu_get_cpuid(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                vsdk_x86_cpuid_entry *entry, vsdk_error *error);

#endif
