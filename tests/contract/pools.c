/* SPDX-License-Identifier: Apache-2.0 */
/* Pools as a program sees them: each documented error. What they do: tests/core/pool.c. */
#include "scarce.h"
#include <sys/resource.h>
#include <vsdk/vsdk.h>

static vsdk_pool *pool;
static vsdk_loop *loop;

static void setup(void)
{
    ok(vsdk_loop_create(&loop, E));
    ok(vsdk_pool_create(NULL, &pool, E));
}

static void teardown(void)
{
    vsdk_pool_close(pool);
    vsdk_loop_close(loop);
}

TestSuite(pools, .init = setup, .fini = teardown);

Test(pools, a_loop_once)
{
    ok(vsdk_pool_add_loop(pool, loop, E));
    fails(EXISTS, vsdk_pool_add_loop(pool, loop, E));
}

Test(pools, no_loop_after_the_stop)
{
    ok(vsdk_pool_stop(pool, E));
    fails(GONE, vsdk_pool_add_loop(pool, loop, E));
}

Test(pools, more_than_256_threads)
{
    vsdk_pool_config config = {.size = sizeof config, .threads = 257};
    vsdk_pool *none = pool;

    fails(LIMIT, vsdk_pool_create(&config, &none, E));
    cr_assert_null(none);
}

Test(pools, without_descriptors)
{
    struct rlimit before, few = {.rlim_cur = 3, .rlim_max = 3};
    vsdk_pool *none;

    cr_assert(!getrlimit(RLIMIT_NOFILE, &before));
    few.rlim_max = before.rlim_max;
    cr_assert(!setrlimit(RLIMIT_NOFILE, &few));
    fails(LIMIT, vsdk_pool_create(NULL, &none, E));
    cr_assert(!setrlimit(RLIMIT_NOFILE, &before));
}

static vsdk_status create(void)
{
    vsdk_pool *made = NULL;
    vsdk_status status = vsdk_pool_create(NULL, &made, E);

    vsdk_pool_close(made);
    return status;
}

Test(pools, without_memory)
{
    out_of_memory(create());
    out_of_memory(vsdk_pool_add_loop(pool, loop, E));
}

static vsdk_status answer;
static _Atomic uint32_t done;

static void stop_inside(void *user, vsdk_work *work)
{
    answer = vsdk_pool_stop(pool, NULL);
    done = 1;
}

Test(pools, not_stopped_by_its_own_thread)
{
    vsdk_work *work;

    ok(vsdk_work_create(loop, NULL, stop_inside, NULL, NULL, &work, E));
    ok(vsdk_pool_add_loop(pool, loop, E));
    ok(vsdk_work_post(work, E));
    while (!done)
        ;
    vsdk_work_close(work);
    cr_assert_eq(answer, VSDK_ERROR_BUSY);
}

Test(pools, a_reference_more)
{
    cr_assert_eq(vsdk_pool_ref(pool), pool);
    vsdk_pool_close(pool);
    ok(vsdk_pool_add_loop(pool, loop, E));
}
