/* What the library leaves behind in its process: nothing. After a warm-up, cycles of create, run
 * and destroy change no descriptor, signal, directory, child or mapping; a forked child may close;
 * and descriptors 0 to 2 stay free. */
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

enum { WARM = 4, CYCLES = 30, TEXT = 65536, SIGNALS = 64, GROWTH = 1 << 20 };

static const unsigned char code[] = {
    0xb0, 0x2a, /* mov al, 42 */
    0xe6, 0xf4, /* out 0xf4, al */
    0xeb, 0xfc, /* jmp to it */
};

static const char *backend;

struct guest {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;
};

static vsdk_status set_start(vsdk_vcpu *vcpu)
{
    vsdk_x86_regs regs = {.rip = 0x1000, .rflags = 2};
    vsdk_x86_sregs sregs;
    vsdk_status status =
        vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), NULL);

    if (status != VSDK_OK)
        return status;
    sregs.cs.base = sregs.cs.selector = 0;
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), NULL);
    return status == VSDK_OK
               ? vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL)
               : status;
}

static vsdk_status guest_make(struct guest *g)
{
    vsdk_status status;

    memset(g, 0, sizeof *g);
    if ((status = vsdk_host_open(backend, NULL, &g->host, NULL)) == VSDK_OK &&
        (status = vsdk_vm_create(g->host, NULL, &g->vm, NULL)) == VSDK_OK &&
        (status = vsdk_ram_create(g->vm, 1 << 20, NULL, &g->ram, NULL)) == VSDK_OK &&
        (status = vsdk_vm_map(g->vm, 0, g->ram, 0, 0xa0000, 0, NULL)) == VSDK_OK &&
        (status = vsdk_vm_write(g->vm, 0x1000, code, sizeof code, NULL)) == VSDK_OK &&
        (status = vsdk_vcpu_create(g->vm, 0, NULL, &g->vcpu, NULL)) == VSDK_OK &&
        (status = set_start(g->vcpu)) == VSDK_OK)
        status = vsdk_vm_resume(g->vm, NULL);
    return status;
}

static int guest_answers(struct guest *g)
{
    const vsdk_exit *exit = vsdk_vcpu_record(g->vcpu);

    return vsdk_vcpu_run(g->vcpu, VSDK_FOREVER, NULL) == VSDK_OK && exit->reason == VSDK_EXIT_PIO &&
           exit->address == 0xf4 && exit->value == 42;
}

static void guest_close(struct guest *g)
{
    vsdk_vcpu_close(g->vcpu);
    vsdk_ram_close(g->ram);
    vsdk_vm_close(g->vm);
    vsdk_host_close(g->host);
}

static void *cycle(void *failures)
{
    struct guest g;

    if (guest_make(&g) != VSDK_OK || !guest_answers(&g) || !guest_answers(&g))
        ++*(int *)failures;
    if (vsdk_vm_destroy(g.vm, NULL) != VSDK_OK)
        ++*(int *)failures;
    guest_close(&g);
    return NULL;
}

/* The last two runs of a cycle are of another thread, so that the main one never ran a vCPU. */
static int cycles(int count)
{
    int failures = 0;

    for (int i = 0; i < count; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, cycle, &failures) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    return failures;
}

/* The library's own threads of vsdk_vm_run come and go, too. */
static int run_cycles(int count)
{
    int failures = 0;

    for (int i = 0; i < count; i++) {
        struct guest g;
        vsdk_exit end;

        if (guest_make(&g) != VSDK_OK || vsdk_vm_run(g.vm, NULL, 2000000, &end, NULL) != VSDK_OK)
            failures++;
        guest_close(&g);
    }
    return failures;
}

struct snapshot {
    char descriptors[TEXT / 8], maps[TEXT], directory[4096];
    struct sigaction actions[SIGNALS + 1];
    sigset_t mask;
    mode_t umask;
    int children, threads;
    uint64_t anonymous;
};

static void append(char *text, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t room, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, room - used, format, arguments);
    va_end(arguments);
}

static void list_descriptors(char *text, size_t room)
{
    char target[256];

    for (int fd = 0; fd < 1100; fd++) {
        char link[32];
        ssize_t length;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = 0;
        append(text, room, "%d %s %d\n", fd, target, fcntl(fd, F_GETFD));
    }
}

/* Files by name; of anonymous memory only the sum, since allocators come by it as they like. */
static void list_maps(struct snapshot *s)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin = 0, end = 0;
        const char *path = strchr(line, '/');

        if (path)
            append(s->maps, sizeof s->maps, "%s", path);
        else if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && !strstr(line, "[stack]"))
            s->anonymous += end - begin;
    }
    if (maps)
        fclose(maps);
}

