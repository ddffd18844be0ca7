/* Memory objects. */
#ifndef VSDK_CORE_RAM_H
#define VSDK_CORE_RAM_H

#include "core/object.h"

struct vsdk_ram {
    backend_ram backend;
    vsdk_vm *vm; /* alive while refs is not 0 */
    refs refs;   /* the handle, mappings, pins; the handle and each pin count as uses of vm too */
};

static inline void ram_get(vsdk_ram *ram)
{
    refs_get(&ram->refs);
}

void ram_put(vsdk_ram *ram);

#endif
