/* The entry of every Criterion program here: TAP on stdout, whatever the arguments. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

/* Criterion never frees what it reads from the environment. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

static bool handle_args(int argc, char **argv)
{
    if (__lsan_disable)
        __lsan_disable();
    bool run = criterion_handle_args(argc, argv, true);
    if (__lsan_enable)
        __lsan_enable();
    return run;
}

int main(int argc, char **argv)
{
    struct criterion_test_set *tests = criterion_initialize();
    int result = 0;

    dup2(STDOUT_FILENO, STDERR_FILENO); /* where Criterion writes "-" */
    setenv("CRITERION_OUTPUTS", "tap:-", 0);
    setenv("CRITERION_DISABLE_TIME_MEASUREMENTS", "1", 0);
    setenv("CRITERION_JOBS", "1", 0);
    setenv("CRITERION_VERBOSITY_LEVEL", "5", 0); /* TAP and nothing else */
    if (handle_args(argc, argv))
        result = !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return result;
}
