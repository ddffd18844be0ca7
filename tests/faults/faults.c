/* SPDX-License-Identifier: Apache-2.0 */
/* Each call that the library makes to the system, and each allocation, fails in turn. Each failure
 * is reported by a structured error, after which the same step succeeds; or it stands on the list
 * of optional calls, which is printed with what happens instead. Nothing is left behind.
 *
 * Each failure has a process of its own, so that what the library remembers for the process is made
 * anew too. */
#include "optional.h"
#include "process_state.h"
#include "rig.h"
#include "scenario.h"
#include "seam.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS_MAX = 4096, PROBLEM_MAX = 400, KINDS_MAX = 64, PATIENCE_S = 60, JOBS = 8 };

/* What a child tells, in memory that it shares with its parent. */
struct outcome {
    int finished;
    uint32_t calls;
    int64_t live;
    unsigned errors; /* steps that failed */
    struct seam_call failed;
    const char *step; /* the last begun */
    const char *hit;  /* the one in which the fault was */
    vsdk_error error;
    char problem[PROBLEM_MAX];
};

/* The child's own. */
static struct outcome *outcome;
/* Written by the run without a fault. */
static struct seam_call *trace;

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void problem(const char *format, ...)
{
    va_list arguments;

    if (outcome->problem[0])
        return;
    va_start(arguments, format);
    vsnprintf(outcome->problem, sizeof outcome->problem, format, arguments);
    va_end(arguments);
}

static void check_error(vsdk_status status, const vsdk_error *error, int injected)
{
    if (error->code != status)
        problem("code %d, status %d", error->code, status);
    if (!error->operation[0] || !error->message[0])
        problem("no operation or no message");
    if (error->os_errno && error->os_errno != injected)
        problem("os_errno %d", error->os_errno);
}

/* One code for one cause. */
static void check_no_memory(vsdk_status status, const char *function)
{
    static const char *const allocations[] = {"malloc",         "calloc", "realloc",
                                              "posix_memalign", "strdup", "strndup"};

    for (size_t i = 0; function && i < sizeof allocations / sizeof *allocations; i++)
        if (strcmp(function, allocations[i]) == 0 && status != VSDK_ERROR_NO_MEMORY)
            problem("an allocation failed and the status is %s", vsdk_status_name(status));
}

/* A step that failed is done again: a failing function changes nothing. */
static int do_step(struct scenario *s, const struct scenario_step *step, int injected)
{
    vsdk_error error = {0}, again = {0};

    outcome->step = step->name;
    vsdk_status status = step->run(s, &error);
    if (!outcome->hit && seam_failed().function)
        outcome->hit = step->name;
    if (status == VSDK_OK)
        return 1;
    outcome->errors++;
    outcome->error = error;
    if (!seam_failed().function)
        problem("%s: %s without a fault", vsdk_status_name(status), error.message);
    check_error(status, &error, injected);
    check_no_memory(status, seam_failed().function);
    if (step->run(s, &again) == VSDK_OK)
        return 1;
    problem("again: %s: %s: %s (first %s: %s)", vsdk_status_name(again.code), again.operation,
            again.message, vsdk_status_name(status), error.message);
    return 0;
}

static void check_nothing_left(const struct scenario *s, const struct process_state *before)
{
    struct process_state after;

    for (unsigned i = 0; i < SCENARIO_RELEASES; i++)
        if (s->releases[i] != s->promised[i])
            problem("release %u came %u times for %u calls", i, s->releases[i], s->promised[i]);
    process_state_take(&after);
    if (process_state_compare(before, &after))
        problem("the process differs");
    if (!UNDER_SANITIZER && after.anonymous_bytes != before->anonymous_bytes)
        problem("%llu bytes of anonymous mappings, %llu before",
                (unsigned long long)after.anonymous_bytes,
                (unsigned long long)before->anonymous_bytes);
}

static void live(uint32_t fail, int error)
{
    struct scenario s = {.backend = rig_backend()};
    struct process_state before;

    process_state_take(&before);
    if (pipe2(s.pipe, O_CLOEXEC))
        tap_bail("no pipe");
    seam_trace(trace, fail ? 0 : CALLS_MAX);
    seam_arm(fail, error);
    for (unsigned i = 0; i < scenario_step_count; i++)
        if (!do_step(&s, &scenario_steps[i], error))
            break;
    scenario_end(&s);
    seam_disarm();
    outcome->calls = seam_calls();
    outcome->failed = seam_failed();
    outcome->live = seam_live_blocks();
    check_nothing_left(&s, &before);
    outcome->finished = 1;
}

static void in_child(uint32_t fail, int error)
{
    alarm(PATIENCE_S);
    live(fail, error);
    _exit(0);
}

/* How often each entry of the list was used. */
struct used {
    const struct optional_call *entry;
    char name[64];
    unsigned times;
};

struct tally {
    unsigned runs, reported, optional, not_reached, bad;
    struct used used[KINDS_MAX];
    unsigned kinds;
    int64_t live;
};

static void count_optional(struct tally *tally, const struct optional_call *entry, const char *name)
{
    unsigned i = 0;

    while (i < tally->kinds &&
           (tally->used[i].entry != entry || strcmp(tally->used[i].name, name) != 0))
        i++;
    if (i == KINDS_MAX) {
        problem("more than %d kinds of optional calls", KINDS_MAX);
        return;
    }
    if (i == tally->kinds) {
        tally->kinds++;
        tally->used[i].entry = entry;
        snprintf(tally->used[i].name, sizeof tally->used[i].name, "%s", name);
    }
    tally->used[i].times++;
    tally->optional++;
}

