/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's kernel with Xen's console for its own: what it says there comes by the machine's
 * stream, it hears what is typed, and its last words come out when it panics. It also suspends
 * itself, as a toolstack asks a guest to, and goes on.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinux and initrd.gz. */
#include "../contract/tap.h"
#include "guest.h"

#include <time.h>
#include <vsdk/vsdk.h>

static const uint64_t patience = 240 * UINT64_C(1000000000);

typedef struct guest {
    vsdk_vm *vm;
    vsdk_pc *pc;
    vsdk_stream *console, *serial; /* our ends */
    char line[40];
    size_t length, serial_length;
    int asked;
    char log[LOG + 1];
} guest;

static guest g;
static vsdk_error error;

static void fail(const char *what)
{
    printf("# %s: %s: %s %s\n", what, error.operation, error.message, error.hint);
}

static void on_console(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    static const char question[] = "challenge? ";
    uint64_t got, taken;

    while (!vsdk_stream_read(stream, g.log + g.length, LOG - g.length, &got, NULL) && got)
        g.length += got;
    if (g.asked || !strstr(g.log, question))
        return;
    g.asked = 1;
    vsdk_stream_write(stream, g.line, strlen(g.line), &taken, NULL);
}

static void on_serial(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char bytes[256];
    uint64_t got;

    while (!vsdk_stream_read(stream, bytes, sizeof bytes, &got, NULL) && got)
        g.serial_length += got;
}

static vsdk_status make(vsdk_host *host, const char *options)
{
    vsdk_pc_config machine = {.size = sizeof machine, .memory = 256 << 20};
    vsdk_boot_config load = {.size = sizeof load, .command_line = options};
    struct timespec now;
    vsdk_status status;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(g.line, sizeof g.line, "%llx\n",
             (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec);
    map_file("vmlinux", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    status = vsdk_stream_create(NULL, &machine.console, &g.console, &error);
    if (!status)
        status = vsdk_stream_create(NULL, &machine.serial, &g.serial, &error);
    if (!status)
        status = vsdk_stream_set_handler(g.console, on_console, NULL, NULL, &error);
    if (!status)
        status = vsdk_stream_set_handler(g.serial, on_serial, NULL, NULL, &error);
    if (!status)
        status = vsdk_pc_create(host, &machine, &g.pc, &error);
    g.vm = vsdk_pc_vm(g.pc);
    if (!status)
        status = vsdk_pc_boot(g.pc, &load, &error);
    vsdk_stream_close(machine.console);
    vsdk_stream_close(machine.serial);
    munmap((void *)load.image, load.image_length);
    munmap((void *)load.initrd, load.initrd_length);
    if (status)
        fail("make");
    return status;
}

static void drop(void)
{
    vsdk_pc_close(g.pc);
    vsdk_stream_close(g.console);
    vsdk_stream_close(g.serial);
}

static vsdk_exit run(void)
{
    vsdk_exit end = {.reason = VSDK_EXIT_NONE};

    if (vsdk_vm_run(g.vm, NULL, patience, &end, &error))
        fail("run");
    printf("# ended: %s detail %s\n", vsdk_exit_reason_name(end.reason),
           vsdk_crash_detail_name((vsdk_crash_detail)end.detail));
    return end;
}

static void show_log(int failed)
{
    if (tap_failed > failed)
        for (char *line = strtok(g.log, "\r\n"); line; line = strtok(NULL, "\r\n"))
            printf("# | %s\n", line);
}

static const char *answer(void)
{
    static char text[96];
    char command[128], hash[65] = "";

    snprintf(command, sizeof command, "printf %%s %.*s | sha256sum", (int)strlen(g.line) - 1,
             g.line);
    FILE *pipe = popen(command, "r");
    if (!pipe || fread(hash, 1, 64, pipe) != 64)
        hash[0] = 0;
    if (pipe)
        pclose(pipe);
    snprintf(text, sizeof text, "answer: %s", hash);
    return text;
}

static void talk_and_panic(vsdk_host *host)
{
    int failed = tap_failed;

    memset(&g, 0, sizeof g);
    if (!make(host, "console=hvc0 panic=-1 nopvpanic act=panic wait=60")) {
        vsdk_exit end = run();
        tap(strstr(g.log, "VSDK-GUEST hypervisor: Xen") != NULL, "the guest speaks by hvc0");
        tap(strstr(g.log, answer()) != NULL, "it hears what is typed");
        tap(strstr(g.log, "Kernel panic - not syncing") && strstr(g.log, "Kernel Offset: "),
            "its last words come out");
        tap(end.reason == VSDK_EXIT_CRASH && end.detail == VSDK_CRASH_PANIC, "it panicked");
        tap(!g.serial_length, "the serial port is silent");
    } else {
        tap(0, "the machine is made");
    }
    show_log(failed);
    drop();
}

static void suspend_and_resume(vsdk_host *host)
{
    int failed = tap_failed;

    memset(&g, 0, sizeof g);
    if (!make(host, "console=hvc0 panic=-1 suspend=1 act=poweroff wait=60")) {
        vsdk_exit end = run();
        tap(end.reason == VSDK_EXIT_SUSPEND, "a guest that is asked to suspends itself");
        tap(strstr(g.log, "VSDK-GUEST suspends") && !strstr(g.log, "VSDK-GUEST resumed"),
            "it stands there");
        if (end.reason == VSDK_EXIT_SUSPEND)
            end = run();
        tap(strstr(g.log, "VSDK-GUEST resumed") != NULL, "it goes on where it was");
        tap(strstr(g.log, answer()) != NULL, "its console hears as before");
        tap(end.reason == VSDK_EXIT_POWEROFF, "and it ends as it wants");
    } else {
        tap(0, "the machine is made");
    }
    show_log(failed);
    drop();
}

int main(void)
{
    vsdk_capability_info info = {.size = sizeof info};
    vsdk_host *host;

    if (vsdk_host_open(getenv("VSDK_TEST_BACKEND"), NULL, &host, &error)) {
        printf("Bail out! %s: %s %s\n", error.operation, error.message, error.hint);
        return 1;
    }
    if (vsdk_host_query(host, VSDK_CAPABILITY_CONSOLE, &info, NULL) ||
        info.answer != VSDK_ANSWER_YES) {
        printf("1..0 # SKIP %s\n", info.reason);
        return 0;
    }
    talk_and_panic(host);
    suspend_and_resume(host);
    vsdk_host_close(host);
    return tap_end();
}
