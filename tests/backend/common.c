/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "start.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FLAGS_RESERVED = 2, FLAGS_IOPL = 0x3000, PATIENCE_MS = 60000, PATIENCE_S = 150 };

const char *test_backend(void)
{
    const char *name = getenv("VSDK_TEST_BACKEND");
    return name ? name : "mock";
}

static struct machine *current;

vsdk_host *open_host(void)
{
    vsdk_host *host = NULL;

    alarm(PATIENCE_S); /* a test that hangs is killed and told */
    ok(vsdk_host_open(test_backend(), NULL, &host, E));
    return host;
}

void machine_make_on(struct machine *m, vsdk_host *host, const vsdk_vm_config *config)
{
    memset(m, 0, sizeof *m);
    m->host = host;
    current = m;
    ok(vsdk_vm_create(m->host, config, &m->vm, E));
    ok(vsdk_ram_create(m->vm, RAM_BYTES, NULL, &m->ram, E));
    ok(vsdk_vm_map(m->vm, 0, m->ram, 0, RAM_BYTES, 0, E));
    m->memory = vsdk_ram_data(m->ram);
    start_write_tables(m->memory);
}

void machine_make_bare(struct machine *m, const vsdk_vm_config *config)
{
    machine_make_on(m, open_host(), config);
}

void machine_add_vcpu(struct machine *m)
{
    ok(vsdk_vcpu_create(m->vm, 0, NULL, &m->vcpu, E));
    m->exit = vsdk_vcpu_record(m->vcpu);
    cr_assert(m->exit, "no exit record");
}

void machine_make_with(struct machine *m, const vsdk_vm_config *config)
{
    machine_make_bare(m, config);
    machine_add_vcpu(m);
}

void machine_make(struct machine *m)
{
    machine_make_with(m, NULL);
}

