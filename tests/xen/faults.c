/* SPDX-License-Identifier: Apache-2.0 */
/* Each call that the backend makes to Xen's libraries fails in turn: the step in which it does says
 * so and changes nothing, so that the same step succeeds afterwards; or the call is one of those
 * that may fail. At the end nothing is left of the guest. */
#include "rig.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static vsdk_status open_host(struct rig *rig)
{
    vsdk_host_config config = {.size = sizeof config};
    return rig_ops->host_open(&rig->host, &config, &rig_error);
}

static vsdk_status create(struct rig *rig)
{
    return rig_ops->vm_create(&rig->vm, &rig_error);
}

static vsdk_status make_ram(struct rig *rig)
{
    vsdk_status status = rig_ops->ram_create(&rig->ram, &rig_error);

    if (!status)
        status = rig_ops->ram_create(&rig->rom, &rig_error);
    if (!status)
        *(uint32_t *)rig->rom.memory = 0x1111;
    return status;
}

static vsdk_status map(struct rig *rig)
{
    return rig_ops->vm_map(&rig->vm, &rig->slot, &rig_error);
}

static vsdk_status map_rom(struct rig *rig)
{
    vsdk_status status = rig_ops->vm_map(&rig->vm, &rig->rom_slot, &rig_error);

    check(*(uint32_t *)rig->rom.memory == 0x1111, "after %s failed the contents are lost",
          fake.failed);
    return status;
}

static vsdk_status make_vcpu(struct rig *rig)
{
    return rig_ops->vcpu_create(&rig->vcpu, &rig_error);
}

static vsdk_status resume(struct rig *rig)
{
    return rig_ops->vm_resume(&rig->vm, &rig_error);
}

static vsdk_status pause_guest(struct rig *rig)
{
    return rig_ops->vm_pause(&rig->vm, &rig_error);
}

static vsdk_status run_to_access(struct rig *rig)
{
    fake_request(
        rig_domain(rig), 0,
        (struct ioreq){
            .type = IOREQ_TYPE_PIO, .addr = 0xcf8, .size = 4, .count = 1, .data = 1u << 31});
    const vsdk_exit *exit = rig_run(rig, PATIENCE_MS);
    check(exit->reason == VSDK_EXIT_PIO, "after %s failed run gives %u", fake.failed, exit->reason);
    return VSDK_OK;
}

static vsdk_status registers(struct rig *rig)
{
    vsdk_x86_regs regs;
    vsdk_status status = rig_ops->vcpu_get_regs(&rig->vcpu, &regs, &rig_error);

    return status ? status : rig_ops->vcpu_set_regs(&rig->vcpu, &regs, &rig_error);
}

static vsdk_status other_registers(struct rig *rig)
{
    vsdk_x86_sregs sregs;
    vsdk_status status = rig_ops->vcpu_get_sregs(&rig->vcpu, &sregs, &rig_error);

    return status ? status : rig_ops->vcpu_set_sregs(&rig->vcpu, &sregs, &rig_error);
}

static vsdk_status floating(struct rig *rig)
{
    vsdk_x86_fpu fpu;
    vsdk_status status = rig_ops->vcpu_get_fpu(&rig->vcpu, &fpu, &rig_error);

    return status ? status : rig_ops->vcpu_set_fpu(&rig->vcpu, &fpu, &rig_error);
}

/* The access that was shown is answered, and nothing comes after it. */
static vsdk_status answer(struct rig *rig)
{
    rig->vcpu.requests = REQUEST_HOLD;
    check(rig_run(rig, PATIENCE_MS)->reason == VSDK_EXIT_KICKED, "no answer");
    rig->vcpu.requests = 0;
    check(rig_domain(rig)->requests[0].state == STATE_IORESP_READY, "the guest waits");
    return VSDK_OK;
}

static vsdk_status line(struct rig *rig)
{
    vsdk_status status = rig_ops->irq_set_line(&rig->vm, 5, 1, &rig_error);

    return status ? status : rig_ops->irq_set_line(&rig->vm, 20, 1, &rig_error);
}

static vsdk_status message(struct rig *rig)
{
    return rig_ops->vm_send_msi(&rig->vm, 0xfee00000, 0x41, &rig_error);
}

static vsdk_status nmi(struct rig *rig)
{
    return rig_ops->vcpu_inject_nmi(&rig->vcpu, &rig_error);
}

static vsdk_status protect(struct rig *rig)
{
    vsdk_status status = rig_ops->vm_protect(&rig->vm, &rig->rom_slot, 0, &rig_error);

    if (status)
        return status;
    return rig_ops->vm_protect(&rig->vm, &rig->rom_slot, VSDK_MAP_READONLY, &rig_error);
}

static vsdk_status unmap_rom(struct rig *rig)
{
    vsdk_status status = rig_ops->vm_unmap(&rig->vm, &rig->rom_slot, &rig_error);

    check(*(uint32_t *)rig->rom.memory == 0x1111, "after %s failed the contents are lost",
          fake.failed);
    return status;
}

