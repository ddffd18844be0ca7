/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: made, mapped, protected and taken away, in every state. */
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(ram, .init = setup, .fini = teardown);
TestSuite(ram_limit);

static vsdk_ram *make_ram(uint64_t bytes)
{
    vsdk_ram *ram = NULL;
    ok(vsdk_ram_create(m.vm, bytes, NULL, &ram, E));
    return ram;
}

Test(ram, sizes_and_sources_are_checked)
{
    vsdk_ram_config config = {.size = sizeof config};
    vsdk_ram *ram = (vsdk_ram *)1;

    fails(INVALID_ARGUMENT, vsdk_ram_create(m.vm, 0, NULL, &ram, E));
    cr_assert(ram == NULL);
    fails(INVALID_ARGUMENT, vsdk_ram_create(m.vm, 4095, NULL, &ram, E));
    fails(INVALID_ARGUMENT, vsdk_ram_create(m.vm, 4097, NULL, &ram, E));
    fails(INVALID_ARGUMENT, vsdk_ram_create(m.vm, 4096, NULL, NULL, E));
    fails(NO_MEMORY, vsdk_ram_create(m.vm, UINT64_C(1) << 62, NULL, &ram, E));
    fails(NO_MEMORY, vsdk_ram_create(m.vm, UINT64_MAX & ~UINT64_C(4095), NULL, &ram, E));
    config.backing = VSDK_RAM_HUGE;
    fails(UNSUPPORTED, vsdk_ram_create(m.vm, 4096, &config, &ram, E));
    config.backing = VSDK_RAM_CALLER + 1;
    fails(UNSUPPORTED, vsdk_ram_create(m.vm, 4096, &config, &ram, E));
    config.backing = VSDK_RAM_ANONYMOUS;
    config.sharing = VSDK_RAM_SHARED + 1;
    fails(UNSUPPORTED, vsdk_ram_create(m.vm, 4096, &config, &ram, E));
    config.sharing = VSDK_RAM_PRIVATE;
    ok(vsdk_ram_create(m.vm, 4096, &config, &ram, E));
    cr_assert_eq(vsdk_ram_size(ram), 4096);
    vsdk_ram_close(ram);
}

/* Whatever the backend has, what contradicts itself is refused as such. */
Test(ram, fields_that_contradict_each_other)
{
    static char pages[0x3000];
    void *page = (void *)(((uintptr_t)pages + 0xfff) & ~(uintptr_t)0xfff);
    const vsdk_ram_config wrong[] = {
        {.sharing = VSDK_RAM_SHARED},
        {.flags = VSDK_RAM_DESCRIPTOR},
        {.descriptor = 1},
        {.offset = 0x1000},
        {.address = page},
        {.flags = 4},
        {.backing = VSDK_RAM_FILE},
        {.backing = VSDK_RAM_MEMFD, .offset = 0x1000},
        {.backing = VSDK_RAM_MEMFD, .address = page},
        {.backing = VSDK_RAM_FILE, .flags = VSDK_RAM_DESCRIPTOR, .offset = 0x800},
        {.backing = VSDK_RAM_CALLER},
        {.backing = VSDK_RAM_CALLER, .address = (char *)page + 8},
        {.backing = VSDK_RAM_CALLER, .address = (void *)~(uintptr_t)0xfff},
        {.backing = VSDK_RAM_CALLER, .address = page, .sharing = VSDK_RAM_SHARED},
        {.backing = VSDK_RAM_CALLER, .address = page, .flags = VSDK_RAM_DESCRIPTOR},
    };
    vsdk_ram *ram = NULL;

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vsdk_ram_config config = wrong[i];

        config.size = sizeof config;
        fails(INVALID_ARGUMENT, vsdk_ram_create(m.vm, 0x1000, &config, &ram, E));
    }
}

