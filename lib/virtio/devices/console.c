/* SPDX-License-Identifier: Apache-2.0 */
/* A console of several ports (virtio 1.2, section 5.3).
 *
 * Queues. Port 0 has the queues 0 (what the guest receives) and 1 (what it sends), 2 and 3 are for
 * control, port n has 2n + 2 and 2n + 3. Each runs under its own lock. What they share, which is
 * who has which port open and what the guest is still to be told, is under `lock`.
 *
 * No byte is lost. One for the guest is taken off the stream only when a buffer for it was popped,
 * and it is in that buffer before anything can stop the queue. Of a buffer that the guest sends the
 * port knows how much was taken (`sent`); the rest waits until there is room.
 *
 * What the guest is to be told of a port is a set of bits, `due`, not a list: so nothing that a
 * guest does makes it grow. Handlers of streams run on foreign threads and only post work. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/record.h"
#include "base/refs.h"
#include "virtio/devices/device.h"
#include <stdio.h>
#include <string.h>

enum { TYPE_CONSOLE = 3, QUEUE_SIZE = 128, PORTS_MOST = 31, NAME_ROOM = 64 };
enum { CONTROL_IN = 2, CONTROL_OUT = 3, QUEUES_MOST = 2 * PORTS_MOST + 2 };
/* How much one call moves before others of the loop have their turn. */
enum { PIECE = 2048, PIECES_A_TURN = 64, CHUNK_MOST = 65536 };
#define FEATURE_SIZE (UINT64_C(1) << 0)
#define FEATURE_MULTIPORT (UINT64_C(1) << 1)

enum event {
    DEVICE_READY,
    DEVICE_ADD,
    DEVICE_REMOVE,
    PORT_READY,
    CONSOLE_PORT,
    RESIZE,
    PORT_OPEN,
    PORT_NAME
};

/* In the order in which a driver wants them; a close goes before an open. */
enum {
    DUE_ADD = 1,
    DUE_CONSOLE = 2,
    DUE_NAME = 4,
    DUE_CLOSE = 8,
    DUE_OPEN = 16,
    DUE_SIZE = 32,
    DUE_ALL = 63
};

/* All numbers are little-endian, as this processor's are. */
typedef struct message {
    uint32_t port;
    uint16_t event, value;
    uint16_t size[2];
} message;
enum { MESSAGE_HEAD = 8, MESSAGE_SIZE = 12 };

typedef struct space {
    uint16_t columns, rows;
    uint32_t ports;
    uint32_t emergency;
} space;

/* What a stream's handler needs, and outlives the device while the handler runs. */
typedef struct link {
    refs refs;
    vsdk_work *receive, *send, *tell;
} link;

typedef struct port {
    struct console *console;
    uint32_t index;
    uint32_t is_console;
    char name[NAME_ROOM];
    vsdk_work *receive, *send;
    /* Under the console's lock. */
    vsdk_stream *stream;
    uint32_t known; /* the driver said PORT_READY */
    uint32_t open;  /* by the guest */
    uint32_t told;  /* the guest was told that it is open here */
    uint32_t due;
    uint16_t columns, rows;
    /* Under the lock of the queue by which the guest sends. */
    uint32_t has_chain;
    vsdk_virtio_chain chain;
    uint64_t sent;
} port;

typedef struct console {
    vsdk_device *device;
    vsdk_virtio_port_fn changed;
    void *user;
    vsdk_release_fn release;
    vsdk_work *tell;
    uint32_t rows_first;
    lock lock;
    uint32_t port_count;
    port ports[];
} console;

static uint32_t receive_queue(uint32_t index)
{
    return index ? 2 * index + 2 : 0;
}

static uint32_t send_queue(uint32_t index)
{
    return receive_queue(index) + 1;
}

/* NULL for one that is for control. */
static port *port_of(console *c, uint32_t queue)
{
    uint32_t index = queue < 2 ? 0 : queue / 2 - 1;

    if (queue == CONTROL_IN || queue == CONTROL_OUT || index >= c->port_count)
        return NULL;
    return &c->ports[index];
}

static int has_control(const console *c)
{
    return (vsdk_virtio_features(c->device) & FEATURE_MULTIPORT) != 0;
}

