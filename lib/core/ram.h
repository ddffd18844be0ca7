/* SPDX-License-Identifier: Apache-2.0 */
/* Memory objects. */
#ifndef VSDK_CORE_RAM_H
#define VSDK_CORE_RAM_H

#include "core/object.h"

struct vsdk_ram {
    backend_ram backend;
    vsdk_vm *vm;     /* its memory is counted by the handle and by each pin */
    refs refs;       /* the handle, mappings, pins */
    span_map placed; /* in_ram of its slots, where a byte may be mapped once only; under bus.lock */
};

static inline void ram_get(vsdk_ram *ram)
{
    refs_get(&ram->refs);
}

void ram_put(vsdk_ram *ram);

#endif
