/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzing the devices of the portable machine on the mock: the input becomes a guest that reads and
 * writes their registers, with strings and DMA, and things that happen from outside between.
 *
 * A store or a string may hit the guest's own code or page tables and make a loop of it that never
 * exits: that is the guest's right, so each guest has a deadline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vsdk/vsdk.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum {
    MEMORY = 2 << 20,
    CODE = 0x100000,
    SCRATCH = 0x8000,
    CODE_MOST = 8192,
    OP_MOST = 32, /* bytes of code that one operation becomes */
    PORT_EVENT = 0x99,
    PORT_END = 0x98,
    EXITS_MOST = 4096,
    PINS = 24
};

static const uint64_t DEADLINE_NS = 50000000; /* a guest that exits needs a thousandth of that */

struct input {
    const uint8_t *bytes;
    size_t left;
};

struct guest {
    uint8_t code[CODE_MOST];
    size_t length;
};

struct machine {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_pc *pc;
    vsdk_irq *irqs[PINS];
    vsdk_stream *serial, *debug; /* this end of each */
    uint64_t sent;
    int deaf; /* leaves what comes unread */
};

static void demand(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static uint8_t take8(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->bytes++;
}

static uint32_t take32(struct input *in)
{
    uint32_t value = take8(in);

    value |= (uint32_t)take8(in) << 8;
    value |= (uint32_t)take8(in) << 16;
    return value | (uint32_t)take8(in) << 24;
}

/* A port of a device, mostly. */
static uint16_t take_port(struct input *in)
{
    static const uint16_t bases[] = {0x3f8, 0x3f8, 0x70,  0x60, 0x64, 0x402, 0x505, 0x510,
                                     0x510, 0x514, 0x600, 0xf4, 0x40, 0x92,  0x620, 0xcf8};
    uint8_t byte = take8(in);

    if (byte == 0xff)
        return (uint16_t)take32(in);
    return (uint16_t)(bases[byte & 15] + (byte >> 4 & 7));
}

/* The IOAPIC, memory that DMA descriptors lie in, or anywhere. */
static uint32_t take_address(struct input *in)
{
    uint8_t byte = take8(in);

    if (byte < 0x80)
        return 0xfec00000 + (byte & 0x70) + (byte & 7);
    if (byte < 0xf0)
        return SCRATCH + (byte & 0x7f);
    return take32(in);
}

static void put(struct guest *guest, const uint8_t *bytes, size_t length)
{
    memcpy(guest->code + guest->length, bytes, length);
    guest->length += length;
}

static void put8(struct guest *guest, uint8_t byte)
{
    put(guest, &byte, 1);
}

static void put_load(struct guest *guest, uint8_t instruction, uint32_t value)
{
    put8(guest, instruction);
    put(guest, (const uint8_t *)&value, sizeof value);
}

/* mov $port, %dx */
static void put_port(struct guest *guest, uint16_t port)
{
    put(guest, (const uint8_t[]){0x66, 0xba, (uint8_t)port, (uint8_t)(port >> 8)}, 4);
}

/* An instruction in one of its widths: 1, 2 or 4. */
static void put_width(struct guest *guest, uint8_t byte_form, unsigned width)
{
    if (width == 1)
        put8(guest, 0x66);
    put8(guest, width ? byte_form + 1 : byte_form);
}

enum { MOV_EAX = 0xb8, MOV_ECX = 0xb9, MOV_EBX = 0xbb, MOV_ESI = 0xbe, MOV_EDI = 0xbf };

static void op_out(struct guest *guest, struct input *in)
{
    put_port(guest, take_port(in));
    uint8_t width = take8(in) % 3;
    put_load(guest, MOV_EAX, width ? take32(in) : take8(in));
    put_width(guest, 0xee, width);
}

static void op_in(struct guest *guest, struct input *in)
{
    put_port(guest, take_port(in));
    put_width(guest, 0xec, take8(in) % 3);
}

static void op_string(struct guest *guest, struct input *in)
{
    uint8_t how = take8(in);

    put_port(guest, take_port(in));
    put_load(guest, MOV_ECX, how >> 3);
    put_load(guest, how & 1 ? MOV_ESI : MOV_EDI, take_address(in));
    put(guest, (const uint8_t[]){how & 4 ? 0xfd : 0xfc, 0xf3}, 2);
    put_width(guest, how & 1 ? 0x6e : 0x6c, how >> 1 & 1 ? 2 : 0);
}

static void op_store(struct guest *guest, struct input *in)
{
    put_load(guest, MOV_EBX, take_address(in));
    uint8_t width = take8(in) % 4;
    put_load(guest, MOV_EAX, take32(in));
    if (width == 3)
        put(guest, (const uint8_t[]){0x48, 0x89}, 2);
    else
        put_width(guest, 0x88, width);
    put8(guest, 0x03);
}

static void op_load(struct guest *guest, struct input *in)
{
    put_load(guest, MOV_EBX, take_address(in));
    put_width(guest, 0x8a, take8(in) % 3);
    put8(guest, 0x03);
}

/* The host's turn. */
static void op_event(struct guest *guest, struct input *in)
{
    put_load(guest, MOV_EAX, take8(in) | (uint32_t)take8(in) << 8);
    put(guest, (const uint8_t[]){0xe7, PORT_EVENT}, 2);
}

static void compile(struct guest *guest, struct input *in)
{
    static void (*const ops[])(struct guest *, struct input *) = {
        op_out, op_out, op_in, op_in, op_string, op_store, op_load, op_event};

    guest->length = 0;
    while (in->left && guest->length < CODE_MOST - 2 * OP_MOST)
        ops[take8(in) & 7](guest, in);
    put(guest, (const uint8_t[]){0xe6, PORT_END, 0xeb, 0xfc}, 4);
}

static void listen(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    struct machine *m = user;
    uint8_t bytes[8];
    uint64_t length;

    demand(events && (stream == m->serial || stream == m->debug), "something happened at an end");
    while (!m->deaf) {
        vsdk_status status = vsdk_stream_read(stream, bytes, sizeof bytes, &length, NULL);

        demand(status == VSDK_OK || status == VSDK_ERROR_GONE, "an end can be read");
        demand(length <= sizeof bytes, "a read has room");
        m->sent += length;
        if (!length)
            return;
    }
}

/* Small, so that it fills up. Returns the machine's end. */
static vsdk_stream *make_stream(struct machine *m, vsdk_stream **near_end)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = 64};
    vsdk_stream *far_end;

    demand(vsdk_stream_create(&config, near_end, &far_end, NULL) == VSDK_OK, "a stream");
    demand(vsdk_stream_set_handler(*near_end, listen, m, NULL, NULL) == VSDK_OK, "a handler");
    return far_end;
}

