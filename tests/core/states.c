/* SPDX-License-Identifier: Apache-2.0 */
/* Start, pause, kick, stop, destroy: each rule of the contract once, with the threads that it
 * takes. */
#include "../contract/tap.h"
#include "core/device.h"
#include "core/life_wait.h"
#include "puppet.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT_DEVICE = 0x100, PORT_FREE = 0x200 };

static _Atomic unsigned turn; /* what the scripts go by */
static _Atomic unsigned in_callback, go_on;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

/* Writes to the device once, then waits. */
static enum puppet_act write_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT_DEVICE, 7);
    return PUPPET_EXIT;
}

/* Reads a port of nobody's once, then waits. */
static enum puppet_act read_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_READ, PORT_FREE, 0);
    return PUPPET_EXIT;
}

static enum puppet_act power_off(backend_vcpu *vcpu, vsdk_exit *exit)
{
    *exit = (vsdk_exit){.reason = VSDK_EXIT_POWEROFF, .value = 3, .native = 99};
    return PUPPET_EXIT;
}

typedef struct run_thread {
    pthread_t thread;
    vsdk_vcpu *vcpu;
    uint64_t timeout_ns;
    vsdk_status status;
    vsdk_exit exit;
    _Atomic unsigned done;
} run_thread;

static void *run_once(void *argument)
{
    run_thread *r = argument;

    r->status = vsdk_vcpu_run(r->vcpu, r->timeout_ns, NULL);
    r->exit = *vsdk_vcpu_record(r->vcpu);
    atomic_store(&r->done, 1);
    return NULL;
}

static void run_start(run_thread *r, vsdk_vcpu *vcpu, uint64_t timeout_ns)
{
    *r = (run_thread){.vcpu = vcpu, .timeout_ns = timeout_ns};
    pthread_create(&r->thread, NULL, run_once, r);
}

static void run_join(run_thread *r)
{
    pthread_join(r->thread, NULL);
}

static uint32_t place_of(vsdk_vcpu *vcpu)
{
    return atomic_load(&vcpu->place);
}

static int is_kick(const run_thread *r, uint64_t detail)
{
    return !r->status && r->exit.reason == VSDK_EXIT_KICKED && r->exit.detail == detail;
}

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpus[4];
    vsdk_device *device;
} rig;

static void waiting_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    atomic_store(&in_callback, 0);
}

static const char *label;

static void rig_open(rig *r, int autonomous, uint32_t vcpus, const vsdk_device_ops *ops)
{
    label = autonomous ? "autonomous" : "driven";
    atomic_store(&turn, 0);
    atomic_store(&in_callback, 0);
    atomic_store(&go_on, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, vcpus, r->vcpus);
    if (!ops)
        return;
    vsdk_device_create(r->vm, ops, r, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT_DEVICE, 8, 1, NULL);
}

/* In an odd order. */
static void rig_close(rig *r)
{
    vsdk_host_close(r->host);
    vsdk_vm_close(r->vm);
    vsdk_device_close(r->device);
    for (unsigned i = 0; i < 4; i++)
        vsdk_vcpu_close(r->vcpus[i]);
}

static void kick_is_sticky(int autonomous)
{
    run_thread t;
    rig r;

    puppet_script = idle;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_REQUEST), "%s: a kick before run", label);
    run_start(&t, r.vcpus[0], 20000000);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_DEADLINE), "%s: two kicks are one; the deadline", label);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_BUSY);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_REQUEST), "%s: a kick during run", label);
    rig_close(&r);
}

/* The backend comes back for a reason of its own while more is asked: that is told, once. */
static enum puppet_act kicked_at_the_deadline(backend_vcpu *vcpu, vsdk_exit *exit)
{
    vsdk_vcpu_kick((vsdk_vcpu *)vcpu, NULL);
    *exit = (vsdk_exit){.reason = VSDK_EXIT_KICKED, .detail = VSDK_KICK_DEADLINE};
    return PUPPET_EXIT;
}

static void kick_at_the_deadline_is_one(int autonomous)
{
    run_thread t;
    rig r;

    puppet_script = kicked_at_the_deadline;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_REQUEST), "%s: a kick that meets the deadline", label);
    puppet_script = idle;
    run_start(&t, r.vcpus[0], 20000000);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_DEADLINE), "%s: is told once", label);
    rig_close(&r);
}

static void run_waits_until_resume(int autonomous)
{
    run_thread t;
    rig r;

    puppet_script = read_once;
    rig_open(&r, autonomous, 1, NULL);
    run_start(&t, r.vcpus[0], 30000000);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_DEADLINE), "%s: a run in CREATED ends by its deadline", label);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    tap(PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_PARKED), "%s: a run in CREATED waits", label);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_REQUEST), "%s: a kick ends that wait", label);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_PARKED);
    tap(vsdk_vcpu_run(r.vcpus[0], VSDK_FOREVER, NULL) == VSDK_ERROR_BUSY,
        "%s: a second run is BUSY", label);
    tap(!vsdk_vm_resume(r.vm, NULL), "%s: resume", label);
    run_join(&t);
    tap(!t.status && t.exit.reason == VSDK_EXIT_PIO && t.exit.address == PORT_FREE,
        "%s: the run proceeds to its exit", label);
    rig_close(&r);
}

