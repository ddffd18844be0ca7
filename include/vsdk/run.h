/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a whole machine.
 *
 * One call that runs everything: each vCPU on a thread of its own, the virtual machine's loop on
 * the thread of the caller. It is made of the public functions, for programs that just want the
 * guest to run.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/run.toml by abi/generate.py.
 */

#ifndef VSDK_RUN_H
#define VSDK_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/exit.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * What vsdk_vm_run does after an exit that it gave away.
 *
 * Since 0.1.
 */
enum vsdk_run_answer_values {
    VSDK_RUN_GO_ON = 0, /* Run that vCPU again */
    VSDK_RUN_END = 1,   /* End the run; end becomes that exit */
};
typedef uint32_t vsdk_run_answer;

/*
 * A vCPU returned to vsdk_vm_run with an exit that no device claimed: an access (also one of a
 * tagged range), HALT, or a reason from which no run goes on. Answers of a read are written to the
 * record.
 *
 *   user  (may be NULL) The configuration's pointer.
 *   vcpu  (inout) The vCPU; borrowed.
 *   exit  (inout) Its record.
 *
 * Returns whether it goes on.
 * Runs on: The thread of that vCPU; several at once.
 * May call: everything but run, pause, reset and destroy.
 * Since 0.1.
 */
typedef vsdk_run_answer (*vsdk_run_exit_fn)(void *user, vsdk_vcpu *vcpu, vsdk_exit *exit);

/*
 * How to run a virtual machine.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_run_config {
    uint32_t size;           /* sizeof(vsdk_run_config) */
    uint32_t flags;          /* Zero */
    vsdk_run_exit_fn exit;   /* Gets the exits that nobody claims. NULL: accesses read all ones
                                and drop writes, and are told to the log once an address, the
                                first 128 of them (VSDK_LOG_DEBUG); anything else ends the run. */
    void *user;              /* (may be NULL) Given to it */
    vsdk_release_fn release; /* (may be NULL) Called once with user when the run is over, on
                                failure too */
    uint64_t reserved[2];    /* Zero */
} vsdk_run_config;

/*
 * Run the whole guest from one call, the convenience for simple programs.
 *
 * Resumes the virtual machine, runs every vCPU that exists, each on a thread made for it, and its
 * loop on the calling thread, until the guest ends, the time is over or vsdk_vm_run_cancel is
 * called. The threads have ended when it returns. Signals are blocked in them.
 *
 * Ends with the virtual machine STOPPED and its devices stopped, or PAUSED when something else
 * ended it. A device whose stop is pending is waited for, at most five seconds.
 *
 * A guest whose processors have all halted with interrupts off ends with HALTED. An autonomous
 * backend, such as Xen, tells it at once. Elsewhere the run looks for it: it is found some four
 * seconds after the last exit, and within two minutes in a guest that was idle for long. A run with
 * a shorter timeout_ns ends with KICKED. With VSDK_IRQCHIP_NONE there is nothing to look for: a
 * halt is an exit.
 *
 *   config      NULL for all defaults.
 *   timeout_ns  (ns) Longest time from now, in real time; 0 returns at once, VSDK_FOREVER has no
 *               end.
 *   end         (out, may be NULL) The terminal exit, or KICKED with VSDK_KICK_DEADLINE or
 *               VSDK_KICK_REQUEST, HALT where no interrupt can come (VSDK_IRQCHIP_NONE), or an exit
 *               that no run can go on from (INTERNAL_ERROR, FAIL_ENTRY, MEMORY_FAULT, UNKNOWN), or
 *               the exit after which the callback ended the run.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or a flag is unknown
 *   UNSUPPORTED       the configuration has a later version's field
 *   STATE             it has no vCPU or is STOPPED, or called in a forked child
 *   BUSY              it is being run already, or called from a callback
 *   GONE              it was destroyed
 *   NO_MEMORY         no memory for threads or the loop
 *   LIMIT             no more descriptors for the loop
 *   SYSTEM            a run failed, or the guest could not be started or, at the end, paused
 * Threads: any; one at a time a virtual machine. Blocks: until the guest has ended. From callbacks:
 * no: VSDK_ERROR_BUSY. States: CREATED, RUNNING, PAUSED or STOPPED with VSDK_EXIT_SUSPEND, with at
 * least one vCPU and nobody inside vsdk_vcpu_run. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_run(vsdk_vm *vm, const vsdk_run_config *config, uint64_t timeout_ns,
                        vsdk_exit *end, vsdk_error *error);

/*
 * Make vsdk_vm_run return.
 *
 * Sticky: a cancel before the run makes that run return at once.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL
 *   GONE              it was destroyed
 *   STATE             called in a forked child
 * Threads: any; async-signal-safe. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_vm_run_cancel(vsdk_vm *vm, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_RUN_H */
