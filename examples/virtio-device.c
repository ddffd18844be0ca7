/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-device: a virtio device of one's own.
 *
 * The device writes what it reads, in capitals. The guest's driver is its smallest: a table of
 * registers and values to write, from the reset of the device to the first notification, and a ring
 * with one chain. It waits until the device has given the chain back, and ends.
 *
 *   cc virtio-device.c $(pkg-config --cflags --libs vsdk) -o virtio-device && ./virtio-device
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <vsdk/vsdk.h>

/* Where things are in the guest. */
enum { CODE = 0x1000, TABLE = 0x1100, RING = 0x2000, AVAIL = 0x2100, USED = 0x2200, TEXT = 0x3000 };
enum { ANSWER = 0x3100, MEMORY = 0x10000, LENGTH = 13 };
#define DEVICE 0xd0000000u

static const unsigned char code[] = {
    0xbe, 0x00, 0x11, 0,    0,             /* mov esi, TABLE */
    0xad,                                  /* next: lodsd: the register's address */
    0x85, 0xc0,                            /* test eax, eax */
    0x74, 0x06,                            /* jz wait */
    0x97,                                  /* xchg edi, eax */
    0xad,                                  /* lodsd: the value */
    0x89, 0x07,                            /* mov [edi], eax */
    0xeb, 0xf5,                            /* jmp next */
    0x66, 0x83, 0x3d, 0x02, 0x22, 0, 0, 0, /* wait: cmp word [USED + 2], 0 */
    0x74, 0xf6,                            /* je wait */
    0xb0, 0x00, 0xe6, 0xf4,                /* mov al, 0; out 0xf4, al */
};

/* Reset; acknowledge, driver; version 1 of the features; FEATURES_OK; queue 0 with 2 descriptors
 * and its three areas; it is ready; DRIVER_OK; there is a chain. */
static const unsigned table[][2] = {
    {0x70, 0}, {0x70, 1},    {0x70, 3},     {0x24, 1},    {0x20, 1}, {0x70, 11}, {0x30, 0},
    {0x38, 2}, {0x80, RING}, {0x90, AVAIL}, {0xa0, USED}, {0x44, 1}, {0x70, 15}, {0x50, 0},
};

/* As the specification has it: address, length, flags (1 next, 2 the device writes it), next. */
struct descriptor {
    unsigned long long address;
    unsigned length;
    unsigned short flags, next;
};

static void write_driver(unsigned char *memory)
{
    const struct descriptor chain[2] = {{TEXT, LENGTH, 1, 1}, {ANSWER, LENGTH, 2, 0}};
    unsigned *to = (unsigned *)(memory + TABLE);

    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        *to++ = DEVICE + table[i][0];
        *to++ = table[i][1];
    }
    memcpy(memory + RING, chain, sizeof chain);
    memory[AVAIL + 2] = 1; /* one chain, which begins at descriptor 0 */
    memcpy(memory + TEXT, "hello, virtio", LENGTH);
}

/* The device: all of it. Lengths are the guest's, so each is checked. */
static void notify(void *user, vsdk_device *device, uint32_t queue)
{
    vsdk_virtio_chain chain;
    char text[64];

    (void)user;
    while (!vsdk_virtio_pop(device, queue, &chain, NULL)) {
        uint64_t length = chain.readable < sizeof text ? chain.readable : sizeof text;
        if (length > chain.writable)
            length = chain.writable;
        vsdk_status status = vsdk_virtio_read(device, &chain, 0, text, length, NULL);
        for (uint64_t i = 0; i < length && !status; i++)
            text[i] = (char)toupper((unsigned char)text[i]);
        if (!status)
            status = vsdk_virtio_write(device, &chain, 0, text, length, NULL);
        vsdk_virtio_push(device, &chain, status ? 0 : (uint32_t)length, NULL);
    }
}

static const vsdk_virtio_ops ops = {.size = sizeof ops, .notify = notify};

int main(int argc, char **argv)
{
    vsdk_virtio_config config = {
        .size = sizeof config, .type = 42, .queues = 1, .name = "capitals"};
    vsdk_virtio_place place = {.size = sizeof place, .address = DEVICE, .gsi = 5};
    vsdk_boot_config image = {.size = sizeof image,
                              .format = VSDK_BOOT_FLAT,
                              .mode = VSDK_BOOT_PROTECTED,
                              .image = code,
                              .image_length = sizeof code,
                              .address = CODE};
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_exit end = {0};
    char answer[LENGTH + 1] = {0};
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    vsdk_ram *ram = NULL;
    vsdk_device *device = NULL, *port = NULL;
    vsdk_vcpu *vcpu = NULL;
    vsdk_error error;
    vsdk_status status;

    if ((status = vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error)) ||
        (status = vsdk_vm_create(host, NULL, &vm, &error)) ||
        (status = vsdk_ram_create(vm, MEMORY, NULL, &ram, &error)) ||
        (status = vsdk_vm_map(vm, 0, ram, 0, MEMORY, 0, &error)) ||
        (status = vsdk_exit_port_create(vm, NULL, &port, &error)) ||
        (status = vsdk_virtio_create(vm, &ops, NULL, &config, &device, &error)) ||
        (status = vsdk_virtio_attach(device, &place, &error)) ||
        (status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error)) ||
        (status = vsdk_boot_load(vm, &image, &entry, &error)))
        goto out;
    write_driver(vsdk_ram_data(ram));
    if ((status = vsdk_boot_apply(vcpu, &entry, &error)) ||
        (status = vsdk_vm_run(vm, NULL, 60 * 1000000000ull, &end, &error)) ||
        (status = vsdk_vm_read(vm, ANSWER, answer, LENGTH, &error)))
        goto out;
    printf("%s\n", answer);
out:
    if (status)
        fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint);
    vsdk_device_close(device);
    vsdk_device_close(port);
    vsdk_vcpu_close(vcpu);
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return status || strcmp(answer, "HELLO, VIRTIO") != 0;
}
