/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, loaders and the machine as a program sees them: each documented error, on the mock. */
#include "scarce.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;

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
}

static void teardown(void)
{
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

/* Constructors */

#define CONSTRUCTORS(X)                                                                            \
    X(serial)                                                                                      \
    X(rtc)                                                                                         \
    X(i8042)                                                                                       \
    X(acpi_pm) X(exit_port) X(debug_console) X(fw_cfg) X(pvpanic) X(port92) X(ged) X(ioapic)

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
#define INDEX(name) AT_##name,
enum { CONSTRUCTORS(INDEX) COUNT };

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
    vsdk_ged_config ged = {.size = sizeof ged, .gsi = 1024};
    vsdk_ioapic_config ioapic = {.size = sizeof ioapic, .first_gsi = 1001};

    fails(LIMIT, try(AT_serial, (const void *)&serial));
    fails(LIMIT, try(AT_rtc, (const void *)&rtc));
    fails(LIMIT, try(AT_ged, (const void *)&ged));
    fails(LIMIT, try(AT_ioapic, (const void *)&ioapic));
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

/* The device has a reference of its own, which goes with it; one that fails keeps none. */
static void takes_a_reference(vsdk_status (*make)(vsdk_stream *end, vsdk_device **device))
{
    vsdk_stream *wire, *end;
    vsdk_device *device;

    ok(vsdk_stream_create(NULL, &wire, &end, E));
    ok(make(end, &device));
    vsdk_device_close(device);
    vsdk_stream_close(end);
    cr_assert_eq(vsdk_stream_ready(wire), VSDK_STREAM_WRITABLE);
    vsdk_vm_close(vm);
    cr_assert(vsdk_stream_ready(wire) & VSDK_STREAM_ENDED);
    vsdk_stream_close(wire);
    make_vm(VSDK_IRQCHIP_PORTABLE);

    ok(make(NULL, &device));
    vsdk_device_close(device);
    ok(vsdk_stream_create(NULL, &wire, &end, E));
    fails(EXISTS, make(end, &device));
    cr_assert_eq(vsdk_stream_ready(wire), VSDK_STREAM_WRITABLE);
    vsdk_stream_close(end);
    cr_assert(vsdk_stream_ready(wire) & VSDK_STREAM_ENDED);
    vsdk_stream_close(wire);
}

static vsdk_status make_serial_with(vsdk_stream *end, vsdk_device **device)
{
    return vsdk_serial_create(
        vm, &(vsdk_serial_config){.size = sizeof(vsdk_serial_config), .stream = end}, device, E);
}

static vsdk_status make_console_with(vsdk_stream *end, vsdk_device **device)
{
    return vsdk_debug_console_create(
        vm, &(vsdk_debug_console_config){.size = sizeof(vsdk_debug_console_config), .stream = end},
        device, E);
}

Test(constructors, take_a_reference_to_a_stream)
{
    takes_a_reference(make_serial_with);
    vsdk_vm_close(vm);
    make_vm(VSDK_IRQCHIP_PORTABLE);
    takes_a_reference(make_console_with);
}

TestSuite(devices, .init = setup, .fini = teardown);

/* What is typed waits in the stream: a port takes nothing before its guest is there. */
Test(devices, serial_input_waits)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = 3};
    vsdk_stream *wire, *end;
    vsdk_device *serial;
    uint64_t accepted = 9;

    ok(vsdk_stream_create(&config, &wire, &end, E));
    ok(make_serial_with(end, &serial));
    vsdk_stream_close(end);
    ok(vsdk_stream_write(wire, "abcd", 4, &accepted, E));
    cr_assert_eq(accepted, 3);
    ok(vsdk_stream_write(wire, "d", 1, &accepted, E));
    cr_assert_eq(accepted, 0);
    accepted = 9;
    fails(INVALID_ARGUMENT, vsdk_stream_write(wire, NULL, 3, &accepted, E));
    cr_assert_eq(accepted, 0);
    vsdk_device_close(serial);
    vsdk_stream_close(wire);
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

static vsdk_stream *serial_wire, *debug_wire, *serial_end, *debug_end;

