/* SPDX-License-Identifier: Apache-2.0 */
/* A processor of a domain as its thread sees it. The domain executes by itself; a run waits until
 * an access was made, the guest has ended, or somebody asks for the thread, and shows the first of
 * these in the record. It sleeps in one place (wait_for_event), and whatever it is woken by it
 * looks at everything again. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include "base/sys.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

static vsdk_status connect_events(xen_vcpu *vcpu, vsdk_error *error)
{
    xen_vm *vm = vcpu->vm;
    descriptor_plug plug;
    int port, failure;

    descriptor_plug_in(&plug);
    vcpu->events = xenevtchn_open(&vm->host->logger.base, 0);
    failure = -errno;
    descriptor_plug_out(&plug);
    if (!vcpu->events)
        return xen_failed(error, failure, "xenevtchn_open", "no event channel handle");
    vcpu->request = &vm->requests[vcpu->vcpu->index];
    port = xenevtchn_bind_interdomain(vcpu->events, vm->domid, vcpu->request->vp_eport);
    if (port < 0)
        return xen_failed(error, -errno, "EVTCHNOP_bind_interdomain",
                          "the processor's event channel was not bound");
    vcpu->port = (evtchn_port_t)port;
    return VSDK_OK;
}

void vcpu_disconnect(xen_vcpu *vcpu)
{
    if (vcpu->events)
        events_close(vcpu->events);
    vcpu->events = NULL;
    vcpu->request = NULL;
    vcpu->access.pending = 0;
}

static void vcpu_free(xen_vcpu *vcpu)
{
    vcpu_disconnect(vcpu);
    sys_close(vcpu->kick);
    alloc_free(vcpu->bounce);
    alloc_free(vcpu);
}

static vsdk_status vcpu_equip(xen_vcpu *vcpu, vsdk_error *error)
{
    vcpu->kick = sys_eventfd();
    if (vcpu->kick < 0)
        return xen_failed(error, vcpu->kick, "eventfd", "no eventfd for kicks");
    vcpu->bounce = alloc_aligned(XEN_PAGE, XEN_PAGE);
    if (!vcpu->bounce)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vcpu_create", "no memory");
    return connect_events(vcpu, error);
}

vsdk_status xen_vcpu_create(backend_vcpu *vcpu, vsdk_error *error)
{
    xen_vm *vm = xen_vm_of(vcpu->vm);
    vsdk_status status = cpuid_freeze(vm, error);
    xen_vcpu *made;

    if (status)
        return status;
    made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vcpu_create", "no memory");
    made->vcpu = vcpu;
    made->vm = vm;
    made->kick = -1;
    status = vcpu_equip(made, error);
    if (status) {
        vcpu_free(made);
        return status;
    }
    regs_reset(made);
    vcpu->data = made;
    death_add_vcpu(made);
    return VSDK_OK;
}

void xen_vcpu_destroy(backend_vcpu *vcpu)
{
    death_remove_vcpu(xen_vcpu_of(vcpu));
    vcpu_free(xen_vcpu_of(vcpu));
    vcpu->data = NULL;
}

void xen_vcpu_interrupt(backend_vcpu *vcpu)
{
    sys_eventfd_write(xen_vcpu_of(vcpu)->kick, 1);
}

static void kicked(xen_vcpu *vcpu, uint64_t detail)
{
    *vcpu->vcpu->exit = (vsdk_exit){.reason = VSDK_EXIT_KICKED, .detail = detail};
}

/* How long to wait: NULL for ever. */
static const struct timespec *patience(const xen_vcpu *vcpu, int busy, struct timespec *wait)
{
    uint64_t left = sys_time_left(vcpu->vcpu->deadline_ns);

    if (death_is_polled() && left > XEN_DEATH_POLL_MS * 1000000ull)
        left = XEN_DEATH_POLL_MS * 1000000ull;
    if (busy)
        left = 0;
    if (left == VSDK_FOREVER)
        return NULL;
    *wait = (struct timespec){.tv_sec = (time_t)(left / 1000000000),
                              .tv_nsec = (long)(left % 1000000000)};
    return wait;
}

static int deadline_passed(const xen_vcpu *vcpu)
{
    return !sys_time_left(vcpu->vcpu->deadline_ns);
}

/* Sleeps until something may have happened. -errno when the wait itself failed. Kicks and signals
 * must not keep a thread from asking for the guest's end. */