/* A file of `pages` pages, each of which begins with its number. */
static int numbered_file(vsdk_ram_backing backing, unsigned pages)
{
    char path[] = "/tmp/vsdk-test-XXXXXX";
    int fd = backing == VSDK_RAM_MEMFD ? memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING)
                                       : mkostemp(path, O_CLOEXEC);

    cr_assert(fd >= 0);
    if (backing == VSDK_RAM_FILE)
        unlink(path);
    cr_assert(ftruncate(fd, pages * 0x1000) == 0);
    for (uint64_t i = 0; i < pages; i++)
        cr_assert(pwrite(fd, &i, sizeof i, (off_t)i * 0x1000) == sizeof i);
    return fd;
}

static vsdk_ram_config config_of(vsdk_ram_backing backing, vsdk_ram_sharing sharing, int fd)
{
    return (vsdk_ram_config){.size = sizeof(vsdk_ram_config),
                             .flags = VSDK_RAM_DESCRIPTOR,
                             .backing = backing,
                             .sharing = sharing,
                             .descriptor = fd};
}

/* Descriptors of this process that show the same file: how many, and whether each is close-on-exec
 * and above 2. */
static unsigned same_file(int fd)
{
    struct stat wanted, found;
    unsigned count = 0;

    cr_assert(fstat(fd, &wanted) == 0);
    for (int i = 0; i < 1000; i++) {
        if (fstat(i, &found) || found.st_ino != wanted.st_ino || found.st_dev != wanted.st_dev)
            continue;
        cr_assert(i > 2 && fcntl(i, F_GETFD) == FD_CLOEXEC);
        count++;
    }
    return count;
}

/* Pages 2 and 3 of a file are the guest's: what it finds there, and who sees what it writes. */
static void guest_in_a_file(vsdk_ram_backing backing, vsdk_ram_sharing sharing)
{
    int fd = numbered_file(backing, 4), other = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    vsdk_ram_config config = config_of(backing, sharing, fd);
    uint64_t word = 0;
    vsdk_ram *ram;

    config.offset = 0x2000;
    ok(vsdk_ram_create(m.vm, 0x2000, &config, &ram, E));
    cr_assert_eq(same_file(fd), 3);
    close(fd);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x2000, 0, E));
    ok(vsdk_vm_read(m.vm, EXTRA_RAM, &word, sizeof word, E));
    cr_assert_eq(word, 2);
    ok(vsdk_vm_read(m.vm, EXTRA_RAM + 0x1000, &word, sizeof word, E));
    cr_assert_eq(word, 3);
    machine_start(&m, &guest_store_load, &(vsdk_x86_regs){.rbx = EXTRA_RAM + 8, .r8 = 100});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100);
    cr_assert(pread(other, &word, sizeof word, 0x2008) == sizeof word);
    cr_assert_eq(word, sharing == VSDK_RAM_SHARED ? 100 : 0);
    word = 77;
    cr_assert(pwrite(other, &word, sizeof word, 0x2010) == sizeof word);
    ok(vsdk_vm_read(m.vm, EXTRA_RAM + 0x10, &word, sizeof word, E));
    cr_assert_eq(word, sharing == VSDK_RAM_SHARED ? 77 : 0);
    ok(vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x2000, E));
    vsdk_ram_close(ram);
    cr_assert_eq(same_file(other), 1);
    close(other);
}

Test(ram, shared_with_a_memfd)
{
    need(m.host, VSDK_CAPABILITY_RAM_SHARED);
    guest_in_a_file(VSDK_RAM_MEMFD, VSDK_RAM_SHARED);
}

Test(ram, shared_with_a_file)
{
    need(m.host, VSDK_CAPABILITY_RAM_SHARED);
    guest_in_a_file(VSDK_RAM_FILE, VSDK_RAM_SHARED);
}

Test(ram, private_copy_of_a_memfd)
{
    need(m.host, VSDK_CAPABILITY_RAM_PRIVATE);
    guest_in_a_file(VSDK_RAM_MEMFD, VSDK_RAM_PRIVATE);
}

