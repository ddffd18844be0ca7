/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk_vm_run: a thread for each vCPU, the virtual machine's loop on the caller's. It is made of
 * what an embedder could call. The caller's thread sleeps in the loop, or, where another dispatches
 * that, on vm->run_word, which grows with everything that it waits for. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/callback.h"
#include "core/counters.h"
#include "core/dispatch.h"
#include "core/log.h"
#include "core/vcpu_state.h"
#include "core/vm_state.h"
#include <inttypes.h>
#include <signal.h>
#include <string.h>

enum { UNCLAIMED_MOST = 128 };
#define SECOND UINT64_C(1000000000)
#define STOP_WAIT (5 * SECOND)
#define LOOK_LONGEST (64 * SECOND)

static const char operation[] = "vsdk_vm_run";

typedef struct runner {
    struct vm_run *run;
    vsdk_vcpu *vcpu;
    int counted; /* a reference to it is held: nobody's record may go meanwhile */
    pthread_t thread;
} runner;

struct vm_run {
    vsdk_vm *vm;
    vsdk_run_config config;
    uint32_t count;         /* vCPUs */
    uint32_t started;       /* threads that were made */
    uint64_t ends;          /* life.ends when it was claimed */
    _Atomic uint32_t begun; /* the guest was resumed: the threads run their vCPUs; a futex */
    _Atomic uint32_t quit;
    _Atomic uint32_t reported; /* `status`, `end` and `error` are set, by the first */
    lock lock;                 /* RANK_RUN */
    vsdk_status status;
    vsdk_exit end;
    vsdk_error error;
    _Atomic uint64_t unclaimed[UNCLAIMED_MOST]; /* space << 63 | address + 1 */

    /* Whether all processors have halted for good: looked at from time to time while no exit comes.
     * A look is a kick; each thread that finds its vCPU halted counts. */
    uint64_t look_at, look_after; /* the next moment, and how long after the one before */
    uint64_t exits;
    _Atomic uint32_t look, halted;
    uint32_t all_halted; /* looks in a row that found all halted */
    runner runners[];
};

static void wake_caller(vsdk_vm *vm)
{
    atomic_fetch_add(&vm->run_word, 1);
    sys_futex_wake(&vm->run_word);
    vm_wake_loop(vm);
}

static void report(struct vm_run *run, vsdk_status status, const vsdk_exit *end,
                   const vsdk_error *error)
{
    lock_take(&run->lock);
    if (!atomic_load(&run->reported)) {
        run->status = status;
        run->end = *end;
        run->error = *error;
        atomic_store(&run->reported, 1);
    }
    lock_give(&run->lock);
    wake_caller(run->vm);
}

/* 1 the first time that an address is seen, as long as there is room. */
static int is_new(struct vm_run *run, uint64_t key)
{
    for (unsigned i = 0; i < UNCLAIMED_MOST; i++) {
        uint64_t known = 0;
        if (atomic_compare_exchange_strong(&run->unclaimed[i], &known, key))
            return 1;
        if (known == key)
            return 0;
    }
    return 0;
}

/* Reads find all ones in the record; writes are dropped. */
static void note_unclaimed(struct vm_run *run, const vsdk_exit *exit)
{
    int mmio = exit->reason == VSDK_EXIT_MMIO;

    if (is_new(run, (uint64_t)mmio << 63 | (exit->address + 1)))
        host_log(run->vm->host, VSDK_LOG_DEBUG, "unclaimed %s %s of %u bytes at 0x%" PRIx64,
                 mmio ? "memory" : "port", vsdk_direction_name(exit->direction), exit->width,
                 exit->address);
}

static void count_halted(runner *r)
{
    const backend_ops *ops = r->vcpu->backend.vm->host->ops;

    lock_take(&r->run->vm->serial);
    int halted = ops->vcpu_is_halted(&r->vcpu->backend);
    lock_give(&r->run->vm->serial);
    if (halted)
        atomic_fetch_add(&r->run->halted, 1);
}

