/* SPDX-License-Identifier: Apache-2.0 */
/* A mapping that the hypervisor has and the core can't describe nor take back: the guest must not
 * go on with it, and its memory stays owned until the virtual machine is destroyed. The puppet
 * reaches what is mapped at every call, as a guest would; a sanitizer sees what was freed. */
#include "../contract/tap.h"
#include "core/object.h"
#include "puppet.h"
#include <stdlib.h>
#include <string.h>

enum { GPA = 0x10000, BYTES = 0x1000 };

static _Thread_local int fails; /* the allocations of this thread */
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails ? NULL : __real_calloc(count, bytes);
}

/* The hypervisor's part is made; from now on there is no memory. */
static void run_out(const backend_slot *slot)
{
    fails = 1;
}

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    vsdk_error error;
} rig;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void rig_open(rig *r, int autonomous, int runs)
{
    puppet_script = idle;
    puppet_mapped = NULL;
    atomic_store(&puppet_logged, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_ram_create(r->vm, BYTES, NULL, &r->ram, NULL);
    if (runs)
        vsdk_vm_resume(r->vm, NULL);
}

static vsdk_status map_without_memory(rig *r, int unmap_too)
{
    puppet_mapped = run_out;
    atomic_store(&puppet_refusal, unmap_too ? PUPPET_REFUSE_UNMAP : PUPPET_GRANT);
    vsdk_status status = vsdk_vm_map(r->vm, GPA, r->ram, 0, BYTES, 0, &r->error);
    fails = 0;
    puppet_mapped = NULL;
    return status;
}

static int is_mapped(rig *r)
{
    uint8_t byte;

    return !vsdk_vm_read(r->vm, GPA, &byte, 1, NULL);
}

/* What can be taken back is: nothing has changed. */
static void taken_back(int autonomous)
{
    rig r;

    rig_open(&r, autonomous, 1);
    tap(map_without_memory(&r, 0) == VSDK_ERROR_NO_MEMORY && r.error.code == VSDK_ERROR_NO_MEMORY &&
            !is_mapped(&r),
        "a mapping that can't be described is taken back");
    tap(!vsdk_vm_map(r.vm, GPA, r.ram, 0, BYTES, 0, NULL) && is_mapped(&r) &&
            !atomic_load(&puppet_logged),
        "and the next one works, the guest goes on");
    tap(!vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL), "it can be paused");
    vsdk_ram_close(r.ram);
    vsdk_vcpu_close(r.vcpu);
    vsdk_vm_close(r.vm);
    vsdk_host_close(r.host);
}

/* `explicitly`: by a destroy, or by the last close. */
static void kept(int autonomous, int runs, int explicitly)
{
    vsdk_vm_info info = {.size = sizeof info};
    rig r;

    rig_open(&r, autonomous, runs);
    tap(map_without_memory(&r, 1) == VSDK_ERROR_NO_MEMORY && !is_mapped(&r),
        "a mapping that can't be taken back either is told");
    vsdk_vm_get_info(r.vm, &info, NULL);
    tap(info.state == VSDK_VM_STOPPED && info.stop_reason == VSDK_EXIT_INTERNAL_ERROR &&
            atomic_load(&puppet_logged) == 1,
        "the guest has ended for it, and the log says why");
    tap(vsdk_vm_map(r.vm, 2 * GPA, r.ram, 0, BYTES, 0, NULL) == VSDK_ERROR_STATE,
        "nothing is mapped any more");
    vsdk_ram_close(r.ram); /* the last that anybody else has of it */
    vsdk_vcpu_run(r.vcpu, 0, NULL);
    tap(vsdk_vcpu_record(r.vcpu)->reason == VSDK_EXIT_INTERNAL_ERROR, "a run tells of it");
    if (explicitly)
        vsdk_vm_destroy(r.vm, NULL); /* the puppet reaches the memory here once more */
    vsdk_vcpu_close(r.vcpu);
    vsdk_vm_close(r.vm);
    vsdk_host_close(r.host);
    tap(!atomic_load(&puppet_alive), "its memory goes with it");
}

/* A change of protection that is refused changes nothing; where the hypervisor lost the mapping
 * over it, the core has none either, and the guest does not go on. */
static void protection_refused(int autonomous, int loses)
{
    vsdk_vm_info info = {.size = sizeof info};
    rig r;

    rig_open(&r, autonomous, 1);
    vsdk_vm_map(r.vm, GPA, r.ram, 0, BYTES, 0, NULL);
    atomic_store(&puppet_refusal, loses ? PUPPET_LOSE_PROTECTED : PUPPET_REFUSE_PROTECT);
    tap(vsdk_vm_protect(r.vm, GPA, BYTES, VSDK_MAP_READONLY, &r.error) == VSDK_ERROR_SYSTEM &&
            r.error.code == VSDK_ERROR_SYSTEM && is_mapped(&r) == !loses,
        "a refused change of protection is told%s", loses ? ", and the mapping is gone" : "");
    vsdk_vm_get_info(r.vm, &info, NULL);
    tap(info.state == (loses ? VSDK_VM_STOPPED : VSDK_VM_RUNNING) &&
            atomic_load(&puppet_logged) == (unsigned)loses,
        "the guest %s", loses ? "has ended for it, and the log says why" : "goes on");
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_vm_reset(r.vm, VSDK_FOREVER, NULL);
    tap(vsdk_vm_map(r.vm, GPA, r.ram, 0, BYTES, 0, NULL) == (loses ? VSDK_OK : VSDK_ERROR_EXISTS) &&
            !vsdk_vm_unmap(r.vm, GPA, BYTES, NULL),
        "the same memory can %s", loses ? "be mapped anew" : "be taken away");
    vsdk_ram_close(r.ram);
    vsdk_vcpu_close(r.vcpu);
    vsdk_vm_close(r.vm);
    vsdk_host_close(r.host);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        taken_back(autonomous);
        protection_refused(autonomous, 0);
        protection_refused(autonomous, 1);
        for (int way = 0; way < 4; way++)
            kept(autonomous, way & 1, way >> 1);
    }
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    return tap_end();
}
