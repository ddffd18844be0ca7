/* SPDX-License-Identifier: Apache-2.0 */
/* dma-device: a device that works on a thread of its own. The guest rings; a worker turns a block of
 * guest memory to upper case and raises an interrupt. It has stopped when nothing is under way.
 *
 *   cc dma-device.c $(pkg-config --cflags --libs vsdk) -lpthread -o dma-device && ./dma-device */
#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xba, 0x08, 0x07, 0xee, 0xba, 0x04, 0x07, /* mov dx, 0x708; out dx, al: ring; mov dx, 0x704 */
    0xec, 0xa8, 0x01, 0x74, 0xfb,             /* in al, dx; test al, 1; jz back: until it is done */
    0xe6, 0xf4, 'd',  'm',  'a',  '\n',       /* out 0xf4, al; the block */
};
enum { CODE = 0x1000, BLOCK = CODE + 14, LENGTH = 4, DONE = 0x704, RING = 0x708 };

static vsdk_device *device;
static vsdk_doorbell *bell;
static vsdk_irq *irq;
static atomic_int done, stopping, quit;

static uint64_t read_done(void *user, vsdk_device *self, const vsdk_access *access)
{
    return (uint64_t)done;
}

static vsdk_stop_answer stop(void *user, vsdk_device *self, vsdk_stop_mode mode)
{
    stopping = 1; /* no more rings come: the worker says when it has seen the last */
    return VSDK_STOP_PENDING;
}

static const vsdk_device_ops ops = {.size = sizeof ops, .read = read_done, .stop = stop};

static void *work(void *unused)
{
    struct pollfd rung = {vsdk_doorbell_descriptor(bell), POLLIN, 0};
    char block[LENGTH];
    uint64_t rings;
    while (poll(&rung, 1, 10), vsdk_doorbell_take(bell, &rings, NULL), !quit)
        if (rings && !vsdk_dma_read(device, BLOCK, block, LENGTH, NULL)) {
            for (int i = 0; i < LENGTH; i++)
                block[i] = (char)toupper(block[i]);
            vsdk_dma_write(device, BLOCK, block, LENGTH, NULL);
            done = 1;
            vsdk_irq_pulse(irq, NULL);
        } else if (atomic_exchange(&stopping, 0)) {
            vsdk_device_stopped(device, NULL);
        }
    return NULL;
}

int main(int argc, char **argv)
{
    vsdk_boot_config image = {.size = sizeof image,
                              .format = VSDK_BOOT_FLAT,
                              .image = code,
                              .image_length = sizeof code,
                              .address = CODE};
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_doorbell_config at = {.size = sizeof at, .space = VSDK_SPACE_PIO, .address = RING};
    vsdk_irq_config line = {.size = sizeof line, .gsi = 5};
    vsdk_error error;
    char block[LENGTH];
    pthread_t thread;
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;

    if (vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error) ||
        vsdk_vm_create(host, NULL, &vm, &error) || vsdk_ram_create(vm, 4096, NULL, &ram, &error) ||
        vsdk_vm_map(vm, CODE, ram, 0, 4096, 0, &error) ||
        vsdk_ioapic_create(vm, NULL, &device, &error) || (vsdk_device_close(device), 0) ||
        vsdk_device_create(vm, &ops, NULL, NULL, &device, &error) ||
        (at.device = line.device = device, vsdk_irq_create(vm, &line, &irq, &error)) ||
        vsdk_doorbell_create(vm, &at, &bell, &error) ||
        vsdk_device_add_range(device, VSDK_SPACE_PIO, DONE, 1, 0, &error) ||
        vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error) ||
        vsdk_boot_load(vm, &image, &entry, &error) || vsdk_boot_apply(vcpu, &entry, &error) ||
        pthread_create(&thread, NULL, work, NULL) || vsdk_vm_resume(vm, &error) ||
        vsdk_vcpu_run(vcpu, VSDK_FOREVER, &error) || vsdk_vm_pause(vm, 0, VSDK_FOREVER, &error) ||
        vsdk_vm_read(vm, BLOCK, block, LENGTH, &error))
        return fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint), 1;
    printf("%.4s", block);
    quit = 1;
    return pthread_join(thread, NULL);
}
