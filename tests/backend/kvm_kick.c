/* SPDX-License-Identifier: Apache-2.0 */
/* Kicks, deadlines and foreign signals, below the core. A kicker takes a ticket, kicks, and waits
 * until a run has answered a ticket at least its own. */
#include "kvm_rig.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { KICKERS = 4 };

static rig r;
static long kicks_each = 2500; /* the first argument is four times as many */

GUEST(spin_code, "1: pause; jmp 1b");
GUEST(busy_code, "1: mov $2000, %ecx; 2: dec %ecx; jnz 2b; out %al, $0x10; jmp 1b");

static _Atomic uint64_t tickets, answered, kicked;
static _Atomic int finished;

static void *kicker(void *unused)
{
    for (long i = 0; i < kicks_each; i++) {
        uint64_t mine = atomic_fetch_add(&tickets, 1) + 1;
        atomic_fetch_or(&r.vcpu.requests, REQUEST_KICK);
        rig_ops->vcpu_interrupt(&r.vcpu);
        while (atomic_load(&answered) < mine)
            sched_yield();
    }
    atomic_fetch_add(&finished, 1);
    return unused;
}

/* What the core does: the bit is taken first, then the tickets that it may stand for are read. */
static void answer_kick(void)
{
    if (!(atomic_fetch_and(&r.vcpu.requests, ~(uint32_t)REQUEST_KICK) & REQUEST_KICK)) {
        CHECK(r.exit.detail == 0);
        return; /* the core calls again */
    }
    atomic_fetch_add(&kicked, 1);
    atomic_store(&answered, atomic_load(&tickets));
}

static void storm(const char *begin, const char *end)
{
    pthread_t thread[KICKERS];
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, begin, end);
    atomic_store(&tickets, 0);
    atomic_store(&answered, 0);
    atomic_store(&kicked, 0);
    atomic_store(&finished, 0);
    for (int i = 0; i < KICKERS; i++)
        CHECK(pthread_create(&thread[i], NULL, kicker, NULL) == 0);
    while (atomic_load(&finished) < KICKERS) {
        if (rig_run(&r) != VSDK_OK)
            exit(1);
        if (r.exit.reason == VSDK_EXIT_KICKED)
            answer_kick();
        else
            CHECK(r.exit.reason == VSDK_EXIT_PIO);
        if (atomic_load(&answered) == (uint64_t)KICKERS * kicks_each) {
            atomic_fetch_or(&r.vcpu.requests, REQUEST_HOLD); /* nobody would end the next run */
            sched_yield();
        }
    }
    for (int i = 0; i < KICKERS; i++)
        pthread_join(thread[i], NULL);
    CHECK(atomic_load(&answered) == (uint64_t)KICKERS * kicks_each);
    CHECK(atomic_load(&kicked) <= atomic_load(&answered));
    rig_close(&r);
}

TEST(storm_on_a_spinning_guest)
{
    storm(spin_code, spin_code_end);
}

TEST(storm_on_an_exiting_guest)
{
    storm(busy_code, busy_code_end);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static int kick_signal_is_pending(void)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGRTMAX - 1) || sigismember(&set, SIGSTKFLT);
}

TEST(deadline)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    for (int i = 0; i < 20; i++) {
        uint64_t start = now_ns();
        r.vcpu.deadline_ns = start + (i % 4) * 1000000u;
        CHECK(rig_run(&r) == VSDK_OK);
        CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == VSDK_KICK_DEADLINE);
        CHECK(now_ns() >= r.vcpu.deadline_ns);
        CHECK(!kick_signal_is_pending());
    }
    rig_close(&r);
}

/* The deadline comes about when the exit does: nothing of it may be left for the next run. */
TEST(deadline_beside_an_exit)
{
    int exits = 0;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, busy_code, busy_code_end);
    for (int i = 0; i < 2000; i++) {
        r.vcpu.deadline_ns = now_ns() + 1000u * (i % 60);
        CHECK(rig_run(&r) == VSDK_OK);
        CHECK(r.exit.reason == VSDK_EXIT_PIO || r.exit.detail == VSDK_KICK_DEADLINE);
        exits += r.exit.reason == VSDK_EXIT_PIO;
        r.vcpu.deadline_ns = 0;
        CHECK(!kick_signal_is_pending());
        CHECK(rig_run(&r) == VSDK_OK);
        CHECK(r.exit.reason == VSDK_EXIT_PIO);
    }
    printf("# %d of 2000 runs ended before their deadline\n", exits);
    rig_close(&r);
}

