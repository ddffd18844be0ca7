/* The ioreq server: how accesses that Xen does not serve itself reach us. */
#include "backends/xen/xen.h"
#include <errno.h>
#include <sys/mman.h>
#include <xen/hvm/dm_op.h>
#include <xen/memory.h>

#define LAST_PORT 0xffff
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

    if (xendevicemodel_create_ioreq_server(vm->device, domid, HVM_IOREQSRV_BUFIOREQ_OFF,
                                           &vm->server) < 0)
        return xen_failed(error, -errno, "XEN_DMOP_create_ioreq_server", "no ioreq server");
    if (map_page(vm) < 0)
        return xen_failed(error, -errno, "XENMEM_acquire_resource",
                          "the page of requests was not mapped");
    if (claim_all(vm) < 0)
        return xen_failed(error, -errno, "XEN_DMOP_map_io_range_to_ioreq_server",
                          "accesses were not claimed");
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

/* After an address with the enable bit Xen sends ports 0xcfc to 0xcff as configuration accesses of
 * that device, and only to a server that has it: so it is registered before the write is answered.
 * One at a time: a server has room for few ranges, and a guest can name 65,536 devices. */
void ioreq_select_config(xen_vm *vm, uint32_t cf8)
{
    domid_t domid = (domid_t)vm->domid;
    uint32_t device = cf8 >> 8 & 0xffff, old;

    if (!(cf8 >> 31))
        return;
    pthread_mutex_lock(&vm->device_lock);
    old = vm->config_device;
    if (old != device + 1 && old)
        xendevicemodel_unmap_pcidev_from_ioreq_server(vm->device, domid, vm->server, 0,
                                                      (uint8_t)((old - 1) >> 8),
                                                      (old - 1) >> 3 & 31, (old - 1) & 7);
    if (old != device + 1)
        xendevicemodel_map_pcidev_to_ioreq_server(
            vm->device, domid, vm->server, 0, (uint8_t)(device >> 8), device >> 3 & 31, device & 7);
    vm->config_device = device + 1;
    pthread_mutex_unlock(&vm->device_lock);
}
