/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI 5.1 and later: sections 5.2.5 (RSDP) to 5.2.12 (MADT). The area is built anew from nothing
 * but the description, so the same machine has the same bytes everywhere. */
#include "machine/acpi_tables.h"

#include "machine/dsdt.h"
#include <string.h>

enum { AT_XSDT = 0x40, AT_FADT = 0x80, AT_FACS = 0x1c0, AT_MADT = 0x200, AT_DSDT = ACPI_DSDT };
enum { AT_MCFG = 0xf00, AT_XSDT_PCI = 0xf80, MCFG_LENGTH = 60, MCFG_ECAM = 44 };
enum { HEADER = 36, RSDP_LENGTH = 36, RSDP_FIRST = 20, FADT_LENGTH = 268 };
enum { XSDT_FIRST = 36, XSDT_ENTRY = 8 };
enum { FACS_LENGTH = 64, FACS_VERSION_AT = 32, FACS_VERSION = 2 };
enum {
    FADT_FACS = 36,
    FADT_DSDT = 40,
    FADT_SCI = 46,
    FADT_PM1_EVENT = 56,
    FADT_PM1_CONTROL = 64,
    FADT_PM_TIMER = 76,
    FADT_PM1_EVENT_LENGTH = 88,
    FADT_PM1_CONTROL_LENGTH = 89,
    FADT_PM_TIMER_LENGTH = 91,
    FADT_C2_LATENCY = 96,
    FADT_C3_LATENCY = 98,
    FADT_BOOT_FLAGS = 109,
    FADT_FLAGS = 112,
    FADT_RESET = 116,
    FADT_RESET_VALUE = 128,
    FADT_MINOR = 131,
    FADT_X_DSDT = 140,
    FADT_X_PM1_EVENT = 148,
    FADT_X_PM1_CONTROL = 172,
    FADT_X_PM_TIMER = 208,
    FADT_SLEEP_CONTROL = 244,
    FADT_SLEEP_STATUS = 256,
};
enum {
    BOOT_LEGACY_DEVICES = 1 << 0,
    BOOT_NO_VGA = 1 << 2,
};
enum {
    FLAG_WBINVD = 1 << 0,
    FLAG_NO_POWER_BUTTON = 1 << 4,
    FLAG_NO_SLEEP_BUTTON = 1 << 5,
    FLAG_NO_FIXED_RTC = 1 << 6,
    FLAG_TIMER_32 = 1 << 8,
    FLAG_RESET = 1 << 10,
    FLAG_REDUCED = 1 << 20,
};
enum { LATENCY_NO_C2 = 101, LATENCY_NO_C3 = 1001 };
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_ENTRIES = 44, MADT_PCAT = 1 };
enum { OVERRIDE_LEVEL_HIGH = 0xd };

static void put(uint8_t *to, uint64_t value, uint32_t width)
{
    memcpy(to, &value, width);
}

static uint8_t checksum(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;

    while (length--)
        sum += *bytes++;
    return (uint8_t)-sum;
}

static void finish(uint8_t *table, const char *signature, uint32_t length, uint8_t revision)
{
    memcpy(table, signature, 4);
    put(table + 4, length, 4);
    table[8] = revision;
    memcpy(table + 10, "VSDK  VSDKPC  ", 14);
    put(table + 24, 1, 4);
    memcpy(table + 28, "VSDK", 4);
    put(table + 32, 1, 4);
    table[9] = 0;
    table[9] = checksum(table, length);
}

/* A generic address: a register of `width` bytes at a port. */
static void put_port(uint8_t *to, uint16_t port, uint8_t width)
{
    to[0] = 1;
    to[1] = width * 8;
    to[2] = 0;
    to[3] = width == 1 ? 1 : width == 2 ? 2 : 3;
    put(to + 4, port, 8);
}

static void fadt_reduced(const acpi_machine *m, uint8_t *t)
{
    /* Not that there is no clock either: by both Linux on Xen takes a machine for a PVH guest. */
    put(t + FADT_BOOT_FLAGS, BOOT_NO_VGA, 2);
    put(t + FADT_FLAGS,
        FLAG_WBINVD | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON | FLAG_NO_FIXED_RTC | FLAG_RESET |
            FLAG_REDUCED,
        4);
    put_port(t + FADT_SLEEP_CONTROL, m->sleep, 1);
    put_port(t + FADT_SLEEP_STATUS, m->sleep + 1, 1);
}

static void fadt_fixed(const acpi_machine *m, uint8_t *t)
{
    put(t + FADT_FACS, m->base + AT_FACS, 4);
    put(t + FADT_SCI, m->sci, 2);
    put(t + FADT_PM1_EVENT, m->pm, 4);
    put(t + FADT_PM1_CONTROL, m->pm + 4, 4);
    put(t + FADT_PM_TIMER, m->pm + 8, 4);
    t[FADT_PM1_EVENT_LENGTH] = 4;
    t[FADT_PM1_CONTROL_LENGTH] = 2;
    t[FADT_PM_TIMER_LENGTH] = 4;
    put(t + FADT_C2_LATENCY, LATENCY_NO_C2, 2);
    put(t + FADT_C3_LATENCY, LATENCY_NO_C3, 2);
    put(t + FADT_BOOT_FLAGS, BOOT_LEGACY_DEVICES | BOOT_NO_VGA, 2);
    put(t + FADT_FLAGS,
        FLAG_WBINVD | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON | FLAG_NO_FIXED_RTC |
            FLAG_TIMER_32 | FLAG_RESET,
        4);
    put_port(t + FADT_X_PM1_EVENT, m->pm, 4);
    put_port(t + FADT_X_PM1_CONTROL, m->pm + 4, 2);
    put_port(t + FADT_X_PM_TIMER, m->pm + 8, 4);
}

