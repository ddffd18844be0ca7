/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules of one thread. Beside the library runs a model of one virtual machine, written from the
 * text of vm.h and device.h and from nothing else; after each call its answer, the state and what
 * every device has been told must be the model's. Callbacks make calls of their own, which are
 * foretold too: they change the model when they are made.
 *
 * The model's rule of time: a call that makes transitions makes, before it returns, all those that
 * are due and wait for no device. */
#include "layout.h"
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 40, MAP_BYTES = 0x4000, BRIEF = 200000 };

enum where { OUTSIDE, IN_ACCESS, IN_START, IN_STOP, IN_RESET };
enum phase { IDLE, STARTED, PENDING };

enum op {
    PAUSE,
    REQUEST,
    RESUME,
    RESET,
    STOP,
    RUN,
    COMPLETE,
    KICK,
    ATTACH,
    REMOVE,
    DETACH,
    CLOSE,
    CREATE,
    MAP,
    UNMAP,
    INTERRUPT,
    ENTER,
    POST,
    DMA,
    STOPPED,
    DISPATCH,
    PEND,
    PLAN,
    FORK,
    DESTROY,
    OPS
};

static const char *const names[OPS] = {"pause",     "pause_request", "resume", "reset",  "stop",
                                       "run",       "complete",      "kick",   "attach", "remove",
                                       "detach",    "close",         "create", "map",    "unmap",
                                       "interrupt", "enter",         "post",   "dma",    "stopped",
                                       "dispatch",  "pending?",      "a plan", "fork",   "destroy"};

/* What a device has been told, by itself and by the model. */
typedef struct told {
    unsigned starts, finishes, parks, resets, releases;
} told;

typedef struct actor actor;
typedef struct single single;

struct actor {
    single *of;
    vsdk_device *handle; /* NULL: closed, or not made */
    vsdk_irq *irq;
    vsdk_msi *msi;
    vsdk_work *work;
    unsigned number;
    int made, attached, ranged, phase;
    int part; /* it hears of starts and stops: from its creation to a detach */
    unsigned worked;
    int posted, work_over; /* its work is due; a detach has ended it */
    int pends;             /* its next stops: 1 pending, 2 pending but done at once */
    told told, model;
    _Atomic unsigned released;
    int plan_where, plan_op; /* one call from its next callback there; OUTSIDE: none */
};

struct single {
    world w;
    vsdk_loop *loop;
    uint64_t seed;
    const char *backend;
    int autonomous;
    unsigned step, differences;
    char trace[STEPS * 4][64];
    unsigned traced;

    /* The model. */
    uint32_t state, reason;
    int gone, request, stopping, due;
    int kick; /* 2: perhaps */
    int unanswered;
    int mapped;
    int next; /* the guest's next access: device 0 or 1; -1: unknown */
    actor actors[DEVICES];
    /* While a call is under way. */
    int moving, pausing, dispatching;
    int to_run;        /* a resume begins RUNNING when it has made the stops that were due */
    int request_again; /* asked for in a start callback */
    int late_kick;
    int ended_by_stop; /* a stop callback ended the guest, perhaps when a run had its exit already
                        */
    int overlap;       /* callbacks that run: never two */
    unsigned accesses; /* that devices answered */
};

static void differ(single *s, const char *what, long is, long should)
{
    if (s->differences++)
        return;
    tap_note("%s, step %u: %s is %ld, the model says %ld; the calls were:", s->backend, s->step,
             what, is, should);
    for (unsigned i = 0; i < s->traced; i++)
        tap_note("  %s", s->trace[i]);
}

static void expect(single *s, const char *what, long is, long should)
{
    if (is != should)
        differ(s, what, is, should);
}

static void trace(single *s, const char *format, const char *name, int number, int more)
{
    if (s->traced < STEPS * 4)
        snprintf(s->trace[s->traced++], sizeof s->trace[0], format, name, number, more);
}

/* The model's transitions. */

static int any_pending(const single *s)
{
    for (int i = 0; i < DEVICES; i++)
        if (s->actors[i].phase == PENDING)
            return 1;
    return 0;
}

static void model_start_all(single *s)
{
    for (int i = 0; i < DEVICES; i++) {
        actor *a = &s->actors[i];
        if (!a->part || a->phase == STARTED)
            continue;
        a->phase = STARTED;
        a->model.starts++;
    }
}

static void model_stop_all(single *s, int park)
{
    for (int i = 0; i < DEVICES; i++) {
        actor *a = &s->actors[i];
        if (a->phase != STARTED)
            continue;
        a->phase = a->pends == 1 ? PENDING : IDLE;
        if (park)
            a->model.parks++;
        else
            a->model.finishes++;
    }
}