/* 1: run it again. */
static int go_on(runner *r, vsdk_exit *exit, uint32_t *looked)
{
    static const vsdk_error none;
    struct vm_run *run = r->run;
    uint32_t look = atomic_load(&run->look);

    if (exit->reason == VSDK_EXIT_KICKED) {
        if (look != *looked)
            count_halted(r);
        *looked = look;
        return !atomic_load(&run->quit);
    }
    if (!(exit->flags & VSDK_EXIT_TERMINAL) && run->config.exit) {
        if (run->config.exit(run->config.user, r->vcpu, exit) == VSDK_RUN_GO_ON)
            return 1;
    } else if (exit->reason == VSDK_EXIT_PIO || exit->reason == VSDK_EXIT_MMIO) {
        note_unclaimed(run, exit);
        return 1;
    }
    report(run, VSDK_OK, exit, &none);
    return 0;
}

/* Not before the resume: until then the end of a suspended guest would be returned once more. */
static void *run_vcpu(void *argument)
{
    runner *r = argument;
    const vsdk_exit none = {.reason = VSDK_EXIT_NONE};
    uint32_t looked = 0;
    vsdk_status status;
    vsdk_error error;

    while (!atomic_load(&r->run->begun))
        sys_futex_wait(&r->run->begun, 0, 0);
    if (atomic_load(&r->run->quit))
        return NULL;
    do
        status = vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, &error);
    while (!status && go_on(r, r->vcpu->backend.exit, &looked));
    if (status)
        report(r->run, status, &none, &error);
    return NULL;
}

/* With every signal blocked, as the threads keep it. */
static vsdk_status start_threads(struct vm_run *run, vsdk_error *error)
{
    sigset_t all, before;
    int failure = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 0; !failure && i < run->count; i++) {
        failure = pthread_create(&run->runners[i].thread, NULL, run_vcpu, &run->runners[i]);
        run->started += !failure;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failure)
        return VSDK_OK;
    return error_set_errno(error, VSDK_ERROR_NO_MEMORY, failure, operation,
                           "no thread for vCPU number %u", run->started);
}

static void begin_threads(struct vm_run *run)
{
    atomic_store(&run->begun, 1);
    sys_futex_wake(&run->begun);
}

static void end_threads(struct vm_run *run)
{
    vsdk_vm *vm = run->vm;

    atomic_store(&run->quit, 1);
    begin_threads(run);
    lock_take(&vm->life.lock);
    if (!atomic_load(&vm->gone))
        vm_request(vm, REQUEST_LEAVE);
    lock_give(&vm->life.lock);
    for (uint32_t i = 0; i < run->started; i++)
        sys_join(run->runners[i].thread);
    lock_take(&vm->life.lock);
    vm_withdraw(vm, REQUEST_LEAVE);
    lock_give(&vm->life.lock);
}

static void set_kicked(struct vm_run *run, uint32_t detail)
{
    lock_take(&run->lock);
    if (!atomic_load(&run->reported))
        run->end = (vsdk_exit){.reason = VSDK_EXIT_KICKED, .detail = detail};
    lock_give(&run->lock);
}

static int can_look(const struct vm_run *run)
{
    return run->vm->host->backend.ops->vcpu_is_halted && !vm_autonomous(run->vm) &&
           run->vm->backend.config.irqchip != VSDK_IRQCHIP_NONE;
}

static uint64_t exits_now(const struct vm_run *run)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->count; i++)
        sum += counters_exits(run->runners[i].vcpu);
    return sum;
}

/* One processor may wake another after that was looked at, and halt then itself: only two looks in
 * a row that find all of them halted are an answer. */
static void look_again(struct vm_run *run)
{
    uint64_t exits = exits_now(run);
    int silent = exits == run->exits;
    int all = silent && atomic_load(&run->look) && atomic_load(&run->halted) == run->count;
    const vsdk_exit end = {.reason = VSDK_EXIT_HALTED};

    run->all_halted = all ? run->all_halted + 1 : 0;
    if (run->all_halted == 2) {
        run->look_at = UINT64_MAX;
        life_end(run->vm, &end);
        return;
    }
    run->look_after = !silent ? SECOND : all ? SECOND / 10 : run->look_after * 2;
    if (run->look_after > LOOK_LONGEST)
        run->look_after = LOOK_LONGEST;
    run->look_at = sys_clock() + run->look_after;
    run->exits = exits;
    atomic_store(&run->halted, 0);
    atomic_fetch_add(&run->look, 1);
    if (!silent)
        return;
    for (uint32_t i = 0; i < run->count; i++)
        vsdk_vcpu_kick(run->runners[i].vcpu, NULL);
}

