/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once: kicks that must be counted, and pause, hold, stop, destroy against running
 * vCPUs. The number of rounds may be given. */
#include "../contract/tap.h"
#include "core/object.h"
#include "puppet.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { VCPUS = 3, KICKERS = 4, PORT_DEVICE = 0x100, PORT_FIXED = 0x180, PORT_FREE = 0x200 };

static unsigned rounds = 2000;
static const char *label;
static int refusing; /* the hypervisor, now and then */

/* Small and not shared: a generator a thread. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static _Thread_local uint32_t guest_seed = 1;

static enum puppet_act anything(backend_vcpu *vcpu, vsdk_exit *exit)
{
    uint32_t what = next_random(&guest_seed) % 16;

    if (what < 10)
        puppet_pio(exit, what & 1 ? VSDK_DIRECTION_READ : VSDK_DIRECTION_WRITE,
                   (what & 2 ? PORT_DEVICE : PORT_FIXED) + what % 4, what);
    else if (what < 12)
        puppet_pio(exit, VSDK_DIRECTION_READ, PORT_FREE, 0);
    else
        return what < 15 ? PUPPET_WORK : PUPPET_IDLE;
    return PUPPET_EXIT;
}

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

/* Kicks: each kicker waits until run has returned KICKED after its kick began. */
static _Atomic uint64_t begun, ended, told, kicked_returns, spurious;
static _Atomic unsigned kick_over;

static void *kicker(void *argument)
{
    vsdk_vcpu *vcpu = argument;

    for (unsigned i = 0; i < rounds; i++) {
        uint64_t ticket = atomic_fetch_add(&begun, 1) + 1;
        vsdk_vcpu_kick(vcpu, NULL);
        atomic_fetch_add(&ended, 1);
        while (atomic_load(&told) < ticket)
            sched_yield();
    }
    return NULL;
}

/* A return needs a kick that was not over when the run before it, which told of kicks too, began.
 */
static void *kicked_runner(void *argument)
{
    vsdk_vcpu *vcpu = argument;
    uint64_t settled = 0;

    while (!atomic_load(&kick_over)) {
        uint64_t over = atomic_load(&ended);
        vsdk_vcpu_run(vcpu, VSDK_FOREVER, NULL);
        if (vsdk_vcpu_record(vcpu)->reason != VSDK_EXIT_KICKED)
            continue;
        uint64_t now = atomic_load(&begun);
        atomic_fetch_add(&kicked_returns, 1);
        if (now == settled && !atomic_load(&kick_over))
            atomic_fetch_add(&spurious, 1);
        settled = over;
        atomic_store(&told, now);
    }
    return NULL;
}

static void kick_storm(int autonomous, puppet_script_fn script)
{
    pthread_t kickers[KICKERS], runner;
    vsdk_vcpu *vcpu;
    vsdk_host *host = puppet_open(autonomous);
    vsdk_vm *vm = puppet_vm(host, 1, &vcpu);

    puppet_script = script;
    begun = ended = told = kicked_returns = spurious = 0;
    atomic_store(&kick_over, 0);
    vsdk_vm_resume(vm, NULL);
    pthread_create(&runner, NULL, kicked_runner, vcpu);
    for (unsigned i = 0; i < KICKERS; i++)
        pthread_create(&kickers[i], NULL, kicker, vcpu);
    for (unsigned i = 0; i < KICKERS; i++)
        pthread_join(kickers[i], NULL);
    atomic_store(&kick_over, 1);
    vsdk_vcpu_kick(vcpu, NULL);
    pthread_join(runner, NULL);
    tap(atomic_load(&told) >= (uint64_t)KICKERS * rounds, "%s: %u kicks, none lost", label,
        KICKERS * rounds);
    tap(!atomic_load(&spurious) && kicked_returns <= begun + 1, "%s: %u returns, none spurious",
        label, (unsigned)atomic_load(&kicked_returns));
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

typedef struct storm {
    vsdk_vm *vm;
    vsdk_vcpu *vcpus[VCPUS];
    vsdk_device *device; /* comes and goes */
    vsdk_device *fixed;  /* stays, and its stop may take time */
    vsdk_ram *ram;
    pthread_mutex_t quiet; /* who holds it is the only one to resume and reset */
    _Atomic unsigned callbacks, over, broken, started, stops;
} storm;

/* An access, or an enter, reaches a device that has started and has not been told to stop. */
static uint64_t fixed_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    storm *s = user;

    atomic_fetch_add(&s->callbacks, 1);
    if (!atomic_load(&s->started))
        atomic_store(&s->broken, 3);
    atomic_fetch_sub(&s->callbacks, 1);
    return 0;
}

static void fixed_start(void *user, vsdk_device *device)
{
    storm *s = user;

    if (atomic_exchange(&s->started, 1) == 1)
        atomic_store(&s->broken, 4);
}