/* A reference, or NULL. */
static vsdk_stream *stream_of(port *p)
{
    lock_take(&p->console->lock);
    vsdk_stream *stream = vsdk_stream_ref(p->stream);
    lock_give(&p->console->lock);
    return stream;
}

/* A stream of which the embedder has closed its end is none any more. */
static int is_connected(vsdk_stream *stream)
{
    return stream && !(vsdk_stream_ready(stream) & VSDK_STREAM_ENDED);
}

/* For the guest it is one until the last byte that is in it: a reader that is told of the end reads
 * no further. */
static int has_something(vsdk_stream *stream)
{
    return is_connected(stream) || vsdk_stream_ready(stream) & VSDK_STREAM_READABLE;
}

/* To the guest. */

/* A driver drops what comes for a port that no program has open. */
static int guest_listens(port *p)
{
    if (!has_control(p->console))
        return 1;
    lock_take(&p->console->lock);
    int open = (int)p->open;
    lock_give(&p->console->lock);
    return open;
}

/* A buffer that is not there takes what it was given with it: the driver said that it is. */
static void fill(port *p, const vsdk_virtio_chain *chain, vsdk_stream *stream)
{
    uint64_t most = chain->writable < CHUNK_MOST ? chain->writable : CHUNK_MOST, written = 0, got;
    uint8_t bytes[PIECE];

    while (written < most) {
        uint64_t want = most - written < sizeof bytes ? most - written : sizeof bytes;
        if (vsdk_stream_read(stream, bytes, want, &got, NULL) || !got)
            break;
        if (vsdk_virtio_write(p->console->device, chain, written, bytes, got, NULL))
            break;
        written += got;
    }
    vsdk_virtio_push(p->console->device, chain, (uint32_t)written, NULL);
}

/* Only this takes bytes off the stream, so those that are seen are still there after the pop. */
static void receive(port *p)
{
    vsdk_stream *stream = stream_of(p);
    vsdk_virtio_chain chain;
    unsigned turn = 0;

    if (!stream || !guest_listens(p)) {
        vsdk_stream_close(stream);
        return;
    }
    while (vsdk_stream_ready(stream) & VSDK_STREAM_READABLE) {
        if (turn++ == PIECES_A_TURN) {
            vsdk_work_post(p->receive, NULL);
            break;
        }
        if (vsdk_virtio_pop(p->console->device, receive_queue(p->index), &chain, NULL))
            break;
        fill(p, &chain, stream);
    }
    if (!has_something(stream))
        vsdk_work_post(p->console->tell, NULL);
    vsdk_stream_close(stream);
}

static void receive_more(void *user, vsdk_work *work)
{
    port *p = user;

    (void)work;
    receive(p);
    vsdk_virtio_signal(p->console->device, receive_queue(p->index), NULL);
}

/* From the guest. */

/* 0 when the stream has no room: its handler tells when there is some. */
static int send_piece(port *p, vsdk_stream *stream)
{
    uint64_t left = p->chain.readable - p->sent, taken = 0;
    uint8_t bytes[PIECE];
    uint64_t count = left < sizeof bytes ? left : sizeof bytes;

    if (vsdk_virtio_read(p->console->device, &p->chain, p->sent, bytes, count, NULL)) {
        p->sent = p->chain.readable; /* there is no such memory */
        return 1;
    }
    vsdk_stream_write(stream, bytes, count, &taken, NULL);
    p->sent += taken;
    return taken == count;
}

static void hand_back(port *p)
{
    p->has_chain = 0;
    p->sent = 0;
    vsdk_virtio_push(p->console->device, &p->chain, 0, NULL);
}

/* The chain that is sent from, or 0. After a load `sent` is of the first that is popped. */
static int take_chain(port *p)
{
    if (p->has_chain)
        return 1;
    if (vsdk_virtio_pop(p->console->device, send_queue(p->index), &p->chain, NULL))
        return 0;
    p->has_chain = 1;
    if (p->sent > p->chain.readable)
        p->sent = p->chain.readable;
    return 1;
}

static void send(port *p)
{
    vsdk_stream *stream = stream_of(p);
    unsigned turn = 0;

    while (take_chain(p)) {
        if (turn++ == PIECES_A_TURN) {
            vsdk_work_post(p->send, NULL);
            break;
        }
        if (!is_connected(stream)) /* nobody will read it */
            p->sent = p->chain.readable;
        else if (p->sent < p->chain.readable && !send_piece(p, stream))
            break;
        if (p->sent == p->chain.readable)
            hand_back(p);
    }
    vsdk_stream_close(stream);
}

