/* SPDX-License-Identifier: Apache-2.0 */
/* A 16550A serial port at the end of a stream.
 *
 * Input waits in the stream until the guest listens; then up to 16 bytes of it are on the wire, at
 * the guest's hand. The FIFO holds what the port sends to itself in loopback. Clearing it therefore
 * loses no input. Output goes to the stream at once; what does not fit waits in the transmitter,
 * which is busy until then. A reader that makes room has the loop move it, under the port's lock.
 *
 * The stream's handler may run on any thread, at any time, also while the device is released. So it
 * touches nothing but the link: it raises the line, and posts work, where the port has said that it
 * waits for bytes or for room. The port says so before it looks, and the other side has put the
 * bytes there before it looks at what was said: one of them sees the other. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/refs.h"
#include "devices/device.h"

#include <stdatomic.h>
#include <string.h>
#include <vsdk/irq.h>
#include <vsdk/loop.h>

enum { SERIAL_PORT = 0x3f8, SERIAL_PORTS = 8, SERIAL_GSI = 4, FIFO_ROOM = 16 };

enum {
    REGISTER_DATA,
    REGISTER_IER,
    REGISTER_IIR, /* FCR when written */
    REGISTER_LCR,
    REGISTER_MCR,
    REGISTER_LSR,
    REGISTER_MSR,
    REGISTER_SCR,
};
enum { IER_DATA = 1, IER_THR = 2, IER_LINE = 4, IER_MODEM = 8, IER_ALL = 15 };
enum {
    IIR_NONE = 0x01,
    IIR_MODEM = 0x00,
    IIR_THR = 0x02,
    IIR_DATA = 0x04,
    IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFO = 0xc0,
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RECEIVER = 2, FCR_CLEAR_TRANSMITTER = 4 };
enum { LCR_DIVISOR = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_ALL = 31 };
enum { LSR_DATA = 1, LSR_OVERRUN = 2, LSR_THR = 0x20, LSR_IDLE = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

typedef struct serial_link {
    refs refs; /* the port, the handler */
    vsdk_irq *irq;
    _Atomic uint32_t waits_input, waits_room;
    vsdk_work *_Atomic push; /* empties the transmitter; NULL until that was needed */
} serial_link;

typedef struct serial {
    vsdk_device *device; /* borrowed: this one */
    serial_link *link;
    vsdk_stream *stream; /* or NULL: nothing is connected */
    uint8_t ier, fcr, lcr, mcr, scr, divisor[2];
    uint8_t mcr_written;
    uint8_t overrun;     /* LSR_OVERRUN or 0 */
    uint8_t modem_delta; /* low half of MSR */
    uint8_t thr_empty;   /* an interrupt for it is due */
    uint8_t fifo[FIFO_ROOM], fifo_held;
    uint8_t wire[FIFO_ROOM], wire_held;         /* input, from the stream */
    uint8_t transmit[FIFO_ROOM], transmit_held; /* output that the stream has no room for */
} serial;

static void link_put(void *user)
{
    serial_link *link = user;

    if (!refs_put(&link->refs))
        return;
    vsdk_irq_close(link->irq);
    vsdk_work_close(atomic_load(&link->push));
    alloc_free(link);
}

static void serial_happened(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    serial_link *link = user;

    int room =
        events & (VSDK_STREAM_WRITABLE | VSDK_STREAM_ENDED) && atomic_load(&link->waits_room);

    if (room || (events & VSDK_STREAM_READABLE && atomic_load(&link->waits_input)))
        vsdk_irq_raise(link->irq, NULL);
    if (room && atomic_load(&link->push))
        vsdk_work_post(atomic_load(&link->push), NULL);
}

/* A guest that has set the modem lines up and has neither asked for input nor for interrupts is not
 * listening: drivers read and drop what they find then. */
static int serial_listens(const serial *port)
{
    return (!port->mcr_written || port->mcr & MCR_RTS || port->ier & IER_DATA) &&
           !(port->mcr & MCR_LOOP);
}

static void serial_pull(serial *port)
{
    uint64_t got = 0;

    if (port->stream && serial_listens(port) && port->wire_held < FIFO_ROOM)
        vsdk_stream_read(port->stream, port->wire + port->wire_held,
                         (uint64_t)FIFO_ROOM - port->wire_held, &got, NULL);
    port->wire_held = (uint8_t)(port->wire_held + got);
}

static void serial_push(serial *port)
{
    uint64_t taken = port->transmit_held;

    if (!port->transmit_held)
        return;
    if (port->stream)
        vsdk_stream_write(port->stream, port->transmit, port->transmit_held, &taken, NULL);
    port->transmit_held = (uint8_t)(port->transmit_held - taken);
    memmove(port->transmit, port->transmit + taken, port->transmit_held);
    if (taken && !port->transmit_held)
        port->thr_empty = 1;
}

static uint32_t serial_ready(const serial *port)
{
    return port->fifo_held + (serial_listens(port) ? port->wire_held : 0u);
}

static uint8_t serial_cause(const serial *port)
{
    static const uint8_t trigger[4] = {1, 4, 8, 14};
    uint32_t ready = serial_ready(port);

    if (port->ier & IER_LINE && port->overrun)
        return IIR_LINE;
    if (port->ier & IER_DATA && ready)
        return port->fcr & FCR_ENABLE && ready < trigger[port->fcr >> 6] ? IIR_TIMEOUT : IIR_DATA;
    if (port->ier & IER_THR && port->thr_empty)
        return IIR_THR;
    if (port->ier & IER_MODEM && port->modem_delta)
        return IIR_MODEM;
    return IIR_NONE;
}

/* Brings the line to what the registers and the stream say. */
static void serial_update(serial *port)
{
    atomic_store(&port->link->waits_input, (port->ier & IER_DATA) != 0);
    atomic_store(&port->link->waits_room, port->transmit_held != 0);
    serial_pull(port);
    serial_push(port);
    if (serial_cause(port) != IIR_NONE)
        vsdk_irq_raise(port->link->irq, NULL);
    else
        vsdk_irq_lower(port->link->irq, NULL);
}

static void serial_pushed(void *user, vsdk_work *work)
{
    serial_update(user);
}

/* The guest may never touch the port again: what has no room goes by the loop then. Made once, when
 * a reader is that slow, because a loop costs descriptors. */
static void serial_need_push(serial *port)
{
    vsdk_loop *loop;
    vsdk_work *made;

    if (!port->stream || !port->transmit_held || atomic_load(&port->link->push))
        return;
    loop = vsdk_vm_loop(vsdk_device_vm(port->device), NULL);
    if (!loop || vsdk_work_create(loop, port->device, serial_pushed, port, NULL, &made, NULL))
        return;
    atomic_store(&port->link->push, made);
    vsdk_work_post(made, NULL); /* there may be room since */
}

static uint8_t serial_take(uint8_t *bytes, uint8_t *held)
{
    uint8_t byte = bytes[0];

    memmove(bytes, bytes + 1, --*held);
    return byte;
}

static uint8_t serial_get(serial *port)
{
    uint8_t byte = 0;

    serial_pull(port);
    if (port->fifo_held)
        byte = serial_take(port->fifo, &port->fifo_held);
    else if (serial_ready(port))
        byte = serial_take(port->wire, &port->wire_held);
    serial_update(port);
    return byte;
}

static void serial_loop(serial *port, uint8_t byte)
{
    if (port->fifo_held < (port->fcr & FCR_ENABLE ? FIFO_ROOM : 1))
        port->fifo[port->fifo_held++] = byte;
    else
        port->overrun = LSR_OVERRUN;
}

static uint8_t serial_modem(const serial *port)
{
    if (!(port->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (port->mcr & MCR_RTS ? MSR_CTS : 0) | (port->mcr & MCR_DTR ? MSR_DSR : 0) |
           (port->mcr & MCR_OUT1 ? MSR_RI : 0) | (port->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t serial_read_iir(serial *port)
{
    serial_update(port);
    uint8_t cause = serial_cause(port);

    if (cause == IIR_THR) {
        port->thr_empty = 0;
        serial_update(port);
    }
    return cause | (port->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t serial_read_lsr(serial *port)
{
    serial_update(port);
    uint8_t status = port->overrun | (serial_ready(port) ? LSR_DATA : 0);
    if (!port->transmit_held)
        status |= LSR_THR | LSR_IDLE;
    port->overrun = 0;
    serial_update(port);
    return status;
}

static uint8_t serial_read_msr(serial *port)
{
    uint8_t status = serial_modem(port) | port->modem_delta;

    port->modem_delta = 0;
    serial_update(port);
    return status;
}

static uint8_t serial_read_register(serial *port, uint64_t offset)
{
    if (port->lcr & LCR_DIVISOR && offset <= REGISTER_IER)
        return port->divisor[offset];
    switch (offset) {
    case REGISTER_DATA:
        return serial_get(port);
    case REGISTER_IER:
        return port->ier;
    case REGISTER_IIR:
        return serial_read_iir(port);
    case REGISTER_LCR:
        return port->lcr;
    case REGISTER_MCR:
        return port->mcr;
    case REGISTER_LSR:
        return serial_read_lsr(port);
    case REGISTER_MSR:
        return serial_read_msr(port);
    default:
        return port->scr;
    }
}

/* A wide access is one of each register, as on the bus of eight bits that it comes from. */
static uint64_t serial_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < access->width; i++)
        value |= (uint64_t)serial_read_register(user, access->offset + i) << (8 * i);
    return value;
}

/* The register is full, then empty again: at once, where the stream has room. */
static void serial_transmit(serial *port, uint8_t byte)
{
    port->thr_empty = 0;
    serial_update(port);
    if (port->mcr & MCR_LOOP) {
        serial_loop(port, byte);
        port->thr_empty = 1;
    } else if (port->transmit_held < FIFO_ROOM) {
        port->transmit[port->transmit_held++] = byte;
    }
}

static void serial_write_ier(serial *port, uint8_t value)
{
    if (value & IER_THR && !(port->ier & IER_THR))
        port->thr_empty = 1;
    port->ier = value & IER_ALL;
}

static void serial_write_fcr(serial *port, uint8_t value)
{
    uint8_t toggled = (port->fcr ^ value) & FCR_ENABLE;

    port->fcr = value & FCR_ENABLE ? value & ~(FCR_CLEAR_RECEIVER | FCR_CLEAR_TRANSMITTER) : 0;
    if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_RECEIVER))
        port->fifo_held = 0;
}

static void serial_write_mcr(serial *port, uint8_t value)
{
    uint8_t before = serial_modem(port), changed;

    port->mcr = value & MCR_ALL;
    port->mcr_written = 1;
    changed = before ^ serial_modem(port);
    if (changed & MSR_RI && !(before & MSR_RI))
        changed &= ~MSR_RI; /* only its end counts */
    port->modem_delta |= changed >> 4;
}

static void serial_write_register(serial *port, uint64_t offset, uint8_t byte)
{
    if (port->lcr & LCR_DIVISOR && offset <= REGISTER_IER) {
        port->divisor[offset] = byte;
        return;
    }
    switch (offset) {
    case REGISTER_DATA:
        serial_transmit(port, byte);
        break;
    case REGISTER_IER:
        serial_write_ier(port, byte);
        break;
    case REGISTER_IIR:
        serial_write_fcr(port, byte);
        break;
    case REGISTER_LCR:
        port->lcr = byte;
        break;
    case REGISTER_MCR:
        serial_write_mcr(port, byte);
        break;
    case REGISTER_SCR:
        port->scr = byte;
        break;
    }
    serial_update(port);
}

static void serial_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    for (uint32_t i = 0; i < access->width; i++)
        serial_write_register(user, access->offset + i, (uint8_t)(access->value >> (8 * i)));
    serial_need_push(user);
}

/* What happened while the device was stopped. */
static void serial_start(void *user, vsdk_device *device)
{
    serial_update(user);
    serial_need_push(user);
}

static void serial_power_on(serial *port)
{
    *port = (serial){.device = port->device,
                     .link = port->link,
                     .stream = port->stream,
                     .thr_empty = 1,
                     .divisor = {12, 0}}; /* 9600 baud */
    atomic_store(&port->link->waits_input, 0);
    atomic_store(&port->link->waits_room, 0);
    vsdk_irq_lower(port->link->irq, NULL);
}

/* What the guest had taken off the stream and not read is gone with it. */
static void serial_reset(void *user, vsdk_device *device)
{
    serial_power_on(user);
}

static const struct serial_field {
    const char *name;
    size_t offset;
} serial_fields[] = {
    {"ier", offsetof(serial, ier)},
    {"fcr", offsetof(serial, fcr)},
    {"lcr", offsetof(serial, lcr)},
    {"mcr", offsetof(serial, mcr)},
    {"scr", offsetof(serial, scr)},
    {"divisor_low", offsetof(serial, divisor[0])},
    {"divisor_high", offsetof(serial, divisor[1])},
    {"mcr_written", offsetof(serial, mcr_written)},
    {"overrun", offsetof(serial, overrun)},
    {"modem_delta", offsetof(serial, modem_delta)},
    {"thr_empty", offsetof(serial, thr_empty)},
};
enum { SERIAL_FIELDS = sizeof serial_fields / sizeof serial_fields[0] };

static vsdk_status serial_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    const serial *port = user;
    vsdk_status status = VSDK_OK;

    for (unsigned i = 0; !status && i < SERIAL_FIELDS; i++)
        status = vsdk_state_put_number(writer, serial_fields[i].name,
                                       *((const uint8_t *)port + serial_fields[i].offset), error);
    if (!status)
        status = vsdk_state_put_bytes(writer, "fifo", port->fifo, port->fifo_held, error);
    if (!status)
        status = vsdk_state_put_bytes(writer, "wire", port->wire, port->wire_held, error);
    return status ? status
                  : vsdk_state_put_bytes(writer, "transmit", port->transmit, port->transmit_held,
                                         error);
}

static vsdk_status serial_load_bytes(vsdk_state_reader *reader, const char *name, uint8_t *bytes,
                                     uint8_t *held, vsdk_error *error)
{
    uint64_t length;
    vsdk_status status = vsdk_state_get_bytes(reader, name, bytes, FIFO_ROOM, &length, error);

    *held = (uint8_t)length;
    return status;
}

/* Into a copy: a state that is malformed changes nothing. Bits that a register hasn't are cut. */
static vsdk_status serial_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    serial *port = user,
           loaded = {.device = port->device, .link = port->link, .stream = port->stream};
    vsdk_status status = VSDK_OK;

