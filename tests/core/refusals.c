/* SPDX-License-Identifier: Apache-2.0 */
/* A hypervisor that does not stop a guest, or does not let it go on: whoever asked is told, the
 * virtual machine is in a state that it names, and what was to be done can be done later. */
#include "../contract/tap.h"
#include "core/device.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

enum { PORT = 0x100, GPA = 0x10000, BYTES = 0x1000 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    vsdk_device *device;
    vsdk_error error;
} rig;

static _Atomic unsigned turn, stops, starts, in_callback, go_on;
static vsdk_status in_write;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static enum puppet_act write_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT, 1);
    return PUPPET_EXIT;
}

static enum puppet_act power_off(backend_vcpu *vcpu, vsdk_exit *exit)
{
    *exit = (vsdk_exit){.reason = VSDK_EXIT_POWEROFF};
    return PUPPET_EXIT;
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    atomic_fetch_add(&stops, 1);
    return VSDK_STOP_DONE;
}

static void on_start(void *user, vsdk_device *device)
{
    atomic_fetch_add(&starts, 1);
}

static void rig_open(rig *r, puppet_script_fn script, vsdk_device_write_fn write)
{
    const vsdk_device_ops ops = {
        .size = sizeof ops, .write = write, .start = on_start, .stop = on_stop};

    puppet_script = script;
    atomic_store(&turn, 0);
    atomic_store(&stops, 0);
    atomic_store(&starts, 0);
    atomic_store(&in_callback, 0);
    atomic_store(&go_on, 0);
    atomic_store(&puppet_logged, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(1);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_ram_create(r->vm, BYTES, NULL, &r->ram, NULL);
    vsdk_device_create(r->vm, &ops, r, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
}

static void rig_close(rig *r)
{
    vsdk_device_close(r->device);
    vsdk_ram_close(r->ram);
    puppet_close(r->host, r->vm, r->vcpu);
}

static int clock_goes(const rig *r)
{
    uint64_t before = vsdk_vm_clock(r->vm);

    puppet_nap();
    return vsdk_vm_clock(r->vm) > before;
}

static vsdk_status map(rig *r)
{
    return vsdk_vm_map(r->vm, GPA, r->ram, 0, BYTES, 0, &r->error);
}

static int is_mapped(rig *r)
{
    uint8_t byte;

    return !vsdk_vm_read(r->vm, GPA, &byte, 1, NULL);
}

/* The error is the hypervisor's, with advice if there is any to give. */
static int is_refusal(const rig *r, vsdk_status status, int hint)
{
    return status == VSDK_ERROR_SYSTEM && r->error.code == status && r->error.os_errno == 1 &&
           !strncmp(r->error.message, "as the test wants", 17) && !r->error.hint[0] == !hint;
}

typedef struct call {
    pthread_t thread;
    vsdk_status (*function)(rig *r);
    rig *rig;
    vsdk_status status;
    _Atomic unsigned done;
} call;

static void *call_it(void *argument)
{
    call *c = argument;

    c->status = c->function(c->rig);
    atomic_store(&c->done, 1);
    return NULL;
}

static void call_start(call *c, vsdk_status (*function)(rig *r), rig *r)
{
    *c = (call){.function = function, .rig = r};
    pthread_create(&c->thread, NULL, call_it, c);
}

static vsdk_status call_join(call *c)
{
    pthread_join(c->thread, NULL);
    return c->status;
}

static vsdk_status run(rig *r)
{
    return vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);
}

static vsdk_status pause_it(rig *r)
{
    return vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, &r->error);
}

static vsdk_status resume_it(rig *r)
{
    return vsdk_vm_resume(r->vm, &r->error);
}

static int runs_until_kicked(rig *r)
{
    vsdk_vcpu_kick(r->vcpu, NULL);
    return !run(r) && vsdk_vcpu_record(r->vcpu)->reason == VSDK_EXIT_KICKED;
}

static void a_change_needs_the_guest_to_stand(void)
{
    rig r;

    rig_open(&r, idle, NULL);
    resume_it(&r);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    vsdk_status status = map(&r);
    tap(is_refusal(&r, status, 0), "map: the hypervisor's error where the guest does not stop");
    tap(!is_mapped(&r) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "nothing is mapped, the guest goes on");
    tap(!map(&r) && is_mapped(&r), "and the next map works");
    tap(!pause_it(&r) && puppet_state(r.vm) == VSDK_VM_PAUSED, "so does a pause");
    rig_close(&r);
}

static vsdk_status unmap(rig *r)
{
    return vsdk_vm_unmap(r->vm, GPA, BYTES, &r->error);
}

static vsdk_status protect(rig *r)
{
    return vsdk_vm_protect(r->vm, GPA, BYTES, VSDK_MAP_READONLY, &r->error);
}

