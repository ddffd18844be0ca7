/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about a vCPU's run share. */
#ifndef VSDK_CORE_VCPU_STATE_H
#define VSDK_CORE_VCPU_STATE_H

#include "base/fence.h"
#include "core/life_moves.h"

/* Becomes the one thread inside (place BUSY): 1, or 0 when another is. Ends with vcpu_go_out, which
 * may make transitions and so call devices. */
int vcpu_come_in(vsdk_vcpu *vcpu);
void vcpu_go_out(vsdk_vcpu *vcpu);

/* For who has no handle: takes one (1, to be closed), or waits until the last is closed and a
 * record of the caller's is used no more (0). No lock held. */
int vcpu_keep_record(vsdk_vcpu *vcpu);

/* From the guest to aside. The fence is the light half of vm_request's: see life_wait.c. */
static inline void vcpu_step_aside(vsdk_vcpu *vcpu)
{
    atomic_store_explicit(&vcpu->place, PLACE_ASIDE, memory_order_release);
    fence_light();
    if (atomic_load_explicit(&vcpu->backend.requests, memory_order_relaxed))
        life_changed(vcpu->vm);
}

/* Back on the way to the guest: requests are looked at after it. The fence is the light half of
 * vcpu_request's. */
static inline void vcpu_step_back(vsdk_vcpu *vcpu)
{
    atomic_store_explicit(&vcpu->place, PLACE_BUSY, memory_order_release);
    fence_light();
}

/* Keeps the record of an unfinished access that another exit is about to cover; brings it back. */
void vcpu_keep_answer(vsdk_vcpu *vcpu);
void vcpu_restore_answer(vsdk_vcpu *vcpu);

/* What was asked of a vCPU (its requests were not zero) on the way to the guest, place BUSY. */
typedef enum vcpu_verdict {
    VERDICT_ENTER, /* go on: dispatch what was deferred, or call the backend */
    VERDICT_LOOK,  /* look at the requests again */
    VERDICT_RETURN /* the run ends with *status and the record */
} vcpu_verdict;
vcpu_verdict vcpu_attend(vsdk_vcpu *vcpu, uint32_t requests, const char *operation,
                         vsdk_status *status, vsdk_error *error);

/* Place BUSY before and after: returns when no writer has the topology, or none of this matters. */
void vcpu_wait_for_writer(vsdk_vcpu *vcpu);

void vcpu_fill_kicked(vsdk_vcpu *vcpu, uint32_t detail);
void vcpu_fill_end(vsdk_vcpu *vcpu);

/* exit_dispatch.c: after the backend filled the record, or again for what was deferred. Place
 * ASIDE. 1: run goes on, 0: the record is the embedder's. */
int exit_dispatch(vsdk_vcpu *vcpu);

/* vcpu_attend.c, RUNNING: its thread is parked at an access, and finishes that once a pause that
 * settles asks for it. */
int vcpu_settles_itself(const vsdk_vcpu *vcpu);

/* vcpu_complete.c: finishes the access of a vCPU whose run returned, for a pause that settles. With
 * fragments that no device answers VSDK_ERROR_STATE, with a thread inside VSDK_ERROR_BUSY. */
vsdk_status vcpu_settle(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error);

#endif
