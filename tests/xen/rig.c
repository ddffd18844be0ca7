/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include "base/sys.h"
#include <stdio.h>
#include <string.h>

const backend_ops *vsdk_backend_module(const core_table *core);

const backend_ops *rig_ops;
vsdk_error rig_error;
char rig_log[1024];
char rig_console[16384];
size_t rig_console_length;

static void on_log(backend_host *host, vsdk_log_level level, const char *text)
{
    char old[sizeof rig_log];

    if (level > VSDK_LOG_WARNING)
        return;
    memcpy(old, rig_log, sizeof old);
    snprintf(rig_log, sizeof rig_log, "%.250s\n%.700s", text, old);
}

static vsdk_status gate(backend_vm *vm, uint64_t gpa, void *buffer, uint64_t length, int write)
{
    struct rig *rig = (struct rig *)((char *)vm - offsetof(struct rig, vm));
    uint8_t *memory = rig->ram.memory;

    if (gpa > RAM_BYTES || length > RAM_BYTES - gpa)
        return VSDK_ERROR_RANGE;
    memcpy(write ? memory + gpa : buffer, write ? buffer : memory + gpa, length);
    return VSDK_OK;
}

static vsdk_status gate_read(backend_vm *vm, uint64_t gpa, void *to, uint64_t length)
{
    return gate(vm, gpa, to, length, 0);
}

static vsdk_status gate_write(backend_vm *vm, uint64_t gpa, const void *from, uint64_t length)
{
    return gate(vm, gpa, (void *)(uintptr_t)from, length, 1);
}

static const core_table core = {.size = sizeof core,
                                .abi = BACKEND_ABI,
                                .log = on_log,
                                .gate_read = gate_read,
                                .gate_write = gate_write};

void rig_init(void)
{
    rig_ops = vsdk_backend_module(&core);
    fake_reset();
}

void rig_prepare(struct rig *rig)
{
    fake_reset();
    rig_log[0] = 0;
    rig_console_length = 0;
    memset(rig, 0, sizeof *rig);
    rig->host = (backend_host){.ops = rig_ops, .core = &core};
    rig->vm.host = &rig->host;
    rig->vm.config = (vsdk_vm_config){.size = sizeof rig->vm.config,
                                      .vcpus_max = FAKE_VCPUS,
                                      .irqchip = VSDK_IRQCHIP_KERNEL,
                                      .memory_max = 1 << 30};
    rig->vm.vcpus = rig->list;
    rig->ram = (backend_ram){.vm = &rig->vm, .bytes = RAM_BYTES};
    rig->rom = (backend_ram){.vm = &rig->vm, .bytes = ROM_BYTES};
    rig->slot = (backend_slot){.ram = &rig->ram, .length = RAM_BYTES};
    rig->rom_slot = (backend_slot){
        .ram = &rig->rom, .gpa = ROM_AT, .length = ROM_BYTES, .flags = VSDK_MAP_READONLY};
    rig->vcpu = (backend_vcpu){.vm = &rig->vm, .exit = &rig->exit};
    rig->list[0] = &rig->vcpu;
}

int rig_begin(struct rig *rig)
{
    rig_prepare(rig);
    return rig_start(rig);
}

int rig_start(struct rig *rig)
{
    vsdk_host_config config = {.size = sizeof config};
    vsdk_status status = rig_ops->host_open(&rig->host, &config, &rig_error);
    if (!status)
        status = rig_ops->vm_create(&rig->vm, &rig_error);
    if (!status)
        status = rig_ops->ram_create(&rig->ram, &rig_error);
    if (!status)
        status = rig_ops->vm_map(&rig->vm, &rig->slot, &rig_error);
    if (!status)
        status = rig_ops->vcpu_create(&rig->vcpu, &rig_error);
    if (!status)
        status = rig_ops->vm_resume(&rig->vm, &rig_error);
    check(status == VSDK_OK, "%s: %s", rig_error.operation, rig_error.message);
    return status == VSDK_OK;
}

void rig_end(struct rig *rig)
{
    if (rig->vm.data)
        rig_ops->vm_destroy(&rig->vm);
    if (rig->vcpu.data)
        rig_ops->vcpu_destroy(&rig->vcpu);
    if (rig->ram.memory)
        rig_ops->ram_free(&rig->ram);
    if (rig->rom.memory)
        rig_ops->ram_free(&rig->rom);
    if (rig->vm.data)
        rig_ops->vm_free(&rig->vm);
    if (rig->host.data)
        rig_ops->host_close(&rig->host);
}

void rig_check_nothing_left(const char *what)
{
    check(fake.handles == 0, "%s: %u handles are left", what, fake.handles);
    check(fake.free_pages == FAKE_FREE_PAGES, "%s: %lld pages are left", what,
          FAKE_FREE_PAGES - (long long)fake.free_pages);
}

struct fake_domain *rig_domain(const struct rig *rig)
{
    return fake_find((uint32_t)rig->vm.domain);
}

/* What core does of it between exits, and at the end. */
static void take_console(struct rig *rig)
{
    uint64_t got;

    rig->vm.console_due = 0;
    do {
        got = rig_ops->console_output(&rig->vm, rig_console + rig_console_length,
                                      sizeof rig_console - rig_console_length);
        rig_console_length += got;
    } while (got);
}

const vsdk_exit *rig_run(struct rig *rig, unsigned ms)
{
    rig->vcpu.deadline_ns = sys_clock() + ms * 1000000ull;
    if (rig_ops->vcpu_run(&rig->vcpu, &rig_error))
        rig->exit = (vsdk_exit){.reason = VSDK_EXIT_NONE};
    else if (rig->vm.console_due || rig->exit.flags & VSDK_EXIT_TERMINAL)
        take_console(rig);
    return &rig->exit;
}
