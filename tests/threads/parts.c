/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the core against each other, on a virtual machine of the mock without a guest:
 * threads stand for vCPUs and give accesses to the bus by hand. */
#include "core/object.h"
#include "tap.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VCPUS = 3, DEVICES = 4, MS = 1000000, PAGE = 4096, PATIENCE_MS = 60000 };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 2000 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
enum { ROUNDS = 2000 };
#else
enum { ROUNDS = 10000 };
#endif
#else
enum { ROUNDS = 10000 };
#endif

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_vcpu *vcpus[VCPUS];
static _Atomic uint32_t stop;

/* $VSDK_TEST_SEED, or 1, and a number for each thread that has a generator. */
static uint32_t first_random(uint32_t stream)
{
    const char *seed = getenv("VSDK_TEST_SEED");

    return (seed ? (uint32_t)strtoul(seed, NULL, 10) : 1) * 2654435761u + stream;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

#define must(call) must_at(__LINE__, (call))

static void must_at(int line, vsdk_status status)
{
    if (status)
        tap_bail("line %d: a call that must succeed gave %s", line, vsdk_status_name(status));
}

static void machine_make(void)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = VCPUS};

    must(vsdk_host_open("mock", NULL, &host, NULL));
    must(vsdk_vm_create(host, &config, &vm, NULL));
    for (uint32_t i = 0; i < VCPUS; i++)
        must(vsdk_vcpu_create(vm, i, NULL, &vcpus[i], NULL));
    atomic_store(&stop, 0);
}

/* Devices answer in RUNNING alone. Nobody is inside run, so no guest executes. */
static void machine_run(void)
{
    machine_make();
    must(vsdk_vm_resume(vm, NULL));
}

static void machine_end(void)
{
    must(vsdk_vm_destroy(vm, NULL));
    for (uint32_t i = 0; i < VCPUS; i++)
        vsdk_vcpu_close(vcpus[i]);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, body, argument))
        tap_bail("no thread");
    return thread;
}

static bus_answer port_write(vsdk_vcpu *vcpu, uint64_t port, uint64_t value)
{
    vsdk_exit exit = {.reason = VSDK_EXIT_PIO,
                      .address = port,
                      .value = value,
                      .count = 1,
                      .width = 1,
                      .direction = VSDK_DIRECTION_WRITE};

    exit.data = (uintptr_t)&exit.value;
    vcpu->element = 0; /* as for each new exit */
    return bus_access(vm, vcpu, &exit);
}

/* Devices that come and go under accesses. */

struct coming {
    vsdk_device *device;
    uint32_t port, concurrent;
    _Atomic uint32_t attached, inside, releases;
    _Atomic uint64_t calls;
    uint64_t plain; /* guarded by the device's lock alone */
};

static struct coming coming[DEVICES];

static void coming_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct coming *c = user;

    (void)device, (void)access;
    check(atomic_load(&c->attached), "a callback after detach");
    uint32_t others = atomic_fetch_add(&c->inside, 1);
    check(c->concurrent || !others, "two callbacks at once");
    if (!c->concurrent)
        c->plain++;
    atomic_fetch_add(&c->calls, 1);
    if (c->calls % 64 == 0)
        sched_yield();
    atomic_fetch_sub(&c->inside, 1);
}

static void coming_release(void *user)
{
    atomic_fetch_add(&((struct coming *)user)->releases, 1);
}

static const vsdk_device_ops coming_ops = {
    .size = sizeof coming_ops, .write = coming_write, .release = coming_release};

static void *access_all(void *vcpu)
{
    for (uint32_t i = 0; !atomic_load(&stop); i++)
        port_write(vcpu, 0x100 + i % (2 * DEVICES), i);
    return NULL;
}

static void coming_create(struct coming *c)
{
    vsdk_device_config config = {.size = sizeof config, .flags = c->concurrent, .name = "coming"};

    must(vsdk_device_create(vm, &coming_ops, c, &config, &c->device, NULL));
}

