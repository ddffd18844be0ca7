/* Accesses to the machine's devices in any order, input in between: six bytes a step. */
#include "fake.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 6, STEPS = 4096 };

static vsdk_vm vm;
static vsdk_pc *pc;
static uint64_t printed;

static void output(void *user, const void *bytes, uint64_t length)
{
    printed += length;
    if (printed % 3 == 0)
        vsdk_serial_input(vsdk_pc_device(pc, VSDK_PC_SERIAL), bytes, length, NULL, NULL);
}

static void begin(void)
{
    vsdk_pc_config config = {
        .size = sizeof config, .memory = 2 << 20, .output = output, .debug = output};

    vm = (vsdk_vm){.vcpus_max = 2};
    printed = 0;
    if (vsdk_pc_create(&vm, &config, &pc, NULL))
        abort();
    vsdk_fw_cfg_add(vsdk_pc_device(pc, VSDK_PC_FW_CFG), 0, "file", "contents", 8, NULL);
}

static void end(void)
{
    vsdk_pc_close(pc);
    fake_end(&vm);
    if (vm.devices || vm.rams)
        abort();
}

static void pass(uint32_t ns)
{
    vm.clock += ns;
    if (vm.timer)
        fake_expire(&vm);
}

/* Which range, where in it, how wide; then the value, or what is typed. */
static void step(const uint8_t *b)
{
    const fake_range *range = &vm.range[b[0] % vm.ranges];
    uint32_t width = 1u << (b[1] >> 4 & 3), value;
    uint64_t address = range->address + (b[1] & 15) + (b[1] & 0x40 ? 16 * (b[2] & 15) : 0);

    memcpy(&value, b + 2, sizeof value);
    if (b[1] & 0x80)
        fake_write(&vm, range->space, address, width, value);
    else if (b[0] < 0xc0)
        fake_read(&vm, range->space, address, width);
    else if (b[0] < 0xe0)
        vsdk_serial_input(vsdk_pc_device(pc, VSDK_PC_SERIAL), b, STEP, NULL, NULL);
    else if (b[0] < 0xe8)
        fake_pause(&vm, b[0] & 1);
    else if (b[0] < 0xf0)
        pass(value);
    else /* what a DMA of fw_cfg finds in memory */
        vsdk_vm_write(&vm, b[1] & 0x7f, b + 2, 4, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    begin();
    for (size_t n = 0; n < STEPS && length >= STEP; n++, bytes += STEP, length -= STEP)
        step(bytes);
    end();
    return 0;
}