/* What is due, as far as no device has to be waited for. */
static void model_settle(single *s, int park)
{
    while (!s->gone) {
        if (s->stopping) {
            if (any_pending(s))
                return;
            s->stopping = s->request = s->due = 0;
            if (s->state == VSDK_VM_RUNNING)
                s->state = VSDK_VM_PAUSED;
        } else if (s->due || (s->state == VSDK_VM_RUNNING && s->request)) {
            model_stop_all(s, park && s->state == VSDK_VM_RUNNING);
            s->stopping = 1;
        } else {
            return;
        }
    }
}

static int acts(const actor *a)
{
    return a->phase != IDLE && a->of->state != VSDK_VM_STOPPED;
}

static vsdk_status gone_or(const single *s, vsdk_status status)
{
    return s->gone ? VSDK_ERROR_GONE : status;
}

/* Callbacks. */

static void call_from(single *s, enum where where, actor *self, enum op op);

static void model_run(single *s)
{
    if (!s->to_run)
        return;
    s->to_run = s->request = s->due = 0;
    s->state = VSDK_VM_RUNNING;
}

static void callback_begin(actor *a, enum where where)
{
    single *s = a->of;

    expect(s, "callbacks at once", s->overlap++, 0);
    expect(s, "calls after release", (long)a->told.releases, 0);
    if (where == OUTSIDE || a->plan_where != (int)where)
        return;
    a->plan_where = OUTSIDE;
    call_from(s, where, a, (enum op)a->plan_op);
}

static void callback_end(actor *a)
{
    a->of->overlap--;
}

/* One that was made in RUNNING and has no range, before its work. */
static void starts_in_dispatch(actor *a)
{
    single *s = a->of;

    expect(s, "whether a device that starts in a dispatch takes part", a->part, 1);
    expect(s, "its phase", a->phase, IDLE);
    expect(s, "whether its work was posted", a->posted, 1);
    expect(s, "the state", (long)s->state, VSDK_VM_RUNNING);
    expect(s, "a stop that is due", s->request || s->due || s->stopping, 0);
    a->phase = STARTED;
    a->model.starts++;
}

static void on_work(void *user, vsdk_work *work)
{
    actor *a = user;
    single *s = a->of;

    (void)work;
    expect(s, "whether the work that runs was posted", a->posted, 1);
    expect(s, "whether its device is stopped", a->phase == IDLE, 0);
    a->posted = 0;
    a->worked++;
    /* A pause or a reset that waits for a stop dispatches too: what is foretold of it is its own.
     */
    callback_begin(a, s->dispatching ? IN_ACCESS : OUTSIDE);
    callback_end(a);
}

static void on_start(void *user, vsdk_device *device)
{
    actor *a = user;

    (void)device;
    a->told.starts++;
    model_run(a->of);
    if (a->of->dispatching)
        starts_in_dispatch(a);
    callback_begin(a, IN_START);
    callback_end(a);
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    actor *a = user;
    vsdk_stop_answer answer = a->pends ? VSDK_STOP_PENDING : VSDK_STOP_DONE;

    if (mode == VSDK_STOP_PARK)
        a->told.parks++;
    else
        a->told.finishes++;
    callback_begin(a, IN_STOP);
    if (a->pends == 2)
        vsdk_device_stopped(device, NULL);
    callback_end(a);
    return answer;
}

static void on_reset(void *user, vsdk_device *device)
{
    actor *a = user;

    (void)device;
    a->told.resets++;
    callback_begin(a, IN_RESET);
    callback_end(a);
}

static void on_access(actor *a)
{
    single *s = a->of;

    s->accesses++;
    expect(s, "the state at an access", (long)s->state, VSDK_VM_RUNNING);
    expect(s, "the phase of a device at an access", a->phase, STARTED);
    expect(s, "whether the device has the range", a->ranged, 1);
    if (s->next >= 0)
        expect(s, "the guest's next access", (long)a->number, s->next);
    s->next = !a->number;
    callback_begin(a, IN_ACCESS);
    callback_end(a);
}

static void on_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)device;
    (void)access;
    on_access(user);
}

static uint64_t on_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)device;
    (void)access;
    on_access(user);
    return 0;
}

static void on_release(void *user)
{
    actor *a = user;

    a->told.releases++;
    atomic_fetch_add(&a->released, 1);
}

static void on_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    (void)user;
    (void)vm;
    (void)gsi;
    (void)level;
}

static const vsdk_device_ops device_ops = {.size = sizeof device_ops,
                                           .read = on_read,
                                           .write = on_write,
                                           .start = on_start,
                                           .stop = on_stop,
                                           .reset = on_reset,
                                           .release = on_release};

/* One call and what it should answer. */

static actor *any_actor(single *s)
{
    return &s->actors[below(&s->seed, DEVICES)];
}

