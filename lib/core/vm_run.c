#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "core/log.h"
#include "core/vcpu_state.h"
#include "core/vm_state.h"
#include <inttypes.h>
#include <signal.h>
#include <string.h>

enum { NAP_NS = 1000000, UNCLAIMED_MOST = 128 };

static const char operation[] = "vsdk_vm_run";

typedef struct runner {
    struct vm_run *run;
    vsdk_vcpu *vcpu;
    int counted; /* a reference to it is held: nobody's record may go meanwhile */
    pthread_t thread;
} runner;

struct vm_run {
    vsdk_vm *vm;
    uint32_t count;   /* vCPUs */
    uint32_t started; /* threads that were made */
    _Atomic uint32_t quit;
    _Atomic uint32_t reported; /* `status`, `end` and `error` are set, by the first */
    pthread_mutex_t lock;
    vsdk_status status;
    vsdk_exit end;
    vsdk_error error;
    _Atomic uint64_t unclaimed[UNCLAIMED_MOST]; /* space << 63 | address + 1 */
    runner runners[];
};

static void report(struct vm_run *run, vsdk_status status, const vsdk_exit *end,
                   const vsdk_error *error)
{
    pthread_mutex_lock(&run->lock);
    if (!atomic_load(&run->reported)) {
        run->status = status;
        run->end = *end;
        run->error = *error;
        atomic_store(&run->reported, 1);
    }
    pthread_mutex_unlock(&run->lock);
    vm_wake_loop(run->vm);
    sys_futex_wake(&run->reported);
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

/* 1: run it again. */
static int go_on(runner *r, const vsdk_exit *exit)
{
    static const vsdk_error none;

    switch (exit->reason) {
    case VSDK_EXIT_PIO:
    case VSDK_EXIT_MMIO:
        note_unclaimed(r->run, exit);
        return 1;
    case VSDK_EXIT_KICKED:
        return !atomic_load(&r->run->quit);
    default:
        report(r->run, VSDK_OK, exit, &none);
        return 0;
    }
}

static void *run_vcpu(void *argument)
{
    runner *r = argument;
    const vsdk_exit none = {.reason = VSDK_EXIT_NONE};
    vsdk_status status;
    vsdk_error error;

    do
        status = vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, &error);
    while (!status && go_on(r, r->vcpu->backend.exit));
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

static void end_threads(struct vm_run *run)
{
    vsdk_vm *vm = run->vm;

    atomic_store(&run->quit, 1);
    pthread_mutex_lock(&vm->lock);
    if (!atomic_load(&vm->gone))
        vm_request(vm, REQUEST_LEAVE);
    pthread_mutex_unlock(&vm->lock);
    for (uint32_t i = 0; i < run->started; i++)
        pthread_join(run->runners[i].thread, NULL);
    pthread_mutex_lock(&vm->lock);
    vm_withdraw(vm, REQUEST_LEAVE);
    pthread_mutex_unlock(&vm->lock);
}

static uint64_t time_left(uint64_t deadline)
{
    uint64_t now = deadline ? sys_clock() : 0;

    if (!deadline)
        return UINT64_MAX;
    return now < deadline ? deadline - now : 0;
}

static void set_kicked(struct vm_run *run, uint32_t detail)
{
    pthread_mutex_lock(&run->lock);
    if (!atomic_load(&run->reported))
        run->end = (vsdk_exit){.reason = VSDK_EXIT_KICKED, .detail = detail};
    pthread_mutex_unlock(&run->lock);
}

/* Until a thread reports, or why not. A loop that somebody else dispatches is theirs. */
static void dispatch(struct vm_run *run, uint64_t deadline)
{
    vsdk_vm *vm = run->vm;

    while (!atomic_load(&run->reported)) {
        uint64_t left = time_left(deadline);
        if (atomic_exchange(&vm->run_cancelled, 0)) {
            set_kicked(run, VSDK_KICK_REQUEST);
            return;
        }
        if (!left) {
            set_kicked(run, VSDK_KICK_DEADLINE);
            return;
        }
        if (vsdk_loop_dispatch(vm->loop, left, NULL, NULL))
            sys_futex_wait(&run->reported, 0, sys_clock() + NAP_NS);
    }
}

/* A guest that has ended needs none, and result_of tells of one that is gone. */
static vsdk_status pause_at_end(vsdk_vm *vm, vsdk_error *error)
{
    vsdk_error why;
    vsdk_status status = vsdk_vm_pause(vm, &why);

    if (!status || status == VSDK_ERROR_STATE || status == VSDK_ERROR_GONE)
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
        status = vsdk_vm_resume(run->vm, error);
    if (!status) {
        dispatch(run, deadline);
        status = pause_at_end(run->vm, error);
    }
    end_threads(run);
    return status;
}

/* The terminal exit comes before all that threads reported. */
static vsdk_status result_of(struct vm_run *run, vsdk_exit *end, vsdk_error *error)
{
    vsdk_vm *vm = run->vm;

    pthread_mutex_lock(&vm->lock);
    int gone = atomic_load(&vm->gone) != 0;
    int stopped = vm->state == VSDK_VM_STOPPED;
    if (stopped)
        run->end = vm->end;
    pthread_mutex_unlock(&vm->lock);
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

/* vm->lock held. */
static vsdk_status may_run(vsdk_vm *vm, vsdk_error *error)
{
    if (atomic_load(&vm->gone))
        return vm_gone(operation, error);
    if (vm->state == VSDK_VM_STOPPED)
        return vm_ended(operation, error);
    if (!vm->vcpu_count)
        return error_hint(
            error, error_set(error, VSDK_ERROR_STATE, operation, "the virtual machine has no vCPU"),
            "call vsdk_vcpu_create first");
    if (vm->run || vm_any_at(vm, ~(1u << PLACE_OUT)))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "the virtual machine is being run already");
    return VSDK_OK;
}

/* vm->lock held. */
static void take_vcpus(vsdk_vm *vm, struct vm_run *run)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        vsdk_vcpu *vcpu = vm->vcpus[i];
        if (vcpu)
            run->runners[run->count++] = (runner){.run = run, .vcpu = vcpu};
    }
}

