/* SPDX-License-Identifier: Apache-2.0 */
/* guest: a guest of ten instructions.
 *
 * A virtual machine with a page of memory and one processor in real mode adds two numbers, prints
 * the digit at a serial port that this program plays, and says that it is done.
 *
 *   cc guest.c $(pkg-config --cflags --libs vsdk) -o guest && ./guest [BACKEND]
 */
#include <stdio.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xb0, 2,          /* mov al, 2 */
    0x04, 3,          /* add al, 3 */
    0x04, '0',        /* add al, '0' */
    0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
    0xee,             /* out dx, al */
    0xb0, '\n',       /* mov al, '\n' */
    0xee,             /* out dx, al */
    0x30, 0xc0,       /* xor al, al */
    0xe6, 0xf4,       /* out 0xf4, al: done */
    0xf4,             /* hlt */
};

/* The loop over exits: the heart of any program that uses the library. */
static vsdk_status run(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const vsdk_exit *exit = vsdk_vcpu_record(vcpu);
    vsdk_status status;

    while (!(status = vsdk_vcpu_run(vcpu, VSDK_FOREVER, error))) {
        if (exit->reason != VSDK_EXIT_PIO || exit->address == 0xf4)
            break; /* done, or an exit that this loop does not handle */
        if (exit->address == 0x3f8)
            putchar((int)exit->value);
    }
    return status;
}

int main(int argc, char **argv)
{
    vsdk_boot_config image = {.size = sizeof image,
                              .format = VSDK_BOOT_FLAT,
                              .image = code,
                              .image_length = sizeof code,
                              .address = 0x1000};
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    vsdk_ram *ram = NULL;
    vsdk_vcpu *vcpu = NULL;
    vsdk_error error;
    vsdk_status status;

    if ((status = vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error)) ||
        (status = vsdk_vm_create(host, NULL, &vm, &error)) ||
        (status = vsdk_ram_create(vm, 4096, NULL, &ram, &error)) ||
        (status = vsdk_vm_map(vm, 0x1000, ram, 0, 4096, 0, &error)) ||
        (status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error)) ||
        (status = vsdk_boot_load(vm, &image, &entry, &error)) ||
        (status = vsdk_boot_apply(vcpu, &entry, &error)) || (status = vsdk_vm_resume(vm, &error)) ||
        (status = run(vcpu, &error)))
        fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint);

    vsdk_vcpu_close(vcpu); /* closing NULL does nothing */
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return status != VSDK_OK;
}
