/* SPDX-License-Identifier: Apache-2.0 */
/* What everything stands on: allocation, records, errors, readers, the process, calls of the
 * system. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/process.h"
#include "base/readers.h"
#include "base/record.h"
#include "base/sys.h"
#include "base/topology_x86_64.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

Test(base, an_error_says_everything)
{
    vsdk_error e;

    cr_assert_eq(error_set(&e, VSDK_ERROR_LIMIT, "op", "%d of %s", 3, "things"), VSDK_ERROR_LIMIT);
    cr_assert_eq(e.code, VSDK_ERROR_LIMIT);
    cr_assert_eq(e.os_errno, 0);
    cr_assert_str_eq(e.operation, "op");
    cr_assert_str_eq(e.message, "3 of things");
    cr_assert_str_eq(e.hint, "");
    cr_assert_eq(error_hint(&e, VSDK_ERROR_LIMIT, "try %d", 2), VSDK_ERROR_LIMIT);
    cr_assert_str_eq(e.hint, "try 2");
    cr_assert_str_eq(e.message, "3 of things");
    error_set_errno(&e, VSDK_ERROR_PERMISSION, EACCES, "open", "no way in");
    cr_assert_eq(e.os_errno, EACCES);
    cr_assert_str_eq(e.message, "no way in: Permission denied");
    cr_assert_str_eq(e.hint, "");
    error_set_errno(&e, VSDK_ERROR_SYSTEM, 4000, "x", "odd");
    cr_assert_str_eq(e.message, "odd: error 4000");
}

Test(base, a_null_record_is_fine)
{
    cr_assert_eq(error_set(NULL, -3, "op", "text"), -3);
    cr_assert_eq(error_set_errno(NULL, -4, 1, "op", "text"), -4);
    cr_assert_eq(error_hint(NULL, -5, "text"), -5);
    cr_assert_eq(error_null(NULL, "op", "vm"), VSDK_ERROR_INVALID_ARGUMENT);
}

static int is_whole(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
        if (*p >= 0x80 && *p < 0xc0)
            return 0;
        for (p++; more; more--, p++)
            if ((*p & 0xc0) != 0x80)
                return 0;
    }
    return 1;
}

Test(base, texts_are_cut_between_characters)
{
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7"};
    vsdk_error e;

    for (unsigned c = 0; c < 4; c++)
        for (unsigned shift = 0; shift < 4; shift++) {
            char text[1024] = "";
            memset(text, 'x', shift);
            for (unsigned i = 0; i < 120; i++)
                strcat(text, characters[c]);
            error_set(&e, -1, text, "%s%s", text, text);
            error_hint(&e, -1, "%s%s", text, text);
            cr_assert(is_whole(e.operation) && is_whole(e.message) && is_whole(e.hint));
            cr_assert_geq(strlen(e.operation), sizeof e.operation - 4);
            cr_assert(strlen(e.message) > 230);
        }
    error_set_errno(&e, -1, ENOENT, "op", "%255s", "");
    cr_assert_eq(strlen(e.message), 255u);
}

struct sample {
    uint32_t size, flags;
    uint64_t a, b;
};

Test(base, records_of_every_size)
{
    struct {
        struct sample known;
        uint64_t later;
    } given = {{sizeof given, 1, 5, 6}, 0};
    struct sample copy;
    vsdk_error e;

    cr_assert_eq(record_read(&copy, sizeof copy, NULL, 1, "op", &e), VSDK_OK);
    cr_assert(copy.size == sizeof copy && !copy.flags && !copy.a && !copy.b);
    cr_assert_eq(record_read(&copy, sizeof copy, &given, 1, "op", &e), VSDK_OK);
    cr_assert(copy.size == sizeof copy && copy.flags == 1 && copy.a == 5 && copy.b == 6);
    given.later = 1;
    cr_assert_eq(record_read(&copy, sizeof copy, &given, 1, "op", &e), VSDK_ERROR_UNSUPPORTED);
    given.known.size = 16;
    cr_assert_eq(record_read(&copy, sizeof copy, &given, 1, "op", &e), VSDK_OK);
    cr_assert(copy.size == sizeof copy && copy.a == 5 && copy.b == 0);
    cr_assert_eq(record_read(&copy, sizeof copy, &given, 2, "op", &e), VSDK_ERROR_INVALID_ARGUMENT);
    given.known.size = 7;
    cr_assert_eq(record_read(&copy, sizeof copy, &given, 1, "op", &e), VSDK_ERROR_INVALID_ARGUMENT);
}

Test(base, results_go_as_far_as_there_is_room)
{
    const struct sample result = {sizeof result, 0, 7, 8};
    struct {
        struct sample known;
        uint64_t later;
    } given = {{16, 9, 1, 2}, 3};

    cr_assert_eq(record_write(&given, &result, sizeof result, 24, "op", NULL),
                 VSDK_ERROR_INVALID_ARGUMENT);
    cr_assert(given.known.a == 1);
    cr_assert_eq(record_write(&given, &result, sizeof result, 16, "op", NULL), VSDK_OK);
    cr_assert(given.known.size == 16 && given.known.flags == 0 && given.known.a == 7);
    cr_assert(given.known.b == 2 && given.later == 3);
    given.known.size = sizeof given;
    cr_assert_eq(record_write(&given, &result, sizeof result, 24, "op", NULL), VSDK_OK);
    cr_assert(given.known.b == 8 && given.later == 0);
}

Test(base, a_forgotten_size_is_refused)
{
    const struct sample result = {sizeof result, 0, 7, 8};
    unsigned char given[RECORD_MOST + 8];
    const uint32_t sizes[] = {RECORD_MOST + 4, 0x55555555, UINT32_MAX};
    struct sample copy;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(given, 0, sizeof given);
        memcpy(given, &sizes[i], sizeof sizes[i]);
        given[sizeof given - 1] = 1;
        cr_assert_eq(record_write(given, &result, sizeof result, 16, "op", NULL),
                     VSDK_ERROR_INVALID_ARGUMENT);
        cr_assert_eq(record_read(&copy, sizeof copy, given, 0, "op", NULL),
                     VSDK_ERROR_INVALID_ARGUMENT);
        for (size_t at = sizeof sizes[i]; at < sizeof given; at++)
            cr_assert_eq(given[at], at == sizeof given - 1);
    }
}

Test(base, lengths_do_not_wrap)
{
    uint64_t out;

    cr_assert(checked_add(1, 2, &out) && out == 3);
    cr_assert(!checked_add(UINT64_MAX, 1, &out));
    cr_assert_eq(add_capped(1, 2), 3);
    cr_assert_eq(add_capped(UINT64_MAX - 1, 2), UINT64_MAX);
    cr_assert(checked_within(4, 0, 4) && checked_within(0, 4, 4));
    cr_assert(!checked_within(5, 0, 4) && !checked_within(1, UINT64_MAX, 4));
    cr_assert(ranges_overlap(0, 2, 1, 1) && !ranges_overlap(0, 1, 1, 1));
    cr_assert_null(alloc_array(SIZE_MAX, 2));
}

Test(base, memory_is_zeroed)
{
    for (size_t align = 16; align <= 4096; align *= 4) {
        unsigned char *memory = alloc_aligned(align, 100);
        cr_assert_eq((uintptr_t)memory % align, 0u);
        for (unsigned i = 0; i < 100; i++)
            cr_assert_eq(memory[i], 0);
        alloc_free(memory);
    }
}

Test(base, descriptors_are_high_and_do_not_outlive_exec)
{
    int kept = dup(0);

    close(0);
    int opened = sys_open("/dev/null", O_RDWR), event = sys_eventfd(), copy = sys_dup(opened);
    int high = sys_high(open("/dev/null", O_RDONLY));
    dup2(kept, 0);
    close(kept);
    const int all[] = {opened, event, copy, high};
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_geq(all[i], 3);
        cr_assert(fcntl(all[i], F_GETFD) & FD_CLOEXEC);
        sys_close(all[i]);
    }
    cr_assert_eq(sys_open("/nonexistent", O_RDONLY), -ENOENT);
    cr_assert_eq(sys_high(-5), -5);
    sys_close(-1);
}

Test(base, eventfds_count)
{
    int fd = sys_eventfd();
    uint64_t value;

    cr_assert_eq(sys_eventfd_read(fd, &value), -EAGAIN);
    cr_assert_eq(sys_eventfd_write(fd, 2), 0);
    cr_assert_eq(sys_eventfd_write(fd, 3), 0);
    cr_assert_eq(sys_eventfd_read(fd, &value), 0);
    cr_assert_eq(value, 5u);
    sys_close(fd);
    cr_assert_eq(sys_eventfd_write(fd, 1), -EBADF);
}

Test(base, mappings_are_congruent)
{
    const size_t huge = 2 << 20;

    for (size_t phase = 0; phase < huge; phase += 0x71000) {
        char *memory = sys_map_anonymous(3 * 4096, huge, phase, PROT_READ | PROT_WRITE);
        cr_assert_not_null(memory);
        cr_assert_eq((uintptr_t)memory % huge, phase);
        memory[3 * 4096 - 1] = 1;
        sys_unmap(memory, 3 * 4096);
    }
    cr_assert_null(sys_map_anonymous(SIZE_MAX, 4096, 0, PROT_READ));
}

Test(base, a_futex_waits_for_its_word)
{
    _Atomic uint32_t word = 4;

    cr_assert_eq(sys_futex_wait(&word, 5, 0), -EAGAIN);
    cr_assert_eq(sys_futex_wait(&word, 4, sys_clock() + 1000000), -ETIMEDOUT);
    sys_futex_wake(&word);
}

static readers section;
static _Atomic(int *) shown;
static _Atomic unsigned finished, torn;

static void *reader(void *unused)
{
    while (!atomic_load(&finished)) {
        readers_token token = readers_enter(&section);
        readers_token nested = readers_enter(&section);
        if (*atomic_load(&shown) != 1)
            atomic_store(&torn, 1);
        readers_leave(nested);
        readers_leave(token);
    }
    return unused;
}

Test(base, a_writer_waits_for_readers)
{
    int values[2] = {1, 1};
    pthread_t threads[2];

    atomic_store(&shown, &values[0]);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, reader, NULL);
    for (unsigned i = 1; i < 2000; i++) {
        int *old = atomic_exchange(&shown, &values[i % 2]);
        readers_wait(&section);
        *(volatile int *)old = 0;
        *(volatile int *)old = 1;
    }
    atomic_store(&finished, 1);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert(!atomic_load(&torn));
}

/* A reader that looked at the phase long ago and enters only now has the new snapshot, and a count
 * that the writer before did not wait for: the next one does. */
