/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules of several threads. What a call may answer depends on what the others do meanwhile, so
 * two things are checked. While it runs: an answer must be possible in some order of the calls that
 * had begun before it ended; callbacks keep the rules of device.h. And at checkpoints, when no call
 * is under way, everything is exact: after a pause no device is started, after a resume all are.
 *
 * The gate is a lock for readers and writers: calls are readers, a checkpoint is the writer. The
 * topology lock of a device makes attach and detach one after the other, so that what the device
 * should hear is known; callbacks only try to take it. */
#include "layout.h"
#include "world.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS_MOST = 4, STEPS = 60, WORKS = 32, MAP_BYTES = 0x4000, MICROSECOND = 1000 };

typedef struct many many;

/* Of player.pending. TOLD: a worker has said that the stop is done, or is about to. */
enum { PENDS = 1, TOLD = 2 };

typedef struct player {
    many *of;
    vsdk_device *handle;
    vsdk_irq *irq;
    _Atomic(vsdk_work *) work; /* the last of all of its own */
    vsdk_work *all[WORKS];
    unsigned works;
    unsigned number;
    pthread_mutex_t topology; /* live, attach, detach */
    _Atomic int live;         /* callbacks may come */
    _Atomic int started, inside, pending;
    _Atomic unsigned starts, stops, resets, accesses, released;
    uint64_t plain; /* no lock but the device's own: ThreadSanitizer looks */
} player;

/* Of each kind of call how many have begun, and how many are over. */
typedef struct count {
    _Atomic unsigned begun, over;
} count;

struct many {
    world w;
    const char *backend;
    uint64_t number, seed;
    int autonomous;
    vsdk_loop *loop;
    pthread_rwlock_t gate;
    player players[DEVICES];
    count stops, resumes, destroys;
    _Atomic unsigned requests;
    _Atomic unsigned differences;
    _Atomic int finished;
    unsigned threads;
};

static _Thread_local uint64_t own_seed = 1;
static _Thread_local int in_callback;

static void differ(many *m, const char *what, long is)
{
    if (atomic_fetch_add(&m->differences, 1) < 3)
        tap_note("%s, schedule %llu: %s (%ld)", m->backend, (unsigned long long)m->number, what,
                 is);
}

static void hold(many *m, int condition, const char *what, long is)
{
    if (!condition)
        differ(m, what, is);
}

static void pass(unsigned us)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)us * MICROSECOND}, NULL);
}

/* An answer is possible: GONE only since a destroy began and always after one; STATE, for what an
 * ended guest refuses, only since a stop began; and what the call's own list has. */
typedef struct since {
    unsigned gone;
} since;

static since look(const many *m)
{
    return (since){atomic_load(&m->destroys.over)};
}

#define ALSO(status) (1u << -(status))
#define IF_STOPPED (1u << 31) /* STATE, of a guest that has ended */
static void judge(many *m, since before, const char *call, vsdk_status status, unsigned also)
{
    if (status == VSDK_ERROR_GONE)
        hold(m, atomic_load(&m->destroys.begun) != 0, call, status);
    else if (before.gone)
        hold(m, also & ALSO(VSDK_ERROR_BUSY) && status == VSDK_ERROR_BUSY, call, status);
    else if (status == VSDK_ERROR_STATE && also & IF_STOPPED && atomic_load(&m->stops.begun))
        return;
    else if (status)
        hold(m, (also & ALSO(status)) != 0, call, status);
}

/* Callbacks. */

static void call_inside(player *p);

static void callback_begin(player *p)
{
    many *m = p->of;

    hold(m, atomic_fetch_add(&p->inside, 1) == 0, "two callbacks of a device at once", p->number);
    hold(m, atomic_load(&p->live), "a callback of a device that was detached", p->number);
    hold(m, !atomic_load(&p->released), "a callback after release", p->number);
    hold(m, !atomic_load(&m->destroys.over), "a callback after destroy", p->number);
    p->plain++;
    in_callback++;
}

static void callback_end(player *p)
{
    in_callback--;
    atomic_fetch_sub(&p->inside, 1);
}

