/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a guest is killed. Where the guest outlives it, the next host says so and takes it
 * back; elsewhere there is nothing to say. */
#include "cycle.h"
#include "xen_resources.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETTLE_TRIES = 100, SETTLE_US = 100000, ORPHANS = 64 };

/* A process that owns a guest, killed while it runs. */
static pid_t kill_an_owner(void)
{
    int ready[2];
    char byte;

    if (pipe(ready) != 0)
        tap_bail("no pipe");
    pid_t child = fork();
    if (child == 0) {
        struct cycle cycle;

        must(cycle_begin(&cycle, rig_host(), E));
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    if (read(ready[0], &byte, 1) != 1)
        tap_bail("the owner did not begin");
    close(ready[0]);
    close(ready[1]);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return child;
}

/* Other tests may have left orphans of their own. */
struct heard {
    pid_t owner;
    unsigned warnings; /* that name the owner */
    char text[256];
};

static void on_log(void *user, vsdk_log_level level, const char *text)
{
    struct heard *heard = user;
    char name[32];

    snprintf(name, sizeof name, "process %d,", (int)heard->owner);
    if (level != VSDK_LOG_WARNING || !strstr(text, name))
        return;
    heard->warnings++;
    snprintf(heard->text, sizeof heard->text, "%s", text);
}

static vsdk_host *open_and_listen(struct heard *heard)
{
    vsdk_host_config config = {.size = sizeof config, .log = on_log, .log_user = heard};
    vsdk_host *host = NULL;

    must(vsdk_host_open(rig_backend(), &config, &host, E));
    return host;
}

static int outlives(vsdk_host *host)
{
    return rig_can(host, VSDK_CAPABILITY_ORPHANS);
}

/* The orphan of this owner, and how many it has. */
static uint32_t find_orphan(vsdk_host *host, pid_t owner, vsdk_orphan *orphan)
{
    vsdk_orphan orphans[ORPHANS];
    uint32_t needed = 0, found = 0;

    memset(orphan, 0, sizeof *orphan);
    must(vsdk_host_list_orphans(host, orphans, ORPHANS, &needed, E));
    for (uint32_t i = 0; i < needed && i < ORPHANS; i++) {
        if (orphans[i].owner_pid != (uint32_t)owner)
            continue;
        *orphan = orphans[i];
        found++;
    }
    return found;
}

static void expect_as_before(const struct xen_resources *before)
{
    struct xen_resources after = *before;

    for (int i = 0; i < SETTLE_TRIES; i++) {
        check(xen_resources_read(&after), "Xen's resources are not known");
        if (memcmp(before, &after, sizeof after) == 0)
            return;
        rig_sleep_us(SETTLE_US);
    }
    check(after.domains == before->domains, "%u domains, %u before", after.domains,
          before->domains);
    check(after.free_pages == before->free_pages, "%llu free pages, %llu before",
          (unsigned long long)after.free_pages, (unsigned long long)before->free_pages);
}

static void reported_and_reaped(void)
{
    struct xen_resources before = {0};
    struct heard heard = {0};
    vsdk_orphan orphan;

    if (rig_place() == PLACE_XEN)
        check(xen_resources_read(&before), "Xen's resources are not known");
    pid_t owner = heard.owner = kill_an_owner();
    vsdk_host *host = open_and_listen(&heard);
    uint32_t count = find_orphan(host, owner, &orphan);

    if (!outlives(host)) {
        check(count == 0 && heard.warnings == 0, "%u orphans, log: %s", count, heard.text);
        vsdk_host_close(host);
        return;
    }
    tap_note("log: %s", heard.text);
    check(heard.warnings == 1, "%u warnings", heard.warnings);
    check(count == 1 && orphan.owner_pid == (uint32_t)owner && orphan.memory >= RAM_BYTES,
          "%u orphans of process %u, %llu bytes", count, orphan.owner_pid,
          (unsigned long long)orphan.memory);
    must(vsdk_host_reap(host, orphan.id, E));
    check(find_orphan(host, owner, &orphan) == 0, "it is still there");
    check(vsdk_host_reap(host, orphan.id, NULL) == VSDK_ERROR_NOT_FOUND, "reaped twice");
    vsdk_host_close(host);
    expect_as_before(&before);
}

/* The guest of an owner that lives is nobody's orphan. */
static void the_living_are_left_alone(void)
{
    vsdk_host *host = rig_host();
    struct cycle cycle;
    vsdk_orphan orphan;

    must(cycle_begin(&cycle, host, E));
    check(find_orphan(host, getpid(), &orphan) == 0, "a guest of this process is an orphan");
    cycle_end(&cycle);
    vsdk_host_close(host);
}

static void the_command_reaps(void)
{
    vsdk_host *host = rig_host();
    vsdk_orphan orphan;

    if (!outlives(host)) {
        tap_skip("guests die with their owner here");
    } else if (system("command -v vsdk >/dev/null") != 0) {
        tap_skip("the vsdk command is not installed here");
    } else {
        pid_t owner = kill_an_owner();
        check(find_orphan(host, owner, &orphan) == 1, "no orphan to reap");
        check(system("vsdk reap") == 0, "vsdk reap failed");
        check(find_orphan(host, owner, &orphan) == 0, "it is still there");
    }
    vsdk_host_close(host);
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"the guest of a killed owner is reported and reaped", reported_and_reaped},
        {"the guest of a living owner is left alone", the_living_are_left_alone},
        {"vsdk reap takes it back", the_command_reaps},
    };

    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
