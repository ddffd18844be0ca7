/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatching a loop from inside the core. */
#ifndef VSDK_CORE_DISPATCH_H
#define VSDK_CORE_DISPATCH_H

#include "core/loop.h"

/* Nobody dispatches it at this moment. */
int loop_may_dispatch(vsdk_loop *loop);

/* For who waits for a change in a virtual machine's life, on its own loop: one dispatch, which ends
 * its wait when `changes` is no longer `seen`, or at once if that is so already. */
void loop_dispatch_until(vsdk_vm *vm, vsdk_loop *loop, uint32_t seen, uint64_t timeout_ns);

#endif
