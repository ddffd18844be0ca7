/* SPDX-License-Identifier: Apache-2.0 */
/* Devices without a range: what starts them, whatever they own. */
#include "../contract/tap.h"
#include "core/device.h"
#include "puppet.h"
#include <string.h>

enum { LINE = 5, GPA = 0x1000, BYTES = 0x1000, PORT = 0x300 };

/* What a device owns. */
enum owned { NOTHING, A_TIMER, A_DOORBELL, A_LINE, KINDS };
static const char *const names[KINDS] = {"nothing", "a timer", "a doorbell", "a line"};

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    vsdk_device *device;
    vsdk_timer *timer;
    vsdk_doorbell *bell;
    vsdk_irq *irq;
    vsdk_loop *loop;
} rig;

static unsigned starts, stops, resets, fired, fired_before_start;
static vsdk_stop_answer answer;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void on_start(void *user, vsdk_device *device)
{
    starts++;
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    stops++;
    return answer;
}

static void on_reset(void *user, vsdk_device *device)
{
    resets++;
}

static void on_timer(void *user, vsdk_timer *timer)
{
    fired++;
    fired_before_start += !starts;
}

static void quiet_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
}

static void make_device(rig *r, enum owned what)
{
    static const vsdk_device_ops ops = {
        .size = sizeof ops, .start = on_start, .stop = on_stop, .reset = on_reset};
    vsdk_irq_config line = {.size = sizeof line, .gsi = LINE};
    vsdk_doorbell_config bell = {
        .size = sizeof bell, .space = VSDK_SPACE_PIO, .address = PORT, .width = 1};

    vsdk_device_create(r->vm, &ops, NULL, NULL, &r->device, NULL);
    line.device = bell.device = r->device;
    if (what == A_TIMER)
        vsdk_timer_create(r->loop, r->device, on_timer, NULL, NULL, &r->timer, NULL);
    if (what == A_DOORBELL)
        vsdk_doorbell_create(r->vm, &bell, &r->bell, NULL);
    if (what == A_LINE)
        vsdk_irq_create(r->vm, &line, &r->irq, NULL);
}

static void rig_open(rig *r)
{
    puppet_script = idle;
    starts = stops = resets = fired = fired_before_start = 0;
    answer = VSDK_STOP_DONE;
    memset(r, 0, sizeof *r);
    r->host = puppet_open(0);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    r->loop = vsdk_vm_loop(r->vm, NULL);
    vsdk_ram_create(r->vm, BYTES, NULL, &r->ram, NULL);
    vsdk_vm_map(r->vm, GPA, r->ram, 0, BYTES, 0, NULL);
    vsdk_irq_controller_attach(r->vm, LINE, 1, quiet_line, NULL, NULL, NULL);
}

static void rig_close(rig *r)
{
    vsdk_timer_close(r->timer);
    vsdk_doorbell_close(r->bell);
    vsdk_irq_close(r->irq);
    vsdk_device_close(r->device);
    vsdk_ram_close(r->ram);
    puppet_close(r->host, r->vm, r->vcpu);
}

static int may_act(const rig *r)
{
    uint8_t byte = 1;

    return !vsdk_dma_write(r->device, GPA, &byte, 1, NULL);
}

static void it_hears_of_every_transition(enum owned what)
{
    rig r;

    rig_open(&r);
    make_device(&r, what);
    tap(!may_act(&r), "with %s: it does not act in CREATED", names[what]);
    vsdk_vm_resume(r.vm, NULL);
    tap(starts == 1 && may_act(&r), "with %s: it starts", names[what]);
    tap(!vsdk_device_enter(r.device, NULL), "with %s: it is entered", names[what]);
    vsdk_device_leave(r.device);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(stops == 1 && !may_act(&r), "with %s: it stops", names[what]);
    vsdk_vm_reset(r.vm, VSDK_FOREVER, NULL);
    tap(resets == 1, "with %s: it is reset", names[what]);
    vsdk_device_detach(r.device, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(starts == 1 && !may_act(&r), "with %s: detached, it hears nothing", names[what]);
    rig_close(&r);
}

/* Nothing calls it before; then it starts first. */
static void one_that_is_made_in_running(void)
{
    rig r;

    rig_open(&r);
    vsdk_vm_resume(r.vm, NULL);
    make_device(&r, A_TIMER);
    tap(!starts && !may_act(&r), "made in RUNNING it does not start by itself");
    vsdk_timer_arm(r.timer, 0, 0, NULL);
    vsdk_loop_dispatch(r.loop, VSDK_FOREVER, NULL, NULL);
    tap(starts == 1 && fired == 1 && !fired_before_start && may_act(&r),
        "it starts before its first callback");
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(stops == 1 && starts == 2, "and takes part from then on");
    rig_close(&r);
}

static void one_that_is_entered_first(void)
{
    rig r;

    rig_open(&r);
    vsdk_vm_resume(r.vm, NULL);
    make_device(&r, NOTHING);
    tap(!vsdk_device_enter(r.device, NULL) && starts == 1 && may_act(&r),
        "made in RUNNING it starts before who enters it");
    vsdk_device_leave(r.device);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(vsdk_device_enter(r.device, NULL) == VSDK_ERROR_STATE && starts == 1,
        "a pause's stop is not undone by an enter");
    rig_close(&r);
}

static void one_with_nothing_that_is_made_in_running(void)
{
    rig r;

    rig_open(&r);
    vsdk_vm_resume(r.vm, NULL);
    make_device(&r, NOTHING);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(!starts && !stops, "with nothing it hears of no stop that it did not start for");
    vsdk_vm_resume(r.vm, NULL);
    tap(starts == 1, "and starts at the next entry into RUNNING");
    rig_close(&r);
}

static void one_that_was_detached(void)
{
    rig r;

    rig_open(&r);
    make_device(&r, A_TIMER);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_device_detach(r.device, NULL);
    vsdk_timer_close(r.timer);
    vsdk_timer_create(r.loop, r.device, on_timer, NULL, NULL, &r.timer, NULL);
    vsdk_timer_arm(r.timer, 0, 0, NULL);
    vsdk_loop_dispatch(r.loop, VSDK_FOREVER, NULL, NULL);
    tap(starts == 2 && fired == 1, "a detached one takes part again with a new timer");
    rig_close(&r);
}

/* The virtual machine does not keep it: its end ends the wait for its stop. */
static void one_that_is_closed_while_it_stops(void)
{
    rig r;

    rig_open(&r);
    make_device(&r, NOTHING);
    vsdk_vm_resume(r.vm, NULL);
    answer = VSDK_STOP_PENDING;
    vsdk_vm_pause_request(r.vm, NULL);
    vsdk_loop_dispatch(r.loop, 0, NULL, NULL);
    int pending = atomic_load(&r.device->phase) == DEVICE_PENDING;
    vsdk_device_close(r.device);
    r.device = NULL;
    tap(pending && !vsdk_vm_pause(r.vm, 0, 0, NULL), "closed while its stop is pending, it stops");
    rig_close(&r);
}

int main(void)
{
    for (enum owned what = 0; what < KINDS; what++)
        it_hears_of_every_transition(what);
    one_that_is_made_in_running();
    one_that_is_entered_first();
    one_with_nothing_that_is_made_in_running();
    one_that_was_detached();
    one_that_is_closed_while_it_stops();
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
