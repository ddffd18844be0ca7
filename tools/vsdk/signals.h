/* Signals of the command. What its parent told it to ignore (nohup, a job of a script) stays
 * ignored. */
#ifndef VSDK_SIGNALS_H
#define VSDK_SIGNALS_H

/* Installs `handler`, unless the signal is ignored. */
void signal_catch(int signal_number, void (*handler)(int));
/* From the handler of that signal: does what the signal does by default. Returns if it only stops.
 */
void signal_default(int signal_number);

#endif