static void do_create(single *s, actor *a)
{
    if (a->handle || a->attached)
        return;
    vsdk_irq_config line = {.size = sizeof line, .gsi = GSI};
    vsdk_msi_config message = {.size = sizeof message, .address = MESSAGE_ADDRESS, .data = MESSAGE};

    /* A new one in the place of the old. */
    a->told = a->model = (told){0};
    atomic_store(&a->released, 0);
    a->phase = IDLE;
    a->attached = a->ranged = a->pends = a->plan_where = 0;
    a->part = a->posted = a->work_over = 0;
    vsdk_status status = vsdk_device_create(s->w.vm, &device_ops, a, NULL, &a->handle, NULL);
    expect(s, "device_create", status, gone_or(s, VSDK_OK));
    a->made = 1;
    if (status) {
        a->model.releases = 1;
        return;
    }
    a->part = 1;
    vsdk_work_create(s->loop, a->handle, on_work, a, NULL, &a->work, NULL);
    line.device = message.device = a->handle;
    vsdk_irq_create(s->w.vm, &line, &a->irq, NULL);
    vsdk_msi_create(s->w.vm, &message, &a->msi, NULL);
}

static void do_close(actor *a)
{
    if (!a->handle)
        return;
    vsdk_irq_close(a->irq);
    vsdk_msi_close(a->msi);
    vsdk_work_close(a->work);
    vsdk_device_close(a->handle);
    a->handle = NULL;
    a->irq = NULL;
    a->msi = NULL;
    a->work = NULL;
    a->posted = 0;
    if (a->attached)
        return;
    a->model.releases = 1;
    a->part = 0;
    a->phase = IDLE; /* nobody waits for its stop */
}

static void do_post(single *s, actor *a)
{
    if (!a->work)
        return;
    expect(s, "post", vsdk_work_post(a->work, NULL), VSDK_OK);
    a->posted = !a->work_over;
}

static void do_attach(single *s, enum where where, actor *a)
{
    vsdk_status should = gone_or(s, a->ranged ? VSDK_ERROR_EXISTS : VSDK_OK);

    if (!a->handle)
        return;
    if (!should) {
        int starts =
            !a->attached && a->phase == IDLE && s->state == VSDK_VM_RUNNING && !s->stopping;
        a->ranged = a->attached = a->part = 1;
        a->phase = starts ? STARTED : a->phase;
        a->model.starts += (unsigned)starts;
    }
    int moving = s->moving, dispatching = s->dispatching;
    s->moving = s->dispatching = 0; /* a start is this call's, which foretells it */
    if (where == IN_ACCESS)         /* its start callback runs inside this one */
        s->overlap--;
    vsdk_status status =
        vsdk_device_add_range(a->handle, VSDK_SPACE_PIO, world_port(a->number), 1, a->number, NULL);
    if (where == IN_ACCESS)
        s->overlap++;
    s->moving = moving;
    s->dispatching = dispatching;
    expect(s, "add_range", status, should);
}

static void do_remove(single *s, actor *a)
{
    if (!a->handle)
        return;
    expect(s, "remove_range",
           vsdk_device_remove_range(a->handle, VSDK_SPACE_PIO, world_port(a->number), NULL),
           gone_or(s, a->ranged ? VSDK_OK : VSDK_ERROR_NOT_FOUND));
    if (!s->gone)
        a->ranged = 0;
}

static void do_detach(single *s, const actor *self, actor *a)
{
    if (!a->handle)
        return;
    vsdk_status status = vsdk_device_detach(a->handle, NULL);
    expect(s, "detach", status, gone_or(s, a == self ? VSDK_ERROR_BUSY : VSDK_OK));
    if (s->gone || a == self)
        return;
    a->attached = a->ranged = a->part = a->posted = 0;
    a->work_over = 1;
    a->phase = IDLE;
}

static void do_enter(single *s, enum where where, const actor *self, actor *a)
{
    if (!a->handle)
        return;
    /* One that was made in RUNNING starts before. */
    int starts = a != self && a->part && a->phase == IDLE && s->state == VSDK_VM_RUNNING &&
                 !s->request && !s->due && !s->stopping && !s->gone;
    a->phase = starts ? STARTED : a->phase;
    a->model.starts += (unsigned)starts;
    int moving = s->moving, dispatching = s->dispatching;
    s->moving = s->dispatching = 0; /* a start is this call's, which foretells it */
    if (where == IN_ACCESS)         /* its start callback runs inside this one */
        s->overlap--;
    vsdk_status status = vsdk_device_enter(a->handle, NULL);
    if (where == IN_ACCESS)
        s->overlap++;
    s->moving = moving;
    s->dispatching = dispatching;
    if (!status)
        vsdk_device_leave(a->handle);
    if (a == self)
        expect(s, "enter", status, gone_or(s, VSDK_ERROR_BUSY));
    else
        expect(s, "enter", status, gone_or(s, acts(a) ? VSDK_OK : VSDK_ERROR_STATE));
}

