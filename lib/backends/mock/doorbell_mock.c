/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include "base/error.h"
#include "base/sys.h"

/* Bells change while processors execute; after deassign none writes to the descriptor. */

vsdk_status mock_doorbell_assign(backend_vm *backend, vsdk_space space, uint64_t address,
                                 uint32_t width, const uint64_t *match, int fd, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);

    turn_take(&vm->turn);
    if (vm->doorbell_count == MOCK_DOORBELLS_MAX) {
        turn_give(&vm->turn);
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_doorbell_create",
                         "the mock has %u doorbells at most", MOCK_DOORBELLS_MAX);
    }
    vm->doorbells[vm->doorbell_count++] = (mock_doorbell){.address = address,
                                                          .match = match ? *match : 0,
                                                          .port = space == VSDK_SPACE_PIO,
                                                          .width = width,
                                                          .matches = match != NULL,
                                                          .fd = fd};
    turn_give(&vm->turn);
    return VSDK_OK;
}

void mock_doorbell_deassign(backend_vm *backend, vsdk_space space, uint64_t address, uint32_t width,
                            const uint64_t *match, int fd)
{
    mock_vm *vm = mock_vm_of(backend);

    turn_take(&vm->turn);
    for (uint32_t i = 0; i < vm->doorbell_count; i++) {
        if (vm->doorbells[i].fd != fd)
            continue;
        vm->doorbells[i] = vm->doorbells[--vm->doorbell_count];
        break;
    }
    turn_give(&vm->turn);
}

static int fits(const mock_doorbell *bell, const cpu_access *access)
{
    return bell->port == access->port && bell->address == access->address &&
           (!bell->width || bell->width == access->width) &&
           (!bell->matches || bell->match == access->value);
}

int mock_doorbell_ring(mock_vm *vm, const cpu_access *access)
{
    int rang = 0;

    if (!access->write || access->count != 1)
        return 0;
    turn_take(&vm->turn);
    for (uint32_t i = 0; i < vm->doorbell_count && !rang; i++) {
        rang = fits(&vm->doorbells[i], access);
        if (rang)
            sys_eventfd_write(vm->doorbells[i].fd, 1);
    }
    turn_give(&vm->turn);
    return rang;
}