/* What every backend may count on. */
static void registers_are_checked(int autonomous)
{
    vsdk_x86_sregs sregs = {.efer = 1 << 10};
    vsdk_x86_fpu fpu = {.mxcsr = 0x10000};
    vsdk_x86_regs regs;
    run_thread t;
    rig r;

    puppet_script = idle;
    rig_open(&r, autonomous, 1, NULL);
    tap(vsdk_vcpu_set_state(r.vcpus[0], VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), NULL) ==
                VSDK_ERROR_INVALID_ARGUMENT &&
            vsdk_vcpu_set_state(r.vcpus[0], VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), NULL) ==
                VSDK_ERROR_INVALID_ARGUMENT,
        "%s: contradicting registers do not reach the backend", label);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(vsdk_vcpu_get_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) ==
            (autonomous ? VSDK_ERROR_STATE : VSDK_OK),
        "%s: registers after a kick", label);
    rig_close(&r);
}

/* The puppet wants the guest held meanwhile. */
static void memory_changes_while_it_runs(int autonomous)
{
    vsdk_ram *ram = NULL;
    run_thread t;
    rig r;

    puppet_script = idle;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_ram_create(r.vm, 0x1000, NULL, &ram, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_BUSY);
    tap(!vsdk_vm_map(r.vm, 0x10000, ram, 0, 0x1000, 0, NULL) &&
            !vsdk_vm_protect(r.vm, 0x10000, 0x1000, VSDK_MAP_READONLY, NULL) &&
            !vsdk_vm_unmap(r.vm, 0x10000, 0x1000, NULL),
        "%s: memory comes, changes and goes in RUNNING", label);
    vsdk_ram_close(ram);
    vsdk_vm_destroy(r.vm, NULL);
    run_join(&t);
    rig_close(&r);
}

static void answer_survives_pause(int autonomous)
{
    run_thread t;
    rig r;
    vsdk_x86_regs regs;

    puppet_script = read_once;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    vsdk_vcpu_record(r.vcpus[0])->value = 0x5a;
    tap(!vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL),
        "%s: pause does not wait for an unanswered exit", label);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_PARKED);
    tap(!vsdk_vcpu_get_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) &&
            regs.rip == 0,
        "%s: the access is unfinished while PAUSED", label);
    tap(vsdk_vcpu_set_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) ==
            VSDK_ERROR_STATE,
        "%s: registers can't be set then", label);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_REQUEST), "%s: a kick ends a run in PAUSED", label);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], 20000000);
    run_join(&t);
    tap(is_kick(&t, VSDK_KICK_DEADLINE) && puppet_answer(r.vcpus[0]) == 0x5a,
        "%s: the answer outlives pause and kick", label);
    rig_close(&r);
}

static void complete_and_settle(void)
{
    run_thread t;
    rig r;
    vsdk_x86_regs regs;
    vsdk_vcpu_phase state;

    puppet_script = read_once;
    rig_open(&r, 0, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(!vsdk_vcpu_get_phase(r.vcpus[0], &state, NULL) && state == VSDK_VCPU_AT_EXIT,
        "driven: AT_EXIT");
    vsdk_vcpu_record(r.vcpus[0])->value = 0x11;
    tap(!vsdk_vcpu_complete(r.vcpus[0], NULL) && puppet_answer(r.vcpus[0]) == 0x11,
        "driven: complete takes the answer");
    tap(!vsdk_vcpu_get_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) &&
            regs.rip == 1 &&
            !vsdk_vcpu_set_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL),
        "driven: registers after complete");
    rig_close(&r);
}

/* A pause that settles finishes what the embedder has not answered, with what is in the record;
 * from RUNNING and in PAUSED. */
static void pause_settles(int autonomous, int twice)
{
    vsdk_vcpu_phase state;
    vsdk_x86_regs regs;
    run_thread t;
    rig r;

    puppet_script = read_once;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    vsdk_vcpu_record(r.vcpus[0])->value = 0x22;
    if (twice)
        vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(!twice || puppet_answer(r.vcpus[0]) != 0x22, "%s: a pause leaves an access", label);
    tap(!vsdk_vm_pause(r.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL) &&
            puppet_answer(r.vcpus[0]) == 0x22 && puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: one that settles finishes it%s", label, twice ? ", also later" : "");
    tap(!vsdk_vcpu_get_phase(r.vcpus[0], &state, NULL) && state == VSDK_VCPU_HELD &&
            !vsdk_vcpu_get_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) &&
            regs.rip == 1 &&
            !vsdk_vcpu_set_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL),
        "%s: HELD after it, and its registers can be set", label);
    rig_close(&r);
}

