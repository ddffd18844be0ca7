/* SPDX-License-Identifier: Apache-2.0 */
#include "process_state.h"
#include "tap.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA_BYTES (64ull << 20)
#define STACK_BYTES (8ull << 20)

static void add(struct process_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct process_state *state, const char *format, ...)
{
    va_list arguments;

    if (state->count == PROCESS_LINES)
        tap_bail("more than %d lines of state", PROCESS_LINES);
    va_start(arguments, format);
    if (vasprintf(&state->lines[state->count++], format, arguments) < 0)
        tap_bail("no memory");
    va_end(arguments);
}

static void take_descriptors(struct process_state *state)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        char link[256];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);

        if (length < 0 || atoi(entry->d_name) == dirfd(folder))
            continue;
        link[length] = 0;
        add(state, "descriptor %s: %s", entry->d_name, link);
    }
    if (folder)
        closedir(folder);
}

unsigned process_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count - 3; /* ., .. and the folder itself */
}

static void take_signals(struct process_state *state)
{
    sigset_t mask;

    sigemptyset(&mask);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action = {.sa_handler = SIG_DFL};

        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            add(state, "signal %d is handled by %p", number, (void *)action.sa_handler);
        if (sigismember(&mask, number) == 1)
            add(state, "signal %d is blocked", number);
    }
}

static void take_process(struct process_state *state)
{
    char folder[256];
    mode_t mask = umask(0);

    umask(mask);
    add(state, "umask %o", mask);
    add(state, "working directory %s", getcwd(folder, sizeof folder));
    add(state, "children: %s",
        waitpid(-1, NULL, WNOHANG | WNOWAIT) < 0 && errno == ECHILD ? "none" : "some");
}

struct mapping {
    uint64_t start, end;
    char rights[8];
    char name[256];
};

static int is_arena(const struct mapping *m, const struct mapping *before)
{
    uint64_t home = m->start & ~(ARENA_BYTES - 1);

    return m->start == home || (before->start == home && before->end == m->start);
}

static int is_stack(const struct mapping *m, const struct mapping *before)
{
    return before->end == m->start && strcmp(before->rights, "---p") == 0 &&
           before->end - before->start == 4096;
}

static void take_mapping(struct process_state *state, const struct mapping *m,
                         const struct mapping *before)
{
    uint64_t bytes = m->end - m->start;

    if (m->name[0] == '[')
        return;
    if (m->name[0])
        add(state, "mapping %s %s, %llu bytes", m->rights, m->name, (unsigned long long)bytes);
    else if (is_arena(m, before) || (bytes == 4096 && strcmp(m->rights, "---p") == 0))
        return;
    else if (is_stack(m, before))
        state->anonymous_bytes += bytes > STACK_BYTES ? bytes - STACK_BYTES : 0;
    else
        state->anonymous_bytes += bytes;
}

static void take_mappings(struct process_state *state)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    struct mapping before = {0}, now;
    char line[512];

    while (maps && fgets(line, sizeof line, maps)) {
        memset(&now, 0, sizeof now);
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &now.start, &now.end, now.rights,
                   now.name) < 3)
            continue;
        take_mapping(state, &now, &before);
        before = now;
    }
    if (maps)
        fclose(maps);
}

static void take_resident(struct process_state *state)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");

    if (statm && fscanf(statm, "%*u %lu", &pages) == 1)
        state->resident_bytes = (uint64_t)pages * 4096;
    if (statm)
        fclose(statm);
}

void process_state_take(struct process_state *state)
{
    memset(state, 0, sizeof *state);
    take_mappings(state);
    take_descriptors(state);
    take_signals(state);
    take_process(state);
    take_resident(state);
}

void process_state_free(struct process_state *state)
{
    for (unsigned i = 0; i < state->count; i++)
        free(state->lines[i]);
    state->count = 0;
}

static unsigned count_line(const struct process_state *state, const char *line)
{
    unsigned count = 0;

    for (unsigned i = 0; i < state->count; i++)
        count += strcmp(state->lines[i], line) == 0;
    return count;
}

/* Each of the two handles of a host has a cache of Xen's library: four pages that it keeps when
 * that many were in use at a time (libxencall, buffer.c). How many that are depends on the threads.
 */
static int is_cached(const char *line, unsigned count)
{
    enum { CACHED_MOST = 2 * 4 };

    return strstr(line, "/dev/xen/hypercall, 4096 bytes") && count <= CACHED_MOST;
}

static unsigned print_missing(const struct process_state *from, const struct process_state *in,
                              const char *what)
{
    unsigned differences = 0;

    for (unsigned i = 0; i < from->count; i++) {
        unsigned count = count_line(from, from->lines[i]);
        if (count_line(in, from->lines[i]) >= count || is_cached(from->lines[i], count))
            continue;
        tap_note("%s: %s", what, from->lines[i]);
        differences++;
    }
    return differences;
}

unsigned process_state_compare(const struct process_state *before,
                               const struct process_state *after)
{
    return print_missing(before, after, "gone") + print_missing(after, before, "new");
}