    for (unsigned i = 0; !status && i < SERIAL_FIELDS; i++)
        status = device_load_u8(reader, serial_fields[i].name,
                                (uint8_t *)&loaded + serial_fields[i].offset, error);
    if (!status)
        status = serial_load_bytes(reader, "fifo", loaded.fifo, &loaded.fifo_held, error);
    if (!status)
        status = serial_load_bytes(reader, "wire", loaded.wire, &loaded.wire_held, error);
    if (!status)
        status =
            serial_load_bytes(reader, "transmit", loaded.transmit, &loaded.transmit_held, error);
    if (status)
        return status;
    loaded.ier &= IER_ALL;
    loaded.mcr &= MCR_ALL;
    loaded.overrun &= LSR_OVERRUN;
    loaded.modem_delta &= 0x0f;
    *port = loaded;
    return VSDK_OK;
}

static void serial_release(void *user)
{
    serial *port = user;

    vsdk_stream_set_handler(port->stream, NULL, NULL, NULL, NULL);
    vsdk_stream_close(port->stream);
    if (port->link)
        link_put(port->link);
    alloc_free(port);
}

static const vsdk_device_ops serial_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = serial_read,
    .write = serial_write,
    .start = serial_start,
    .reset = serial_reset,
    .save = serial_save,
    .load = serial_load,
    .release = serial_release,
};