static void type(struct machine *m, uint8_t count)
{
    static const uint8_t text[256];
    uint64_t length = count * 32u % 257, accepted;

    m->deaf = count >> 7;
    demand(vsdk_stream_write(m->serial, text, length, &accepted, NULL) == VSDK_OK &&
               accepted <= length,
           "input is accepted");
    if (!m->deaf)
        listen(m, m->serial, VSDK_STREAM_READABLE);
}

static void add_file(struct machine *m, uint8_t value)
{
    vsdk_device *device = vsdk_pc_device(m->pc, VSDK_PC_FW_CFG);
    char name[] = "opt/?";

    name[4] = (char)('a' + (value & 31));
    if (device)
        vsdk_fw_cfg_add(device, value & 31, value & 0x80 ? name : NULL, &value, value & 1, NULL);
}

static void use_line(struct machine *m, uint8_t value)
{
    vsdk_irq **irq = &m->irqs[value % PINS];

    if (!*irq)
        demand(vsdk_irq_create(
                   m->vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = value % PINS},
                   irq, NULL) == VSDK_OK,
               "a line");
    if (value & 0x80)
        vsdk_irq_raise(*irq, NULL);
    else if (value & 0x40)
        vsdk_irq_lower(*irq, NULL);
    else
        vsdk_irq_pulse(*irq, NULL);
}

