/* SPDX-License-Identifier: Apache-2.0 */
/* Guests end, are destroyed by others, or their number becomes another's, while their owner waits,
 * is kicked, or stands at an access. */
#include "base/sys.h"
#include "rig.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

enum { RUNS = 400, KICK_MS = 5 };

static int begin(struct rig *rig, int taken)
{
    vsdk_host_config config = {.size = sizeof config};

    rig_prepare(rig);
    fake.virq_taken = taken;
    if (!rig_ops->host_open(&rig->host, &config, &rig_error) &&
        !rig_ops->vm_create(&rig->vm, &rig_error) && !rig_ops->ram_create(&rig->ram, &rig_error) &&
        !rig_ops->vm_map(&rig->vm, &rig->slot, &rig_error) &&
        !rig_ops->vcpu_create(&rig->vcpu, &rig_error) && !rig_ops->vm_resume(&rig->vm, &rig_error))
        return 1;
    check(0, "%s: %s", rig_error.operation, rig_error.message);
    return 0;
}

static void end(struct rig *rig)
{
    rig_end(rig);
    rig_check_nothing_left("in the end");
}

/* Runs until something other than KICKED, at most RUNS times. */
static const vsdk_exit *run_through_kicks(struct rig *rig, int kick)
{
    for (int i = 0; i < RUNS; i++) {
        if (kick)
            atomic_fetch_or(&rig->vcpu.requests, REQUEST_KICK);
        rig_run(rig, PATIENCE_MS);
        atomic_fetch_and(&rig->vcpu.requests, ~(uint32_t)REQUEST_KICK);
        if (rig->exit.reason != VSDK_EXIT_KICKED)
            break;
    }
    return &rig->exit;
}

static void expect(struct rig *rig, const vsdk_exit *exit, vsdk_exit_reason reason)
{
    check(exit->reason == reason && exit->flags & VSDK_EXIT_TERMINAL, "reason %u, not %u",
          exit->reason, reason);
}

static void kicked_before_each_run(void)
{
    for (int taken = 0; taken < 2; taken++) {
        struct rig rig;
        if (!begin(&rig, taken))
            return;
        fake_shut(rig_domain(&rig), 1);
        expect(&rig, run_through_kicks(&rig, 1), VSDK_EXIT_RESET);
        end(&rig);
    }
}

struct kicker {
    struct rig *rig;
    _Atomic int over;
};

static void *kick_again_and_again(void *of)
{
    struct kicker *kicker = of;

    while (!kicker->over) {
        nanosleep(&(struct timespec){.tv_nsec = KICK_MS * 1000000}, NULL);
        atomic_fetch_or(&kicker->rig->vcpu.requests, REQUEST_KICK);
        rig_ops->vcpu_interrupt(&kicker->rig->vcpu);
    }
    return NULL;
}

/* Kicks come more often than the domain is asked for where there is no event. */
static void kicked_while_polling(void)
{
    struct rig rig;
    struct kicker kicker = {.rig = &rig};
    pthread_t thread;

    if (!begin(&rig, 1))
        return;
    pthread_create(&thread, NULL, kick_again_and_again, &kicker);
    fake_shut(rig_domain(&rig), 0);
    expect(&rig, run_through_kicks(&rig, 0), VSDK_EXIT_POWEROFF);
    kicker.over = 1;
    pthread_join(thread, NULL);
    end(&rig);
}

static void on_signal(int number)
{
    (void)number;
}

static void signalled_while_polling(void)
{
    struct rig rig;
    struct sigaction action = {.sa_handler = on_signal};
    struct itimerval often = {{0, KICK_MS * 1000}, {0, KICK_MS * 1000}}, never = {0};

    if (!begin(&rig, 1))
        return;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    fake_shut(rig_domain(&rig), 0);
    expect(&rig, run_through_kicks(&rig, 0), VSDK_EXIT_POWEROFF);
    setitimer(ITIMER_REAL, &never, NULL);
    end(&rig);
}

/* A thread on the way from its look at what is to be told to its sleep. */
static _Thread_local int dawdles;
static _Atomic int falls_asleep, may_sleep, is_over;
int __real_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *wait,
                 const sigset_t *set);
int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *wait,
                 const sigset_t *set);

int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *wait, const sigset_t *set)
{
    if (dawdles)
        falls_asleep = 1;
    while (dawdles && !may_sleep)
        sched_yield();
    return __real_ppoll(fds, count, wait, set);
}