static void *come_and_go(void *argument)
{
    struct coming *c = argument;

    for (uint32_t i = 0; i < ROUNDS / 20; i++) {
        coming_create(c);
        atomic_store(&c->attached, 1);
        must(vsdk_device_add_range(c->device, VSDK_SPACE_PIO, c->port, 1, 0, NULL));
        must(vsdk_device_add_range(c->device, VSDK_SPACE_PIO, c->port + DEVICES, 1, 0, NULL));
        sched_yield();
        must(vsdk_device_detach(c->device, NULL));
        atomic_store(&c->attached, 0);
        check(!atomic_load(&c->inside), "a callback runs after detach");
        vsdk_device_close(c->device);
        check(atomic_load(&c->releases) == i + 1, "released %u times", c->releases);
    }
    return NULL;
}

static void detach_under_accesses(void)
{
    pthread_t runners[VCPUS], goers[DEVICES];
    uint64_t calls = 0;

    machine_run();
    memset(coming, 0, sizeof coming);
    for (uint32_t i = 0; i < VCPUS; i++)
        runners[i] = start(access_all, vcpus[i]);
    for (uint32_t i = 0; i < DEVICES; i++) {
        coming[i].port = 0x100 + i;
        coming[i].concurrent = i & 1;
        goers[i] = start(come_and_go, &coming[i]);
    }
    for (uint32_t i = 0; i < DEVICES; i++)
        pthread_join(goers[i], NULL);
    atomic_store(&stop, 1);
    for (uint32_t i = 0; i < VCPUS; i++)
        pthread_join(runners[i], NULL);
    for (uint32_t i = 0; i < DEVICES; i++) {
        calls += coming[i].calls;
        check(coming[i].concurrent || coming[i].plain == coming[i].calls, "a call was lost");
    }
    tap_note("%llu callbacks", (unsigned long long)calls);
    check(calls > 0, "nothing was called");
    machine_end();
}

/* Callbacks that wait for each other's devices. */

struct mutual {
    vsdk_device *device;
    struct mutual *other;
    uint32_t port;
    pthread_barrier_t *both;
    vsdk_status status;
};

static void mutual_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct mutual *m = user;

    (void)device, (void)access;
    pthread_barrier_wait(m->both);
    m->status = vsdk_device_detach(m->other->device, NULL);
}

static void *mutual_access(void *argument)
{
    struct mutual *m = argument;

    port_write(vcpus[m->port & 1], m->port, 0);
    return NULL;
}

static void mutual_detach(void)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = mutual_write};

    machine_run();
    for (uint32_t round = 0; round < ROUNDS / 100; round++) {
        pthread_barrier_t both;
        struct mutual m[2];
        pthread_t threads[2];
        pthread_barrier_init(&both, NULL, 2);
        for (uint32_t i = 0; i < 2; i++) {
            m[i] = (struct mutual){.other = &m[!i], .port = 0x200 + i, .both = &both, .status = 1};
            must(vsdk_device_create(vm, &ops, &m[i], NULL, &m[i].device, NULL));
            must(vsdk_device_add_range(m[i].device, VSDK_SPACE_PIO, m[i].port, 1, 0, NULL));
        }
        for (uint32_t i = 0; i < 2; i++)
            threads[i] = start(mutual_access, &m[i]);
        for (uint32_t i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        check((m[0].status == VSDK_OK && m[1].status == VSDK_ERROR_BUSY) ||
                  (m[1].status == VSDK_OK && m[0].status == VSDK_ERROR_BUSY),
              "%s and %s", vsdk_status_name(m[0].status), vsdk_status_name(m[1].status));
        for (uint32_t i = 0; i < 2; i++) {
            must(vsdk_device_detach(m[i].device, NULL));
            vsdk_device_close(m[i].device);
        }
        pthread_barrier_destroy(&both);
    }
    machine_end();
}

/* Lines that several threads share. */

enum { LINE = 7 };

static struct {
    _Atomic uint32_t inside;
    uint32_t level;
    uint64_t edges;
} shared;

static void shared_line(void *user, vsdk_vm *its, uint32_t gsi, uint32_t level)
{
    (void)user, (void)its, (void)gsi;
    check(!atomic_fetch_add(&shared.inside, 1), "two changes of a line at once");
    check(shared.level != level, "a change to what it was");
    shared.level = level;
    shared.edges += level;
    atomic_fetch_sub(&shared.inside, 1);
}

