/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of devices share: a virtual machine of the fake, and what devices gave to their
 * embedder, who holds the other end of their stream. */
#ifndef TESTS_UNIT_DEVICE_RIG_H
#define TESTS_UNIT_DEVICE_RIG_H

#include "fake.h"

extern vsdk_vm vm;
extern char got[256];
extern uint32_t got_length;
extern uint32_t spaces, ended; /* that the embedder's end was told of */
extern uint32_t echo;          /* the embedder writes back what it reads */
extern vsdk_stream *wire;      /* the embedder's end */

void rig_begin(void);
void rig_end(void); /* nothing is left */

/* A stream of that room (0: the usual one): `wire` is one end, the other one is returned. With
 * `listens` the embedder reads at once what comes. */
vsdk_stream *rig_stream(uint64_t capacity, int listens);
uint64_t rig_input(const void *bytes, uint64_t length); /* how many were taken */

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };
vsdk_device *rig_serial(void);
vsdk_device *rig_serial_on(vsdk_stream *end); /* takes the end over */

#endif
