/* SPDX-License-Identifier: Apache-2.0 */
/* How a guest ended: the words, and the status. vsdk(1) has the table. */
#ifndef VSDK_ENDING_H
#define VSDK_ENDING_H

#include "machine.h"

/* `left_by`: the signal by which the user left, 0 for Ctrl-A X. */
int ending_status(const run_options *o, const machine *m, const vsdk_exit *end, int left_by);

#endif
