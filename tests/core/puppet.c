/* SPDX-License-Identifier: Apache-2.0 */
/* A backend that a script moves: each vcpu_run asks a function what the guest does. It holds the
 * core to the contract of core/backend.h, and counts each breach. */
#include "puppet.h"
#include "base/error.h"
#include "base/sys.h"
#include "core/host.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

puppet_script_fn puppet_script;
void (*puppet_told)(vsdk_log_level level, const char *text);
_Atomic unsigned puppet_breaches, puppet_alive, puppet_logged, puppet_refusal, puppet_fragments;
void (*puppet_mapped)(const backend_slot *slot);
void (*puppet_entering)(backend_vcpu *vcpu);
void (*puppet_completing)(backend_vcpu *vcpu);
uint64_t (*puppet_console_output)(void *bytes, uint64_t capacity);
uint64_t (*puppet_console_input)(const void *bytes, uint64_t length);

enum { SLOTS = 64 };

typedef struct puppet_machine {
    _Atomic uint32_t inside; /* vCPUs in the guest */
    _Atomic uint32_t calls;  /* serialised calls on their way */
    _Atomic uint32_t runs;
    _Atomic uint32_t dead;
    _Atomic uint32_t console;         /* a thread is at it */
    const backend_slot *slots[SLOTS]; /* the hypervisor's table: it reaches their memory */
} puppet_machine;

typedef struct puppet_cpu {
    _Atomic uint32_t word; /* grows when interrupted */
    _Atomic uint32_t entered;
    _Atomic uint32_t runs; /* inside vcpu_run */
    uint32_t outstanding;  /* an access waits for its answer */
    uint64_t answer;
    uint64_t finished; /* accesses */
} puppet_cpu;

static void expect(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "# breach: %s\n", what);
    atomic_fetch_add(&puppet_breaches, 1);
}

static void begin_call(backend_vm *vm, int alone)
{
    puppet_machine *m = vm->data;

    expect(atomic_fetch_add(&m->calls, 1) == 0, "calls are not serialised");
    expect(!atomic_load(&m->dead), "a call after vm_destroy");
    if (alone)
        expect(!atomic_load(&m->inside), "a vCPU is in the guest");
}

static void end_call(backend_vm *vm)
{
    puppet_machine *m = vm->data;

    atomic_fetch_sub(&m->calls, 1);
}

static vsdk_status host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error)
{
    atomic_fetch_add(&puppet_alive, 1);
    return VSDK_OK;
}

static void host_close(backend_host *host)
{
    atomic_fetch_sub(&puppet_alive, 1);
}

static vsdk_status host_query(backend_host *host, vsdk_capability capability,
                              vsdk_capability_info *info, vsdk_error *error)
{
    info->answer = VSDK_ANSWER_YES;
    info->value = capability == VSDK_CAPABILITY_VCPUS_MAX ? 16 : 0;
    return VSDK_OK;
}

static vsdk_status host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries,
                                  uint32_t capacity, uint32_t *needed, vsdk_error *error)
{
    *needed = 0;
    return VSDK_OK;
}

static vsdk_status vm_create(backend_vm *vm, vsdk_error *error)
{
    vm->data = calloc(1, sizeof(puppet_machine));
    atomic_fetch_add(&puppet_alive, 1);
    return VSDK_OK;
}

/* What a guest could do with what is mapped: a sanitizer sees it if that is somebody's no more. */
static void reach_memory(puppet_machine *m)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (m->slots[i])
            ++*((volatile uint8_t *)m->slots[i]->ram->memory + m->slots[i]->offset);
}

static void vm_destroy(backend_vm *vm)
{
    puppet_machine *m = vm->data;

    begin_call(vm, 1);
    reach_memory(m);
    atomic_store(&m->dead, 1);
    end_call(vm);
}

static void give_vm(backend_vm *vm)
{
    puppet_machine *m = vm->data;

    expect(atomic_load(&m->dead), "vm_free before vm_destroy");
    free(m);
    atomic_fetch_sub(&puppet_alive, 1);
}

static int refuses(enum puppet_refusal what)
{
    unsigned wanted = what;

    return atomic_compare_exchange_strong(&puppet_refusal, &wanted, PUPPET_GRANT);
}

static vsdk_status refuse(vsdk_error *error)
{
    return error_set_errno(error, VSDK_ERROR_SYSTEM, EPERM, "puppet", "as the test wants");
}

static vsdk_status vm_resume(backend_vm *vm, vsdk_error *error)
{
    puppet_machine *m = vm->data;

    if (refuses(PUPPET_REFUSE_RESUME_TWICE)) {
        atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME);
        return refuse(error);
    }
    if (refuses(PUPPET_REFUSE_RESUME))
        return refuse(error);
    begin_call(vm, 1);
    expect(!atomic_exchange(&m->runs, 1), "vm_resume twice");
    end_call(vm);
    return VSDK_OK;
}