static vsdk_status reset(struct rig *rig)
{
    vsdk_status status = rig_ops->vm_reset(&rig->vm, &rig_error);

    check(status || !rig_domain(rig)->shut, "after %s failed the reset domain has ended",
          fake.failed);
    return status;
}

static vsdk_status orphans(struct rig *rig)
{
    uint32_t needed;
    return rig_ops->host_list_orphans(&rig->host, NULL, 0, &needed, &rig_error);
}

static vsdk_status end(struct rig *rig)
{
    fake_shut(rig_domain(rig), 0);
    const vsdk_exit *exit = rig_run(rig, PATIENCE_MS);
    check(exit->reason == VSDK_EXIT_POWEROFF, "after %s failed the end is not seen: %u %llu",
          fake.failed, exit->reason, (unsigned long long)exit->detail);
    return VSDK_OK;
}

static const struct step {
    const char *name;
    vsdk_status (*run)(struct rig *);
} steps[] = {
    {"open", open_host},
    {"create", create},
    {"ram", make_ram},
    {"map", map},
    {"map read-only", map_rom},
    {"vcpu", make_vcpu},
    {"resume", resume},
    {"run", run_to_access},
    {"registers", registers},
    {"answer", answer},
    {"pause", pause_guest},
    {"sregs", other_registers},
    {"fpu", floating},
    {"resume", resume},
    {"line", line},
    {"message", message},
    {"nmi", nmi},
    {"protect", protect},
    {"unmap", unmap_rom},
    {"orphans", orphans},
    {"reset", reset},
    {"resume", resume},
    {"end", end},
};

/* What may fail without a word, and what happens instead. */
static const struct optional {
    const char *call, *instead;
} optional[] = {
    {"xenevtchn_bind_virq", "ends of guests are polled for"},
    {"xenevtchn_pending", "the event is looked at again"},
    {"xenevtchn_unmask", "the channel of a guest that is gone"},
    {"xenevtchn_notify", "the channel of a guest that is gone"},
    {"xc_domain_decrease_reservation", "the page is the guest's until its end"},
    {"xc_domain_setmaxmem", "the old limit, after unmap"},
    {"xc_set_paging_mempool_size", "the old pool, after unmap"},
    {"xendevicemodel_set_mem_type", "the pages go away with their kind"},
    {"xc_domain_populate_physmap", "small pages"},
    {"xc_domain_getinfolist", "asked again, or a word in the log"},
    {"xc_vcpu_getinfo", "a power-off is told where all have halted"},
    {"xc_domain_destroy", "a word in the log"},
    {"xenevtchn_open", "ends of guests are polled for"},
};

static int is_optional(const char *call)
{
    for (unsigned i = 0; i < sizeof optional / sizeof *optional; i++)
        if (strcmp(optional[i].call, call) == 0)
            return 1;
    return 0;
}

/* These tell no errno. */
static int allocates(const char *call)
{
    return strcmp(call, "xc_cpu_policy_init") == 0 || strcmp(call, "xencall_alloc_buffer") == 0;
}

static int loses_the_domain(void)
{
    return fake.failed && fake.destroyed == 0 && strstr(rig_log, "was not destroyed");
}

static void do_step(struct rig *rig, const struct step *step, unsigned *errors)
{
    memset(&rig_error, 0, sizeof rig_error);
    vsdk_status status = step->run(rig);
    if (!status)
        return;
    (*errors)++;
    check(fake.failed, "%s fails without a fault: %s: %s", step->name, rig_error.operation,
          rig_error.message);
    check(rig_error.code == status && rig_error.operation[0] && rig_error.message[0],
          "%s in %s: no error is told", fake.failed, step->name);
    check(!rig_error.os_errno || rig_error.os_errno == fake.error || allocates(fake.failed),
          "%s in %s: errno %d", fake.failed, step->name, rig_error.os_errno);
    status = step->run(rig);
    check(!status, "%s in %s: the second time too: %s: %s", fake.failed, step->name,
          rig_error.operation, rig_error.message);
}

/* Returns how many calls were made. */
static unsigned live(unsigned fail, int error)
{
    struct rig rig;
    unsigned errors = 0;

    rig_prepare(&rig);
    fake.fail = fail;
    fake.error = error;
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
        do_step(&rig, &steps[i], &errors);
    rig_end(&rig);
    if (!fake.failed) {
        rig_check_nothing_left("without a fault");
        return fake.calls;
    }
    check(errors || is_optional(fake.failed), "%s (call %u) fails and nobody tells", fake.failed,
          fail);
    if (!loses_the_domain())
        rig_check_nothing_left(fake.failed);
    else
        check(fake.handles == 0, "%s: %u handles are left", fake.failed, fake.handles);
    return fake.calls;
}

static void each_call_fails(void)
{
    static const int errors[] = {ENOMEM, EPERM, EINVAL};
    unsigned calls = live(0, 0);

    tap_note("%u calls", calls);
    for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
        for (unsigned number = 1; number <= calls; number++)
            live(number, errors[i]);
}

int main(void)
{
    static const struct tap_test tests[] = {{"each call to Xen fails in turn", each_call_fails}};

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
