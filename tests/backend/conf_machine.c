/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own devices, loaders and portable machine, by their public functions. */
#include "common.h"
#include <stdio.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(devices, .init = setup, .fini = teardown);
TestSuite(boot, .init = setup, .fini = teardown);
TestSuite(pc);

/* Every configuration of a device begins with size, flags and address. */
struct any_config {
    uint32_t size, flags;
    uint64_t address;
    uint64_t rest[16];
};

#define CREATE(name)                                                                               \
    static vsdk_status create_##name(vsdk_vm *vm, const void *config, vsdk_device **device)        \
    {                                                                                              \
        return vsdk_##name##_create(vm, config, device, E);                                        \
    }
CREATE(serial)
CREATE(rtc)
CREATE(i8042)
CREATE(acpi_pm)
CREATE(exit_port)
CREATE(debug_console)
CREATE(fw_cfg)
CREATE(pvpanic)
CREATE(ioapic)
CREATE(port92)

static const struct kind {
    const char *name;
    vsdk_status (*create)(vsdk_vm *vm, const void *config, vsdk_device **device);
    uint32_t size;
    uint64_t beyond; /* an address at which it leaves its space */
    vsdk_space space;
    uint64_t address; /* one at which it can be */
} kinds[] = {
    {"serial", create_serial, sizeof(vsdk_serial_config), 0xfffc, VSDK_SPACE_PIO, 0x2000},
    {"rtc", create_rtc, sizeof(vsdk_rtc_config), 0xffff, VSDK_SPACE_PIO, 0x2100},
    {"i8042", create_i8042, sizeof(vsdk_i8042_config), 0xfffe, VSDK_SPACE_PIO, 0x2200},
    {"acpi_pm", create_acpi_pm, sizeof(vsdk_acpi_pm_config), 0xffff, VSDK_SPACE_PIO, 0x2300},
    {"exit_port", create_exit_port, sizeof(vsdk_exit_port_config), 0xffff, VSDK_SPACE_PIO, 0x2400},
    {"debug_console", create_debug_console, sizeof(vsdk_debug_console_config), 0x10000,
     VSDK_SPACE_PIO, 0x2500},
    {"fw_cfg", create_fw_cfg, sizeof(vsdk_fw_cfg_config), 0xffff, VSDK_SPACE_PIO, 0x2600},
    {"pvpanic", create_pvpanic, sizeof(vsdk_pvpanic_config), 0x10000, VSDK_SPACE_PIO, 0x2700},
    {"port92", create_port92, sizeof(vsdk_port92_config), 0x10000, VSDK_SPACE_PIO, 0x2800},
    {"ioapic", create_ioapic, sizeof(vsdk_ioapic_config), UINT64_MAX - 4095 + 1, VSDK_SPACE_MMIO,
     0xfec00000},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static vsdk_status create(const struct kind *kind, const struct any_config *config)
{
    vsdk_device *device = (vsdk_device *)1;
    vsdk_status status = kind->create(m.vm, config, &device);

    if (status != VSDK_OK)
        cr_assert(device == NULL, "%s: the output is not NULL", kind->name);
    else
        vsdk_device_close(device);
    return status;
}

Test(devices, constructors_check_their_configurations)
{
    for (unsigned i = 0; i < KINDS; i++) {
        struct any_config config = {.size = kinds[i].size, .flags = 0x40000000};

        fails(INVALID_ARGUMENT, create(&kinds[i], &config));
        config.flags = 0;
        config.size = 4;
        fails(INVALID_ARGUMENT, create(&kinds[i], &config));
        fails(INVALID_ARGUMENT, kinds[i].create(m.vm, NULL, NULL));
        config.size = kinds[i].size + 8;
        memset((uint8_t *)&config + kinds[i].size, 1, 8);
        fails(UNSUPPORTED, create(&kinds[i], &config));
    }
}

Test(devices, constructors_check_their_addresses)
{
    for (unsigned i = 0; i < KINDS; i++) {
        struct any_config config = {.size = kinds[i].size, .address = kinds[i].beyond};

        if (kinds[i].space == VSDK_SPACE_MMIO)
            config.address += 0xf00;
        fails(RANGE, create(&kinds[i], &config));
        config.address = kinds[i].address;
        ok(create(&kinds[i], &config));
        fails(EXISTS, create(&kinds[i], &config));
    }
}

Test(devices, constructors_answer_gone)
{
    ok(vsdk_vm_destroy(m.vm, E));
    for (unsigned i = 0; i < KINDS; i++) {
        struct any_config config = {.size = kinds[i].size, .address = kinds[i].address};
        fails(GONE, create(&kinds[i], &config));
    }
}

/* The machine whose hypervisor has ports and addresses of its own. */
Test(pc, constructors_keep_out_of_what_is_the_hypervisors)
{
    vsdk_vm_config kernel = {.size = sizeof kernel, .irqchip = VSDK_IRQCHIP_KERNEL};
    vsdk_host *host = open_host();
    static vsdk_vm_range ranges[256];
    uint32_t count = 0, tried[2] = {0};

    need(host, VSDK_CAPABILITY_IRQCHIP_KERNEL);
    machine_make_on(&m, host, &kernel);
    ok(vsdk_vm_list_reserved(m.vm, ranges, 256, &count, E));
    for (unsigned i = 0; i < KINDS; i++)
        for (uint32_t k = 0; k < count; k++) {
            struct any_config config = {.size = kinds[i].size, .address = ranges[k].address};

            if (ranges[k].space != kinds[i].space)
                continue;
            fails(RESERVED, create(&kinds[i], &config));
            tried[kinds[i].space == VSDK_SPACE_MMIO]++;
        }
    cr_assert(tried[0] && tried[1]);
    machine_end(&m);
}

Test(devices, lines_are_limited)
{
    vsdk_serial_config serial = {.size = sizeof serial, .address = 0x2000, .gsi = 1024};
    vsdk_ioapic_config ioapic = {.size = sizeof ioapic, .first_gsi = 1010};
    vsdk_device *device = NULL;

    fails(LIMIT, vsdk_serial_create(m.vm, &serial, &device, E));
    fails(LIMIT, vsdk_ioapic_create(m.vm, &ioapic, &device, E));
    ioapic.first_gsi = 0;
    ioapic.id = 16;
    fails(INVALID_ARGUMENT, vsdk_ioapic_create(m.vm, &ioapic, &device, E));
}

static vsdk_stream *near, *far;

static void make_stream(void)
{
    ok(vsdk_stream_create(NULL, &near, &far, E));
}

static int has_ended(void)
{
    return (vsdk_stream_ready(near) & VSDK_STREAM_ENDED) != 0;
}

/* A device takes a reference to its end; the end goes with the device, or with a constructor that
 * failed. */
Test(devices, take_their_end_of_a_stream)
{
    vsdk_serial_config serial = {.size = sizeof serial, .address = 0x2000, .gsi = 1024};
    vsdk_debug_console_config console = {
        .size = sizeof console, .address = 0x2500, .flags = 0x40000000};
    vsdk_device *device = NULL;

    make_stream();
    serial.stream = console.stream = far;
    fails(LIMIT, vsdk_serial_create(m.vm, &serial, &device, E));
    fails(INVALID_ARGUMENT, vsdk_debug_console_create(m.vm, &console, &device, E));
    cr_assert(!has_ended());
    serial.gsi = 4;
    ok(vsdk_serial_create(m.vm, &serial, &device, E));
    vsdk_stream_close(far);
    cr_assert(!has_ended());
    ok(vsdk_device_detach(device, E));
    cr_assert(!has_ended());
    vsdk_device_close(device);
    cr_assert(has_ended());
    vsdk_stream_close(near);
}

/* Real mode: 64 times the letter A to the port at 0x2000, whose transmitter it waits for, also when
 * all is sent; then the exit port. */
static const uint8_t sends[] = {0xb9, 0x40, 0x00, 0xba, 0x05, 0x20, 0xec, 0xa8, 0x20, 0x74, 0xfb,
                                0xba, 0x00, 0x20, 0xb0, 'A',  0xee, 0xe2, 0xf0, 0xba, 0x05, 0x20,
                                0xec, 0xa8, 0x40, 0x74, 0xfb, 0xe6, 0xf4, 0xeb, 0xfe};

static void load_flat(const uint8_t *image, size_t bytes)
{
    vsdk_boot_config boot = {.size = sizeof boot,
                             .format = VSDK_BOOT_FLAT,
                             .image = image,
                             .image_length = bytes,
                             .address = 0x8000};
    vsdk_boot_entry entry = {.size = sizeof entry};

    ok(vsdk_boot_load(m.vm, &boot, &entry, E));
    ok(vsdk_boot_apply(m.vcpu, &entry, E));
}

/* A reader that is slow slows the guest, and no byte is lost. */
Test(devices, full_stream_slows_the_serial_port)
{
    vsdk_stream_config few = {.size = sizeof few, .capacity = 8};
    vsdk_serial_config config = {.size = sizeof config, .address = 0x2000};
    struct runner runner = {.vcpu = m.vcpu};
    uint8_t bytes[64];
    uint64_t got = 0, all = 0;
    vsdk_device *serial = NULL;

    ok(vsdk_stream_create(&few, &near, &far, E));
    config.stream = far;
    ok(vsdk_serial_create(m.vm, &config, &serial, E));
    vsdk_stream_close(far);
    load_flat(sends, sizeof sends);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, 50000000, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED, "it did not wait");
    runner_start(&runner);
    while (all < 64) {
        ok(vsdk_stream_read(near, bytes, 5, &got, E));
        for (uint64_t i = 0; i < got; i++)
            cr_assert_eq(bytes[i], 'A');
        all += got;
        if (!got)
            sleep_ms(1);
    }
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_END);
    ok(vsdk_stream_read(near, bytes, sizeof bytes, &got, E));
    cr_assert_eq(all + got, 64);
    vsdk_device_close(serial);
    vsdk_stream_close(near);
}