static void keep_vcpus(struct vm_run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        run->runners[i].counted = vcpu_keep_record(run->runners[i].vcpu);
}

static void give_vcpus(struct vm_run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->runners[i].counted)
            vsdk_vcpu_close(run->runners[i].vcpu);
}

static vsdk_status claim(vsdk_vm *vm, struct vm_run *run, vsdk_error *error)
{
    pthread_mutex_lock(&vm->lock);
    vsdk_status status = may_run(vm, error);
    if (!status) {
        vm->run = run;
        take_vcpus(vm, run);
    }
    pthread_mutex_unlock(&vm->lock);
    return status;
}

static vsdk_status run_claimed(struct vm_run *run, uint64_t timeout_ns, vsdk_exit *end,
                               vsdk_error *error)
{
    vsdk_vm *vm = run->vm;

    keep_vcpus(run);
    vsdk_status status = run_threads(run, timeout_ns, error);
    if (!status)
        status = result_of(run, end, error);
    pthread_mutex_lock(&vm->lock);
    vm->run = NULL;
    pthread_mutex_unlock(&vm->lock);
    give_vcpus(run);
    return status;
}

vsdk_status vsdk_vm_run(vsdk_vm *vm, uint64_t timeout_ns, vsdk_exit *end, vsdk_error *error)
{
    if (end)
        memset(end, 0, sizeof *end);
    if (!vm)
        return error_null(error, operation, "vm");
    if (callback_top())
        return error_set(error, VSDK_ERROR_BUSY, operation, "called from a callback");
    struct vm_run *run = alloc_zeroed(sizeof *run + vm->backend.config.vcpus_max * sizeof(runner));
    if (!run)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the run");
    run->vm = vm;
    pthread_mutex_init(&run->lock, NULL);
    vm_get(vm);
    vsdk_status status = claim(vm, run, error);
    if (!status)
        status = run_claimed(run, timeout_ns, end, error);
    pthread_mutex_destroy(&run->lock);
    alloc_free(run);
    vm_put(vm);
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
    vm_wake_loop(vm);
    vm_use_end(use);
    return VSDK_OK;
}