static void handle(int signal)
{
    (void)signal;
}

TEST(foreign_signal)
{
    struct sigaction action = {.sa_handler = handle}, old;
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGPROF, &action, &old);
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    setitimer(ITIMER_PROF, &often, NULL);
    for (int i = 0; i < 50; i++) {
        CHECK(rig_run(&r) == VSDK_OK);
        CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == VSDK_KICK_SIGNAL);
    }
    setitimer(ITIMER_PROF, &never, NULL);
    sigaction(SIGPROF, &old, NULL);
    rig_close(&r);
}

/* A signal that this thread blocks must not interrupt the guest, one that it opens must. */
TEST(mask_follows_the_thread)
{
    struct sigaction action = {.sa_handler = handle}, old;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaction(SIGUSR1, &action, &old);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    pthread_kill(pthread_self(), SIGUSR1);
    r.vcpu.deadline_ns = now_ns() + 1000000;
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == VSDK_KICK_DEADLINE);
    rig_close(&r);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    sigaction(SIGUSR1, &old, NULL);
}

static void *kick_soon(void *unused)
{
    struct timespec nap = {.tv_nsec = 20000000};
    nanosleep(&nap, NULL);
    atomic_fetch_or(&r.vcpu.requests, REQUEST_KICK);
    rig_ops->vcpu_interrupt(&r.vcpu);
    return unused;
}

/* A guest that spins comes back from a kick of another thread. */
static void expect_kick(void)
{
    pthread_t thread;
    r.vcpu.deadline_ns = 0;
    CHECK(pthread_create(&thread, NULL, kick_soon, NULL) == 0);
    do
        CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_KICKED);
    while (!atomic_load(&r.vcpu.requests) && r.exit.reason == VSDK_EXIT_KICKED);
    CHECK(r.exit.detail == 0);
    pthread_join(thread, NULL);
    atomic_store(&r.vcpu.requests, 0);
}

/* Any process of the user can fill the quota of pending signals at any time. */
TEST(kick_with_a_full_quota)
{
    struct rlimit was, none;
    CHECK(getrlimit(RLIMIT_SIGPENDING, &was) == 0);
    none = (struct rlimit){0, was.rlim_max};
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    for (int i = 0; i < 5; i++) {
        expect_kick();
        CHECK(!kick_signal_is_pending());
    }
    CHECK(setrlimit(RLIMIT_SIGPENDING, &was) == 0);
    expect_kick();
    rig_close(&r);
}

/* The core calls several runs in one bracket: each kick is told, not the first alone. */
static void kicks_in_one_bracket(void)
{
    CHECK(rig_ops->vcpu_enter(&r.vcpu, &r.error) == VSDK_OK);
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, kick_soon, NULL) == 0);
        do
            CHECK(rig_ops->vcpu_run(&r.vcpu, &r.error) == VSDK_OK);
        while (!atomic_load(&r.vcpu.requests) && r.exit.reason == VSDK_EXIT_KICKED);
        pthread_join(thread, NULL);
        atomic_store(&r.vcpu.requests, 0);
    }
    rig_ops->vcpu_leave(&r.vcpu);
    CHECK(!kick_signal_is_pending());
}

TEST(several_kicks_of_one_run)
{
    struct rlimit was, none;
    CHECK(getrlimit(RLIMIT_SIGPENDING, &was) == 0);
    none = (struct rlimit){0, was.rlim_max};
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    kicks_in_one_bracket();
    CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    kicks_in_one_bracket();
    CHECK(setrlimit(RLIMIT_SIGPENDING, &was) == 0);
    rig_close(&r);
}

/* Code of a callback may take any signal of its thread: the next kick comes all the same. */
static void steal_a_kick(void)
{
    const struct timespec now = {0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX - 1);
    atomic_fetch_or(&r.vcpu.requests, REQUEST_KICK);
    rig_ops->vcpu_interrupt(&r.vcpu);
    CHECK(sigtimedwait(&set, NULL, &now) == SIGRTMAX - 1);
}

