/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatching a loop from inside the core. */
#ifndef VSDK_CORE_DISPATCH_H
#define VSDK_CORE_DISPATCH_H

#include "core/loop.h"

/* Nobody dispatches it at this moment. */
int loop_may_dispatch(vsdk_loop *loop);

#endif
