/* SPDX-License-Identifier: Apache-2.0 */
/* Xen refuses each hypercall in turn: as in faults.c, but what fails is what Xen's libraries ask of
 * the hypervisor, and all of it in one process. Each step of the scenario is done again with the
 * next hypercall failing until it gets through. */
#include "imports.h"
#include "rig.h"
#include "scenario.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static _Atomic uint32_t calls, refuse_at, refused;
static int refuse_with;

static int refusing_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    if (atomic_load(&refuse_at) && atomic_fetch_add(&calls, 1) + 1 == atomic_load(&refuse_at)) {
        atomic_store(&refused, 1);
        errno = refuse_with;
        return -1;
    }
    return ioctl(fd, request, argument);
}

static void install(const struct import *import, void *user)
{
    if (strcmp(import->name, "ioctl") == 0) {
        import_replace(import, refusing_ioctl);
        ++*(unsigned *)user;
    }
}

/* The module, and what it needs, is there once a host was open. */
static unsigned install_all(vsdk_host *host)
{
    static const char *const libraries[] = {"libxencall.so", "libxendevicemodel.so"};
    unsigned installed = 0;

    vsdk_host_close(host);
    for (unsigned i = 0; i < sizeof libraries / sizeof *libraries; i++)
        imports_each(libraries[i], install, &installed);
    return installed;
}

static void arm(uint32_t number)
{
    atomic_store(&refused, 0);
    atomic_store(&calls, 0);
    atomic_store(&refuse_at, number);
}

static void check_record(const char *step, vsdk_status status, const vsdk_error *error)
{
    check(error->code == status, "%s: code %d, status %d", step, error->code, status);
    check(error->operation[0] && error->message[0], "%s: an empty record", step);
    check(!error->os_errno || error->os_errno == refuse_with, "%s: errno %d", step,
          error->os_errno);
}

struct tally {
    unsigned reported, silent;
};

/* Destroy has no error for it. */
static int is_told(const struct scenario_step *step)
{
    return strcmp(step->name, "vm_destroy") != 0;
}

/* 0: the step fails though nothing was refused. */
static int do_step(struct scenario *s, const struct scenario_step *step, struct tally *tally)
{
    for (uint32_t number = 1;; number++) {
        vsdk_error error = {0};

        arm(is_told(step) ? number : 0);
        vsdk_status status = step->run(s, &error);
        int hit = atomic_load(&refused) != 0;
        arm(0);
        check(!status || hit, "%s: %s: %s", step->name, vsdk_status_name(status), error.message);
        if (!status) {
            tally->silent += (unsigned)hit;
            if (hit)
                tap_note("%s gets through without hypercall %u", step->name, number);
            return 1;
        }
        if (!hit)
            return 0;
        check_record(step->name, status, &error);
        tally->reported++;
    }
}

static void life(int error)
{
    struct scenario s = {.backend = rig_backend()};
    struct tally tally = {0};

    if (pipe(s.pipe))
        tap_bail("no pipe");
    refuse_with = error;
    for (unsigned i = 0; i < scenario_step_count; i++)
        if (!do_step(&s, &scenario_steps[i], &tally))
            break;
    scenario_end(&s);
    tap_note("%u hypercalls refused and reported, %u went unnoticed", tally.reported, tally.silent);
    check(tally.reported > 50, "only %u", tally.reported);
    for (unsigned i = 0; i < SCENARIO_RELEASES; i++)
        check(s.releases[i] == s.promised[i], "release %u came %u times for %u calls", i,
              s.releases[i], s.promised[i]);
}

static void with_eio(void)
{
    life(EIO);
}

static void with_enomem(void)
{
    life(ENOMEM);
}

static void with_eperm(void)
{
    life(EPERM);
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"each hypercall fails with EIO", with_eio},
        {"each hypercall fails with ENOMEM", with_enomem},
        {"each hypercall fails with EPERM", with_eperm},
    };

    vsdk_host *host = NULL;

    if (vsdk_host_open("xen", NULL, &host, E) == VSDK_ERROR_UNAVAILABLE) {
        printf("1..0 # SKIP %s\n", E->message);
        return 0;
    }
    if (!host || !install_all(host))
        tap_bail("Xen's libraries were not found: %s", E->message);
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
