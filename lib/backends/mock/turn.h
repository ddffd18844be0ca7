/* SPDX-License-Identifier: Apache-2.0 */
/* A lock that is given in the order of asking, so that a thread that executes a guest in a loop
 * does not keep the others out. */
#ifndef VSDK_MOCK_TURN_H
#define VSDK_MOCK_TURN_H

#include <pthread.h>
#include <stdint.h>

typedef struct turn {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t next, serving;
} turn;

void turn_init(turn *t);
void turn_free(turn *t);
void turn_take(turn *t);
void turn_give(turn *t);

#endif
