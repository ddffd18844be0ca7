/* SPDX-License-Identifier: Apache-2.0 */
/* PCI hosts and functions as a program sees them: what is saved beside another device's state, and
 * calls where memory or descriptors are scarce, on the mock. tests/backend/conf_pci.c has what
 * needs a guest. */
#include "scarce.h"
#include <string.h>
#include <sys/resource.h>
#include <vsdk/vsdk.h>

#define HUNDRED_SECONDS UINT64_C(100000000000)

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_vcpu *vcpu;
static vsdk_device *events, *pci, *function;
static unsigned made, released;

static void release(void *user)
{
    ++*(unsigned *)user;
}

static const vsdk_pci_function_ops ops = {.size = sizeof ops, .release = release};

/* Messages are in BAR 0. */
static vsdk_status make_function(uint32_t id, vsdk_device **to)
{
    const vsdk_pci_function_config config = {.size = sizeof config,
                                             .vendor_id = 0x1234,
                                             .device_id = id,
                                             .vectors = 1,
                                             .bars = {{.length = 0x2000}}};

    made++;
    return vsdk_pci_function_create(vm, &ops, &released, &config, to, E);
}

static vsdk_status make_host(vsdk_device **to)
{
    const vsdk_pci_config config = {.size = sizeof config, .events = events};

    return vsdk_pci_create(vm, &config, to, E);
}

/* A host that tells of events, and a function in it. */
static void setup(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    ok(vsdk_ged_create(vm, NULL, &events, E));
    ok(make_host(&pci));
    ok(make_function(1, &function));
    ok(vsdk_pci_function_attach(function, pci, 3, E));
}

static void teardown(void)
{
    vsdk_device_close(function);
    vsdk_device_close(pci);
    vsdk_device_close(events);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    cr_assert_eq(made, released, "%u made, %u released", made, released);
}

TestSuite(pci, .init = setup, .fini = teardown);

static vsdk_status make_another(void)
{
    vsdk_device *another = NULL;
    vsdk_status status = make_function(2, &another);

    vsdk_device_close(another);
    return status;
}

static vsdk_status make_host_again(void)
{
    vsdk_device *again = NULL;

    if (pci)
        ok(vsdk_device_detach(pci, E));
    vsdk_device_close(pci);
    pci = NULL;
    vsdk_status status = make_host(&again);
    pci = again;
    return status;
}

Test(pci, without_memory)
{
    out_of_memory(make_another());
    out_of_memory(make_host_again());
}

/* The machine's loop and a timer are made by the first that needs them. */
Test(pci, asks_without_memory)
{
    ok(vsdk_vm_resume(vm, E));
    out_of_memory(vsdk_pci_function_eject(function, HUNDRED_SECONDS, E));
}

Test(pci, asks_without_descriptors)
{
    struct rlimit before, few = {.rlim_cur = 3};

    ok(vsdk_vm_resume(vm, E));
    cr_assert(!getrlimit(RLIMIT_NOFILE, &before));
    few.rlim_max = before.rlim_max;
    cr_assert(!setrlimit(RLIMIT_NOFILE, &few));
    vsdk_status status = vsdk_pci_function_eject(function, HUNDRED_SECONDS, E);
    cr_assert(!setrlimit(RLIMIT_NOFILE, &before));
    cr_assert_eq(status, VSDK_ERROR_LIMIT);
    ok(vsdk_pci_function_eject(function, HUNDRED_SECONDS, E));
}

Test(pci, asks_after_the_end)
{
    ok(vsdk_vm_resume(vm, E));
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, vsdk_pci_function_eject(function, 0, E));
}

/* A device that is saved with a function's state beside its own. */

static vsdk_device *beside; /* the function */
static int saves;           /* it is in the state */

/* Its fields can't be there twice. */
static vsdk_status save(void *user, vsdk_device *self, vsdk_state_writer *writer, vsdk_error *error)
{
    vsdk_status status = saves ? vsdk_pci_function_save(beside, writer, error) : VSDK_OK;

    if (saves && !status)
        fails(EXISTS, vsdk_pci_function_save(beside, writer, E));
    return status;
}

static vsdk_status load(void *user, vsdk_device *self, vsdk_state_reader *reader, vsdk_error *error)
{
    return vsdk_pci_function_load(beside, reader, error);
}

static vsdk_device *make_owner(void)
{
    const vsdk_device_ops owner_ops = {.size = sizeof owner_ops, .save = save, .load = load};
    vsdk_device *owner;

    ok(vsdk_device_create(vm, &owner_ops, NULL, NULL, &owner, E));
    beside = function;
    saves = 1;
    return owner;
}

Test(pci, is_saved_beside_another_device)
{
    vsdk_device *owner = make_owner(), *other;
    uint8_t state[1024], again[1024];
    uint64_t length, needed;

    ok(vsdk_device_save(owner, state, sizeof state, &length, E));
    ok(vsdk_device_load(owner, state, length, E));
    ok(vsdk_device_save(owner, again, sizeof again, &needed, E));
    cr_assert(needed == length && memcmp(state, again, length) == 0);

    ok(make_function(2, &other));
    beside = other;
    fails(FORMAT, vsdk_device_load(owner, state, length, E));
    beside = function;
    saves = 0;
    ok(vsdk_device_save(owner, state, sizeof state, &length, E));
    fails(FORMAT, vsdk_device_load(owner, state, length, E));
    vsdk_device_close(other);
    vsdk_device_close(owner);
}

Test(pci, is_saved_without_memory)
{
    vsdk_device *owner = make_owner();
    uint8_t state[1024];
    uint64_t length;

    out_of_memory(vsdk_device_save(owner, state, sizeof state, &length, E));
    out_of_memory(vsdk_device_load(owner, state, length, E));
    vsdk_device_close(owner);
}

/* A virtio device is a function while it is in a slot. */
Test(pci, virtio_is_a_function)
{
    const vsdk_virtio_rng_config config = {.size = sizeof config};
    const vsdk_virtio_place place = {
        .size = sizeof place, .address = 4, .transport = VSDK_VIRTIO_PCI, .host = pci};
    vsdk_pci_function_info info = {.size = sizeof info};
    vsdk_device *rng;

    ok(vsdk_virtio_rng_create(vm, &config, &rng, E));
    cr_assert_null(vsdk_virtio_function(rng));
    ok(vsdk_virtio_attach(rng, &place, E));
    vsdk_device *function = vsdk_virtio_function(rng);
    ok(vsdk_pci_function_get_info(function, &info, E));
    vsdk_device_close(function);
    cr_assert_eq(info.slot, 4);
    ok(vsdk_virtio_detach(rng, E));
    cr_assert_null(vsdk_virtio_function(rng));
    vsdk_device_close(rng);
}
