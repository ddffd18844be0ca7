/* SPDX-License-Identifier: Apache-2.0 */
#include "storm.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PARTS = 12, RELEASES = 5 };

/* One of everything, and how often each release came. */
struct family {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    vsdk_device *device;
    vsdk_irq *irq;
    vsdk_doorbell *doorbell;
    vsdk_loop *loop;
    vsdk_watch *watch;
    vsdk_timer *timer;
    vsdk_work *work;
    vsdk_msi *msi;
    int pipe[2];
    _Atomic uint32_t releases[RELEASES];
    _Atomic uint32_t go;
    uint32_t round;
};

static void released(void *user)
{
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void due(void *user, vsdk_timer *timer)
{
    (void)user;
    (void)timer;
}

static void posted(void *user, vsdk_work *work)
{
    (void)user;
    (void)work;
}

static void ready(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)user;
    (void)watch;
    (void)descriptor;
    (void)events;
}

static void line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    (void)user;
    (void)vm;
    (void)gsi;
    (void)level;
}

static void make_device(struct family *f)
{
    vsdk_device_ops ops = {.size = sizeof ops, .release = released};

    must(vsdk_device_create(f->vm, &ops, &f->releases[0], NULL, &f->device, E));
    must(vsdk_device_add_range(f->device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
}

static void make_loop(struct family *f)
{
    vsdk_loop *own;

    if (pipe2(f->pipe, O_CLOEXEC) != 0)
        tap_bail("no pipe");
    must(vsdk_loop_create(&f->loop, E));
    must(vsdk_watch_create(f->loop, f->device, f->pipe[0], VSDK_LOOP_READ, ready, &f->releases[1],
                           released, &f->watch, E));
    own = vsdk_vm_loop(f->vm, E);
    if (!own)
        tap_bail("no loop: %s", E->message);
    must(vsdk_timer_create(own, f->device, due, &f->releases[2], released, &f->timer, E));
    must(vsdk_timer_arm(f->timer, 1000, 1000, E));
    must(vsdk_work_create(own, f->device, posted, &f->releases[3], released, &f->work, E));
    must(vsdk_work_post(f->work, E));
}

static void make(struct family *f, vsdk_host *host, uint32_t round)
{
    vsdk_doorbell_config bell = {.size = sizeof bell, .address = 0x3000, .width = 4};
    struct rig rig;

    memset(f, 0, sizeof *f);
    f->round = round;
    must(vsdk_host_open(rig_backend(), NULL, &f->host, E));
    (void)host;
    rig_make(&rig, f->host, 1, &guest_hammer, 1);
    f->vm = rig.vm;
    f->ram = rig.ram;
    f->vcpu = rig.vcpus[0];
    make_device(f);
    make_loop(f);
    must(vsdk_irq_controller_attach(f->vm, 0, 24, line, &f->releases[4], released, E));
    must(vsdk_irq_create(f->vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4},
                         &f->irq, E));
    must(vsdk_irq_raise(f->irq, E));
    must(vsdk_msi_create(f->vm,
                         &(vsdk_msi_config){.size = sizeof(vsdk_msi_config), .device = f->device},
                         &f->msi, E));
    must(vsdk_doorbell_create(f->vm, &bell, &f->doorbell, E));
    must(vsdk_vm_resume(f->vm, E));
}

static void close_part(struct family *f, unsigned part)
{
    switch (part) {
    case 0:
        vsdk_host_close(f->host);
        break;
    case 1:
        vsdk_vm_close(f->vm);
        break;
    case 2:
        vsdk_vcpu_close(f->vcpu);
        break;
    case 3:
        vsdk_ram_close(f->ram);
        break;
    case 4:
        vsdk_device_close(f->device);
        break;
    case 5:
        vsdk_irq_close(f->irq);
        break;
    case 6:
        vsdk_doorbell_close(f->doorbell);
        break;
    case 7:
        vsdk_watch_close(f->watch);
        break;
    case 8:
        vsdk_timer_close(f->timer);
        break;
    case 9:
        vsdk_loop_close(f->loop);
        break;
    case 10:
        vsdk_work_close(f->work);
        break;
    case 11:
        vsdk_msi_close(f->msi);
        break;
    default:
        break;
    }
}

/* The part that runs the processor a little, each before it closes it; or destroys first. */
static void use_vcpu(struct family *f)
{
    vsdk_exit *exit = vsdk_vcpu_record(f->vcpu);

    for (int i = 0; i < 3; i++)
        if (vsdk_vcpu_run(f->vcpu, 2000000, E) != VSDK_OK || exit->flags & VSDK_EXIT_TERMINAL)
            break;
}

struct closer {
    struct family *family;
    unsigned part;
    pthread_t thread;
};

static void *closer(void *argument)
{
    struct closer *closer = argument;
    struct family *f = closer->family;

    while (!atomic_load(&f->go))
        rig_sleep_us(10);
    if (closer->part == 2)
        use_vcpu(f);
    if (closer->part == 1 && f->round % 3 == 0)
        must(vsdk_vm_destroy(f->vm, E));
    if (closer->part == 4 && f->round % 2 == 0) {
        vsdk_status status = vsdk_device_detach(f->device, E);
        check(status == VSDK_OK || status == VSDK_ERROR_GONE, "%s", vsdk_status_name(status));
    }
    close_part(f, closer->part);
    return NULL;
}

static void finish(struct family *f)
{
    close(f->pipe[0]);
    close(f->pipe[1]);
    for (unsigned i = 0; i < RELEASES; i++)
        check(atomic_load(&f->releases[i]) == 1, "release %u came %u times", i,
              atomic_load(&f->releases[i]));
}

/* Without threads, in an order that the round and the seed choose. */
static void close_in_order(struct family *f)
{
    uint32_t seed = rig_seed(f->round);
    unsigned order[PARTS];

    for (unsigned i = 0; i < PARTS; i++)
        order[i] = i;
    for (unsigned left = PARTS; left; left--) {
        unsigned chosen = rig_random(&seed, left);

        close_part(f, order[chosen]);
        order[chosen] = order[left - 1];
    }
}

static void close_at_once(struct family *f)
{
    struct closer closers[PARTS];

    for (unsigned i = 0; i < PARTS; i++) {
        closers[i] = (struct closer){.family = f, .part = i};
        thread_start(&closers[i].thread, closer, &closers[i]);
    }
    atomic_store(&f->go, 1);
    for (unsigned i = 0; i < PARTS; i++)
        thread_join(closers[i].thread);
}

void storm_close_round(vsdk_host *host, uint32_t round)
{
    struct family family;

    make(&family, host, round);
    if (round % 2)
        close_in_order(&family);
    else
        close_at_once(&family);
    finish(&family);
}
