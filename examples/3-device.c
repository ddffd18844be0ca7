/* 3: a device of one's own.
 *
 * The device has a port that counts: each read gives the next number. It answers inside run, on the
 * thread that called it; the program sees only what nobody claims. The guest reads the port three
 * times and writes the sum to port 0xf4.
 *
 *   cc 3-device.c $(pkg-config --cflags --libs vsdk) -o 3-device && ./3-device [BACKEND]
 */
#include <stdio.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xe4, 0x80, /* in al, 0x80 */
    0x88, 0xc3, /* mov bl, al */
    0xe4, 0x80, /* in al, 0x80 */
    0x00, 0xc3, /* add bl, al */
    0xe4, 0x80, /* in al, 0x80 */
    0x00, 0xd8, /* add al, bl */
    0xe6, 0xf4, /* out 0xf4, al */
    0xf4,       /* hlt */
    0xeb, 0xfd, /* jmp back to it */
};

struct counter {
    uint64_t next;
};

static uint64_t counter_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct counter *counter = user;

    (void)access->region, (void)access->offset, (void)access->width;
    return ++counter->next;
}

static const vsdk_device_ops counter_ops = {.size = sizeof counter_ops, .read = counter_read};

static vsdk_error error;

static vsdk_status attach(vsdk_vm *vm, struct counter *counter)
{
    vsdk_device *device;
    vsdk_status status = vsdk_device_create(vm, &counter_ops, counter, NULL, &device, &error);

    if (status == VSDK_OK)
        status = vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x80, 1, 0, &error);
    vsdk_device_close(device); /* while attached the virtual machine keeps it */
    return status;
}

static vsdk_status load(vsdk_vm *vm, vsdk_vcpu *vcpu)
{
    vsdk_x86_regs regs = {.rip = 0x1000, .rflags = 2};
    vsdk_x86_sregs sregs;
    vsdk_ram *ram = NULL;
    vsdk_status status;

    if ((status = vsdk_ram_create(vm, 4096, NULL, &ram, &error)) == VSDK_OK &&
        (status = vsdk_vm_map(vm, 0x1000, ram, 0, 4096, 0, &error)) == VSDK_OK &&
        (status = vsdk_vm_write(vm, 0x1000, code, sizeof code, &error)) == VSDK_OK &&
        (status = vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs),
                                      &error)) == VSDK_OK) {
        sregs.cs.base = 0;
        sregs.cs.selector = 0;
        if ((status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs),
                                          &error)) == VSDK_OK)
            status = vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &error);
    }
    vsdk_ram_close(ram);
    return status;
}

int main(int argc, char **argv)
{
    struct counter counter = {0};
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    vsdk_vcpu *vcpu = NULL;
    vsdk_status status = vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error);

    if (status == VSDK_OK)
        status = vsdk_vm_create(host, NULL, &vm, &error);
    if (status == VSDK_OK)
        status = attach(vm, &counter);
    if (status == VSDK_OK)
        status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error);
    if (status == VSDK_OK)
        status = load(vm, vcpu);
    if (status == VSDK_OK)
        status = vsdk_vm_resume(vm, &error);
    if (status == VSDK_OK)
        status = vsdk_vcpu_run(vcpu, VSDK_FOREVER, &error);

    if (status == VSDK_OK) {
        const vsdk_exit *exit = vsdk_vcpu_record(vcpu);
        printf("the guest wrote %llu to port %#llx\n", (unsigned long long)exit->value,
               (unsigned long long)exit->address);
    } else {
        fprintf(stderr, "%s: %s %s\n", error.operation, error.message, error.hint);
    }
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return status == VSDK_OK ? 0 : 1;
}
