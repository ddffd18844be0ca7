/* Devices, loaders and the machine as a program sees them: each documented error, on the mock. */
#include "check.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;
static int released;

static void make_vm(vsdk_irqchip irqchip)
{
    vsdk_vm_config config = {
        .size = sizeof config, .vcpus_max = 2, .irqchip = irqchip, .memory_max = 64 << 20};

    ok(vsdk_vm_create(host, &config, &vm, E));
}

static void setup(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    make_vm(VSDK_IRQCHIP_PORTABLE);
    released = 0;
}

static void teardown(void)
{
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

static void count_release(void *user)
{
    released++;
}

/* The fail_at-th allocation fails: the executable's calloc is the library's too, but under a
 * sanitizer, which has its own. */
extern void *__libc_calloc(size_t count, size_t bytes);
static _Thread_local unsigned fail_at;

#ifndef SANITIZED
void *calloc(size_t count, size_t bytes)
{
    if (fail_at && !--fail_at)
        return NULL;
    return __libc_calloc(count, bytes);
}
#endif

/* `call` until it succeeds, with one more allocation each time; it fails with NO_MEMORY only. */
#define out_of_memory(call)                                                                        \
    do {                                                                                           \
        vsdk_status out = VSDK_ERROR_NO_MEMORY;                                                    \
        for (unsigned out_n = 1; out; out_n++) {                                                   \
            fail_at = out_n;                                                                       \
            out = (call);                                                                          \
            fail_at = 0;                                                                           \
            cr_assert(out == VSDK_OK || out == VSDK_ERROR_NO_MEMORY, "%s: %s", #call,              \
                      vsdk_status_name(out));                                                      \
        }                                                                                          \
    } while (0)

/* Constructors */

#define CONSTRUCTORS(X)                                                                            \
    X(serial)                                                                                      \
    X(rtc)                                                                                         \
    X(i8042) X(acpi_pm) X(exit_port) X(debug_console) X(fw_cfg) X(pvpanic) X(port92) X(ioapic)

typedef struct any_config { /* all begin so */
    uint32_t size, flags;
    uint64_t address;
    uint8_t rest[112];
} any_config;

#define MAKE(name)                                                                                 \
    static vsdk_status make_##name(const any_config *config, vsdk_device **device)                 \
    {                                                                                              \
        return vsdk_##name##_create(vm, (const void *)config, device, E);                          \
    }
CONSTRUCTORS(MAKE)

#define ENTRY(name) {make_##name, sizeof(vsdk_##name##_config)},
static const struct {
    vsdk_status (*make)(const any_config *config, vsdk_device **device);
    uint32_t size;
} constructors[] = {CONSTRUCTORS(ENTRY)};
enum { COUNT = sizeof constructors / sizeof *constructors };

TestSuite(constructors, .init = setup, .fini = teardown);

static vsdk_status try(uint32_t i, const any_config *config)
{
    vsdk_device *device = NULL;
    vsdk_status status = constructors[i].make(config, &device);

    cr_assert(!status == (device != NULL));
    vsdk_device_close(device);
    return status;
}

Test(constructors, succeed_once_at_one_address)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        ok(try(i, NULL));
        fails(EXISTS, try(i, NULL));
    }
}

Test(constructors, check_their_arguments)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        any_config flag = {.size = constructors[i].size, .flags = 1};
        any_config small = {.size = 4};
        any_config later = {.size = sizeof later};
        any_config far = {.size = constructors[i].size, .address = UINT64_MAX - 6};

        later.rest[sizeof later.rest - 1] = 1;
        fails(INVALID_ARGUMENT, constructors[i].make(NULL, NULL));
        fails(INVALID_ARGUMENT, try(i, &flag));
        fails(INVALID_ARGUMENT, try(i, &small));
        fails(UNSUPPORTED, try(i, &later));
        fails(RANGE, try(i, &far));
    }
}

Test(constructors, limits)
{
    vsdk_serial_config serial = {.size = sizeof serial, .gsi = 1024};
    vsdk_rtc_config rtc = {.size = sizeof rtc, .gsi = 1024};
    vsdk_ioapic_config ioapic = {.size = sizeof ioapic, .first_gsi = 1001};

    fails(LIMIT, try(0, (const void *)&serial));
    fails(LIMIT, try(1, (const void *)&rtc));
    fails(LIMIT, try(COUNT - 1, (const void *)&ioapic));
}

