/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk disk: images without a guest. Each verb opens what it needs by the library's own functions,
 * does one thing, and says what went wrong with the file's name. Progress goes to standard error,
 * and only to a terminal. */
#include "command.h"
#include "words.h"
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: vsdk disk info [--format NAME] FILE\n"
    "       vsdk disk create [--format NAME] [--backing FILE --backing-format NAME]\n"
    "                        [--cluster SIZE] FILE SIZE\n"
    "       vsdk disk convert [--format NAME] [--to NAME] FILE NEW\n"
    "       vsdk disk check [--format NAME] [--repair] FILE\n"
    "       vsdk disk resize [--format NAME] [--shrink] FILE SIZE\n"
    "       vsdk disk commit [--format NAME] --backing-format NAME FILE\n"
    "\n"
    "info     what an image is\n"
    "create   a new image, qcow2 without --format; --backing: on top of another one\n"
    "convert  copy an image into a new one, raw without --to; what is zero takes no room\n"
    "check    look for what is wrong; status 1 for errors, 2 for leaks alone\n"
    "resize   give an image another capacity\n"
    "commit   write what an image has into its backing file, whose format has to be given\n"
    "\n"
    "  --allow FILE          a backing file that the image may name, and theirs; may be\n"
    "                        repeated. No other file is opened\n"
    "Sizes are bytes, or have a suffix K, M, G or T.\n";

enum { FORMAT = 1, TO, BACKING, BACKING_FORMAT, CLUSTER, REPAIR, SHRINK, ALLOW, HELP = 'h' };
enum { ALLOWED_MAX = 32, COPY = 1 << 20, STATUS_ERRORS = 1, STATUS_LEAKS = 2 };

static const struct option table[] = {{"format", required_argument, NULL, FORMAT},
                                      {"to", required_argument, NULL, TO},
                                      {"backing", required_argument, NULL, BACKING},
                                      {"backing-format", required_argument, NULL, BACKING_FORMAT},
                                      {"cluster", required_argument, NULL, CLUSTER},
                                      {"repair", no_argument, NULL, REPAIR},
                                      {"shrink", no_argument, NULL, SHRINK},
                                      {"allow", required_argument, NULL, ALLOW},
                                      {"help", no_argument, NULL, HELP},
                                      {NULL, 0, NULL, 0}};

typedef struct disk_options {
    vsdk_disk_format format, to, backing_format;
    const char *backing;
    const char *allowed[ALLOWED_MAX];
    uint32_t allowed_count;
    uint64_t cluster;
    int repair, shrink;
    const char *words[2]; /* what is no option */
    int count;
} disk_options;

static vsdk_error error;

static int format_of(const char *option, vsdk_disk_format *format)
{
    return words_choice(option, optarg, vsdk_disk_format_name, VSDK_DISK_VHDX + 1, format);
}

static int take(disk_options *o, int option)
{
    switch (option) {
    case FORMAT:
        return format_of("format", &o->format);
    case TO:
        return format_of("to", &o->to);
    case BACKING_FORMAT:
        return format_of("backing-format", &o->backing_format);
    case BACKING:
        o->backing = optarg;
        return 0;
    case CLUSTER:
        return words_size("--cluster", optarg, &o->cluster);
    case REPAIR:
        o->repair = 1;
        return 0;
    case SHRINK:
        o->shrink = 1;
        return 0;
    case ALLOW:
        if (o->allowed_count == ALLOWED_MAX)
            return complain("--allow: %d at most", ALLOWED_MAX), -1;
        o->allowed[o->allowed_count++] = optarg;
        return 0;
    default:
        return complain("see vsdk disk --help"), -1;
    }
}

