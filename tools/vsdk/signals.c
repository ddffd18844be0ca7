#include "signals.h"
#include <signal.h>
#include <string.h>

void signal_catch(int signal_number, void (*handler)(int))
{
    struct sigaction before, action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(signal_number, &action, NULL);
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