TEST(a_kick_that_was_stolen)
{
    pthread_t thread;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    CHECK(rig_ops->vcpu_enter(&r.vcpu, &r.error) == VSDK_OK);
    steal_a_kick();
    atomic_store(&r.vcpu.requests, 0);
    CHECK(pthread_create(&thread, NULL, kick_soon, NULL) == 0);
    CHECK(rig_ops->vcpu_run(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(atomic_load(&r.vcpu.requests) && r.exit.reason == VSDK_EXIT_KICKED);
    pthread_join(thread, NULL);
    rig_ops->vcpu_leave(&r.vcpu);
    atomic_store(&r.vcpu.requests, 0);
    CHECK(!kick_signal_is_pending());
    rig_close(&r);
}

/* The same where the run does not enter the guest: it finishes an access for the kick. */
TEST(a_kick_that_was_stolen_at_an_access)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, busy_code, busy_code_end);
    CHECK(rig_ops->vcpu_enter(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_run(&r.vcpu, &r.error) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO);
    steal_a_kick();
    CHECK(rig_ops->vcpu_run(&r.vcpu, &r.error) == VSDK_OK && r.exit.reason == VSDK_EXIT_KICKED);
    rig_ops->vcpu_leave(&r.vcpu);
    atomic_store(&r.vcpu.requests, 0);
    rig_load(&r, spin_code, spin_code_end);
    expect_kick();
    CHECK(!kick_signal_is_pending());
    rig_close(&r);
}

/* The timer takes its place in the quota when it is made; without one the run says so. */
TEST(deadline_with_a_full_quota)
{
    struct rlimit was, none;
    CHECK(getrlimit(RLIMIT_SIGPENDING, &was) == 0);
    none = (struct rlimit){0, was.rlim_max};
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    r.vcpu.deadline_ns = now_ns() + 1000000;
    CHECK(rig_run(&r) == VSDK_ERROR_LIMIT && r.error.os_errno == EAGAIN && r.error.hint[0]);
    expect_kick();
    CHECK(setrlimit(RLIMIT_SIGPENDING, &was) == 0);
    r.vcpu.deadline_ns = now_ns() + 1000000;
    CHECK(rig_run(&r) == VSDK_OK && r.exit.detail == VSDK_KICK_DEADLINE);
    CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    for (int i = 0; i < 5; i++) {
        r.vcpu.deadline_ns = now_ns() + 1000000;
        CHECK(rig_run(&r) == VSDK_OK && r.exit.detail == VSDK_KICK_DEADLINE);
    }
    CHECK(setrlimit(RLIMIT_SIGPENDING, &was) == 0);
    rig_close(&r);
}

/* A runtime that gives the mask back as it was before the first run opens the kick's signals. */
TEST(mask_given_back_between_runs)
{
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    sigdelset(&before, SIGRTMAX - 1);
    sigdelset(&before, SIGSTKFLT);
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    for (int i = 0; i < 5; i++) {
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        expect_kick();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    r.vcpu.deadline_ns = now_ns() + 1000000;
    CHECK(rig_run(&r) == VSDK_OK && r.exit.detail == VSDK_KICK_DEADLINE);
    rig_close(&r);
}

static _Atomic int handled;

static void count_signal(int signal)
{
    (void)signal;
    atomic_fetch_add(&handled, 1);
}

static pthread_t main_thread;

static void *signal_soon(void *unused)
{
    struct timespec nap = {.tv_nsec = 20000000};
    nanosleep(&nap, NULL);
    pthread_kill(main_thread, SIGUSR1);
    return unused;
}

static void run_to(uint32_t detail, uint64_t longest_ns)
{
    r.vcpu.deadline_ns = now_ns() + longest_ns;
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == detail);
}

/* A signal that is opened after the first run reaches the thread in the guest; one that is blocked
 * and pending ends no run. */
TEST(mask_changes_between_runs)
{
    struct sigaction action = {.sa_handler = count_signal}, old;
    pthread_t thread;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaction(SIGUSR1, &action, &old);
    atomic_store(&handled, 0);
    main_thread = pthread_self();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    run_to(VSDK_KICK_DEADLINE, 1000000);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    CHECK(pthread_create(&thread, NULL, signal_soon, NULL) == 0);
    run_to(VSDK_KICK_SIGNAL, 10000000000u);
    pthread_join(thread, NULL);
    CHECK(atomic_load(&handled) == 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_kill(main_thread, SIGUSR1);
    for (int i = 0; i < 3; i++)
        run_to(VSDK_KICK_DEADLINE, 1000000);
    CHECK(atomic_load(&handled) == 1);
    rig_close(&r);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    CHECK(atomic_load(&handled) == 2);
    sigaction(SIGUSR1, &old, NULL);
}

static void *run_until_deadline(void *unused)
{
    r.vcpu.deadline_ns = now_ns() + 100000;
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == VSDK_KICK_DEADLINE);
    CHECK(!kick_signal_is_pending());
    return unused;
}

static _Atomic int stop_kicking;

static void *kick_always(void *unused)
{
    while (!atomic_load(&stop_kicking))
        rig_ops->vcpu_interrupt(&r.vcpu);
    return unused;
}

/* Threads come and go while others kick: a signal to one that has left would end the process. */
TEST(threads_come_and_go)
{
    pthread_t kicker_thread, thread;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    atomic_store(&stop_kicking, 0);
    CHECK(pthread_create(&kicker_thread, NULL, kick_always, NULL) == 0);
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_create(&thread, NULL, run_until_deadline, NULL) == 0);
        pthread_join(thread, NULL);
    }
    atomic_store(&stop_kicking, 1);
    pthread_join(kicker_thread, NULL);
    CHECK(atomic_load(&r.vcpu.internal) > 0);
    rig_close(&r);
}