static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static void snapshot_take(struct snapshot *s)
{
    memset(s, 0, sizeof *s);
    list_descriptors(s->descriptors, sizeof s->descriptors);
    list_maps(s);
    if (!getcwd(s->directory, sizeof s->directory))
        s->directory[0] = 0;
    for (int number = 1; number <= SIGNALS; number++)
        sigaction(number, NULL, &s->actions[number]);
    pthread_sigmask(SIG_BLOCK, NULL, &s->mask);
    s->umask = umask(022);
    umask(s->umask);
    s->children = waitpid(-1, NULL, WNOHANG) >= 0;
    s->threads = count_entries("/proc/self/task");
}

static int same_signals(const struct snapshot *a, const struct snapshot *b)
{
    for (int number = 1; number <= SIGNALS; number++)
        if (a->actions[number].sa_handler != b->actions[number].sa_handler)
            return 0;
    return 1;
}

static int same_mask(const struct snapshot *a, const struct snapshot *b)
{
    for (int number = 1; number < SIGNALS; number++)
        if (sigismember(&a->mask, number) != sigismember(&b->mask, number))
            return 0;
    return 1;
}

/* Only there under AddressSanitizer or ThreadSanitizer, which keep memory that was freed. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static void compare(const struct snapshot *a, const struct snapshot *b, const char *after)
{
    tap(strcmp(a->descriptors, b->descriptors) == 0, "%s: the same descriptors", after);
    tap(same_signals(a, b), "%s: the same signal dispositions", after);
    tap(same_mask(a, b), "%s: the same signal mask of the main thread", after);
    tap(strcmp(a->directory, b->directory) == 0, "%s: the same directory", after);
    tap(a->umask == b->umask, "%s: the same umask", after);
    tap(a->children == b->children, "%s: the same children", after);
    tap(a->threads == b->threads, "%s: the same threads", after);
    tap(strcmp(a->maps, b->maps) == 0, "%s: the same mapped files", after);
    if (!__asan_init && !__tsan_init)
        tap(b->anonymous <= a->anonymous + GROWTH, "%s: no more memory (%llu, then %llu)", after,
            (unsigned long long)a->anonymous, (unsigned long long)b->anonymous);
}

static struct snapshot before, after;

static void test_cycles(void)
{
    tap(cycles(WARM) == 0, "warm-up");
    snapshot_take(&before);
    tap(cycles(CYCLES) == 0, "%d cycles of create, run and destroy", CYCLES);
    snapshot_take(&after);
    compare(&before, &after, "cycles");
}

static void test_run(void)
{
    tap(run_cycles(WARM) == 0, "warm-up of vsdk_vm_run");
    snapshot_take(&before);
    tap(run_cycles(WARM) == 0, "cycles of vsdk_vm_run");
    snapshot_take(&after);
    compare(&before, &after, "vsdk_vm_run");
}

static int count_inherited(void)
{
    int count = 0;

    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) == 0;
    return count;
}

/* While a guest lives every descriptor of the library's is closed by exec. */
static void test_descriptors(void)
{
    int own = count_inherited();
    struct guest g;

    tap(guest_make(&g) == VSDK_OK && guest_answers(&g), "a guest runs");
    tap(count_inherited() == own, "exec inherits no descriptor of the library's");
    guest_close(&g);
}

/* A failed open leaves nothing. */
static void test_failure(void)
{
    vsdk_host *host = NULL;

    snapshot_take(&before);
    for (int i = 0; i < 10; i++) {
        vsdk_host_open("no-such-backend", NULL, &host, NULL);
        if (vsdk_host_open("xen", NULL, &host, NULL) == VSDK_OK)
            vsdk_host_close(host);
    }
    snapshot_take(&after);
    compare(&before, &after, "failed opens");
}

