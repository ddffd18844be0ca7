/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk_vm_run and a guest that has suspended itself: before the run, and between the moment when
 * the run takes the virtual machine and its resume. */
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

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++)
        a_suspend_is_seen(autonomous);
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
