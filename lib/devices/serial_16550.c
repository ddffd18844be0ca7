/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"

#include <stdatomic.h>
#include <string.h>
#include <vsdk/irq.h>

enum { SERIAL_PORT = 0x3f8, SERIAL_PORTS = 8, SERIAL_GSI = 4, SERIAL_ROOM = 4096, FIFO_ROOM = 16 };

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

/* Input waits on the wire until the guest takes it, byte by byte; the FIFO holds what it sends to
 * itself in loopback. Clearing the FIFO therefore loses no input. */
typedef struct serial {
    vsdk_irq *irq;
    device_output output;
    vsdk_serial_space_fn space;
    uint8_t ier, fcr, lcr, mcr, scr, divisor[2];
    uint8_t mcr_written;
    uint8_t overrun;     /* LSR_OVERRUN or 0 */
    uint8_t modem_delta; /* low half of MSR */
    uint8_t thr_empty;   /* an interrupt for it is due */
    uint8_t line;        /* as told to the interrupt line */
    uint8_t paused;
    uint8_t refused; /* input, so space is to be told */
    uint8_t fifo[FIFO_ROOM], fifo_held;
    uint32_t first, held; /* of the wire */
    uint8_t wire[SERIAL_ROOM];
    _Atomic(const char *) inside; /* the thread that is in a callback to the embedder */
} serial;

/* Its address is the thread's name. */
static _Thread_local char serial_thread __attribute__((tls_model("initial-exec")));

/* A guest that has set the modem lines up and has neither asked for input nor for interrupts is not
 * listening: drivers read and drop what they find then. */
static uint32_t serial_ready(const serial *port)
{
    int listens = !port->mcr_written || port->mcr & MCR_RTS || port->ier & IER_DATA;

    return port->fifo_held + (listens && !(port->mcr & MCR_LOOP) ? port->held : 0);
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

static void serial_update(serial *port)
{
    uint8_t line = serial_cause(port) != IIR_NONE;

    if (port->paused || line == port->line)
        return;
    port->line = line;
    if (line)
        vsdk_irq_raise(port->irq, NULL);
    else
        vsdk_irq_lower(port->irq, NULL);
}

static void serial_tell_space(serial *port)
{
    if (!port->refused || port->held > SERIAL_ROOM / 2)
        return;
    port->refused = 0;
    if (port->space) {
        atomic_store(&port->inside, &serial_thread);
        port->space(port->output.user);
        atomic_store(&port->inside, NULL);
    }
}

static uint8_t serial_take(serial *port)
{
    uint8_t byte = port->fifo_held ? port->fifo[0] : port->wire[port->first];

    if (port->fifo_held) {
        memmove(port->fifo, port->fifo + 1, --port->fifo_held);
    } else {
        port->first = (port->first + 1) % SERIAL_ROOM;
        port->held--;
    }
    return byte;
}

static uint8_t serial_get(serial *port)
{
    uint8_t byte = serial_ready(port) ? serial_take(port) : 0;

    serial_update(port);
    serial_tell_space(port);
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
    uint8_t cause = serial_cause(port);

    if (cause == IIR_THR) {
        port->thr_empty = 0;
        serial_update(port);
    }
    return cause | (port->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t serial_read_lsr(serial *port)
{
    uint8_t status = LSR_THR | LSR_IDLE | port->overrun | (serial_ready(port) ? LSR_DATA : 0);

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
static uint64_t serial_read(void *user, uint32_t region, uint64_t offset, uint32_t width)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < width; i++)
        value |= (uint64_t)serial_read_register(user, offset + i) << (8 * i);
    return value;
}

/* The transmitter is always ready at once: the register is full, then empty again. */
static void serial_transmit(serial *port, uint8_t byte)
{
    port->thr_empty = 0;
    serial_update(port);
    if (port->mcr & MCR_LOOP) {
        serial_loop(port, byte);
    } else {
        atomic_store(&port->inside, &serial_thread);
        device_output_write(&port->output, byte);
        atomic_store(&port->inside, NULL);
    }
    port->thr_empty = 1;
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

static void serial_write(void *user, uint32_t region, uint64_t offset, uint32_t width,
                         uint64_t value)
{
    for (uint32_t i = 0; i < width; i++)
        serial_write_register(user, offset + i, (uint8_t)(value >> (8 * i)));
}

static void serial_pause(void *user)
{
    serial *port = user;

    port->paused = 1;
}

static void serial_resume(void *user)
{
    serial *port = user;

    port->paused = 0;
    serial_update(port);
}

static void serial_release(void *user)
{
    serial *port = user;

    vsdk_irq_close(port->irq);
    device_output_release(&port->output);
    alloc_free(port);
}

const vsdk_device_ops serial_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = serial_read,
    .write = serial_write,
    .pause = serial_pause,
    .resume = serial_resume,
    .release = serial_release,
};

/* Takes config->release over. */
static vsdk_status serial_make(vsdk_vm *vm, const vsdk_serial_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_device_config make = {.size = sizeof make, .name = "serial"};
    device_output output = {config->output, config->user, config->release};
    device_range range = {VSDK_SPACE_PIO, config->address ? config->address : SERIAL_PORT,
                          SERIAL_PORTS, 0};
    serial *port = alloc_zeroed(sizeof *port);
    vsdk_status status;

    if (!port) {
        device_output_release(&output);
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_serial_create",
                         "no memory for a device");
    }
    port->output = output;
    port->space = config->space;
    port->thr_empty = 1;
    port->divisor[0] = 12; /* 9600 baud */
    status = vsdk_irq_create(vm, config->gsi ? config->gsi : SERIAL_GSI, &port->irq, error);
    if (status) {
        serial_release(port);
        return status;
    }
    return device_make(vm, &serial_ops, port, &make, &range, 1, device, error);
}

vsdk_status vsdk_serial_create(vsdk_vm *vm, const vsdk_serial_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_serial_config c;
    device_output given = {0};
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (config && config->size >= offsetof(vsdk_serial_config, reserved2))
        given = (device_output){config->output, config->user, config->release};
    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_serial_config, reserved2), config,
                                    __func__, error);
    if (!status)
        return serial_make(vm, &c, device, error);
    device_output_release(&given);
    return status;
}

/* How many fitted. */
static uint64_t serial_type(serial *port, const uint8_t *bytes, uint64_t length)
{
    uint64_t n = 0;

    for (; n < length && port->held < SERIAL_ROOM; port->held++)
        port->wire[(port->first + port->held) % SERIAL_ROOM] = bytes[n++];
    if (n < length)
        port->refused = 1;
    serial_update(port);
    return n;
}

vsdk_status vsdk_serial_input(vsdk_device *device, const void *bytes, uint64_t length,
                              uint64_t *accepted, vsdk_error *error)
{
    serial *port = device_of(device, &serial_ops, "serial port", __func__, error);
    int nested;
    uint64_t n;

    if (accepted)
        *accepted = 0;
    if (!port)
        return VSDK_ERROR_INVALID_ARGUMENT;
    if (!bytes && length)
        return error_null(error, __func__, "bytes");
    nested = atomic_load(&port->inside) == &serial_thread;
    if (!nested)
        vsdk_device_lock(device);
    n = serial_type(port, bytes, length);
    if (!nested)
        vsdk_device_unlock(device);
    if (accepted)
        *accepted = n;
    return VSDK_OK;
}
