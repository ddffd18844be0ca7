/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of the schedules, the watchdog, and what a forked child tries.
 *
 * The watchdog's thread takes no lock and allocates nothing before it has printed the stacks: each
 * thread prints its own in a signal handler, and a debugger, where there is one, prints them again
 * with names. */
#include "world.h"
#include "layout.h"
#include "start.h"
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct guest guest_hammer, guest_hammers, guest_hammers_second;

enum { PATIENCE = 20, FRAMES = 64, RFLAGS = 2, EXTRA_BYTES = 0x4000 };

static void must(vsdk_status status, const char *what, const vsdk_error *error)
{
    if (status)
        tap_bail("%s: %s: %s", what, error->operation, error->message);
}

uint64_t world_port(unsigned device)
{
    static const uint64_t ports[DEVICES] = {PORT_OUT, PORT_IN, PORT_WIDE};

    return ports[device];
}

static void load_memory(const world *w)
{
    uint8_t *memory = vsdk_ram_data(w->ram);
    const struct guest *guest = w->vcpu_count > 1 ? &guest_hammers : &guest_hammer;

    start_write_tables(memory);
    memcpy(memory + CODE, guest->code, (size_t)(guest->end - guest->code));
    memcpy(memory + SECOND_CODE, guest_hammers_second.code,
           (size_t)(guest_hammers_second.end - guest_hammers_second.code));
}

vsdk_status world_load(world *w)
{
    vsdk_x86_regs regs = {.rip = CODE, .rsp = STACK, .rflags = RFLAGS};
    vsdk_x86_sregs sregs;
    vsdk_vcpu *vcpu = w->vcpus[0];
    vsdk_status status = vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, NULL);

    if (status)
        return status;
    start_set_long_mode(&sregs, 0);
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, NULL);
    if (status)
        return status;
    return vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof regs, NULL);
}

void world_make(world *w, const char *backend, unsigned vcpus)
{
    vsdk_vm_config config = {
        .size = sizeof config, .vcpus_max = vcpus, .memory_max = UINT64_C(16) << 20};
    vsdk_error error;

    memset(w, 0, sizeof *w);
    w->vcpu_count = vcpus;
    must(vsdk_host_open(backend, NULL, &w->host, &error), backend, &error);
    must(vsdk_vm_create(w->host, &config, &w->vm, &error), "a machine", &error);
    must(vsdk_ram_create(w->vm, RAM_BYTES, NULL, &w->ram, &error), "memory", &error);
    must(vsdk_ram_create(w->vm, EXTRA_BYTES, NULL, &w->extra, &error), "memory", &error);
    must(vsdk_vm_map(w->vm, 0, w->ram, 0, RAM_BYTES, 0, &error), "memory", &error);
    for (unsigned i = 0; i < vcpus; i++)
        must(vsdk_vcpu_create(w->vm, i, NULL, &w->vcpus[i], &error), "a processor", &error);
    load_memory(w);
    must(world_load(w), "the guest", &error);
}

void world_close(world *w)
{
    for (unsigned i = 0; i < w->vcpu_count; i++)
        vsdk_vcpu_close(w->vcpus[i]);
    vsdk_ram_close(w->ram);
    vsdk_ram_close(w->extra);
    vsdk_host_close(w->host);
}

uint32_t scale(void)
{
    const char *text = getenv("VSDK_TEST_SCALE");
    unsigned long times = text ? strtoul(text, NULL, 10) : 1;

    return times ? (uint32_t)times : 1;
}

static struct {
    const char *kind, *backend;
    uint64_t number, seed;
    _Atomic uint64_t begun; /* seconds of CLOCK_MONOTONIC, 0: none */
} watched;

static uint64_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static _Atomic unsigned stacks_printed;