static rig inner;

/* A thread with two vCPUs on its stack: the inner run takes the outer's signal and gives it over.
 */
TEST(nested_runs)
{
    rig_open(&inner, VSDK_IRQCHIP_PORTABLE, 0);
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, spin_code, spin_code_end);
    rig_load(&inner, spin_code, spin_code_end);
    CHECK(rig_ops->vcpu_enter(&r.vcpu, &r.error) == VSDK_OK);
    for (int i = 0; i < 100; i++) {
        atomic_fetch_or(&r.vcpu.requests, REQUEST_KICK);
        rig_ops->vcpu_interrupt(&r.vcpu);
        inner.vcpu.deadline_ns = now_ns() + 50000;
        CHECK(rig_run(&inner) == VSDK_OK);
        CHECK(inner.exit.reason == VSDK_EXIT_KICKED && inner.exit.detail == VSDK_KICK_DEADLINE);
        CHECK(rig_ops->vcpu_run(&r.vcpu, &r.error) == VSDK_OK);
        CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == 0);
        atomic_store(&r.vcpu.requests, 0);
        r.vcpu.deadline_ns = now_ns() + 50000;
        CHECK(rig_ops->vcpu_run(&r.vcpu, &r.error) == VSDK_OK);
        CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == VSDK_KICK_DEADLINE);
        rig_ops->vcpu_leave(&r.vcpu);
        CHECK(!kick_signal_is_pending());
        CHECK(rig_ops->vcpu_enter(&r.vcpu, &r.error) == VSDK_OK);
    }
    rig_ops->vcpu_leave(&r.vcpu);
    rig_close(&r);
    rig_close(&inner);
}

static void *destroy_kicker(void *unused)
{
    while (!atomic_load(&stop_kicking))
        rig_ops->vcpu_interrupt(&r.vcpu);
    return unused;
}

TEST(kicks_during_destroy)
{
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
        rig_load(&r, busy_code, busy_code_end);
        atomic_store(&stop_kicking, 0);
        CHECK(pthread_create(&thread, NULL, destroy_kicker, NULL) == 0);
        CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO);
        rig_ops->vm_destroy(&r.vm);
        atomic_store(&stop_kicking, 1);
        pthread_join(thread, NULL);
        rig_close(&r);
    }
}

int main(int count, char **argument)
{
    if (count > 1)
        kicks_each = atol(argument[1]) / KICKERS;
    rig_begin();
    RUN(storm_on_a_spinning_guest);
    RUN(storm_on_an_exiting_guest);
    RUN(deadline);
    RUN(deadline_beside_an_exit);
    RUN(foreign_signal);
    RUN(mask_follows_the_thread);
    RUN(mask_given_back_between_runs);
    RUN(mask_changes_between_runs);
    RUN(kick_with_a_full_quota);
    RUN(deadline_with_a_full_quota);
    RUN(several_kicks_of_one_run);
    RUN(a_kick_that_was_stolen);
    RUN(a_kick_that_was_stolen_at_an_access);
    RUN(threads_come_and_go);
    RUN(nested_runs);
    RUN(kicks_during_destroy);
    return rig_finish();
}