/* Until a thread reports, or why not. A loop that somebody else dispatches is theirs. */
static void wait_for_end(struct vm_run *run, uint64_t deadline)
{
    vsdk_vm *vm = run->vm;
    vsdk_loop *loop = atomic_load(&vm->loop);
    int looks = can_look(run);

    run->look_after = SECOND;
    run->look_at = sys_clock() + SECOND;
    run->exits = UINT64_MAX;
    for (;;) {
        uint32_t seen = atomic_load(&vm->run_word);
        if (atomic_load(&run->reported))
            return;
        uint64_t left = sys_time_left(deadline);
        if (atomic_exchange(&vm->run_cancelled, 0)) {
            set_kicked(run, VSDK_KICK_REQUEST);
            return;
        }
        if (!left) {
            set_kicked(run, VSDK_KICK_DEADLINE);
            return;
        }
        if (looks && !sys_time_left(run->look_at))
            look_again(run);
        if (looks && sys_time_left(run->look_at) < left)
            left = sys_time_left(run->look_at);
        if (vsdk_loop_dispatch(loop, left, NULL, NULL))
            sys_futex_wait(&vm->run_word, seen, sys_deadline(left));
    }
}

/* The guest has ended: its devices stop, those that take their time within a bound. */
static void wait_for_devices(vsdk_vm *vm)
{
    uint64_t deadline = sys_deadline(STOP_WAIT);

    lock_take(&vm->life.lock);
    while (!atomic_load(&vm->gone) && (vm->life.stopping || atomic_load(&vm->life.due))) {
        uint32_t seen = atomic_load(&vm->life.changes);
        uint64_t left = sys_time_left(deadline);
        if (life_settle_once(vm))
            continue;
        if (!left)
            break;
        lock_give(&vm->life.lock);
        vsdk_status busy = vsdk_loop_dispatch(atomic_load(&vm->loop), left, NULL, NULL);
        lock_take(&vm->life.lock);
        if (busy)
            life_wait(vm, seen, deadline);
    }
    lock_give(&vm->life.lock);
}

/* A guest that has ended needs no pause, and result_of tells of one that is gone. */
static vsdk_status pause_at_end(vsdk_vm *vm, vsdk_error *error)
{
    vsdk_error why;
    vsdk_status status = vsdk_vm_pause(vm, 0, STOP_WAIT, &why);

    if (status == VSDK_ERROR_STATE)
        wait_for_devices(vm);
    if (!status || status == VSDK_ERROR_STATE || status == VSDK_ERROR_GONE)
        return VSDK_OK;
    if (error)
        *error = why;
    return status;
}

/* The run was claimed in a state that it may begin in. One that began in RUNNING has processors at
 * work already: where they have ended the guest meanwhile, or somebody else has, that is the run's
 * end and no failure. So is a SUSPEND, which a resume would lead out of unseen. */
static vsdk_status resume_claimed(vsdk_vm *vm, uint64_t ends, vsdk_error *error)
{
    vsdk_error why;
    vsdk_status status = vm_resume_unless_ended(vm, ends, &why);

    if (!status || status == VSDK_ERROR_STATE)
        return VSDK_OK;
    if (error)
        *error = why;
    return status;
}

static vsdk_status run_threads(struct vm_run *run, uint64_t timeout_ns, vsdk_error *error)
{
    uint64_t deadline = sys_deadline(timeout_ns);
    vsdk_status status = vm_need_loop(run->vm, operation, error);

    if (!status)
        status = start_threads(run, error);
    if (!status)
        status = resume_claimed(run->vm, run->ends, error);
    if (!status) {
        begin_threads(run);
        wait_for_end(run, deadline);
        status = pause_at_end(run->vm, error);
    }
    end_threads(run);
    return status;
}

/* The terminal exit comes before all that threads reported. */
static vsdk_status result_of(struct vm_run *run, vsdk_exit *end, vsdk_error *error)
{
    vsdk_vm *vm = run->vm;

    lock_take(&vm->life.lock);
    int gone = atomic_load(&vm->gone) != 0;
    int stopped = atomic_load(&vm->life.state) == VSDK_VM_STOPPED;
    if (stopped)
        run->end = vm->life.end;
    lock_give(&vm->life.lock);
    if (gone)
        return vm_gone(operation, error);
    if (!stopped && run->status) {
        vsdk_status code = run->status == VSDK_ERROR_BUSY ? VSDK_ERROR_BUSY : VSDK_ERROR_SYSTEM;
        if (error)
            *error = run->error;
        if (error)
            error->code = code;
        return code;
    }
    if (end)
        *end = run->end;
    return VSDK_OK;
}

