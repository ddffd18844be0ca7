/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that somebody cancelled goes through the library as any other, and ends afterwards. One
 * that vanished inside would stay inside for ever: a destroy would wait for it. The cancellation is
 * there from the start, so the first cancellation point ends the thread, wherever it is. */
#include "rig.h"
#include "scenario.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static struct scenario s;
static _Atomic unsigned steps; /* that were begun */
static unsigned failed;

static void *live_and_end(void *unused)
{
    pthread_cancel(pthread_self());
    for (unsigned i = 0; i < scenario_step_count; i++) {
        vsdk_error error = {0};

        atomic_store(&steps, i + 1);
        if (scenario_steps[i].run(&s, &error) != VSDK_OK)
            failed++;
    }
    atomic_store(&steps, scenario_step_count + 1);
    scenario_end(&s); /* its last calls are libc's, with which the thread ends */
    return unused;
}

static void goes_through(void)
{
    pthread_t thread;
    void *result;

    s = (struct scenario){.backend = getenv("VSDK_TEST_BACKEND")};
    failed = 0;
    if (pipe(s.pipe) != 0 || pthread_create(&thread, NULL, live_and_end, NULL) != 0)
        tap_bail("no pipe or no thread");
    pthread_join(thread, &result);
    unsigned begun = atomic_load(&steps);
    check(begun > scenario_step_count, "it vanished in step %u, %s", begun,
          scenario_steps[begun ? begun - 1 : 0].name);
    check(failed == 0, "%u steps failed", failed);
    check(s.releases[0] == s.promised[0], "it vanished while it closed what there was");
    check(result == PTHREAD_CANCELED, "the cancellation is lost");
}

int main(int argc, char **argv)
{
    const struct tap_test tests[] = {{"a cancelled thread goes through", goes_through}};

    return tap_run(tests, 1, argc > 1 ? argv[1] : NULL);
}