/* A part of the access that nobody answers stays; the virtual machine is paused all the same. */
static void pause_settles_what_it_can(void)
{
    run_thread t;
    rig r;

    puppet_script = read_once;
    rig_open(&r, 0, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    vsdk_vcpu_record(r.vcpus[0])->value = 0x22;
    atomic_store(&puppet_fragments, 1);
    tap(vsdk_vm_pause(r.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL) == VSDK_ERROR_STATE &&
            puppet_state(r.vm) == VSDK_VM_PAUSED && puppet_answer(r.vcpus[0]) == 0x22,
        "a part that no device answers is told, and it is PAUSED");
    vsdk_exit *exit = vsdk_vcpu_record(r.vcpus[0]);
    tap(exit->reason == VSDK_EXIT_PIO && exit->address == PORT_FREE + 1, "the record shows it");
    exit->value = 0x33;
    tap(!vsdk_vm_pause(r.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL) &&
            puppet_answer(r.vcpus[0]) == 0x33,
        "and it can be answered");
    rig_close(&r);
}

static void pause_waits_for_callbacks(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_write};
    run_thread t;
    rig r;
    vsdk_x86_regs regs;

    puppet_script = write_once;
    rig_open(&r, autonomous, 2, &ops);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    tap(!vsdk_vm_pause_request(r.vm, NULL) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "%s: a requested pause waits for a callback", label);
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(puppet_state(r.vm) == VSDK_VM_PAUSED), "%s: and is taken after it", label);
    tap(!vsdk_vcpu_get_state(r.vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) &&
            regs.rip == 1,
        "%s: an access that a device answered is finished", label);
    tap(!vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL), "%s: pause in PAUSED", label);
    vsdk_vm_resume(r.vm, NULL);
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING, "%s: resume", label);
    tap(!vsdk_vm_pause_request(r.vm, NULL), "%s: pause request again", label);
    tap(PUPPET_WAIT(puppet_state(r.vm) == VSDK_VM_PAUSED), "%s: taken by the vCPU that parks",
        label);
    vsdk_vm_destroy(r.vm, NULL);
    run_join(&t);
    tap(t.status == VSDK_ERROR_GONE, "%s: destroy ends the run", label);
    rig_close(&r);
}

/* What a callback says of a pause. */
static int says_pause_last;
static vsdk_status said;

static void resuming_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    rig *r = user;

    waiting_write(user, device, access);
    said = vsdk_vm_resume(r->vm, NULL);
    if (says_pause_last)
        vsdk_vm_pause_request(r->vm, NULL);
}

static void *pause_it(void *argument)
{
    return (void *)(intptr_t)vsdk_vm_pause(argument, 0, VSDK_FOREVER, NULL);
}

static uint32_t pausers(vsdk_vm *vm)
{
    lock_take(&vm->life.lock);
    uint32_t n = vm->life.pausers;
    lock_give(&vm->life.lock);
    return n;
}

/* A thread that waits for its pause gets it, whatever a callback wants. */
static void callback_resumes_under_a_pause(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = resuming_write};
    pthread_t other;
    run_thread t;
    void *result;
    rig r;

    puppet_script = write_once;
    rig_open(&r, autonomous, 1, &ops);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    pthread_create(&other, NULL, pause_it, r.vm);
    PUPPET_WAIT(pausers(r.vm));
    atomic_store(&go_on, 1);
    pthread_join(other, &result);
    tap(!result && said == VSDK_ERROR_BUSY && puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: a callback's resume is BUSY while a thread waits for its pause", label);
    vsdk_vm_destroy(r.vm, NULL);
    run_join(&t);
    rig_close(&r);
}

/* Nobody waits: the request is withdrawn, and made again by who asks again. */
static void callback_withdraws_a_request(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = resuming_write};
    run_thread t;
    rig r;

    puppet_script = write_once;
    rig_open(&r, autonomous, 1, &ops);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    vsdk_vm_pause_request(r.vm, NULL);
    atomic_store(&go_on, 1);
    PUPPET_WAIT(!atomic_load(&in_callback));
    if (says_pause_last)
        tap(PUPPET_WAIT(puppet_state(r.vm) == VSDK_VM_PAUSED) && !said,
            "%s: a pause that a callback asks for after its resume", label);
    else
        tap(PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_BUSY) && !said &&
                puppet_state(r.vm) == VSDK_VM_RUNNING,
            "%s: a callback withdraws a request", label);
    vsdk_vm_destroy(r.vm, NULL);
    run_join(&t);
    rig_close(&r);
}

static void *resume_it(void *argument)
{
    return (void *)(intptr_t)vsdk_vm_resume(argument, NULL);
}

/* Who resumes while another thread waits for its pause comes after that. */
static void resume_waits_for_a_pause(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_write};
    pthread_t other[2];
    void *result[2];
    run_thread t;
    rig r;

    puppet_script = write_once;
    rig_open(&r, autonomous, 1, &ops);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    pthread_create(&other[0], NULL, pause_it, r.vm);
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters) == 1);
    pthread_create(&other[1], NULL, resume_it, r.vm);
    tap(PUPPET_WAIT(atomic_load(&r.vm->life.waiters) == 2), "%s: a resume waits for a pause",
        label);
    atomic_store(&go_on, 1);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(other[i], &result[i]);
    tap(!result[0] && !result[1] && puppet_state(r.vm) == VSDK_VM_RUNNING && r.vm->life.pauses == 1,
        "%s: both come to be, in order", label);
    vsdk_vm_destroy(r.vm, NULL);
    run_join(&t);
    rig_close(&r);
}

