/* SPDX-License-Identifier: Apache-2.0 */
/* A machine for tests of the KVM operations below the core: it fills the backend's structs itself.
 * The guest runs at CPL 3 in long mode, with I/O privilege, in memory mapped one to one. */
#ifndef TESTS_BACKEND_KVM_RIG_H
#define TESTS_BACKEND_KVM_RIG_H

#include "core/backend.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { RIG_BYTES = 4 << 20, RIG_CODE = 0x10000, RIG_STACK = 0x9000 };
#define RIG_MMIO UINT64_C(0xd0000000)
#define RIG_ROM UINT64_C(0x8000000)

typedef struct rig {
    backend_host host;
    backend_vm vm;
    backend_vcpu vcpu;
    backend_vcpu *vcpus[2];
    backend_ram ram;
    backend_slot slot;
    _Alignas(64) vsdk_exit exit;
    vsdk_x86_regs sync;
    vsdk_x86_sregs sync_sregs;
    vsdk_error error;
} rig;

extern const backend_ops *rig_ops;
extern unsigned rig_test_count, rig_failures;
extern uint32_t rig_vcpus;     /* vcpus_max of the next rig_open; 1 */
extern uint32_t rig_long_mode; /* whether it sets registers; 1 */

void rig_open(rig *r, vsdk_irqchip irqchip, uint32_t vcpu_flags);
void rig_close(rig *r);
/* The guest stands at the code that starts at `begin` and ends before `end`. */
void rig_load(rig *r, const char *begin, const char *end);
void rig_set(rig *r, uint64_t rcx, uint64_t rdx, uint64_t rsi, uint64_t rdi);
void rig_set_long_mode(rig *r);   /* CPL 3 */
void rig_set_kernel_mode(rig *r); /* CPL 0, still in long mode */
vsdk_status rig_run(rig *r);      /* enter, run, leave */

/* TAP. With $RIG_TEST only the test of that name runs. */
void rig_check(int good, const char *text, const char *file, int line);
#define CHECK(condition) rig_check(!!(condition), #condition, __FILE__, __LINE__)
#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    static const char name##_name[] = #name;                                                       \
    static void name(void)
void rig_test(void (*test)(void), const char *name);
#define RUN(name) rig_test(name, name##_name)
int rig_finish(void);
/* Ends the program with a TAP skip when there is no usable /dev/kvm. */
void rig_begin(void);

/* Guest code. */
#define GUEST(name, text)                                                                          \
    extern const char name[], name##_end[];                                                        \
    __asm__(".pushsection .rodata\n.globl " #name "," #name "_end\n" #name ":\n" text "\n" #name   \
            "_end:\n.popsection\n")

#endif