static vsdk_status vm_pause(backend_vm *vm, vsdk_error *error)
{
    puppet_machine *m = vm->data;

    if (refuses(PUPPET_REFUSE_PAUSE))
        return refuse(error);
    begin_call(vm, 1);
    expect(atomic_exchange(&m->runs, 0), "vm_pause twice");
    end_call(vm);
    return VSDK_OK;
}

static vsdk_status vm_reset(backend_vm *vm, vsdk_error *error)
{
    puppet_machine *m = vm->data;

    if (refuses(PUPPET_REFUSE_RESET))
        return refuse(error);
    begin_call(vm, 1);
    expect(!atomic_load(&m->runs), "vm_reset while the guest runs");
    for (uint32_t i = 0; i < vm->config.vcpus_max; i++) {
        puppet_cpu *cpu = vm->vcpus[i] ? vm->vcpus[i]->data : NULL;
        if (!cpu)
            continue;
        cpu->outstanding = 0;
        cpu->answer = cpu->finished = 0;
    }
    end_call(vm);
    return VSDK_OK;
}

static vsdk_status vm_list_reserved(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                    uint32_t *needed, vsdk_error *error)
{
    *needed = 0;
    return VSDK_OK;
}

static vsdk_status ram_create(backend_ram *ram, vsdk_error *error)
{
    ram->memory = calloc(1, ram->bytes);
    return VSDK_OK;
}

static void ram_free(backend_ram *ram)
{
    free(ram->memory);
}

static vsdk_status vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    puppet_machine *m = vm->data;

    begin_call(vm, 1);
    expect(!atomic_load(&m->runs), "memory changes while an autonomous guest runs");
    expect(slot->index < SLOTS && !m->slots[slot->index], "the number of a mapping is taken");
    puppet_nap();
    m->slots[slot->index] = slot;
    reach_memory(m);
    end_call(vm);
    if (puppet_mapped)
        puppet_mapped(slot);
    return VSDK_OK;
}

static vsdk_status change_memory(backend_vm *vm, backend_slot *slot, int unmaps)
{
    puppet_machine *m = vm->data;

    begin_call(vm, 1);
    expect(!atomic_load(&m->runs), "memory changes while an autonomous guest runs");
    expect(slot->index < SLOTS && m->slots[slot->index] == slot, "no such mapping");
    puppet_nap();
    if (unmaps)
        m->slots[slot->index] = NULL;
    reach_memory(m);
    end_call(vm);
    return VSDK_OK;
}

static vsdk_status vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    return refuses(PUPPET_REFUSE_UNMAP) ? refuse(error) : change_memory(vm, slot, 1);
}

static vsdk_status vm_protect(backend_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error)
{
    if (refuses(PUPPET_REFUSE_PROTECT))
        return refuse(error);
    if (refuses(PUPPET_LOSE_PROTECTED)) {
        slot->lost = 1;
        change_memory(vm, slot, 1);
        return refuse(error);
    }
    return change_memory(vm, slot, 0);
}

static uint32_t irq_lines(backend_vm *vm)
{
    return 0;
}

static vsdk_status irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error)
{
    return VSDK_OK;
}

static vsdk_status vm_send_msi(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    return VSDK_OK;
}

/* Nobody else is there, and vCPU 0 is not in the guest. */
static void begin_console(backend_vm *vm)
{
    puppet_machine *m = vm->data;

    expect(!atomic_exchange(&m->console, 1), "two threads are at the console");
    expect(!atomic_load(&m->dead), "a call after vm_destroy");
    expect(!vm->vcpus[0] || !vm->vcpus[0]->data || !((puppet_cpu *)vm->vcpus[0]->data)->runs,
           "the console is served in the guest");
}

static uint64_t console_output(backend_vm *vm, void *bytes, uint64_t capacity)
{
    puppet_machine *m = vm->data;

    begin_console(vm);
    uint64_t count = puppet_console_output ? puppet_console_output(bytes, capacity) : 0;
    atomic_store(&m->console, 0);
    return count;
}

static uint64_t console_input(backend_vm *vm, const void *bytes, uint64_t length)
{
    puppet_machine *m = vm->data;

    begin_console(vm);
    uint64_t count = puppet_console_input ? puppet_console_input(bytes, length) : 0;
    atomic_store(&m->console, 0);
    return count;
}

static vsdk_status vcpu_create(backend_vcpu *vcpu, vsdk_error *error)
{
    begin_call(vcpu->vm, 1);
    vcpu->data = calloc(1, sizeof(puppet_cpu));
    end_call(vcpu->vm);
    atomic_fetch_add(&puppet_alive, 1);
    return VSDK_OK;
}