/* Real mode: takes bytes from the port at 0x2000 and writes them to the exit port. */
static const uint8_t receives[] = {0xba, 0x05, 0x20, 0xec, 0xa8, 0x01, 0x74, 0xf8,
                                   0xba, 0x00, 0x20, 0xec, 0xe6, 0xf4, 0xeb, 0xf0};

/* What is typed waits in the stream, also while nobody runs and in PAUSED, and comes in order. */
Test(devices, what_is_typed_comes_in_order)
{
    vsdk_serial_config config = {.size = sizeof config, .address = 0x2000};
    vsdk_device *serial = NULL;
    uint64_t accepted = 0;
    uint8_t typed[200];

    for (unsigned i = 0; i < sizeof typed; i++)
        typed[i] = (uint8_t)(i + 1);
    make_stream();
    config.stream = far;
    ok(vsdk_serial_create(m.vm, &config, &serial, E));
    vsdk_stream_close(far);
    ok(vsdk_stream_write(near, typed, 50, &accepted, E));
    cr_assert_eq(accepted, 50);
    load_flat(receives, sizeof receives);
    ok(vsdk_vm_resume(m.vm, E));
    for (unsigned i = 0; i < sizeof typed; i++) {
        if (i == 30) {
            ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
            ok(vsdk_stream_write(near, typed + 50, 100, &accepted, E));
            ok(vsdk_vm_resume(m.vm, E));
        }
        if (i == 120)
            ok(vsdk_stream_write(near, typed + 150, 50, &accepted, E));
        cr_assert_eq(run_to_end(&m), typed[i]);
    }
    vsdk_device_close(serial);
    vsdk_stream_close(near);
}