static int ended_inside(const rig *r)
{
    vsdk_vm_info info = {.size = sizeof info};

    return !vsdk_vm_get_info(r->vm, &info, NULL) && info.state == VSDK_VM_STOPPED &&
           info.stop_reason == VSDK_EXIT_INTERNAL_ERROR;
}

static void a_guest_that_is_refused_once_goes_on(void)
{
    rig r;

    rig_open(&r, idle, NULL);
    resume_it(&r);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME);
    tap(!map(&r) && is_mapped(&r) && !ended_inside(&r), "a change: asked once more, it goes on");
    tap(runs_until_kicked(&r) && !pause_it(&r), "and runs");
    rig_close(&r);
}

/* The change is made; the guest can't go on with it, so it has ended. A reset brings it back. */
static void a_guest_that_does_not_go_on_after_a_change_has_ended(void)
{
    static vsdk_status (*const changes[])(rig * r) = {map, protect, unmap};
    rig r;

    rig_open(&r, idle, NULL);
    for (unsigned i = 0; i < 3; i++) {
        resume_it(&r);
        atomic_store(&puppet_logged, 0);
        atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME_TWICE);
        vsdk_status status = changes[i](&r);
        tap(!status && ended_inside(&r) && !clock_goes(&r) && atomic_load(&puppet_logged) == 1,
            "change %u: STOPPED with INTERNAL_ERROR, and the log has the rest", i);
        tap(is_mapped(&r) == (i < 2), "change %u is made", i);
        tap(!run(&r) && vsdk_vcpu_record(r.vcpu)->reason == VSDK_EXIT_INTERNAL_ERROR &&
                vsdk_vcpu_record(r.vcpu)->flags == VSDK_EXIT_TERMINAL,
            "change %u: a run tells of it", i);
        tap(atomic_load(&stops) == i + 1, "change %u: and devices are stopped", i);
        tap(resume_it(&r) == VSDK_ERROR_STATE && map(&r) == VSDK_ERROR_STATE,
            "change %u: it neither goes on nor changes", i);
        tap(!vsdk_vm_reset(r.vm, VSDK_FOREVER, NULL) && puppet_state(r.vm) == VSDK_VM_CREATED &&
                !resume_it(&r) && runs_until_kicked(&r) && !pause_it(&r),
            "change %u: after a reset it starts", i);
        atomic_store(&stops, i + 1);
    }
    map(&r);
    resume_it(&r);
    atomic_store(&puppet_logged, 0);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME_TWICE);
    tap(map(&r) == VSDK_ERROR_EXISTS && ended_inside(&r) && atomic_load(&puppet_logged) == 1,
        "a change that fails itself says why, and the log has the rest");
    rig_close(&r);
}

static void mapping_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME_TWICE);
    in_write = map(user);
    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
}

static void the_same_in_a_callback(void)
{
    call runner;
    rig r;

    rig_open(&r, write_once, mapping_write);
    resume_it(&r);
    call_start(&runner, run, &r);
    PUPPET_WAIT(atomic_load(&in_callback));
    tap(!in_write && ended_inside(&r) && !atomic_load(&stops),
        "in a callback: the guest has ended, and its devices stop after that");
    atomic_store(&go_on, 1);
    tap(!call_join(&runner) && vsdk_vcpu_record(r.vcpu)->reason == VSDK_EXIT_INTERNAL_ERROR &&
            atomic_load(&stops) == 1 && !r.vm->life.guest_runs,
        "its run tells of it and stops them");
    rig_close(&r);
}

/* A guest that is not reset stays what it was; nothing of it was forgotten. */
static void a_reset_that_is_refused_was_none(void)
{
    rig r;

    rig_open(&r, idle, NULL);
    resume_it(&r);
    pause_it(&r);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESET);
    vsdk_status status = vsdk_vm_reset(r.vm, VSDK_FOREVER, &r.error);
    tap(is_refusal(&r, status, 0) && puppet_state(r.vm) == VSDK_VM_PAUSED && vsdk_vm_clock(r.vm),
        "reset: the hypervisor's error, still PAUSED");
    tap(!resume_it(&r) && runs_until_kicked(&r), "it goes on");
    vsdk_vm_stop(r.vm, VSDK_EXIT_GUEST_EXIT, 5, 0, NULL);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESET);
    status = vsdk_vm_reset(r.vm, VSDK_FOREVER, &r.error);
    tap(is_refusal(&r, status, 0) && !run(&r) && vsdk_vcpu_record(r.vcpu)->value == 5,
        "or stays STOPPED, with its reason");
    tap(!vsdk_vm_reset(r.vm, 0, NULL) && puppet_state(r.vm) == VSDK_VM_CREATED &&
            !vsdk_vm_clock(r.vm),
        "and the next reset works");
    rig_close(&r);
}