/* Every other stop takes time. 2: told, and pending. */
static vsdk_stop_answer fixed_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    storm *s = user;
    int pending = atomic_fetch_add(&s->stops, 1) & 1;

    if (atomic_exchange(&s->started, pending ? 2 : 0) != 1)
        atomic_store(&s->broken, 5);
    return pending ? VSDK_STOP_PENDING : VSDK_STOP_DONE;
}

static void fixed_reset(void *user, vsdk_device *device)
{
    storm *s = user;

    if (atomic_load(&s->started) == 1)
        atomic_store(&s->broken, 6);
}

/* The thread that finishes what was under way. */
static void *finisher(void *argument)
{
    storm *s = argument;

    while (atomic_load(&s->over) < 2) {
        puppet_nap();
        vsdk_device_stopped(s->fixed, NULL);
    }
    return NULL;
}

static uint64_t storm_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    storm *s = user;

    atomic_fetch_add(&s->callbacks, 1);
    if (access->offset == 3)
        vsdk_vm_pause_request(s->vm, NULL);
    atomic_fetch_sub(&s->callbacks, 1);
    return access->offset;
}

static void storm_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    storm *s = user;

    atomic_fetch_add(&s->callbacks, 1);
    if (access->offset == 2)
        vsdk_vm_add_range(s->vm, VSDK_SPACE_PIO, 0x300 + access->value, 1, 5, NULL);
    if (access->offset == 0)
        vsdk_vm_remove_range(s->vm, VSDK_SPACE_PIO, 0x300 + access->value, NULL);
    atomic_fetch_sub(&s->callbacks, 1);
}

static void *storm_runner(void *argument)
{
    vsdk_vcpu *vcpu = argument;

    guest_seed = (uint32_t)(uintptr_t)vcpu >> 4;
    while (vsdk_vcpu_run(vcpu, VSDK_FOREVER, NULL) != VSDK_ERROR_GONE)
        sched_yield();
    return NULL;
}

static int is_paused(vsdk_vm *vm)
{
    vsdk_vm_info info = {.size = sizeof info};

    return !vsdk_vm_get_info(vm, &info, NULL) && info.state == VSDK_VM_PAUSED;
}

/* Pause must mean it. One that has little time may be none. */
static void check_pause(storm *s, uint32_t how)
{
    uint64_t time = how & 4 ? VSDK_FOREVER : how & 8 ? 100000 : 0;
    vsdk_x86_regs regs;
    vsdk_error error;

    pthread_mutex_lock(&s->quiet);
    vsdk_status status = vsdk_vm_pause(s->vm, how & 3, time, NULL);
    if (!status) {
        if (is_paused(s->vm) && (atomic_load(&s->callbacks) || atomic_load(&s->started) == 1))
            atomic_store(&s->broken, 1);
        for (unsigned i = 0; i < VCPUS; i++)
            if (vsdk_vcpu_get_state(s->vcpus[i], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs),
                                    &error) &&
                is_paused(s->vm)) {
                printf("# %s: place %u\n", error.message, atomic_load(&s->vcpus[i]->place));
                atomic_store(&s->broken, 2);
            }
    }
    vsdk_vm_resume(s->vm, NULL);
    pthread_mutex_unlock(&s->quiet);
}

/* An end and a new beginning; or a beginning after an end that came from elsewhere. */
static void end_and_reset(storm *s, uint32_t how)
{
    pthread_mutex_lock(&s->quiet);
    if (how & 1)
        vsdk_vm_stop(s->vm, VSDK_EXIT_STOP, 0, 0, NULL);
    if (!vsdk_vm_reset(s->vm, how & 2 ? VSDK_FOREVER : 100000, NULL) &&
        atomic_load(&s->started) == 1)
        atomic_store(&s->broken, 7);
    vsdk_vm_resume(s->vm, NULL);
    pthread_mutex_unlock(&s->quiet);
}

static void enter_and_leave(storm *s)
{
    if (vsdk_device_enter(s->fixed, NULL))
        return;
    atomic_fetch_add(&s->callbacks, 1);
    vsdk_vm_pause_request(s->vm, NULL);
    vsdk_status status = vsdk_device_enter(s->fixed, NULL);
    if (status != VSDK_ERROR_BUSY && status != VSDK_ERROR_GONE)
        atomic_store(&s->broken, 8);
    atomic_fetch_sub(&s->callbacks, 1);
    vsdk_device_leave(s->fixed);
}

