/* SPDX-License-Identifier: Apache-2.0 */
/* bench create|create-1000|exit|bus|exec [PAIRS]: figures of the bench table, one JSON object a
 * line; see tools/bench. exec takes the two programs to compare: bench exec PAIRS OURS RAW. bench
 * scale N WHAT BACKEND ROUNDS: see scale.h. only-exits and only-scale are for callgrind. */
#include "crowd.h"
#include "guest.h"
#include "ours.h"
#include "raw.h"
#include "scale.h"
#include "series.h"
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMORY = 128 << 20, EXITS = 300, BUS_EXITS = 200000 };

extern char **environ;

typedef struct pair {
    vsdk_host *host;
    raw_host raw_host;
    ours_vm ours;
    raw_vm raw, again;
    const char *program[2];
    uint64_t written;
} pair;

static void count_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    pair *p = user;
    p->written += access->value;
}

static void count_raw_write(void *user, uint16_t port, uint32_t value)
{
    pair *p = user;
    (void)port;
    p->written += value;
}

static void open_pair(pair *p)
{
    memset(p, 0, sizeof *p);
    p->host = ours_open("kvm");
    raw_open(&p->raw_host);
}

static void close_pair(pair *p)
{
    raw_close(&p->raw_host);
    vsdk_host_close(p->host);
}

static double create_ours(void *user)
{
    pair *p = user;
    double start = series_now_us();
    ours_create(&p->ours, p->host, MEMORY, GUEST_LONG);
    ours_run(&p->ours);
    ours_destroy(&p->ours);
    return series_now_us() - start;
}

static double create_raw(void *user)
{
    pair *p = user;
    double start = series_now_us();
    raw_create(&p->raw, &p->raw_host, MEMORY);
    raw_run(&p->raw, count_raw_write, p);
    raw_destroy(&p->raw);
    return series_now_us() - start;
}

/* A machine of this process stays open meanwhile: a kernel that sees its only one come and go all
 * the time does extra work, and in the lab may hang. */
static void bench_create(size_t pairs)
{
    pair p;
    raw_vm spare;
    open_pair(&p);
    raw_create(&spare, &p.raw_host, 2 << 20);
    series s = series_take(pairs, 10, create_ours, create_raw, create_raw, &p);
    series_print(&s, "us");
    series_free(&s);
    raw_destroy(&spare);
    close_pair(&p);
}

/* One more machine where 1,000 others are, ours beside ours and raw beside raw. */

enum { CROWD = 1000, CROWD_MEMORY = 64 << 10 };

static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void fill_ours(void *user)
{
    pair *p = user;
    raise_limits();
    p->host = ours_open("kvm");
    for (int i = 0; i < CROWD; i++) {
        ours_vm vm;
        ours_create(&vm, p->host, CROWD_MEMORY, GUEST_LONG);
        ours_run(&vm);
    }
}

static void fill_raw(void *user)
{
    pair *p = user;
    raise_limits();
    raw_open(&p->raw_host);
    for (int i = 0; i < CROWD; i++) {
        raw_vm vm;
        raw_create(&vm, &p->raw_host, CROWD_MEMORY);
        raw_run(&vm, count_raw_write, p);
    }
}

static double more_of(void *user, int which)
{
    return crowd_once((crowd *)user + which);
}

static double more_ours(void *user)
{
    return more_of(user, 0);
}

static double more_raw(void *user)
{
    return more_of(user, 1);
}

static double more_again(void *user)
{
    return more_of(user, 2);
}

static void bench_create_1000(size_t pairs)
{
    pair p = {0};
    crowd crowds[3] = {crowd_start(fill_ours, create_ours, &p),
                       crowd_start(fill_raw, create_raw, &p),
                       crowd_start(fill_raw, create_raw, &p)};
    series s = series_take(pairs, 3, more_ours, more_raw, more_again, crowds);
    series_print(&s, "us");
    series_free(&s);
    for (int i = 0; i < 3; i++)
        crowd_end(&crowds[i]);
}

static double exit_ours(void *user)
{
    pair *p = user;
    double start = series_now_us();
    ours_run(&p->ours);
    return (series_now_us() - start) / EXITS;
}

static double exits_of(raw_vm *vm, pair *p)
{
    double start = series_now_us();
    raw_run(vm, count_raw_write, p);
    return (series_now_us() - start) / EXITS;
}

static double exit_raw(void *user)
{
    return exits_of(&((pair *)user)->raw, user);
}

static double exit_again(void *user)
{
    return exits_of(&((pair *)user)->again, user);
}

static void open_exit_pair(pair *p)
{
    open_pair(p);
    ours_create(&p->ours, p->host, MEMORY, GUEST_LONG);
    ours_attach(&p->ours, count_write, p);
    ours_set_count(&p->ours, EXITS);
    raw_create(&p->raw, &p->raw_host, MEMORY);
    raw_set_count(&p->raw, EXITS);
    raw_create(&p->again, &p->raw_host, MEMORY);
    raw_set_count(&p->again, EXITS);
}

static void close_exit_pair(pair *p)
{
    ours_destroy(&p->ours);
    raw_destroy(&p->raw);
    raw_destroy(&p->again);
    close_pair(p);
}

