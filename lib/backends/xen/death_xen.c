/* SPDX-License-Identifier: Apache-2.0 */
/* Learning that a guest has ended.
 *
 * The event that tells of it, VIRQ_DOM_EXC, has one owner in a control domain and says nothing but
 * that some domain ended. So it is shared by all virtual machines of the process: whoever waits for
 * its own guest takes it, looks at all domains and wakes those whom it concerns. Where another
 * program owns the event, each asks for its own domain from time to time.
 *
 * `lock` is held around the list of virtual machines, the one handle, and each change of `ended`;
 * the last so that a guest that is brought back is not told dead by a look that began before. */
#include "backends/xen/xen.h"
#include "base/sys.h"
#include <errno.h>
#include <string.h>

static struct {
    lock lock;
    uint32_t users;
    xen_logger silent; /* outlives any host */
    xenevtchn_handle *events;
    _Atomic int fd;
    _Atomic int missed; /* an event was taken and Xen did not answer what it was about */
    xen_vm *vms;
} deaths = {.lock = LOCK_INITIALIZER(RANK_BACKEND), .fd = -1};

static int bind_event(void)
{
    descriptor_plug plug;
    int port = -1, failure;

    xen_logger_init(&deaths.silent, NULL);
    descriptor_plug_in(&plug);
    deaths.events = xenevtchn_open(&deaths.silent.base, 0);
    if (deaths.events)
        port = xenevtchn_bind_virq(deaths.events, VIRQ_DOM_EXC);
    failure = -errno;
    descriptor_plug_out(&plug);
    if (port >= 0) {
        deaths.fd = xenevtchn_fd(deaths.events);
        return 0;
    }
    if (deaths.events)
        events_close(deaths.events);
    deaths.events = NULL;
    return failure;
}

int death_open(void)
{
    int result = 0;

    lock_take(&deaths.lock);
    if (deaths.users++ == 0 || !deaths.events)
        result = bind_event();
    lock_give(&deaths.lock);
    return result;
}

void death_close(void)
{
    lock_take(&deaths.lock);
    if (--deaths.users == 0 && deaths.events) {
        deaths.fd = -1;
        events_close(deaths.events);
        deaths.events = NULL;
    }
    lock_give(&deaths.lock);
}

int death_fd(void)
{
    return deaths.fd;
}

int death_is_polled(void)
{
    return deaths.fd < 0 || deaths.missed;
}

void death_add(xen_vm *vm)
{
    lock_take(&deaths.lock);
    vm->next = deaths.vms;
    deaths.vms = vm;
    lock_give(&deaths.lock);
}

void death_remove(xen_vm *vm)
{
    lock_take(&deaths.lock);
    for (xen_vm **at = &deaths.vms; *at; at = &(*at)->next)
        if (*at == vm) {
            *at = vm->next;
            break;
        }
    lock_give(&deaths.lock);
}

void death_add_vcpu(xen_vcpu *vcpu)
{
    lock_take(&deaths.lock);
    vcpu->vm->vcpus[vcpu->vcpu->index] = vcpu;
    lock_give(&deaths.lock);
}

void death_remove_vcpu(xen_vcpu *vcpu)
{
    lock_take(&deaths.lock);
    vcpu->vm->vcpus[vcpu->vcpu->index] = NULL;
    lock_give(&deaths.lock);
}

static void wake(const xen_vm *vm)
{
    for (uint32_t i = 0; i < XEN_VCPUS_MAX; i++)
        if (vm->vcpus[i])
            xen_vcpu_interrupt(vm->vcpus[i]->vcpu);
}

static void tell(xen_vm *vm, int32_t ended)
{
    if (ended == COMPAT_ALIVE || vm->ended != COMPAT_ALIVE)
        return;
    end_inquire(vm, ended);
    vm->ended = ended;
    wake(vm);
}

static int is_domain_of(const xen_vm *vm, const compat_domain *domain)
{
    return vm->domid == domain->domid && memcmp(vm->handle, domain->handle, sizeof vm->handle) == 0;
}

static void compare(const compat_domain *domain)
{
    for (xen_vm *vm = deaths.vms; vm; vm = vm->next)
        if (is_domain_of(vm, domain)) {
            vm->seen = 1;
            tell(vm, domain->ended);
        }
}

static int compare_all(xen_host *host)
{
    enum { MANY = 32 };
    compat_domain domains[MANY];
    uint32_t first = 1;
    int found;

    do {
        found = compat_domains(host->control, first, MANY, domains);
        for (int i = 0; i < found; i++)
            compare(&domains[i]);
        if (found > 0)
            first = domains[found - 1].domid + 1;
    } while (found == MANY);
    return found;
}

/* A domain that is not in the list was destroyed by somebody else. */
static int look_at_all(xen_host *host)
{
    int result;

    for (xen_vm *vm = deaths.vms; vm; vm = vm->next)
        vm->seen = 0;
    result = compare_all(host);
    for (xen_vm *vm = deaths.vms; result >= 0 && vm; vm = vm->next)
        if (!vm->seen)
            tell(vm, COMPAT_DYING);
    return result;
}

/* Several threads wait for the one event and all are woken: who comes first takes it. */
static int take_event(void)
{
    return deaths.events && events_are_there(deaths.fd) && events_take(deaths.events) >= 0;
}

/* Whoever sleeps without an end, since there was an event to come, is to ask from now on. */
static void poll_from_now(void)
{
    deaths.missed = 1;
    for (const xen_vm *vm = deaths.vms; vm; vm = vm->next)
        wake(vm);
}

static void look(xen_host *host)
{
    lock_take(&deaths.lock);
    if (take_event()) {
        if (look_at_all(host) < 0)
            poll_from_now();
        else
            deaths.missed = 0;
    }
    lock_give(&deaths.lock);
}

static void ask(xen_vm *vm)
{
    compat_domain domain;
    int result = compat_domain_get(vm->host->control, vm->domid, &domain);

    if (result < 0 && result != -ESRCH)
        return;
    lock_take(&deaths.lock);
    tell(vm, result < 0 || !is_domain_of(vm, &domain) ? COMPAT_DYING : domain.ended);
    lock_give(&deaths.lock);
}

void death_check(xen_vm *vm)
{
    if (death_fd() >= 0)
        look(vm->host);
    if (death_is_polled())
        ask(vm);
}

int death_undo(xen_vm *vm, int (*undo)(xen_vm *))
{
    int result;

    lock_take(&deaths.lock);
    result = undo(vm);
    if (result >= 0) {
        vm->ended = COMPAT_ALIVE;
        vm->end_logged = 0;
    }
    lock_give(&deaths.lock);
    return result;
}