/* A device in its start or stop acts, but for a guest that has ended. */
static int acts_here(const actor *a, enum where where, const actor *self)
{
    if (a == self && (where == IN_START || where == IN_STOP))
        return a->of->state != VSDK_VM_STOPPED;
    return acts(a);
}

static void do_dma(single *s, enum where where, const actor *self, const actor *a)
{
    uint64_t word = 0;

    expect(s, "vm_read", vsdk_vm_read(s->w.vm, DATA, &word, sizeof word, NULL),
           gone_or(s, VSDK_OK));
    if (!a->handle)
        return;
    vsdk_status should = gone_or(s, acts_here(a, where, self) ? VSDK_OK : VSDK_ERROR_STATE);
    expect(s, "dma_read", vsdk_dma_read(a->handle, DATA, &word, sizeof word, NULL), should);
    expect(s, "dma_write", vsdk_dma_write(a->handle, DATA, &word, sizeof word, NULL), should);
}

static void do_interrupt(single *s, enum where where, const actor *self, const actor *a)
{
    expect(s, "send_msi", vsdk_vm_send_msi(s->w.vm, MESSAGE_ADDRESS, MESSAGE, NULL),
           gone_or(s, VSDK_OK));
    if (!a->handle || !a->irq || !a->msi)
        return;
    vsdk_status should = gone_or(s, acts_here(a, where, self) ? VSDK_OK : VSDK_ERROR_STATE);
    expect(s, "msi_send", vsdk_msi_send(a->msi, NULL), should);
    expect(s, "irq_pulse", vsdk_irq_pulse(a->irq, NULL), should);
    expect(s, "irq_raise", vsdk_irq_raise(a->irq, NULL), should);
    expect(s, "irq_lower", vsdk_irq_lower(a->irq, NULL), gone_or(s, VSDK_OK));
}

static void do_map(single *s)
{
    vsdk_status should = s->state == VSDK_VM_STOPPED ? VSDK_ERROR_STATE
                         : s->mapped                 ? VSDK_ERROR_EXISTS
                                                     : VSDK_OK;
    vsdk_status status = vsdk_vm_map(s->w.vm, EXTRA_RAM, s->w.extra, 0, MAP_BYTES, 0, NULL);

    expect(s, "map", status, gone_or(s, should));
    s->mapped |= !status;
}

static void do_unmap(single *s)
{
    vsdk_status should = s->state == VSDK_VM_STOPPED ? VSDK_ERROR_STATE
                         : s->mapped                 ? VSDK_OK
                                                     : VSDK_ERROR_NOT_FOUND;
    vsdk_status status = vsdk_vm_unmap(s->w.vm, EXTRA_RAM, MAP_BYTES, NULL);

    expect(s, "unmap", status, gone_or(s, should));
    s->mapped &= status != VSDK_OK;
}

static void do_request(single *s, enum where where)
{
    vsdk_status status = vsdk_vm_pause_request(s->w.vm, NULL);

    expect(s, "pause_request", status,
           gone_or(s, s->state == VSDK_VM_STOPPED ? VSDK_ERROR_STATE : VSDK_OK));
    if (s->gone || s->state != VSDK_VM_RUNNING)
        return;
    s->request = 1;
    s->request_again |= where == IN_START;
}

static void do_stop(single *s, enum where where)
{
    static const uint32_t reasons[] = {VSDK_EXIT_POWEROFF, VSDK_EXIT_SUSPEND, VSDK_EXIT_SUSPEND,
                                       VSDK_EXIT_STOP,     VSDK_EXIT_HALTED,  VSDK_EXIT_KICKED};
    uint32_t reason = reasons[below(&s->seed, sizeof reasons / sizeof reasons[0])];
    vsdk_status status = vsdk_vm_stop(s->w.vm, reason, 5, 0, NULL);

    if (reason == VSDK_EXIT_KICKED) {
        expect(s, "stop for no reason", status, VSDK_ERROR_INVALID_ARGUMENT);
        return;
    }
    expect(s, "stop", status, gone_or(s, VSDK_OK));
    if (s->gone || s->state == VSDK_VM_STOPPED)
        return;
    s->state = VSDK_VM_STOPPED;
    s->reason = reason;
    s->due = 1;
    s->ended_by_stop = where == IN_STOP;
}

/* The calls that make transitions, from outside. */

static int has_ended(const single *s)
{
    return s->state == VSDK_VM_STOPPED;
}

/* Whether a stop of the devices would have to wait. */
static int would_pend(const single *s)
{
    for (int i = 0; i < DEVICES; i++) {
        const actor *a = &s->actors[i];
        if (a->phase == PENDING || (a->phase == STARTED && a->pends == 1))
            return 1;
    }
    return 0;
}

