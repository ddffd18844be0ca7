/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of virtual machines later the process, and the hypervisor, are as before. */
#include "cycle.h"
#include "process_state.h"
#include "xen_resources.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    GROWTH_MAX = 4 << 20,
    SETTLE_TRIES = 100,
    SETTLE_US = 100000,
    NOBODY = 65534,
    TICK_NS = 1000000
};

static const struct sizes warm_up = {
    .plain = {200, 200, 400, 40, 16},
    .sanitized = {100, 100, 100, 16, 16},
};
static const struct sizes cycles = {
    .plain = {2000, 2000, 10000, 300, 300},
    .sanitized = {400, 400, 400, 100, 50},
};
static const struct sizes alive = {
    .plain = {200, 200, 200, 60, 8},
    .sanitized = {100, 100, 100, 20, 8},
};

static void compare(const struct process_state *before)
{
    struct process_state after;

    process_state_take(&after);
    unsigned differences = process_state_compare(before, &after);
    check(differences == 0, "%u differences in the process", differences);
    if (!UNDER_SANITIZER) {
        check(after.anonymous_bytes == before->anonymous_bytes,
              "%llu bytes of anonymous mappings, %llu before",
              (unsigned long long)after.anonymous_bytes,
              (unsigned long long)before->anonymous_bytes);
        check(after.resident_bytes < before->resident_bytes + GROWTH_MAX,
              "%llu bytes resident, %llu before", (unsigned long long)after.resident_bytes,
              (unsigned long long)before->resident_bytes);
        tap_note("resident: %lld KiB more than before",
                 ((long long)after.resident_bytes - (long long)before->resident_bytes) / 1024);
    }
    process_state_free(&after);
}

/* Xen frees a domain's pages in its own time: first those of earlier domains. */
static int read_settled(struct xen_resources *resources)
{
    struct xen_resources earlier;
    int known = xen_resources_read(resources);

    for (int i = 0; known && i < SETTLE_TRIES; i++) {
        earlier = *resources;
        rig_sleep_us(SETTLE_US);
        known = xen_resources_read(resources);
        if (memcmp(&earlier, resources, sizeof earlier) == 0)
            break;
    }
    return known;
}

static void compare_xen(const struct xen_resources *before)
{
    struct xen_resources after = {0};

    for (int i = 0; i < SETTLE_TRIES; i++) {
        check(xen_resources_read(&after), "Xen's resources are not known");
        if (memcmp(before, &after, sizeof after) == 0)
            return;
        rig_sleep_us(SETTLE_US);
    }
    check(after.free_pages == before->free_pages, "%llu free pages, %llu before",
          (unsigned long long)after.free_pages, (unsigned long long)before->free_pages);
    check(after.domains == before->domains, "%u domains, %u before", after.domains,
          before->domains);
    check(after.event_channels == before->event_channels, "%u event channels, %u before",
          after.event_channels, before->event_channels);
}

static void leave_no_trace(void)
{
    struct process_state before;
    struct xen_resources xen = {0};
    vsdk_host *host = rig_host();

    cycles_from_threads(host, rig_size(&warm_up));
    int on_xen = rig_place() == PLACE_XEN && read_settled(&xen);
    process_state_take(&before);
    uint64_t begin = rig_now_ns();
    cycles_from_threads(host, rig_size(&cycles));
    tap_note("%u cycles, %.1f s", rig_size(&cycles), (double)(rig_now_ns() - begin) / 1e9);
    compare(&before);
    if (on_xen)
        compare_xen(&xen);
    check(rig_place() != PLACE_XEN || on_xen, "Xen's resources are not known");
    process_state_free(&before);
    vsdk_host_close(host);
}

static void nothing_after_the_host(void)
{
    struct process_state before;
    vsdk_host *host;

    process_state_take(&before);
    host = rig_host();
    cycles_from_threads(host, rig_size(&warm_up) / 4);
    vsdk_host_close(host);
    compare(&before);
    process_state_free(&before);
}

static _Atomic int ticks;

static void on_tick(int number)
{
    (void)number;
    atomic_fetch_add(&ticks, 1);
}

/* Not restarted: each call of the library's may end with EINTR. */
static void under_a_timer(void)
{
    struct sigaction action = {.sa_handler = on_tick}, old;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
    timer_t timer;
    vsdk_host *host = rig_host();

    sigaction(SIGPROF, &action, &old);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &every, NULL))
        tap_bail("no timer");
    cycles_from_threads(host, rig_size(&cycles) / 5);
    timer_delete(timer);
    sigaction(SIGPROF, &old, NULL);
    tap_note("%d ticks", atomic_load(&ticks));
    vsdk_host_close(host);
}

