/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the values of enums. */
#include "api_table.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <vsdk/vsdk.h>

#define NAMER(name)                                                                                \
    static const char *call_##name(int64_t value)                                                  \
    {                                                                                              \
        return vsdk_##name##_name((vsdk_##name)value);                                             \
    }
NAMER(status)
NAMER(capability)
NAMER(answer)
NAMER(log_level)
NAMER(exit_reason)
NAMER(direction)
NAMER(space)
NAMER(kick_detail)
NAMER(crash_detail)
NAMER(vm_state)
NAMER(irqchip)
NAMER(vcpu_phase)
NAMER(ram_backing)
NAMER(ram_sharing)
NAMER(stop_mode)
NAMER(irq_trigger)
NAMER(boot_format)
NAMER(boot_mode)
NAMER(memory_type)
NAMER(acpi_pm_kind)
NAMER(pc_part)

static const struct {
    const char *(*name)(int64_t value);
    int64_t first, last;
    const char *first_name;
} namers[] = {
    {call_status, VSDK_ERROR_RESERVED, VSDK_OK, "reserved"},
    {call_capability, VSDK_CAPABILITY_AUTONOMOUS, VSDK_CAPABILITY_MSI_DESCRIPTOR, "autonomous"},
    {call_answer, VSDK_ANSWER_NO, VSDK_ANSWER_EMULATED, "no"},
    {call_log_level, VSDK_LOG_ERROR, VSDK_LOG_DEBUG, "error"},
    {call_exit_reason, VSDK_EXIT_NONE, VSDK_EXIT_IRQ_WINDOW, "none"},
    {call_direction, VSDK_DIRECTION_READ, VSDK_DIRECTION_WRITE, "read"},
    {call_space, VSDK_SPACE_PIO, VSDK_SPACE_MMIO, "pio"},
    {call_kick_detail, VSDK_KICK_REQUEST, VSDK_KICK_SIGNAL, "request"},
    {call_crash_detail, VSDK_CRASH_UNKNOWN, VSDK_CRASH_PANIC, NULL},
    {call_vm_state, VSDK_VM_CREATED, VSDK_VM_STOPPED, "created"},
    {call_irqchip, VSDK_IRQCHIP_PORTABLE, VSDK_IRQCHIP_NONE, "portable"},
    {call_vcpu_phase, VSDK_VCPU_HELD, VSDK_VCPU_AT_EXIT, "held"},
    {call_ram_backing, VSDK_RAM_ANONYMOUS, VSDK_RAM_CALLER, "anonymous"},
    {call_ram_sharing, VSDK_RAM_PRIVATE, VSDK_RAM_SHARED, "private"},
    {call_stop_mode, VSDK_STOP_FINISH, VSDK_STOP_PARK, "finish"},
    {call_irq_trigger, VSDK_IRQ_EDGE, VSDK_IRQ_LEVEL, "edge"},
    {call_boot_format, VSDK_BOOT_AUTO, VSDK_BOOT_FLAT, "auto"},
    {call_boot_mode, VSDK_BOOT_REAL, VSDK_BOOT_LONG, "real"},
    {call_memory_type, VSDK_MEMORY_RAM, VSDK_MEMORY_ACPI, "ram"},
    {call_acpi_pm_kind, VSDK_ACPI_PM_REDUCED, VSDK_ACPI_PM_CONTROL, "reduced"},
    {call_pc_part, VSDK_PC_SERIAL, VSDK_PC_IOAPIC, "serial"},
};

static int is_a_name(const char *name)
{
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_')
            return 0;
    return 1;
}

Test(names, every_value_has_its_own)
{
    for (size_t i = 0; i < sizeof namers / sizeof namers[0]; i++) {
        const char *before = "";

        for (int64_t value = namers[i].first; value <= namers[i].last; value++) {
            const char *name = namers[i].name(value);

            cr_assert(name && name[0] && is_a_name(name), "enum %zu value %lld", i,
                      (long long)value);
            cr_assert(strcmp(name, before) != 0);
            if (value == namers[i].first && namers[i].first_name)
                cr_assert_str_eq(name, namers[i].first_name);
            before = name;
        }
        cr_assert_str_eq(namers[i].name(namers[i].last + 100), "unknown");
    }
}

Test(names, every_function_that_names_is_here)
{
    size_t functions = 0;

    for (size_t i = 0; i < sizeof api_functions / sizeof api_functions[0]; i++) {
        size_t length = strlen(api_functions[i].name);

        functions += length > 5 && strcmp(api_functions[i].name + length - 5, "_name") == 0;
    }
    cr_assert_eq(functions, sizeof namers / sizeof namers[0]);
}

Test(names, version_is_that_of_the_headers)
{
    cr_assert_eq(vsdk_version(), (uint32_t)(VSDK_VERSION_MAJOR << 16 | VSDK_VERSION_MINOR << 8 |
                                            VSDK_VERSION_PATCH));
}