/* 0 to go on, 1 when help was printed, -1 after a complaint. */
static int parse(disk_options *o, int argc, char **argv, int wanted)
{
    int option;

    while ((option = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        if (option == HELP)
            return fputs(usage, stdout), 1;
        if (take(o, option))
            return -1;
    }
    for (; optind < argc && o->count < wanted; optind++)
        o->words[o->count++] = argv[optind];
    if (o->count == wanted && optind == argc)
        return 0;
    return complain("%s; see vsdk disk --help",
                    optind < argc ? "a word too much" : "a file or a size is missing"),
           -1;
}

/* Names what could not be opened: the library's message is about what is in it. */
static int open_disk(const disk_options *o, const char *path, vsdk_disk_format format,
                     uint32_t flags, vsdk_disk **disk)
{
    vsdk_disk_config config = {.size = sizeof config,
                               .path = path,
                               .descriptor = -1,
                               .format = format,
                               .flags = flags,
                               .allowed = o->allowed,
                               .allowed_count = o->allowed_count};

    return vsdk_disk_open(&config, disk, &error) ? (report(&error), -1) : 0;
}

static int get_info(vsdk_disk *disk, vsdk_disk_info *info)
{
    *info = (vsdk_disk_info){.size = sizeof *info};
    return vsdk_disk_get_info(disk, info, &error) ? (report(&error), -1) : 0;
}

static int disk_info(const disk_options *o)
{
    vsdk_disk *disk;
    vsdk_disk_info info;

    if (open_disk(o, o->words[0], o->format, VSDK_DISK_READ_ONLY, &disk))
        return STATUS_FAILED;
    int failed = get_info(disk, &info);
    if (!failed) {
        printf("file: %s\nformat: %s\ncapacity: %" PRIu64 "\n", o->words[0],
               vsdk_disk_format_name(info.format), info.capacity);
        if (info.allocated)
            printf("allocated: %" PRIu64 "\n", info.allocated);
        if (info.backing)
            printf("backing: %s\n", info.backing);
    }
    vsdk_disk_close(disk);
    return failed ? STATUS_FAILED : 0;
}

static int disk_create(const disk_options *o)
{
    vsdk_disk_image image = {.size = sizeof image,
                             .path = o->words[0],
                             .format = o->format ? o->format : VSDK_DISK_QCOW2,
                             .backing = o->backing,
                             .backing_format = o->backing_format,
                             .cluster_size = (uint32_t)o->cluster};

    if (o->cluster > UINT32_MAX)
        return complain("--cluster is too large");
    if (words_size("SIZE", o->words[1], &image.capacity))
        return STATUS_FAILED;
    return vsdk_disk_create_image(&image, &error) ? report(&error) : 0;
}

static void progress(uint64_t done, uint64_t all)
{
    static int shown = -1;
    int percent = (int)(done / (all / 100 + 1));

    if (done != all && (percent == shown || !isatty(STDERR_FILENO)))
        return;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%3d %%%s", done == all ? 100 : percent, done == all ? "\n" : "");
    shown = percent;
}

static int is_zero(const uint8_t *bytes, uint64_t length)
{
    return !length || (!bytes[0] && !memcmp(bytes, bytes + 1, length - 1));
}

/* What `to` has already is not written: zeros of a new image, or what the backing file has. */
static vsdk_status copy_all(vsdk_disk *from, vsdk_disk *to, uint64_t capacity, int compare)
{
    static uint8_t bytes[COPY], there[COPY];
    vsdk_status status = VSDK_OK;

    for (uint64_t at = 0; !status && at < capacity; at += COPY) {
        uint64_t count = capacity - at < COPY ? capacity - at : COPY;
        progress(at, capacity);
        status = vsdk_disk_read(from, at, bytes, count, &error);
        if (!status && compare)
            status = vsdk_disk_read(to, at, there, count, &error);
        if (!status && !(compare ? !memcmp(bytes, there, count) : is_zero(bytes, count)))
            status = vsdk_disk_write(to, at, bytes, count, &error);
    }
    if (!status)
        status = vsdk_disk_flush(to, &error);
    if (!status)
        progress(capacity, capacity);
    return status;
}

/* What was begun and not ended is no image: it goes again. There was none before, or it would not
 * have been made. */
static int disk_convert(const disk_options *o)
{
    vsdk_disk_image image = {.size = sizeof image,
                             .path = o->words[1],
                             .format = o->to ? o->to : VSDK_DISK_RAW,
                             .cluster_size = (uint32_t)o->cluster};
    vsdk_disk *from, *to;
    vsdk_disk_info info;

    if (open_disk(o, o->words[0], o->format, VSDK_DISK_READ_ONLY, &from))
        return STATUS_FAILED;
    int failed = get_info(from, &info);
    image.capacity = info.capacity;
    int made = !failed && !vsdk_disk_create_image(&image, &error);
    if (!failed && !made)
        failed = (report(&error), -1);
    if (!failed && !(failed = open_disk(o, image.path, image.format, 0, &to))) {
        if (copy_all(from, to, info.capacity, 0))
            failed = (report(&error), -1);
        vsdk_disk_close(to);
    }
    if (made && failed)
        unlink(image.path);
    vsdk_disk_close(from);
    return failed ? STATUS_FAILED : 0;
}

static int disk_check(const disk_options *o)
{
    vsdk_disk_report found = {.size = sizeof found};
    vsdk_disk *disk;

    if (open_disk(o, o->words[0], o->format, o->repair ? 0 : VSDK_DISK_READ_ONLY, &disk))
        return STATUS_FAILED;
    vsdk_status status = vsdk_disk_check(disk, o->repair ? VSDK_DISK_REPAIR : 0, &found, &error);
    vsdk_disk_close(disk);
    if (status)
        return report(&error);
    printf("%s: %" PRIu64 " errors, %" PRIu64 " leaks\n", o->words[0], found.errors, found.leaks);
    return found.errors ? STATUS_ERRORS : found.leaks ? STATUS_LEAKS : 0;
}

static int disk_resize(const disk_options *o)
{
    vsdk_disk_info info;
    vsdk_disk *disk;
    uint64_t size;

    if (words_size("SIZE", o->words[1], &size) || open_disk(o, o->words[0], o->format, 0, &disk))
        return STATUS_FAILED;
    int failed = get_info(disk, &info);
    if (!failed && size < info.capacity && !o->shrink)
        failed = complain("%s has %" PRIu64 " bytes: what lies above %" PRIu64
                          " would be lost; --shrink if that is meant",
                          o->words[0], info.capacity, size);
    if (!failed && vsdk_disk_resize(disk, size, &error))
        failed = report(&error);
    vsdk_disk_close(disk);
    return failed ? STATUS_FAILED : 0;
}

/* The name of a backing file begins at the image's folder. */
static int backing_path(const char *image, const char *backing, char *path, size_t room)
{
    const char *slash = strrchr(image, '/');
    int folder = *backing == '/' || !slash ? 0 : (int)(slash + 1 - image);
    int length = snprintf(path, room, "%.*s%s", folder, image, backing);

    return length < 0 || (size_t)length >= room;
}

/* The backing file is locked for reading as long as the image is open over it, by this very
 * process: so it is opened without a lock of its own. Its format is never looked for: what a guest
 * wrote, and an earlier commit put there, can make a raw file look like any other. */
static int disk_commit(const disk_options *o)
{
    char path[PATH_MAX];
    vsdk_disk *disk, *below;
    vsdk_disk_info info, under;

    if (!o->backing_format)
        return complain("commit: say by --backing-format what the backing file is (raw, qcow2): a "
                        "guest can have written what it looks like");
    if (open_disk(o, o->words[0], o->format, VSDK_DISK_READ_ONLY, &disk))
        return STATUS_FAILED;
    int failed = get_info(disk, &info);
    if (!failed && (!info.backing || backing_path(o->words[0], info.backing, path, sizeof path)))
        failed = complain("%s has no backing file", o->words[0]);
    if (!failed && !(failed = open_disk(o, path, o->backing_format, VSDK_DISK_NO_LOCK, &below))) {
        failed = get_info(below, &under);
        if (!failed && under.capacity < info.capacity &&
            vsdk_disk_resize(below, info.capacity, &error))
            failed = report(&error);
        if (!failed && copy_all(disk, below, info.capacity, 1))
            failed = report(&error);
        vsdk_disk_close(below);
    }
    vsdk_disk_close(disk);
    return failed ? STATUS_FAILED : 0;
}

static const struct {
    const char *name;
    int words;
    int (*run)(const disk_options *o);
} verbs[] = {{"info", 1, disk_info},   {"create", 2, disk_create}, {"convert", 2, disk_convert},
             {"check", 1, disk_check}, {"resize", 2, disk_resize}, {"commit", 1, disk_commit}};

int cmd_disk(int argc, char **argv)
{
    disk_options options = {0};

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return fputs(usage, stdout), 0;
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(argv[1], verbs[i].name)) {
            int result = parse(&options, argc - 1, argv + 1, verbs[i].words);
            return result ? (result < 0 ? STATUS_FAILED : 0) : verbs[i].run(&options);
        }
    if (argc > 1)
        return complain("disk: no verb %s; see vsdk disk --help", argv[1]);
    fputs(usage, stderr);
    return STATUS_FAILED;
}
