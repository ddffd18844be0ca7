/* SPDX-License-Identifier: Apache-2.0 */
/* A kick without a handler. Two signals are blocked in each thread that runs a vCPU; the kernel
 * opens them while the thread is in KVM_RUN (KVM_SET_SIGNAL_MASK), and sigtimedwait takes them away
 * afterwards. So neither ever reaches a disposition, whose default would end the process.
 *
 * The real-time one carries the kick_kvm that it is for, so that a thread with two vCPUs on its
 * stack gives each its own. But the kernel refuses it (EAGAIN) when the user's quota of pending
 * signals is full, which any process of that user can bring about. The spare one is below SIGRTMIN:
 * the kernel sets its bit even when there is no room for its siginfo, so it is never refused. It
 * does not say for whom it came.
 *
 * Both must be blocked whenever the guest is entered, and other code may change a thread's mask
 * between two runs. So each run blocks them anew, and that one call tells the mask as it is; the
 * kernel's copy is set again only when it differs.
 *
 * The kicker has set a bit in `requests`; then immediate_exit, then the signal. The runner takes
 * the signal, clears `signalled`, clears immediate_exit and only then looks at `requests`.
 * Whichever the order, one of the two sees the other. */
#include "backends/kvm/objects_kvm.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* No kernel sends it on x86 ("stack fault on coprocessor"), and programs have no use for it. */
enum { SPARE_SIGNAL = SIGSTKFLT };

typedef struct kick_thread {
    uint64_t serial; /* a thread id may be used again, this is not */
    pid_t id;
    pid_t pid; /* a forked child has another id */
    kick_kvm *top;
} kick_thread;

static _Thread_local kick_thread self;
static _Atomic uint64_t serials;

static void know_thread(pid_t pid)
{
    if (self.pid == pid)
        return;
    self.serial = atomic_fetch_add(&serials, 1) + 1;
    self.id = (pid_t)syscall(SYS_gettid);
    self.pid = pid;
    self.top = NULL;
}

void kvm_kick_init(vcpu_kvm *v, const host_kvm *host)
{
    v->kick.signal = host->kick_signal;
    v->kick.pid = host->pid;
}

static void add_signals(const kick_kvm *k, sigset_t *set)
{
    sigaddset(set, k->signal);
    sigaddset(set, SPARE_SIGNAL);
}

/* The mask that the thread has in the guest. */
static vsdk_status set_mask(vcpu_kvm *v, uint64_t mask, vsdk_error *error)
{
    struct {
        uint32_t length;
        uint8_t set[8];
    } arg = {.length = sizeof arg.set};
    _Static_assert(sizeof arg.length == sizeof(struct kvm_signal_mask), "struct kvm_signal_mask");
    memcpy(arg.set, &mask, sizeof arg.set);
    int r = sys_ioctl_retry(v->fd, KVM_SET_SIGNAL_MASK, (uintptr_t)&arg);
    if (r < 0)
        return kvm_system_error(error, r, "KVM_SET_SIGNAL_MASK", "the signal mask can't be set");
    v->kick.mask = mask;
    v->kick.mask_known = 1;
    return VSDK_OK;
}

/* The thread's own mask as it is now, with our signals open, is the guest's. Each run pays one
 * system call for that: the kernel tells a thread its mask in no cheaper way, and a mask that was
 * remembered would be that of before a change which nobody tells us of. */
static vsdk_status follow_mask(vcpu_kvm *v, vsdk_error *error)
{
    sigset_t ours, was;
    uint64_t mask;
    sigemptyset(&ours);
    sigemptyset(&was);
    add_signals(&v->kick, &ours);
    pthread_sigmask(SIG_BLOCK, &ours, &was);
    sigdelset(&was, v->kick.signal);
    sigdelset(&was, SPARE_SIGNAL);
    memcpy(&mask, &was, sizeof mask); /* what the kernel has of a sigset_t */
    return v->kick.mask_known && mask == v->kick.mask ? VSDK_OK : set_mask(v, mask, error);
}

vsdk_status kvm_vcpu_enter(backend_vcpu *vcpu, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    know_thread(v->kick.pid);
    vsdk_status status = follow_mask(v, error);
    if (status)
        return status;
    v->kick.outer = self.top;
    self.top = &v->kick;
    atomic_store(&v->kick.thread, self.id);
    return VSDK_OK;
}

static int send_signal(kick_kvm *k, pid_t thread)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = k->signal;
    info.si_code = SI_QUEUE;
    info.si_value.sival_ptr = k;
    return syscall(SYS_rt_tgsigqueueinfo, k->pid, thread, k->signal, &info) == 0 ||
           syscall(SYS_tgkill, k->pid, thread, SPARE_SIGNAL) == 0;
}

void kvm_vcpu_interrupt(backend_vcpu *vcpu)
{
    vcpu_kvm *v = vcpu->data;
    int saved = errno;
    atomic_fetch_add(&v->kick.kickers, 1);
    struct kvm_run *run = atomic_load(&v->run);
    if (run)
        __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    pid_t thread = atomic_load(&v->kick.thread);
    if (run && thread && !atomic_exchange(&v->kick.signalled, 1))
        if (!send_signal(&v->kick, thread))
            atomic_store(&v->kick.signalled, 0);
    atomic_fetch_sub(&v->kick.kickers, 1);
    errno = saved;
}

