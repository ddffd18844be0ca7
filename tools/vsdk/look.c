/* SPDX-License-Identifier: Apache-2.0 */
/* Two questions. "Why does nothing come?" is answered once, when the guest has said nothing for
 * --silence; what has spoken is not asked again, as guests may be silent for good reasons. "Has it
 * halted for good?" is asked as long as it runs: a guest whose processors are all halted with
 * interrupts off ends on Xen, and never leaves the kernel on KVM.
 *
 * A driven guest (KVM) executes on threads of this process. Whether these sleep is seen in /proc
 * without disturbing them: a processor that is halted sleeps in the kernel. CPU time would not
 * tell, since a guest that is at work gets little of it on a busy computer. Only then is the run
 * ended for a moment, which is the one way to look at registers: interrupts off, and all asleep, is
 * for good. An idle guest is looked at so ever more seldom. */
#include "look.h"
#include "command.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS = 5, ENOUGH = 2, ENOUGH_MOST = 64, INTERRUPTS_ON = 1 << 9 };

static const uint64_t between_ns = 20000000, second_ns = 1000000000;

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

static int is_driven(const look *l)
{
    vsdk_capability_info info = {.size = sizeof info};

    return !vsdk_host_query(l->machine->host, VSDK_CAPABILITY_AUTONOMOUS, &info, NULL) &&
           info.answer == VSDK_ANSWER_NO;
}

/* 1 when enough was seen. */
static int look_for_silence(look *l)
{
    l->awake += !all_sleep();
    return ++l->looks >= LOOKS;
}

/* A thread that waits for a reader sleeps too. */
static int look_for_halt(look *l)
{
    l->asleep = !l->console->waiting && all_sleep() ? l->asleep + 1 : 0;
    return l->asleep >= l->enough;
}

static void on_time(void *user, vsdk_timer *timer)
{
    look *l = user;

    l->silent = l->silent && !l->console->spoke;
    if (l->console->left || (!l->silent && !is_driven(l)))
        return;
    if (l->silent ? look_for_silence(l) : look_for_halt(l)) {
        l->ended_run = 1;
        vsdk_vm_run_cancel(l->machine->vm, NULL);
        return;
    }
    vsdk_timer_arm(timer, l->silent ? between_ns : second_ns, 0, NULL);
}

vsdk_status look_begin(look *l, vsdk_error *error)
{
    vsdk_loop *loop = vsdk_vm_loop(l->machine->vm, error);
    vsdk_status status = loop ? VSDK_OK : error->code;

    l->silent = l->options->silence_ns && l->console->shows;
    l->enough = ENOUGH;
    if (!status)
        status = vsdk_timer_create(loop, NULL, on_time, l, NULL, &l->timer, error);
    if (!status)
        status = vsdk_timer_arm(l->timer, l->silent ? l->options->silence_ns : second_ns, 0, error);
    return status;
}

/* A processor that was never started has them off too. */
static int interrupts_on(const look *l)
{
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;

    for (uint32_t i = 0; machine_registers(l->machine, i, &regs, &sregs); i++)
        if (regs.rflags & INTERRUPTS_ON)
            return 1;
    return 0;
}

/* Of a Linux kernel; other guests that come as ELF do not go by it. */
static int lacks_console(const look *l)
{
    const run_options *o = l->options;
    vsdk_boot_format format = o->format;

    if (format == VSDK_BOOT_AUTO)
        vsdk_boot_probe(l->image->bytes, l->image->length, &format, NULL);
    return (format == VSDK_BOOT_BZIMAGE || format == VSDK_BOOT_PVH) &&
           (!o->command_line || !strstr(o->command_line, "console="));
}

static double silence_s(const look *l)
{
    return (double)(l->options->silence_ns / 1000) / 1e6;
}

/* The first line says what happened, each further one what else may be the cause. */
static void tell(look *l, const char *cause)
{
    if (l->told++)
        complain("also: %s", cause);
    else
        complain("the guest has written nothing for %.12g s; %s",
                 (double)(l->options->silence_ns / 1000) / 1e6, cause);
}

static void tell_where(look *l, const char *what)
{
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
    char line[160];

    if (!machine_registers(l->machine, 0, &regs, &sregs)) {
        tell(l, what);
        return;
    }
    snprintf(line, sizeof line, "%s (vCPU 0 is at %#llx)", what,
             (unsigned long long)(sregs.cs.base + regs.rip));
    tell(l, line);
}

static void tell_silence(look *l, int driven, int asleep)
{
    vsdk_capability_info info;

    if (lacks_console(l))
        tell(l, "its command line has no console=, without which Linux writes nowhere: --append "
                "console=ttyS0");
    if (!asleep && machine_emulates(l->machine, &info)) {
        char line[sizeof info.reason + 40];
        snprintf(line, sizeof line, "kernel mode is emulated here: %s", info.reason);
        tell(l, line);
    }
    if (asleep)
        tell(l, "it is halted and waits for an interrupt, such as a timer's or that of input");
    else
        tell_where(l, driven ? "it is at work" : "it works or waits, this backend does not tell");
}

int look_closely(look *l)
{
    static const char for_good[] = "halted for good: every processor is halted with interrupts off";
    int silent = l->silent, driven = is_driven(l);
    int asleep = driven && (silent ? !l->awake : l->asleep != 0);

    l->ended_run = l->silent = 0;
    l->asleep = 0;
    if (asleep && !interrupts_on(l)) {
        if (!silent)
            complain("the guest has %s", for_good);
        else
            complain("the guest has written nothing for %.12g s; it has %s", silence_s(l),
                     for_good);
        return 1;
    }
    if (silent)
        tell_silence(l, driven, asleep);
    else if (l->enough < ENOUGH_MOST)
        l->enough *= 2;
    vsdk_timer_arm(l->timer, second_ns, 0, NULL);
    return 0;
}

void look_end(look *l)
{
    vsdk_timer_close(l->timer);
    l->timer = NULL;
}
