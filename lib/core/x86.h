/* SPDX-License-Identifier: Apache-2.0 */
/* What the core knows of x86-64, in files of their own: nothing portable includes more than this.
 */
#ifndef VSDK_CORE_X86_H
#define VSDK_CORE_X86_H

#include "core/backend.h"

/* The size of a class's record, 0 for a class that is unknown. */
uint64_t x86_state_size(uint32_t state_class);
/* INVALID_ARGUMENT for values that no processor can have. */
vsdk_status x86_state_check(uint32_t state_class, const void *state, const char *operation,
                            vsdk_error *error);
/* A known class, read or set by the backend; vm->serial held. */
vsdk_status x86_state_get(backend_vcpu *vcpu, uint32_t state_class, void *state,
                          const char *operation, vsdk_error *error);
vsdk_status x86_state_set(backend_vcpu *vcpu, uint32_t state_class, const void *state,
                          const char *operation, vsdk_error *error);

/* INVALID_ARGUMENT for what is no message-signalled interrupt. */
vsdk_status x86_message_check(uint64_t address, uint32_t data, const char *operation,
                              vsdk_error *error);

#endif