static readers aged;

static void *wait_for_aged(void *unused)
{
    readers_wait(&aged);
    return unused;
}

Test(base, a_writer_waits_for_a_reader_of_either_phase, .timeout = 60)
{
    for (uint32_t phase = 0; phase < 2; phase++) {
        pthread_t thread;

        readers_init(&aged);
        readers_token late = &aged.stripes[0].count[phase];
        atomic_fetch_add(late, 1);
        cr_assert_eq(pthread_create(&thread, NULL, wait_for_aged, NULL), 0);
        while (!(atomic_load(late) & READERS_WAITED))
            sched_yield();
        readers_leave(late);
        pthread_join(thread, NULL);
        readers_destroy(&aged);
    }
}

static readers waited;
static _Atomic unsigned waiting_over;

static void *wait_for_readers(void *unused)
{
    readers_wait(&waited);
    atomic_store(&waiting_over, 1);
    return unused;
}

static int somebody_waits(void)
{
    for (unsigned i = 0; i < READERS_STRIPES; i++)
        for (unsigned phase = 0; phase < 2; phase++)
            if (atomic_load(&waited.stripes[i].count[phase]) & READERS_WAITED)
                return 1;
    return 0;
}

/* It sleeps until the last of them leaves, and who enters meanwhile is no one's business after. */
Test(base, a_writer_sleeps_until_readers_have_left)
{
    pthread_t thread;

    readers_init(&waited);
    readers_token first = readers_enter(&waited), second = readers_enter(&waited);
    pthread_create(&thread, NULL, wait_for_readers, NULL);
    while (!somebody_waits())
        sched_yield();
    readers_leave(first);
    usleep(1000);
    cr_assert(!atomic_load(&waiting_over));
    readers_leave(second);
    pthread_join(thread, NULL);
    cr_assert(atomic_load(&waiting_over) && !somebody_waits());
    readers_wait(&waited); /* nobody is inside */
    readers_token token = readers_enter(&waited);
    readers_leave(token);
    readers_wait(&waited);
    readers_destroy(&waited);
}

