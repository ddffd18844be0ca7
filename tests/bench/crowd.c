/* SPDX-License-Identifier: Apache-2.0 */
/* A process with a thousand machines, and the pipes by which it is asked for one more. The child
 * does the work and takes the time; the parent only waits, so that nothing of it is measured. */
#include "crowd.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

crowd crowd_start(void (*fill)(void *user), double (*once)(void *user), void *user)
{
    int ask[2], answer[2];
    double took = 0;
    char byte;

    must(pipe(ask) == 0 && pipe(answer) == 0, "pipe");
    fflush(stdout);
    crowd c = {.pid = fork(), .ask = ask[1], .answer = answer[0]};
    must(c.pid >= 0, "fork");
    if (c.pid) {
        close(ask[0]);
        close(answer[1]);
        must(read(c.answer, &took, sizeof took) == sizeof took, "a crowd of machines");
        return c;
    }
    close(ask[1]);
    close(answer[0]);
    fill(user);
    must(write(answer[1], &took, sizeof took) == sizeof took, "the parent");
    while (read(ask[0], &byte, 1) == 1 && byte) {
        took = once(user);
        must(write(answer[1], &took, sizeof took) == sizeof took, "the parent");
    }
    _exit(0);
}

double crowd_once(const crowd *c)
{
    double took = 0;

    must(write(c->ask, "m", 1) == 1 && read(c->answer, &took, sizeof took) == sizeof took,
         "a crowd of machines");
    return took;
}

/* Children that were started later have the pipe's end as well: closing it tells nothing. */
void crowd_end(crowd *c)
{
    must(write(c->ask, "", 1) == 1, "a crowd of machines");
    close(c->ask);
    close(c->answer);
    waitpid(c->pid, NULL, 0);
}
