/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's mark in a domain's 128-bit handle, and domains whose owner died:
 * "vsdk", process id, start of the process in clock ticks, pid namespace (16 bits), sequence (16).
 * Process ids say nothing outside their namespace: a mark from another one is never an orphan, nor
 * one without (0), whose owner could not tell where or since when it runs. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct mark {
    char magic[4];
    uint32_t pid, start;
    uint16_t space, sequence;
} mark;
_Static_assert(sizeof(mark) == 16, "a mark fills a handle");

static const char magic[4] = {'v', 's', 'd', 'k'};

/* The 22nd field of /proc/PID/stat, counted from after the name, which may hold anything. */
static int start_of(uint32_t pid, uint32_t *start)
{
    char path[32], text[1024];
    char *at;
    int fd, length;

    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    fd = sys_open(path, O_RDONLY);
    if (fd < 0)
        return fd;
    length = sys_read(fd, text, sizeof text - 1);
    sys_close(fd);
    if (length <= 0)
        return -EIO;
    text[length] = 0;
    at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return -EIO;
    *start = (uint32_t)strtoull(at + 1, NULL, 10);
    return 0;
}

static uint16_t own_space(void)
{
    struct stat status;

    if (stat("/proc/self/ns/pid", &status) < 0)
        return 0;
    return (uint16_t)(status.st_ino ^ status.st_ino >> 16);
}

void orphan_mark(uint8_t handle[16])
{
    static _Atomic uint16_t sequence;
    mark m = {.pid = (uint32_t)getpid()};

    memcpy(m.magic, magic, sizeof magic);
    if (start_of(m.pid, &m.start) == 0)
        m.space = own_space();
    m.sequence = atomic_fetch_add(&sequence, 1);
    memcpy(handle, &m, sizeof m);
}

static uint64_t id_of(const uint8_t handle[16])
{
    uint64_t id = 0xcbf29ce484222325;

    for (int i = 0; i < 16; i++)
        id = (id ^ handle[i]) * 0x100000001b3;
    return id;
}

static int owner_is_gone(const mark *m)
{
    uint32_t start;

    if (kill((pid_t)m->pid, 0) < 0 && errno == ESRCH)
        return 1;
    return start_of(m->pid, &start) == 0 && start != m->start;
}

static int is_orphan(const compat_domain *domain)
{
    mark m;

    memcpy(&m, domain->handle, sizeof m);
    return domain->ended != COMPAT_DYING && memcmp(m.magic, magic, sizeof magic) == 0 && m.space &&
           m.space == own_space() && (int32_t)m.pid > 0 && owner_is_gone(&m);
}

static void describe(vsdk_orphan *orphan, const compat_domain *domain)
{
    mark m;

    memcpy(&m, domain->handle, sizeof m);
    *orphan = (vsdk_orphan){.id = id_of(domain->handle),
                            .domain = domain->domid,
                            .owner_pid = m.pid,
                            .memory = domain->pages * XEN_PAGE};
}

/* Calls `each` for every orphan until it returns non-zero; that, 0, or -errno. */
static int for_each_orphan(xen_host *host, int (*each)(const compat_domain *, void *), void *user)
{
    enum { MANY = 32 };
    compat_domain domains[MANY];
    uint32_t first = 1;
    int found;

    do {
        found = compat_domains(host->control, first, MANY, domains);
        for (int i = 0; i < found; i++)
            if (is_orphan(&domains[i]) && each(&domains[i], user))
                return 1;
        if (found > 0)
            first = domains[found - 1].domid + 1;
    } while (found == MANY);
    return found < 0 ? found : 0;
}

typedef struct listing {
    vsdk_orphan *orphans;
    uint32_t capacity, count;
} listing;

static int list_one(const compat_domain *domain, void *user)
{
    listing *list = user;

    if (list->count < list->capacity)
        describe(&list->orphans[list->count], domain);
    list->count++;
    return 0;
}

vsdk_status xen_host_list_orphans(backend_host *host, vsdk_orphan *orphans, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error)
{
    listing list = {.orphans = orphans, .capacity = capacity};
    int result = for_each_orphan(xen_host_of(host), list_one, &list);

    if (result < 0)
        return xen_refused(error, result, "XEN_SYSCTL_getdomaininfolist", "no list of domains");
    *needed = list.count;
    return VSDK_OK;
}

typedef struct wanted {
    uint64_t id;
    compat_domain domain;
} wanted;

static int find_one(const compat_domain *domain, void *user)
{
    wanted *want = user;

    if (id_of(domain->handle) != want->id)
        return 0;
    want->domain = *domain;
    return 1;
}

vsdk_status xen_host_reap(backend_host *host, uint64_t id, vsdk_error *error)
{
    xen_control *control = xen_host_of(host)->control;
    wanted want = {.id = id};
    compat_domain now;
    int result = for_each_orphan(xen_host_of(host), find_one, &want);

    if (result < 0)
        return xen_refused(error, result, "XEN_SYSCTL_getdomaininfolist", "no list of domains");
    if (result == 0 || compat_domain_get(control, want.domain.domid, &now) < 0 ||
        memcmp(now.handle, want.domain.handle, sizeof now.handle) != 0)
        return error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_host_reap",
                         "no guest of a dead owner has the id %#llx", (unsigned long long)id);
    result = compat_destroy(control, now.domid);
    if (result < 0)
        return xen_refused(error, result, "XEN_DOMCTL_destroydomain",
                           "the domain was not destroyed");
    return VSDK_OK;
}

static int report_one(const compat_domain *domain, void *user)
{
    xen_host *host = user;
    vsdk_orphan orphan;

    describe(&orphan, domain);
    xen_log(host->host, VSDK_LOG_WARNING,
            "domain %u holds %llu MiB and its owner, process %u, is dead: id %#llx can be reaped",
            orphan.domain, (unsigned long long)(orphan.memory >> 20), orphan.owner_pid,
            (unsigned long long)orphan.id);
    return 0;
}

void orphan_report(xen_host *host)
{
    for_each_orphan(host, report_one, host);
}