static void print_stack(int signal)
{
    void *frames[FRAMES];
    char line[] = "# a thread:\n";

    (void)signal;
    if (write(2, line, sizeof line - 1) > 0)
        backtrace_symbols_fd(frames, backtrace(frames, FRAMES), 2);
    atomic_fetch_add(&stacks_printed, 1);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

/* One after the other, so that lines are not mixed; a thread that does not answer is passed over.
 */
static void print_all_stacks(void)
{
    DIR *tasks = opendir("/proc/self/task");
    long mine = syscall(SYS_gettid);
    struct dirent *entry;

    while (tasks && (entry = readdir(tasks))) {
        long thread = strtol(entry->d_name, NULL, 10);
        unsigned before = atomic_load(&stacks_printed);
        if (!thread || thread == mine)
            continue;
        syscall(SYS_tgkill, getpid(), thread, SIGUSR2);
        for (int i = 0; i < 10 && atomic_load(&stacks_printed) == before; i++)
            nap();
    }
    if (tasks)
        closedir(tasks);
}

static void debug_self(void)
{
    char self[16];

    snprintf(self, sizeof self, "%d", (int)getpid());
    pid_t child = fork();
    if (child == 0) {
        dup2(2, 1);
        execlp("gdb", "gdb", "-p", self, "-batch", "-ex", "thread apply all bt", (char *)NULL);
        _exit(1);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

static void *watchdog(void *argument)
{
    for (;;) {
        uint64_t begun = atomic_load(&watched.begun);
        nap();
        if (!begun || begun != atomic_load(&watched.begun) || seconds() < begun + PATIENCE)
            continue;
        fprintf(stderr,
                "# %s schedule %llu on %s takes longer than %d seconds: VSDK_TEST_SEED=%#llx\n",
                watched.kind, (unsigned long long)watched.number, watched.backend, PATIENCE,
                (unsigned long long)watched.seed);
        print_all_stacks();
        debug_self();
        abort();
    }
    return argument;
}

void watchdog_start(void)
{
    struct sigaction action = {.sa_handler = print_stack, .sa_flags = SA_RESTART};
    pthread_t thread;
    void *frame;

    backtrace(&frame, 1); /* loads what it needs now, not in the handler */
    sigaction(SIGUSR2, &action, NULL);
    if (pthread_create(&thread, NULL, watchdog, NULL))
        tap_bail("no thread");
    pthread_detach(thread);
}

/* The begin is the last to be written; 0 ends a schedule. */
void watchdog_feed(const char *kind, const char *backend, uint64_t number, uint64_t seed)
{
    atomic_store(&watched.begun, 0);
    if (!kind)
        return;
    watched.kind = kind;
    watched.backend = backend;
    watched.number = number;
    watched.seed = seed;
    atomic_store(&watched.begun, seconds());
}

/* In the child: the process of before had other threads, so nothing here may take a lock. */
static int try_all(world *w, vsdk_device *device, const _Atomic unsigned *released)
{
    unsigned before = atomic_load(released);
    uint64_t word = 0;
    const vsdk_status answers[] = {
        vsdk_vm_pause(w->vm, 0, 0, NULL),
        vsdk_vm_pause_request(w->vm, NULL),
        vsdk_vm_resume(w->vm, NULL),
        vsdk_vm_reset(w->vm, 0, NULL),
        vsdk_vm_stop(w->vm, VSDK_EXIT_POWEROFF, 0, 0, NULL),
        vsdk_vm_destroy(w->vm, NULL),
        vsdk_vcpu_run(w->vcpus[0], 0, NULL),
        vsdk_vcpu_kick(w->vcpus[0], NULL),
        vsdk_vm_read(w->vm, DATA, &word, sizeof word, NULL),
        vsdk_vm_map(w->vm, EXTRA_RAM, w->extra, 0, EXTRA_BYTES, 0, NULL),
        vsdk_vm_unmap(w->vm, EXTRA_RAM, EXTRA_BYTES, NULL),
        vsdk_vm_send_msi(w->vm, MESSAGE_ADDRESS, MESSAGE, NULL),
        device ? vsdk_device_detach(device, NULL) : VSDK_ERROR_STATE,
        device ? vsdk_device_enter(device, NULL) : VSDK_ERROR_STATE,
        device ? vsdk_device_stopped(device, NULL) : VSDK_ERROR_STATE,
        device ? vsdk_dma_read(device, DATA, &word, sizeof word, NULL) : VSDK_ERROR_STATE,
        device ? vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WORD, 1, 0, NULL)
               : VSDK_ERROR_STATE,
    };
    const int count = sizeof answers / sizeof answers[0];

    for (int i = 0; i < count; i++)
        if (answers[i] != VSDK_ERROR_STATE)
            return i + 1;
    vsdk_device_close(device);
    vsdk_vcpu_close(w->vcpus[0]);
    vsdk_vm_close(w->vm);
    return atomic_load(released) == before ? 0 : count + 1;
}

int child_of_fork(world *w, vsdk_device *device, const _Atomic unsigned *released)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(try_all(w, device, released));
    if (child < 0) /* ThreadSanitizer's memory: after many schedules there is none for a child */
        return errno == ENOMEM ? 0 : -1;
    while (waitpid(child, &status, 0) < 0)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
