/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by descriptor: a write to an eventfd becomes an interrupt without the library. What has
 * arrived is read from the local APIC, whose processor does not take it. */
#include "backends/kvm/objects_kvm.h"
#include "kvm_rig.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LAPIC_SVR = 0xf0, LAPIC_IRR = 0x200, PATIENCE_MS = 5000, QUIET_MS = 20 };
#define DESTINATION UINT64_C(0xfee00000)

static rig r;

static void apic(struct kvm_lapic_state *state)
{
    CHECK(ioctl(((const vcpu_kvm *)r.vcpu.data)->fd, KVM_GET_LAPIC, state) == 0);
}

static int has_arrived(uint32_t vector)
{
    struct kvm_lapic_state state;
    apic(&state);
    return state.regs[LAPIC_IRR + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1;
}

/* The kernel may send it from a thread of its own. */
static int arrives(uint32_t vector)
{
    for (int ms = 0; ms < PATIENCE_MS && !has_arrived(vector); ms++)
        usleep(1000);
    return has_arrived(vector);
}

static int stays_away(uint32_t vector)
{
    usleep(QUIET_MS * 1000);
    return !has_arrived(vector);
}

/* The local APIC is on, and nothing waits in it. */
static void clear(void)
{
    struct kvm_lapic_state state;
    apic(&state);
    for (int i = 0; i < 8; i++)
        *(uint32_t *)&state.regs[LAPIC_IRR + 16 * i] = 0;
    *(uint32_t *)&state.regs[LAPIC_SVR] = 0x1ff;
    CHECK(ioctl(((const vcpu_kvm *)r.vcpu.data)->fd, KVM_SET_LAPIC, &state) == 0);
}

static int bell(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void ring(int fd)
{
    CHECK(eventfd_write(fd, 1) == 0);
}

static vsdk_status assign(uint32_t id, uint32_t vector, int fd)
{
    return rig_ops->msi_assign(&r.vm, id, DESTINATION, vector, 0, fd, &r.error);
}

static void messages(vsdk_irqchip irqchip)
{
    int first = bell(), other = bell();
    rig_open(&r, irqchip, 0);
    clear();
    CHECK(assign(0, 0x41, first) == VSDK_OK);
    CHECK(assign(40, 0x52, other) == VSDK_OK);
    ring(first);
    CHECK(arrives(0x41) && !has_arrived(0x52));
    ring(other);
    CHECK(arrives(0x52));
    clear();
    CHECK(assign(0, 0x63, first) == VSDK_OK); /* the same descriptor, another message */
    ring(first);
    CHECK(arrives(0x63) && !has_arrived(0x41));
    clear();
    rig_ops->msi_deassign(&r.vm, 0, first);
    ring(first);
    ring(other);
    CHECK(arrives(0x52) && stays_away(0x63));
    uint64_t left = 0;
    CHECK(read(first, &left, sizeof left) == sizeof left && left == 1);
    CHECK(assign(0, 0x74, first) == VSDK_OK);
    ring(first);
    CHECK(arrives(0x74));
    rig_close(&r);
    close(first);
    close(other);
}

TEST(with_the_portable_controllers)
{
    messages(VSDK_IRQCHIP_PORTABLE);
}

TEST(with_the_kernels_controllers)
{
    messages(VSDK_IRQCHIP_KERNEL);
}

/* The table is written as a whole: the lines of the kernel's controllers must stay in it. */
TEST(lines_stay)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    int fd = bell();
    rig_open(&r, VSDK_IRQCHIP_KERNEL, 0);
    clear();
    CHECK(assign(3, 0x41, fd) == VSDK_OK);
    const vm_kvm *k = r.vm.data;
    CHECK(ioctl(k->fd, KVM_GET_IRQCHIP, &chip) == 0);
    chip.chip.ioapic.redirtbl[20].bits = 0x85; /* edge, fixed, to processor 0, not masked */
    CHECK(ioctl(k->fd, KVM_SET_IRQCHIP, &chip) == 0);
    CHECK(rig_ops->irq_set_line(&r.vm, 20, 1, &r.error) == VSDK_OK);
    CHECK(arrives(0x85));
    struct kvm_irqchip pic = {.chip_id = KVM_IRQCHIP_PIC_SLAVE};
    CHECK(ioctl(k->fd, KVM_GET_IRQCHIP, &pic) == 0);
    CHECK(!(pic.chip.pic.irr >> 4 & 1)); /* the IOAPIC alone has lines above 15 */
    CHECK(rig_ops->irq_set_line(&r.vm, 20, 0, &r.error) == VSDK_OK);
    pic.chip_id = KVM_IRQCHIP_PIC_MASTER;
    CHECK(rig_ops->irq_set_line(&r.vm, 4, 1, &r.error) == VSDK_OK);
    CHECK(ioctl(k->fd, KVM_GET_IRQCHIP, &pic) == 0);
    CHECK(pic.chip.pic.irr >> 4 & 1);
    CHECK(rig_ops->irq_set_line(&r.vm, 12, 1, &r.error) == VSDK_OK);
    pic.chip_id = KVM_IRQCHIP_PIC_SLAVE;
    CHECK(ioctl(k->fd, KVM_GET_IRQCHIP, &pic) == 0);
    CHECK(pic.chip.pic.irr >> 4 & 1);
    rig_close(&r);
    close(fd);
}

/* What is refused leaves the others as they were. */
TEST(refusals)
{
    int fd = bell();
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    clear();
    CHECK(assign(1, 0x41, fd) == VSDK_OK);
    CHECK(assign(2, 0x52, fd) == VSDK_ERROR_EXISTS && r.error.os_errno == EBUSY);
    CHECK(assign(3, 0x52, -1) == VSDK_ERROR_SYSTEM && r.error.os_errno == EBADF);
    CHECK(assign(1u << 20, 0x52, fd) == VSDK_ERROR_LIMIT);
    CHECK(assign(UINT32_MAX, 0x52, fd) == VSDK_ERROR_LIMIT);
    rig_ops->msi_deassign(&r.vm, 2, fd);
    rig_ops->msi_deassign(&r.vm, 4000, fd);
    ring(fd);
    CHECK(arrives(0x41) && !has_arrived(0x52));
    rig_close(&r);
    rig_open(&r, VSDK_IRQCHIP_NONE, 0);
    CHECK(assign(1, 0x41, fd) == VSDK_ERROR_UNSUPPORTED);
    rig_close(&r);
    close(fd);
}

TEST(stays_over_a_reset)
{
    int fd = bell();
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(assign(1, 0x41, fd) == VSDK_OK);
    CHECK(rig_ops->vm_reset(&r.vm, &r.error) == VSDK_OK);
    clear();
    ring(fd);
    CHECK(arrives(0x41));
    rig_close(&r);
    close(fd);
}

int main(void)
{
    rig_begin();
    RUN(with_the_portable_controllers);
    RUN(with_the_kernels_controllers);
    RUN(lines_stay);
    RUN(refusals);
    RUN(stays_over_a_reset);
    return rig_finish();
}