static void send_more(void *user, vsdk_work *work)
{
    port *p = user;

    (void)work;
    send(p);
    vsdk_virtio_signal(p->console->device, send_queue(p->index), NULL);
}

/* Control. */

/* With the lock held: what the guest is to be told of who is connected. The stream is asked while
 * it is held: a stream's lock is a lower one, so that is done before. */
static void note_connection(port *p, int connected)
{
    if (!p->known || (uint32_t)connected == p->told)
        return;
    p->told = (uint32_t)connected;
    p->due = (p->due & ~(uint32_t)DUE_OPEN) | (connected ? DUE_OPEN : DUE_CLOSE);
}

static void look_at_connection(port *p)
{
    vsdk_stream *stream = stream_of(p);
    int connected = has_something(stream);

    lock_take(&p->console->lock);
    if (stream == p->stream)
        note_connection(p, connected);
    lock_give(&p->console->lock);
    vsdk_stream_close(stream);
}

/* One of the bits of `due` as a message; the length. */
static uint64_t make_message(const port *p, uint32_t bit, message *m)
{
    static const struct {
        uint32_t bit;
        uint16_t event, value;
    } events[] = {{DUE_ADD, DEVICE_ADD, 1}, {DUE_CONSOLE, CONSOLE_PORT, 1},
                  {DUE_NAME, PORT_NAME, 1}, {DUE_CLOSE, PORT_OPEN, 0},
                  {DUE_OPEN, PORT_OPEN, 1}, {DUE_SIZE, RESIZE, 0}};
    unsigned at = 0;

    while (events[at].bit != bit)
        at++;
    int rows_first = (int)p->console->rows_first;
    *m = (message){.port = p->index,
                   .event = events[at].event,
                   .value = events[at].value,
                   .size = {rows_first ? p->rows : p->columns, rows_first ? p->columns : p->rows}};
    return bit == DUE_SIZE ? MESSAGE_SIZE : MESSAGE_HEAD;
}

/* Name and message go into one buffer, the name without a zero. */
static void put_message(console *c, const port *p, uint32_t bit, const message *m, uint64_t length,
                        const vsdk_virtio_chain *chain)
{
    vsdk_status status = vsdk_virtio_write(c->device, chain, 0, m, length, NULL);

    if (!status && bit == DUE_NAME) {
        uint64_t name = strlen(p->name);
        status = vsdk_virtio_write(c->device, chain, length, p->name, name, NULL);
        length += name;
    }
    vsdk_virtio_push(c->device, chain, status ? 0 : (uint32_t)length, NULL);
}

/* A bit is chosen only when there is a buffer for it: who connects meanwhile may take one away,
 * but puts another in its place. Only a reset leaves none. 0 when there is no buffer. */
static int tell_one(console *c, port *p)
{
    vsdk_virtio_chain chain;
    message m;

    if (vsdk_virtio_pop(c->device, CONTROL_IN, &chain, NULL))
        return 0;
    lock_take(&c->lock);
    uint32_t bit = p->due & -p->due;
    p->due &= ~bit;
    uint64_t length = bit ? make_message(p, bit, &m) : 0;
    lock_give(&c->lock);
    if (bit)
        put_message(c, p, bit, &m, length, &chain);
    else
        vsdk_virtio_push(c->device, &chain, 0, NULL);
    return 1;
}

static int is_due(port *p)
{
    lock_take(&p->console->lock);
    int due = p->due != 0;
    lock_give(&p->console->lock);
    return due;
}

/* Under the lock of the queue by which the guest is told. A turn tells each port as much as there
 * are bits; whoever sets one later posts another. */
static void tell(console *c)
{
    if (!has_control(c))
        return;
    for (uint32_t i = 0; i < c->port_count; i++) {
        look_at_connection(&c->ports[i]);
        for (uint32_t bit = 1; bit < DUE_ALL && is_due(&c->ports[i]); bit *= 2)
            if (!tell_one(c, &c->ports[i]))
                return;
    }
}

