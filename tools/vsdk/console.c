/* SPDX-License-Identifier: Apache-2.0 */
/* Who may wait for whom, so that Ctrl-A X and signals always work:
 *
 * - The guest's thread, inside console_output, holds the port and waits for a reader of the output;
 *   until the command is left, the time is over, or the guest has ended on another processor. The
 *   serial port and the hypervisor's console have one output, whose lock the other waits for.
 * - What is typed waits for room in the stream to the port. So the thread that looks at the
 * terminal never does that: it finds the escape and leaves the rest to the feeder, a thread of its
 * own.
 * - Input that is no terminal has no escape: the feeder reads it itself, and waits for the port.
 *
 * What is typed at a guest that does not listen and finds no room is lost, so that the escape is
 * seen. The feeder may sit in read(2) when all is over: nobody joins it, so a console lies in
 * memory that lasts as long as the process. */
#include "console.h"
#include "command.h"
#include "terminal.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { ESCAPE = 1, LOOK_MS = 50, RETRY_NS = 10 * 1000 * 1000 };

static const uint64_t grace_ns = 1000000000u; /* for a reader, when the guest has ended */

static int has_ended(const console *c)
{
    vsdk_vm_info info = {.size = sizeof info};

    return !vsdk_vm_get_info(c->vm, &info, NULL) && info.state == VSDK_VM_STOPPED;
}

static void write_whole(console *c, output *out, const void *bytes, uint64_t length)
{
    uint64_t end = c->deadline_ns;
    int ended = 0;

    while (length) {
        long done = output_try(out, bytes, length);

        if (done < 0)
            return;
        bytes = (const char *)bytes + done;
        length -= (uint64_t)done;
        if (done)
            continue;
        if (c->left || (end && now_ns() >= end))
            return;
        if (!ended && c->vm && has_ended(c)) {
            ended = 1;
            if (!end || end > now_ns() + grace_ns)
                end = now_ns() + grace_ns;
        }
        c->waiting = 1;
        output_wait(out, LOOK_MS);
        c->waiting = 0;
    }
}

/* 0 when there are none. */
static uint64_t take_output(console *c, vsdk_stream *stream, unsigned char *bytes, size_t room)
{
    uint64_t length;

    if (vsdk_stream_read(stream, bytes, room, &length, NULL))
        return 0;
    c->spoke |= length != 0;
    return length;
}

void console_output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    console *c = user;
    unsigned char bytes[256];
    uint64_t length;

    (void)events;
    pthread_mutex_lock(&c->writing);
    while ((length = take_output(c, stream, bytes, sizeof bytes)) != 0) {
        write_whole(c, &c->serial, bytes, length);
        if (c->terminal)
            answers_look(&c->answers, bytes, length);
    }
    pthread_mutex_unlock(&c->writing);
}

void console_debug(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    console *c = user;
    unsigned char bytes[256];
    uint64_t length;

    (void)events;
    while ((length = take_output(c, stream, bytes, sizeof bytes)) != 0)
        write_whole(c, &c->debug, bytes, length);
}

int console_open(console *c, const char *serial, const char *debug)
{
    c->serial.fd = c->debug.fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->feeding, NULL);
    pthread_mutex_init(&c->writing, NULL);
    pthread_cond_init(&c->more, NULL);
    if (!strcmp(serial, "stdio")) {
        output_borrow(&c->serial, STDOUT_FILENO, "serial port");
        c->interactive = 1;
    } else if (strcmp(serial, "none") && output_create(&c->serial, serial, "serial port")) {
        return -1;
    }
    if (debug && output_create(&c->debug, debug, "debug console"))
        return -1;
    c->shows = c->serial.fd >= 0 || c->debug.fd >= 0;
    return 0;
}