/* A pause that did not come to be in time was none: also where it only asks. */
static void pause_times_out(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_write};
    run_thread t;
    rig r;

    puppet_script = write_once;
    rig_open(&r, autonomous, 1, &ops);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    tap(vsdk_vm_pause(r.vm, 0, 0, NULL) == VSDK_ERROR_TIMEOUT &&
            vsdk_vm_pause(r.vm, VSDK_PAUSE_PARK | VSDK_PAUSE_SETTLE, 1000000, NULL) ==
                VSDK_ERROR_TIMEOUT,
        "%s: a callback lasts longer than a pause may", label);
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING && !r.vm->life.pausers && !r.vm->life.parks &&
            !r.vm->life.settlers && !atomic_load(&r.vm->life.due),
        "%s: nothing is left of it", label);
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_BUSY), "%s: the guest goes on", label);
    tap(!vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL) && puppet_state(r.vm) == VSDK_VM_PAUSED &&
            !vsdk_vm_pause(r.vm, 0, 0, NULL),
        "%s: the next pause works, and one in PAUSED needs no time", label);
    tap(vsdk_vm_pause(r.vm, 4, VSDK_FOREVER, NULL) == VSDK_ERROR_INVALID_ARGUMENT,
        "%s: unknown flags", label);
    vsdk_vm_destroy(r.vm, NULL);
    run_join(&t);
    rig_close(&r);
}

static enum puppet_act read_and_ask_for_pause(backend_vcpu *vcpu, vsdk_exit *exit)
{
    vsdk_vm_pause_request(((vsdk_vcpu *)vcpu)->vm, NULL);
    puppet_pio(exit, VSDK_DIRECTION_READ, PORT_FREE, 0);
    return PUPPET_EXIT;
}

/* Nobody else is there to take the pause. */
static void pause_is_taken_by_who_leaves(int autonomous)
{
    run_thread t;
    rig r;

    puppet_script = read_and_ask_for_pause;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(!t.status && t.exit.reason == VSDK_EXIT_PIO && puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: a requested pause is taken by a run that returns", label);
    rig_close(&r);
}

static vsdk_vm *called_vm;
static vsdk_status from_callback[6];

static void calling_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    rig *r = user;

    from_callback[0] = vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, NULL);
    from_callback[1] = vsdk_vm_destroy(r->vm, NULL);
    from_callback[2] = vsdk_vcpu_run(r->vcpus[1], VSDK_FOREVER, NULL);
    from_callback[3] = vsdk_vm_pause(r->vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL);
    from_callback[4] = vsdk_vm_run(r->vm, NULL, VSDK_FOREVER, NULL, NULL);
    from_callback[5] = vsdk_vm_stop(r->vm, VSDK_EXIT_GUEST_EXIT, 42, 0, NULL);
    called_vm = r->vm;
}

static void stop_from_callback(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = calling_write};
    run_thread t[2];
    rig r;
    int busy = 1;

    puppet_script = write_once;
    rig_open(&r, autonomous, 2, &ops);
    vsdk_vm_resume(r.vm, NULL);
    for (unsigned i = 0; i < 2; i++)
        run_start(&t[i], r.vcpus[i], VSDK_FOREVER);
    for (unsigned i = 0; i < 2; i++)
        run_join(&t[i]);
    for (unsigned i = 0; i < 5; i++)
        busy &= from_callback[i] == VSDK_ERROR_BUSY;
    tap(busy, "%s: pause, destroy, run and settling are BUSY in a callback", label);
    tap(!t[0].status && t[0].exit.reason == VSDK_EXIT_GUEST_EXIT && t[0].exit.value == 42 &&
            t[0].exit.flags == VSDK_EXIT_TERMINAL,
        "%s: stop from a callback", label);
    tap(!memcmp(&t[0].exit, &t[1].exit, sizeof t[0].exit), "%s: the same end on both vCPUs", label);
    tap(!vsdk_vm_stop(r.vm, VSDK_EXIT_RESET, 1, 0, NULL), "%s: a second stop", label);
    run_start(&t[0], r.vcpus[1], VSDK_FOREVER);
    run_join(&t[0]);
    tap(t[0].exit.reason == VSDK_EXIT_GUEST_EXIT, "%s: the first reason stays", label);
    tap(vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL) == VSDK_ERROR_STATE &&
            vsdk_vm_resume(r.vm, NULL) == VSDK_ERROR_STATE,
        "%s: no pause and resume in STOPPED", label);
    rig_close(&r);
}