static void tell_more(void *user, vsdk_work *work)
{
    console *c = user;

    (void)work;
    tell(c);
    vsdk_virtio_signal(c->device, CONTROL_IN, NULL);
}

static void set_open(port *p, uint32_t open)
{
    console *c = p->console;

    lock_take(&c->lock);
    int changes = p->open != open;
    p->open = open;
    lock_give(&c->lock);
    if (!changes)
        return;
    if (c->changed)
        c->changed(c->user, c->device, p->index, open);
    if (open)
        vsdk_work_post(p->receive, NULL);
}

/* Who a port is, and that it is open when somebody is connected. */
static void introduce(port *p)
{
    console *c = p->console;

    lock_take(&c->lock);
    p->known = 1;
    p->told = 0;
    p->due = (p->is_console ? DUE_CONSOLE | DUE_SIZE : 0u) | (p->name[0] ? DUE_NAME : 0u);
    lock_give(&c->lock);
    vsdk_work_post(c->tell, NULL);
}

/* What makes no sense is passed over. */
static void hear(console *c, const message *m)
{
    if (m->event == DEVICE_READY && m->value == 1) {
        lock_take(&c->lock);
        for (uint32_t i = 0; i < c->port_count; i++)
            c->ports[i].due |= DUE_ADD;
        lock_give(&c->lock);
        vsdk_work_post(c->tell, NULL);
        return;
    }
    if (m->port >= c->port_count)
        return;
    if (m->event == PORT_READY && m->value == 1)
        introduce(&c->ports[m->port]);
    else if (m->event == PORT_OPEN && m->value <= 1)
        set_open(&c->ports[m->port], m->value);
}

static void listen(console *c)
{
    vsdk_virtio_chain chain;

    while (!vsdk_virtio_pop(c->device, CONTROL_OUT, &chain, NULL)) {
        message m = {0};
        int heard = !vsdk_virtio_read(c->device, &chain, 0, &m, MESSAGE_HEAD, NULL);
        vsdk_virtio_push(c->device, &chain, 0, NULL);
        if (heard)
            hear(c, &m);
    }
}

/* The device's callbacks. */

static void console_notify(void *user, vsdk_device *device, uint32_t queue)
{
    console *c = user;
    port *p = port_of(c, queue);

    (void)device;
    if (queue == CONTROL_IN)
        tell(c);
    else if (queue == CONTROL_OUT)
        listen(c);
    else if (p && queue == receive_queue(p->index))
        receive(p);
    else if (p)
        send(p);
}

/* The queue is empty, but work of it that was posted before may run. Inside a transition there is
 * nothing to enter, and nothing runs. */
static void forget_chain(port *p)
{
    vsdk_device *queue = vsdk_virtio_queue_device(p->console->device, send_queue(p->index));
    int entered = !vsdk_device_enter(queue, NULL);

    p->has_chain = 0;
    p->sent = 0;
    if (entered)
        vsdk_device_leave(queue);
}

static void console_queue_reset(void *user, vsdk_device *device, uint32_t queue)
{
    port *p = port_of(user, queue);

    (void)device;
    if (p && queue == send_queue(p->index))
        forget_chain(p);
}

static void console_reset(void *user, vsdk_device *device)
{
    console *c = user;

    (void)device;
    for (uint32_t i = 0; i < c->port_count; i++) {
        port *p = &c->ports[i];
        forget_chain(p);
        lock_take(&c->lock);
        p->known = p->told = p->due = 0;
        lock_give(&c->lock);
        set_open(p, 0);
    }
}

/* What changed while it was stopped, or is otherwise on this machine. What was popped by whoever
 * was saved is popped again. */
static void console_start(void *user, vsdk_device *device, uint32_t queue)
{
    console *c = user;
    port *p = port_of(c, queue);

    (void)device;
    if (queue == CONTROL_IN)
        vsdk_work_post(c->tell, NULL);
    else if (p)
        vsdk_work_post(queue == receive_queue(p->index) ? p->receive : p->send, NULL);
}

/* State. */

enum { FIELDS = 7 };
static const struct {
    const char *name;
    uint64_t most;
} fields[FIELDS] = {{"known", 1},
                    {"open", 1},
                    {"told", 1},
                    {"due", DUE_ALL},
                    {"columns", UINT16_MAX},
                    {"rows", UINT16_MAX},
                    {"sent", UINT64_MAX}};

