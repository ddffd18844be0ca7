/* 2: a guest of ten instructions.
 *
 * A virtual machine with one page of memory and one processor in real mode adds two numbers, prints
 * the digit at a serial port that this program plays, and says that it is done.
 *
 *   cc 2-guest.c $(pkg-config --cflags --libs vsdk) -o 2-guest && ./2-guest [BACKEND]
 */
#include <stdio.h>
#include <string.h>
#include <vsdk/vsdk.h>

static const unsigned char code[] = {
    0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
    0x00, 0xd8,       /* add al, bl */
    0x04, '0',        /* add al, '0' */
    0xee,             /* out dx, al */
    0xb0, '\n',       /* mov al, '\n' */
    0xee,             /* out dx, al */
    0x30, 0xc0,       /* xor al, al */
    0xe6, 0xf4,       /* out 0xf4, al: done */
    0xf4,             /* hlt */
    0xeb, 0xfd,       /* jmp back to it */
};

static vsdk_error error;

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s %s\n", what, error.message, error.hint);
    return 1;
}

/* Memory with the code in it, at guest address 0x1000. */
static vsdk_status load(vsdk_vm *vm)
{
    vsdk_ram *ram;
    vsdk_status status = vsdk_ram_create(vm, 4096, NULL, &ram, &error);

    if (status == VSDK_OK)
        status = vsdk_vm_map(vm, 0x1000, ram, 0, 4096, 0, &error);
    if (status == VSDK_OK)
        status = vsdk_vm_write(vm, 0x1000, code, sizeof code, &error);
    vsdk_ram_close(ram); /* the mapping keeps it */
    return status;
}

/* Real mode at 0:0x1000, 2 in AL and 3 in BL. */
static vsdk_status set_start(vsdk_vcpu *vcpu)
{
    vsdk_x86_regs regs = {.rip = 0x1000, .rax = 2, .rbx = 3, .rflags = 2};
    vsdk_x86_sregs sregs;
    vsdk_status status =
        vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), &error);

    if (status != VSDK_OK)
        return status;
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), &error);
    return status == VSDK_OK
               ? vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &error)
               : status;
}

/* The loop over exits: the heart of any program that uses the library. */
static int run(vsdk_vcpu *vcpu)
{
    const vsdk_exit *exit = vsdk_vcpu_record(vcpu);

    while (vsdk_vcpu_run(vcpu, VSDK_FOREVER, &error) == VSDK_OK) {
        if (exit->reason == VSDK_EXIT_PIO && exit->address == 0x3f8) {
            putchar((int)exit->value);
        } else if (exit->reason == VSDK_EXIT_PIO && exit->address == 0xf4) {
            return (int)exit->value;
        } else {
            fprintf(stderr, "unexpected exit: %s\n", vsdk_exit_reason_name(exit->reason));
            return 1;
        }
    }
    return failed("run");
}

int main(int argc, char **argv)
{
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    vsdk_vcpu *vcpu = NULL;
    int result = 1;

    if (vsdk_host_open(argc > 1 ? argv[1] : NULL, NULL, &host, &error) != VSDK_OK)
        return failed("open");
    if (vsdk_vm_create(host, NULL, &vm, &error) != VSDK_OK)
        failed("create");
    else if (load(vm) != VSDK_OK)
        failed("load");
    else if (vsdk_vcpu_create(vm, 0, NULL, &vcpu, &error) != VSDK_OK || set_start(vcpu) != VSDK_OK)
        failed("processor");
    else if (vsdk_vm_resume(vm, &error) != VSDK_OK)
        failed("start");
    else
        result = run(vcpu);

    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return result;
}