static int child_knows_itself(pid_t parent)
{
    return process_id() == (uint32_t)getpid() && process_id() != (uint32_t)parent;
}

/* Also for a fork that runs no handlers, and for the child of a child. */
Test(base, a_process_knows_itself_after_a_fork)
{
    pid_t self = getpid();
    int status = 1;

    cr_assert_eq(process_id(), (uint32_t)self);
    for (int raw = 0; raw < 2; raw++) {
        pid_t child = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
        if (!child) {
            int good = child_knows_itself(self), nested = 1;
            pid_t between = getpid(), grandchild = fork();
            if (!grandchild)
                _exit(!child_knows_itself(between));
            waitpid(grandchild, &nested, 0);
            _exit(!(good && !nested && process_id() == (uint32_t)between));
        }
        waitpid(child, &status, 0);
        cr_assert_eq(status, 0, "raw %d", raw);
        cr_assert_eq(process_id(), (uint32_t)self);
    }
}

static vsdk_x86_cpuid_entry leaf(uint32_t number, uint32_t subleaf, uint32_t index, uint32_t vcpus)
{
    vsdk_x86_cpuid_entry e = {.leaf = number,
                              .subleaf = subleaf,
                              .eax = 0x43,
                              .ebx = 0xaabbccdd,
                              .ecx = 1u << 22 | 0x30ff,
                              .edx = 7};

    topology_apply(&e, index, vcpus);
    return e;
}

