#include "terminal.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

static void restore_and_die(int signal_number)
{
    terminal_restore();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

int terminal_raw(void)
{
    struct termios settings;
    struct sigaction action;

    if (!isatty(STDIN_FILENO))
        return 0;
    if (tcgetattr(STDIN_FILENO, &before))
        return -1;
    memset(&action, 0, sizeof action);
    action.sa_handler = restore_and_die;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
    atexit(terminal_restore);
    settings = before;
    cfmakeraw(&settings);
    settings.c_oflag |= OPOST;
    raw = 1;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &settings);
}