static void *line_user(void *argument)
{
    vsdk_irq *irq;

    (void)argument;
    must(vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &irq,
                         NULL));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            must(vsdk_irq_pulse(irq, NULL));
        } else {
            must(vsdk_irq_raise(irq, NULL));
            must(vsdk_irq_lower(irq, NULL));
        }
    }
    vsdk_irq_close(irq);
    return NULL;
}

static void *line_handle(void *irq)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        must(vsdk_irq_raise(irq, NULL));
        must(vsdk_irq_lower(irq, NULL));
    }
    return NULL;
}

static void shared_lines(void)
{
    pthread_t threads[5];
    vsdk_irq *irq;

    machine_make();
    memset(&shared, 0, sizeof shared);
    must(vsdk_irq_controller_attach(vm, 0, 24, shared_line, NULL, NULL, NULL));
    must(vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &irq,
                         NULL));
    for (uint32_t i = 0; i < 5; i++)
        threads[i] = start(i < 3 ? line_user : line_handle, irq);
    for (uint32_t i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    vsdk_irq_close(irq);
    check(shared.level == 0, "the line stays high");
    tap_note("%llu edges", (unsigned long long)shared.edges);
    machine_end();
}

static _Atomic uint32_t controller_there;

static void controller_line(void *user, vsdk_vm *its, uint32_t gsi, uint32_t level)
{
    (void)user, (void)its, (void)gsi, (void)level;
    check(atomic_load(&controller_there), "a change after detach");
}

static void controller_release(void *user)
{
    (void)user;
    atomic_store(&controller_there, 0);
}

static void *line_pulses(void *argument)
{
    vsdk_irq *irq;

    (void)argument;
    must(vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &irq,
                         NULL));
    while (!atomic_load(&stop)) {
        vsdk_status status = vsdk_irq_pulse(irq, NULL);
        check(!status || status == VSDK_ERROR_NOT_FOUND, "%s", vsdk_status_name(status));
    }
    vsdk_irq_close(irq);
    return NULL;
}

static void controllers_come_and_go(void)
{
    pthread_t threads[2];

    machine_make();
    for (uint32_t i = 0; i < 2; i++)
        threads[i] = start(line_pulses, NULL);
    for (uint32_t i = 0; i < ROUNDS / 10; i++) {
        atomic_store(&controller_there, 1);
        must(
            vsdk_irq_controller_attach(vm, 0, 24, controller_line, NULL, controller_release, NULL));
        sched_yield();
        must(vsdk_irq_controller_detach(vm, 0, NULL));
        check(!atomic_load(&controller_there), "not released");
    }
    atomic_store(&stop, 1);
    for (uint32_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    machine_end();
}

/* A loop whose device's timers, watches and work, and timers of its own, are changed from
 * everywhere. */

struct looped {
    vsdk_loop *loop;
    vsdk_device *device;
    vsdk_ram *ram;
    int pipe[2];
    _Atomic uint64_t calls, worked;
    _Atomic uint32_t stopped, releases, over; /* over: no dispatch any more */
    uint64_t plain;                           /* guarded by the device's lock */
};

static struct looped looped;

static void looped_call(void *user)
{
    struct looped *l = user;

    check(!atomic_load(&l->stopped), "a callback of a device that is stopped");
    l->plain++;
    if (atomic_fetch_add(&l->calls, 1) % 16 == 0) {
        vsdk_status status = vsdk_vm_map(vm, 0x100000, l->ram, 0, PAGE, 0, NULL);
        if (!status)
            must(vsdk_vm_unmap(vm, 0x100000, PAGE, NULL));
    }
}

static void looped_watch(void *user, vsdk_watch *watch, int32_t fd, uint32_t events)
{
    (void)watch, (void)events;
    check(fd == looped.pipe[0], "descriptor %d", fd);
    looped_call(user);
}

static void looped_timer(void *user, vsdk_timer *timer)
{
    (void)timer;
    looped_call(user);
}

static void looped_work(void *user, vsdk_work *work)
{
    (void)work;
    looped_call(user);
    atomic_fetch_add(&looped.worked, 1);
}

/* A timer or work of nobody's: its release waits for its callback. */
struct own {
    _Atomic uint32_t running, released;
};

static void own_call(void *user)
{
    struct own *own = user;

    check(!atomic_load(&own->released), "a callback after its release");
    atomic_store(&own->running, 1);
    sched_yield();
    atomic_store(&own->running, 0);
}

static void own_timer(void *user, vsdk_timer *timer)
{
    (void)timer;
    own_call(user);
}

static void own_work(void *user, vsdk_work *work)
{
    (void)work;
    own_call(user);
}

static void own_release(void *user)
{
    struct own *own = user;

    check(!atomic_load(&own->running), "released while its callback runs");
    check(!atomic_exchange(&own->released, 1), "released twice");
    atomic_fetch_add(&looped.releases, 1);
}

static void looped_release(void *user)
{
    atomic_fetch_add(&((struct looped *)user)->releases, 1);
}

static vsdk_stop_answer looped_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    (void)device, (void)mode;
    ((struct looped *)user)->plain++;
    atomic_store(&((struct looped *)user)->stopped, 1);
    return VSDK_STOP_DONE;
}

