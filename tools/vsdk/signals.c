/* SPDX-License-Identifier: Apache-2.0 */
/* Which signals there are, and how a handler does what would have been done without it. */
#include "signals.h"
#include <string.h>

/* All that end a process by default and are sent by others; a fault of our own, SIGQUIT, which asks
 * for a core, and real-time signals are in terminal.c. */
static const int leaving[] = {SIGHUP,    SIGINT,  SIGTERM, SIGUSR1, SIGUSR2,   SIGALRM,
                              SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGSTKFLT, SIGXCPU};

void signal_catch(int signal_number, void (*handler)(int))
{
    struct sigaction before, action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(signal_number, &action, NULL);
}

void signal_catch_leaving(void (*handler)(int))
{
    for (size_t i = 0; i < sizeof leaving / sizeof leaving[0]; i++)
        signal_catch(leaving[i], handler);
}

void signal_default(int signal_number)
{
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, signal_number);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}