Test(devices, items_of_the_firmware_configuration)
{
    vsdk_fw_cfg_config config = {.size = sizeof config, .address = 0x2600};
    vsdk_device *fw_cfg = NULL;
    char name[64];

    ok(vsdk_fw_cfg_create(m.vm, &config, &fw_cfg, E));
    ok(vsdk_fw_cfg_add(fw_cfg, 0x10, NULL, "item", 4, E));
    fails(EXISTS, vsdk_fw_cfg_add(fw_cfg, 0x10, NULL, "item", 4, E));
    fails(INVALID_ARGUMENT, vsdk_fw_cfg_add(fw_cfg, 0x19, NULL, "item", 4, E));
    fails(INVALID_ARGUMENT, vsdk_fw_cfg_add(fw_cfg, 0, "", "item", 4, E));
    fails(INVALID_ARGUMENT, vsdk_fw_cfg_add(fw_cfg, 0, "a", NULL, 4, E));
    memset(name, 'x', sizeof name);
    name[56] = 0;
    fails(LIMIT, vsdk_fw_cfg_add(fw_cfg, 0, name, "item", 4, E));
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "file/%u", i);
        ok(vsdk_fw_cfg_add(fw_cfg, 0, name, "item", 4, E));
    }
    fails(LIMIT, vsdk_fw_cfg_add(fw_cfg, 0, "one/more", "item", 4, E));
    fails(EXISTS, vsdk_fw_cfg_add(fw_cfg, 0, "file/0", "item", 4, E));
    vsdk_device_close(fw_cfg);
}

