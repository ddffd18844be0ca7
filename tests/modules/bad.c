/* SPDX-License-Identifier: Apache-2.0 */
/* Modules of the mocks that must be refused; which one, the build says. */
#include "core/backend.h"

const backend_ops *vsdk_backend_module(const core_table *core);
const backend_ops *nobody_has_this(const core_table *core);

#ifdef OLDER /* of another version: it answers, with a table that does not fit */
static const backend_ops ops = {.size = sizeof ops, .abi = BACKEND_ABI - 1, .name = "mock"};
#else
static const backend_ops ops = {.size = sizeof ops - 8, .abi = BACKEND_ABI, .name = "mock"};
#endif

#ifndef ALIEN /* no module of ours at all */
const backend_ops *vsdk_backend_module(const core_table *core)
{
#ifdef NEEDY /* needs what nobody has */
    return core ? nobody_has_this(core) : &ops;
#elif defined REFUSING /* it does not know this library's table of core functions */
    return core ? NULL : &ops;
#else
    return core ? &ops : NULL;
#endif
}
#else
const backend_ops *alien(void);

const backend_ops *alien(void)
{
    return &ops;
}
#endif