Test(ram, private_copy_of_a_file)
{
    need(m.host, VSDK_CAPABILITY_RAM_PRIVATE);
    guest_in_a_file(VSDK_RAM_FILE, VSDK_RAM_PRIVATE);
}

Test(ram, a_memfd_of_the_librarys)
{
    vsdk_ram_config config = {
        .size = sizeof config, .backing = VSDK_RAM_MEMFD, .sharing = VSDK_RAM_SHARED};
    uint64_t *data;
    vsdk_ram *ram;

    need(m.host, VSDK_CAPABILITY_RAM_SHARED);
    ok(vsdk_ram_create(m.vm, 0x400000, &config, &ram, E));
    data = vsdk_ram_data(ram);
    for (unsigned i = 0; i < 0x400000 / sizeof *data; i += 0x200)
        cr_assert_eq(data[i], 0);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x400000, 0, E));
    machine_start(&m, &guest_store_load, &(vsdk_x86_regs){.rbx = EXTRA_RAM + 8, .r8 = 100});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100);
    cr_assert_eq(data[1], 100);
    vsdk_ram_close(ram);
}

/* A touch behind the end of a file would be SIGBUS. */
Test(ram, file_that_is_too_short)
{
    vsdk_ram *ram = NULL;

    need(m.host, VSDK_CAPABILITY_RAM_PRIVATE);
    for (vsdk_ram_backing backing = VSDK_RAM_MEMFD; backing <= VSDK_RAM_FILE; backing++) {
        int fd = numbered_file(backing, 2);
        vsdk_ram_config config = config_of(backing, VSDK_RAM_PRIVATE, fd);

        fails(RANGE, vsdk_ram_create(m.vm, 0x3000, &config, &ram, E));
        config.offset = 0x1000;
        fails(RANGE, vsdk_ram_create(m.vm, 0x2000, &config, &ram, E));
        config.offset = 0x2000;
        fails(RANGE, vsdk_ram_create(m.vm, 0x1000, &config, &ram, E));
        config.offset = UINT64_MAX & ~UINT64_C(0xfff);
        fails(RANGE, vsdk_ram_create(m.vm, 0x1000, &config, &ram, E));
        cr_assert(ftruncate(fd, 0x1fff) == 0);
        config.offset = 0;
        fails(RANGE, vsdk_ram_create(m.vm, 0x2000, &config, &ram, E));
        cr_assert_eq(same_file(fd), 1);
        close(fd);
    }
}

Test(ram, descriptors_that_will_not_do)
{
    int zero = open("/dev/zero", O_RDWR | O_CLOEXEC), folder = open("/", O_RDONLY | O_CLOEXEC);
    const int wrong[] = {zero, folder, -1, 4711};
    int fd, reading;
    vsdk_ram_config config;
    vsdk_ram *ram = NULL;
    char path[64];

    need(m.host, VSDK_CAPABILITY_RAM_SHARED);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config = config_of(VSDK_RAM_FILE, VSDK_RAM_SHARED, wrong[i]);
        fails(INVALID_ARGUMENT, vsdk_ram_create(m.vm, 0x1000, &config, &ram, E));
    }
    fd = numbered_file(VSDK_RAM_FILE, 2);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    reading = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(reading >= 0);
    config = config_of(VSDK_RAM_FILE, VSDK_RAM_SHARED, reading);
    fails(PERMISSION, vsdk_ram_create(m.vm, 0x1000, &config, &ram, E));
    config.sharing = VSDK_RAM_PRIVATE;
    ok(vsdk_ram_create(m.vm, 0x1000, &config, &ram, E));
    vsdk_ram_close(ram);
    close(reading);
    close(fd);
    close(zero);
    close(folder);
}