static void do_resume(single *s)
{
    if (has_ended(s) && s->reason == VSDK_EXIT_SUSPEND && would_pend(s) && !s->gone)
        return; /* it would wait for ever */
    vsdk_status should = gone_or(s, VSDK_OK);
    if (!should && has_ended(s) && s->reason != VSDK_EXIT_SUSPEND)
        should = VSDK_ERROR_STATE;
    s->request_again = 0;
    if (!should && s->state != VSDK_VM_RUNNING) {
        model_settle(s, 0);
        s->to_run = 1;
        model_start_all(s);
    } else if (!should) {
        if (s->stopping)
            model_start_all(s);
        s->stopping = s->request = 0;
    }
    expect(s, "resume", vsdk_vm_resume(s->w.vm, NULL), should);
    model_run(s);
    model_settle(s, 0);
}

/* On an autonomous backend the guest may be at a further access afterwards, which nobody answers.
 */
static void settled(single *s, int settles, vsdk_status status, vsdk_status should)
{
    int further = settles && s->unanswered && s->autonomous;

    if (further)
        s->next = -1;
    if (settles)
        s->unanswered = further;
    if (!(further && should == VSDK_OK && status == VSDK_ERROR_STATE))
        expect(s, "pause", status, should);
}

static void do_pause(single *s)
{
    uint32_t flags = below(&s->seed, 4);
    static const uint64_t times[] = {0, BRIEF / 4, VSDK_FOREVER};
    int settles = (flags & VSDK_PAUSE_SETTLE) != 0, waits = would_pend(s);
    uint64_t timeout = times[below(&s->seed, waits ? 2 : 3)];
    vsdk_status status;

    if (below(&s->seed, 12) == 0 && !s->gone) {
        expect(s, "pause with an unknown flag", vsdk_vm_pause(s->w.vm, 4, 0, NULL),
               VSDK_ERROR_INVALID_ARGUMENT);
        return;
    }
    trace(s, "   %s %d, %d", "flags, timeout", (int)flags, (int)timeout);
    if (s->gone || s->state != VSDK_VM_RUNNING) {
        vsdk_status should = gone_or(s, has_ended(s) ? VSDK_ERROR_STATE : VSDK_OK);
        status = vsdk_vm_pause(s->w.vm, flags, timeout, NULL);
        settled(s, settles && !should, status, should);
        model_settle(s, 0);
        return;
    }
    s->pausing = 1;
    s->request_again = 0;
    int before[DEVICES], stopping = s->stopping;
    for (int i = 0; i < DEVICES; i++)
        before[i] = s->actors[i].phase;
    status = vsdk_vm_pause(s->w.vm, flags, timeout, NULL);
    s->pausing = 0;
    for (int i = 0; i < DEVICES; i++)
        expect(s, "a phase that only pause changes", s->actors[i].phase, before[i]);
    if (!stopping)
        model_stop_all(s, (flags & VSDK_PAUSE_PARK) != 0);
    s->stopping = 1;
    if (any_pending(s) && (!has_ended(s) || status == VSDK_ERROR_TIMEOUT)) {
        settled(s, settles, status, VSDK_ERROR_TIMEOUT);
        s->stopping = 0;
        s->request = s->request_again;
        model_start_all(s);
    } else {
        settled(s, settles && !has_ended(s), status, has_ended(s) ? VSDK_ERROR_STATE : VSDK_OK);
    }
    model_settle(s, 0);
}

static void do_reset(single *s)
{
    int waits = would_pend(s);
    uint64_t timeout = below(&s->seed, 2) ? BRIEF / 4 : waits ? 0 : VSDK_FOREVER;

    if (s->gone || s->state == VSDK_VM_RUNNING) {
        expect(s, "reset", vsdk_vm_reset(s->w.vm, timeout, NULL), gone_or(s, VSDK_ERROR_STATE));
        return;
    }
    vsdk_status status = vsdk_vm_reset(s->w.vm, timeout, NULL);
    model_settle(s, 0);
    if (s->stopping) {
        expect(s, "reset", status, VSDK_ERROR_TIMEOUT);
        return;
    }
    expect(s, "reset", status, VSDK_OK);
    for (int i = 0; i < DEVICES; i++)
        s->actors[i].model.resets += s->actors[i].part != 0;
    s->state = VSDK_VM_CREATED;
    s->request = s->due = s->unanswered = s->next = 0;
    s->kick = s->kick ? 2 : 0;
    expect(s, "registers after a reset", world_load(&s->w), VSDK_OK);
}