static void happen(struct machine *m, uint64_t value)
{
    uint8_t argument = (uint8_t)(value >> 8);
    vsdk_loop *loop;

    switch (value & 7) {
    case 0:
        type(m, argument);
        break;
    case 1:
        add_file(m, argument);
        break;
    case 2:
        use_line(m, argument);
        break;
    case 3:
        demand((loop = vsdk_vm_loop(m->vm, NULL)) != NULL, "it has a loop");
        vsdk_loop_dispatch(loop, 0, NULL, NULL);
        break;
    case 4:
        demand(vsdk_vm_pause(m->vm, argument & VSDK_PAUSE_PARK, VSDK_FOREVER, NULL) == VSDK_OK,
               "it pauses");
        demand(vsdk_vm_resume(m->vm, NULL) == VSDK_OK, "it goes on");
        break;
    case 5:
        vsdk_device_detach(vsdk_pc_device(m->pc, argument % (VSDK_PC_PORT92 + 1)), NULL);
        break;
    default:
        break;
    }
}

/* 1: go on. */
static int answer(struct machine *m, vsdk_exit *exit)
{
    if (exit->reason == VSDK_EXIT_KICKED)
        return exit->detail != VSDK_KICK_DEADLINE;
    if (exit->reason == VSDK_EXIT_MMIO)
        return 1;
    if (exit->reason != VSDK_EXIT_PIO)
        return 0;
    if (exit->address == PORT_EVENT && exit->direction == VSDK_DIRECTION_WRITE && exit->count == 1)
        happen(m, exit->value);
    return exit->address != PORT_END;
}

static void make(struct machine *m, const struct guest *guest, const char *backend)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = MEMORY};
    vsdk_boot_config boot = {.size = sizeof boot,
                             .format = VSDK_BOOT_FLAT,
                             .mode = VSDK_BOOT_LONG,
                             .image = guest->code,
                             .image_length = guest->length,
                             .address = CODE};

    memset(m, 0, sizeof *m);
    demand(vsdk_host_open(backend, NULL, &m->host, NULL) == VSDK_OK, "a host");
    config.serial = make_stream(m, &m->serial);
    config.debug_output = make_stream(m, &m->debug);
    demand(vsdk_pc_create(m->host, &config, &m->pc, NULL) == VSDK_OK, "a machine");
    m->vm = vsdk_pc_vm(m->pc);
    vsdk_stream_close(config.serial);
    vsdk_stream_close(config.debug_output);
    demand(vsdk_pc_boot(m->pc, &boot, NULL) == VSDK_OK, "a guest");
    demand(vsdk_vm_resume(m->vm, NULL) == VSDK_OK, "a start");
}

static void end(struct machine *m)
{
    demand(vsdk_vm_destroy(m->vm, NULL) == VSDK_OK, "an end");
    for (unsigned i = 0; i < PINS; i++)
        vsdk_irq_close(m->irqs[i]);
    vsdk_pc_close(m->pc);
    demand(vsdk_stream_ready(m->serial) & VSDK_STREAM_ENDED, "the port's end went with it");
    demand(vsdk_stream_ready(m->debug) & VSDK_STREAM_ENDED, "and the console's");
    vsdk_stream_close(m->serial);
    vsdk_stream_close(m->debug);
    vsdk_host_close(m->host);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct guest guest;
    struct input in = {bytes, length};
    const char *backend = take8(&in) & 1 ? "mock" : "mock-autonomous";
    struct machine m;

    compile(&guest, &in);
    make(&m, &guest, backend);
    vsdk_vcpu *vcpu = vsdk_pc_vcpu(m.pc, 0);
    vsdk_exit *exit = vsdk_vcpu_record(vcpu);
    for (unsigned i = 0; i < EXITS_MOST; i++) {
        demand(vsdk_vcpu_run(vcpu, DEADLINE_NS, NULL) == VSDK_OK, "it runs");
        if (!answer(&m, exit))
            break;
    }
    end(&m);
    return 0;
}