static void judge(struct tally *tally, uint32_t number, int error)
{
    const struct seam_call *call = &outcome->failed;
    const struct optional_call *entry;

    tally->runs++;
    if (outcome->finished && !call->function) {
        tally->not_reached++;
        return;
    }
    if (outcome->live > tally->live)
        problem("%lld blocks are left, %lld without a fault", (long long)outcome->live,
                (long long)tally->live);
    if (outcome->errors)
        tally->reported++;
    else if (call->function && (entry = optional_find(call, error, outcome->hit)))
        count_optional(tally, entry, optional_name(call));
    else
        problem("not reported, and not on the list");
    if (!outcome->problem[0])
        return;
    tally->bad++;
    tap_note("call %u, %s at +%#llx fails with %s, %s: %s", number,
             call->function ? optional_name(call) : "?", (unsigned long long)call->offset,
             strerrorname_np(error), outcome->hit ? outcome->hit : "closing", outcome->problem);
}

/* Children that are alive. Most of their time goes by waiting in the kernel. */
struct job {
    pid_t child;
    uint32_t number;
    int error;
};

static struct job jobs[JOBS];
static struct outcome *outcomes; /* by job */

static void job_start(unsigned i, uint32_t number, int error)
{
    outcome = &outcomes[i];
    memset(outcome, 0, sizeof *outcome);
    jobs[i] = (struct job){.number = number, .error = error, .child = fork()};
    if (jobs[i].child == 0)
        in_child(number, error);
    if (jobs[i].child < 0)
        tap_bail("no process");
}

/* Waits for one; its number. */
static unsigned job_wait(void)
{
    int status = 0;
    pid_t child = waitpid(-1, &status, 0);
    unsigned i = 0;

    while (jobs[i].child != child)
        i++;
    outcome = &outcomes[i];
    if (!outcome->finished)
        problem("the process ended in step %s, status %#x", outcome->step ? outcome->step : "none",
                status);
    jobs[i].child = 0;
    return i;
}

struct queue {
    struct tally tally;
    unsigned alive;
};

static void queue_take(struct queue *queue)
{
    unsigned i = job_wait();

    queue->alive--;
    judge(&queue->tally, jobs[i].number, jobs[i].error);
}

static void queue_put(struct queue *queue, uint32_t number, int error)
{
    unsigned i = 0;

    if (queue->alive == JOBS)
        queue_take(queue);
    while (jobs[i].child)
        i++;
    job_start(i, number, error);
    queue->alive++;
}

static void print_tally(const struct tally *tally, uint32_t calls)
{
    tap_note("N = %u calls; %u runs: %u reported by an error, %u optional, %u not reached", calls,
             tally->runs, tally->reported, tally->optional, tally->not_reached);
    for (unsigned i = 0; i < tally->kinds; i++)
        tap_note("optional: %s%s%s (%u): %s", tally->used[i].name,
                 tally->used[i].entry->error ? " " : "",
                 tally->used[i].entry->error ? strerrorname_np(tally->used[i].entry->error) : "",
                 tally->used[i].times, tally->used[i].entry->fallback);
}

static void each_call_fails(void)
{
    struct queue queue = {0};

    job_start(0, 0, 0);
    job_wait();
    check(!outcome->problem[0], "without a fault: %s", outcome->problem);
    check(outcome->live == 0, "%lld blocks are left", (long long)outcome->live);
    uint32_t calls = outcome->calls;
    check(calls > 0 && calls <= CALLS_MAX, "%u calls, %d at most", calls, CALLS_MAX);
    if (outcome->problem[0] || calls > CALLS_MAX)
        return;
    for (uint32_t number = 1; number <= calls; number++)
        for (const int *error = seam_errnos(trace[number - 1].function); *error; error++)
            queue_put(&queue, number, *error);
    while (queue.alive)
        queue_take(&queue);
    print_tally(&queue.tally, calls);
    check(queue.tally.bad == 0, "%u failures went wrong", queue.tally.bad);
    check(queue.tally.not_reached < queue.tally.runs / 10, "%u of %u were not reached",
          queue.tally.not_reached, queue.tally.runs);
}

/* A module is there once a host was open. */
static void load_module(void)
{
    vsdk_host *host;

    if (vsdk_host_open(rig_backend(), NULL, &host, NULL) == VSDK_OK)
        vsdk_host_close(host);
}

static void imports_are_known(void)
{
    unsigned unknown = 0;

    load_module();
    unsigned interposed = seam_install(&unknown);

    tap_note("%u imports of the library are interposed", interposed);
    check(interposed > 10, "the library's imports were not found");
    check(unknown == 0, "%u imports could fail unseen", unknown);
}

/* What the first run of a vCPU does to its thread, as is documented. */
static void block_kick_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX - 1);
    sigaddset(&set, SIGSTKFLT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        tap_bail("no memory");
    return memory;
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"every import that can fail is interposed", imports_are_known},
        {"each call fails in turn", each_call_fails},
    };

    outcomes = shared(JOBS * sizeof *outcomes);
    trace = shared(CALLS_MAX * sizeof *trace);
    block_kick_signals();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
