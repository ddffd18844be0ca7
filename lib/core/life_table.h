/* SPDX-License-Identifier: Apache-2.0 */
/* States and events. A row: in this state this event leads to that state, or is refused with that
 * status. What is not in the table can't happen. Tests are made from it, too. */
#ifndef VSDK_CORE_LIFE_TABLE_H
#define VSDK_CORE_LIFE_TABLE_H

enum life_event {
    EVENT_RESUME,
    EVENT_PAUSE,
    EVENT_REQUEST, /* vsdk_vm_pause_request */
    EVENT_STOP,    /* the guest ends, or vsdk_vm_stop */
    EVENT_RESET
};

/* LIFE_ROW(state, event, next state, status). SUSPENDED is STOPPED with VSDK_EXIT_SUSPEND. */
#define LIFE_TABLE(LIFE_ROW)                                                                       \
    LIFE_ROW(CREATED, RESUME, RUNNING, VSDK_OK)                                                    \
    LIFE_ROW(CREATED, PAUSE, CREATED, VSDK_OK)                                                     \
    LIFE_ROW(CREATED, REQUEST, CREATED, VSDK_OK)                                                   \
    LIFE_ROW(CREATED, STOP, STOPPED, VSDK_OK)                                                      \
    LIFE_ROW(CREATED, RESET, CREATED, VSDK_OK)                                                     \
    LIFE_ROW(RUNNING, RESUME, RUNNING, VSDK_OK)                                                    \
    LIFE_ROW(RUNNING, PAUSE, PAUSED, VSDK_OK)                                                      \
    LIFE_ROW(RUNNING, REQUEST, RUNNING, VSDK_OK)                                                   \
    LIFE_ROW(RUNNING, STOP, STOPPED, VSDK_OK)                                                      \
    LIFE_ROW(RUNNING, RESET, RUNNING, VSDK_ERROR_STATE)                                            \
    LIFE_ROW(PAUSED, RESUME, RUNNING, VSDK_OK)                                                     \
    LIFE_ROW(PAUSED, PAUSE, PAUSED, VSDK_OK)                                                       \
    LIFE_ROW(PAUSED, REQUEST, PAUSED, VSDK_OK)                                                     \
    LIFE_ROW(PAUSED, STOP, STOPPED, VSDK_OK)                                                       \
    LIFE_ROW(PAUSED, RESET, CREATED, VSDK_OK)                                                      \
    LIFE_ROW(STOPPED, RESUME, STOPPED, VSDK_ERROR_STATE)                                           \
    LIFE_ROW(STOPPED, PAUSE, STOPPED, VSDK_ERROR_STATE)                                            \
    LIFE_ROW(STOPPED, REQUEST, STOPPED, VSDK_ERROR_STATE)                                          \
    LIFE_ROW(STOPPED, STOP, STOPPED, VSDK_OK)                                                      \
    LIFE_ROW(STOPPED, RESET, CREATED, VSDK_OK)                                                     \
    LIFE_ROW(SUSPENDED, RESUME, RUNNING, VSDK_OK)                                                  \
    LIFE_ROW(SUSPENDED, PAUSE, SUSPENDED, VSDK_ERROR_STATE)                                        \
    LIFE_ROW(SUSPENDED, REQUEST, SUSPENDED, VSDK_ERROR_STATE)                                      \
    LIFE_ROW(SUSPENDED, STOP, SUSPENDED, VSDK_OK)                                                  \
    LIFE_ROW(SUSPENDED, RESET, CREATED, VSDK_OK)

#endif