static void guest_ends(int autonomous)
{
    run_thread t;
    rig r;

    puppet_script = power_off;
    rig_open(&r, autonomous, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(t.exit.reason == VSDK_EXIT_POWEROFF && t.exit.value == 3 && t.exit.native == 99 &&
            t.exit.flags == VSDK_EXIT_TERMINAL && puppet_state(r.vm) == VSDK_VM_STOPPED,
        "%s: the guest turns itself off", label);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    run_join(&t);
    tap(t.exit.reason == VSDK_EXIT_POWEROFF, "%s: the terminal exit comes before a kick", label);
    rig_close(&r);
}

static void *destroy_it(void *argument)
{
    return (void *)(intptr_t)vsdk_vm_destroy(argument, NULL);
}

static void destroy_twice(int autonomous)
{
    run_thread t[2];
    pthread_t other;
    rig r;
    void *result;

    puppet_script = idle;
    rig_open(&r, autonomous, 2, NULL);
    vsdk_vm_resume(r.vm, NULL);
    for (unsigned i = 0; i < 2; i++)
        run_start(&t[i], r.vcpus[i], VSDK_FOREVER);
    pthread_create(&other, NULL, destroy_it, r.vm);
    tap(!vsdk_vm_destroy(r.vm, NULL), "%s: destroy", label);
    pthread_join(other, &result);
    tap(!result, "%s: destroy by two threads", label);
    for (unsigned i = 0; i < 2; i++)
        run_join(&t[i]);
    tap(t[0].status == VSDK_ERROR_GONE && t[1].status == VSDK_ERROR_GONE, "%s: runs are GONE",
        label);
    tap(vsdk_vcpu_kick(r.vcpus[0], NULL) == VSDK_ERROR_GONE &&
            vsdk_vm_resume(r.vm, NULL) == VSDK_ERROR_GONE &&
            vsdk_vcpu_run(r.vcpus[0], VSDK_FOREVER, NULL) == VSDK_ERROR_GONE &&
            vsdk_vcpu_complete(r.vcpus[0], NULL) == VSDK_ERROR_GONE,
        "%s: so is everything else", label);
    rig_close(&r);
}

enum { CIRCLE = 3 };

static struct circle {
    vsdk_device *devices[CIRCLE];
    vsdk_status detached[CIRCLE];
    _Atomic unsigned inside;
} circle;

static enum puppet_act write_to_own_device(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1) >= CIRCLE)
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT_DEVICE + vcpu->index, 7);
    return PUPPET_EXIT;
}

/* Each detaches the next one, when the one before waits for it. */
static void detaching_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    vsdk_device *next = circle.devices[(access->region + 1) % CIRCLE];

    atomic_fetch_add(&circle.inside, 1);
    PUPPET_WAIT(atomic_load(&circle.inside) == CIRCLE);
    if (access->region)
        PUPPET_WAIT(atomic_load(&circle.devices[access->region]->count) & DEVICE_DRAIN);
    circle.detached[access->region] = vsdk_device_detach(next, NULL);
}

static void detach_in_a_circle(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = detaching_write};
    run_thread t[CIRCLE];
    rig r;

    puppet_script = write_to_own_device;
    rig_open(&r, autonomous, CIRCLE, NULL);
    memset(&circle, 0, sizeof circle);
    for (uint32_t i = 0; i < CIRCLE; i++) {
        vsdk_device_create(r.vm, &ops, NULL, NULL, &circle.devices[i], NULL);
        vsdk_device_add_range(circle.devices[i], VSDK_SPACE_PIO, PORT_DEVICE + i, 1, i, NULL);
    }
    vsdk_vm_resume(r.vm, NULL);
    for (unsigned i = 0; i < CIRCLE; i++)
        run_start(&t[i], r.vcpus[i], 50000000);
    for (unsigned i = 0; i < CIRCLE; i++)
        run_join(&t[i]);
    tap(!circle.detached[0] && !circle.detached[1] && circle.detached[2] == VSDK_ERROR_BUSY,
        "%s: who would close a circle of waits is BUSY", label);
    for (unsigned i = 0; i < CIRCLE; i++)
        vsdk_device_close(circle.devices[i]);
    rig_close(&r);
}

/* A record whose reader is held back: the page faults, and the handler waits. */
static void *held_page;

static void hold_reader(int number)
{
    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    mprotect(held_page, 4096, PROT_READ | PROT_WRITE);
}

static void *close_it(void *argument)
{
    vsdk_vcpu_close(argument);
    return NULL;
}

/* Closing the last handle copies the caller's record home. */
static void pause_request_while_a_vcpu_is_closed(void)
{
    struct sigaction action = {.sa_handler = hold_reader}, before;
    vsdk_vcpu_config config = {.size = sizeof config};
    pthread_t closer;
    vsdk_vcpu *vcpu;
    rig r;

    puppet_script = idle;
    rig_open(&r, 0, 0, NULL);
    held_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    config.exit = held_page;
    vsdk_vcpu_create(r.vm, 0, &config, &vcpu, NULL);
    vsdk_vm_resume(r.vm, NULL);
    sigaction(SIGSEGV, &action, &before);
    mprotect(held_page, 4096, PROT_NONE);
    pthread_create(&closer, NULL, close_it, vcpu);
    PUPPET_WAIT(atomic_load(&in_callback));
    vsdk_vm_pause_request(r.vm, NULL);
    atomic_store(&go_on, 1);
    pthread_join(closer, NULL);
    sigaction(SIGSEGV, &before, NULL);
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING, "a close makes no transition");
    vsdk_loop_dispatch(vsdk_vm_loop(r.vm, NULL), 0, NULL, NULL);
    tap(puppet_state(r.vm) == VSDK_VM_PAUSED, "a dispatch makes the one that was asked for");
    munmap(held_page, 4096);
    rig_close(&r);
}

static void *run_for_a_moment(void *argument)
{
    vsdk_exit end;

    return (void *)(intptr_t)vsdk_vm_run(argument, NULL, 5000000, &end, NULL);
}