/* What a run told. `ran`: the guest could execute when it began. */
static void judge_run(single *s, const vsdk_exit *exit, int ran, uint64_t timeout)
{
    if (has_ended(s) && !(s->ended_by_stop && !(exit->flags & VSDK_EXIT_TERMINAL))) {
        expect(s, "the exit of an ended guest", exit->reason, (long)s->reason);
        expect(s, "its flags", exit->flags & VSDK_EXIT_TERMINAL, VSDK_EXIT_TERMINAL);
        return;
    }
    if (exit->reason == VSDK_EXIT_PIO) {
        int number = exit->address == world_port(0) ? 0 : 1;
        expect(s, "whether the guest could execute", ran, 1);
        expect(s, "a kick that was due", s->kick == 1 && !s->autonomous, 0);
        if (s->next >= 0)
            expect(s, "the guest's next access", number, s->next);
        expect(s, "whether a device has the exit's port", s->actors[number].ranged, 0);
        s->next = !number;
        s->unanswered = 1;
        return;
    }
    expect(s, "the exit", exit->reason, VSDK_EXIT_KICKED);
    if (exit->detail == VSDK_KICK_REQUEST) {
        expect(s, "whether there was a kick", s->kick != 0, 1);
        s->kick = s->late_kick ? 2 : 0;
        return;
    }
    expect(s, "what ended the run", (long)exit->detail, VSDK_KICK_DEADLINE);
    expect(s, "whether it had a deadline", timeout != VSDK_FOREVER, 1);
    expect(s, "a kick that was due", s->kick == 1 && !s->autonomous, 0);
    if (s->kick == 2 && !s->autonomous && !s->late_kick)
        s->kick = 0;
}

static void do_run(single *s)
{
    int ran = s->state == VSDK_VM_RUNNING && !s->request && !s->stopping;
    int exits = !s->actors[0].ranged || !s->actors[1].ranged, plans = 0;

    for (int i = 0; i < DEVICES; i++)
        plans |= s->actors[i].plan_where == IN_ACCESS;
    int sure = has_ended(s) || s->kick == 1 || (ran && exits && !plans);
    uint64_t timeout = sure && below(&s->seed, 4) ? VSDK_FOREVER : below(&s->seed, 2) ? 0 : BRIEF;
    vsdk_vcpu *vcpu = s->w.vcpus[0];
    unsigned before = s->accesses;
    int unanswered = s->unanswered, kicked = s->kick;

    s->unanswered = s->ended_by_stop = s->late_kick = 0;
    vsdk_status status = vsdk_vcpu_run(vcpu, timeout, NULL);
    expect(s, "run", status, gone_or(s, VSDK_OK));
    if (status)
        return;
    trace(s, "   %s %d, %d", "exit", (int)vsdk_vcpu_record(vcpu)->reason,
          (int)vsdk_vcpu_record(vcpu)->detail);
    judge_run(s, vsdk_vcpu_record(vcpu), ran, timeout);
    if (!ran)
        expect(s, "accesses of a guest that is held", (long)(s->accesses - before), 0);
    if (unanswered && vsdk_vcpu_record(vcpu)->reason != VSDK_EXIT_PIO && s->accesses == before)
        s->unanswered = 1; /* perhaps not sent yet */
    if (timeout == VSDK_FOREVER && ran && !s->autonomous && !kicked && !has_ended(s))
        expect(s, "the exit of a guest that is not held", vsdk_vcpu_record(vcpu)->reason,
               VSDK_EXIT_PIO);
    model_settle(s, 0);
}

static void do_complete(single *s)
{
    vsdk_status status = vsdk_vcpu_complete(s->w.vcpus[0], NULL);

    expect(s, "complete", status, gone_or(s, s->autonomous ? VSDK_ERROR_UNSUPPORTED : VSDK_OK));
    if (!status)
        s->unanswered = 0;
    model_settle(s, 0);
}

static void do_destroy(single *s)
{
    if (!s->gone) {
        s->gone = 1;
        expect(s, "destroy", vsdk_vm_destroy(s->w.vm, NULL), VSDK_OK);
        model_stop_all(s, 0);
        for (int i = 0; i < DEVICES; i++) {
            actor *a = &s->actors[i];
            if (a->attached && !a->handle)
                a->model.releases = 1;
            a->attached = a->ranged = a->part = a->posted = 0;
            a->work_over = 1;
            a->phase = IDLE;
        }
        return;
    }
    expect(s, "a second destroy", vsdk_vm_destroy(s->w.vm, NULL), VSDK_OK);
}

/* What was posted before runs, for devices that have started or may. */
static void do_dispatch(single *s)
{
    unsigned before[DEVICES];

    for (int i = 0; i < DEVICES; i++)
        before[i] = s->actors[i].worked + (s->actors[i].posted != 0);
    s->dispatching = 1;
    s->moving = 0;
    expect(s, "dispatch", vsdk_loop_dispatch(s->loop, 0, NULL, NULL), VSDK_OK);
    s->dispatching = 0;
    if (s->state == VSDK_VM_RUNNING && !s->request && !s->stopping && !s->gone)
        for (int i = 0; i < DEVICES; i++)
            if (s->actors[i].work && !s->actors[i].work_over)
                expect(s, "work that a dispatch left", s->actors[i].worked < before[i], 0);
    model_settle(s, 0);
}