static void make_streams(void)
{
    ok(vsdk_stream_create(NULL, &serial_wire, &serial_end, E));
    ok(vsdk_stream_create(NULL, &debug_wire, &debug_end, E));
}

static void close_streams(void)
{
    vsdk_stream_close(serial_end);
    vsdk_stream_close(debug_end);
    vsdk_stream_close(serial_wire);
    vsdk_stream_close(debug_wire);
}

/* Nobody has the machine's ends but this test, which gives them up. */
static void expect_streams_not_kept(void)
{
    vsdk_stream_close(serial_end);
    vsdk_stream_close(debug_end);
    serial_end = debug_end = NULL;
    cr_assert(vsdk_stream_ready(serial_wire) & VSDK_STREAM_ENDED);
    cr_assert(vsdk_stream_ready(debug_wire) & VSDK_STREAM_ENDED);
}

static vsdk_irqchip controllers;

/* Its virtual machine is the machine's alone. */
static vsdk_status make_pc(uint64_t memory)
{
    vsdk_pc_config config = {.size = sizeof config,
                             .memory = memory,
                             .memory_max = 64 << 20,
                             .vcpus = 2,
                             .irqchip = controllers,
                             .serial = serial_end,
                             .debug_output = debug_end};
    vsdk_status status = vsdk_pc_create(host, &config, &pc, E);

    vm = vsdk_pc_vm(pc);
    return status;
}

static void setup_machine(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    controllers = VSDK_IRQCHIP_PORTABLE;
    make_streams();
}

static void teardown_machine(void)
{
    close_streams();
    vsdk_host_close(host);
}

static void setup_pc(void)
{
    setup_machine();
    ok(make_pc(2 << 20));
}

