/* SPDX-License-Identifier: Apache-2.0 */
/* A lock that is given in the order in which it was asked for. Whoever gives it and takes it again
 * comes last: no thread of a mock machine is kept from its turn. */
#include "backends/mock/turn.h"
#include "base/sys.h"

void turn_init(turn *t)
{
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->next = t->serving = 0;
}

void turn_free(turn *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
}

void turn_take(turn *t)
{
    int before = sys_cancel_off();
    uint32_t mine;

    pthread_mutex_lock(&t->mutex);
    mine = t->next++;
    while (t->serving != mine)
        pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
    sys_cancel_back(before);
}

void turn_give(turn *t)
{
    pthread_mutex_lock(&t->mutex);
    t->serving++;
    if (t->serving != t->next)
        pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}
