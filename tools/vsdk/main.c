/* vsdk: the library from a shell. */
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "usage: vsdk info [--json] [--backend NAME]\n"
                            "       vsdk run [OPTION]... IMAGE\n"
                            "       vsdk reap [--list]\n"
                            "       vsdk --help | --version\n"
                            "\n"
                            "info   what this host can do, and why not\n"
                            "run    boot a kernel or another image\n"
                            "reap   free guests whose owner died (Xen)\n"
                            "\n"
                            "vsdk COMMAND --help tells a command's options; vsdk(1) tells all.\n";

static const struct {
    const char *name;
    char *program; /* what getopt calls itself */
    int (*run)(int argc, char **argv);
} commands[] = {
    {"info", "vsdk info", cmd_info}, {"run", "vsdk run", cmd_run}, {"reap", "vsdk reap", cmd_reap}};

int complain(const char *format, ...)
{
    va_list arguments;

    fputs("vsdk: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
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
    fprintf(stderr, "vsdk: %s: %s\n", vsdk_log_level_name(level), text);
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