Test(ram, the_callers_pages)
{
    vsdk_ram_config config = {.size = sizeof config, .backing = VSDK_RAM_CALLER};
    uint64_t *pages =
        mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    vsdk_ram *ram;

    cr_assert(pages != MAP_FAILED);
    need(m.host, VSDK_CAPABILITY_RAM_CALLER);
    pages[2] = 55;
    config.address = pages;
    ok(vsdk_ram_create(m.vm, 0x2000, &config, &ram, E));
    cr_assert(vsdk_ram_data(ram) == pages);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x2000, 0, E));
    machine_start(&m, &guest_store_load, &(vsdk_x86_regs){.rbx = EXTRA_RAM + 8, .r8 = 100});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100);
    cr_assert_eq(pages[1], 100);
    vsdk_ram_close(ram);
    ok(vsdk_vm_destroy(m.vm, E));
    cr_assert_eq(pages[1], 100, "the pages are the caller's");
    cr_assert_eq(pages[2], 55);
    pages[1] = 0;
    munmap(pages, 0x4000);
}

Test(ram, pages_that_the_caller_lacks)
{
    vsdk_ram_config config = {.size = sizeof config, .backing = VSDK_RAM_CALLER};
    char *pages = mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    vsdk_ram *ram = NULL;

    cr_assert(pages != MAP_FAILED);
    need(m.host, VSDK_CAPABILITY_RAM_CALLER);
    munmap(pages + 0x2000, 0x1000);
    config.address = pages;
    fails(RANGE, vsdk_ram_create(m.vm, 0x4000, &config, &ram, E));
    fails(RANGE, vsdk_ram_create(m.vm, 0x3000, &config, &ram, E));
    ok(vsdk_ram_create(m.vm, 0x2000, &config, &ram, E));
    vsdk_ram_close(ram);
    munmap(pages, 0x4000);
}

/* Where a backend lacks it, the answer is the capability's reason. */
Test(ram, what_the_backend_lacks_is_said)
{
    static char pages[0x2000];
    int fd = numbered_file(VSDK_RAM_MEMFD, 1);
    const struct {
        vsdk_capability capability;
        vsdk_ram_config config;
    } each[] = {
        {VSDK_CAPABILITY_RAM_SHARED, config_of(VSDK_RAM_MEMFD, VSDK_RAM_SHARED, fd)},
        {VSDK_CAPABILITY_RAM_PRIVATE, config_of(VSDK_RAM_FILE, VSDK_RAM_PRIVATE, fd)},
        {VSDK_CAPABILITY_RAM_CALLER,
         {.size = sizeof(vsdk_ram_config),
          .backing = VSDK_RAM_CALLER,
          .address = (void *)(((uintptr_t)pages + 0xfff) & ~(uintptr_t)0xfff)}},
    };

    for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
        vsdk_capability_info info = {.size = sizeof info};
        vsdk_error error = {0};
        vsdk_ram *ram = NULL;

        ok(vsdk_host_query(m.host, each[i].capability, &info, E));
        vsdk_status status = vsdk_ram_create(m.vm, 0x1000, &each[i].config, &ram, &error);
        if (info.answer == VSDK_ANSWER_NO) {
            cr_assert_eq(status, VSDK_ERROR_UNSUPPORTED);
            cr_assert(strstr(error.message, info.reason) == error.message, "%s", error.message);
        } else {
            cr_assert_eq(status, VSDK_OK, "%s", error.message);
        }
        vsdk_ram_close(ram);
    }
    close(fd);
}

Test(ram, begins_as_zeros_at_one_address)
{
    vsdk_ram *ram = make_ram(0x10000);
    void *first = vsdk_ram_data(ram);

    for (unsigned i = 0; i < 0x10000; i++)
        cr_assert_eq(((uint8_t *)first)[i], 0);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x10000, 0, E));
    cr_assert(vsdk_ram_data(ram) == first);
    cr_assert(vsdk_ram_data(NULL) == NULL);
    vsdk_ram_close(ram);
}