Test(constructors, without_memory)
{
    for (uint32_t i = 0; i < COUNT; i++)
        out_of_memory(try(i, NULL));
}

Test(constructors, after_the_end)
{
    ok(vsdk_vm_destroy(vm, E));
    for (uint32_t i = 0; i < COUNT; i++)
        fails(GONE, try(i, NULL));
}

Test(constructors, release_once)
{
    vsdk_serial_config serial = {.size = sizeof serial, .release = count_release};
    vsdk_debug_console_config console = {.size = sizeof console, .release = count_release};
    vsdk_device *device;

    ok(vsdk_serial_create(vm, &serial, &device, E));
    vsdk_device_close(device);
    ok(vsdk_debug_console_create(vm, &console, &device, E));
    vsdk_device_close(device);
    cr_assert_eq(released, 0);
    fails(EXISTS, vsdk_serial_create(vm, &serial, &device, E));
    cr_assert_eq(released, 1);
    fails(EXISTS, vsdk_debug_console_create(vm, &console, &device, E));
    cr_assert_eq(released, 2);
    vsdk_vm_close(vm);
    vm = NULL;
    cr_assert_eq(released, 4);
}

TestSuite(devices, .init = setup, .fini = teardown);

Test(devices, serial_input)
{
    vsdk_device *serial, *rtc;
    uint64_t accepted = 9;

    ok(vsdk_serial_create(vm, NULL, &serial, E));
    ok(vsdk_rtc_create(vm, NULL, &rtc, E));
    ok(vsdk_serial_input(serial, "abc", 3, &accepted, E));
    cr_assert_eq(accepted, 3);
    fails(INVALID_ARGUMENT, vsdk_serial_input(serial, NULL, 3, &accepted, E));
    fails(INVALID_ARGUMENT, vsdk_serial_input(rtc, "abc", 3, &accepted, E));
    cr_assert_eq(accepted, 0);
    vsdk_device_close(serial);
    vsdk_device_close(rtc);
}

static int is_utf8(const char *text)
{
    for (const uint8_t *c = (const uint8_t *)text; *c; c++)
        for (int more = *c >= 0xc0; more; more--)
            if ((*++c & 0xc0) != 0x80)
                return 0;
    return 1;
}

/* Of characters of two bytes, one of which does not fit. */
Test(devices, name_is_cut_at_a_character)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    const vsdk_device_config config = {
        .size = sizeof config,
        .name = "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"};
    vsdk_device *device;

    ok(vsdk_device_create(vm, &ops, NULL, &config, &device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 1, 0, E));
    fails(EXISTS, vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 1, 0, E));
    cr_assert(strstr(E->message, "\u00e4\u00e4\u00e4\u00e4") && is_utf8(E->message), "%s",
              E->message);
    vsdk_device_close(device);
}

Test(devices, fw_cfg_items)
{
    vsdk_device *cfg;
    char name[] = "f00";

    ok(vsdk_fw_cfg_create(vm, NULL, &cfg, E));
    ok(vsdk_fw_cfg_add(cfg, 7, NULL, "x", 1, E));
    fails(EXISTS, vsdk_fw_cfg_add(cfg, 7, NULL, "x", 1, E));
    fails(INVALID_ARGUMENT, vsdk_fw_cfg_add(cfg, 0, NULL, "x", 1, E));
    out_of_memory(vsdk_fw_cfg_add(cfg, 8, NULL, "x", 1, E));
    for (int i = 0; i < 64; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        ok(vsdk_fw_cfg_add(cfg, 0, name, "x", 1, E));
    }
    fails(LIMIT, vsdk_fw_cfg_add(cfg, 0, "one more", "x", 1, E));
    vsdk_device_close(cfg);
}

/* Loading */

static const uint8_t code[] = {0xe4, 0x99, 0xb0, 0x2a, 0xe6, 0xf4, 0xf4}; /* in al, 0x99; exit 42 */
static vsdk_pc *pc;

static vsdk_boot_config flat(void)
{
    return (vsdk_boot_config){
        .size = sizeof(vsdk_boot_config),
        .format = VSDK_BOOT_FLAT,
        .mode = VSDK_BOOT_LONG,
        .image = code,
        .image_length = sizeof code,
        .address = 0x100000,
    };
}

