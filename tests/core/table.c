/* SPDX-License-Identifier: Apache-2.0 */
/* The table of states and events, row by row, through the public functions: the answer, the state
 * after it, and that a device is started in RUNNING and nowhere else. */
#include "../contract/tap.h"
#include "core/life_table.h"
#include "puppet.h"
#include <string.h>

enum state { CREATED, RUNNING, PAUSED, STOPPED, SUSPENDED, STATES };
enum { EVENTS = EVENT_RESET + 1, PORT = 0x100 };

static const char *const state_names[] = {"created", "running", "paused", "stopped", "suspended"};
static const char *const event_names[] = {"resume", "pause", "request", "stop", "reset"};

typedef struct row {
    enum state from;
    enum life_event event;
    enum state to;
    vsdk_status status;
} row;

#define ROW(from, on, to, answer) {from, EVENT_##on, to, answer},
static const row rows[] = {LIFE_TABLE(ROW)};
enum { ROWS = sizeof rows / sizeof rows[0] };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_device *device;
    unsigned starts, stops;
} rig;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void on_start(void *user, vsdk_device *device)
{
    ((rig *)user)->starts++;
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    ((rig *)user)->stops++;
    return VSDK_STOP_DONE;
}

static vsdk_status event_do(rig *r, enum life_event event, vsdk_error *error)
{
    switch (event) {
    case EVENT_RESUME:
        return vsdk_vm_resume(r->vm, error);
    case EVENT_PAUSE:
        return vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, error);
    case EVENT_REQUEST:
        return vsdk_vm_pause_request(r->vm, error);
    case EVENT_STOP:
        return vsdk_vm_stop(r->vm, VSDK_EXIT_GUEST_EXIT, 9, 0, error);
    case EVENT_RESET:
        return vsdk_vm_reset(r->vm, VSDK_FOREVER, error);
    }
    return 99;
}

static void rig_open(rig *r, int autonomous, enum state from)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .start = on_start, .stop = on_stop};

    *r = (rig){.host = puppet_open(autonomous)};
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_device_create(r->vm, &ops, r, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT, 1, 0, NULL);
    if (from != CREATED)
        vsdk_vm_resume(r->vm, NULL);
    if (from == PAUSED)
        vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, NULL);
    if (from == STOPPED)
        vsdk_vm_stop(r->vm, VSDK_EXIT_RESET, 4, 0, NULL);
    if (from == SUSPENDED)
        vsdk_vm_stop(r->vm, VSDK_EXIT_SUSPEND, 3, 0, NULL);
}

static void rig_close(rig *r)
{
    vsdk_device_close(r->device);
    puppet_close(r->host, r->vm, r->vcpu);
}

static enum state state_of(const rig *r, vsdk_vm_info *info)
{
    *info = (vsdk_vm_info){.size = sizeof *info};
    if (vsdk_vm_get_info(r->vm, info, NULL))
        return STATES;
    if (info->state == VSDK_VM_STOPPED && info->stop_reason == VSDK_EXIT_SUSPEND)
        return SUSPENDED;
    return info->state; /* the first four have the public numbers */
}

/* An end is noted at once; its devices are stopped by the next call that makes transitions. */
static int device_follows(rig *r, enum state to)
{
    if (to == STOPPED || to == SUSPENDED)
        vsdk_vcpu_run(r->vcpu, 0, NULL);
    return r->starts - r->stops == (to == RUNNING);
}

/* Why it ended: by this event, by an earlier one, or not at all. */
static int reason_is_right(const row *w, const vsdk_vm_info *info)
{
    uint64_t earlier = w->from == STOPPED ? 4 : w->from == SUSPENDED ? 3 : 9;

    if (w->to != STOPPED && w->to != SUSPENDED)
        return info->stop_reason == VSDK_EXIT_NONE && info->stop_code == 0;
    return info->stop_code == earlier;
}

static void row_check(const row *w, int autonomous)
{
    vsdk_error error = {0};
    vsdk_vm_info info;
    rig r;

    rig_open(&r, autonomous, w->from);
    enum state before = state_of(&r, &info);
    vsdk_status status = event_do(&r, w->event, &error);
    enum state after = state_of(&r, &info);
    tap(before == w->from && status == w->status && after == w->to, "%s, %s: %s and %s",
        state_names[w->from], event_names[w->event], vsdk_status_name(w->status),
        state_names[w->to]);
    tap(error.code == w->status && (!w->status || (error.message[0] && error.hint[0])) &&
            reason_is_right(w, &info),
        "  with its reason");
    tap(device_follows(&r, w->to), "  and its device is started in RUNNING only");
    rig_close(&r);
}

/* Each event in each state has one row. */
static void table_is_whole(void)
{
    unsigned count[STATES][EVENTS] = {{0}}, whole = 1;

    for (unsigned i = 0; i < ROWS; i++)
        count[rows[i].from][rows[i].event]++;
    for (unsigned s = 0; s < STATES; s++)
        for (unsigned e = 0; e < EVENTS; e++)
            whole &= count[s][e] == 1;
    tap((int)whole, "each event in each state has one row");
}

/* Every event of a virtual machine that was destroyed, or in a callback, has one answer. */
static void without_a_state(int autonomous)
{
    int gone = 1;
    rig r;

    rig_open(&r, autonomous, RUNNING);
    vsdk_vm_destroy(r.vm, NULL);
    for (unsigned event = 0; event < EVENTS; event++)
        gone &= event_do(&r, event, NULL) == VSDK_ERROR_GONE;
    tap(gone, "destroyed: every event answers GONE");
    rig_close(&r);
    rig_open(&r, autonomous, RUNNING);
    vsdk_device_enter(r.device, NULL);
    tap(event_do(&r, EVENT_PAUSE, NULL) == VSDK_ERROR_BUSY &&
            event_do(&r, EVENT_RESET, NULL) == VSDK_ERROR_BUSY && !event_do(&r, EVENT_STOP, NULL) &&
            event_do(&r, EVENT_RESUME, NULL) == VSDK_ERROR_BUSY,
        "in a callback: what makes transitions is BUSY, a stop is noted");
    vsdk_device_leave(r.device);
    rig_close(&r);
}

/* The first resume needs a processor. */
static void nothing_to_run(int autonomous)
{
    vsdk_host *host = puppet_open(autonomous);
    vsdk_vm *vm = puppet_vm(host, 0, NULL);

    tap(vsdk_vm_resume(vm, NULL) == VSDK_ERROR_STATE && !vsdk_vm_pause(vm, 0, 0, NULL) &&
            !vsdk_vm_reset(vm, 0, NULL),
        "without a vCPU nothing is resumed");
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

int main(void)
{
    puppet_script = idle;
    table_is_whole();
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        for (unsigned i = 0; i < ROWS; i++)
            row_check(&rows[i], autonomous);
        without_a_state(autonomous);
        nothing_to_run(autonomous);
    }
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