static void looped_start(void *user, vsdk_device *device)
{
    (void)device;
    ((struct looped *)user)->plain++;
    atomic_store(&((struct looped *)user)->stopped, 0);
}

static const vsdk_device_ops looped_ops = {
    .size = sizeof looped_ops, .start = looped_start, .stop = looped_stop};

static void *loop_dispatcher(void *argument)
{
    (void)argument;
    while (!atomic_load(&looped.over))
        must(vsdk_loop_dispatch(looped.loop, 5 * MS, NULL, NULL));
    return NULL;
}

static void *loop_pauser(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        must(vsdk_vm_pause(vm, 0, VSDK_FOREVER, NULL));
        check(atomic_load(&looped.stopped), "not stopped");
        sched_yield();
        must(vsdk_vm_resume(vm, NULL));
        must(vsdk_vm_pause_request(vm, NULL));
        must(vsdk_vm_resume(vm, NULL));
        usleep(200);
    }
    return NULL;
}

static void timer_round(vsdk_device *device, struct own *own, uint32_t *seed)
{
    vsdk_timer *timer;

    must(vsdk_timer_create(looped.loop, device, device ? looped_timer : own_timer,
                           device ? (void *)&looped : own, device ? looped_release : own_release,
                           &timer, NULL));
    must(vsdk_timer_arm(timer, next_random(seed) % 3 * 1000, next_random(seed) % 5 ? 1000 : 0,
                        NULL));
    if (next_random(seed) % 2)
        usleep(50);
    if (next_random(seed) % 7 == 0)
        must(vsdk_timer_disarm(timer, NULL));
    vsdk_timer_close(timer);
}

static void work_round(vsdk_device *device, struct own *own, uint32_t *seed)
{
    vsdk_work *work;

    must(vsdk_work_create(looped.loop, device, device ? looped_work : own_work,
                          device ? (void *)&looped : own, device ? looped_release : own_release,
                          &work, NULL));
    for (uint32_t posts = next_random(seed) % 3; posts; posts--)
        must(vsdk_work_post(work, NULL));
    if (next_random(seed) % 2)
        usleep(50);
    vsdk_work_close(work);
}

static struct own owns[ROUNDS / 4];

static void *loop_changer(void *argument)
{
    uint32_t seed = first_random(1);

    (void)argument;
    for (uint32_t i = 0; i < ROUNDS / 4; i++) {
        vsdk_device *device = next_random(&seed) & 1 ? looped.device : NULL;
        (next_random(&seed) & 1 ? timer_round : work_round)(device, &owns[i], &seed);
    }
    return NULL;
}