/* Until the port has taken all, or there is no port any more: then 0. */
static int give(console *c, const unsigned char *bytes, uint64_t length)
{
    const struct timespec moment = {.tv_nsec = RETRY_NS};

    for (;;) {
        uint64_t taken = 0;
        pthread_mutex_lock(&c->feeding);
        int detached = c->detached;
        if (!detached)
            vsdk_stream_write(c->port, bytes, length, &taken, NULL);
        pthread_mutex_unlock(&c->feeding);
        bytes += taken;
        length -= taken;
        if (detached || !length)
            return !detached;
        nanosleep(&moment, NULL);
    }
}

static size_t take_typed(console *c, unsigned char *bytes)
{
    pthread_mutex_lock(&c->lock);
    while (!c->typed_length)
        pthread_cond_wait(&c->more, &c->lock);
    size_t length = c->typed_length;
    memcpy(bytes, c->typed, length);
    c->typed_length = 0;
    pthread_mutex_unlock(&c->lock);
    return length;
}

static ssize_t read_input(unsigned char *bytes, size_t room)
{
    ssize_t got;

    do
        got = read(STDIN_FILENO, bytes, room);
    while (got < 0 && errno == EINTR);
    return got;
}

static void *feed(void *user)
{
    console *c = user;
    unsigned char bytes[sizeof c->typed];
    ssize_t length;

    do
        length = c->terminal ? (ssize_t)take_typed(c, bytes) : read_input(bytes, sizeof bytes);
    while (length > 0 && give(c, bytes, (uint64_t)length));
    return NULL;
}

/* Signals are for the thread that leaves. */
static void start_feeder(console *c)
{
    sigset_t all, before;
    pthread_t thread;
    int failure;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&thread, NULL, feed, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    c->feeder = 1; /* once only, in any case */
    if (failure)
        complain("what is typed is lost: %s", strerror(failure));
    else
        pthread_detach(thread);
}

/* The escape is the user's, the rest the guest's. */
static void type(console *c, unsigned char byte)
{
    if (c->escaped) {
        c->escaped = 0;
        if (byte == 'x' || byte == 'X') {
            c->left = 1;
            vsdk_vm_run_cancel(c->vm, NULL);
        }
        if (byte != ESCAPE)
            return;
    } else if (byte == ESCAPE) {
        c->escaped = 1;
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (c->typed_length < sizeof c->typed)
        c->typed[c->typed_length++] = byte;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
    if (!c->feeder)
        start_feeder(c);
}

static void on_typed(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    console *c = user;
    unsigned char bytes[256];
    ssize_t got = read(descriptor, bytes, sizeof bytes);

    (void)events;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        vsdk_watch_set_events(watch, 0, NULL); /* the terminal is gone */
    for (ssize_t i = 0; i < got; i++)
        type(c, bytes[i]);
}

static int is_null(int fd)
{
    struct stat about;

    return !fstat(fd, &about) && S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 3);
}

vsdk_status console_attach(console *c, vsdk_vm *vm, vsdk_stream *port, vsdk_error *error)
{
    vsdk_status status;

    c->vm = vm;
    c->port = port;
    if (!c->interactive || !port)
        return VSDK_OK;
    c->terminal = isatty(STDIN_FILENO);
    if (!c->terminal) {
        if (!is_null(STDIN_FILENO))
            start_feeder(c);
        return VSDK_OK;
    }
    vsdk_loop *loop = vsdk_vm_loop(vm, error);
    if (!loop)
        return error->code;
    status = vsdk_watch_create(loop, NULL, STDIN_FILENO, VSDK_LOOP_READ, on_typed, c, NULL,
                               &c->watch, error);
    if (status)
        return status;
    complain("Ctrl-A X leaves");
    if (terminal_raw())
        complain("terminal: %s", strerror(errno));
    return VSDK_OK;
}

void console_detach(console *c)
{
    vsdk_watch_close(c->watch);
    c->watch = NULL;
    pthread_mutex_lock(&c->feeding);
    c->detached = 1;
    pthread_mutex_unlock(&c->feeding);
    if (c->terminal && c->serial.fd >= 0 && isatty(c->serial.fd))
        answers_settle(&c->answers, STDIN_FILENO, c->serial.fd);
    terminal_restore();
}