static const char *field_name(char *text, size_t room, uint32_t index, const char *name)
{
    snprintf(text, room, "port%u.%s", index, name);
    return text;
}

/* At one time: functions of the embedder change a port while it is saved. `sent` is as it is, since
 * no queue runs. */
static void give_fields(console *c, const port *p, uint64_t *values)
{
    lock_take(&c->lock);
    values[0] = p->known;
    values[1] = p->open;
    values[2] = p->told;
    values[3] = p->due;
    values[4] = p->columns;
    values[5] = p->rows;
    lock_give(&c->lock);
    values[6] = p->sent;
}

static vsdk_status console_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                                vsdk_error *error)
{
    console *c = user;
    vsdk_status status = vsdk_state_put_number(writer, "ports", c->port_count, error);
    char text[32];

    (void)device;
    for (uint32_t i = 0; !status && i < c->port_count; i++) {
        uint64_t values[FIELDS];
        give_fields(c, &c->ports[i], values);
        for (unsigned k = 0; !status && k < FIELDS; k++)
            status = vsdk_state_put_number(writer, field_name(text, sizeof text, i, fields[k].name),
                                           values[k], error);
    }
    return status;
}

static void take_fields(port *p, const uint64_t *values)
{
    p->known = (uint32_t)values[0];
    p->open = (uint32_t)values[1];
    p->told = (uint32_t)values[2];
    p->due = (uint32_t)values[3];
    p->columns = (uint16_t)values[4];
    p->rows = (uint16_t)values[5];
    p->sent = values[6];
    p->has_chain = 0;
}

/* Everything is read before anything is taken. Streams are those of this machine. */
static vsdk_status console_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                                vsdk_error *error)
{
    console *c = user;
    uint64_t values[PORTS_MOST][FIELDS], count = 0;
    vsdk_status status = vsdk_state_get_number(reader, "ports", PORTS_MOST, &count, error);
    char text[32];

    (void)device;
    if (!status && count != c->port_count)
        status = error_set(error, VSDK_ERROR_FORMAT, "vsdk_device_load",
                           "the state is of a console of other ports");
    for (uint32_t i = 0; !status && i < c->port_count; i++)
        for (unsigned k = 0; !status && k < FIELDS; k++)
            status = vsdk_state_get_number(reader, field_name(text, sizeof text, i, fields[k].name),
                                           fields[k].most, &values[i][k], error);
    if (status)
        return status;
    lock_take(&c->lock);
    for (uint32_t i = 0; i < c->port_count; i++)
        take_fields(&c->ports[i], values[i]);
    lock_give(&c->lock);
    return VSDK_OK;
}

/* Streams. */

static void link_put(void *user)
{
    link *l = user;

    if (!refs_put(&l->refs))
        return;
    vsdk_work_close(l->receive);
    vsdk_work_close(l->send);
    vsdk_work_close(l->tell);
    alloc_free(l);
}

/* On the thread of whoever is at the other end. */
static void happened(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    link *l = user;

    (void)stream;
    if (events & VSDK_STREAM_READABLE)
        vsdk_work_post(l->receive, NULL);
    if (events & (VSDK_STREAM_WRITABLE | VSDK_STREAM_ENDED))
        vsdk_work_post(l->send, NULL);
    if (events & VSDK_STREAM_ENDED)
        vsdk_work_post(l->tell, NULL);
}

static vsdk_status listen_to(port *p, vsdk_stream *stream, const char *operation, vsdk_error *error)
{
    link *l;

    if (!stream)
        return VSDK_OK;
    l = alloc_zeroed(sizeof *l);
    if (!l)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for a stream");
    refs_init(&l->refs);
    l->receive = vsdk_work_ref(p->receive);
    l->send = vsdk_work_ref(p->send);
    l->tell = vsdk_work_ref(p->console->tell);
    return vsdk_stream_set_handler(stream, happened, l, link_put, error);
}

static void leave_stream(vsdk_stream *stream)
{
    if (stream)
        vsdk_stream_set_handler(stream, NULL, NULL, NULL, NULL);
    vsdk_stream_close(stream);
}

/* The making. */

