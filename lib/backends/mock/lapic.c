/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/lapic.h"
#include "backends/mock/cpu.h"
#include "backends/mock/mock.h"
#include "base/topology_x86_64.h"

enum {
    REG_ID = 0x20,
    REG_VERSION = 0x30,
    REG_TPR = 0x80,
    REG_PPR = 0xa0,
    REG_EOI = 0xb0,
    REG_LDR = 0xd0,
    REG_DFR = 0xe0,
    REG_SVR = 0xf0,
    REG_ISR = 0x100,
    REG_TMR = 0x180,
    REG_IRR = 0x200,
    REG_ESR = 0x280,
    REG_ICR_LOW = 0x300,
    REG_ICR_HIGH = 0x310,
    REG_LVT_TIMER = 0x320,
    REG_LVT_END = 0x370,
    REG_TIMER_COUNT = 0x380,
    REG_DIVIDE = 0x3e0,
    VERSION = 0x50014,
    SVR_ENABLED = 0x100,
    LVT_MASKED = 0x10000,
    APIC_BASE_ENABLED = 0x800,
    APIC_BASE_BOOT = 0x100,
    ICR_ASSERT = 0x4000,
    ICR_LEVEL = 0x8000
};

uint64_t cpu_apic_base(const cpu *c)
{
    return LAPIC_BASE | (c->apic.enabled ? APIC_BASE_ENABLED : 0) | (c->index ? 0 : APIC_BASE_BOOT);
}

void lapic_power_on(cpu *c)
{
    c->apic.id = topology_apic_id(c->index);
    c->apic.enabled = c->vm->irqchip != VSDK_IRQCHIP_NONE;
}

void lapic_reset(cpu *c)
{
    lapic *l = &c->apic;

    for (int i = 0; i < 8; i++) {
        atomic_store(&l->requested[i], 0);
        l->in_service[i] = 0;
        l->local[i] = i < 6 ? LVT_MASKED : 0;
    }
    l->command_high = l->command_low = 0;
    atomic_store(&l->spurious, 0xff);
    atomic_store(&l->logical, 0);
    atomic_store(&l->format, 0xffffffff);
    atomic_store(&l->priority, 0);
}

static int highest(const uint32_t words[8])
{
    for (int i = 7; i >= 0; i--)
        if (words[i])
            return 32 * i + 31 - __builtin_clz(words[i]);
    return -1;
}

static int highest_requested(const lapic *l)
{
    for (int i = 7; i >= 0; i--) {
        uint32_t word = atomic_load(&l->requested[i]);

        if (word)
            return 32 * i + 31 - __builtin_clz(word);
    }
    return -1;
}

/* The priority class below which nothing interrupts. */
static uint32_t processor_priority(const lapic *l)
{
    uint32_t task = atomic_load(&l->priority) & 0xff;
    int serving = highest(l->in_service);

    if (serving >= 0 && (uint32_t)serving >> 4 >= task >> 4)
        return (uint32_t)serving & 0xf0;
    return task;
}

int lapic_pending(const cpu *c)
{
    int vector = c->apic.enabled ? highest_requested(&c->apic) : -1;

    if (vector < 0 || (uint32_t)vector >> 4 <= processor_priority(&c->apic) >> 4)
        return -1;
    return vector;
}

void lapic_accept(cpu *c, uint8_t vector)
{
    uint32_t bit = 1u << (vector & 31);

    atomic_fetch_and(&c->apic.requested[vector >> 5], ~bit);
    c->apic.in_service[vector >> 5] |= bit;
    if (highest_requested(&c->apic) >= 0)
        atomic_store(&c->attention, 1);
}

uint32_t lapic_get_priority(const cpu *c)
{
    return atomic_load(&c->apic.priority);
}

void lapic_set_priority(cpu *c, uint32_t value)
{
    atomic_store(&c->apic.priority, value & 0xff);
    atomic_store(&c->attention, 1);
}

static void end_of_interrupt(cpu *c)
{
    int vector = highest(c->apic.in_service);

    if (vector >= 0)
        c->apic.in_service[vector >> 5] &= ~(1u << (vector & 31));
    atomic_store(&c->attention, 1);
}

/* Delivery to one processor, from any thread. */

static void raise_init(cpu *c)
{
    uint32_t old = atomic_load(&c->signals);

    while (!atomic_compare_exchange_weak(&c->signals, &old, (old & SIGNAL_NMI) | SIGNAL_INIT))
        ;
}

static void raise_sipi(cpu *c, uint8_t vector)
{
    uint32_t old = atomic_load(&c->signals);
    uint32_t bits = SIGNAL_SIPI | (uint32_t)vector << SIGNAL_VECTOR_SHIFT;

    while (!(old & SIGNAL_SIPI) && !atomic_compare_exchange_weak(&c->signals, &old, old | bits))
        ;
}

