/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk_vm_run and a guest that has suspended itself: before the run, and between the moment when
 * the run takes the virtual machine and its resume. And what a run tells the log. */
#include "../contract/tap.h"
#include "core/device.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

static _Atomic unsigned turn;
static vsdk_vm *suspended; /* when the run's thread has been made */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument)
{
    int result = __real_pthread_create(thread, attributes, function, argument);

    if (suspended)
        vsdk_vm_stop(suspended, VSDK_EXIT_SUSPEND, 0, 0, NULL);
    for (unsigned i = 0; i < 20; i++) /* the thread could run by now */
        puppet_nap();
    return result;
}

static enum puppet_act power_off(backend_vcpu *vcpu, vsdk_exit *exit)
{
    atomic_fetch_add(&turn, 1);
    *exit = (vsdk_exit){.reason = VSDK_EXIT_POWEROFF};
    return PUPPET_EXIT;
}

static void a_suspend_is_seen(int autonomous)
{
    const char *label = autonomous ? "autonomous" : "driven";
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_vcpu *vcpu = NULL;
    vsdk_exit end = {0};

    puppet_script = power_off;
    atomic_store(&turn, 0);
    vsdk_host *host = puppet_open(autonomous);
    vsdk_vm *vm = puppet_vm(host, 1, &vcpu);
    vsdk_vm_resume(vm, NULL);
    suspended = vm;
    vsdk_status status = vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, NULL);
    suspended = NULL;
    vsdk_vm_get_info(vm, &info, NULL);
    tap(!status && end.reason == VSDK_EXIT_SUSPEND && !atomic_load(&turn),
        "%s: a SUSPEND before the resume of a run ends that run", label);
    tap(info.state == VSDK_VM_STOPPED && info.stop_reason == VSDK_EXIT_SUSPEND,
        "%s: and stays for the embedder to see", label);
    status = vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, NULL);
    tap(!status && end.reason == VSDK_EXIT_POWEROFF && atomic_load(&turn) == 1,
        "%s: the next run goes on after it", label);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

/* The log function of a program takes a lock that another thread of it holds while it changes the
 * machine: here it waits for that change as a whole. */
static vsdk_vm *changed;
static _Atomic unsigned changes;

static void *change(void *unused)
{
    vsdk_ram *ram = NULL;

    if (!vsdk_vm_add_range(changed, VSDK_SPACE_PIO, 0x100, 1, 1, NULL) &&
        !vsdk_vm_remove_range(changed, VSDK_SPACE_PIO, 0x100, NULL) &&
        !vsdk_ram_create(changed, 4096, NULL, &ram, NULL) &&
        !vsdk_vm_map(changed, 0, ram, 0, 4096, 0, NULL) && !vsdk_vm_unmap(changed, 0, 4096, NULL))
        atomic_fetch_add(&changes, 1);
    vsdk_ram_close(ram);
    return unused;
}

static void wait_for_a_change(vsdk_log_level level, const char *text)
{
    pthread_t thread;

    if (!__real_pthread_create(&thread, NULL, change, NULL))
        pthread_join(thread, NULL);
}

static enum puppet_act write_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return power_off(vcpu, exit);
    puppet_pio(exit, VSDK_DIRECTION_WRITE, 0x80, 1);
    return PUPPET_EXIT;
}

static void the_log_holds_nobody(int autonomous)
{
    const char *label = autonomous ? "autonomous" : "driven";
    vsdk_vcpu *vcpu = NULL;
    vsdk_exit end = {0};

    puppet_script = write_once;
    atomic_store(&turn, 0);
    atomic_store(&changes, 0);
    vsdk_host *host = puppet_open(autonomous);
    changed = puppet_vm(host, 1, &vcpu);
    puppet_told = wait_for_a_change;
    vsdk_status status = vsdk_vcpu_run(vcpu, 1, NULL);
    tap(!status && atomic_load(&changes) == 1, "%s: the log is told that a run waits for a resume",
        label);
    status = vsdk_vcpu_run(vcpu, 1, NULL);
    tap(!status && atomic_load(&changes) == 1, "%s: once", label);
    status = vsdk_vm_run(changed, NULL, VSDK_FOREVER, &end, NULL);
    puppet_told = NULL;
    tap(!status && end.reason == VSDK_EXIT_POWEROFF && atomic_load(&changes) == 2,
        "%s: of an access that nobody claims, and nobody waits for the log function", label);
    puppet_close(host, changed, vcpu);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        a_suspend_is_seen(autonomous);
        the_log_holds_nobody(autonomous);
    }
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
