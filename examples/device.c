/* SPDX-License-Identifier: Apache-2.0 */
/* device: a device of one's own.
 *
 * The device has a port that counts: each read gives the next number. It answers inside run, on the
 * thread that called it; the program sees only what nobody claims. The guest reads the port three
 * times and writes the sum to port 0xf4.
 *
 *   cc device.c $(pkg-config --cflags --libs vsdk) -o device && ./device [BACKEND]
 */
#include <stdio.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xe4, 0xe0, /* in al, 0xe0 */
    0x88, 0xc3, /* mov bl, al */
    0xe4, 0xe0, /* in al, 0xe0 */
    0x00, 0xc3, /* add bl, al */
    0xe4, 0xe0, /* in al, 0xe0 */
    0x00, 0xd8, /* add al, bl */
    0xe6, 0xf4, /* out 0xf4, al */
    0xf4,       /* hlt */
};

static uint64_t counter_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    uint64_t *count = user;

    (void)device, (void)access;
    return ++*count;
}

static const vsdk_device_ops counter = {.size = sizeof counter, .read = counter_read};

int main(int argc, char **argv)
{
    vsdk_boot_config image = {.size = sizeof image,
                              .format = VSDK_BOOT_FLAT,
                              .image = code,
                              .image_length = sizeof code,
                              .address = 0x1000};
    vsdk_boot_entry entry = {.size = sizeof entry};
    uint64_t count = 0;
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    vsdk_ram *ram = NULL;
    vsdk_device *device = NULL;
    vsdk_vcpu *vcpu = NULL;
    vsdk_error error;
    vsdk_status status;

    if ((status = vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error)) ||
        (status = vsdk_vm_create(host, NULL, &vm, &error)) ||
        (status = vsdk_ram_create(vm, 4096, NULL, &ram, &error)) ||
        (status = vsdk_vm_map(vm, 0x1000, ram, 0, 4096, 0, &error)) ||
        (status = vsdk_device_create(vm, &counter, &count, NULL, &device, &error)) ||
        (status = vsdk_device_add_range(device, VSDK_SPACE_PIO, 0xe0, 1, 0, &error)) ||
        (status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error)) ||
        (status = vsdk_boot_load(vm, &image, &entry, &error)) ||
        (status = vsdk_boot_apply(vcpu, &entry, &error)) || (status = vsdk_vm_resume(vm, &error)) ||
        (status = vsdk_vcpu_run(vcpu, VSDK_FOREVER, &error)))
        fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint);
    else
        printf("the guest wrote %llu to port %#llx\n",
               (unsigned long long)vsdk_vcpu_record(vcpu)->value,
               (unsigned long long)vsdk_vcpu_record(vcpu)->address);

    vsdk_device_close(device);
    vsdk_vcpu_close(vcpu);
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return status != VSDK_OK;
}
