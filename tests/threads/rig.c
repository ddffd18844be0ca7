/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include "start.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_NS 60000000000ull

enum { FLAGS_RESERVED = 2, FLAGS_IOPL = 0x3000, STEP_US = 100 };

__thread vsdk_error rig_error;

void rig_must(vsdk_status status, const char *call, const char *file, int line)
{
    if (status != VSDK_OK)
        tap_bail("%s:%d: %s: %s: %s: %s", file, line, call, vsdk_status_name(status),
                 rig_error.operation, rig_error.message);
}

const char *rig_backend(void)
{
    const char *name = getenv("VSDK_TEST_BACKEND");
    return name ? name : "mock";
}

enum place rig_place(void)
{
    const char *name = rig_backend();

    if (strcmp(name, "mock") == 0)
        return PLACE_MOCK;
    if (strcmp(name, "mock-autonomous") == 0)
        return PLACE_AUTONOMOUS;
    if (strcmp(name, "xen") == 0)
        return PLACE_XEN;
    return getenv("VSDK_LAB") ? PLACE_LAB_KVM : PLACE_HOST_KVM;
}

uint32_t rig_scale(void)
{
    const char *scale = getenv("VSDK_TEST_SCALE");
    unsigned long times = scale ? strtoul(scale, NULL, 10) : 1;

    return times ? (uint32_t)times : 1;
}

uint32_t rig_seed(uint32_t stream)
{
    const char *seed = getenv("VSDK_TEST_SEED");

    return (seed ? (uint32_t)strtoul(seed, NULL, 10) : 1) * 2654435761u + stream;
}

uint32_t rig_random(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % below;
}

uint32_t rig_most(const struct sizes *sizes)
{
    return (UNDER_SANITIZER ? sizes->sanitized : sizes->plain)[rig_place()];
}

uint32_t rig_size(const struct sizes *sizes)
{
    return rig_most(sizes) * rig_scale();
}

vsdk_host *rig_host(void)
{
    vsdk_host *host = NULL;

    must(vsdk_host_open(rig_backend(), NULL, &host, E));
    return host;
}

int rig_can(vsdk_host *host, vsdk_capability what)
{
    vsdk_capability_info info = {.size = sizeof info};

    must(vsdk_host_query(host, what, &info, E));
    return info.answer != VSDK_ANSWER_NO;
}

static int native_cpl(vsdk_host *host)
{
    vsdk_capability_info info = {.size = sizeof info};

    must(vsdk_host_query(host, VSDK_CAPABILITY_KERNEL_MODE, &info, E));
    return info.answer == VSDK_ANSWER_YES ? 0 : 3;
}

void rig_load(struct rig *rig, const struct guest *guest, int cpl)
{
    vsdk_x86_regs regs = {
        .rip = CODE, .rsp = STACK, .rbx = MMIO, .rflags = FLAGS_RESERVED | (cpl ? FLAGS_IOPL : 0)};
    vsdk_x86_sregs sregs;

    start_write_tables(rig->memory);
    memcpy(rig->memory + CODE, guest->code, (size_t)(guest->end - guest->code));
    must(vsdk_vcpu_get_state(rig->vcpus[0], VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    start_set_long_mode(&sregs, cpl);
    must(vsdk_vcpu_set_state(rig->vcpus[0], VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    must(vsdk_vcpu_set_state(rig->vcpus[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
}

void rig_make(struct rig *rig, vsdk_host *host, unsigned vcpus, const struct guest *guest,
              int native)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = vcpus, .memory_max = 16u << 20};

    memset(rig, 0, sizeof *rig);
    must(vsdk_vm_create(host, &config, &rig->vm, E));
    must(vsdk_ram_create(rig->vm, RAM_BYTES, NULL, &rig->ram, E));
    must(vsdk_vm_map(rig->vm, 0, rig->ram, 0, RAM_BYTES, 0, E));
    rig->memory = vsdk_ram_data(rig->ram);
    for (unsigned i = 0; i < vcpus; i++)
        must(vsdk_vcpu_create(rig->vm, i, NULL, &rig->vcpus[i], E));
    rig_load(rig, guest, native ? native_cpl(host) : 0);
}

void rig_second(struct rig *rig, const struct guest *guest)
{
    memcpy(rig->memory + SECOND_CODE, guest->code, (size_t)(guest->end - guest->code));
}

void rig_end(struct rig *rig)
{
    must(vsdk_vm_destroy(rig->vm, E));
    for (unsigned i = 0; i < RIG_VCPUS; i++)
        vsdk_vcpu_close(rig->vcpus[i]);
    vsdk_ram_close(rig->ram);
    vsdk_vm_close(rig->vm);
    memset(rig, 0, sizeof *rig);
}

static void *runner_main(void *argument)
{
    struct runner *runner = argument;
    vsdk_exit *exit = vsdk_vcpu_record(runner->vcpu);

    while (!atomic_load(&runner->stop)) {
        runner->status = vsdk_vcpu_run(runner->vcpu, VSDK_FOREVER, E);
        if (runner->status != VSDK_OK)
            break;
        runner->last = *exit;
        if (exit->flags & VSDK_EXIT_TERMINAL)
            break;
        if (exit->reason == VSDK_EXIT_KICKED) {
            atomic_fetch_add(&runner->kicked, 1);
            continue;
        }
        if (runner->on_exit)
            runner->on_exit(runner, exit);
        atomic_fetch_add(&runner->exits, 1);
    }
    return NULL;
}

void runner_start(struct runner *runner)
{
    atomic_store(&runner->stop, 0);
    thread_start(&runner->thread, runner_main, runner);
}

void runner_join(struct runner *runner)
{
    thread_join(runner->thread);
}

void runner_stop(struct runner *runner)
{
    atomic_store(&runner->stop, 1);
    vsdk_vcpu_kick(runner->vcpu, NULL);
    runner_join(runner);
}

void thread_start(pthread_t *thread, void *(*main)(void *), void *argument)
{
    if (pthread_create(thread, NULL, main, argument) != 0)
        tap_bail("no thread");
}

void thread_join(pthread_t thread)
{
    if (pthread_join(thread, NULL) != 0)
        tap_bail("a thread can't be joined");
}

void rig_sleep_us(unsigned us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L}, NULL);
}

uint64_t rig_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void rig_wait(_Atomic uint64_t *word, uint64_t value, const char *what)
{
    uint64_t end = rig_now_ns() + PATIENCE_NS * rig_scale();

    while (atomic_load(word) < value) {
        if (rig_now_ns() > end)
            tap_bail("waited in vain for %s", what);
        rig_sleep_us(STEP_US);
    }
}