static void console_release(void *user)
{
    console *c = user;

    for (uint32_t i = 0; i < c->port_count; i++) {
        leave_stream(c->ports[i].stream);
        vsdk_work_close(c->ports[i].receive);
        vsdk_work_close(c->ports[i].send);
    }
    vsdk_work_close(c->tell);
    if (c->release)
        c->release(c->user);
    lock_destroy(&c->lock);
    alloc_free(c);
}

static const vsdk_virtio_ops console_ops = {
    .size = sizeof console_ops,
    .notify = console_notify,
    .reset = console_reset,
    .start = console_start,
    .save = console_save,
    .load = console_load,
    .release = console_release,
    .queue_reset = console_queue_reset,
};

static vsdk_status check_port(const vsdk_virtio_port *given, uint32_t index, const char *operation,
                              vsdk_error *error)
{
    if (given->flags & ~(uint32_t)VSDK_VIRTIO_PORT_CONSOLE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "port %u: flags %#x has an unknown bit", index, given->flags);
    if (given->reserved || given->reserved2)
        return record_later(operation, error);
    if (given->name && (!given->name[0] || strnlen(given->name, NAME_ROOM) == NAME_ROOM))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "port %u: a name has 1 to 63 bytes", index);
    return VSDK_OK;
}

static const vsdk_virtio_port lone_console = {.flags = VSDK_VIRTIO_PORT_CONSOLE};

/* Without ports it is one console. */
static vsdk_status check_ports(vsdk_virtio_console_config *c, const char *operation,
                               vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (c->port_count > PORTS_MOST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%u ports are above 31",
                         c->port_count);
    if (c->port_count && !c->ports)
        return error_null(error, operation, "ports");
    if (!c->port_count) {
        c->ports = &lone_console;
        c->port_count = 1;
    }
    c->columns = c->columns ? c->columns : 80;
    c->rows = c->rows ? c->rows : 25;
    for (uint32_t i = 0; !status && i < c->port_count; i++)
        status = check_port(&c->ports[i], i, operation, error);
    return status;
}

/* What it listens to comes later: that needs its queues. */
static console *make_console(const vsdk_virtio_console_config *config)
{
    console *c = alloc_zeroed(sizeof *c + config->port_count * sizeof *c->ports);

    if (!c)
        return NULL;
    lock_init(&c->lock, RANK_LEAF);
    c->changed = config->changed;
    c->user = config->user;
    c->release = config->release;
    c->rows_first = config->flags & VSDK_VIRTIO_CONSOLE_ROWS_FIRST;
    c->port_count = config->port_count;
    for (uint32_t i = 0; i < c->port_count; i++) {
        port *p = &c->ports[i];
        const vsdk_virtio_port *given = &config->ports[i];
        p->console = c;
        p->index = i;
        p->is_console = given->flags & VSDK_VIRTIO_PORT_CONSOLE;
        p->columns = config->columns;
        p->rows = config->rows;
        p->stream = vsdk_stream_ref(given->stream);
        if (given->name)
            memcpy(p->name, given->name, strlen(given->name));
    }
    return c;
}

/* Work is part of the queue that it serves. */
static vsdk_status make_work(console *c, const char *operation, vsdk_error *error)
{
    vsdk_loop *loop = vsdk_virtio_queue_loop(c->device, CONTROL_IN);
    vsdk_status status = vsdk_work_create(loop, vsdk_virtio_queue_device(c->device, CONTROL_IN),
                                          tell_more, c, NULL, &c->tell, error);

    for (uint32_t i = 0; !status && i < c->port_count; i++) {
        port *p = &c->ports[i];
        vsdk_device *in = vsdk_virtio_queue_device(c->device, receive_queue(i));
        vsdk_device *out = vsdk_virtio_queue_device(c->device, send_queue(i));
        status = vsdk_work_create(loop, in, receive_more, p, NULL, &p->receive, error);
        if (!status)
            status = vsdk_work_create(loop, out, send_more, p, NULL, &p->send, error);
        if (!status)
            status = listen_to(p, p->stream, operation, error);
    }
    return status;
}