static void wait_for_kickers(vcpu_kvm *v)
{
    for (unsigned i = 0; atomic_load(&v->kick.kickers); i++) {
        struct timespec nap = {.tv_nsec = 50000};
        if (i < 64)
            sched_yield();
        else
            syscall(SYS_nanosleep, &nap, NULL);
    }
}

/* Of a timer that was set anew the old signal may still have come. */
static void deliver(kick_kvm *k, const siginfo_t *info)
{
    if (info->si_code != SI_TIMER) {
        atomic_store(&k->signalled, 0);
    } else if (k->armed && sys_clock() >= k->armed) {
        k->expired = 1;
        k->armed = 0;
    }
}

/* The spare signal has no value: it may have been anybody's, and several kicks are one signal. A
 * kicker that has set `signalled` may send it only now, so that who leaves must look. */
static void deliver_to_all(void)
{
    for (kick_kvm *k = self.top; k; k = k->outer) {
        atomic_store(&k->signalled, 0);
        k->leftover = 1;
    }
}

static void hand_out(const siginfo_t *info)
{
    if (info->si_code != SI_QUEUE && info->si_code != SI_TIMER) {
        deliver_to_all();
        return;
    }
    for (kick_kvm *k = self.top; k; k = k->outer)
        if (info->si_value.sival_ptr == k)
            deliver(k, info);
}

/* Takes our pending signals; how many there were. */
static int take_signals(const kick_kvm *k)
{
    int taken = 0;
    const struct timespec now = {0};
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    add_signals(k, &set);
    int before = sys_cancel_off(); /* who is cancelled and kicked leaves its run as others do */
    while (sigtimedwait(&set, &info, &now) > 0) {
        hand_out(&info);
        taken++;
    }
    sys_cancel_back(before);
    return taken;
}

int kvm_kick_take(vcpu_kvm *v)
{
    struct kvm_run *run = atomic_load_explicit(&v->run, memory_order_relaxed);
    int asked = __atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED);
    int taken = take_signals(&v->kick);
    if (asked && !taken) { /* it is still to come, or other code of this thread took it */
        atomic_store(&v->kick.signalled, 0);
        v->kick.leftover = 1;
    }
    if (asked)
        __atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    return asked || taken;
}

static void disarm(kick_kvm *k)
{
    const struct itimerspec never = {0};
    if (k->armed)
        timer_settime(k->timer, 0, &never, NULL);
    k->armed = 0;
}

void kvm_vcpu_leave(backend_vcpu *vcpu)
{
    vcpu_kvm *v = vcpu->data;
    kick_kvm *k = &v->kick;
    int timed = k->armed || k->expired;
    atomic_store(&k->thread, 0);
    wait_for_kickers(v);
    disarm(k);
    if (timed || k->leftover || atomic_load(&k->signalled))
        take_signals(k);
    atomic_store(&k->signalled, 0);
    k->leftover = 0;
    k->expired = 0;
    self.top = k->outer;
}

static void delete_timer(kick_kvm *k)
{
    if (k->timer_of && k->pid == getpid())
        timer_delete(k->timer);
    k->timer_of = 0;
}

static int create_timer(kick_kvm *k)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = k->signal;
    event.sigev_value.sival_ptr = k;
    event.sigev_notify_thread_id = self.id;
    delete_timer(k);
    if (timer_create(CLOCK_MONOTONIC, &event, &k->timer) != 0)
        return -errno;
    k->timer_of = self.serial;
    return 0;
}

vsdk_status kvm_kick_arm(vcpu_kvm *v, vsdk_error *error)
{
    kick_kvm *k = &v->kick;
    uint64_t at = v->vcpu->deadline_ns;
    struct itimerspec when = {.it_value = {at / 1000000000u, at % 1000000000u}};
    int r = k->timer_of == self.serial ? 0 : create_timer(k);
    if (r == 0 && timer_settime(k->timer, TIMER_ABSTIME, &when, NULL) != 0)
        r = -errno;
    if (r == -EAGAIN) { /* unlike a kick there is no way around it: a timer is a pending signal */
        error_set_errno(error, VSDK_ERROR_LIMIT, EAGAIN, "timer_create",
                        "no room for the deadline's timer among the user's pending signals");
        return error_hint(error, VSDK_ERROR_LIMIT,
                          "raise the limit of pending signals (ulimit -i), or end the process that "
                          "fills it");
    }
    if (r < 0)
        return kvm_system_error(error, r, "timer_create", "the deadline's timer can't be set");
    k->armed = at;
    k->expired = 0;
    return VSDK_OK;
}

/* In a forked child nobody else is inside, whatever the counters say. */
void kvm_kick_close(vcpu_kvm *v)
{
    if (v->kick.pid == getpid())
        wait_for_kickers(v);
    delete_timer(&v->kick);
}