static void storm_step(storm *s, uint32_t *seed)
{
    vsdk_x86_regs regs;
    vsdk_loop *loop;
    vsdk_vm_info info = {.size = sizeof info};
    uint32_t which = next_random(seed);
    vsdk_vcpu *vcpu = s->vcpus[which % VCPUS];

    switch (which / 8 % 10) {
    case 0:
        check_pause(s, which / 128);
        break;
    case 1:
        if (!vsdk_vm_map(s->vm, 0, s->ram, 0, 4096, 0, NULL))
            vsdk_vm_unmap(s->vm, 0, 4096, NULL);
        break;
    case 2:
        vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL);
        break;
    case 3:
        vsdk_vcpu_complete(vcpu, NULL);
        break;
    case 4:
        vsdk_vm_pause_request(s->vm, NULL);
        pthread_mutex_lock(&s->quiet);
        vsdk_vm_resume(s->vm, NULL);
        pthread_mutex_unlock(&s->quiet);
        break;
    case 5:
        vsdk_device_detach(s->device, NULL);
        vsdk_device_add_range(s->device, VSDK_SPACE_PIO, PORT_DEVICE, 4, 0, NULL);
        break;
    case 6:
        vsdk_vm_get_info(s->vm, &info, NULL);
        loop = vsdk_vm_loop(s->vm, NULL);
        if (loop)
            vsdk_loop_dispatch(loop, 0, NULL, NULL);
        break;
    case 7:
        enter_and_leave(s);
        break;
    case 8:
        end_and_reset(s, which / 128);
        break;
    default:
        vsdk_vcpu_kick(vcpu, NULL);
        if (refusing)
            atomic_store(&puppet_refusal, next_random(seed) % 4);
        break;
    }
}

static void *storm_maker(void *argument)
{
    storm *s = argument;
    uint32_t seed = (uint32_t)(uintptr_t)&seed;

    for (unsigned i = 0; i < rounds && !atomic_load(&s->over); i++)
        storm_step(s, &seed);
    return NULL;
}

static void storm_open(storm *s, vsdk_host *host)
{
    static const vsdk_device_ops ops = {
        .size = sizeof ops, .read = storm_read, .write = storm_write};
    static const vsdk_device_ops fixed = {.size = sizeof fixed,
                                          .read = fixed_read,
                                          .start = fixed_start,
                                          .stop = fixed_stop,
                                          .reset = fixed_reset};

    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->quiet, NULL);
    s->vm = puppet_vm(host, VCPUS, s->vcpus);
    vsdk_device_create(s->vm, &ops, s, NULL, &s->device, NULL);
    vsdk_device_add_range(s->device, VSDK_SPACE_PIO, PORT_DEVICE, 4, 0, NULL);
    vsdk_device_create(s->vm, &fixed, s, NULL, &s->fixed, NULL);
    vsdk_device_add_range(s->fixed, VSDK_SPACE_PIO, PORT_FIXED, 4, 0, NULL);
    vsdk_ram_create(s->vm, 4096, NULL, &s->ram, NULL);
    vsdk_vm_resume(s->vm, NULL);
}

static void storm_close(storm *s)
{
    vsdk_vm_close(s->vm);
    vsdk_ram_close(s->ram);
    vsdk_device_close(s->device);
    vsdk_device_close(s->fixed);
    for (unsigned i = 0; i < VCPUS; i++)
        vsdk_vcpu_close(s->vcpus[i]);
    pthread_mutex_destroy(&s->quiet);
}

/* `cut`: the machine is stopped or destroyed while all goes on. */
static unsigned one_storm(vsdk_host *host, unsigned cut)
{
    pthread_t runners[VCPUS], makers[2], last;
    storm s;

    storm_open(&s, host);
    for (unsigned i = 0; i < VCPUS; i++)
        pthread_create(&runners[i], NULL, storm_runner, s.vcpus[i]);
    pthread_create(&last, NULL, finisher, &s);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&makers[i], NULL, storm_maker, &s);
    if (cut) {
        puppet_nap();
        if (cut % 2)
            vsdk_vm_stop(s.vm, VSDK_EXIT_STOP, 0, 0, NULL);
        else
            vsdk_vm_destroy(s.vm, NULL);
        atomic_store(&s.over, 1);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(makers[i], NULL);
    vsdk_vm_destroy(s.vm, NULL);
    for (unsigned i = 0; i < VCPUS; i++)
        pthread_join(runners[i], NULL);
    atomic_store(&s.over, 2);
    pthread_join(last, NULL);
    storm_close(&s);
    return atomic_load(&s.broken);
}

static void storms(int autonomous)
{
    vsdk_host *host = puppet_open(autonomous);
    unsigned broken = 0;

    puppet_script = anything;
    broken = one_storm(host, 0);
    tap(!broken, "%s: pause, reset, map, registers, devices, kicks at once (%u)", label, broken);
    broken = 0;
    for (unsigned i = 1; i <= 1 + rounds / 20; i++)
        broken |= one_storm(host, i);
    if (broken)
        printf("# broken: %u\n", broken);
    tap(!broken, "%s: stopped and destroyed in the middle", label);
    atomic_store(&puppet_refusal, PUPPET_GRANT);
    vsdk_host_close(host);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 0);
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        label = autonomous ? "autonomous" : "driven";
        kick_storm(autonomous, idle);
        kick_storm(autonomous, anything);
        storms(autonomous);
    }
    label = "refusing";
    refusing = 1;
    storms(1);
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