static void build_fadt(const acpi_machine *m, uint8_t *t)
{
    put(t + FADT_DSDT, m->base + AT_DSDT, 4);
    put(t + FADT_X_DSDT, m->base + AT_DSDT, 8);
    put_port(t + FADT_RESET, m->reset, 1);
    t[FADT_RESET_VALUE] = 1;
    t[FADT_MINOR] = 1;
    if (m->reduced)
        fadt_reduced(m, t);
    else
        fadt_fixed(m, t);
    finish(t, "FACP", FADT_LENGTH, 5);
}

/* Has no checksum: the guest writes to it. Nothing wakes it and nobody shares its lock. */
static void build_facs(uint8_t *t)
{
    memcpy(t, "FACS", 4);
    put(t + 4, FACS_LENGTH, 4);
    t[FACS_VERSION_AT] = FACS_VERSION;
}

static uint32_t madt_override(uint8_t *t, uint8_t line, uint32_t gsi, uint16_t flags)
{
    t[0] = MADT_OVERRIDE;
    t[1] = 10;
    t[3] = line;
    put(t + 4, gsi, 4);
    put(t + 8, flags, 2);
    return 10;
}

static void build_madt(const acpi_machine *m, uint8_t *t)
{
    uint32_t n = MADT_ENTRIES;

    put(t + 36, 0xfee00000, 4);
    put(t + 40, m->reduced ? 0 : MADT_PCAT, 4);
    for (uint32_t i = 0; i < m->vcpus; i++, n += 8) {
        const uint8_t entry[8] = {MADT_LAPIC, 8, (uint8_t)i, (uint8_t)(2 * i), 1};

        memcpy(t + n, entry, sizeof entry);
    }
    t[n] = MADT_IOAPIC;
    t[n + 1] = 12;
    t[n + 2] = (uint8_t)m->ioapic_id;
    put(t + n + 4, m->ioapic, 4);
    n += 12;
    if (!m->reduced) {
        n += madt_override(t + n, 0, 2, 0);
        n += madt_override(t + n, (uint8_t)m->sci, m->sci, OVERRIDE_LEVEL_HIGH);
    }
    finish(t, "APIC", n, 4);
}

static uint32_t at_xsdt(const acpi_machine *m)
{
    return m->ecam ? AT_XSDT_PCI : AT_XSDT;
}

/* PCI Firmware 3.3, 4.1.2. Segment 0, bus 0 to 0: Linux tries every slot of every bus that is said.
 */
static void build_mcfg(const acpi_machine *m, uint8_t *t)
{
    put(t + MCFG_ECAM, m->ecam, 8);
    finish(t, "MCFG", MCFG_LENGTH, 1);
}

static void build_rsdp(const acpi_machine *m, uint8_t *t)
{
    memcpy(t, "RSD PTR ", 8);
    memcpy(t + 9, "VSDK  ", 6);
    t[15] = 2;
    put(t + 20, RSDP_LENGTH, 4);
    put(t + 24, m->base + at_xsdt(m), 8);
    t[8] = checksum(t, RSDP_FIRST);
    t[32] = checksum(t, RSDP_LENGTH);
}

/* Behind the DSDT: where, and 0 in `length` when there is no room. */
static uint32_t build_ssdt(const acpi_machine *m, uint8_t *area, uint32_t *length)
{
    const size_t before = m->ecam ? sizeof dsdt_pci_body : sizeof dsdt_body;
    const uint32_t at = (uint32_t)(AT_DSDT + HEADER + before + 15) & ~UINT32_C(15);

    *length =
        acpi_put_nodes(m->nodes, m->node_count, area + at + HEADER, acpi_area(m) - HEADER - at);
    if (*length)
        finish(area + at, "SSDT", HEADER + *length, 2);
    return at;
}

uint32_t acpi_area(const acpi_machine *m)
{
    return m->ecam ? ACPI_AREA_PCI : ACPI_AREA;
}

static void build_dsdt(uint8_t *t, const uint8_t *body, size_t length)
{
    memcpy(t + HEADER, body, length);
    finish(t, "DSDT", (uint32_t)(HEADER + length), 2);
}

int acpi_build(const acpi_machine *m, uint8_t area[ACPI_AREA_MOST])
{
    uint32_t tables[4] = {AT_FADT, AT_MADT}, count = 2, length = 1, xsdt = at_xsdt(m);

    memset(area, 0, ACPI_AREA_MOST);
    build_rsdp(m, area);
    build_fadt(m, area + AT_FADT);
    if (!m->reduced)
        build_facs(area + AT_FACS);
    build_madt(m, area + AT_MADT);
    if (m->ecam) {
        build_mcfg(m, area + AT_MCFG);
        tables[count++] = AT_MCFG;
        build_dsdt(area + AT_DSDT, dsdt_pci_body, sizeof dsdt_pci_body);
    } else {
        build_dsdt(area + AT_DSDT, dsdt_body, sizeof dsdt_body);
    }
    if (m->node_count)
        tables[count++] = build_ssdt(m, area, &length);
    for (uint32_t i = 0; i < count; i++)
        put(area + xsdt + XSDT_FIRST + i * XSDT_ENTRY, m->base + tables[i], XSDT_ENTRY);
    finish(area + xsdt, "XSDT", XSDT_FIRST + count * XSDT_ENTRY, 1);
    return length != 0;
}