static void outside(single *s, enum op op)
{
    s->moving = 1;
    switch (op) {
    case PAUSE:
        do_pause(s);
        break;
    case RESUME:
        do_resume(s);
        break;
    case RESET:
        do_reset(s);
        break;
    case RUN:
        s->moving = 0;
        do_run(s);
        break;
    case COMPLETE:
        do_complete(s);
        break;
    case DISPATCH:
        do_dispatch(s);
        break;
    default:
        do_destroy(s);
    }
    s->moving = 0;
}

/* The same calls from a callback: refused, but for a resume that only withdraws. */
static void inside(single *s, enum where where, enum op op)
{
    vsdk_status status;

    switch (op) {
    case PAUSE:
        status = vsdk_vm_pause(s->w.vm, 0, VSDK_FOREVER, NULL);
        break;
    case RESET:
        status = vsdk_vm_reset(s->w.vm, VSDK_FOREVER, NULL);
        break;
    case RUN:
        status = vsdk_vcpu_run(s->w.vcpus[0], VSDK_FOREVER, NULL);
        break;
    case COMPLETE:
        status = vsdk_vcpu_complete(s->w.vcpus[0], NULL);
        break;
    case DISPATCH:
        status = vsdk_loop_dispatch(s->loop, 0, NULL, NULL);
        break;
    case RESUME:
        status = vsdk_vm_resume(s->w.vm, NULL);
        if (s->gone && status == VSDK_ERROR_GONE)
            return;
        if (!s->gone && s->state == VSDK_VM_RUNNING && !s->stopping && !s->pausing &&
            (where == IN_ACCESS || (where == IN_START && !s->moving))) {
            expect(s, "a resume that withdraws", status, VSDK_OK);
            s->request = 0;
            return;
        }
        break;
    default:
        status = vsdk_vm_destroy(s->w.vm, NULL);
    }
    expect(s, names[op], status, VSDK_ERROR_BUSY);
}

static int is_transition(enum op op)
{
    return op == PAUSE || op == RESUME || op == RESET || op == RUN || op == COMPLETE ||
           op == DISPATCH || op == DESTROY;
}

static void do_fork(single *s, actor *a)
{
    if (below(&s->seed, OFTEN) == 0)
        expect(s, "the call of a forked child that does not answer STATE",
               child_of_fork(&s->w, a->handle, &a->released), 0);
}

static void call_from(single *s, enum where where, actor *self, enum op op)
{
    actor *a = where == OUTSIDE || where == IN_ACCESS ? any_actor(s) : self;

    trace(s, where == OUTSIDE ? "%s, device %d" : "  in a callback: %s, device %d, of %d",
          names[op], (int)a->number, self ? (int)self->number : -1);
    if (is_transition(op)) {
        if (where == OUTSIDE)
            outside(s, op);
        else
            inside(s, where, op);
        return;
    }
    switch (op) {
    case REQUEST:
        do_request(s, where);
        break;
    case STOP:
        do_stop(s, where);
        break;
    case KICK:
        expect(s, "kick", vsdk_vcpu_kick(s->w.vcpus[0], NULL), gone_or(s, VSDK_OK));
        /* From a stop callback it may come when a run has its exit already. */
        s->kick = s->gone ? 0 : where == IN_STOP ? 2 : 1;
        s->late_kick |= where == IN_STOP;
        break;
    case ATTACH:
        do_attach(s, where, a);
        break;
    case REMOVE:
        do_remove(s, a);
        break;
    case DETACH:
        do_detach(s, self, a);
        break;
    case CLOSE:
        do_close(a);
        break;
    case CREATE:
        do_create(s, a);
        break;
    case MAP:
        do_map(s);
        break;
    case UNMAP:
        do_unmap(s);
        break;
    case INTERRUPT:
        do_interrupt(s, where, self, a);
        break;
    case ENTER:
        do_enter(s, where, self, a);
        break;
    case POST:
        do_post(s, a);
        break;
    case DMA:
        do_dma(s, where, self, a);
        break;
    case STOPPED:
        if (a->handle)
            expect(s, "stopped", vsdk_device_stopped(a->handle, NULL), VSDK_OK);
        if (a->handle && a->phase == PENDING)
            a->phase = IDLE;
        break;
    case PEND:
        a->pends = (int)below(&s->seed, 4) % 3;
        break;
    case PLAN: {
        static const enum op safe[] = {PAUSE, REQUEST, RESUME, RESET,     STOP, RUN,     KICK,
                                       DMA,   ENTER,   DETACH, INTERRUPT, STOP, REQUEST, DESTROY};
        a->plan_where = IN_ACCESS + (int)below(&s->seed, 4);
        a->plan_op = a->plan_where == IN_ACCESS
                         ? (int)below(&s->seed, PEND)
                         : (int)safe[below(&s->seed, sizeof safe / sizeof safe[0])];
        if (a->plan_op == CREATE || a->plan_op == STOPPED)
            a->plan_op = STOP;
        trace(s, "   %s %d, %d", "where, what", a->plan_where, a->plan_op);
        break;
    }
    default:
        do_fork(s, a);
    }
}

