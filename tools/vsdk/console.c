#include "console.h"
#include "command.h"
#include "terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ESCAPE = 1, RETRY_NS = 10 * 1000 * 1000, LOOK_MS = 100 };

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 1 when a write does not wait, 0 when nobody reads and the guest's time is over. */
static int wait_for_reader(const console *c, int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    while (poll(&ready, 1, LOOK_MS) <= 0)
        if (c->left || (c->deadline_ns && now_ns() >= c->deadline_ns))
            return 0;
    return 1;
}

/* By parts that a pipe takes at once when it takes anything. */
static void write_whole(const console *c, int *fd, const char *port, const void *bytes,
                        uint64_t length)
{
    const char *from = bytes;

    while (*fd >= 0 && length && wait_for_reader(c, *fd)) {
        ssize_t done = write(*fd, from, length < PIPE_BUF ? length : PIPE_BUF);

        if (done < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (done < 0) {
            complain("what the %s says from here on is lost: %s", port, strerror(errno));
            *fd = -1;
            return;
        }
        from += done;
        length -= (uint64_t)done;
    }
}

void console_output(void *user, const void *bytes, uint64_t length)
{
    console *c = user;

    write_whole(c, &c->output, "serial port", bytes, length);
}

void console_debug(void *user, const void *bytes, uint64_t length)
{
    console *c = user;

    write_whole(c, &c->debug, "debug console", bytes, length);
}

static int open_output(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0)
        complain("%s: %s", path, strerror(errno));
    return fd;
}

int console_open(console *c, const char *serial, const char *debug)
{
    c->output = c->debug = -1;
    if (!strcmp(serial, "stdio")) {
        c->output = STDOUT_FILENO;
        c->interactive = 1;
    } else if (strcmp(serial, "none")) {
        c->output = open_output(serial);
        if (c->output < 0)
            return -1;
    }
    if (debug)
        c->debug = open_output(debug);
    return debug && c->debug < 0 ? -1 : 0;
}

/* Gives the port what it takes of what is waiting. */
static void feed(console *c)
{
    uint64_t taken = 0;

    if (c->waiting_length)
        vsdk_serial_input(c->serial, c->waiting, c->waiting_length, &taken, NULL);
    c->waiting_length -= taken;
    memmove(c->waiting, c->waiting + taken, c->waiting_length);
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
    } else if (byte == ESCAPE && c->terminal) {
        c->escaped = 1;
        return;
    }
    if (c->waiting_length < sizeof c->waiting)
        c->waiting[c->waiting_length++] = byte;
}

static void read_input(console *c)
{
    unsigned char bytes[sizeof c->waiting];
    ssize_t got;

    feed(c);
    if (c->waiting_length && !c->terminal)
        return;
    got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        c->ended = 1;
    for (ssize_t i = 0; i < got; i++)
        type(c, bytes[i]);
    feed(c);
}

/* Waits for input, or, with bytes that the port did not take, for a moment. */
static void wait_again(console *c)
{
    int later = c->waiting_length || (!c->watch && !c->ended);
    int look = !c->ended && (!c->waiting_length || c->terminal);

    if (c->watch)
        vsdk_watch_set_events(c->watch, look ? VSDK_LOOP_READ : 0, NULL);
    if (later)
        vsdk_timer_arm(c->timer, RETRY_NS, 0, NULL);
}

static void on_timer(void *user)
{
    console *c = user;

    if (c->watch)
        feed(c);
    else
        read_input(c);
    wait_again(c);
}

static void on_input(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    (void)descriptor, (void)events;
    read_input(user);
    wait_again(user);
}

vsdk_status console_attach(console *c, vsdk_vm *vm, vsdk_device *serial, uint64_t timeout_ns,
                           vsdk_error *error)
{
    vsdk_loop *loop;
    vsdk_status status = vsdk_vm_get_loop(vm, &loop, error);

    c->vm = vm;
    c->serial = serial;
    c->deadline_ns = timeout_ns ? now_ns() + timeout_ns : 0;
    c->terminal = isatty(STDIN_FILENO);
    if (status || !c->interactive || !serial)
        return status;
    status = vsdk_timer_create(loop, NULL, on_timer, c, NULL, &c->timer, error);
    if (status != VSDK_OK)
        return status;
    if (vsdk_watch_create(loop, NULL, STDIN_FILENO, VSDK_LOOP_READ, on_input, c, NULL, &c->watch,
                          NULL) != VSDK_OK)
        status = vsdk_timer_arm(c->timer, 0, 0, error); /* a file: read it by the timer */
    if (terminal_raw())
        complain("terminal: %s", strerror(errno));
    return status;
}

void console_detach(console *c)
{
    vsdk_watch_close(c->watch);
    vsdk_timer_close(c->timer);
    c->watch = NULL;
    c->timer = NULL;
}

void console_close(console *c)
{
    if (c->output > STDERR_FILENO)
        close(c->output);
    if (c->debug > STDERR_FILENO)
        close(c->debug);
}
