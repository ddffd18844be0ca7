/* SPDX-License-Identifier: Apache-2.0 */
/* What vsdk_vm_run needs of the transitions beside the public functions. */
#ifndef VSDK_CORE_VM_STATE_H
#define VSDK_CORE_VM_STATE_H

#include "core/object.h"

/* As vsdk_vm_resume, but a guest whose life.ends is no longer `ends` is left as it is: who decided
 * to resume has not seen that end. */
vsdk_status vm_resume_unless_ended(vsdk_vm *vm, uint64_t ends, vsdk_error *error);

#endif
