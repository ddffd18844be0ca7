/* SPDX-License-Identifier: Apache-2.0 */
/* Every signal that would end the process restores the terminal first: what cmd_run.c does not
 * catch to leave in order is caught here as soon as the terminal is raw.
 *
 * What is left unread at the end is thrown away: it was typed at the guest, or it is the terminal's
 * answer to something that the guest asked (answers.h). */
#include "terminal.h"
#include "signals.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile sig_atomic_t raw;

/* Those that end a process by default, except those of signal_catch_leaving and real-time signals.
 */
static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGTRAP, SIGSYS};

/* Not TCSADRAIN: a terminal that takes nothing more would keep us. */
static void put_back(void)
{
    raw = 0;
    tcflush(STDIN_FILENO, TCIFLUSH);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void terminal_restore(void)
{
    if (raw)
        put_back();
}

static int make_raw(void)
{
    struct termios settings = before;

    cfmakeraw(&settings);
    settings.c_oflag |= OPOST;
    raw = 1;
    return tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

static void restore_and_die(int signal_number)
{
    terminal_restore();
    signal_default(signal_number);
}

static void restore_and_stop(int signal_number)
{
    int kept = errno, was_raw = raw;

    terminal_restore();
    signal_default(signal_number);
    signal_catch(signal_number, restore_and_stop);
    if (was_raw)
        make_raw();
    errno = kept;
}

int terminal_raw(void)
{
    if (!isatty(STDIN_FILENO))
        return 0;
    if (tcgetattr(STDIN_FILENO, &before))
        return -1;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        signal_catch(fatal[i], restore_and_die);
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
        if (i != KICK_SIGNAL)
            signal_catch(i, restore_and_die);
    signal_catch(SIGTSTP, restore_and_stop);
    atexit(terminal_restore);
    return make_raw();
}