static void many_alive(void)
{
    static struct cycle lives[200];
    vsdk_host *host = rig_host();
    unsigned descriptors = process_descriptors();

    for (uint32_t i = 0; i < rig_most(&alive); i++)
        must(cycle_begin(&lives[i], host, E));
    tap_note("%u alive, %u descriptors", rig_most(&alive), process_descriptors());
    for (uint32_t i = 0; i < rig_most(&alive); i++)
        cycle_end(&lives[i]);
    check(process_descriptors() == descriptors, "%u descriptors, %u before", process_descriptors(),
          descriptors);
    vsdk_host_close(host);
}

/* Too few descriptors, from none to enough: an error that says so, and nothing is lost. */
static void at_the_descriptor_limit(void)
{
    unsigned descriptors = process_descriptors(), failures = 0;
    vsdk_status status = VSDK_ERROR_LIMIT;
    struct rlimit limit, low;

    getrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned spare = 0; status != VSDK_OK && spare < 64; spare++) {
        struct cycle cycle = {0};
        vsdk_host *host = NULL;

        low = (struct rlimit){3 + spare, limit.rlim_max};
        setrlimit(RLIMIT_NOFILE, &low);
        memset(E, 0, sizeof *E);
        status = vsdk_host_open(rig_backend(), NULL, &host, E);
        if (!status)
            status = cycle_begin(&cycle, host, E);
        setrlimit(RLIMIT_NOFILE, &limit);
        if (status) {
            failures++;
            check(E->code == status && E->operation[0] && E->message[0],
                  "%s without an explanation", vsdk_status_name(status));
        }
        cycle_end(&cycle);
        vsdk_host_close(host);
        check(process_descriptors() == descriptors, "%u descriptors, %u before",
              process_descriptors(), descriptors);
    }
    check(status == VSDK_OK, "%s: %s", vsdk_status_name(status), E->message);
    tap_note("%u failures before it worked", failures);
}

/* Runs in a child, which has no other threads; its status is the answer. */
static void in_child(int (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(body());
    waitpid(child, &status, 0);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's status is %#x", status);
}

static int one_life(const vsdk_host_config *config)
{
    struct cycle cycle;
    vsdk_host *host = NULL;

    must(vsdk_host_open(rig_backend(), config, &host, E));
    must(cycle_begin(&cycle, host, E));
    cycle_end(&cycle);
    vsdk_host_close(host);
    return 0;
}

static int is_open(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

/* Without the standard descriptors: the library's are others. Xen plugs the free ones while its
 * handles are open. */
static int standard_closed(void)
{
    struct cycle cycle;
    vsdk_host *host = NULL;
    int plugged = rig_place() == PLACE_XEN;

    for (int i = 0; i < 3; i++)
        close(i);
    if (vsdk_host_open(rig_backend(), NULL, &host, E) || cycle_begin(&cycle, host, E))
        return 1;
    if (!plugged && (is_open(0) || is_open(1) || is_open(2)))
        return 2;
    cycle_end(&cycle);
    vsdk_host_close(host);
    return is_open(0) || is_open(1) || is_open(2) ? 3 : 0;
}

static void with_standard_descriptors_closed(void)
{
    in_child(standard_closed);
}

static int stdin_closed(void)
{
    close(0);
    one_life(NULL);
    return is_open(0) ? 3 : 0;
}

static void with_stdin_closed(void)
{
    in_child(stdin_closed);
}

static int become_nobody(void)
{
    return setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static int unprivileged(void)
{
    vsdk_host_config config = {.size = sizeof config, .flags = VSDK_HOST_DESCRIPTOR};
    vsdk_host *host = NULL;

    config.descriptor = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (config.descriptor < 0 || !become_nobody())
        return 1;
    vsdk_status status = vsdk_host_open("kvm", NULL, &host, E);
    tap_note("without the descriptor: %s: %s: %s (%s)", vsdk_status_name(status), E->operation,
             E->message, E->hint);
    if (status != VSDK_ERROR_PERMISSION || E->os_errno != EACCES || !E->hint[0])
        return 2;
    return one_life(&config);
}

static void unprivileged_with_the_descriptor(void)
{
    if (rig_place() != PLACE_HOST_KVM && rig_place() != PLACE_LAB_KVM)
        tap_skip("this backend is not opened from a descriptor");
    else if (geteuid() != 0)
        tap_skip("only root can become somebody else");
    else
        in_child(unprivileged);
}

int main(int argc, char **argv)
{
    static const struct tap_test tests[] = {
        {"standard descriptors closed", with_standard_descriptors_closed},
        {"stdin closed", with_stdin_closed},
        {"an unprivileged user with the descriptor", unprivileged_with_the_descriptor},
        {"cycles from 8 threads leave no trace", leave_no_trace},
        {"nothing is left after the host", nothing_after_the_host},
        {"cycles under a 1 kHz timer", under_a_timer},
        {"many alive at once", many_alive},
        {"at the descriptor limit", at_the_descriptor_limit},
    };

    return tap_run(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