static void deliver(cpu *c, uint32_t mode, uint8_t vector)
{
    switch (mode) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        if (!(atomic_load(&c->apic.spurious) & SVR_ENABLED) || vector < 16)
            return;
        atomic_fetch_or(&c->apic.requested[vector >> 5], 1u << (vector & 31));
        break;
    case LAPIC_NMI:
        atomic_fetch_or(&c->signals, (uint32_t)SIGNAL_NMI);
        break;
    case LAPIC_INIT:
        raise_init(c);
        break;
    case LAPIC_SIPI:
        raise_sipi(c, vector);
        break;
    default:
        return;
    }
    mock_attend(c);
}

static int addressed(const cpu *c, uint32_t destination, int logical)
{
    uint32_t own = atomic_load(&c->apic.logical) >> 24;

    if (!logical)
        return destination == LAPIC_ID_ALL || destination == c->apic.id;
    if (destination == LAPIC_ID_ALL)
        return 1;
    if (atomic_load(&c->apic.format) >> 28 == 0xf)
        return (own & destination) != 0;
    return own >> 4 == destination >> 4 && (own & destination & 15);
}

void lapic_send(mock_vm *vm, uint32_t destination, int logical, uint32_t mode, uint8_t vector)
{
    for (uint32_t i = 0; i < vm->vcpus_max; i++) {
        cpu *c = mock_vm_cpu(vm, i);

        if (!c || !c->apic.enabled || !addressed(c, destination, logical))
            continue;
        deliver(c, mode, vector);
        if (mode == LAPIC_LOWEST)
            return;
    }
}

/* The interrupt command register. */
static void command(cpu *c, uint32_t low)
{
    uint32_t mode = low >> 8 & 7, shorthand = low >> 18 & 3;
    uint8_t vector = (uint8_t)low;

    if (mode == LAPIC_INIT && (low & ICR_LEVEL) && !(low & ICR_ASSERT))
        return;
    if (shorthand == 0)
        lapic_send(c->vm, c->apic.command_high >> 24, low >> 11 & 1, mode, vector);
    for (uint32_t i = 0; shorthand && i < c->vm->vcpus_max; i++) {
        cpu *other = mock_vm_cpu(c->vm, i);
        int self = other == c;

        if (other && (self ? shorthand < 3 : shorthand > 1))
            deliver(other, mode, vector);
    }
}

/* Registers. */

static uint32_t *local_register(lapic *l, uint32_t offset)
{
    if (offset >= REG_LVT_TIMER && offset < REG_LVT_END)
        return &l->local[(offset - REG_LVT_TIMER) >> 4];
    if (offset == REG_TIMER_COUNT)
        return &l->local[6];
    return offset == REG_DIVIDE ? &l->local[7] : NULL;
}

uint32_t lapic_read(cpu *c, uint32_t offset)
{
    lapic *l = &c->apic;
    uint32_t *local = local_register(l, offset);

    if (local)
        return *local;
    if (offset >= REG_ISR && offset < REG_TMR)
        return l->in_service[(offset - REG_ISR) >> 4];
    if (offset >= REG_IRR && offset < REG_ESR)
        return atomic_load(&l->requested[(offset - REG_IRR) >> 4]);
    switch (offset) {
    case REG_ID:
        return l->id << 24;
    case REG_VERSION:
        return VERSION;
    case REG_TPR:
        return atomic_load(&l->priority);
    case REG_PPR:
        return processor_priority(l);
    case REG_LDR:
        return atomic_load(&l->logical);
    case REG_DFR:
        return atomic_load(&l->format);
    case REG_SVR:
        return atomic_load(&l->spurious);
    case REG_ICR_LOW:
        return l->command_low;
    case REG_ICR_HIGH:
        return l->command_high;
    default:
        return 0;
    }
}

void lapic_write(cpu *c, uint32_t offset, uint32_t value)
{
    lapic *l = &c->apic;
    uint32_t *local = local_register(l, offset);

    if (local)
        *local = value;
    switch (offset) {
    case REG_TPR:
        lapic_set_priority(c, value);
        break;
    case REG_EOI:
        end_of_interrupt(c);
        break;
    case REG_LDR:
        atomic_store(&l->logical, value & 0xff000000);
        break;
    case REG_DFR:
        atomic_store(&l->format, value | 0x0fffffff);
        break;
    case REG_SVR:
        atomic_store(&l->spurious, value & 0x1ff);
        break;
    case REG_ICR_HIGH:
        l->command_high = value & 0xff000000;
        break;
    case REG_ICR_LOW:
        l->command_low = value & 0xccfff;
        command(c, value);
        break;
    default:
        break;
    }
}