static vsdk_status no_memory(vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_serial_create", "no memory for a device");
}

/* The line needs its device, which needs the port: so the port gets its link when both are there,
 * before its range lets a guest reach it. */
static vsdk_status serial_connect(serial *port, vsdk_vm *vm, vsdk_device *device, uint32_t gsi,
                                  vsdk_error *error)
{
    vsdk_irq_config line = {.size = sizeof line, .gsi = gsi ? gsi : SERIAL_GSI, .device = device};
    vsdk_status status;

    port->link = alloc_zeroed(sizeof *port->link);
    if (!port->link)
        return no_memory(error);
    refs_init(&port->link->refs);
    port->device = device;
    status = vsdk_irq_create(vm, &line, &port->link->irq, error);
    if (status)
        return status;
    serial_power_on(port);
    if (!port->stream)
        return VSDK_OK;
    refs_get(&port->link->refs);
    return vsdk_stream_set_handler(port->stream, serial_happened, port->link, link_put, error);
}

vsdk_status vsdk_serial_create(vsdk_vm *vm, const vsdk_serial_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_device_config make = {.size = sizeof make, .name = "serial"};
    vsdk_device *made = NULL;
    vsdk_serial_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_serial_config, reserved2), config,
                                    __func__, error);
    if (status)
        return status;
    serial *port = alloc_zeroed(sizeof *port);
    if (!port)
        return no_memory(error);
    port->stream = vsdk_stream_ref(c.stream);
    status = vsdk_device_create(vm, &serial_ops, port, &make, &made, error);
    if (status)
        return status;
    status = serial_connect(port, vm, made, c.gsi, error);
    if (!status)
        status = vsdk_device_add_range(made, VSDK_SPACE_PIO, c.address ? c.address : SERIAL_PORT,
                                       SERIAL_PORTS, 0, error);
    if (status) {
        vsdk_device_close(made);
        return status;
    }
    *device = made;
    return VSDK_OK;
}