static void vcpu_destroy(backend_vcpu *vcpu)
{
    free(vcpu->data);
    vcpu->data = NULL;
    atomic_fetch_sub(&puppet_alive, 1);
}

static vsdk_status vcpu_enter(backend_vcpu *vcpu, vsdk_error *error)
{
    puppet_cpu *cpu = vcpu->data;

    expect(!atomic_exchange(&cpu->entered, 1), "vcpu_enter twice");
    if (puppet_entering)
        puppet_entering(vcpu);
    return VSDK_OK;
}

static void vcpu_leave(backend_vcpu *vcpu)
{
    puppet_cpu *cpu = vcpu->data;

    expect(atomic_exchange(&cpu->entered, 0), "vcpu_leave without vcpu_enter");
}

static void vcpu_interrupt(backend_vcpu *vcpu)
{
    puppet_cpu *cpu = vcpu->data;

    atomic_fetch_add(&cpu->word, 1);
    sys_futex_wake(&cpu->word);
}

static void finish_access(backend_vcpu *vcpu)
{
    puppet_cpu *cpu = vcpu->data;

    if (!cpu->outstanding)
        return;
    expect(vcpu->exit->reason == VSDK_EXIT_PIO || vcpu->exit->reason == VSDK_EXIT_MMIO,
           "the record of the access was lost");
    cpu->answer = vcpu->exit->value;
    cpu->outstanding = 0;
    cpu->finished++;
}

static void fill_kicked(vsdk_exit *exit, uint64_t detail)
{
    memset(exit, 0, sizeof *exit);
    exit->reason = VSDK_EXIT_KICKED;
    exit->detail = detail;
}

static int act(backend_vcpu *vcpu)
{
    puppet_machine *m = vcpu->vm->data;
    puppet_cpu *cpu = vcpu->data;

    expect(!(vcpu->vm->host->ops->traits & BACKEND_AUTONOMOUS) || atomic_load(&m->runs) ||
               atomic_load(&vcpu->requests),
           "an autonomous guest is entered while it is paused");
    enum puppet_act what = puppet_script(vcpu, vcpu->exit);
    if (what == PUPPET_EXIT)
        cpu->outstanding =
            vcpu->exit->reason == VSDK_EXIT_PIO || vcpu->exit->reason == VSDK_EXIT_MMIO;
    return (int)what;
}

static void execute(backend_vcpu *vcpu)
{
    puppet_cpu *cpu = vcpu->data;

    for (;;) {
        uint32_t seen = atomic_load(&cpu->word);
        if (atomic_load(&vcpu->requests) || (!vcpu->index && atomic_load(&vcpu->vm->console_due))) {
            fill_kicked(vcpu->exit, 0);
            return;
        }
        int what = act(vcpu);
        if (what == PUPPET_EXIT)
            return;
        if (what == PUPPET_WORK)
            continue;
        if (sys_futex_wait(&cpu->word, seen, vcpu->deadline_ns) == -ETIMEDOUT) {
            fill_kicked(vcpu->exit, VSDK_KICK_DEADLINE);
            return;
        }
    }
}

static vsdk_status vcpu_run(backend_vcpu *vcpu, vsdk_error *error)
{
    puppet_machine *m = vcpu->vm->data;
    puppet_cpu *cpu = vcpu->data;

    expect(atomic_load(&cpu->entered), "vcpu_run outside of the bracket");
    expect(!atomic_load(&m->dead), "vcpu_run after vm_destroy");
    atomic_fetch_add(&m->inside, 1);
    atomic_store(&cpu->runs, 1);
    finish_access(vcpu);
    execute(vcpu);
    atomic_store(&cpu->runs, 0);
    atomic_fetch_sub(&m->inside, 1);
    return VSDK_OK;
}

static vsdk_status vcpu_complete(backend_vcpu *vcpu, vsdk_error *error)
{
    puppet_cpu *cpu = vcpu->data;
    vsdk_exit before = *vcpu->exit;

    begin_call(vcpu->vm, 0);
    if (puppet_completing)
        puppet_completing(vcpu);
    finish_access(vcpu);
    memset(vcpu->exit, 0, sizeof *vcpu->exit);
    if (atomic_load(&puppet_fragments)) {
        atomic_fetch_sub(&puppet_fragments, 1);
        puppet_pio(vcpu->exit, before.direction, before.address + 1, before.value);
        cpu->outstanding = 1;
    }
    end_call(vcpu->vm);
    return VSDK_OK;
}

/* RIP counts the accesses that were finished. */
static vsdk_status get_regs(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error)
{
    puppet_cpu *cpu = vcpu->data;

    begin_call(vcpu->vm, 0);
    regs->rip = cpu->finished;
    end_call(vcpu->vm);
    return VSDK_OK;
}