Test(base, processors_are_cores_of_one_package)
{
    vsdk_x86_cpuid_entry e = leaf(1, 0, 3, 4);

    cr_assert_eq(e.ebx, 6u << 24 | 8u << 16 | 0xccdd);
    cr_assert(e.edx & 1u << 28);
    e = leaf(0xb, 1, 3, 4);
    cr_assert(!e.eax && !e.ebx && e.ecx == 1 && e.edx == 6);
    e = leaf(0x1f, 0, 126, 127);
    cr_assert_eq(e.edx, 252u);
    e = leaf(0x80000008, 0, 0, 4);
    cr_assert_eq(e.ecx, 1u << 22 | 3u << 12 | 7);
    e = leaf(0x80000001, 0, 0, 1);
    cr_assert(!(e.ecx & 1u << 22) && (e.ecx & 2));
    e = leaf(4, 3, 0, 4);
    cr_assert_eq(e.eax, 0x43 | 7u << 14 | 7u << 26);
    e = leaf(4, 0, 0, 127);
    cr_assert_eq(e.eax, 0x43 | 63u << 26);
    e = (vsdk_x86_cpuid_entry){
        .leaf = 4, .subleaf = 3, .eax = 0x60}; /* of type 0: no more caches */
    topology_apply(&e, 0, 4);
    cr_assert_eq(e.eax, 0x60);
    e = leaf(0x8000001e, 0, 2, 4);
    cr_assert(!e.eax && !e.ebx && !e.ecx && !e.edx);
    e = (vsdk_x86_cpuid_entry){.leaf = 7, .eax = 1};
    cr_assert(!topology_apply(&e, 0, 1));
}