/* Only under AddressSanitizer. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void check_leaks(void)
{
    if (__lsan_do_recoverable_leak_check)
        cr_assert(__lsan_do_recoverable_leak_check() == 0, "memory was leaked");
}

void machine_end(struct machine *m)
{
    if (m->vm)
        ok(vsdk_vm_destroy(m->vm, E));
    vsdk_vcpu_close(m->vcpu);
    vsdk_ram_close(m->ram);
    vsdk_vm_close(m->vm);
    vsdk_host_close(m->host);
    memset(m, 0, sizeof *m);
    current = current == m ? NULL : current;
    check_leaks();
}

static vsdk_capability_info query(vsdk_host *host, vsdk_capability what)
{
    vsdk_capability_info info = {.size = sizeof info};
    ok(vsdk_host_query(host, what, &info, E));
    return info;
}

vsdk_answer capability(vsdk_host *host, vsdk_capability what)
{
    return query(host, what).answer;
}

uint64_t capability_value(vsdk_host *host, vsdk_capability what)
{
    return query(host, what).value;
}

void skip(vsdk_host *host, const char *reason)
{
    if (current && current->host == host)
        machine_end(current);
    else
        vsdk_host_close(host);
    cr_skip_test("%s", reason);
}

void need(vsdk_host *host, vsdk_capability what)
{
    vsdk_capability_info info = query(host, what);
    char reason[sizeof info.reason + 64];

    snprintf(reason, sizeof reason, "%s: %s", vsdk_capability_name(what), info.reason);
    if (info.answer == VSDK_ANSWER_NO)
        skip(host, reason);
}

int is_autonomous(vsdk_host *host)
{
    return capability(host, VSDK_CAPABILITY_AUTONOMOUS) == VSDK_ANSWER_YES;
}

int native_cpl(vsdk_host *host)
{
    return capability(host, VSDK_CAPABILITY_KERNEL_MODE) == VSDK_ANSWER_YES ? 0 : 3;
}

void machine_load(struct machine *m, const struct guest *guest, int cpl, const vsdk_x86_regs *regs)
{
    vsdk_x86_regs start = regs ? *regs : (vsdk_x86_regs){0};
    vsdk_x86_sregs sregs;

    start.rip = CODE;
    start.rsp = STACK;
    start.rflags = FLAGS_RESERVED | (cpl ? FLAGS_IOPL : 0);
    ok(vsdk_vm_write(m->vm, CODE, guest->code, (uint64_t)(guest->end - guest->code), E));
    ok(vsdk_vcpu_get_state(m->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    start_set_long_mode(&sregs, cpl);
    ok(vsdk_vcpu_set_state(m->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    ok(vsdk_vcpu_set_state(m->vcpu, VSDK_X86_REGS, &start, sizeof(vsdk_x86_regs), E));
}

void machine_start(struct machine *m, const struct guest *guest, const vsdk_x86_regs *regs)
{
    machine_load(m, guest, native_cpl(m->host), regs);
    ok(vsdk_vm_resume(m->vm, E));
}

const vsdk_exit *run(struct machine *m)
{
    do
        ok(vsdk_vcpu_run(m->vcpu, VSDK_FOREVER, E));
    while (m->exit->reason == VSDK_EXIT_KICKED);
    return m->exit;
}

static const vsdk_exit *run_to(struct machine *m, uint16_t port, vsdk_direction direction)
{
    const vsdk_exit *exit = run(m);

    cr_assert(exit->reason == VSDK_EXIT_PIO && exit->address == port &&
                  exit->direction == direction,
              "%s %s at %#llx instead of a %s at %#x (native %#llx, detail %#llx)",
              vsdk_exit_reason_name(exit->reason), vsdk_direction_name(exit->direction),
              (unsigned long long)exit->address, vsdk_direction_name(direction), port,
              (unsigned long long)exit->native, (unsigned long long)exit->detail);
    return exit;
}

const vsdk_exit *run_to_write(struct machine *m, uint16_t port)
{
    return run_to(m, port, VSDK_DIRECTION_WRITE);
}

const vsdk_exit *run_to_read(struct machine *m, uint16_t port)
{
    return run_to(m, port, VSDK_DIRECTION_READ);
}

uint64_t run_to_end(struct machine *m)
{
    return run_to_write(m, PORT_END)->value;
}

void answer(const vsdk_exit *exit, uint64_t value)
{
    uint8_t *to = (uint8_t *)(uintptr_t)exit->data;

    for (uint32_t i = 0; i < exit->count; i++)
        memcpy(to + (size_t)i * exit->width, &value, exit->width);
}

void machine_tell(struct machine *m, uint32_t what, uint32_t address, uint32_t value)
{
    answer(m->exit, what);
    answer(run_to_read(m, PORT_IN), address);
    answer(run_to_read(m, PORT_IN), value);
}

uint32_t machine_peek(struct machine *m, uint32_t address)
{
    machine_tell(m, 0, address, 0);
    uint32_t value = (uint32_t)run_to_write(m, PORT_OUT)->value;
    run_to_read(m, PORT_IN);
    return value;
}

void machine_poke(struct machine *m, uint32_t address, uint32_t value)
{
    machine_tell(m, 1, address, value);
    run_to_read(m, PORT_IN);
}

static void *runner_main(void *argument)
{
    struct runner *runner = argument;
    vsdk_exit *exit = vsdk_vcpu_record(runner->vcpu);

    for (;;) {
        runner->status = vsdk_vcpu_run(runner->vcpu, VSDK_FOREVER, NULL);
        if (runner->status != VSDK_OK)
            break;
        runner->last = *exit;
        if (exit->reason == VSDK_EXIT_KICKED && runner->until_kicked)
            break;
        if (exit->flags & VSDK_EXIT_TERMINAL)
            break;
        if (exit->reason != VSDK_EXIT_KICKED &&
            (!runner->on_exit || !runner->on_exit(runner, exit)))
            break;
    }
    return NULL;
}

void runner_start(struct runner *runner)
{
    cr_assert(pthread_create(&runner->thread, NULL, runner_main, runner) == 0);
}

void runner_join(struct runner *runner)
{
    cr_assert(pthread_join(runner->thread, NULL) == 0);
}

void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

void wait_for(int (*holds)(void *), void *user, const char *what)
{
    for (unsigned ms = 0; !holds(user); ms++) {
        cr_assert(ms < PATIENCE_MS, "waited in vain for %s", what);
        sleep_ms(1);
    }
}

struct wanted {
    void *object;
    uint32_t state;
};

static int vcpu_is(void *user)
{
    struct wanted *wanted = user;
    vsdk_vcpu_phase state;

    ok(vsdk_vcpu_get_phase(wanted->object, &state, E));
    return state == wanted->state;
}

void wait_for_vcpu(vsdk_vcpu *vcpu, vsdk_vcpu_phase state)
{
    wait_for(vcpu_is, &(struct wanted){vcpu, state}, vsdk_vcpu_phase_name(state));
}

vsdk_vm_state vm_state(vsdk_vm *vm)
{
    vsdk_vm_info info = {.size = sizeof info};
    ok(vsdk_vm_get_info(vm, &info, E));
    return info.state;
}

static int vm_is(void *user)
{
    struct wanted *wanted = user;
    return vm_state(wanted->object) == wanted->state;
}

void wait_for_vm(vsdk_vm *vm, vsdk_vm_state state)
{
    wait_for(vm_is, &(struct wanted){vm, state}, vsdk_vm_state_name(state));
}

vsdk_loop *loop_of(vsdk_vm *vm)
{
    vsdk_loop *loop = vsdk_vm_loop(vm, E);

    cr_assert(loop, "%s", test_error.message);
    return loop;
}

void dispatch_all(vsdk_vm *vm)
{
    uint32_t count;

    do
        ok(vsdk_loop_dispatch(loop_of(vm), 0, &count, E));
    while (count);
}

vsdk_device *make_device(vsdk_vm *vm, const vsdk_device_ops *ops, void *user, uint32_t flags)
{
    vsdk_device_config config = {.size = sizeof config, .flags = flags, .name = "test"};
    vsdk_device *device = NULL;

    ok(vsdk_device_create(vm, ops, user, &config, &device, E));
    return device;
}

void no_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    (void)user, (void)vm, (void)gsi, (void)level;
}
