/* SPDX-License-Identifier: Apache-2.0 */
/* call-guest: a guest's function, called again and again.
 *
 * The guest waits at a port write, which is where a call begins and ends: at the write its
 * registers may be set, all but RIP. So arguments go in and results come out with one exit a call.
 *
 *   cc call-guest.c $(pkg-config --cflags --libs vsdk) -o call-guest && ./call-guest [BACKEND]
 */
#include <stdio.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xe6, 0x10, /* call: out 0x10, al: the result of the last call; arguments of the next */
    0x66, 0x0f, 0xaf, 0xc3, /* imul eax, ebx */
    0x66, 0x01, 0xc8,       /* add eax, ecx */
    0xeb, 0xf5,             /* jmp call */
};

/* a * b + c, computed by the guest. */
static vsdk_status call(vsdk_vcpu *vcpu, uint32_t a, uint32_t b, uint32_t c, uint32_t *result,
                        vsdk_error *error)
{
    vsdk_x86_regs regs;
    vsdk_status status = vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, &regs, sizeof regs, error);

    if (status)
        return status;
    regs.rax = a;
    regs.rbx = b;
    regs.rcx = c;
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof regs, error);
    if (!status)
        status = vsdk_vcpu_run(vcpu, VSDK_FOREVER, error);
    if (!status)
        status = vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, &regs, sizeof regs, error);
    *result = (uint32_t)regs.rax;
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
    uint32_t sum = 0;
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    vsdk_ram *ram = NULL;
    vsdk_vcpu *vcpu = NULL;
    vsdk_error error;
    vsdk_status status;

    if (!(status = vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error)) &&
        !(status = vsdk_vm_create(host, NULL, &vm, &error)) &&
        !(status = vsdk_ram_create(vm, 4096, NULL, &ram, &error)) &&
        !(status = vsdk_vm_map(vm, 0x1000, ram, 0, 4096, 0, &error)) &&
        !(status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error)) &&
        !(status = vsdk_boot_load(vm, &image, &entry, &error)) &&
        !(status = vsdk_boot_apply(vcpu, &entry, &error)) && !(status = vsdk_vm_resume(vm, &error)))
        status = vsdk_vcpu_run(vcpu, VSDK_FOREVER, &error); /* to the first write */
    for (uint32_t i = 0; !status && i < 1000; i++)
        status = call(vcpu, sum, 3, i, &sum, &error);
    if (status)
        fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint);
    else
        printf("1000 calls: %u\n", sum);

    vsdk_vcpu_close(vcpu);
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return status != VSDK_OK;
}