static void bench_exit(size_t pairs)
{
    pair p;
    open_exit_pair(&p);
    series s = series_take(pairs, 10, exit_ours, exit_raw, exit_again, &p);
    series_print(&s, "us");
    series_free(&s);
    close_exit_pair(&p);
}

static double bus_ns(pair *p, ours_guest guest, uint64_t exits)
{
    ours_create(&p->ours, p->host, 2 << 20, guest);
    ours_attach(&p->ours, count_write, p);
    ours_set_count(&p->ours, exits);
    double start = series_thread_us();
    ours_run(&p->ours);
    double ns = (series_thread_us() - start) * 1e3 / exits;
    ours_destroy(&p->ours);
    return ns;
}

static double bus_with_exits(void *user)
{
    return bus_ns(user, GUEST_REAL, BUS_EXITS);
}

static double bus_without_exits(void *user)
{
    return bus_ns(user, GUEST_REAL_WITHOUT_EXITS, BUS_EXITS);
}

/* The interpreter's own time is taken off: the same loop with a NOP in the place of the OUT. */
static void bench_bus(size_t pairs)
{
    pair p = {.host = ours_open("mock")};
    series s = series_take(pairs, 2, bus_with_exits, bus_without_exits, bus_without_exits, &p);
    double difference = series_median_difference(&s);
    printf("{\"unit\": \"ns\", \"ours\": %.1f, \"raw\": null, \"runs\": %zu}\n", difference, pairs);
    series_free(&s);
    vsdk_host_close(p.host);
}

static pid_t start(const char *program, int out)
{
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *const argv[] = {(char *)program, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (posix_spawn(&pid, program, &actions, NULL, argv, environ) != 0) {
        perror(program);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static double first_byte(const char *program)
{
    int ends[2], status;
    char byte = 0;
    if (pipe2(ends, 0) != 0)
        abort();
    double begin = series_now_us();
    pid_t pid = start(program, ends[1]);
    close(ends[1]);
    ssize_t got = read(ends[0], &byte, 1);
    double took = series_now_us() - begin;
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (got != 1 || byte != GUEST_LETTER || status != 0) {
        fprintf(stderr, "%s wrote no byte, or ended with status %d\n", program, status);
        exit(1);
    }
    return took;
}

static double exec_ours(void *user)
{
    return first_byte(((pair *)user)->program[0]);
}

static double exec_raw(void *user)
{
    return first_byte(((pair *)user)->program[1]);
}

static void bench_exec(size_t pairs, const char *ours, const char *raw)
{
    pair p = {.program = {ours, raw}};
    series s = series_take(pairs, 10, exec_ours, exec_raw, exec_raw, &p);
    series_print(&s, "us");
    series_free(&s);
}

static void only_kvm_exits(int by_library, uint64_t exits)
{
    pair p;
    open_exit_pair(&p);
    ours_set_count(&p.ours, exits);
    raw_set_count(&p.raw, exits);
    if (by_library)
        ours_run(&p.ours);
    else
        raw_run(&p.raw, count_raw_write, &p);
    close_exit_pair(&p);
}

static void only_bus_exits(ours_guest guest, uint64_t exits)
{
    pair p = {.host = ours_open("mock")};
    bus_ns(&p, guest, exits);
    vsdk_host_close(p.host);
}

/* For callgrind and the count of ioctls: so many exits, and nothing else that grows with them. */
static int only_exits(uint64_t exits, const char *of)
{
    if (strcmp(of, "ours") == 0 || strcmp(of, "raw") == 0)
        only_kvm_exits(of[0] == 'o', exits);
    else if (strcmp(of, "bus") == 0 || strcmp(of, "nop") == 0)
        only_bus_exits(of[0] == 'b' ? GUEST_REAL : GUEST_REAL_WITHOUT_EXITS, exits);
    else
        return 2;
    return 0;
}

int main(int count, char **argument)
{
    size_t pairs = count > 2 ? strtoul(argument[2], NULL, 0) : 0;
    const char *what = count > 1 ? argument[1] : "";
    if (strcmp(what, "create") == 0)
        bench_create(pairs ? pairs : 300);
    else if (strcmp(what, "create-1000") == 0)
        bench_create_1000(pairs ? pairs : 100);
    else if (strcmp(what, "scale") == 0 && count == 6)
        return scale_time(argument[3], argument[4], pairs, strtoul(argument[5], NULL, 0));
    else if (strcmp(what, "only-scale") == 0 && count == 5)
        return scale_only(argument[3], pairs, strtoul(argument[4], NULL, 0));
    else if (strcmp(what, "exit") == 0)
        bench_exit(pairs ? pairs : 300);
    else if (strcmp(what, "bus") == 0)
        bench_bus(pairs ? pairs : 51);
    else if (strcmp(what, "exec") == 0 && count == 5)
        bench_exec(pairs, argument[3], argument[4]);
    else if (strcmp(what, "only-exits") == 0 && count == 4)
        return only_exits(pairs, argument[3]);
    else
        return 2;
    return 0;
}
