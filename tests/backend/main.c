/* SPDX-License-Identifier: Apache-2.0 */
/* The entry of every Criterion program here: TAP on stdout, whatever the arguments. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST = 32 };

/* The form of output is an argument: Criterion never frees what it reads from the environment. */
static bool handle_args(int argc, char **argv)
{
    char *args[MOST + 2] = {argv[0], "--tap=-"};
    int count = argc < MOST ? argc : MOST;

    for (int i = 1; i < count; i++)
        args[i + 1] = argv[i];
    return criterion_handle_args(count + 1, args, true);
}

int main(int argc, char **argv)
{
    struct criterion_test_set *tests = criterion_initialize();
    int result = 0;

    dup2(STDOUT_FILENO, STDERR_FILENO); /* where Criterion writes "-" */
    setenv("CRITERION_DISABLE_TIME_MEASUREMENTS", "1", 0);
    setenv("CRITERION_JOBS", "1", 0);
    setenv("CRITERION_VERBOSITY_LEVEL", "5", 0); /* TAP and nothing else */
    if (handle_args(argc, argv))
        result = !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return result;
}
