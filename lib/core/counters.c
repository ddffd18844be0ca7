/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, as they are read. A counter is written by one thread, relaxed (counters.h), so what is
 * read is each at some moment, not all of them at one. */
#include "core/counters.h"
#include "base/error.h"
#include "base/record.h"
#include "core/object.h"

enum { FIRST_SIZE = 96 };

static uint64_t now(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

uint64_t counters_exits(const vsdk_vcpu *vcpu)
{
    const vsdk_vcpu_counters *c = &vcpu->counters;

    return now(&c->exits) + now(&c->pio) + now(&c->mmio);
}

vsdk_status vsdk_vcpu_get_counters(vsdk_vcpu *vcpu, vsdk_vcpu_counters *counters, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_counters";
    vm_use use;

    record_clear(counters, sizeof *counters);
    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (!counters)
        return error_null(error, operation, "counters");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    const vsdk_vcpu_counters *c = &vcpu->counters;
    const vsdk_vcpu_counters copy = {
        .size = sizeof copy,
        .runs = now(&c->runs),
        .exits = counters_exits(vcpu),
        .pio = now(&c->pio),
        .mmio = now(&c->mmio),
        .claimed = now(&c->claimed),
        .returned = now(&c->returned),
        .kicked = now(&c->kicked),
        .halts = now(&c->halts),
        .internal = atomic_load_explicit(&vcpu->backend.internal, memory_order_relaxed),
        .doorbells = now(&c->doorbells),
    };
    status = record_write(counters, &copy, sizeof copy, FIRST_SIZE, operation, error);
    vm_use_end(use);
    return status;
}