static void on_start(void *user, vsdk_device *device)
{
    player *p = user;

    (void)device;
    callback_begin(p);
    /* A pause that gave up starts a device whose stop was pending. */
    hold(p->of, !atomic_exchange(&p->started, 1), "a start after a start", p->number);
    atomic_store(&p->pending, 0);
    atomic_fetch_add(&p->starts, 1);
    if (below(&own_seed, 8) == 0)
        call_inside(p);
    callback_end(p);
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    player *p = user;
    vsdk_stop_answer answer = VSDK_STOP_DONE;

    (void)device;
    hold(p->of, mode <= VSDK_STOP_PARK, "a mode of stop", (long)mode);
    callback_begin(p);
    hold(p->of, atomic_exchange(&p->started, 0), "a stop without a start", p->number);
    atomic_fetch_add(&p->stops, 1);
    if (below(&own_seed, 8) == 0)
        call_inside(p);
    if (below(&own_seed, 4) == 0) {
        answer = VSDK_STOP_PENDING;
        atomic_store(&p->pending, PENDS);
    }
    callback_end(p);
    return answer;
}

static void on_reset(void *user, vsdk_device *device)
{
    player *p = user;
    uint64_t word;

    callback_begin(p);
    hold(p->of, !atomic_load(&p->started), "a reset of a started device", p->number);
    vsdk_status status = vsdk_dma_read(device, DATA, &word, sizeof word, NULL);
    hold(p->of, status == VSDK_ERROR_STATE || atomic_load(&p->of->destroys.begun), "dma in a reset",
         status);
    atomic_fetch_add(&p->resets, 1);
    callback_end(p);
}

/* Its own DMA works while it is called, unless the guest ended just now. */
static void access_begin(player *p, vsdk_device *device)
{
    many *m = p->of;
    uint64_t word = 0;
    since before = look(m);

    callback_begin(p);
    hold(m, atomic_load(&p->started), "an access to a stopped device", p->number);
    atomic_fetch_add(&p->accesses, 1);
    judge(m, before, "dma in an access", vsdk_dma_read(device, DATA, &word, sizeof word, NULL),
          IF_STOPPED);
    if (below(&own_seed, 4) == 0)
        call_inside(p);
    hold(m, atomic_load(&p->started), "a stop during an access", p->number);
}

/* Also of a device without a range; while its stop is pending, too, and what has begun by then goes
 * on until the pause returns. */
static void on_work(void *user, vsdk_work *work)
{
    player *p = user;

    (void)work;
    callback_begin(p);
    hold(p->of, atomic_load(&p->started) || atomic_load(&p->pending), "work of a stopped device",
         p->number);
    if (below(&own_seed, 4) == 0)
        call_inside(p);
    callback_end(p);
}

static uint64_t on_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)access;
    access_begin(user, device);
    callback_end(user);
    return 0;
}

static void on_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)access;
    access_begin(user, device);
    callback_end(user);
}