/* Real mode: asks a clock at 0x2100 for periodic interrupts and says so; then writes what the
 * clock's register C has. */
static const uint8_t asks_clock[] = {0xba, 0x00, 0x21, 0xb0, 0x0b, 0xee, 0xba, 0x01, 0x21, 0xb0,
                                     0x42, 0xee, 0xe6, 0xf4, 0xba, 0x00, 0x21, 0xb0, 0x0c, 0xee,
                                     0xba, 0x01, 0x21, 0xec, 0xe6, 0xf4, 0xeb, 0xfe};

static void note_level(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    cr_assert_eq(gsi, 8);
    *(uint32_t *)user = level;
}

static int dispatch_until_high(void *user)
{
    ok(vsdk_loop_dispatch(loop_of(m.vm), 1000000, NULL, E));
    return *(uint32_t *)user == 1;
}

Test(devices, clock_interrupts)
{
    vsdk_rtc_config config = {.size = sizeof config, .address = 0x2100};
    vsdk_device *clock = NULL;
    uint32_t level = 0;

    ok(vsdk_irq_controller_attach(m.vm, 0, 16, note_level, &level, NULL, E));
    ok(vsdk_rtc_create(m.vm, &config, &clock, E));
    load_flat(asks_clock, sizeof asks_clock);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_end(&m);
    wait_for(dispatch_until_high, &level, "the clock's interrupt");
    cr_assert_eq(run_to_end(&m) & 0xc0, 0xc0);
    cr_assert_eq(level, 0);
    vsdk_device_close(clock);
}

/* Real mode: mov dx, 0x3f8; "Hi" to the port; 42 to the exit port. */
static const uint8_t program[] = {0xba, 0xf8, 0x03, 0xb0, 'H',  0xee, 0xb0, 'i',
                                  0xee, 0xb0, 42,   0xe6, 0xf4, 0xeb, 0xfe};

static vsdk_boot_config flat(uint64_t address)
{
    return (vsdk_boot_config){.size = sizeof(vsdk_boot_config),
                              .format = VSDK_BOOT_FLAT,
                              .mode = VSDK_BOOT_REAL,
                              .image = program,
                              .image_length = sizeof program,
                              .address = address};
}

Test(boot, loads_and_applies_a_flat_image)
{
    vsdk_boot_config config = flat(0x8000);
    vsdk_boot_entry entry = {.size = sizeof entry};

    ok(vsdk_boot_load(m.vm, &config, &entry, E));
    cr_assert_eq(entry.format, VSDK_BOOT_FLAT);
    cr_assert_eq(entry.rip, 0x8000);
    ok(vsdk_boot_apply(m.vcpu, &entry, E));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, 0x3f8)->value, 'H');
    cr_assert_eq(run_to_write(&m, 0x3f8)->value, 'i');
    cr_assert_eq(run_to_end(&m), 42);
    fails(STATE, vsdk_boot_apply(m.vcpu, &entry, E));
}