/* One more that posts: a post is never lost, a stop or not. */
static void *loop_poster(void *work)
{
    uint32_t seed = first_random(2);
    uint64_t before = atomic_load(&looped.worked);

    while (!atomic_load(&stop)) {
        must(vsdk_work_post(work, NULL));
        for (uint32_t ms = 0; atomic_load(&looped.worked) == before; ms++) {
            if (ms == PATIENCE_MS)
                tap_bail("posted work did not run");
            usleep(ms < 10 ? 50 : 1000);
        }
        before = atomic_load(&looped.worked);
        usleep(next_random(&seed) % 100);
    }
    return NULL;
}

static void watch_round(vsdk_watch **watch)
{
    vsdk_watch_close(*watch);
    must(vsdk_watch_create(looped.loop, looped.device, looped.pipe[0], VSDK_LOOP_READ, looped_watch,
                           &looped, looped_release, watch, NULL));
}

static void loop_under_changes(void)
{
    pthread_t dispatcher, pauser, changer, poster;
    vsdk_watch *watch = NULL, *second;
    vsdk_work *work;

    machine_make();
    memset(&looped, 0, sizeof looped);
    atomic_store(&looped.stopped, 1);
    memset(owns, 0, sizeof owns);
    looped.loop = vsdk_vm_loop(vm, NULL);
    if (!looped.loop)
        tap_bail("no loop");
    must(vsdk_ram_create(vm, PAGE, NULL, &looped.ram, NULL));
    must(vsdk_device_create(vm, &looped_ops, &looped, NULL, &looped.device, NULL));
    must(vsdk_device_add_range(looped.device, VSDK_SPACE_PIO, 0x80, 1, 0, NULL));
    if (pipe(looped.pipe) || write(looped.pipe[1], "x", 1) != 1)
        tap_bail("no pipe");
    /* Two of one descriptor. */
    must(vsdk_watch_create(looped.loop, looped.device, looped.pipe[0], VSDK_LOOP_READ, looped_watch,
                           &looped, NULL, &second, NULL));
    must(vsdk_work_create(looped.loop, looped.device, looped_work, &looped, NULL, &work, NULL));
    must(vsdk_vm_resume(vm, NULL));
    dispatcher = start(loop_dispatcher, NULL);
    pauser = start(loop_pauser, NULL);
    changer = start(loop_changer, NULL);
    poster = start(loop_poster, work);
    for (uint32_t i = 0; i < ROUNDS / 20; i++) {
        watch_round(&watch);
        usleep(300);
    }
    pthread_join(changer, NULL);
    atomic_store(&stop, 1);
    pthread_join(poster, NULL);
    pthread_join(pauser, NULL);
    must(vsdk_device_detach(looped.device, NULL));
    uint64_t calls = atomic_load(&looped.calls);
    usleep(1000);
    atomic_store(&looped.over, 1);
    pthread_join(dispatcher, NULL);
    check(calls == atomic_load(&looped.calls), "a callback after detach");
    check(looped.releases == ROUNDS / 4 + ROUNDS / 20, "%u releases", looped.releases);
    tap_note("%llu callbacks", (unsigned long long)calls);
    vsdk_work_close(work);
    vsdk_watch_close(second);
    vsdk_watch_close(watch);
    vsdk_device_close(looped.device);
    vsdk_ram_close(looped.ram);
    close(looped.pipe[0]);
    close(looped.pipe[1]);
    machine_end();
}

/* The gate while memory comes and goes, and destroy under all of it. */

static _Atomic uint64_t gate_maps;

static void *gate_user(void *device)
{
    uint8_t bytes[2 * PAGE];
    vsdk_status status;

    do {
        vsdk_dma_view view = {.size = sizeof view};
        status = vsdk_vm_read(vm, PAGE - 8, bytes, 16, NULL);
        check(!status || status == VSDK_ERROR_RANGE || status == VSDK_ERROR_GONE, "%s",
              vsdk_status_name(status));
        status = vsdk_dma_map(device, PAGE, 8, VSDK_DMA_FROM_GUEST, &view, NULL);
        check(!status || status == VSDK_ERROR_RANGE || status == VSDK_ERROR_STATE ||
                  status == VSDK_ERROR_GONE,
              "%s", vsdk_status_name(status));
        if (!status) {
            memcpy(bytes, view.data, 8);
            atomic_fetch_add(&gate_maps, 1);
        }
        vsdk_dma_unmap(&view);
    } while (status != VSDK_ERROR_GONE);
    return NULL;
}