static int wait_for_event(xen_vcpu *vcpu)
{
    struct timespec wait;
    int serves = vcpu->vcpu->index == 0, more = serves && vcpu->vm->pv.more;
    struct pollfd pollers[4] = {{.fd = xenevtchn_fd(vcpu->events), .events = POLLIN},
                                {.fd = vcpu->kick, .events = POLLIN},
                                {.fd = death_fd(), .events = POLLIN},
                                {.fd = serves ? pv_fd(vcpu->vm) : -1, .events = POLLIN}};
    uint64_t count;
    int before = sys_cancel_off();
    int result =
        ppoll(pollers, 4, patience(vcpu, more || vcpu->busy, &wait), NULL) < 0 ? -errno : 0;
    sys_cancel_back(before);

    if (pollers[0].revents)
        events_take(vcpu->events);
    if (pollers[1].revents)
        sys_eventfd_read(vcpu->kick, &count);
    if (pollers[2].revents || (death_is_polled() && !pollers[0].revents))
        death_check(vcpu->vm);
    if (pollers[3].revents || more)
        pv_serve(vcpu->vm);
    return result;
}

static void sync_regs(xen_vcpu *vcpu)
{
    backend_vcpu *outer = vcpu->vcpu;

    if (!outer->sync_regs && !outer->sync_sregs)
        return;
    if (outer->sync_regs && xen_vcpu_get_regs(outer, outer->sync_regs, NULL))
        return;
    if (outer->sync_sregs && xen_vcpu_get_sregs(outer, outer->sync_sregs, NULL))
        return;
    outer->exit->flags |= VSDK_EXIT_REGS_SYNCED;
}

/* 1 when the record says why the run returns. A guest that is quick has its next access ready when
 * this one has been answered: then the deadline comes first, or a run whose accesses devices answer
 * would never see it. */
static int something_to_tell(xen_vcpu *vcpu, int answered)
{
    if (vcpu->vm->ended != COMPAT_ALIVE && !exit_waiting(vcpu)) {
        end_tell(vcpu);
        return 1;
    }
    if (atomic_load(&vcpu->vcpu->requests)) {
        kicked(vcpu, 0);
        return 1;
    }
    if (!(answered && deadline_passed(vcpu)) && exit_take(vcpu)) {
        sync_regs(vcpu);
        return 1;
    }
    if (deadline_passed(vcpu)) {
        kicked(vcpu, VSDK_KICK_DEADLINE);
        return 1;
    }
    if (vcpu->vcpu->index == 0 && vcpu->vm->vm->console_due) {
        pv_serve(vcpu->vm); /* a guest that floods its console has a store, too */
        kicked(vcpu, 0);
        return 1;
    }
    return 0;
}

/* Kicks that follow each other closely keep a run from its wait, where all else is looked at: so an
 * access that waited before is shown, an end is looked for, and told by something_to_tell, and what
 * the guest wrote is taken. */
static int comes_before_kick(xen_vcpu *vcpu)
{
    if (atomic_load(&vcpu->vcpu->requests) != REQUEST_KICK)
        return 0;
    if (exit_take(vcpu))
        return 1;
    death_check(vcpu->vm);
    if (vcpu->vcpu->index == 0)
        pv_serve(vcpu->vm);
    return 0;
}

vsdk_status xen_vcpu_run(backend_vcpu *vcpu, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    int answered = made->access.pending;

    if (!made->events)
        return error_set(error, VSDK_ERROR_GONE, "vsdk_vcpu_run", "the domain was destroyed");
    if (answered ? exit_answer(made) : comes_before_kick(made)) {
        sync_regs(made);
        return VSDK_OK;
    }
    for (; !something_to_tell(made, answered); answered = 0) {
        int result = wait_for_event(made);
        if (result == -EINTR) {
            kicked(made, VSDK_KICK_SIGNAL);
            return VSDK_OK;
        }
        if (result < 0)
            return xen_refused(error, result, "ppoll", "the wait for the guest failed");
    }
    return VSDK_OK;
}

/* HLT with interrupts off takes a processor down. One that waits for INIT and SIPI is down too: it
 * has no registers, or after a reset those that regs_start gave it. */
int xen_vcpu_is_halted(backend_vcpu *vcpu)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    compat_general general;

    return made->vm->started &&
           compat_get_general(made->vm->host->control, made->vm->domid, vcpu->index, &general) >=
               0 &&
           !general.online && memcmp(&general.regs, &made->regs, sizeof general.regs) != 0;
}