static void on_release(void *user)
{
    player *p = user;

    hold(p->of, atomic_fetch_add(&p->released, 1) == 0, "a second release", p->number);
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

/* Calls. */

static void do_stop(many *m)
{
    static const uint32_t reasons[] = {VSDK_EXIT_POWEROFF, VSDK_EXIT_SUSPEND, VSDK_EXIT_SUSPEND};
    since before = look(m);

    atomic_fetch_add(&m->stops.begun, 1);
    judge(m, before, "stop", vsdk_vm_stop(m->w.vm, reasons[below(&own_seed, 3)], 1, 0, NULL), 0);
    atomic_fetch_add(&m->stops.over, 1);
}

static void do_request(many *m)
{
    since before = look(m);

    atomic_fetch_add(&m->requests, 1);
    judge(m, before, "pause_request", vsdk_vm_pause_request(m->w.vm, NULL), IF_STOPPED);
}

static void do_resume(many *m, unsigned also)
{
    since before = look(m);

    atomic_fetch_add(&m->resumes.begun, 1);
    vsdk_status status = vsdk_vm_resume(m->w.vm, NULL);
    judge(m, before, "resume", status, also | IF_STOPPED);
    atomic_fetch_add(&m->resumes.over, 1);
}

static void do_pause(many *m)
{
    static const uint64_t times[] = {0, 100 * MICROSECOND, VSDK_FOREVER};
    uint32_t flags = below(&own_seed, 4);
    uint64_t timeout = times[below(&own_seed, 3)];
    unsigned also = IF_STOPPED;
    since before = look(m);

    if (timeout != VSDK_FOREVER)
        also |= ALSO(VSDK_ERROR_TIMEOUT);
    if (flags & VSDK_PAUSE_SETTLE)
        also |= ALSO(VSDK_ERROR_BUSY) | ALSO(VSDK_ERROR_STATE);
    vsdk_status status = vsdk_vm_pause(m->w.vm, flags, timeout, NULL);
    judge(m, before, "pause", status, also);
}

static void do_reset(many *m)
{
    uint64_t timeout = below(&own_seed, 2) ? 0 : 500 * MICROSECOND;
    unsigned also = ALSO(VSDK_ERROR_TIMEOUT);
    since before = look(m);

    vsdk_status status = vsdk_vm_reset(m->w.vm, timeout, NULL);
    if (atomic_load(&m->resumes.begun))
        also |= ALSO(VSDK_ERROR_STATE);
    judge(m, before, "reset", status, also);
    if (!status)
        world_load(&m->w); /* refused where a resume came first */
}

static void do_run(many *m)
{
    static const uint64_t times[] = {0, 50 * MICROSECOND, 300 * MICROSECOND};
    vsdk_vcpu *vcpu = m->w.vcpus[below(&own_seed, m->w.vcpu_count)];
    since before = look(m);

    judge(m, before, "run", vsdk_vcpu_run(vcpu, times[below(&own_seed, 3)], NULL),
          ALSO(VSDK_ERROR_BUSY));
}

/* The work of before stays until the end: another thread may be posting it. */
static void make_work(many *m, player *p)
{
    vsdk_work *made = NULL;

    if (p->works == WORKS || vsdk_work_create(m->loop, p->handle, on_work, p, NULL, &made, NULL))
        return;
    p->all[p->works++] = made;
    atomic_store(&p->work, made);
}

static void do_post(player *p)
{
    vsdk_work *work = atomic_load(&p->work);

    if (work)
        vsdk_work_post(work, NULL);
}

static void do_attach(many *m, player *p)
{
    since before = look(m);

    if (in_callback ? pthread_mutex_trylock(&p->topology) : pthread_mutex_lock(&p->topology))
        return;
    int was = atomic_exchange(&p->live, 1);
    if (!was && !in_callback) /* the detach has ended that of before*/
        make_work(m, p);
    vsdk_status status =
        vsdk_device_add_range(p->handle, VSDK_SPACE_PIO, world_port(p->number), 1, p->number, NULL);
    judge(m, before, "add_range", status, was ? ALSO(VSDK_ERROR_EXISTS) : 0);
    pthread_mutex_unlock(&p->topology);
}

static void do_remove(many *m, const player *p)
{
    since before = look(m);

    judge(m, before, "remove_range",
          vsdk_device_remove_range(p->handle, VSDK_SPACE_PIO, world_port(p->number), NULL),
          ALSO(VSDK_ERROR_NOT_FOUND));
}

/* When it returns nothing of the device runs, and nothing will. */
static void do_detach(many *m, player *p)
{
    since before = look(m);

    if (in_callback ? pthread_mutex_trylock(&p->topology) : pthread_mutex_lock(&p->topology))
        return;
    vsdk_status status = vsdk_device_detach(p->handle, NULL);
    judge(m, before, "detach", status, in_callback ? ALSO(VSDK_ERROR_BUSY) : 0);
    if (!status) {
        hold(m, !atomic_load(&p->inside), "a callback runs after detach", p->number);
        atomic_store(&p->live, 0);
        atomic_store(&p->started, 0);
        atomic_store(&p->pending, 0);
    }
    pthread_mutex_unlock(&p->topology);
}

static void do_dma(many *m, const player *p)
{
    vsdk_dma_view view = {.size = sizeof view};
    uint64_t word = 0;
    since before = look(m);

    judge(m, before, "vm_read", vsdk_vm_read(m->w.vm, DATA, &word, sizeof word, NULL), 0);
    judge(m, before, "dma_read", vsdk_dma_read(p->handle, DATA, &word, sizeof word, NULL),
          ALSO(VSDK_ERROR_STATE));
    judge(m, before, "dma_map",
          vsdk_dma_map(p->handle, EXTRA_RAM, 64, VSDK_DMA_FROM_GUEST, &view, NULL),
          ALSO(VSDK_ERROR_STATE) | ALSO(VSDK_ERROR_RANGE));
    vsdk_dma_unmap(&view);
}

static void do_interrupt(many *m, const player *p)
{
    since before = look(m);

    judge(m, before, "send_msi", vsdk_vm_send_msi(m->w.vm, MESSAGE_ADDRESS, MESSAGE, NULL), 0);
    judge(m, before, "irq_pulse", vsdk_irq_pulse(p->irq, NULL), ALSO(VSDK_ERROR_STATE));
    judge(m, before, "irq_raise", vsdk_irq_raise(p->irq, NULL), ALSO(VSDK_ERROR_STATE));
    judge(m, before, "irq_lower", vsdk_irq_lower(p->irq, NULL), 0);
}

/* Between enter and leave nothing else is in the device, and it acts. */
static void do_enter(many *m, player *p)
{
    since before = look(m);
    vsdk_status status = vsdk_device_enter(p->handle, NULL);
    uint64_t word = 0;

    judge(m, before, "enter", status,
          ALSO(VSDK_ERROR_STATE) | (in_callback ? ALSO(VSDK_ERROR_BUSY) : 0));
    if (status)
        return;
    hold(m, atomic_fetch_add(&p->inside, 1) == 0, "a callback while a thread has entered",
         p->number);
    p->plain++;
    judge(m, before, "dma between enter and leave",
          vsdk_dma_read(p->handle, DATA, &word, sizeof word, NULL),
          IF_STOPPED | ALSO(VSDK_ERROR_STATE));
    atomic_fetch_sub(&p->inside, 1);
    vsdk_device_leave(p->handle);
}

static void do_map(many *m)
{
    since before = look(m);
    unsigned also = ALSO(VSDK_ERROR_EXISTS) | ALSO(VSDK_ERROR_NOT_FOUND);

    vsdk_status status = vsdk_vm_map(m->w.vm, EXTRA_RAM, m->w.extra, 0, MAP_BYTES, 0, NULL);
    judge(m, before, "map", status, also | IF_STOPPED);
    status = vsdk_vm_unmap(m->w.vm, EXTRA_RAM, MAP_BYTES, NULL);
    judge(m, before, "unmap", status, also | IF_STOPPED);
}

static void do_kick(many *m)
{
    since before = look(m);

    judge(m, before, "kick", vsdk_vcpu_kick(m->w.vcpus[below(&own_seed, m->w.vcpu_count)], NULL),
          0);
}

static void do_complete(many *m)
{
    since before = look(m);

    judge(m, before, "complete",
          vsdk_vcpu_complete(m->w.vcpus[below(&own_seed, m->w.vcpu_count)], NULL),
          ALSO(VSDK_ERROR_BUSY) | /* STATE: a further part, whose device is stopped */
              ALSO(m->autonomous ? VSDK_ERROR_UNSUPPORTED : VSDK_ERROR_STATE));
}

static void do_dispatch(many *m)
{
    vsdk_status status = vsdk_loop_dispatch(m->loop, 0, NULL, NULL);

    hold(m, !status || status == VSDK_ERROR_BUSY, "dispatch", status);
}

static void do_destroy(many *m)
{
    atomic_fetch_add(&m->destroys.begun, 1);
    vsdk_status status = vsdk_vm_destroy(m->w.vm, NULL);
    atomic_fetch_add(&m->destroys.over, 1);
    hold(m, !status, "destroy", status);
    for (int i = 0; i < DEVICES; i++)
        hold(m, !atomic_load(&m->players[i].inside), "a callback runs after destroy", i);
}

/* A device of its own, from creation to its end. */
static void release_count(void *user)
{
    atomic_fetch_add((_Atomic unsigned *)user, 1);
}

static void do_visit(many *m)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .release = release_count};
    static _Atomic unsigned released; /* may come from another thread, after this */
    vsdk_device *device = NULL;
    since before = look(m);

    judge(m, before, "device_create",
          vsdk_device_create(m->w.vm, &ops, &released, NULL, &device, NULL), 0);
    if (!device)
        return;
    judge(m, before, "add_range", vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x4000, 1, 0, NULL),
          ALSO(VSDK_ERROR_EXISTS));
    judge(m, before, "detach", vsdk_device_detach(device, NULL), 0);
    vsdk_device_close(device);
}