static void *run_slowly(void *of)
{
    struct rig *rig = of;

    dawdles = 1;
    rig->vcpu.deadline_ns = 0;
    rig_ops->vcpu_run(&rig->vcpu, &rig_error);
    is_over = 1;
    return NULL;
}

/* Another thread takes the event just then, and Xen does not say what it was about. */
static void event_taken_by_another(void)
{
    struct rig rig;
    vsdk_exit exit;
    backend_vcpu other = {.index = 1, .exit = &exit};
    pthread_t thread;

    falls_asleep = may_sleep = is_over = 0;
    if (!begin(&rig, 0))
        return;
    other.vm = &rig.vm;
    rig.list[1] = &other;
    check(!rig_ops->vcpu_create(&other, &rig_error), "%s", rig_error.message);
    pthread_create(&thread, NULL, run_slowly, &rig);
    while (!falls_asleep)
        sched_yield();
    fake.refused = EAGAIN;
    fake_shut(rig_domain(&rig), 1);
    other.requests = REQUEST_KICK;
    check(!rig_ops->vcpu_run(&other, &rig_error) && exit.reason == VSDK_EXIT_KICKED, "reason %u",
          exit.reason);
    fake.refused = 0;
    may_sleep = 1;
    for (int i = 0; !is_over && i < PATIENCE_MS / 5; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    check(is_over, "the other thread sleeps on");
    rig.vcpu.requests = REQUEST_KICK;
    rig_ops->vcpu_interrupt(&rig.vcpu);
    pthread_join(thread, NULL);
    expect(&rig, &rig.exit, VSDK_EXIT_RESET);
    rig_ops->vcpu_destroy(&other);
    end(&rig);
}

static const struct ioreq read_a_port = {
    .type = IOREQ_TYPE_PIO, .dir = IOREQ_READ, .addr = 0x104, .size = 2, .count = 1};

/* The access is told, then the end. */
static void destroyed_at_an_access(void)
{
    for (int taken = 0; taken < 2; taken++) {
        struct rig rig;
        if (!begin(&rig, taken))
            return;
        fake_request(rig_domain(&rig), 0, read_a_port);
        rig_domain(&rig)->dying = 1;
        fake_shut(rig_domain(&rig), 0);
        check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_PIO, "reason %u", rig.exit.reason);
        expect(&rig, rig_run(&rig, PATIENCE_MS), VSDK_EXIT_STOP);
        end(&rig);
    }
}

/* Gone from Xen's list, and then another domain has the number. */
static void number_of_another(void)
{
    struct rig rig;
    struct fake_domain *domain;

    if (!begin(&rig, 1))
        return;
    domain = rig_domain(&rig);
    domain->handle[15] ^= 1;
    expect(&rig, rig_run(&rig, PATIENCE_MS), VSDK_EXIT_STOP);
    domain->pauses = 1;
    check(!rig_ops->vm_resume(&rig.vm, &rig_error) && domain->pauses == 1,
          "another's domain was resumed");
    check(!rig_ops->vm_pause(&rig.vm, &rig_error) && domain->pauses == 1,
          "another's domain was paused");
    rig_end(&rig);
    check(fake.destroyed == 0 && fake_find(domain->domid), "another's domain was destroyed");
    fake_reset();
}

static void gone_and_closed(void)
{
    struct rig rig;
    uint8_t *memory;

    if (!begin(&rig, 0))
        return;
    memory = rig.ram.memory;
    memory[5000] = 5;
    rig_ops->vm_destroy(&rig.vm);
    check(memory[5000] == 0, "a view of a dead domain");
    memory[5000] = 6;
    check(rig_ops->vcpu_run(&rig.vcpu, &rig_error) == VSDK_ERROR_GONE, "run after the end");
    rig_ops->vcpu_destroy(&rig.vcpu);
    rig_ops->ram_free(&rig.ram);
    rig_ops->vm_free(&rig.vm);
    rig_ops->host_close(&rig.host);
    rig_check_nothing_left("in the end");
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"an end comes before kicks that precede each run", kicked_before_each_run},
        {"kicks do not keep a polling run from the end", kicked_while_polling},
        {"signals do not keep a polling run from the end", signalled_while_polling},
        {"an event that another thread takes in vain", event_taken_by_another},
        {"destroyed by another at an access", destroyed_at_an_access},
        {"the number is another's: it is left alone", number_of_another},
        {"views of a destroyed domain are zero pages", gone_and_closed},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