static void a_pause_that_is_refused_was_none(void)
{
    rig r;

    rig_open(&r, idle, NULL);
    resume_it(&r);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    vsdk_status status = pause_it(&r);
    tap(is_refusal(&r, status, 0), "pause: the hypervisor's error");
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING && clock_goes(&r) && !atomic_load(&stops),
        "the guest goes on, no device was told");
    tap(runs_until_kicked(&r), "its vCPU is not held");
    tap(!vsdk_device_enter(r.device, NULL), "its devices act");
    vsdk_device_leave(r.device);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    tap(!vsdk_vm_pause_request(r.vm, NULL) && puppet_state(r.vm) == VSDK_VM_RUNNING &&
            !atomic_load(&puppet_logged),
        "a request is noted");
    tap(runs_until_kicked(&r) && puppet_state(r.vm) == VSDK_VM_RUNNING && !atomic_load(&stops) &&
            atomic_load(&puppet_logged) == 1,
        "that nobody waits for it is told to the log, by who makes it");
    tap(!pause_it(&r) && puppet_state(r.vm) == VSDK_VM_PAUSED && atomic_load(&stops) == 1,
        "and the next pause works");
    rig_close(&r);
}

static void waiting_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
}

static void everybody_who_waits_is_told(void)
{
    call runner, pausers[2];
    rig r;

    rig_open(&r, write_once, waiting_write);
    resume_it(&r);
    call_start(&runner, run, &r);
    PUPPET_WAIT(atomic_load(&in_callback));
    for (unsigned i = 0; i < 2; i++)
        call_start(&pausers[i], pause_it, &r);
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters) == 2);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    atomic_store(&go_on, 1);
    int both = call_join(&pausers[0]) == VSDK_ERROR_SYSTEM;
    both &= call_join(&pausers[1]) == VSDK_ERROR_SYSTEM;
    tap(both && puppet_state(r.vm) == VSDK_VM_RUNNING, "two who wait for one pause are both told");
    vsdk_vcpu_kick(r.vcpu, NULL);
    tap(!call_join(&runner), "the vCPU's run goes on");
    rig_close(&r);
}

static void a_resume_that_is_refused_was_none(void)
{
    rig r;

    rig_open(&r, idle, NULL);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME);
    vsdk_status status = resume_it(&r);
    tap(is_refusal(&r, status, 0) && puppet_state(r.vm) == VSDK_VM_CREATED && !clock_goes(&r) &&
            atomic_load(&starts) == 1 && atomic_load(&stops) == 1,
        "resume: the hypervisor's error, still CREATED, and the devices stopped again");
    tap(!resume_it(&r) && !pause_it(&r), "then it starts");
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME);
    status = resume_it(&r);
    tap(is_refusal(&r, status, 0) && puppet_state(r.vm) == VSDK_VM_PAUSED &&
            vsdk_device_enter(r.device, NULL) == VSDK_ERROR_STATE &&
            atomic_load(&stops) == atomic_load(&starts),
        "refused in PAUSED: it is PAUSED and so are the devices");
    tap(!resume_it(&r) && puppet_state(r.vm) == VSDK_VM_RUNNING && runs_until_kicked(&r),
        "then it goes on");
    rig_close(&r);
}

static void a_guest_that_ended_but_runs(void)
{
    rig r;

    rig_open(&r, power_off, NULL);
    resume_it(&r);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    tap(!run(&r) && puppet_state(r.vm) == VSDK_VM_STOPPED && atomic_load(&puppet_logged) == 1,
        "a guest that cannot be halted after its end is told to the log");
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    vsdk_status status = vsdk_vm_reset(r.vm, VSDK_FOREVER, &r.error);
    tap(is_refusal(&r, status, 0) && puppet_state(r.vm) == VSDK_VM_STOPPED && r.vm->life.guest_runs,
        "it is not reset while it runs");
    tap(!vsdk_vm_reset(r.vm, VSDK_FOREVER, NULL) && puppet_state(r.vm) == VSDK_VM_CREATED &&
            !r.vm->life.guest_runs,
        "but after it was halted");
    rig_close(&r);
}

static void run_whole(void)
{
    vsdk_exit end;
    rig r;

    rig_open(&r, idle, NULL);
    atomic_store(&puppet_refusal, PUPPET_REFUSE_PAUSE);
    vsdk_status status = vsdk_vm_run(r.vm, NULL, 20000000, &end, &r.error);
    tap(is_refusal(&r, status, 0) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "vsdk_vm_run: told that the guest goes on after it");
    rig_close(&r);
}

int main(void)
{
    a_change_needs_the_guest_to_stand();
    a_guest_that_is_refused_once_goes_on();
    a_guest_that_does_not_go_on_after_a_change_has_ended();
    the_same_in_a_callback();
    a_reset_that_is_refused_was_none();
    a_pause_that_is_refused_was_none();
    everybody_who_waits_is_told();
    a_resume_that_is_refused_was_none();
    a_guest_that_ended_but_runs();
    run_whole();
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