static void do_info(many *m)
{
    vsdk_vm_info info = {.size = sizeof info};
    since before = look(m);
    vsdk_status status = vsdk_vm_get_info(m->w.vm, &info, NULL);

    judge(m, before, "get_info", status, 0);
    if (status)
        return;
    hold(m, info.state <= VSDK_VM_STOPPED, "the state", info.state);
    if (info.state == VSDK_VM_STOPPED)
        hold(m, atomic_load(&m->stops.begun) != 0, "STOPPED, and nobody stopped it", 0);
    if (info.state == VSDK_VM_RUNNING || info.state == VSDK_VM_PAUSED)
        hold(m, atomic_load(&m->resumes.begun) != 0, "the state without a resume", info.state);
}

/* From a callback: what would wait for it is refused, the rest works. */
static void call_inside(player *p)
{
    many *m = p->of;
    player *other = &m->players[below(&own_seed, DEVICES)];
    since before = look(m);
    vsdk_status status;

    switch (below(&own_seed, 12)) {
    case 0:
    case 1:
        do_request(m);
        break;
    case 2:
        if (below(&own_seed, 3) == 0)
            do_stop(m);
        break;
    case 3:
        do_resume(m, ALSO(VSDK_ERROR_BUSY));
        break;
    case 4:
        status = vsdk_vm_pause(m->w.vm, 0, VSDK_FOREVER, NULL);
        hold(m, status == VSDK_ERROR_BUSY, "pause in a callback", status);
        break;
    case 5:
        status = vsdk_vm_reset(m->w.vm, VSDK_FOREVER, NULL);
        hold(m, status == VSDK_ERROR_BUSY, "reset in a callback", status);
        break;
    case 6:
        status = vsdk_vm_destroy(m->w.vm, NULL);
        hold(m, status == VSDK_ERROR_BUSY, "destroy in a callback", status);
        break;
    case 7:
        status = vsdk_vcpu_run(m->w.vcpus[0], VSDK_FOREVER, NULL);
        hold(m, status == VSDK_ERROR_BUSY, "run in a callback", status);
        break;
    case 8:
        judge(m, before, "detach of itself", vsdk_device_detach(p->handle, NULL),
              ALSO(VSDK_ERROR_BUSY));
        break;
    case 9:
        if (other != p)
            do_enter(m, other);
        break;
    case 10:
        do_map(m);
        break;
    default:
        do_kick(m);
    }
}