static void *gate_bells(void *argument)
{
    vsdk_status status;

    (void)argument;
    do {
        vsdk_doorbell_config config = {
            .size = sizeof config, .space = VSDK_SPACE_PIO, .address = 0x300};
        vsdk_doorbell *bell;
        status = vsdk_doorbell_create(vm, &config, &bell, NULL);
        if (!status)
            port_write(vcpus[0], 0x300, 1);
        vsdk_doorbell_close(bell);
        check(!status || status == VSDK_ERROR_GONE, "%s", vsdk_status_name(status));
    } while (status != VSDK_ERROR_GONE);
    return NULL;
}

static void destroy_under_use(void)
{
    static const vsdk_device_ops none = {.size = sizeof none};

    atomic_store(&gate_maps, 0);
    for (uint32_t round = 0; round < 20; round++) {
        pthread_t users[2], bells;
        vsdk_ram *low, *high;
        vsdk_device *device;
        machine_run();
        must(vsdk_device_create(vm, &none, NULL, NULL, &device, NULL));
        must(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x400, 1, 0, NULL));
        must(vsdk_ram_create(vm, PAGE, NULL, &low, NULL));
        must(vsdk_ram_create(vm, PAGE, NULL, &high, NULL));
        must(vsdk_vm_map(vm, 0, low, 0, PAGE, 0, NULL));
        for (uint32_t i = 0; i < 2; i++)
            users[i] = start(gate_user, device);
        bells = start(gate_bells, NULL);
        for (uint32_t i = 0; i < 20; i++) {
            must(vsdk_vm_map(vm, PAGE, high, 0, PAGE, 0, NULL));
            sched_yield();
            must(vsdk_vm_unmap(vm, PAGE, PAGE, NULL));
        }
        must(vsdk_vm_destroy(vm, NULL));
        for (uint32_t i = 0; i < 2; i++)
            pthread_join(users[i], NULL);
        pthread_join(bells, NULL);
        vsdk_ram_close(low);
        vsdk_ram_close(high);
        vsdk_device_close(device);
        machine_end();
    }
    check(atomic_load(&gate_maps) > 0, "nothing was ever pinned");
}

static void *console_user(void *device)
{
    for (uint16_t size = 1; !atomic_load(&stop); size = (uint16_t)(size % 500 + 1)) {
        must(vsdk_virtio_console_resize(device, 1, size, size, NULL));
        must(vsdk_virtio_console_connect(device, 1, NULL, NULL));
    }
    return NULL;
}

/* For the thread sanitizer: a port that its embedder changes is read at one time. */
static void save_under_changes(void)
{
    static uint8_t state[65536];
    vsdk_virtio_port ports[2] = {{.flags = VSDK_VIRTIO_PORT_CONSOLE},
                                 {.flags = VSDK_VIRTIO_PORT_CONSOLE}};
    vsdk_virtio_console_config config = {.size = sizeof config, .ports = ports, .port_count = 2};
    vsdk_device *device;
    uint64_t length;

    machine_make();
    must(vsdk_virtio_console_create(vm, &config, &device, NULL));
    pthread_t user = start(console_user, device);
    for (uint32_t round = 0; round < ROUNDS / 10; round++)
        must(vsdk_device_save(device, state, sizeof state, &length, NULL));
    atomic_store(&stop, 1);
    pthread_join(user, NULL);
    vsdk_device_close(device);
    machine_end();
}

int main(int argc, char **argv)
{
    static const struct tap_test tests[] = {
        {"devices are detached under accesses", detach_under_accesses},
        {"callbacks detach each other's devices", mutual_detach},
        {"threads share a line", shared_lines},
        {"interrupt controllers come and go", controllers_come_and_go},
        {"a loop under changes and pauses", loop_under_changes},
        {"destroy under use of gate and doorbells", destroy_under_use},
        {"a console is saved under changes", save_under_changes},
    };

    return tap_run(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
