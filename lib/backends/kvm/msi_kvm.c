/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by descriptor: an irqfd that raises a GSI, and a route of that GSI which is the message.
 *
 * The kernel takes its table of routes as a whole. So the assigned messages are kept here, each
 * with the GSI above the controllers' pins that its number gives, and the table is written anew
 * with each change. The kernel's own controllers have had routes since they were made, which the
 * table must hold too. A table that is refused changes nothing. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <string.h>

enum { PIC_PINS = 8, ROUTES_OF_CONTROLLERS = 3 * PIC_PINS + KVM_PINS, GROW = 16 };

struct msi_kvm {
    uint64_t address;
    uint32_t data;
    uint32_t used;
};

/* struct kvm_irq_routing with its room. */
typedef struct route_table {
    uint32_t count, flags;
    struct kvm_irq_routing_entry entries[];
} route_table;

_Static_assert(offsetof(route_table, entries) == sizeof(struct kvm_irq_routing),
               "struct kvm_irq_routing");

static void add_pin(route_table *table, uint32_t gsi, uint32_t chip, uint32_t pin)
{
    table->entries[table->count++] = (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = {.irqchip = chip, .pin = pin}};
}

/* As the kernel has them when it makes its controllers. */
static void add_controllers(route_table *table)
{
    for (uint32_t gsi = 0; gsi < KVM_PINS; gsi++) {
        if (gsi < 2 * PIC_PINS)
            add_pin(table, gsi, gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
                    gsi % PIC_PINS);
        add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, gsi);
    }
}

static void add_message(route_table *table, uint32_t id, const struct msi_kvm *msi)
{
    table->entries[table->count++] =
        (struct kvm_irq_routing_entry){.gsi = KVM_PINS + id,
                                       .type = KVM_IRQ_ROUTING_MSI,
                                       .u.msi = {.address_lo = (uint32_t)msi->address,
                                                 .address_hi = (uint32_t)(msi->address >> 32),
                                                 .data = msi->data}};
}

static vsdk_status write_routes(const backend_vm *vm, vsdk_error *error)
{
    const vm_kvm *k = vm->data;
    size_t most = ROUTES_OF_CONTROLLERS + k->msi_count;
    route_table *table = alloc_zeroed(sizeof *table + most * sizeof *table->entries);
    if (!table)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "KVM_SET_GSI_ROUTING",
                         "no memory for the table of messages");
    if (vm->config.irqchip == VSDK_IRQCHIP_KERNEL)
        add_controllers(table);
    for (uint32_t id = 0; id < k->msi_count; id++)
        if (k->msis[id].used)
            add_message(table, id, &k->msis[id]);
    int r = sys_ioctl_retry(k->fd, KVM_SET_GSI_ROUTING, (uintptr_t)table);
    alloc_free(table);
    return r < 0 ? kvm_error(error, r, "KVM_SET_GSI_ROUTING",
                             "the table of messages can't be changed")
                 : VSDK_OK;
}

static int set_irqfd(const backend_vm *vm, uint32_t id, int fd, uint32_t flags)
{
    const vm_kvm *k = vm->data;
    struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = KVM_PINS + id, .flags = flags};
    return sys_ioctl_retry(k->fd, KVM_IRQFD, (uintptr_t)&irqfd);
}

static vsdk_status make_room(vm_kvm *k, uint32_t id, vsdk_error *error)
{
    if (id < k->msi_count)
        return VSDK_OK;
    uint32_t count = id + GROW;
    struct msi_kvm *msis = alloc_array(count, sizeof *msis);
    if (!msis)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "KVM_SET_GSI_ROUTING",
                         "no memory for the table of messages");
    if (k->msi_count)
        memcpy(msis, k->msis, k->msi_count * sizeof *msis);
    alloc_free(k->msis);
    k->msis = msis;
    k->msi_count = count;
    return VSDK_OK;
}

static vsdk_status check_message(const backend_vm *vm, uint32_t id, vsdk_error *error)
{
    host_kvm *h = kvm_host_of(vm);
    if (!kvm_has_lapic(vm))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "KVM_IRQFD",
                         "this machine has no local APICs");
    if (!kvm_has(h, KVM_ASK_IRQFD) || !kvm_has(h, KVM_ASK_ROUTES))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "KVM_IRQFD",
                         "this kernel's KVM lacks KVM_CAP_IRQFD or KVM_CAP_IRQ_ROUTING");
    if (id >= kvm_has(h, KVM_ASK_ROUTES) - ROUTES_OF_CONTROLLERS)
        return error_set(error, VSDK_ERROR_LIMIT, "KVM_SET_GSI_ROUTING",
                         "KVM has no room for another message");
    return VSDK_OK;
}

static vsdk_status attach(const backend_vm *vm, uint32_t id, int fd, vsdk_error *error)
{
    int r = set_irqfd(vm, id, fd, 0);
    if (r == -EBUSY)
        return error_set_errno(error, VSDK_ERROR_EXISTS, EBUSY, "KVM_IRQFD",
                               "the descriptor sends a message already");
    return r < 0 ? kvm_error(error, r, "KVM_IRQFD", "the descriptor can't be made to send")
                 : VSDK_OK;
}

/* The route is there before the descriptor: a write never finds an old message or none. */
vsdk_status kvm_msi_assign(backend_vm *vm, uint32_t id, uint64_t address, uint32_t data,
                           uint32_t device_id, int fd, vsdk_error *error)
{
    vm_kvm *k = vm->data;
    vsdk_status status = check_message(vm, id, error);
    if (!status)
        status = make_room(k, id, error);
    if (status)
        return status;
    struct msi_kvm was = k->msis[id];
    k->msis[id] = (struct msi_kvm){address, data, 1};
    status = write_routes(vm, error);
    if (!status && !was.used) {
        status = attach(vm, id, fd, error);
        if (status) {
            k->msis[id] = was;
            write_routes(vm, NULL);
        }
    }
    if (status)
        k->msis[id] = was;
    return status;
}

/* A route that the kernel would not give up is one that nothing raises. */
void kvm_msi_deassign(backend_vm *vm, uint32_t id, int fd)
{
    vm_kvm *k = vm->data;
    if (k->fd < 0 || id >= k->msi_count || !k->msis[id].used)
        return;
    set_irqfd(vm, id, fd, KVM_IRQFD_FLAG_DEASSIGN);
    k->msis[id].used = 0;
    write_routes(vm, NULL);
}