static int child_status(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

struct children {
    vsdk_device *device;
    vsdk_irq *irq;
    vsdk_doorbell *doorbell;
    vsdk_loop *loop;
    vsdk_watch *watch;
    vsdk_timer *timer;
    vsdk_dma_view view;
    int pipe[2];
};

static int called, released;

static void on_release(void *user)
{
    released++;
}

static void on_line(void *user, uint32_t gsi, uint32_t level)
{
    called++;
}

static void on_ready(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    called++;
}

static void on_time(void *user)
{
    called++;
}

static const vsdk_device_ops quiet = {.size = sizeof quiet, .release = on_release};

static const vsdk_doorbell_config bell = {
    .size = sizeof bell, .space = VSDK_SPACE_PIO, .address = 0x700, .width = 1};

static int children_make(const struct guest *g, struct children *c)
{
    *c = (struct children){.view.size = sizeof c->view};
    return !vsdk_vm_get_loop(g->vm, &c->loop, NULL) && pipe(c->pipe) == 0 &&
           !vsdk_device_create(g->vm, &quiet, NULL, NULL, &c->device, NULL) &&
           !vsdk_irq_controller_attach(g->vm, 0, 24, on_line, NULL, on_release, NULL) &&
           !vsdk_irq_create(g->vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4},
                            &c->irq, NULL) &&
           !vsdk_irq_raise(c->irq, NULL) &&
           !vsdk_doorbell_create(g->vm, &bell, &c->doorbell, NULL) &&
           !vsdk_watch_create(c->loop, NULL, c->pipe[0], VSDK_LOOP_READ, on_ready, NULL, on_release,
                              &c->watch, NULL) &&
           !vsdk_timer_create(c->loop, NULL, on_time, NULL, on_release, &c->timer, NULL) &&
           !vsdk_dma_map(g->vm, 0, 4096, VSDK_DMA_FROM_GUEST, &c->view, NULL);
}

static void children_close(struct children *c)
{
    vsdk_irq_close(c->irq);
    vsdk_doorbell_close(c->doorbell);
    vsdk_watch_close(c->watch);
    vsdk_timer_close(c->timer);
    vsdk_dma_unmap(&c->view);
    vsdk_device_close(c->device);
    close(c->pipe[0]);
    close(c->pipe[1]);
}

/* In the child: 0 if closing everything called nobody. */
static int close_in_child(struct guest *g, struct children *c)
{
    called = released = 0;
    children_close(c);
    guest_close(g);
    return called * 16 + released;
}

static void compare_children(const struct guest *g, struct children *c)
{
    vsdk_doorbell *other = NULL;
    uint32_t ran = 0;

    called = 0;
    tap(write(c->pipe[1], "", 1) == 1 && vsdk_loop_dispatch(c->loop, 0, &ran, NULL) == VSDK_OK &&
            called == 1,
        "the parent's loop still watches");
    tap(vsdk_doorbell_create(g->vm, &bell, &other, NULL) == VSDK_ERROR_EXISTS,
        "the parent's doorbell is still there");
}

/* A forked child may only close, and that touches no virtual machine. */
static void test_fork(void)
{
    struct children c;
    struct guest g;
    pid_t child;

    tap(guest_make(&g) == VSDK_OK && guest_answers(&g), "a guest runs before the fork");
    tap(children_make(&g, &c), "it has one of everything");
    child = fork();
    if (child == 0)
        _exit(close_in_child(&g, &c));
    tap(child_status(child) == 0, "the child closed its handles, and nobody was called");
    compare_children(&g, &c);
    children_close(&c);
    tap(guest_answers(&g), "the parent's guest still runs");
    tap(vsdk_vm_pause(g.vm, 0, VSDK_FOREVER, NULL) == VSDK_OK, "the parent's guest can be paused");
    tap(vsdk_vm_destroy(g.vm, NULL) == VSDK_OK, "the parent's guest can be destroyed");
    guest_close(&g);
}

/* In a child: 0 if a guest ran with descriptors 0 to 2 closed, and they are free again. */
static int run_without_standard_streams(void)
{
    struct guest g;

    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (guest_make(&g) != VSDK_OK || !guest_answers(&g))
        return 1;
    for (int fd = 0; fd < 3; fd++)
        if (strcmp(backend, "xen") != 0 && fcntl(fd, F_GETFD) >= 0)
            return 2;
    guest_close(&g);
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 3;
    return 0;
}

static void test_standard_streams(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(run_without_standard_streams());
    status = child_status(child);
    tap(status == 0, "works with stdin, stdout and stderr closed (%d)", status);
}

int main(void)
{
    vsdk_host *host = NULL;
    vsdk_error error;

    backend = getenv("VSDK_TEST_BACKEND") ? getenv("VSDK_TEST_BACKEND") : "mock";
    if (vsdk_host_open(backend, NULL, &host, &error) != VSDK_OK) {
        printf("1..0 # SKIP %s: %s\n", backend, error.message);
        return 0;
    }
    vsdk_host_close(host);
    test_standard_streams();
    test_failure();
    test_cycles();
    test_descriptors();
    test_fork();
    test_run();
    return tap_end();
}
