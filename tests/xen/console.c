/* SPDX-License-Identifier: Apache-2.0 */
/* The console of a guest that trusts Xen's: what it writes arrives in order and whole, also its
 * last words; what it does to the ring harms nobody. */
#include "base/sys.h"
#include "rig.h"
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/sched.h>

static struct rig rig;
static struct xencons_interface *ring; /* as the guest has it */

static int begin(void)
{
    uint64_t frame;

    if (!rig_begin(&rig))
        return 0;
    frame = rig_domain(&rig)->params[HVM_PARAM_CONSOLE_PFN];
    check(frame == 0xfeffc, "frame %#llx", (unsigned long long)frame);
    ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rig_domain(&rig)->memory,
                (off_t)frame * 4096);
    check(rig_domain(&rig)->params[HVM_PARAM_CONSOLE_EVTCHN] == FAKE_OWN_PORT, "no channel");
    return 1;
}

static void end(void)
{
    munmap(ring, 4096);
    rig_end(&rig);
    rig_check_nothing_left("in the end");
}

static void say(const char *text)
{
    for (; *text; text++)
        ring->out[ring->out_prod++ & (sizeof ring->out - 1)] = *text;
}

static void listen(void)
{
    fake_notify(rig_domain(&rig));
    rig.vcpu.requests = REQUEST_KICK;
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_KICKED, "reason %u", rig.exit.reason);
    rig.vcpu.requests = 0;
}

static void expect(const char *text)
{
    check(rig_console_length == strlen(text) && !memcmp(rig_console, text, strlen(text)),
          "%zu bytes: %.40s", rig_console_length, rig_console);
    rig_console_length = 0;
}

static void output(void)
{
    unsigned told;

    if (!begin())
        return;
    say("hello\n");
    listen();
    expect("hello\n");
    check(ring->out_cons == 6, "%u read", ring->out_cons);
    told = rig_domain(&rig)->own_told[0];
    check(told == 1, "the guest was told %u times", told);
    listen();
    expect("");
    check(rig_domain(&rig)->own_told[0] == told, "told of nothing");
    /* Round the ring many times. */
    for (int i = 0; i < 1000; i++) {
        say("0123456789abc");
        listen();
        expect("0123456789abc");
    }
    end();
}

static void without_a_notification(void)
{
    if (!begin())
        return;
    say("panic: no more");
    fake_shut(rig_domain(&rig), SHUTDOWN_reboot);
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_RESET, "reason %u", rig.exit.reason);
    expect("panic: no more");
    end();
}

static void nonsense(void)
{
    static const uint32_t places[] = {~0u, 2049, 1u << 31, 0x12345678, 4096};

    if (!begin())
        return;
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        ring->out_prod = places[i];
        ring->out_cons = places[i] ^ 0x5555;
        rig_console_length = 0;
        listen();
        check(rig_console_length <= sizeof ring->out, "%zu bytes", rig_console_length);
        rig_console_length = 0;
        say("sane again");
        listen();
        expect("sane again");
    }
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        ring->in_cons = places[i];
        uint32_t used = ring->in_prod - places[i];
        check(rig_ops->console_input(&rig.vm, "abc", 3) == (used > 1024 ? 0 : 3), "input at %#x",
              places[i]);
    }
    end();
}

static void input(void)
{
    static char bytes[3000], got[3000];
    uint64_t given = 0;

    if (!begin())
        return;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    for (unsigned turn = 0; given < sizeof bytes; turn++) {
        uint64_t some = rig_ops->console_input(&rig.vm, bytes + given, sizeof bytes - given);
        check(some && some <= 1024 && rig_domain(&rig)->own_told[0] == turn + 1, "%llu bytes",
              (unsigned long long)some);
        if (!some)
            break;
        check(turn == 0 ? some == 1024 : some == 700 || given + some == sizeof bytes,
              "%llu of a full ring", (unsigned long long)some);
        check(rig_ops->console_input(&rig.vm, bytes, 1) == (given + some == sizeof bytes) ||
                  turn == 0,
              "room in a full ring");
        for (unsigned i = 0; i < 700 && ring->in_cons != ring->in_prod; i++, ring->in_cons++)
            got[ring->in_cons % sizeof got] = ring->in[ring->in_cons & (sizeof ring->in - 1)];
        given += some;
    }
    check(memcmp(got, bytes, ring->in_cons) == 0, "other bytes");
    check(rig_ops->console_input(&rig.vm, bytes, 0) == 0, "nothing");
    end();
}

