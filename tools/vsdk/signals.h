/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of the command. What its parent told it to ignore (nohup, a job of a script) stays
 * ignored. */
#ifndef VSDK_SIGNALS_H
#define VSDK_SIGNALS_H

#include <signal.h>

/* The library's, of host.h: nobody may handle it. */
#define KICK_SIGNAL (SIGRTMAX - 1)

/* Installs `handler`, unless the signal is ignored. */
void signal_catch(int signal_number, void (*handler)(int));
/* The same for each signal by which somebody else asks the process to end. */
void signal_catch_leaving(void (*handler)(int));
/* From the handler of that signal: does what the signal does by default. Returns if it only stops.
 */
void signal_default(int signal_number);

#endif
