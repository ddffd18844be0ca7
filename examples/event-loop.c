/* SPDX-License-Identifier: Apache-2.0 */
/* event-loop: a guest inside a program that has a loop of its own.
 *
 * The program polls its descriptors as it always did; the virtual machine's loop and the guest's
 * serial port are two more. The guest echoes what is typed, a line at a time, and a timer of the
 * machine's types for it: three lines, then it ends.
 *
 *   cc event-loop.c $(pkg-config --cflags --libs vsdk) -lpthread -o event-loop && ./event-loop
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xba, 0xfd, 0x03, /* next: mov dx, 0x3fd */
    0xec,             /* in al, dx */
    0xa8, 0x01,       /* test al, 1 */
    0x74, 0xf8,       /* jz next */
    0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
    0xec,             /* in al, dx */
    0xee,             /* out dx, al */
    0xeb, 0xf1,       /* jmp next */
};

static void type_line(void *user, vsdk_timer *timer)
{
    (void)timer;
    vsdk_stream_write(user, "hello\n", 6, NULL, NULL);
}

static void *run(void *vcpu)
{
    while (!vsdk_vcpu_run(vcpu, VSDK_FOREVER, NULL) &&
           !(((vsdk_exit *)vsdk_vcpu_record(vcpu))->flags & VSDK_EXIT_TERMINAL))
        ;
    return NULL;
}

int main(int argc, char **argv)
{
    vsdk_boot_config image = {.size = sizeof image,
                              .format = VSDK_BOOT_FLAT,
                              .image = code,
                              .image_length = sizeof code,
                              .address = 0x1000};
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_serial_config serial = {.size = sizeof serial};
    vsdk_stream *port, *terminal;
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_device *device;
    vsdk_vcpu *vcpu;
    vsdk_timer *timer;
    vsdk_error error;
    pthread_t thread;

    if (vsdk_stream_create(NULL, &port, &terminal, &error) ||
        vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error) ||
        vsdk_vm_create(host, NULL, &vm, &error) || vsdk_ram_create(vm, 4096, NULL, &ram, &error) ||
        vsdk_vm_map(vm, 0x1000, ram, 0, 4096, 0, &error) ||
        (serial.stream = port, vsdk_serial_create(vm, &serial, &device, &error)) ||
        vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error) ||
        vsdk_boot_load(vm, &image, &entry, &error) || vsdk_boot_apply(vcpu, &entry, &error) ||
        vsdk_timer_create(vsdk_vm_loop(vm, &error), NULL, type_line, terminal, NULL, &timer,
                          &error) ||
        vsdk_timer_arm(timer, 0, 100000000, &error) || vsdk_vm_resume(vm, &error))
        return fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint), 1;
    pthread_create(&thread, NULL, run, vcpu);

    struct pollfd wanted[] = {{vsdk_loop_descriptor(vsdk_vm_loop(vm, NULL)), POLLIN, 0},
                              {vsdk_stream_descriptor(terminal, NULL), POLLIN, 0}};
    for (int lines = 0; lines < 3 && poll(wanted, 2, -1) > 0;) {
        char text[64];
        uint64_t got = 0;
        if (wanted[0].revents)
            vsdk_loop_dispatch(vsdk_vm_loop(vm, NULL), 0, NULL, NULL);
        if (wanted[1].revents)
            vsdk_stream_read(terminal, text, sizeof text, &got, NULL);
        fwrite(text, 1, got, stdout);
        for (uint64_t i = 0; i < got; i++)
            lines += text[i] == '\n';
    }
    vsdk_vm_stop(vm, VSDK_EXIT_STOP, 0, 0, NULL); /* the run returns, and stops the devices */
    pthread_join(thread, NULL);
    vsdk_timer_close(timer);
    vsdk_vcpu_close(vcpu);
    vsdk_device_close(device);
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    vsdk_stream_close(port);
    return vsdk_stream_close(terminal), 0;
}