/* Whoever comes first, the caller's record is not used when the last handle has been closed. */
static void run_while_a_vcpu_is_closed(void)
{
    static uint8_t record[64] __attribute__((aligned(64)));
    vsdk_vcpu_config config = {.size = sizeof config, .exit = (vsdk_exit *)(void *)record};
    pthread_t closer, runner;
    unsigned touched = 0;
    vsdk_vcpu *vcpu;
    rig r;

    puppet_script = idle;
    for (unsigned i = 0; i < 20; i++) {
        rig_open(&r, 0, 0, NULL);
        vsdk_vcpu_create(r.vm, 0, &config, &vcpu, NULL);
        vcpu_lock_place(vcpu, 0);
        pthread_create(&closer, NULL, close_it, vcpu);
        PUPPET_WAIT(!atomic_load(&vcpu->refs.count));
        pthread_create(&runner, NULL, run_for_a_moment, r.vm);
        for (unsigned turn = 0; turn < 20; turn++)
            puppet_nap();
        vcpu_unlock_place(vcpu);
        pthread_join(closer, NULL);
        memset(record, 0xaa, sizeof record);
        pthread_join(runner, NULL);
        for (unsigned at = 0; at < sizeof record; at++)
            touched += record[at] != 0xaa;
        rig_close(&r);
    }
    tap(!touched, "vsdk_vm_run uses no record of a vCPU that was closed");
}

static void *reset_it(void *argument)
{
    rig *r = argument;
    vsdk_status status = vsdk_vm_reset(r->vm, VSDK_FOREVER, NULL);

    atomic_store(&go_on, 1);
    return (void *)(intptr_t)status;
}

/* A thread that reaches for a vCPU's registers just now is waited for. */
static void reset_waits_for_who_reads_registers(void)
{
    pthread_t other;
    void *result;
    rig r;

    puppet_script = idle;
    rig_open(&r, 0, 2, NULL);
    vcpu_lock_place(r.vcpus[1], 0);
    pthread_create(&other, NULL, reset_it, &r);
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters) ||
                atomic_load(&r.vcpus[1]->place) & PLACE_AWAITED);
    vcpu_unlock_place(r.vcpus[1]);
    tap(PUPPET_WAIT(atomic_load(&go_on)), "a reset waits for who reads registers, and no longer");
    life_changed(r.vm);
    pthread_join(other, &result);
    tap(!result, "and succeeds");
    rig_close(&r);
}

static void closing_reset(void *user, vsdk_device *device)
{
    rig *r = user;

    vsdk_vcpu_close(r->vcpus[0]);
    r->vcpus[0] = NULL;
    memset(held_page, 0xaa, sizeof(vsdk_exit));
}

/* A device's reset closes the last handle: the caller's record is his again. */
static void reset_uses_no_record_of_a_closed_vcpu(void)
{
    static uint8_t record[64] __attribute__((aligned(64)));
    const vsdk_device_ops ops = {.size = sizeof ops, .reset = closing_reset};
    vsdk_vcpu_config config = {.size = sizeof config, .exit = (vsdk_exit *)(void *)record};
    unsigned touched = 0;
    rig r;

    puppet_script = idle;
    held_page = record;
    rig_open(&r, 0, 0, &ops);
    vsdk_vcpu_create(r.vm, 0, &config, &r.vcpus[0], NULL);
    tap(!vsdk_vm_reset(r.vm, 0, NULL) && !r.vcpus[0], "a reset during which a vCPU is closed");
    for (unsigned at = 0; at < sizeof record; at++)
        touched += record[at] != 0xaa;
    tap(!touched, "uses its record no more");
    rig_close(&r);
}

static void state_while_a_pause_waits(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_write};
    vsdk_vcpu_phase state = 99;
    run_thread t[2];
    vsdk_x86_regs regs;
    rig r;

    puppet_script = write_once;
    rig_open(&r, autonomous, 2, &ops);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t[0], r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    run_start(&t[1], r.vcpus[1], VSDK_FOREVER);
    vsdk_vm_pause_request(r.vm, NULL);
    PUPPET_WAIT(place_of(r.vcpus[1]) == PLACE_PARKED);
    vsdk_vcpu_get_phase(r.vcpus[1], &state, NULL);
    vsdk_status status =
        vsdk_vcpu_get_state(r.vcpus[1], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL);
    tap(autonomous ? state == VSDK_VCPU_IN_GUEST && status == VSDK_ERROR_STATE
                   : state == VSDK_VCPU_HELD && !status,
        "%s: a vCPU whose thread waits for a pause is %s", label,
        autonomous ? "in the guest until it is taken" : "held");
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(puppet_state(r.vm) == VSDK_VM_PAUSED) &&
            !vsdk_vcpu_get_phase(r.vcpus[1], &state, NULL) && state == VSDK_VCPU_HELD &&
            !vsdk_vcpu_get_state(r.vcpus[1], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL),
        "%s: and held after it", label);
    vsdk_vm_destroy(r.vm, NULL);
    for (unsigned i = 0; i < 2; i++)
        run_join(&t[i]);
    rig_close(&r);
}

static enum puppet_act work_for_long(backend_vcpu *vcpu, vsdk_exit *exit)
{
    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    return PUPPET_WORK;
}

