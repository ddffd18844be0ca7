/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk run: boots an image with its serial port on the terminal or in a file.
 *
 * How a signal ends it depends on how far it is. While files are read nothing is caught, so that a
 * disk that hangs can be left. While the guest is built, a guest that dies with the process is
 * simply left behind by exiting; one that would outlive it (Xen) is destroyed first. While the
 * guest runs the run is cancelled, so that everything is given back in order. A second signal, a
 * second later, ends it in any case. */
#include "command.h"
#include "console.h"
#include "ending.h"
#include "file.h"
#include "look.h"
#include "machine.h"
#include "run_options.h"
#include "signals.h"
#include "terminal.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t patience_ns = 1000000000u;

/* In memory that lasts as long as the process: console.c says why. */
static run_options options;
static machine guest;
static console terminal;
static machine_files files;
static vsdk_error error;
static int outlives; /* the guest would outlive the process */

/* For the signal handlers. */
static volatile sig_atomic_t abandonable = 1; /* to exit leaves nothing behind */
static volatile sig_atomic_t built;           /* there is a run to cancel */
static volatile sig_atomic_t left_by;
static volatile uint64_t left_at;

static void leave(int signal_number)
{
    if (abandonable) {
        terminal_restore();
        _exit(STATUS_LEFT);
    }
    if (left_by && now_ns() - left_at > patience_ns) {
        terminal_restore();
        signal_default(signal_number);
    }
    if (!left_by) {
        left_at = now_ns();
        left_by = signal_number;
    }
    terminal.left = 1;
    if (built)
        vsdk_vm_run_cancel(guest.vm, NULL);
}

/* A page of the image could not be read any more. */
static void lose_image(int signal_number)
{
    static const char text[] =
        "vsdk: a file was cut short or could not be read while it was loaded\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);

    (void)signal_number, (void)written;
    _exit(STATUS_FAILED);
}

static void catch_signals(void)
{
    signal_catch_leaving(leave);
    signal_catch(SIGBUS, lose_image);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write tells */
}

static int open_files(void)
{
    int failure = file_open(&files.image, options.image);

    if (!failure && options.initrd)
        failure = file_open(&files.initrd, options.initrd);
    for (uint32_t i = 0; !failure && i < options.module_count; i++)
        failure = file_open(&files.modules[i], options.modules[i].path);
    return failure;
}

/* 0, or -1 after a complaint. */
static int build(void)
{
    vsdk_status status = machine_open(&guest, &options, &error);

    outlives = !status && machine_outlives(&guest);
    abandonable = !outlives;
    if (!status)
        status = machine_make(&guest, &options, &terminal, &error);
    if (!status && !left_by && machine_add_parts(&guest, &options, &terminal))
        return -1;
    if (!status && !left_by)
        status = machine_boot(&guest, &options, &files, &error);
    if (!status && !left_by)
        status = console_attach(&terminal, guest.vm, machine_input(&guest, &options), &error);
    return status ? (report(&error), -1) : 0;
}

static uint64_t time_left(void)
{
    uint64_t now = now_ns();

    if (!terminal.deadline_ns)
        return VSDK_FOREVER;
    return now < terminal.deadline_ns ? terminal.deadline_ns - now : 0;
}

/* Once more after each close look at the guest. */
static int run(void)
{
    look close = {
        .options = &options, .machine = &guest, .console = &terminal, .image = &files.image};
    vsdk_exit end = {.reason = VSDK_EXIT_NONE};
    vsdk_status status = look_begin(&close, &error);
    int ended = 0, looked = 0;

    if (options.timeout_ns)
        terminal.deadline_ns = now_ns() + options.timeout_ns;
    while (!status && !ended) {
        status = vsdk_vm_run(guest.vm, NULL, time_left(), &end, &error);
        looked = end.reason == VSDK_EXIT_KICKED && end.detail == VSDK_KICK_REQUEST &&
                 !terminal.left && close.ended_run;
        ended = !looked || look_closely(&close);
    }
    look_end(&close);
    console_detach(&terminal);
    if (status)
        return report(&error);
    return looked ? STATUS_HALTED : ending_status(&options, &guest, &end, left_by);
}

int cmd_run(int argc, char **argv)
{
    int result = run_options_parse(&options, argc, argv);

    if (result)
        return result < 0 ? STATUS_FAILED : 0;
    if (open_files() || console_open(&terminal, options.serial, options.debug_console))
        return STATUS_FAILED;
    catch_signals();
    if (build()) {
        result = STATUS_FAILED;
    } else {
        abandonable = 0;
        built = 1;
        result = left_by ? STATUS_LEFT : run();
        built = 0;
    }
    /* Else the end of the process gives all of it back, sooner than piece by piece. Disks write
     * what they have not written yet, and paths are removed. */
    if (outlives || guest.parts.count)
        machine_release(&guest);
    return result;
}
