/* SPDX-License-Identifier: Apache-2.0 */
/* Kicks are never lost and never made up.
 *
 * Four kickers: each takes a ticket, kicks, and waits until run has returned KICKED with a ticket
 * at least its own. A kick that comes while a run is returning KICKED for another is kept for the
 * next run; so KICKED is spurious when every kick that had begun by then was over before the run
 * before it was called.
 *
 * One kicker: as many returns as kicks, exactly. */
#include "rig.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { KICKERS = 4, PATIENCE_S = 60, QUIET_NS = 20000000 };

static const struct sizes kicks_total = {
    .plain = {100000, 100000, 1000000, 10000, 10000},
    .sanitized = {100000, 100000, 100000, 10000, 10000},
};

struct game {
    vsdk_vcpu *vcpu;
    _Atomic uint32_t tickets; /* taken */
    _Atomic uint32_t over;    /* kicks that have returned */
    _Atomic uint32_t seen;    /* highest ticket when run returned KICKED */
    _Atomic uint32_t waiters;
    uint32_t share; /* kicks of each kicker */
    _Atomic uint32_t stop;
    uint32_t returned, spurious, foreign, exits;
};

static void futex(_Atomic uint32_t *word, int what, uint32_t value, const struct timespec *timeout)
{
    syscall(SYS_futex, word, what | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

static void wait_seen(struct game *game, uint32_t ticket)
{
    uint64_t begin = rig_now_ns();
    uint32_t seen;

    atomic_fetch_add(&game->waiters, 1);
    while ((seen = atomic_load(&game->seen)) < ticket) {
        futex(&game->seen, FUTEX_WAIT, seen, &(struct timespec){.tv_sec = 1});
        if (rig_now_ns() - begin > PATIENCE_S * 1000000000ull * rig_scale())
            tap_bail("kick %u of %u was lost", ticket, atomic_load(&game->tickets));
    }
    atomic_fetch_sub(&game->waiters, 1);
}

static void *kicker(void *argument)
{
    struct game *game = argument;

    for (uint32_t i = 0; i < game->share; i++) {
        uint32_t ticket = atomic_fetch_add(&game->tickets, 1) + 1;

        must(vsdk_vcpu_kick(game->vcpu, E));
        atomic_fetch_add(&game->over, 1);
        wait_seen(game, ticket);
    }
    return NULL;
}

/* `before`: kicks that were over when the run before this one was called. */
static void on_kicked(struct game *game, uint32_t before)
{
    uint32_t tickets = atomic_load(&game->tickets);

    game->returned++;
    game->spurious += tickets == before;
    atomic_store(&game->seen, tickets);
    if (atomic_load(&game->waiters))
        futex(&game->seen, FUTEX_WAKE, INT_MAX, NULL);
}

static void *run(void *argument)
{
    struct game *game = argument;
    vsdk_exit *exit = vsdk_vcpu_record(game->vcpu);
    uint32_t before = 0;

    while (!atomic_load(&game->stop)) {
        uint32_t now = atomic_load(&game->over);

        must(vsdk_vcpu_run(game->vcpu, VSDK_FOREVER, E));
        if (exit->reason != VSDK_EXIT_KICKED) {
            game->exits++;
            continue;
        }
        game->foreign += exit->detail != VSDK_KICK_REQUEST;
        on_kicked(game, before);
        before = now;
    }
    return NULL;
}

/* Ends the runner with a kick of its own, which is not counted. */
static void play(struct game *game, unsigned kickers)
{
    pthread_t runner, threads[KICKERS];
    uint64_t begin = rig_now_ns();

    thread_start(&runner, run, game);
    for (unsigned i = 0; i < kickers; i++)
        thread_start(&threads[i], kicker, game);
    for (unsigned i = 0; i < kickers; i++)
        thread_join(threads[i]);
    atomic_store(&game->stop, 1);
    atomic_fetch_add(&game->tickets, 1);
    must(vsdk_vcpu_kick(game->vcpu, E));
    thread_join(runner);
    tap_note("%u kicks of %u threads, %u times KICKED, %u other exits, %.1f s",
             game->share * kickers, kickers, game->returned, game->exits,
             (double)(rig_now_ns() - begin) / 1e9);
    check(game->spurious == 0, "%u spurious", game->spurious);
    check(game->foreign == 0, "%u of another kind", game->foreign);
}

/* After the last kick nothing is left. One may be, that came while run returned the last. */
static void expect_quiet(struct game *game, uint32_t left)
{
    vsdk_exit *exit = vsdk_vcpu_record(game->vcpu);
    uint64_t end = rig_now_ns() + QUIET_NS;
    uint32_t kicked = 0;

    while (rig_now_ns() < end) {
        must(vsdk_vcpu_run(game->vcpu, QUIET_NS, E));
        kicked += exit->reason == VSDK_EXIT_KICKED && exit->detail != VSDK_KICK_DEADLINE;
    }
    check(kicked <= left, "%u kicks came after the last", kicked);
}

static void four(const struct guest *guest)
{
    vsdk_host *host = rig_host();
    struct rig rig;

    rig_make(&rig, host, 1, guest, 1);
    must(vsdk_vm_resume(rig.vm, E));
    struct game game = {.vcpu = rig.vcpus[0], .share = rig_size(&kicks_total) / 2 / KICKERS};
    play(&game, KICKERS);
    expect_quiet(&game, 1);
    rig_end(&rig);
    vsdk_host_close(host);
}

static void one(const struct guest *guest)
{
    vsdk_host *host = rig_host();
    struct rig rig;

    rig_make(&rig, host, 1, guest, 1);
    must(vsdk_vm_resume(rig.vm, E));
    struct game game = {.vcpu = rig.vcpus[0], .share = rig_size(&kicks_total) / 20};
    play(&game, 1);
    /* The runner's own end is one more. */
    check(game.returned == game.share + 1 || game.returned == game.share, "%u kicks, %u returns",
          game.share, game.returned);
    expect_quiet(&game, game.share + 1 - game.returned);
    rig_end(&rig);
    vsdk_host_close(host);
}

static void four_spin(void)
{
    four(&guest_spin);
}

static void four_exits(void)
{
    four(&guest_out_forever);
}

static void one_spin(void)
{
    one(&guest_spin);
}

static void one_exits(void)
{
    one(&guest_out_forever);
}

int main(int argc, char **argv)
{
    static const struct tap_test tests[] = {
        {"four kickers, a guest that spins", four_spin},
        {"four kickers, a guest that makes exits", four_exits},
        {"one kicker, a guest that spins", one_spin},
        {"one kicker, a guest that makes exits", one_exits},
    };

    return tap_run(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