static vsdk_status set_regs(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error)
{
    puppet_cpu *cpu = vcpu->data;

    begin_call(vcpu->vm, 0);
    cpu->answer = regs->rax;
    end_call(vcpu->vm);
    return VSDK_OK;
}

static vsdk_status get_cpuid(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                             vsdk_x86_cpuid_entry *entry, vsdk_error *error)
{
    return VSDK_ERROR_NOT_FOUND;
}

#define PUPPET_OPS                                                                                 \
    .size = sizeof(backend_ops), .abi = BACKEND_ABI, .host_open = host_open,                       \
    .host_close = host_close, .host_query = host_query, .host_get_cpuid = host_get_cpuid,          \
    .vm_create = vm_create, .vm_destroy = vm_destroy, .vm_free = give_vm, .vm_reset = vm_reset,    \
    .vm_list_reserved = vm_list_reserved, .ram_create = ram_create, .ram_free = ram_free,          \
    .vm_map = vm_map, .vm_unmap = vm_unmap, .vm_protect = vm_protect, .irq_lines = irq_lines,      \
    .irq_set_line = irq_set_line, .vm_send_msi = vm_send_msi, .vcpu_create = vcpu_create,          \
    .console_output = console_output, .console_input = console_input,                              \
    .vcpu_destroy = vcpu_destroy, .vcpu_enter = vcpu_enter, .vcpu_leave = vcpu_leave,              \
    .vcpu_run = vcpu_run, .vcpu_interrupt = vcpu_interrupt, .vcpu_get_regs = get_regs,             \
    .vcpu_set_regs = set_regs, .vcpu_get_cpuid = get_cpuid

static const backend_ops driven = {
    PUPPET_OPS,
    .name = "puppet",
    .traits = BACKEND_RAM_ALIAS | BACKEND_EXACT_COMPLETE,
    .vcpu_complete = vcpu_complete,
};

static const backend_ops autonomous = {
    PUPPET_OPS,
    .name = "puppet-autonomous",
    .traits = BACKEND_AUTONOMOUS,
    .vm_resume = vm_resume,
    .vm_pause = vm_pause,
};

static void must(vsdk_status status, const vsdk_error *error)
{
    if (!status)
        return;
    printf("Bail out! %s: %s\n", error->operation, error->message);
    exit(1);
}

static void count_message(void *user, vsdk_log_level level, const char *text)
{
    atomic_fetch_add(&puppet_logged, level == VSDK_LOG_ERROR);
    if (puppet_told)
        puppet_told(level, text);
}

vsdk_host *puppet_open(int is_autonomous)
{
    const vsdk_host_config config = {
        .size = sizeof config, .log = count_message, .log_level = VSDK_LOG_DEBUG};
    vsdk_host *host;
    vsdk_error error;

    must(host_open_with(is_autonomous ? &autonomous : &driven, &config, &host, &error), &error);
    return host;
}

void puppet_close(vsdk_host *host, vsdk_vm *vm, vsdk_vcpu *vcpu)
{
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

vsdk_vm_state puppet_state(vsdk_vm *vm)
{
    vsdk_vm_info info = {.size = sizeof info};

    return vsdk_vm_get_info(vm, &info, NULL) ? 99 : info.state;
}

vsdk_vm *puppet_vm(vsdk_host *host, uint32_t vcpus, vsdk_vcpu **made)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = vcpus};

    return puppet_vm_with(host, &config, made);
}

vsdk_vm *puppet_vm_with(vsdk_host *host, const vsdk_vm_config *config, vsdk_vcpu **made)
{
    vsdk_vm *vm;
    vsdk_error error;

    must(vsdk_vm_create(host, config, &vm, &error), &error);
    for (uint32_t i = 0; i < config->vcpus_max; i++)
        must(vsdk_vcpu_create(vm, i, NULL, &made[i], &error), &error);
    return vm;
}

void puppet_pio(vsdk_exit *exit, vsdk_direction direction, uint64_t port, uint64_t value)
{
    *exit = (vsdk_exit){
        .reason = VSDK_EXIT_PIO,
        .flags = direction == VSDK_DIRECTION_WRITE ? VSDK_EXIT_REGS_SETTABLE : 0,
        .address = port,
        .value = direction == VSDK_DIRECTION_WRITE ? value : 0xff,
        .data = (uintptr_t)&exit->value,
        .count = 1,
        .width = 1,
        .direction = direction,
    };
}

uint64_t puppet_answer(vsdk_vcpu *vcpu)
{
    const puppet_cpu *cpu = vcpu->backend.data;

    return cpu->answer;
}

void puppet_nap(void)
{
    const struct timespec moment = {.tv_nsec = 100000};

    nanosleep(&moment, NULL);
}