Test(boot, arguments_are_checked)
{
    vsdk_boot_format format = 9;
    vsdk_boot_config config = flat(0x8000);
    vsdk_boot_entry entry = {.size = 4};
    struct {
        vsdk_boot_config config;
        uint64_t later;
    } longer = {.config = flat(0x8000), .later = 1};
    static vsdk_memory_range ranges[33];

    ok(vsdk_boot_probe(program, sizeof program, &format, E));
    cr_assert_eq(format, VSDK_BOOT_AUTO);
    fails(INVALID_ARGUMENT, vsdk_boot_probe(NULL, 1, &format, E));
    fails(INVALID_ARGUMENT, vsdk_boot_probe(program, 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_boot_load(m.vm, &config, &entry, E));
    entry.size = sizeof entry;
    config.mode = 77;
    fails(INVALID_ARGUMENT, vsdk_boot_load(m.vm, &config, &entry, E));
    longer.config.size = sizeof longer;
    fails(UNSUPPORTED, vsdk_boot_load(m.vm, &longer.config, &entry, E));
    config = flat(MMIO);
    config.mode = VSDK_BOOT_LONG;
    fails(RANGE, vsdk_boot_load(m.vm, &config, &entry, E));
    config = flat(0x8000);
    config.format = VSDK_BOOT_AUTO;
    fails(FORMAT, vsdk_boot_load(m.vm, &config, &entry, E));
    config.format = VSDK_BOOT_BZIMAGE;
    fails(FORMAT, vsdk_boot_load(m.vm, &config, &entry, E));
    config = flat(0x8000);
    config.memory = ranges;
    config.memory_count = 33;
    fails(LIMIT, vsdk_boot_load(m.vm, &config, &entry, E));
}

Test(boot, entries_are_checked)
{
    struct {
        vsdk_boot_entry entry;
        uint64_t later;
    } longer = {.entry = {.size = sizeof longer, .mode = VSDK_BOOT_REAL}, .later = 1};
    vsdk_boot_entry entry = {.size = sizeof entry, .mode = 9};
    vsdk_boot_config config = flat(0x8000);

    fails(INVALID_ARGUMENT, vsdk_boot_apply(m.vcpu, &entry, E));
    fails(UNSUPPORTED, vsdk_boot_apply(m.vcpu, &longer.entry, E));
    ok(vsdk_vm_destroy(m.vm, E));
    entry.mode = VSDK_BOOT_REAL;
    fails(GONE, vsdk_boot_apply(m.vcpu, &entry, E));
    fails(GONE, vsdk_boot_load(m.vm, &config, &entry, E));
}

enum { PC_MEMORY = 16 << 20, PC_MEMORY_MAX = 64 << 20 };

/* Its serial port is at the far end of the stream. */
static vsdk_pc *make_pc(vsdk_host *host, uint32_t vcpus)
{
    vsdk_pc_config config = {
        .size = sizeof config, .memory = PC_MEMORY, .memory_max = PC_MEMORY_MAX, .vcpus = vcpus};
    vsdk_pc *pc = NULL;

    make_stream();
    config.serial = far;
    ok(vsdk_pc_create(host, &config, &pc, E));
    vsdk_stream_close(far);
    return pc;
}

Test(pc, runs_a_program)
{
    vsdk_host *host = open_host();
    vsdk_pc *pc = make_pc(host, 2);
    vsdk_vm *vm = vsdk_vm_ref(vsdk_pc_vm(pc));
    vsdk_boot_config config = flat(0x8000);
    static vsdk_memory_range ranges[32];
    uint32_t count = 0, again = 0;
    uint8_t output[64];
    uint64_t got = 0;
    vsdk_exit end;

    for (vsdk_pc_part part = VSDK_PC_SERIAL; part <= VSDK_PC_PORT92; part++)
        cr_assert(vsdk_pc_device(pc, part), "%s", vsdk_pc_part_name(part));
    cr_assert(vsdk_pc_device(pc, 99) == NULL);
    cr_assert(vsdk_pc_vcpu(pc, 0) == NULL);
    ok(vsdk_pc_get_memory_map(pc, NULL, 0, &count, E));
    cr_assert(count > 2 && count <= 32);
    ok(vsdk_pc_get_memory_map(pc, ranges, 32, &again, E));
    cr_assert(again == count && ranges[0].address == 0 && ranges[0].type == VSDK_MEMORY_RAM);
    fails(INVALID_ARGUMENT, vsdk_pc_get_memory_map(pc, NULL, 1, &again, E));
    ok(vsdk_pc_boot(pc, &config, E));
    cr_assert(vsdk_pc_vcpu(pc, 1) && !vsdk_pc_vcpu(pc, 2));
    ok(vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_GUEST_EXIT);
    cr_assert_eq(end.value, 42);
    ok(vsdk_stream_read(near, output, sizeof output, &got, E));
    cr_assert(got == 2 && memcmp(output, "Hi", 2) == 0);
    vsdk_pc_close(pc);
    cr_assert(!has_ended());
    vsdk_vm_close(vm);
    cr_assert(has_ended());
    vsdk_stream_close(near);
    vsdk_host_close(host);
}

/* What it is made of comes back, and what was left open is filled in. */
Test(pc, tells_its_description)
{
    vsdk_host *host = open_host();
    vsdk_pc *pc = make_pc(host, 0), *another;
    vsdk_pc_config config = {.size = sizeof config};
    vsdk_vm_info info = {.size = sizeof info};

    ok(vsdk_pc_get_config(pc, &config, E));
    ok(vsdk_vm_get_info(vsdk_pc_vm(pc), &info, E));
    cr_assert_eq(config.memory, PC_MEMORY);
    cr_assert_eq(config.memory_max, PC_MEMORY_MAX);
    cr_assert_eq(config.vcpus, info.vcpus_max);
    cr_assert_eq(config.irqchip, info.irqchip);
    cr_assert_eq(config.exit_port, 0xf4);
    cr_assert(config.serial == NULL);
    ok(vsdk_pc_create(host, &config, &another, E)); /* while what it points to is there */
    vsdk_pc_close(another);
    vsdk_pc_close(pc);
    cr_assert(has_ended());
    vsdk_stream_close(near);
    vsdk_host_close(host);
}

static vsdk_status create_pc(vsdk_host *host, const vsdk_pc_config *config)
{
    vsdk_pc *pc = (vsdk_pc *)1;
    vsdk_status status = vsdk_pc_create(host, config, &pc, E);

    if (status != VSDK_OK)
        cr_assert(pc == NULL);
    vsdk_pc_close(status == VSDK_OK ? pc : NULL);
    return status;
}

Test(pc, configuration_is_checked)
{
    vsdk_host *host = open_host();
    struct {
        vsdk_pc_config config;
        uint64_t later;
    } longer = {.config = {.size = sizeof longer}, .later = 1};
    vsdk_pc_config config = {.size = sizeof config, .memory = 4097};

    make_stream();
    config.serial = config.debug_output = far;
    fails(INVALID_ARGUMENT, create_pc(host, &config));
    config.memory = 1 << 20;
    fails(INVALID_ARGUMENT, create_pc(host, &config));
    fails(UNSUPPORTED, create_pc(host, &longer.config));
    config.memory = PC_MEMORY;
    config.memory_max = PC_MEMORY - 1;
    fails(INVALID_ARGUMENT, create_pc(host, &config));
    config.memory_max = 0;
    config.vcpus = 128;
    fails(LIMIT, create_pc(host, &config));
    config.vcpus = 1;
    config.exit_port = 0xfffd;
    fails(RANGE, create_pc(host, &config));
    cr_assert(!has_ended());
    vsdk_stream_close(far);
    cr_assert(has_ended()); /* what failed kept nothing */
    vsdk_stream_close(near);
    vsdk_host_close(host);
}

/* Memory of the embedder's beside the machine's, as much as was described. */
Test(pc, leaves_room_for_more_memory)
{
    vsdk_host *host = open_host();
    vsdk_pc_config config = {
        .size = sizeof config, .memory = PC_MEMORY, .memory_max = PC_MEMORY + (2 << 20)};
    vsdk_pc *pc = NULL;
    vsdk_ram *ram = NULL;

    ok(vsdk_pc_create(host, &config, &pc, E));
    ok(vsdk_ram_create(vsdk_pc_vm(pc), 4 << 20, NULL, &ram, E));
    fails(LIMIT, vsdk_vm_map(vsdk_pc_vm(pc), 0x40000000, ram, 0, 4 << 20, 0, E));
    ok(vsdk_vm_map(vsdk_pc_vm(pc), 0x40000000, ram, 0, 2 << 20, 0, E));
    vsdk_ram_close(ram);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
}

/* A bzImage of nothing but a header, whose command line may have 255 bytes. */
static void make_bzimage(uint8_t *image, size_t length)
{
    memset(image, 0, length);
    image[0x1f1] = 1; /* sectors of setup */
    image[0x1fe] = 0x55;
    image[0x1ff] = 0xaa;
    image[0x201] = 0x66;
    memcpy(image + 0x202, "HdrS\x0f\x02", 6); /* protocol 2.15 */
    image[0x211] = 1;                         /* loaded high */
    image[0x234] = 1;                         /* relocatable */
    image[0x236] = 1;                         /* 64-bit entry */
    image[0x22f] = 0x7f;                      /* initrd below 0x7fffffff */
    image[0x232] = 0x20;                      /* alignment 2 MiB */
    image[0x238] = 255;                       /* longest command line */
    image[0x25b] = 1;                         /* preferred address 16 MiB */
    image[0x262] = 1;                         /* init_size 64 KiB */
}

Test(pc, boot_is_checked)
{
    vsdk_host *host = open_host();
    vsdk_pc *pc = make_pc(host, 1);
    vsdk_vm *vm = vsdk_pc_vm(pc);
    vsdk_boot_config config = flat(0x8000);
    struct {
        vsdk_boot_config config;
        uint64_t later;
    } longer = {.config = config, .later = 1};
    static uint8_t image[8192];
    static char line[4096];
    vsdk_vcpu *vcpu = NULL;

    config.rsdp = 1;
    fails(INVALID_ARGUMENT, vsdk_pc_boot(pc, &config, E));
    longer.config.size = sizeof longer;
    fails(UNSUPPORTED, vsdk_pc_boot(pc, &longer.config, E));
    config = flat(MMIO);
    config.mode = VSDK_BOOT_LONG;
    fails(RANGE, vsdk_pc_boot(pc, &config, E));
    config = flat(0x8000);
    config.format = VSDK_BOOT_AUTO;
    fails(FORMAT, vsdk_pc_boot(pc, &config, E));
    make_bzimage(image, sizeof image);
    memset(line, 'x', sizeof line - 1);
    config.image = image;
    config.image_length = sizeof image;
    config.command_line = line;
    fails(LIMIT, vsdk_pc_boot(pc, &config, E));
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    config = flat(0x8000);
    fails(EXISTS, vsdk_pc_boot(pc, &config, E));
    ok(vsdk_vm_resume(vm, E));
    fails(STATE, vsdk_pc_boot(pc, &config, E));
    cr_assert(strstr(E->hint, "vsdk_vm_reset") != NULL, "%s", E->hint);
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, vsdk_pc_boot(pc, &config, E));
    vsdk_vcpu_close(vcpu);
    vsdk_pc_close(pc);
    vsdk_stream_close(near);
    vsdk_host_close(host);
}