/* From the creation on the device has it, and gives it back. */
static vsdk_status make_ports_device(vsdk_vm *vm, console *c, vsdk_loop *loop, vsdk_device **device,
                                     const char *operation, vsdk_error *error)
{
    space s = {c->ports[0].columns, c->ports[0].rows, c->port_count, 0};
    vsdk_virtio_config config = {.size = sizeof config,
                                 .name = "console",
                                 .type = TYPE_CONSOLE,
                                 .features = FEATURE_SIZE | FEATURE_MULTIPORT,
                                 .queues = 2 * c->port_count + 2,
                                 .queue_size = QUEUE_SIZE,
                                 .space = &s,
                                 .space_length = sizeof s,
                                 .loop = loop};
    vsdk_status status = vsdk_virtio_create(vm, &console_ops, c, &config, &c->device, error);

    if (status)
        return status;
    vsdk_device *made = c->device;
    status = make_work(c, operation, error);
    if (status)
        vsdk_device_close(made);
    else
        *device = made;
    return status;
}

vsdk_status vsdk_virtio_console_create(vsdk_vm *vm, const vsdk_virtio_console_config *config,
                                       vsdk_device **device, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_console_create";
    vsdk_virtio_console_config given;
    int foreign;
    vsdk_status status = virtio_device_begin(vm, device, &foreign, operation, error);
    console *c = NULL;

    if (foreign)
        return status;
    vsdk_status read = virtio_device_config(
        &given, sizeof given, offsetof(vsdk_virtio_console_config, reserved), config,
        VSDK_VIRTIO_CONSOLE_ROWS_FIRST, operation, status ? NULL : error);
    if (!status)
        status = read;
    if (!status)
        status = check_ports(&given, operation, error);
    if (!status && !(c = make_console(&given)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for a device");
    if (!status)
        return make_ports_device(vm, c, given.loop, device, operation, error);
    if (given.release) /* a copy that was refused before it was taken has none */
        given.release(given.user);
    return status;
}

/* The functions. */

static vsdk_status get_port(vsdk_device *device, uint32_t index, port **p, const char *operation,
                            vsdk_error *error)
{
    vsdk_status status;
    console *c = virtio_device_of(device, &console_ops, "console", operation, &status, error);

    *p = NULL;
    if (!c)
        return status;
    if (index >= c->port_count)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "there is no port %u",
                         index);
    *p = &c->ports[index];
    return VSDK_OK;
}

/* With the old stream goes what the guest was told of it: it hears of a close even when the next is
 * connected at once. */
vsdk_status vsdk_virtio_console_connect(vsdk_device *device, uint32_t index, vsdk_stream *stream,
                                        vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_console_connect";
    port *p;
    vsdk_status status = get_port(device, index, &p, operation, error);

    if (status)
        return status;
    lock_take(&p->console->lock);
    vsdk_stream *before = p->stream;
    p->stream = vsdk_stream_ref(stream);
    note_connection(p, 0);
    lock_give(&p->console->lock);
    leave_stream(before);
    status = listen_to(p, stream, operation, error);
    if (status) {
        lock_take(&p->console->lock);
        p->stream = NULL;
        lock_give(&p->console->lock);
        vsdk_stream_close(stream);
    }
    vsdk_work_post(p->console->tell, NULL);
    vsdk_work_post(p->send, NULL);
    vsdk_work_post(p->receive, NULL);
    return status;
}

vsdk_status vsdk_virtio_console_resize(vsdk_device *device, uint32_t index, uint16_t columns,
                                       uint16_t rows, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_console_resize";
    port *p;
    vsdk_status status = get_port(device, index, &p, operation, error);

    if (status)
        return status;
    if (!p->is_console || !columns || !rows)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         p->is_console ? "a console has no size of %u times %u"
                                       : "the port is no console (%u times %u)",
                         columns, rows);
    lock_take(&p->console->lock);
    p->columns = columns;
    p->rows = rows;
    if (p->known)
        p->due |= DUE_SIZE;
    lock_give(&p->console->lock);
    vsdk_work_post(p->console->tell, NULL);
    uint16_t size[2] = {columns, rows};
    return index ? VSDK_OK : vsdk_virtio_set_space(device, 0, size, sizeof size, error);
}

uint32_t vsdk_virtio_console_is_open(vsdk_device *device, uint32_t index)
{
    console *c = vsdk_virtio_user(device, &console_ops);

    if (!c || index >= c->port_count)
        return 0;
    lock_take(&c->lock);
    uint32_t open = c->ports[index].open;
    lock_give(&c->lock);
    return open;
}