/* No call is under way, but a worker that says that a pending stop is done. */
static void checkpoint(many *m)
{
    vsdk_vm_info info = {.size = sizeof info};
    uint64_t word = 0;

    vsdk_status status = vsdk_vm_pause(m->w.vm, 0, VSDK_FOREVER, NULL);
    since before = look(m);
    judge(m, before, "pause at a checkpoint", status, IF_STOPPED);
    for (int i = 0; i < DEVICES; i++) {
        player *p = &m->players[i];
        hold(m, !atomic_load(&p->started), "started after a pause", i);
        hold(m, !atomic_load(&p->inside), "a callback runs after a pause", i);
        int told = TOLD;
        atomic_compare_exchange_strong(&p->pending, &told, 0);
        vsdk_status dma = vsdk_dma_read(p->handle, DATA, &word, sizeof word, NULL);
        hold(m, dma == (before.gone ? VSDK_ERROR_GONE : VSDK_ERROR_STATE), "dma after a pause",
             dma);
        vsdk_status enter = vsdk_device_enter(p->handle, NULL);
        hold(m, enter == (before.gone ? VSDK_ERROR_GONE : VSDK_ERROR_STATE), "enter after a pause",
             enter);
        if (!enter)
            vsdk_device_leave(p->handle);
        vsdk_status raise = vsdk_irq_raise(p->irq, NULL);
        hold(m, raise == (before.gone ? VSDK_ERROR_GONE : VSDK_ERROR_STATE),
             "an interrupt after a pause", raise);
    }
    if (before.gone)
        return;
    hold(m, !vsdk_vm_get_info(m->w.vm, &info, NULL), "get_info at a checkpoint", 0);
    hold(m, info.state == (status ? VSDK_VM_STOPPED : info.state), "the state after a pause",
         info.state);
    hold(m, info.state != VSDK_VM_RUNNING, "RUNNING after a pause", info.state);
    unsigned resets[DEVICES];
    for (int i = 0; i < DEVICES; i++)
        resets[i] = atomic_load(&m->players[i].resets);
    if (below(&own_seed, 3) == 0 || (status && info.stop_reason != VSDK_EXIT_SUSPEND)) {
        vsdk_status reset = vsdk_vm_reset(m->w.vm, VSDK_FOREVER, NULL);
        hold(m, !reset, "reset at a checkpoint", reset);
        for (int i = 0; i < DEVICES; i++)
            hold(m, atomic_load(&m->players[i].resets) - resets[i] <= 1, "resets of a device", i);
        reset = world_load(&m->w);
        hold(m, !reset, "registers after a reset", reset);
    }
    unsigned stops = atomic_load(&m->stops.begun), requests = atomic_load(&m->requests);
    do_resume(m, 0);
    hold(m, !vsdk_vm_get_info(m->w.vm, &info, NULL), "get_info at a checkpoint", 0);
    if (atomic_load(&m->stops.begun) != stops || atomic_load(&m->requests) != requests)
        return; /* a start callback asked for an end or a pause again */
    hold(m, info.state == VSDK_VM_RUNNING, "the state after a resume", info.state);
    for (int i = 0; i < DEVICES; i++) {
        player *p = &m->players[i];
        if (!atomic_load(&p->live))
            continue;
        hold(m, atomic_load(&p->started), "not started after a resume", i);
        vsdk_status dma = vsdk_dma_read(p->handle, DATA, &word, sizeof word, NULL);
        hold(m, !dma, "dma after a resume", dma);
    }
}