/* An autonomous guest executes until it is halted, which waits for the threads inside. */
static void state_of_a_guest_that_was_stopped(void)
{
    vsdk_vcpu_phase state[2] = {99, 99};
    run_thread t;
    vsdk_x86_regs regs;
    rig r;

    puppet_script = work_for_long;
    rig_open(&r, 1, 2, NULL);
    vsdk_vm_resume(r.vm, NULL);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&in_callback));
    vsdk_vm_stop(r.vm, VSDK_EXIT_STOP, 0, 0, NULL);
    vsdk_vcpu_get_phase(r.vcpus[1], &state[0], NULL);
    vsdk_status status =
        vsdk_vcpu_get_state(r.vcpus[1], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL);
    atomic_store(&go_on, 1);
    run_join(&t);
    vsdk_vcpu_get_phase(r.vcpus[1], &state[1], NULL);
    tap(state[0] == VSDK_VCPU_IN_GUEST && status == VSDK_ERROR_STATE && state[1] == VSDK_VCPU_HELD,
        "a vCPU of a stopped guest is in the guest until that is halted");
    rig_close(&r);
}

static void count_signal(int number)
{
    atomic_fetch_add(&turn, 1);
}

/* Also where the system would start the wait again by itself. */
static void a_signal_ends_a_wait(int autonomous, int flags)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags}, before;
    run_thread t;
    rig r;

    puppet_script = idle;
    rig_open(&r, autonomous, 1, NULL);
    sigaction(SIGUSR1, &action, &before);
    run_start(&t, r.vcpus[0], VSDK_FOREVER);
    PUPPET_WAIT(place_of(r.vcpus[0]) == PLACE_PARKED);
    for (unsigned i = 0; i < 1000 && !atomic_load(&t.done); i++) {
        pthread_kill(t.thread, SIGUSR1);
        puppet_nap();
    }
    tap(PUPPET_WAIT(atomic_load(&t.done)) && is_kick(&t, VSDK_KICK_SIGNAL),
        "%s: a signal ends the wait in CREATED (flags %#x)", label, (unsigned)flags);
    vsdk_vcpu_kick(r.vcpus[0], NULL);
    run_join(&t);
    sigaction(SIGUSR1, &before, NULL);
    rig_close(&r);
}

static _Atomic unsigned starts, stops;
static vsdk_stop_mode last_mode;

static void count_start(void *user, vsdk_device *device)
{
    rig *r = user;

    from_callback[0] = vsdk_vm_resume(r->vm, NULL);
    from_callback[1] = vsdk_vm_pause(r->vm, 0, 0, NULL);
    from_callback[2] = vsdk_vm_reset(r->vm, 0, NULL);
    atomic_fetch_add(&starts, 1);
}

static vsdk_stop_answer count_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    rig *r = user;

    from_callback[0] = vsdk_vm_resume(r->vm, NULL);
    from_callback[1] = vsdk_vm_pause(r->vm, 0, 0, NULL);
    from_callback[2] = vsdk_vm_reset(r->vm, 0, NULL);
    last_mode = mode;
    atomic_fetch_add(&stops, 1);
    return VSDK_STOP_DONE;
}

static int all_busy(void)
{
    return from_callback[0] == VSDK_ERROR_BUSY && from_callback[1] == VSDK_ERROR_BUSY &&
           from_callback[2] == VSDK_ERROR_BUSY;
}

static void devices_are_told(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .start = count_start, .stop = count_stop};
    rig r;

    puppet_script = idle;
    atomic_store(&starts, 0);
    atomic_store(&stops, 0);
    rig_open(&r, autonomous, 1, &ops);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(!atomic_load(&stops) && puppet_state(r.vm) == VSDK_VM_CREATED,
        "%s: a pause in CREATED changes nothing", label);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&starts) == 1 && all_busy(),
        "%s: a device is told of the first start, and makes no transition inside", label);
    uint64_t before = vsdk_vm_clock(r.vm);
    puppet_nap();
    tap(vsdk_vm_clock(r.vm) > before, "%s: the clock goes", label);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(atomic_load(&stops) == 1 && all_busy() && last_mode == VSDK_STOP_FINISH,
        "%s: a device is told of the pause", label);
    before = vsdk_vm_clock(r.vm);
    puppet_nap();
    tap(vsdk_vm_clock(r.vm) == before, "%s: the clock stands", label);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&starts) == 2, "%s: and of the resume", label);
    vsdk_vm_pause(r.vm, VSDK_PAUSE_PARK, VSDK_FOREVER, NULL);
    tap(atomic_load(&stops) == 2 && last_mode == VSDK_STOP_PARK, "%s: a pause that parks", label);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vm_stop(r.vm, VSDK_EXIT_STOP, 0, 0, NULL);
    tap(puppet_state(r.vm) == VSDK_VM_STOPPED && atomic_load(&stops) == 2,
        "%s: a stop of which nobody inside hears", label);
    vsdk_vcpu_run(r.vcpus[0], VSDK_FOREVER, NULL);
    tap(atomic_load(&stops) == 3 && last_mode == VSDK_STOP_FINISH,
        "%s: the next run stops the devices", label);
    rig_close(&r);
}

