/* SPDX-License-Identifier: Apache-2.0 */
/* What the conformance tests share. Each test program opens the host that $VSDK_TEST_BACKEND names,
 * so that the same binaries run in every place.
 *
 * Memory of a test machine, RAM_BYTES at 0, is laid out by layout.h; its processor starts in
 * 64-bit mode with all of the first 4 GiB mapped one to one. */
#ifndef VSDK_TESTS_BACKEND_COMMON_H
#define VSDK_TESTS_BACKEND_COMMON_H

#include "check.h"
#include "guests.h"
#include "layout.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <vsdk/vsdk.h>

/* A host, a virtual machine with RAM, and its boot processor. */
struct machine {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    uint8_t *memory;
    vsdk_vcpu *vcpu;
    vsdk_exit *exit;
};

const char *test_backend(void);
vsdk_host *open_host(void);

/* All defaults; the second form takes a configuration of the virtual machine. */
void machine_make(struct machine *m);
void machine_make_with(struct machine *m, const vsdk_vm_config *config);
/* Without a processor. */
void machine_make_bare(struct machine *m, const vsdk_vm_config *config);
/* The same on a host that becomes the machine's. */
void machine_make_on(struct machine *m, vsdk_host *host, const vsdk_vm_config *config);
void machine_add_vcpu(struct machine *m);
/* Stops the guest and closes all; fields may be NULL. */
void machine_end(struct machine *m);

/* Ends the test here. Nothing is torn down after a skip, and a guest may outlive the process: so
 * this closes the host and the machine that machine_make made on it. Nothing else may be open. */
void skip(vsdk_host *host, const char *reason);

/* Capabilities. need() skips the test, with the host's own reason, if the answer is no. */
vsdk_answer capability(vsdk_host *host, vsdk_capability what);
uint64_t capability_value(vsdk_host *host, vsdk_capability what);
void need(vsdk_host *host, vsdk_capability what);
int is_autonomous(vsdk_host *host);

/* The privilege level at which this host's guests are native: 0, or 3 where CPL 0 is emulated. */
int native_cpl(vsdk_host *host);

/* Puts a guest at CODE and sets the processor to begin there; `regs` (may be NULL) gives general
 * registers, whose rip, rsp and rflags are ignored. */
void machine_load(struct machine *m, const struct guest *guest, int cpl, const vsdk_x86_regs *regs);
/* Loads at the native level and starts. */
void machine_start(struct machine *m, const struct guest *guest, const vsdk_x86_regs *regs);

/* Runs until something other than KICKED; asserts success. */
const vsdk_exit *run(struct machine *m);
/* Runs until the guest writes to a port, or reads from it; other exits fail the test. */
const vsdk_exit *run_to_write(struct machine *m, uint16_t port);
const vsdk_exit *run_to_read(struct machine *m, uint16_t port);
/* run_to_write(PORT_END), and the value. */
uint64_t run_to_end(struct machine *m);
/* Writes the answer of a read, count elements of the record's width. */
void answer(const vsdk_exit *exit, uint64_t value);

/* What guest_poke does for its host: four bytes read (0), or written (1). It waits for what is
 * next, as it does where it was run to its first read. Told alone, it does so at the next run. */
void machine_tell(struct machine *m, uint32_t what, uint32_t address, uint32_t value);
uint32_t machine_peek(struct machine *m, uint32_t address);
void machine_poke(struct machine *m, uint32_t address, uint32_t value);

/* A thread that runs a processor until its run fails, the guest has ended, `until_kicked` is set
 * and run returned KICKED, or another exit came for which `on_exit` is NULL or returns 0. */
struct runner {
    vsdk_vcpu *vcpu;
    int (*on_exit)(struct runner *runner, vsdk_exit *exit);
    void *user;
    int until_kicked;
    vsdk_status status;
    vsdk_exit last;
    unsigned long thread;
};
void runner_start(struct runner *runner);
void runner_join(struct runner *runner);

/* Waits until a condition holds; fails the test after a minute. */
void wait_for(int (*holds)(void *), void *user, const char *what);
void wait_for_vcpu(vsdk_vcpu *vcpu, vsdk_vcpu_phase state);
void wait_for_vm(vsdk_vm *vm, vsdk_vm_state state);
vsdk_vm_state vm_state(vsdk_vm *vm);
void sleep_ms(unsigned ms);

/* The machine's own loop, and all that is due on it; a device by the name of "test". */
vsdk_loop *loop_of(vsdk_vm *vm);
void dispatch_all(vsdk_vm *vm);
vsdk_device *make_device(vsdk_vm *vm, const vsdk_device_ops *ops, void *user, uint32_t flags);

/* Lines of an interrupt controller that nobody listens to. */
void no_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level);

#endif