static void step(many *m)
{
    player *p = &m->players[below(&own_seed, DEVICES)];

    switch (below(&own_seed, 32)) {
    case 0:
    case 1:
    case 2:
        do_pause(m);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        do_resume(m, 0);
        break;
    case 7:
        do_reset(m);
        break;
    case 8:
        if (below(&own_seed, 4) == 0)
            do_stop(m);
        break;
    case 9:
        do_request(m);
        break;
    case 10:
    case 11:
    case 12:
        do_attach(m, p);
        break;
    case 13:
    case 14:
        do_detach(m, p);
        break;
    case 15:
        do_remove(m, p);
        break;
    case 16:
        do_dma(m, p);
        break;
    case 17:
        do_interrupt(m, p);
        break;
    case 18:
        do_enter(m, p);
        break;
    case 19:
        do_map(m);
        break;
    case 20:
        do_kick(m);
        break;
    case 21:
        do_complete(m);
        break;
    case 22:
        do_dispatch(m);
        break;
    case 23:
        do_visit(m);
        break;
    case 24:
        do_info(m);
        break;
    case 29:
    case 30:
    case 31:
        do_post(p);
        break;
    case 25:
        if (below(&own_seed, OFTEN * 2) == 0) {
            int answer = child_of_fork(&m->w, p->handle, &p->released);
            hold(m, answer == 0, "a call of a forked child does not answer STATE", answer);
        }
        break;
    case 26:
        if (below(&own_seed, OFTEN) == 0)
            do_destroy(m);
        break;
    default:
        do_run(m);
    }
}

typedef struct actor {
    many *of;
    uint64_t seed;
    pthread_t thread;
} actor;

static void *act(void *argument)
{
    const actor *a = argument;
    many *m = a->of;

    own_seed = a->seed;
    for (int i = 0; i < STEPS && !atomic_load(&m->differences); i++) {
        if (below(&own_seed, OFTEN) == 0) {
            pthread_rwlock_wrlock(&m->gate);
            checkpoint(m);
        } else {
            pthread_rwlock_rdlock(&m->gate);
            step(m);
        }
        pthread_rwlock_unlock(&m->gate);
    }
    return NULL;
}

/* What would be the devices' I/O: finishes the stops that are pending, after a while. */
static void *work(void *argument)
{
    const actor *a = argument;
    many *m = a->of;

    own_seed = a->seed;
    while (!atomic_load(&m->finished)) {
        for (int i = 0; i < DEVICES; i++) {
            player *p = &m->players[i];
            int pends = PENDS;
            if (below(&own_seed, 2) || !atomic_compare_exchange_strong(&p->pending, &pends, TOLD))
                continue;
            /* A start that comes between makes it a call without a stop, which does nothing. */
            vsdk_status status = vsdk_device_stopped(p->handle, NULL);
            hold(m, !status, "device_stopped", status);
        }
        pass(below(&own_seed, 200));
    }
    return NULL;
}