Test(ram, arguments_of_map_are_checked)
{
    vsdk_ram *ram = make_ram(0x4000);

    fails(INVALID_ARGUMENT, vsdk_vm_map(m.vm, EXTRA_RAM + 1, ram, 0, 0x1000, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1001, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0x800, 0x1000, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0x80, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(m.vm, EXTRA_RAM, NULL, 0, 0x1000, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(NULL, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    fails(RANGE, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x5000, 0, E));
    fails(RANGE, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0x4000, 0x1000, 0, E));
    fails(RANGE, vsdk_vm_map(m.vm, EXTRA_RAM, ram, UINT64_MAX & ~UINT64_C(4095), 0x1000, 0, E));
    fails(RANGE, vsdk_vm_map(m.vm, UINT64_MAX & ~UINT64_C(4095), ram, 0, 0x2000, 0, E));
    fails(RANGE, vsdk_vm_map(m.vm, UINT64_C(1) << 60, ram, 0, 0x1000, 0, E));
    vsdk_ram_close(ram);
}

Test(ram, overlaps_are_refused)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    vsdk_ram *ram = make_ram(0x4000);

    fails(EXISTS, vsdk_vm_map(m.vm, 0, ram, 0, 0x1000, 0, E));
    fails(EXISTS, vsdk_vm_map(m.vm, RAM_BYTES - 0x1000, ram, 0, 0x2000, 0, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, EXTRA_RAM + 0x1800, 4, 0, E));
    fails(EXISTS, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x2000, 0, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    ok(vsdk_device_detach(device, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM + 0x1000, ram, 0x1000, 0x1000, 0, E));
    vsdk_device_close(device);
    vsdk_ram_close(ram);
}

Test(ram, reserved_addresses_are_refused)
{
    static vsdk_vm_range ranges[256];
    vsdk_ram *ram = make_ram(0x1000);
    uint32_t count = 0, tried = 0;

    ok(vsdk_vm_list_reserved(m.vm, ranges, 256, &count, E));
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].space != VSDK_SPACE_MMIO)
            continue;
        fails(RESERVED,
              vsdk_vm_map(m.vm, ranges[i].address & ~UINT64_C(4095), ram, 0, 0x1000, 0, E));
        tried++;
    }
    cr_assert(tried > 0);
    vsdk_ram_close(ram);
}

Test(ram, belongs_to_its_machine)
{
    vsdk_ram *ram = make_ram(0x1000);
    struct machine other;

    machine_make(&other);
    fails(INVALID_ARGUMENT, vsdk_vm_map(other.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    machine_end(&other);
    vsdk_ram_close(ram);
}

Test(ram, alias_is_a_capability)
{
    vsdk_ram *ram = make_ram(0x1000);
    uint32_t value = 0;

    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    if (capability(m.host, VSDK_CAPABILITY_RAM_ALIAS) == VSDK_ANSWER_NO) {
        fails(EXISTS, vsdk_vm_map(m.vm, EXTRA_RAM + 0x10000, ram, 0, 0x1000, 0, E));
    } else {
        ok(vsdk_vm_map(m.vm, EXTRA_RAM + 0x10000, ram, 0, 0x1000, 0, E));
        ok(vsdk_vm_write(m.vm, EXTRA_RAM + 4, "abc", 4, E));
        ok(vsdk_vm_read(m.vm, EXTRA_RAM + 0x10004, &value, 4, E));
        cr_assert_eq(value, 0x636261);
        ok(vsdk_vm_unmap(m.vm, EXTRA_RAM + 0x10000, 0x1000, E));
    }
    vsdk_ram_close(ram);
}

Test(ram, unmap_takes_exactly_what_was_mapped)
{
    vsdk_ram *ram = make_ram(0x3000);

    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x3000, 0, E));
    fails(NOT_FOUND, vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x1000, E));
    fails(NOT_FOUND, vsdk_vm_unmap(m.vm, EXTRA_RAM + 0x1000, 0x2000, E));
    fails(NOT_FOUND, vsdk_vm_unmap(m.vm, MMIO, 0x1000, E));
    fails(INVALID_ARGUMENT, vsdk_vm_unmap(NULL, EXTRA_RAM, 0x3000, E));
    fails(NOT_FOUND, vsdk_vm_protect(m.vm, EXTRA_RAM, 0x1000, VSDK_MAP_READONLY, E));
    fails(INVALID_ARGUMENT, vsdk_vm_protect(m.vm, EXTRA_RAM, 0x3000, 0x80, E));
    fails(INVALID_ARGUMENT, vsdk_vm_protect(NULL, EXTRA_RAM, 0x3000, 0, E));
    ok(vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x3000, E));
    fails(NOT_FOUND, vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x3000, E));
    vsdk_ram_close(ram);
}

