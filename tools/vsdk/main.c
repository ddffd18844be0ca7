/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk: the library from a shell. Which command is meant, and what all of them share: how they
 * speak on standard error, and that what was printed on standard output arrived, or else the status
 * says so. */
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] = "usage: vsdk info [--json] [--backend NAME]\n"
                            "       vsdk run [OPTION]... IMAGE\n"
                            "       vsdk disk VERB [OPTION]... FILE...\n"
                            "       vsdk reap [--list]\n"
                            "       vsdk --help | --version\n"
                            "\n"
                            "info   what this host can do, and why not\n"
                            "run    boot a kernel or another image\n"
                            "disk   look at, make, copy, check and change disk images\n"
                            "reap   free guests whose owner died (Xen)\n"
                            "\n"
                            "vsdk COMMAND --help tells a command's options; vsdk(1) tells all.\n";

static const struct {
    const char *name;
    char *program; /* what getopt calls itself */
    int (*run)(int argc, char **argv);
} commands[] = {{"info", "vsdk info", cmd_info},
                {"run", "vsdk run", cmd_run},
                {"disk", "vsdk disk", cmd_disk},
                {"reap", "vsdk reap", cmd_reap}};

/* Standard error may be a pipe that nobody reads: then it is given a second, once, and then nothing
 * more. By parts that a pipe takes at once when it takes anything. */
int complain(const char *format, ...)
{
    static _Atomic int lost;
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    char line[PIPE_BUF];
    va_list arguments;
    int kept = errno, length = snprintf(line, sizeof line, "vsdk: ");

    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 1)
        length = sizeof line - 1;
    line[length++] = '\n';
    if (!lost && poll(&ready, 1, 1000) == 0)
        lost = 1;
    if (!lost && write(STDERR_FILENO, line, (size_t)length) < 0)
        lost = errno == EPIPE;
    errno = kept;
    return STATUS_FAILED;
}

int report(const vsdk_error *error)
{
    complain("%s: %s", error->operation, error->message);
    if (error->hint[0])
        complain("%s", error->hint);
    return STATUS_FAILED;
}

void print_log(void *user, vsdk_log_level level, const char *text)
{
    (void)user;
    complain("%s: %s", vsdk_log_level_name(level), text);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int print_version(void)
{
    uint32_t version = vsdk_version();

    printf("vsdk %u.%u.%u\n", version >> 16, version >> 8 & 0xff, version & 0xff);
    return 0;
}

/* A closed standard descriptor would become a file of ours. Reading ends at once and writing fails.
 */
static void fill_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

/* The result, or a failure if what was printed did not arrive. */
static int finish(int result)
{
    if (fflush(stdout) || ferror(stdout))
        return complain("standard output: %s", strerror(errno));
    return result;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        fputs(usage, stderr);
        return STATUS_FAILED;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return fputs(usage, stdout), 0;
    if (!strcmp(argv[1], "--version"))
        return print_version();
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            argv[1] = commands[i].program;
            return commands[i].run(argc - 1, argv + 1);
        }
    complain("no command %s", argv[1]);
    fputs(usage, stderr);
    return STATUS_FAILED;
}

int main(int argc, char **argv)
{
    fill_standard();
    return finish(run(argc, argv));
}
