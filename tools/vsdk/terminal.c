#include "terminal.h"
#include "signals.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile sig_atomic_t raw;

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT};

void terminal_restore(void)
{
    if (raw) {
        raw = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    }
}

static int make_raw(void)
{
    struct termios settings = before;

    cfmakeraw(&settings);
    settings.c_oflag |= OPOST;
    raw = 1;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &settings);
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
    signal_catch(SIGTSTP, restore_and_stop);
    atexit(terminal_restore);
    return make_raw();
}