Test(ram, keeps_its_contents_on_the_way)
{
    vsdk_ram *ram = make_ram(0x2000);
    uint8_t *data = vsdk_ram_data(ram);
    uint64_t value;

    memcpy(data + 0x1010, "unmapped", 8);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x2000, 0, E));
    ok(vsdk_vm_read(m.vm, EXTRA_RAM + 0x1010, &value, 8, E));
    cr_assert(memcmp(&value, "unmapped", 8) == 0);
    ok(vsdk_vm_write(m.vm, EXTRA_RAM + 0x1010, "mapped!!", 8, E));
    ok(vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x2000, E));
    cr_assert(memcmp(data + 0x1010, "mapped!!", 8) == 0);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM + 0x10000, ram, 0x1000, 0x1000, 0, E));
    ok(vsdk_vm_read(m.vm, EXTRA_RAM + 0x10010, &value, 8, E));
    cr_assert(memcmp(&value, "mapped!!", 8) == 0);
    cr_assert(memcmp(data + 0x1010, "mapped!!", 8) == 0);
    vsdk_ram_close(ram);
}

Test(ram, mapping_keeps_it_alive)
{
    vsdk_ram *ram = make_ram(0x1000);
    uint8_t *data = vsdk_ram_data(ram), byte = 0;

    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    vsdk_ram_close(ram);
    data[5] = 55;
    ok(vsdk_vm_read(m.vm, EXTRA_RAM + 5, &byte, 1, E));
    cr_assert_eq(byte, 55);
}

/* The next turn of guest_store_load where no memory is: a write, a read that is answered, and the
 * answer at a port. */
static void expect_turn_without_memory(uint64_t stored)
{
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
    cr_assert_eq(m.exit->direction, VSDK_DIRECTION_WRITE);
    cr_assert_eq(m.exit->address, EXTRA_RAM + 8);
    cr_assert_eq(m.exit->value, stored);
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
    cr_assert_eq(m.exit->direction, VSDK_DIRECTION_READ);
    answer(m.exit, 0x5555);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 0x5555);
}

/* The guest first meets nothing, then memory that was added while it ran. */
Test(ram, added_while_running)
{
    vsdk_ram *ram = make_ram(0x1000);
    uint64_t value;

    machine_start(&m, &guest_store_load, &(vsdk_x86_regs){.rbx = EXTRA_RAM + 8, .r8 = 100});
    expect_turn_without_memory(100);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    for (uint64_t expected = 101; expected < 104; expected++) {
        cr_assert_eq(run_to_write(&m, PORT_OUT)->value, expected);
        ok(vsdk_vm_read(m.vm, EXTRA_RAM + 8, &value, 8, E));
        cr_assert_eq(value, expected);
    }
    vsdk_ram_close(ram);
}

Test(ram, taken_away_and_given_back_while_running)
{
    vsdk_ram *ram = make_ram(0x1000);
    uint64_t value;

    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    machine_start(&m, &guest_store_load, &(vsdk_x86_regs){.rbx = EXTRA_RAM + 8, .r8 = 100});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100);
    ok(vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x1000, E));
    fails(RANGE, vsdk_vm_read(m.vm, EXTRA_RAM + 8, &value, 8, E));
    expect_turn_without_memory(101);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    ok(vsdk_vm_read(m.vm, EXTRA_RAM + 8, &value, 8, E));
    cr_assert_eq(value, 100, "the contents were lost");
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 102);
    vsdk_ram_close(ram);
}