static void compare(single *s)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_status status = vsdk_vm_get_info(s->w.vm, &info, NULL);

    expect(s, "get_info", status, gone_or(s, VSDK_OK));
    if (!s->gone) {
        expect(s, "the state", info.state, (long)s->state);
        expect(s, "the reason", info.stop_reason, has_ended(s) ? (long)s->reason : VSDK_EXIT_NONE);
    }
    for (int i = 0; i < DEVICES; i++) {
        const actor *a = &s->actors[i];
        if (!a->made)
            continue;
        expect(s, "starts", a->told.starts, a->model.starts);
        expect(s, "stops that finish", a->told.finishes, a->model.finishes);
        expect(s, "stops that park", a->told.parks, a->model.parks);
        expect(s, "resets", a->told.resets, a->model.resets);
        expect(s, "releases", a->told.releases, a->model.releases);
        do_dma(s, OUTSIDE, NULL, a);
    }
}

static enum op next_op(single *s)
{
    static const unsigned char weights[OPS] = {
        [PAUSE] = 10, [REQUEST] = 4, [RESUME] = 14,  [RESET] = 5,    [STOP] = 3,
        [RUN] = 14,   [KICK] = 3,    [ATTACH] = 9,   [REMOVE] = 2,   [DETACH] = 4,
        [CLOSE] = 2,  [CREATE] = 4,  [MAP] = 2,      [UNMAP] = 2,    [INTERRUPT] = 2,
        [ENTER] = 2,  [POST] = 5,    [DMA] = 1,      [STOPPED] = 3,  [PEND] = 3,
        [PLAN] = 8,   [FORK] = 1,    [COMPLETE] = 2, [DISPATCH] = 6, [DESTROY] = 0};
    unsigned sum = 0;

    if (below(&s->seed, 150) == 0)
        return DESTROY;
    for (int i = 0; i < OPS; i++)
        sum += weights[i];
    unsigned at = below(&s->seed, sum), i = 0;
    while (at >= weights[i])
        at -= weights[i++];
    return (enum op)i;
}

/* By destroy, or by the last close: then devices are released without a stop. */
static void end(single *s)
{
    if (below(&s->seed, 2)) {
        s->step++;
        do_destroy(s);
        compare(s);
    }
    for (int i = 0; i < DEVICES; i++) {
        actor *a = &s->actors[i];
        vsdk_irq_close(a->irq);
        vsdk_msi_close(a->msi);
        vsdk_work_close(a->work);
        a->irq = NULL;
        a->msi = NULL;
        a->work = NULL;
    }
    int first = (int)below(&s->seed, 2);
    s->gone = 1;
    if (first)
        vsdk_vm_close(s->w.vm);
    for (int i = 0; i < DEVICES; i++) {
        actor *a = &s->actors[i];
        uint64_t word;
        if (a->handle && first)
            expect(s, "dma_read after the last close",
                   vsdk_dma_read(a->handle, DATA, &word, sizeof word, NULL), VSDK_ERROR_GONE);
        vsdk_device_close(a->handle);
    }
    if (first)
        expect(s, "run after the last close", vsdk_vcpu_run(s->w.vcpus[0], 0, NULL),
               VSDK_ERROR_GONE);
    else
        vsdk_vm_close(s->w.vm);
    vsdk_loop_close(s->loop);
    world_close(&s->w);
    for (int i = 0; i < DEVICES; i++) {
        const actor *a = &s->actors[i];
        if (!a->made)
            continue;
        expect(s, "releases at the end", a->told.releases, 1);
        expect(s, "starts at the end", a->told.starts, a->model.starts);
        expect(s, "stops at the end", a->told.finishes, a->model.finishes);
    }
}

unsigned single_run(const char *backend, uint64_t number, uint64_t seed)
{
    single *s = calloc(1, sizeof *s);

    (void)number;
    if (!s)
        tap_bail("no memory");
    s->seed = seed;
    s->backend = backend;
    s->autonomous = strcmp(backend, "mock") != 0;
    world_make(&s->w, backend, 1);
    s->loop = vsdk_loop_ref(vsdk_vm_loop(s->w.vm, NULL));
    vsdk_irq_controller_attach(s->w.vm, GSI, 1, on_line, NULL, NULL, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        s->actors[i].of = s;
        s->actors[i].number = i;
        if (below(&s->seed, 4))
            do_create(s, &s->actors[i]);
    }
    for (s->step = 0; s->step < STEPS && !s->differences; s->step++) {
        call_from(s, OUTSIDE, NULL, next_op(s));
        compare(s);
    }
    end(s);
    unsigned differences = s->differences;
    free(s);
    return differences;
}
