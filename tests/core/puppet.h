/* SPDX-License-Identifier: Apache-2.0 */
/* A backend without a guest: a script says what each vCPU does next. It watches what the core
 * promises to backends, and counts each breach. */
#ifndef VSDK_TESTS_CORE_PUPPET_H
#define VSDK_TESTS_CORE_PUPPET_H

#include "core/backend.h"
#include <stdatomic.h>
#include <vsdk/vsdk.h>

/* The next thing that a vCPU does. PUPPET_IDLE: waits to be interrupted; PUPPET_EXIT: the record
 * was filled; PUPPET_WORK: something that nobody sees. */
enum puppet_act { PUPPET_IDLE, PUPPET_EXIT, PUPPET_WORK };
typedef enum puppet_act (*puppet_script_fn)(backend_vcpu *vcpu, vsdk_exit *exit);
extern puppet_script_fn puppet_script;

extern _Atomic unsigned puppet_breaches; /* of the operations table's rules */
extern _Atomic unsigned puppet_alive;    /* hosts, machines and vCPUs not given back */
extern _Atomic unsigned puppet_logged;   /* messages of VSDK_LOG_ERROR */
extern void (*puppet_told)(vsdk_log_level level, const char *text); /* of each message */

/* The next call that is refused, once. */
enum puppet_refusal {
    PUPPET_GRANT,
    PUPPET_REFUSE_PAUSE,
    PUPPET_REFUSE_RESUME,
    PUPPET_REFUSE_RESET,
    PUPPET_REFUSE_UNMAP,
    PUPPET_REFUSE_PROTECT,
    PUPPET_LOSE_PROTECTED, /* refused, and what was mapped is gone */
    PUPPET_REFUSE_RESUME_TWICE
};
extern _Atomic unsigned puppet_refusal;

vsdk_host *puppet_open(int autonomous);
/* A machine with vCPUs; exits the process with a TAP failure if it can't. */
vsdk_vm *puppet_vm(vsdk_host *host, uint32_t vcpus, vsdk_vcpu **made);
vsdk_vm *puppet_vm_with(vsdk_host *host, const vsdk_vm_config *config, vsdk_vcpu **made);
void puppet_close(vsdk_host *host, vsdk_vm *vm, vsdk_vcpu *vcpu);
vsdk_vm_state puppet_state(vsdk_vm *vm); /* 99: there is none to be had */

/* In vm_map, when the mapping is made. */
extern void (*puppet_mapped)(const backend_slot *slot);

/* What vCPU 0's guest has for its console and what it takes of it; NULL: nothing, and none. */
extern uint64_t (*puppet_console_output)(void *bytes, uint64_t capacity);
extern uint64_t (*puppet_console_input)(const void *bytes, uint64_t length);

/* In vcpu_enter and in vcpu_complete; NULL: nothing. */
extern void (*puppet_entering)(backend_vcpu *vcpu);
extern void (*puppet_completing)(backend_vcpu *vcpu);

/* How many further fragments vcpu_complete shows of an access, each one port on. */
extern _Atomic unsigned puppet_fragments;

void puppet_pio(vsdk_exit *exit, vsdk_direction direction, uint64_t port, uint64_t value);
/* What the guest saw of its last read. */
uint64_t puppet_answer(vsdk_vcpu *vcpu);

/* Until a condition holds, for ten seconds; 1 if it does. */
#define PUPPET_WAIT(condition)                                                                     \
    ({                                                                                             \
        unsigned turns = 0;                                                                        \
        while (!(condition) && turns++ < 100000)                                                   \
            puppet_nap();                                                                          \
        (condition) != 0;                                                                          \
    })
void puppet_nap(void); /* 100 us */

#endif