/* A run as core calls it, without what core does then. */
static vsdk_exit_reason run_only(void)
{
    rig.vcpu.deadline_ns = sys_clock() + PATIENCE_MS * 1000000ull;
    check(!rig_ops->vcpu_run(&rig.vcpu, &rig_error), "%s", rig_error.message);
    return rig.exit.reason;
}

static void nobody_takes(void)
{
    static char text[2049], got[2048];
    uint64_t taken = 0;

    if (!begin())
        return;
    for (unsigned i = 0; i < 2048; i++)
        text[i] = (char)('a' + i % 23);
    say(text);
    fake_notify(rig_domain(&rig));
    check(run_only() == VSDK_EXIT_KICKED && rig.exit.detail == 0 && rig.vm.console_due, "reason %u",
          rig.exit.reason);
    check(ring->out_cons == 0 && !rig_domain(&rig)->own_told[0], "the guest was told of room");
    for (unsigned i = 0; taken < 2048 && i < 100; i++) {
        uint64_t some = rig_ops->console_output(&rig.vm, got + taken, 100);
        check(some <= 100 && ring->out_cons == taken + some, "%llu bytes, %u read",
              (unsigned long long)some, ring->out_cons);
        taken += some;
    }
    check(taken == 2048 && !memcmp(got, text, 2048), "%llu bytes", (unsigned long long)taken);
    end();
}

static void room_for_input_is_told(void)
{
    if (!begin())
        return;
    check(rig_ops->console_input(&rig.vm, "abc", 3) == 3, "no room");
    ring->in_cons = ring->in_prod;
    fake_notify(rig_domain(&rig));
    check(run_only() == VSDK_EXIT_KICKED && rig.exit.detail == 0 && rig.vm.console_due, "reason %u",
          rig.exit.reason);
    /* As long as core has something to do there a run does not wait. */
    check(run_only() == VSDK_EXIT_KICKED && rig.exit.detail == 0, "reason %u", rig.exit.reason);
    rig.vm.console_due = 0;
    rig.vcpu.deadline_ns = sys_clock();
    check(!rig_ops->vcpu_run(&rig.vcpu, &rig_error) && rig.exit.detail == VSDK_KICK_DEADLINE,
          "detail %llu", (unsigned long long)rig.exit.detail);
    end();
}

static void reset(void)
{
    if (!begin())
        return;
    say("before");
    listen();
    expect("before");
    rig_ops->console_input(&rig.vm, "abc", 3);
    say("never read");
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
    check(!ring->out_prod && !ring->out_cons && !ring->in_prod, "the page is used");
    check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    say("after");
    listen();
    expect("after");
    check(rig_ops->console_input(&rig.vm, "xyz", 3) == 3 && !memcmp(ring->in, "xyz", 3), "input");
    rig_ops->vm_destroy(&rig.vm);
    check(rig_ops->console_input(&rig.vm, "xyz", 3) == 0, "input for nobody");
    end();
}

static void *live_cancelled(void *unused)
{
    pthread_cancel(pthread_self());
    if (!begin())
        return NULL;
    say("hello\n");
    listen();
    expect("hello\n");
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
    check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    fake_shut(rig_domain(&rig), SHUTDOWN_poweroff);
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_POWEROFF, "reason %u", rig.exit.reason);
    end();
    return &rig;
}

/* Xen's libraries read, write, open and close: a thread that vanished there would leave locks
 * taken. The fake's do the same. */
static void no_call_is_a_cancellation_point(void)
{
    pthread_t thread;
    void *end = NULL;

    check(!pthread_create(&thread, NULL, live_cancelled, NULL) && !pthread_join(thread, &end),
          "no thread");
    check(end == &rig, "the thread was cancelled inside");
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"output", output},
        {"last words without a notification", without_a_notification},
        {"nonsense in the ring", nonsense},
        {"input", input},
        {"what nobody takes stays in the ring", nobody_takes},
        {"room for input is told", room_for_input_is_told},
        {"reset", reset},
        {"no call is a cancellation point", no_call_is_a_cancellation_point},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