static void make(many *m, const char *backend, uint64_t number, uint64_t seed)
{
    pthread_rwlockattr_t fair;

    m->backend = backend;
    m->number = number;
    m->autonomous = strcmp(backend, "mock") != 0;
    m->seed = own_seed = seed;
    m->threads = 2 + below(&own_seed, THREADS_MOST - 1);
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&m->gate, &fair);
    pthread_rwlockattr_destroy(&fair);
    world_make(&m->w, backend, 1 + below(&own_seed, VCPUS));
    m->loop = vsdk_loop_ref(vsdk_vm_loop(m->w.vm, NULL));
    vsdk_irq_controller_attach(m->w.vm, GSI, 1, on_line, NULL, NULL, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        player *p = &m->players[i];
        vsdk_irq_config line = {.size = sizeof line, .gsi = GSI};
        p->of = m;
        p->number = i;
        pthread_mutex_init(&p->topology, NULL);
        vsdk_status status = vsdk_device_create(m->w.vm, &device_ops, p, NULL, &p->handle, NULL);
        hold(m, !status, "device_create", status);
        line.device = p->handle;
        status = vsdk_irq_create(m->w.vm, &line, &p->irq, NULL);
        hold(m, !status, "irq_create", status);
        atomic_store(&p->live, 1);
        make_work(m, p);
        if (below(&own_seed, 3))
            do_attach(m, p);
    }
}

static void end(many *m)
{
    int destroys = (int)below(&own_seed, 2), vm_first = (int)below(&own_seed, 2);
    uint64_t word;

    if (destroys)
        do_destroy(m);
    for (int i = 0; i < DEVICES; i++) {
        vsdk_irq_close(m->players[i].irq);
        for (unsigned n = 0; n < m->players[i].works; n++)
            vsdk_work_close(m->players[i].all[n]);
    }
    if (vm_first) {
        vsdk_vm_close(m->w.vm);
        for (int i = 0; i < DEVICES; i++) {
            vsdk_device *device = m->players[i].handle;
            hold(m,
                 vsdk_dma_read(device, DATA, &word, 8, NULL) == VSDK_ERROR_GONE &&
                     vsdk_device_detach(device, NULL) == VSDK_ERROR_GONE &&
                     vsdk_device_enter(device, NULL) == VSDK_ERROR_GONE,
                 "a call on a device after the end", i);
        }
        hold(m, vsdk_vcpu_run(m->w.vcpus[0], 0, NULL) == VSDK_ERROR_GONE, "run after the end", 0);
    }
    for (int i = 0; i < DEVICES; i++)
        vsdk_device_close(m->players[i].handle);
    if (!vm_first)
        vsdk_vm_close(m->w.vm);
    vsdk_loop_close(m->loop);
    world_close(&m->w);
    for (int i = 0; i < DEVICES; i++) {
        hold(m, atomic_load(&m->players[i].released) == 1, "releases at the end",
             (long)atomic_load(&m->players[i].released));
        pthread_mutex_destroy(&m->players[i].topology);
    }
    pthread_rwlock_destroy(&m->gate);
}

unsigned many_run(const char *backend, uint64_t number, uint64_t seed)
{
    many *m = calloc(1, sizeof *m);
    actor actors[THREADS_MOST + 1];

    if (!m)
        tap_bail("no memory");
    make(m, backend, number, seed);
    for (unsigned i = 0; i <= m->threads; i++) {
        actors[i] = (actor){.of = m, .seed = seed_of(seed, i)};
        if (pthread_create(&actors[i].thread, NULL, i ? act : work, &actors[i]))
            tap_bail("no thread");
    }
    for (unsigned i = 1; i <= m->threads; i++)
        pthread_join(actors[i].thread, NULL);
    atomic_store(&m->finished, 1);
    pthread_join(actors[0].thread, NULL);
    end(m);
    unsigned differences = atomic_load(&m->differences);
    free(m);
    return differences;
}