static void teardown_pc(void)
{
    vsdk_pc_close(pc);
    teardown_machine();
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

TestSuite(machine, .init = setup_machine, .fini = teardown_machine);

/* Nobody has the machine's ends but this test: what failed is gone with all that it had. */
Test(machine, create_errors)
{
    vsdk_pc_config later = {.size = sizeof later, .serial = serial_end, .reserved = 1};
    vsdk_pc_config many = {.size = sizeof many, .vcpus = 128, .serial = serial_end};
    vsdk_pc_config chip = {.size = sizeof chip, .irqchip = 9, .serial = serial_end};
    vsdk_pc_config port = {.size = sizeof port, .exit_port = 0xfffd, .serial = serial_end};

    fails(INVALID_ARGUMENT, make_pc(1 << 20));
    fails(INVALID_ARGUMENT, make_pc(128 << 20));
    fails(UNSUPPORTED, vsdk_pc_create(host, &later, &pc, E));
    fails(LIMIT, vsdk_pc_create(host, &many, &pc, E));
    fails(INVALID_ARGUMENT, vsdk_pc_create(host, &chip, &pc, E));
    fails(RANGE, vsdk_pc_create(host, &port, &pc, E));
    port.exit_port = 0x3fc; /* in the serial port */
    fails(EXISTS, vsdk_pc_create(host, &port, &pc, E));
    cr_assert_null(pc);
    expect_streams_not_kept();
}

/* What RAM is made of is refused as it is by vsdk_ram_create. */
Test(machine, ram_errors)
{
    int32_t small = memfd_create("small", MFD_CLOEXEC), readable;
    vsdk_ram_config r = {.size = sizeof r, .backing = VSDK_RAM_HUGE};
    vsdk_pc_config c = {.size = sizeof c, .memory = 2 << 20, .ram = &r};
    char path[32];

    fails(UNSUPPORTED, vsdk_pc_create(host, &c, &pc, E));
    r.backing = 99;
    fails(UNSUPPORTED, vsdk_pc_create(host, &c, &pc, E));
    r = (vsdk_ram_config){.size = sizeof r,
                          .flags = VSDK_RAM_DESCRIPTOR,
                          .backing = VSDK_RAM_MEMFD,
                          .sharing = VSDK_RAM_SHARED,
                          .descriptor = small};
    fails(RANGE, vsdk_pc_create(host, &c, &pc, E));
    cr_assert_eq(ftruncate(small, 2 << 20), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", small);
    r.descriptor = readable = open(path, O_RDONLY | O_CLOEXEC);
    fails(PERMISSION, vsdk_pc_create(host, &c, &pc, E));
    close(small);
    close(readable);
}

/* The machine's RAM is the caller's memfd: who maps that sees the guest's memory. */
Test(machine, ram_is_a_memfd)
{
    int32_t memfd = memfd_create("ram", MFD_CLOEXEC);
    const vsdk_ram_config r = {.size = sizeof r,
                               .flags = VSDK_RAM_DESCRIPTOR,
                               .backing = VSDK_RAM_MEMFD,
                               .sharing = VSDK_RAM_SHARED,
                               .descriptor = memfd};
    const vsdk_pc_config c = {.size = sizeof c, .memory = 2 << 20, .ram = &r};
    uint32_t seen = 0, put = 0x12345678;

    cr_assert_eq(ftruncate(memfd, 2 << 20), 0);
    ok(vsdk_pc_create(host, &c, &pc, E));
    ok(vsdk_vm_write(vsdk_pc_vm(pc), 0x100000, &put, sizeof put, E));
    cr_assert_eq(pread(memfd, &seen, sizeof seen, 0x100000), sizeof seen);
    cr_assert_eq(seen, put);
    vsdk_pc_close(pc);
    close(memfd);
}

/* What the hypervisor has itself is refused to each who asks for it. */
Test(machine, what_is_reserved)
{
    const vsdk_pc_node n = {.hid = "LNRO0005",
                            .resource_count = 1,
                            .resources = {{VSDK_PC_MEMORY, 0, 0xfee00000, 0x1000}}};
    const vsdk_pc_config c = {
        .size = sizeof c, .memory = 2 << 20, .nodes = &n, .node_count = 1, .serial = serial_end};
    uint64_t got;

    fails(RESERVED, vsdk_pc_create(host, &c, &pc, E));
    ok(make_pc(2 << 20));
    fails(RESERVED, vsdk_pc_claim(pc, VSDK_PC_MEMORY, 0xfee00000, 1, &got, E));
    fails(RESERVED, vsdk_pc_add_node(pc, &n, E));
    vsdk_pc_close(pc);
    expect_streams_not_kept();
}

/* Nodes and claims of a guest that has begun, and of one that is gone. */
Test(machine, nodes_and_claims_in_time)
{
    const vsdk_pc_node n = {.hid = "LNRO0005"};
    vsdk_boot_config c = flat();
    uint64_t got;

    ok(make_pc(2 << 20));
    ok(vsdk_pc_boot(pc, &c, E));
    ok(vsdk_vm_resume(vm, E));
    fails(STATE, vsdk_pc_add_node(pc, &n, E));
    fails(STATE, vsdk_pc_remove_node(pc, n.hid, 0, E));
    ok(vsdk_pc_claim(pc, VSDK_PC_LINES, VSDK_PC_ANY, 1, &got, E));
    ok(vsdk_vm_pause(vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_reset(vm, VSDK_FOREVER, E));
    ok(vsdk_pc_add_node(pc, &n, E));
    ok(vsdk_pc_boot(pc, &c, E));
    ok(vsdk_pc_remove_node(pc, n.hid, 0, E));
    ok(vsdk_pc_boot(pc, &c, E));
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, vsdk_pc_add_node(pc, &n, E));
    fails(GONE, vsdk_pc_remove_node(pc, n.hid, 0, E));
    ok(vsdk_pc_unclaim(pc, VSDK_PC_LINES, got, E));
    vsdk_pc_close(pc);
}

static vsdk_status add_first_node(void)
{
    const vsdk_pc_node n = {.hid = "LNRO0005"};

    return vsdk_pc_add_node(pc, &n, E);
}

Test(machine, nodes_and_claims_without_memory)
{
    uint64_t got;

    ok(make_pc(2 << 20));
    out_of_memory(add_first_node());
    out_of_memory(vsdk_pc_claim(pc, VSDK_PC_PORTS, 0x1000, 1, &got, E));
    vsdk_pc_close(pc);
}

static vsdk_status make_afresh(void)
{
    vsdk_pc_close(pc);
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
    vsdk_boot_config c = flat();
    uint64_t rsdp = 1;

    controllers = VSDK_IRQCHIP_NONE;
    ok(make_pc(2 << 20));
    cr_assert_null(vsdk_pc_device(pc, VSDK_PC_IOAPIC));
    ok(vsdk_pc_boot(pc, &c, E));
    ok(vsdk_vm_read(vm, 0xe0000, &rsdp, sizeof rsdp, E));
    cr_assert_eq(rsdp, 0);
    vsdk_pc_close(pc);
}

/* The last reference to a machine is the last one to its guest, but for the embedder's own. */
Test(machine, takes_its_guest_along)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_vm *own;

    ok(make_pc(2 << 20));
    own = vsdk_vm_ref(vm);
    vsdk_pc_close(vsdk_pc_ref(pc));
    cr_assert_eq(vsdk_pc_vm(pc), own);
    vsdk_pc_close(pc);
    ok(vsdk_vm_get_info(own, &info, E));
    vsdk_vm_close(own);
    expect_streams_not_kept();
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

/* Its processor is at work when the run begins, and may end it before the run has looked. */
Test(pc_boot, run_of_a_running_guest)
{
    static const uint8_t leave[] = {0xb0, 0x2a, 0xe6, 0xf4, 0xf4};
    vsdk_boot_config c = flat();
    vsdk_exit end;

    c.image = leave;
    c.image_length = sizeof leave;
    for (int i = 0; i < 200; i++) {
        ok(make_afresh());
        ok(vsdk_pc_boot(pc, &c, E));
        ok(vsdk_vm_resume(vm, E));
        ok(vsdk_vm_run(vm, NULL, UINT64_C(60000000000), &end, E));
        cr_assert_eq(end.reason, VSDK_EXIT_GUEST_EXIT);
        cr_assert_eq(end.value, 42);
    }
}

/* in al, dx; out dx, al; mov dx, 0x402; out dx, al; exit 42 */
static const uint8_t echo[] = {0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x66, 0xba,
                               0x02, 0x04, 0xee, 0xb0, 0x2a, 0xe6, 0xf4, 0xf4};

static void expect_bytes(vsdk_stream *stream, const char *text)
{
    char bytes[8] = "";
    uint64_t got;

    ok(vsdk_stream_read(stream, bytes, sizeof bytes, &got, E));
    cr_assert_eq(got, strlen(text));
    cr_assert(memcmp(bytes, text, got) == 0);
}

Test(pc_boot, streams_reach_the_guest)
{
    vsdk_boot_config c = flat();
    vsdk_exit end;

    c.image = echo;
    c.image_length = sizeof echo;
    ok(vsdk_pc_boot(pc, &c, E));
    ok(vsdk_stream_write(serial_wire, "!", 1, NULL, E));
    ok(vsdk_vm_run(vm, NULL, UINT64_C(60000000000), &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_GUEST_EXIT);
    expect_bytes(serial_wire, "!");
    expect_bytes(debug_wire, "!");
    vsdk_pc_close(pc);
    pc = NULL;
    expect_streams_not_kept();
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

static void line_changed(void *user, vsdk_vm *of, uint32_t gsi, uint32_t level)
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

/* Memory */

TestSuite(memory, .init = setup, .fini = teardown);

#ifndef SANITIZED
Test(memory, of_a_file_that_cannot_be_mapped)
{
    const vsdk_ram_config config = {
        .size = sizeof config, .backing = VSDK_RAM_MEMFD, .sharing = VSDK_RAM_SHARED};
    vsdk_ram *ram;

    fail_map = ENODEV;
    fails(SYSTEM, vsdk_ram_create(vm, 4096, &config, &ram, E));
    fail_map = 0;
    ok(vsdk_ram_create(vm, 4096, &config, &ram, E));
    vsdk_ram_close(ram);
}
#endif
