/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the values of enums. */
#include "api_table.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <vsdk/vsdk.h>

/* The last value is the description's, so that later ones are looked at too. */
#define NAMERS(X)                                                                                  \
    X(status, VSDK_ERROR_RESERVED, API_LAST_STATUS, "reserved")                                    \
    X(capability, VSDK_CAPABILITY_AUTONOMOUS, API_LAST_CAPABILITY, "autonomous")                   \
    X(answer, VSDK_ANSWER_NO, API_LAST_ANSWER, "no")                                               \
    X(log_level, VSDK_LOG_ERROR, API_LAST_LOG_LEVEL, "error")                                      \
    X(exit_reason, VSDK_EXIT_NONE, API_LAST_EXIT_REASON, "none")                                   \
    X(direction, VSDK_DIRECTION_READ, API_LAST_DIRECTION, "read")                                  \
    X(space, VSDK_SPACE_PIO, API_LAST_SPACE, "pio")                                                \
    X(kick_detail, VSDK_KICK_REQUEST, API_LAST_KICK_DETAIL, "request")                             \
    X(crash_detail, VSDK_CRASH_UNKNOWN, API_LAST_CRASH_DETAIL, NULL)                               \
    X(vm_state, VSDK_VM_CREATED, API_LAST_VM_STATE, "created")                                     \
    X(irqchip, VSDK_IRQCHIP_PORTABLE, API_LAST_IRQCHIP, "portable")                                \
    X(vcpu_phase, VSDK_VCPU_HELD, API_LAST_VCPU_PHASE, "held")                                     \
    X(ram_backing, VSDK_RAM_ANONYMOUS, API_LAST_RAM_BACKING, "anonymous")                          \
    X(ram_sharing, VSDK_RAM_PRIVATE, API_LAST_RAM_SHARING, "private")                              \
    X(stop_mode, VSDK_STOP_FINISH, API_LAST_STOP_MODE, "finish")                                   \
    X(irq_trigger, VSDK_IRQ_EDGE, API_LAST_IRQ_TRIGGER, "edge")                                    \
    X(boot_format, VSDK_BOOT_AUTO, API_LAST_BOOT_FORMAT, "auto")                                   \
    X(boot_mode, VSDK_BOOT_REAL, API_LAST_BOOT_MODE, "real")                                       \
    X(memory_type, VSDK_MEMORY_RAM, API_LAST_MEMORY_TYPE, "ram")                                   \
    X(acpi_pm_kind, VSDK_ACPI_PM_REDUCED, API_LAST_ACPI_PM_KIND, "reduced")                        \
    X(pci_ejected, VSDK_PCI_EJECTED, API_LAST_PCI_EJECTED, "ejected")                              \
    X(virtio_transport, VSDK_VIRTIO_MMIO, API_LAST_VIRTIO_TRANSPORT, "mmio")                       \
    X(disk_format, VSDK_DISK_AUTO, API_LAST_DISK_FORMAT, "auto")                                   \
    X(disk_cache, VSDK_DISK_WRITEBACK, API_LAST_DISK_CACHE, "writeback")                           \
    X(disk_operation, VSDK_DISK_READ, API_LAST_DISK_OPERATION, "read")                             \
    X(net_gso, VSDK_NET_GSO_NONE, API_LAST_NET_GSO, "none")                                        \
    X(pc_part, VSDK_PC_SERIAL, API_LAST_PC_PART, "serial")                                         \
    X(pc_resource_kind, VSDK_PC_PORTS, API_LAST_PC_RESOURCE_KIND, "ports")

#define NAMER(name, first, last, first_name)                                                       \
    static const char *call_##name(int64_t value)                                                  \
    {                                                                                              \
        return vsdk_##name##_name((vsdk_##name)value);                                             \
    }
NAMERS(NAMER)

#define ROW(name, first, last, first_name)                                                         \
    {"vsdk_" #name "_name", call_##name, first, last, first_name},
static const struct {
    const char *function;
    const char *(*name)(int64_t value);
    int64_t first, last;
    const char *first_name;
} namers[] = {NAMERS(ROW)};
enum { NAMERS_COUNT = sizeof namers / sizeof namers[0] };

static int is_a_name(const char *name)
{
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_')
            return 0;
    return 1;
}

Test(names, every_value_has_its_own)
{
    for (size_t i = 0; i < NAMERS_COUNT; i++) {
        const char *before = "";

        for (int64_t value = namers[i].first; value <= namers[i].last; value++) {
            const char *name = namers[i].name(value);

            cr_assert(name && name[0] && is_a_name(name), "%s of %lld", namers[i].function,
                      (long long)value);
            cr_assert(strcmp(name, before) != 0, "%s of %lld", namers[i].function,
                      (long long)value);
            if (value == namers[i].first && namers[i].first_name)
                cr_assert_str_eq(name, namers[i].first_name);
            before = name;
        }
        cr_assert_str_eq(namers[i].name(namers[i].last + 100), "unknown");
    }
}

static int is_here(const char *function)
{
    for (size_t i = 0; i < NAMERS_COUNT; i++)
        if (!strcmp(namers[i].function, function))
            return 1;
    return 0;
}

Test(names, every_function_that_names_is_here)
{
    for (size_t i = 0; i < sizeof api_functions / sizeof api_functions[0]; i++) {
        const char *name = api_functions[i].name;
        size_t length = strlen(name);

        cr_assert(length < 5 || strcmp(name + length - 5, "_name") || is_here(name),
                  "%s has no row in NAMERS", name);
    }
}

Test(names, version_is_that_of_the_headers)
{
    cr_assert_eq(vsdk_version(), (uint32_t)(VSDK_VERSION_MAJOR << 16 | VSDK_VERSION_MINOR << 8 |
                                            VSDK_VERSION_PATCH));
}