static vsdk_status make_pc(uint64_t memory)
{
    vsdk_pc_config config = {.size = sizeof config,
                             .memory = memory,
                             .output_release = count_release,
                             .debug_release = count_release};

    return vsdk_pc_create(vm, &config, &pc, E);
}

static void setup_pc(void)
{
    setup();
    ok(make_pc(2 << 20));
}

static void teardown_pc(void)
{
    vsdk_pc_close(pc);
    teardown();
}

TestSuite(boot, .init = setup_pc, .fini = teardown_pc);

static vsdk_status load(const vsdk_boot_config *config)
{
    vsdk_boot_entry entry = {.size = sizeof entry};

    return vsdk_boot_load(vm, config, &entry, E);
}

Test(boot, load_errors)
{
    vsdk_boot_config c = flat();
    vsdk_boot_entry entry = {.size = 8};
    static char line[0x20000];

    ok(load(&c));
    fails(INVALID_ARGUMENT, vsdk_boot_load(vm, &c, &entry, E));
    c.format = VSDK_BOOT_AUTO;
    fails(FORMAT, load(&c));
    c = flat();
    c.mode = VSDK_BOOT_PROTECTED;
    c.address = 0xd0000000;
    fails(RANGE, load(&c));
    c = flat();
    c.reserved[0] = 1;
    fails(UNSUPPORTED, load(&c));
    memset(line, 'x', sizeof line - 1);
    c = flat();
    c.memory_count = 33;
    fails(LIMIT, load(&c));
    c = flat();
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, load(&c));
}

Test(boot, probe)
{
    vsdk_boot_format format = 99;

    ok(vsdk_boot_probe(code, sizeof code, &format, E));
    cr_assert_eq(format, VSDK_BOOT_AUTO);
    fails(INVALID_ARGUMENT, vsdk_boot_probe(NULL, 0, &format, E));
}

Test(boot, apply_errors)
{
    vsdk_boot_config c = flat();
    vsdk_boot_entry entry = {.size = sizeof entry}, later;
    vsdk_vcpu *vcpu;

    ok(vsdk_boot_load(vm, &c, &entry, E));
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    ok(vsdk_boot_apply(vcpu, &entry, E));
    later = entry;
    later.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_boot_apply(vcpu, &later, E));
    later = entry;
    later.mode = 3;
    fails(INVALID_ARGUMENT, vsdk_boot_apply(vcpu, &later, E));
    ok(vsdk_vm_resume(vm, E));
    ok(vsdk_vcpu_run(vcpu, VSDK_FOREVER, E)); /* its access is unfinished */
    cr_assert_eq(vsdk_vcpu_record(vcpu)->reason, VSDK_EXIT_PIO);
    fails(STATE, vsdk_boot_apply(vcpu, &entry, E));
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, vsdk_boot_apply(vcpu, &entry, E));
    vsdk_vcpu_close(vcpu);
}

/* The machine */

TestSuite(machine, .init = setup, .fini = teardown);

Test(machine, create_errors)
{
    vsdk_pc_config later = {.size = sizeof later, .reserved = 1};

    fails(INVALID_ARGUMENT, make_pc(1 << 20));
    fails(UNSUPPORTED, vsdk_pc_create(vm, &later, &pc, E));
    cr_assert_eq(released, 2);
    fails(LIMIT, make_pc(128 << 20));
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, make_pc(2 << 20));
    cr_assert_eq(released, 6);
}

Test(machine, is_made_once)
{
    ok(make_pc(2 << 20));
    vsdk_pc_close(pc);
    fails(EXISTS, make_pc(2 << 20));
    cr_assert_eq(released, 2);
    cr_assert_null(pc);
}

Test(machine, not_of_a_running_guest)
{
    vsdk_vcpu *vcpu;

    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    ok(vsdk_vm_resume(vm, E));
    fails(STATE, make_pc(2 << 20));
    vsdk_vcpu_close(vcpu);
}

/* When it fails the virtual machine has parts of a machine, so each try has its own. */
static vsdk_status make_afresh(void)
{
    unsigned at = fail_at;

    fail_at = 0;
    vsdk_pc_close(pc);
    vsdk_vm_close(vm);
    make_vm(VSDK_IRQCHIP_PORTABLE);
    fail_at = at;
    return make_pc(2 << 20);
}

