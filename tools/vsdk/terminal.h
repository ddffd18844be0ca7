/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of `vsdk run`: raw while the guest runs, restored however the command ends
 * and while it is stopped. */
#ifndef VSDK_TERMINAL_H
#define VSDK_TERMINAL_H

/* Makes standard input raw if it is a terminal; 0, or -1 with errno set. */
int terminal_raw(void);
/* Puts it back, without what was typed and not read. Async-signal-safe; may be called at any time.
 */
void terminal_restore(void);

#endif