static void run_whole(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = calling_write};
    vsdk_exit end;
    rig r;

    puppet_script = write_once;
    rig_open(&r, autonomous, 2, &ops);
    vsdk_status status = vsdk_vm_run(r.vm, NULL, VSDK_FOREVER, &end, NULL);
    tap(!status && end.reason == VSDK_EXIT_GUEST_EXIT && end.value == 42,
        "%s: vsdk_vm_run to the end of the guest", label);
    rig_close(&r);

    puppet_script = read_once;
    rig_open(&r, autonomous, 2, NULL);
    status = vsdk_vm_run(r.vm, NULL, 30000000, &end, NULL);
    tap(!status && end.reason == VSDK_EXIT_KICKED && end.detail == VSDK_KICK_DEADLINE &&
            puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: vsdk_vm_run to its deadline", label);
    vsdk_vm_run_cancel(r.vm, NULL);
    status = vsdk_vm_run(r.vm, NULL, VSDK_FOREVER, &end, NULL);
    tap(!status && end.detail == VSDK_KICK_REQUEST, "%s: a cancel before vsdk_vm_run", label);
    tap(puppet_answer(r.vcpus[0]) == 0xff || puppet_answer(r.vcpus[1]) == 0xff,
        "%s: an unclaimed read is all ones", label);
    rig_close(&r);
}

/* Suspends itself first, and powers off when it goes on. */
static enum puppet_act suspend_first(backend_vcpu *vcpu, vsdk_exit *exit)
{
    *exit =
        (vsdk_exit){.reason = atomic_fetch_add(&turn, 1) ? VSDK_EXIT_POWEROFF : VSDK_EXIT_SUSPEND,
                    .flags = VSDK_EXIT_TERMINAL};
    return PUPPET_EXIT;
}

/* While it is set a new thread gets ahead of who made it. */
static _Atomic unsigned lets_ahead;
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*fn)(void *),
                          void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*fn)(void *),
                          void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*fn)(void *),
                          void *user)
{
    int result = __real_pthread_create(thread, how, fn, user);

    for (int i = 0; atomic_load(&lets_ahead) && i < 20; i++)
        puppet_nap();
    return result;
}

static void run_goes_on_after_a_suspend(int autonomous)
{
    vsdk_vcpu *vcpu;
    vsdk_host *host = puppet_open(autonomous);
    vsdk_vm *vm = puppet_vm(host, 1, &vcpu);
    vsdk_exit end = {.reason = VSDK_EXIT_NONE};

    atomic_store(&turn, 0);
    puppet_script = suspend_first;
    tap(!vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, NULL) && end.reason == VSDK_EXIT_SUSPEND,
        "a run ends when the guest suspends itself");
    atomic_store(&lets_ahead, 1);
    tap(!vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, NULL) && end.reason == VSDK_EXIT_POWEROFF,
        "after a suspend the next one goes on (%u)", end.reason);
    atomic_store(&lets_ahead, 0);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

/* A fork may leave a lock taken for ever: in the child nothing takes one. */
static void the_clock_in_a_forked_child(void)
{
    int how = -1;
    rig r;

    puppet_script = idle;
    rig_open(&r, 0, 1, NULL);
    lock_take(&r.vm->life.lock);
    pid_t child = fork();
    if (!child) {
        alarm(10); /* it hangs, where a lock is not checked */
        _exit(vsdk_vm_clock(r.vm) != 0);
    }
    lock_give(&r.vm->life.lock);
    waitpid(child, &how, 0);
    tap(child > 0 && how == 0, "the clock of a parent's machine is 0 in a forked child (%x)", how);
    rig_close(&r);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        kick_is_sticky(autonomous);
        kick_at_the_deadline_is_one(autonomous);
        run_waits_until_resume(autonomous);
        registers_are_checked(autonomous);
        memory_changes_while_it_runs(autonomous);
        answer_survives_pause(autonomous);
        pause_waits_for_callbacks(autonomous);
        pause_is_taken_by_who_leaves(autonomous);
        for (says_pause_last = 0; says_pause_last < 2; says_pause_last++) {
            callback_resumes_under_a_pause(autonomous);
            callback_withdraws_a_request(autonomous);
        }
        resume_waits_for_a_pause(autonomous);
        pause_times_out(autonomous);
        pause_settles(autonomous, 0);
        pause_settles(autonomous, 1);
        stop_from_callback(autonomous);
        guest_ends(autonomous);
        destroy_twice(autonomous);
        detach_in_a_circle(autonomous);
        devices_are_told(autonomous);
        run_whole(autonomous);
        run_goes_on_after_a_suspend(autonomous);
        state_while_a_pause_waits(autonomous);
        a_signal_ends_a_wait(autonomous, 0);
        a_signal_ends_a_wait(autonomous, SA_RESTART);
    }
    pause_request_while_a_vcpu_is_closed();
    run_while_a_vcpu_is_closed();
    reset_uses_no_record_of_a_closed_vcpu();
    reset_waits_for_who_reads_registers();
    state_of_a_guest_that_was_stopped();
    complete_and_settle();
    pause_settles_what_it_can();
    the_clock_in_a_forked_child();
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
