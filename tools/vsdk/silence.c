/* The most frequent question is "why does nothing come?". It is looked at once, when the guest has
 * said nothing for --silence; what has spoken before is never looked at, as guests may be silent
 * for good reasons.
 *
 * A driven guest (KVM) executes on threads of this process. Whether these sleep is seen in /proc
 * without disturbing them: a processor that is halted sleeps in the kernel. CPU time would not
 * tell, since a guest that is at work gets little of it on a busy computer. Then the run is ended
 * for a moment, which is the one way to look at registers: interrupts off, and all asleep, is for
 * good. */
#include "silence.h"
#include "command.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS = 5, BETWEEN_NS = 20 * 1000 * 1000, INTERRUPTS_ON = 1 << 9 };

/* The state letter stands behind the name, which ends at the last parenthesis. */
static int sleeps(const char *task)
{
    char path[64], text[512];
    ssize_t length = -1;
    int fd;

    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", task);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        length = read(fd, text, sizeof text - 1);
        close(fd);
    }
    if (length <= 0)
        return 0;
    text[length] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end && !strncmp(name_end, ") S", 3);
}

/* All threads but the calling one. */
static int all_sleep(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    int all = tasks != NULL;

    while (all && (task = readdir(tasks)) != NULL)
        all = task->d_name[0] == '.' || atoi(task->d_name) == gettid() || sleeps(task->d_name);
    if (tasks)
        closedir(tasks);
    return all;
}

static void on_time(void *user)
{
    silence *s = user;

    if (s->console->spoke || s->console->left)
        return;
    s->awake += !all_sleep();
    if (++s->looks < LOOKS) {
        vsdk_timer_arm(s->timer, BETWEEN_NS, 0, NULL);
        return;
    }
    s->ended_run = 1;
    vsdk_vm_run_cancel(s->machine->vm, NULL);
}

vsdk_status silence_watch(silence *s, vsdk_error *error)
{
    vsdk_loop *loop;
    vsdk_status status;

    if (!s->options->silence_ns || !s->console->shows)
        return VSDK_OK;
    status = vsdk_vm_get_loop(s->machine->vm, &loop, error);
    if (status == VSDK_OK)
        status = vsdk_timer_create(loop, NULL, on_time, s, NULL, &s->timer, error);
    if (status == VSDK_OK)
        status = vsdk_timer_arm(s->timer, s->options->silence_ns, 0, error);
    return status;
}

/* A processor that was never started has them off too. */
static int interrupts_on(const silence *s)
{
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;

    for (uint32_t i = 0; machine_registers(s->machine, i, &regs, &sregs); i++)
        if (regs.rflags & INTERRUPTS_ON)
            return 1;
    return 0;
}

/* Of a Linux kernel; other guests that come as ELF do not go by it. */
static int lacks_console(const silence *s)
{
    const run_options *o = s->options;
    vsdk_boot_format format = o->format;

    if (format == VSDK_BOOT_AUTO)
        vsdk_boot_probe(s->image->bytes, s->image->length, &format, NULL);
    return (format == VSDK_BOOT_BZIMAGE || format == VSDK_BOOT_PVH) &&
           (!o->command_line || !strstr(o->command_line, "console="));
}

/* The first line says what happened, each further one what else may be the cause. */
static void tell(silence *s, const char *cause)
{
    if (s->told++)
        complain("also: %s", cause);
    else
        complain("the guest has written nothing for %.12g s; %s",
                 (double)(s->options->silence_ns / 1000) / 1e6, cause);
}

static void tell_where(silence *s, const char *what)
{
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
    char line[160];

    if (!machine_registers(s->machine, 0, &regs, &sregs)) {
        tell(s, what);
        return;
    }
    snprintf(line, sizeof line, "%s (vCPU 0 is at %#llx)", what,
             (unsigned long long)(sregs.cs.base + regs.rip));
    tell(s, line);
}

static int is_driven(const silence *s)
{
    vsdk_capability_info info = {.size = sizeof info};

    return vsdk_host_query(s->machine->host, VSDK_CAPABILITY_AUTONOMOUS, &info, NULL) == VSDK_OK &&
           info.answer == VSDK_ANSWER_NO;
}

int silence_tell(silence *s)
{
    int driven = is_driven(s), asleep = driven && !s->awake;
    vsdk_capability_info info;

    s->ended_run = 0;
    if (asleep && !interrupts_on(s)) {
        tell(s, "it has halted for good: every processor is halted with interrupts off");
        return 1;
    }
    if (lacks_console(s))
        tell(s, "its command line has no console=, without which Linux writes nowhere: --append "
                "console=ttyS0");
    if (!asleep && machine_emulates(s->machine, &info)) {
        char line[sizeof info.reason + 40];
        snprintf(line, sizeof line, "kernel mode is emulated here: %s", info.reason);
        tell(s, line);
    }
    if (asleep)
        tell(s, "it is halted and waits for an interrupt, such as a timer's or that of input");
    else
        tell_where(s, driven ? "it is at work" : "it works or waits, this backend does not tell");
    return 0;
}

void silence_close(silence *s)
{
    vsdk_timer_close(s->timer);
    s->timer = NULL;
}
