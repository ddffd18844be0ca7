/* SPDX-License-Identifier: Apache-2.0 */
#include "cycle.h"
#include "start.h"
#include <string.h>

enum { THREADS = 8, HOST_EVERY = 16 };

static vsdk_status make(struct cycle *cycle, vsdk_host *host, vsdk_error *error)
{
    vsdk_vm_config config = {.size = sizeof config, .memory_max = 16u << 20};
    vsdk_status status = vsdk_vm_create(host, &config, &cycle->vm, error);

    if (!status)
        status = vsdk_ram_create(cycle->vm, RAM_BYTES, NULL, &cycle->ram, error);
    if (!status)
        status = vsdk_vm_map(cycle->vm, 0, cycle->ram, 0, RAM_BYTES, 0, error);
    if (!status)
        status = vsdk_vcpu_create(cycle->vm, 0, NULL, &cycle->vcpu, error);
    return status;
}

static vsdk_status load(struct cycle *cycle, vsdk_error *error)
{
    static const uint8_t code[] = {0xe6, PORT_OUT, 0xf4}; /* out %al, $PORT_OUT; hlt */
    vsdk_x86_regs regs = {.rip = CODE, .rsp = STACK, .rflags = 2};
    vsdk_x86_sregs sregs;
    uint8_t *memory = vsdk_ram_data(cycle->ram);
    vsdk_status status =
        vsdk_vcpu_get_state(cycle->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);

    if (status)
        return status;
    start_write_tables(memory);
    memcpy(memory + CODE, code, sizeof code);
    start_set_long_mode(&sregs, 0);
    status =
        vsdk_vcpu_set_state(cycle->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);
    return status ? status
                  : vsdk_vcpu_set_state(cycle->vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs),
                                        error);
}

static vsdk_status run(struct cycle *cycle, vsdk_error *error)
{
    vsdk_exit *exit = vsdk_vcpu_record(cycle->vcpu);
    vsdk_status status = vsdk_vm_resume(cycle->vm, error);

    do
        status = status ? status : vsdk_vcpu_run(cycle->vcpu, VSDK_FOREVER, error);
    while (!status && exit->reason == VSDK_EXIT_KICKED);
    if (!status)
        check(exit->reason == VSDK_EXIT_PIO && exit->address == PORT_OUT, "%s at %llx",
              vsdk_exit_reason_name(exit->reason), (unsigned long long)exit->address);
    return status;
}

vsdk_status cycle_begin(struct cycle *cycle, vsdk_host *host, vsdk_error *error)
{
    memset(cycle, 0, sizeof *cycle);
    vsdk_status status = make(cycle, host, error);

    if (!status)
        status = load(cycle, error);
    return status ? status : run(cycle, error);
}

void cycle_end(struct cycle *cycle)
{
    if (cycle->vm)
        must(vsdk_vm_destroy(cycle->vm, E));
    vsdk_vcpu_close(cycle->vcpu);
    vsdk_ram_close(cycle->ram);
    vsdk_vm_close(cycle->vm);
}

struct worker {
    vsdk_host *shared;
    uint32_t cycles;
    pthread_t thread;
};

static void *worker(void *argument)
{
    struct worker *worker = argument;
    vsdk_host *own = NULL;

    for (uint32_t i = 0; i < worker->cycles; i++) {
        struct cycle cycle;

        if (!worker->shared && i % HOST_EVERY == 0) {
            vsdk_host_close(own);
            own = rig_host();
        }
        must(cycle_begin(&cycle, worker->shared ? worker->shared : own, E));
        cycle_end(&cycle);
    }
    vsdk_host_close(own);
    return NULL;
}

void cycles_from_threads(vsdk_host *host, uint32_t cycles)
{
    struct worker workers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.shared = i < THREADS / 2 ? host : NULL,
                                     .cycles = cycles / THREADS + (i < cycles % THREADS)};
        thread_start(&workers[i].thread, worker, &workers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(workers[i].thread);
}
