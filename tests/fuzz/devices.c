/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses to the machine's devices in any order, input in between: six bytes a step. */
#include "fake.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 6, STEPS = 4096 };

static vsdk_vm vm;
static vsdk_host host = {&vm};
static vsdk_pc *pc;
static vsdk_stream *serial, *debug; /* this end of each */
static uint64_t printed;

/* Reads what the guest sent, most of the time, and types some of it back. */
static void listen(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    uint8_t bytes[16];
    uint64_t length;

    while (events & VSDK_STREAM_READABLE && printed % 7 != 6 &&
           !vsdk_stream_read(stream, bytes, sizeof bytes, &length, NULL) && length) {
        printed += length;
        if (printed % 3 == 0)
            vsdk_stream_write(serial, bytes, length, NULL, NULL);
    }
}

/* Small, so that it fills up. Returns the machine's end. */
static vsdk_stream *begin_stream(vsdk_stream **near_end)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = 24};
    vsdk_stream *far_end;

    if (vsdk_stream_create(&config, near_end, &far_end, NULL) ||
        vsdk_stream_set_handler(*near_end, listen, NULL, NULL, NULL))
        abort();
    return far_end;
}

static void begin(void)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = 2 << 20, .vcpus = 2};

    memset(&vm, 0, sizeof vm);
    printed = 0;
    config.serial = begin_stream(&serial);
    config.debug_output = begin_stream(&debug);
    if (vsdk_pc_create(&host, &config, &pc, NULL))
        abort();
    vsdk_stream_close(config.serial);
    vsdk_stream_close(config.debug_output);
    vsdk_fw_cfg_add(vsdk_pc_device(pc, VSDK_PC_FW_CFG), 0, "file", "contents", 8, NULL);
}

/* The machine's ends go with it. */
static void end_stream(vsdk_stream *stream)
{
    if (!(vsdk_stream_ready(stream) & VSDK_STREAM_ENDED))
        abort();
    vsdk_stream_close(stream);
}

static void end(void)
{
    vsdk_pc_close(pc);
    if (vm.devices || vm.rams)
        abort();
    end_stream(serial);
    end_stream(debug);
}

/* A stopped machine may be reset, and a part of it saved and loaded again, whatever the state says.
 */
static void hold(const uint8_t *b)
{
    static const vsdk_pc_part with_state[] = {VSDK_PC_SERIAL,  VSDK_PC_RTC,    VSDK_PC_I8042,
                                              VSDK_PC_ACPI_PM, VSDK_PC_FW_CFG, VSDK_PC_IOAPIC};
    vsdk_device *part = vsdk_pc_device(pc, with_state[b[1] % 6]);
    uint8_t bytes[8192];
    uint64_t length;

    fake_pause(&vm, b[0] & 1);
    if (!(b[0] & 1) || !part)
        return;
    if (b[2] & 1)
        fake_reset(part);
    if (!(b[2] & 2) || vsdk_device_save(part, bytes, sizeof bytes, &length, NULL) ||
        length > sizeof bytes)
        return;
    if (length && b[2] & 4)
        bytes[(b[3] | (uint64_t)b[4] << 8) % length] ^= b[5];
    vsdk_device_load(part, bytes, length, NULL);
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
        vsdk_stream_write(serial, b, STEP, NULL, NULL);
    else if (b[0] < 0xe8)
        hold(b);
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
