/* SPDX-License-Identifier: Apache-2.0 */
/* Whose domain is an orphan: one of an owner that is certainly gone. */
#include "rig.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The mark in a handle, see orphan_xen.c. */
enum { PID_AT = 4, START_AT = 8, SPACE_AT = 12 };

static uint32_t count_orphans(const struct rig *rig, vsdk_orphan *orphan)
{
    uint32_t needed = 99;

    check(!rig_ops->host_list_orphans((backend_host *)&rig->host, orphan, 1, &needed, &rig_error),
          "%s", rig_error.message);
    return needed;
}

static uint32_t dead_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return (uint32_t)child;
}

static void end(struct rig *rig)
{
    rig_end(rig);
    rig_check_nothing_left("in the end");
}

static void of_a_dead_owner(void)
{
    struct rig rig;
    vsdk_orphan orphan;
    uint32_t pid = dead_process();

    if (!rig_begin(&rig))
        return;
    check(count_orphans(&rig, &orphan) == 0, "the living are orphans");
    memcpy(rig_domain(&rig)->handle + PID_AT, &pid, sizeof pid);
    check(count_orphans(&rig, &orphan) == 1 && orphan.owner_pid == pid, "not seen");
    check(rig_ops->host_reap(&rig.host, orphan.id + 1, &rig_error) == VSDK_ERROR_NOT_FOUND, "id");
    check(!rig_ops->host_reap(&rig.host, orphan.id, &rig_error), "%s", rig_error.message);
    check(fake.destroyed == 1, "not destroyed");
    end(&rig);
}

/* The number is another process's now: the times differ, whichever is the later one. */
static void of_an_earlier_process(void)
{
    struct rig rig;
    vsdk_orphan orphan;
    uint32_t start, other;

    if (!rig_begin(&rig))
        return;
    memcpy(&start, rig_domain(&rig)->handle + START_AT, sizeof start);
    for (int step = -1; step <= 1; step += 2) {
        other = start + (uint32_t)step;
        memcpy(rig_domain(&rig)->handle + START_AT, &other, sizeof other);
        check(count_orphans(&rig, &orphan) == 1, "not seen %d ticks from ours", step);
    }
    memcpy(rig_domain(&rig)->handle + START_AT, &start, sizeof start);
    check(count_orphans(&rig, &orphan) == 0, "the living are orphans");
    end(&rig);
}

static void of_other_places(void)
{
    struct rig rig;
    vsdk_orphan orphan;
    uint32_t pid = dead_process();
    uint8_t kept[16];

    if (!rig_begin(&rig))
        return;
    memcpy(kept, rig_domain(&rig)->handle, sizeof kept);
    memcpy(rig_domain(&rig)->handle + PID_AT, &pid, sizeof pid);
    rig_domain(&rig)->handle[SPACE_AT] ^= 1;
    check(count_orphans(&rig, &orphan) == 0, "of another namespace");
    rig_domain(&rig)->handle[SPACE_AT] ^= 1;
    rig_domain(&rig)->dying = 1;
    check(count_orphans(&rig, &orphan) == 0, "that is dying already");
    rig_domain(&rig)->dying = 0;
    rig_domain(&rig)->handle[0] = 'x';
    check(count_orphans(&rig, &orphan) == 0, "of another program");
    memcpy(rig_domain(&rig)->handle, kept, sizeof kept);
    end(&rig);
}

/* The owner could open nothing when it made the mark, and lives. */
static void of_an_owner_that_knew_nothing(void)
{
    struct rig rig;
    vsdk_host_config config = {.size = sizeof config};
    vsdk_orphan orphan;

    rig_prepare(&rig);
    check(!rig_ops->host_open(&rig.host, &config, &rig_error), "%s", rig_error.message);
    fake.no_files = 1;
    check(!rig_ops->vm_create(&rig.vm, &rig_error), "%s", rig_error.message);
    fake.no_files = 0;
    check(count_orphans(&rig, &orphan) == 0, "the owner lives");
    end(&rig);
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"of a dead owner", of_a_dead_owner},
        {"of an earlier process with the same number", of_an_earlier_process},
        {"of other places and programs: none", of_other_places},
        {"of an owner that could not tell since when it runs: none", of_an_owner_that_knew_nothing},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
