/* SPDX-License-Identifier: Apache-2.0 */
/* The ioreq server: how accesses that Xen does not serve itself reach us. */
#include "backends/xen/xen.h"
#include <errno.h>
#include <sys/mman.h>
#include <xen/hvm/dm_op.h>
#include <xen/memory.h>

#define LAST_PORT (XEN_PORTS - 1)
#define LAST_ADDRESS ((1ull << 52) - 1)

static int map_page(xen_vm *vm)
{
    void *page = NULL;

    vm->resource = xenforeignmemory_map_resource(
        vm->host->memory, (domid_t)vm->domid, XENMEM_resource_ioreq_server, vm->server,
        XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page, PROT_READ | PROT_WRITE, 0);
    vm->requests = page;
    return vm->resource ? 0 : -1;
}

/* RAM comes before a claimed range, and so does what Xen emulates. */
static int claim_all(xen_vm *vm)
{
    domid_t domid = (domid_t)vm->domid;

    if (xendevicemodel_map_io_range_to_ioreq_server(vm->device, domid, vm->server, 0, 0,
                                                    LAST_PORT) < 0)
        return -1;
    if (xendevicemodel_map_io_range_to_ioreq_server(vm->device, domid, vm->server, 1, 0,
                                                    LAST_ADDRESS) < 0)
        return -1;
    return xendevicemodel_map_mem_type_to_ioreq_server(
        vm->device, domid, vm->server, HVMMEM_ioreq_server, XEN_DMOP_IOREQ_MEM_ACCESS_WRITE);
}

vsdk_status ioreq_open(xen_vm *vm, vsdk_error *error)
{
    domid_t domid = (domid_t)vm->domid;
    int result;

    if (xendevicemodel_create_ioreq_server(vm->device, domid, HVM_IOREQSRV_BUFIOREQ_OFF,
                                           &vm->server) < 0)
        return xen_failed(error, -errno, "XEN_DMOP_create_ioreq_server", "no ioreq server");
    if (map_page(vm) < 0)
        return xen_failed(error, -errno, "XENMEM_acquire_resource",
                          "the page of requests was not mapped");
    if (claim_all(vm) < 0)
        return xen_failed(error, -errno, "XEN_DMOP_map_io_range_to_ioreq_server",
                          "accesses were not claimed");
    /* After a write to 0xcf8 with bit 31 Xen sends 0xcfc to 0xcff as configuration accesses of the
     * device named there, to who has that device. All of them are ours from the start, so that such
     * a write costs a guest, who may make it often, no more than any other. */
    result = compat_claim_config(vm->host->control, vm->domid, vm->server);
    if (result < 0)
        return xen_failed(error, result, "XEN_DMOP_map_io_range_to_ioreq_server",
                          "PCI configuration accesses were not claimed");
    if (xendevicemodel_set_ioreq_server_state(vm->device, domid, vm->server, 1) < 0)
        return xen_failed(error, -errno, "XEN_DMOP_set_ioreq_server_state",
                          "the ioreq server was not enabled");
    return VSDK_OK;
}

void ioreq_close(xen_vm *vm)
{
    if (vm->resource)
        xenforeignmemory_unmap_resource(vm->host->memory, vm->resource);
    vm->resource = NULL;
    vm->requests = NULL;
}