struct hot {
    vsdk_ram *ram;
    int rounds;
    vsdk_status status;
};

static void *map_and_unmap(void *user)
{
    struct hot *hot = user;

    for (int i = 0; i < hot->rounds && hot->status == VSDK_OK; i++) {
        hot->status = vsdk_vm_map(m.vm, EXTRA_RAM, hot->ram, 0, 0x1000, 0, NULL);
        if (hot->status == VSDK_OK)
            hot->status = vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x1000, NULL);
    }
    return NULL;
}

Test(ram, changed_by_another_thread_while_the_guest_runs)
{
    struct hot hot = {.ram = make_ram(0x1000), .rounds = 30};
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    pthread_t thread;

    machine_start(&m, &guest_count, &(vsdk_x86_regs){.rbx = RESULT});
    runner_start(&runner);
    cr_assert(pthread_create(&thread, NULL, map_and_unmap, &hot) == 0);
    pthread_join(thread, NULL);
    ok(hot.status);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(runner.status);
    vsdk_ram_close(hot.ram);
}

Test(ram, protection_can_be_changed_while_running)
{
    vsdk_ram *ram;
    uint64_t value = 0;

    need(m.host, VSDK_CAPABILITY_READONLY);
    ram = make_ram(0x1000);
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    machine_start(&m, &guest_store_load, &(vsdk_x86_regs){.rbx = EXTRA_RAM + 8, .r8 = 100});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100);
    ok(vsdk_vm_protect(m.vm, EXTRA_RAM, 0x1000, VSDK_MAP_READONLY, E));
    fails(RANGE, vsdk_vm_write(m.vm, EXTRA_RAM + 8, &value, 8, E));
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
    cr_assert_eq(m.exit->address, EXTRA_RAM + 8);
    cr_assert_eq(m.exit->value, 101);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100, "reads are the memory's");
    ok(vsdk_vm_protect(m.vm, EXTRA_RAM, 0x1000, 0, E));
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 102);
    vsdk_ram_close(ram);
}

Test(ram_limit, most_memory_is_configured)
{
    vsdk_vm_config config = {.size = sizeof config, .memory_max = RAM_BYTES + 0x2000};

    machine_make_bare(&m, &config);
    vsdk_ram *ram = make_ram(0x4000);
    fails(LIMIT, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x3000, 0, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x2000, 0, E));
    fails(LIMIT, vsdk_vm_map(m.vm, EXTRA_RAM + 0x2000, ram, 0x2000, 0x1000, 0, E));
    ok(vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x2000, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM + 0x2000, ram, 0x2000, 0x2000, 0, E));
    vsdk_ram_close(ram);
    machine_end(&m);
}

/* Memory of a Xen guest is the hypervisor's, and a virtual machine takes some of it for itself. */
Test(ram_limit, more_than_the_hypervisor_has)
{
    vsdk_capability_info all = {.size = sizeof all};
    vsdk_vm_config config = {.size = sizeof config};
    vsdk_host *host = open_host();
    vsdk_ram *ram = NULL;
    vsdk_vm *vm = NULL;

    if (strcmp(test_backend(), "xen") != 0)
        skip(host, "the memory of this backend's guests is this process's");
    ok(vsdk_host_query(host, VSDK_CAPABILITY_MEMORY_MAX, &all, E));
    config.memory_max = all.value;
    ok(vsdk_vm_create(host, &config, &vm, E));
    ok(vsdk_ram_create(vm, all.value, NULL, &ram, E));
    fails(NO_MEMORY, vsdk_vm_map(vm, UINT64_C(1) << 32, ram, 0, all.value, 0, E));
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}
