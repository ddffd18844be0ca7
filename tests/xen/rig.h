/* SPDX-License-Identifier: Apache-2.0 */
/* A machine on the backend's operations table, above the fake of Xen. */
#ifndef VSDK_TESTS_XEN_RIG_H
#define VSDK_TESTS_XEN_RIG_H

#include "core/backend.h"
#include "fake.h"
#include "tap.h"

enum { RAM_BYTES = 4 << 20, ROM_AT = 8 << 20, ROM_BYTES = 8192, PATIENCE_MS = 5000 };

struct rig {
    backend_host host;
    backend_vm vm;
    backend_vcpu *list[FAKE_VCPUS];
    backend_vcpu vcpu;
    vsdk_exit exit __attribute__((aligned(64)));
    backend_ram ram, rom;
    backend_slot slot, rom_slot;
};

extern const backend_ops *rig_ops;
extern vsdk_error rig_error;
extern char rig_log[1024];      /* warnings and errors, the last first */
extern char rig_console[16384]; /* what the guests wrote */
extern size_t rig_console_length;

void rig_init(void); /* once */
/* Each fills the rig up to there; `rig_begin` makes a running guest of one processor out of a
 * fresh fake, and the rest is 0 or a failed check. */
void rig_prepare(struct rig *rig);
int rig_begin(struct rig *rig);
int rig_start(struct rig *rig); /* the rest, with a fake that was prepared */
void rig_end(struct rig *rig);
/* After everything was closed: what the fake gave out is back. */
void rig_check_nothing_left(const char *what);

struct fake_domain *rig_domain(const struct rig *rig);
/* Runs for at most `ms`. */
const vsdk_exit *rig_run(struct rig *rig, unsigned ms);

#endif