Test(machine, without_memory)
{
    pc = NULL;
    out_of_memory(make_afresh());
    vsdk_pc_close(pc);
}

Test(machine, without_interrupts)
{
    uint64_t rsdp = 1;

    vsdk_vm_close(vm);
    make_vm(VSDK_IRQCHIP_NONE);
    ok(make_pc(2 << 20));
    cr_assert_null(vsdk_pc_device(pc, VSDK_PC_IOAPIC));
    ok(vsdk_vm_read(vm, 0xe0000, &rsdp, sizeof rsdp, E));
    cr_assert_eq(rsdp, 0);
    vsdk_pc_close(pc);
}

TestSuite(pc_boot, .init = setup_pc, .fini = teardown_pc);

Test(pc_boot, runs)
{
    vsdk_boot_config c = flat();
    vsdk_memory_range map[8];
    uint32_t needed = 0;
    vsdk_exit end;

    cr_assert_not_null(vsdk_pc_device(pc, VSDK_PC_SERIAL));
    ok(vsdk_pc_get_memory_map(pc, map, 8, &needed, E));
    cr_assert_eq(needed, 4);
    fails(INVALID_ARGUMENT, vsdk_pc_get_memory_map(pc, NULL, 8, &needed, E));
    ok(vsdk_pc_boot(pc, &c, E));
    cr_assert_not_null(vsdk_pc_vcpu(pc, 1));
    cr_assert_null(vsdk_pc_vcpu(pc, 2));
    ok(vsdk_vm_run(vm, NULL, UINT64_C(60000000000), &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_GUEST_EXIT);
    cr_assert_eq(end.value, 42);
    fails(STATE, vsdk_pc_boot(pc, &c, E));
}

Test(pc_boot, errors)
{
    vsdk_boot_config good = flat(), c = good;

    c.rsdp = 1;
    fails(INVALID_ARGUMENT, vsdk_pc_boot(pc, &c, E));
    c = good;
    c.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_pc_boot(pc, &c, E));
    c = good;
    c.format = VSDK_BOOT_PVH;
    fails(FORMAT, vsdk_pc_boot(pc, &c, E));
    c = good;
    c.address = 0xe0000;
    fails(RANGE, vsdk_pc_boot(pc, &c, E));
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, vsdk_pc_boot(pc, &good, E));
}

Test(pc_boot, long_command_line)
{
    static const uint32_t header[3] = {0x1badb002, 0x10000, -(0x1badb002u + 0x10000)};
    static const uint32_t addresses[5] = {0x100000, 0x100000, 0, 0, 0x100000};
    static char line[0x10001];
    uint8_t image[64] = {0};
    vsdk_boot_config c = {.size = sizeof c, .image = image, .image_length = sizeof image};

    memcpy(image, header, sizeof header);
    memcpy(image + sizeof header, addresses, sizeof addresses);
    memset(line, 'x', sizeof line - 1);
    c.command_line = line;
    fails(LIMIT, vsdk_pc_boot(pc, &c, E));
    c.command_line = "short";
    ok(vsdk_pc_boot(pc, &c, E));
}

Test(pc_boot, with_a_processor_of_the_embedders)
{
    vsdk_boot_config c = flat();
    vsdk_vcpu *vcpu;

    ok(vsdk_vcpu_create(vm, 1, NULL, &vcpu, E));
    fails(EXISTS, vsdk_pc_boot(pc, &c, E));
    vsdk_vcpu_close(vcpu);
}

Test(pc_boot, without_memory)
{
    vsdk_boot_config c = flat();

    out_of_memory(vsdk_pc_boot(pc, &c, E));
}

static vsdk_status in_callback;

static void line_changed(void *user, uint32_t gsi, uint32_t level)
{
    vsdk_boot_config c = flat();

    if (level)
        in_callback = vsdk_pc_boot(pc, &c, NULL);
}

Test(pc_boot, from_a_callback)
{
    vsdk_irq *irq;

    ok(vsdk_irq_controller_attach(vm, 100, 1, line_changed, NULL, NULL, E));
    ok(vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 100}, &irq,
                       E));
    ok(vsdk_irq_pulse(irq, E));
    cr_assert_eq(in_callback, VSDK_ERROR_BUSY);
    vsdk_irq_close(irq);
}
