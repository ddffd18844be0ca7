/* What the tests of devices share: a virtual machine of the fake, and what devices gave to their
 * embedder. */
#ifndef TESTS_UNIT_DEVICE_RIG_H
#define TESTS_UNIT_DEVICE_RIG_H

#include "fake.h"

extern vsdk_vm vm;
extern char got[256];
extern uint32_t got_length, released, spaces;
extern vsdk_device *echo; /* a serial port that gets its output as input */

void rig_begin(void);
void rig_end(void); /* nothing is left */
void rig_output(void *user, const void *bytes, uint64_t length);
void rig_space(void *user);
void rig_release(void *user);

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };
vsdk_device *rig_serial(void);

#endif