/* life.lock held: the run is this thread's, or why not. */
static vsdk_status claim(vsdk_vm *vm, struct vm_run *run, vsdk_error *error)
{
    vsdk_status status = life_check(vm, EVENT_RESUME, operation, error);

    if (status)
        return status;
    if (!vm->vcpu_count) {
        error_set(error, VSDK_ERROR_STATE, operation, "the virtual machine has no vCPU");
        return error_hint(error, VSDK_ERROR_STATE,
                          "call vsdk_vcpu_create first; of a vsdk_pc vsdk_pc_boot does it");
    }
    if (vm->run || vm_any_at(vm, PLACES_INSIDE))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "the virtual machine is being run already");
    vm->run = run;
    run->ends = vm->life.ends;
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            run->runners[run->count++] = (runner){.run = run, .vcpu = vm->vcpus[i]};
    return VSDK_OK;
}

static vsdk_status run_claimed(struct vm_run *run, uint64_t timeout_ns, vsdk_exit *end,
                               vsdk_error *error)
{
    vsdk_vm *vm = run->vm;

    for (uint32_t i = 0; i < run->count; i++)
        run->runners[i].counted = vcpu_keep_record(run->runners[i].vcpu);
    vsdk_status status = run_threads(run, timeout_ns, error);
    if (!status)
        status = result_of(run, end, error);
    lock_take(&vm->life.lock);
    vm->run = NULL;
    lock_give(&vm->life.lock);
    for (uint32_t i = 0; i < run->count; i++)
        if (run->runners[i].counted)
            vsdk_vcpu_close(run->runners[i].vcpu);
    return status;
}

static vsdk_status run_alive(vsdk_vm *vm, const vsdk_run_config *config, uint64_t timeout_ns,
                             vsdk_exit *end, vsdk_error *error)
{
    struct vm_run *run = alloc_zeroed(sizeof *run + vm->backend.config.vcpus_max * sizeof(runner));

    if (!run)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the run");
    run->vm = vm;
    run->config = *config;
    lock_init(&run->lock, RANK_RUN);
    lock_take(&vm->life.lock);
    vsdk_status status = claim(vm, run, error);
    lock_give(&vm->life.lock);
    if (!status)
        status = run_claimed(run, timeout_ns, end, error);
    lock_destroy(&run->lock);
    alloc_free(run);
    return status;
}

vsdk_status vsdk_vm_run(vsdk_vm *vm, const vsdk_run_config *given, uint64_t timeout_ns,
                        vsdk_exit *end, vsdk_error *error)
{
    vsdk_run_config config;

    if (end)
        memset(end, 0, sizeof *end);
    vsdk_status status = record_read(&config, sizeof config, given, 0, operation, error);
    if (!status && (config.reserved[0] || config.reserved[1]))
        status = record_later(operation, error);
    if (!vm)
        status = error_null(error, operation, "vm");
    else if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    else if (!status && callback_top())
        status = error_set(error, VSDK_ERROR_BUSY, operation, "called from a callback");
    if (!status && !vm_enter(vm))
        status = vm_gone(operation, error);
    else if (!status) {
        status = run_alive(vm, &config, timeout_ns, end, error);
        vm_leave(vm);
    }
    if (given && given->size >= offsetof(vsdk_run_config, reserved) && given->release)
        given->release(given->user);
    return status;
}

vsdk_status vsdk_vm_run_cancel(vsdk_vm *vm, vsdk_error *error)
{
    const char *cancelling = "vsdk_vm_run_cancel";
    vm_use use;

    if (!vm)
        return error_null(error, cancelling, "vm");
    vsdk_status status = vm_use_begin(vm, &use, cancelling, error);
    if (status)
        return status;
    atomic_store(&vm->run_cancelled, 1);
    wake_caller(vm);
    vm_use_end(use);
    return VSDK_OK;
}
