/* SPDX-License-Identifier: Apache-2.0 */
/* The qcow2 driver beside qemu-img: images in every variant read the same; what random sequences of
 * operations leave passes qemu-img's check and has what a plain model has, also after a loss of
 * power at any write. VSDK_TEST_SEQUENCES sets how many sequences there are, VSDK_TEST_SEED where
 * the numbers begin. */
#include "qcow2_rig.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SECTOR = 512, MOST_ARGUMENTS = 24, BACKING_TAG = 1 << 24 };

static char folder[64];
static uint64_t random_state;

static uint64_t chance(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return below ? (random_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % below : 0;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/vsdk-qcow2-XXXXXX");
    cr_assert(mkdtemp(folder));
    random_state = number_from("VSDK_TEST_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void end(void)
{
    static const char *const made[] = {"image", "backing", "raw", "copy"};

    for (unsigned i = 0; i < sizeof made / sizeof made[0]; i++)
        unlink(in_folder(made[i]));
    rmdir(folder);
}

TestSuite(qcow2, .init = begin, .fini = end);

/* Runs qemu-img: what it exits with. NULL ends the arguments. */
static int qemu_img(const char *first, ...)
{
    const char *arguments[MOST_ARGUMENTS] = {"qemu-img", first};
    unsigned count = 2;
    va_list list;
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    va_start(list, first);
    while (count < MOST_ARGUMENTS - 1 && (arguments[count] = va_arg(list, const char *)))
        count++;
    va_end(list);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (!getenv("VSDK_TEST_QEMU"))
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    cr_assert(!posix_spawnp(&pid, "qemu-img", &actions, NULL, (char *const *)arguments, environ),
              "qemu-img is needed: install qemu-utils");
    posix_spawn_file_actions_destroy(&actions);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Images as qemu-img makes them: their bytes are what it reads in them. */

/* What is in a source: zeros, a pattern that packs well, noise; the same each time. */
static void source_make(const char *path, uint64_t length)
{
    uint8_t *bytes = calloc(1, length);

    cr_assert(bytes);
    for (uint64_t at = 0; at < length; at += 8192) {
        uint64_t how = chance(4), piece = length - at < 8192 ? length - at : 8192;
        for (uint64_t i = 0; how && i < piece; i++)
            bytes[at + i] = how == 1 ? (uint8_t)chance(256) : (uint8_t)(i >> 4 ^ at >> 13);
    }
    disk_file *file = rig_file_of(bytes, length);
    rig_file_store(file, path);
    rig_file_free(file);
    free(bytes);
}

/* Reads the image in pieces of different lengths, and compares with what qemu-img reads. */
static void expect_same(const char *what, const char *path)
{
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = rig_file_load(path);

    cr_assert(!qemu_img("convert", "-O", "raw", path, in_folder("raw"), NULL), "%s", what);
    disk_file *raw = rig_file_load(in_folder("raw"));
    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error), "%s: %s", what, error.message);
    cr_assert_eq(image->capacity, file_length(raw), "%s", what);
    uint8_t *bytes = malloc(image->capacity);
    cr_assert(bytes);
    for (uint64_t at = 0, piece; at < image->capacity; at += piece) {
        piece = (1 + chance(400)) * SECTOR;
        if (piece > image->capacity - at)
            piece = image->capacity - at;
        vsdk_status status = image->format->read(image, at, bytes + at, piece, &error);
        cr_assert(!status, "%s: %s", what, error.message);
    }
    cr_assert(!memcmp(bytes, rig_bytes(raw), image->capacity), "%s is not the same", what);
    free(bytes);
    rig_close(image);
    rig_file_free(raw);
    rig_file_free(file);
}

/* The image still passes after we wrote some of it. */
static void expect_writable(const char *what, const char *path)
{
    vsdk_error error = {0};
    vsdk_disk_report report = {0};
    disk_image *image;
    uint8_t bytes[8 * SECTOR];
    disk_file *file = rig_file_load(path);

    memset(bytes, 0x5a, sizeof bytes);
    cr_assert(!rig_open(file, 0, &image, &error), "%s: %s", what, error.message);
    for (int i = 0; i < 40; i++) {
        uint64_t at = chance((image->capacity - sizeof bytes) / SECTOR) * SECTOR;
        vsdk_status status = image->format->write(image, at, bytes, sizeof bytes, &error);
        cr_assert(!status, "%s: %s", what, error.message);
        if (i % 8 == 0)
            cr_assert(!image->format->discard(image, at, 1 << 20, NULL));
    }
    cr_assert(!image->format->check(image, 0, &report, &error), "%s: %s", what, error.message);
    cr_assert(!report.errors && !report.leaks, "%s: %s", what, report.first);
    rig_close(image);
    rig_file_store(file, path);
    rig_file_free(file);
    cr_assert_eq(qemu_img("check", path, NULL), 0, "%s", what);
    expect_same(what, path);
}

static const char *const variants[] = {
    "compat=0.10",
    "compat=1.1",
    "compat=1.1,lazy_refcounts=on",
    "compat=1.1,refcount_bits=1",
    "compat=1.1,refcount_bits=2",
    "compat=1.1,refcount_bits=8",
    "compat=1.1,refcount_bits=32",
    "compat=1.1,refcount_bits=64",
    "compat=1.1,cluster_size=512",
    "compat=0.10,cluster_size=512",
    "compat=1.1,cluster_size=512,refcount_bits=64",
    "compat=1.1,cluster_size=4096",
    "compat=1.1,cluster_size=2097152",
    "compat=1.1,preallocation=metadata",
    "compat=1.1,preallocation=falloc",
    "compat=1.1,compression_type=zstd",
    "compat=1.1,cluster_size=4096,compression_type=zstd",
};
enum { VARIANTS = sizeof variants / sizeof variants[0], SOURCE = (5 << 20) + 3 * SECTOR };

Test(qcow2, each_variant_reads_as_qemu_img_reads_it)
{
    source_make(in_folder("copy"), SOURCE);
    for (unsigned i = 0; i < VARIANTS; i++) {
        cr_assert(!qemu_img("convert", "-O", "qcow2", "-o", variants[i], in_folder("copy"),
                            in_folder("image"), NULL),
                  "%s", variants[i]);
        expect_same(variants[i], in_folder("image"));
        expect_writable(variants[i], in_folder("image"));
    }
}

Test(qcow2, each_variant_reads_compressed)
{
    source_make(in_folder("copy"), SOURCE);
    for (unsigned i = 0; i < VARIANTS; i++) {
        if (strstr(variants[i], "preallocation"))
            continue;
        cr_assert(!qemu_img("convert", "-c", "-O", "qcow2", "-o", variants[i], in_folder("copy"),
                            in_folder("image"), NULL),
                  "%s", variants[i]);
        expect_same(variants[i], in_folder("image"));
        expect_writable(variants[i], in_folder("image"));
    }
}

Test(qcow2, compressed_clusters_need_the_module)
{
    vsdk_error error = {0};
    uint8_t bytes[SECTOR];
    disk_image *image;

    source_make(in_folder("copy"), SOURCE);
    cr_assert(
        !qemu_img("convert", "-c", "-O", "qcow2", in_folder("copy"), in_folder("image"), NULL));
    disk_file *file = rig_file_load(in_folder("image"));
    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY, &image, NULL));
    rig_no_module = 1;
    cr_assert_eq(image->format->read(image, 0, bytes, sizeof bytes, &error),
                 VSDK_ERROR_UNSUPPORTED);
    rig_no_module = 0;
    cr_assert(!image->format->read(image, 0, bytes, sizeof bytes, &error), "%s", error.message);
    rig_close(image);
    rig_file_free(file);
}

/* An image on an image on a raw file, each of another length. */
Test(qcow2, a_chain_reads_as_qemu_img_reads_it)
{
    source_make(in_folder("copy"), SOURCE);
    disk_file *raw = rig_file_load(in_folder("copy"));
    rig_name("copy", raw, VSDK_DISK_RAW);
    cr_assert(!qemu_img("create", "-f", "qcow2", "-b", "copy", "-F", "raw", in_folder("backing"),
                        "3M", NULL));
    expect_writable("the lower one", in_folder("backing"));
    disk_file *middle = rig_file_load(in_folder("backing"));
    rig_name("backing", middle, VSDK_DISK_QCOW2);
    cr_assert(!qemu_img("create", "-f", "qcow2", "-o", "cluster_size=4096", "-b", "backing", "-F",
                        "qcow2", in_folder("image"), "7M", NULL));
    expect_same("the upper one", in_folder("image"));
    expect_writable("the upper one", in_folder("image"));
    rig_file_free(middle);
    rig_file_free(raw);
}

/* A plain model: what each sector has is a tag, 0 for zeros. */
typedef struct done {
    uint64_t first, count; /* sectors */
    uint32_t tag;
} done;

enum { LOG_MOST = 128 };

typedef struct model {
    uint64_t sectors, room;
    uint32_t *tags, *flushed;
    done log[LOG_MOST]; /* since the last flush */
    unsigned logged;
    uint32_t next_tag;
} model;

static void sector_fill(uint8_t *bytes, uint64_t sector, uint32_t tag)
{
    uint32_t pair[2] = {tag, tag ? (uint32_t)sector : 0};

    for (unsigned i = 0; i < SECTOR; i += sizeof pair)
        memcpy(bytes + i, pair, sizeof pair);
}

/* UINT32_MAX for what no sector of ours is. */
static uint32_t sector_tag(const uint8_t *bytes, uint64_t sector)
{
    uint8_t whole[SECTOR];
    uint32_t tag;

    memcpy(&tag, bytes, sizeof tag);
    sector_fill(whole, sector, tag);
    return memcmp(whole, bytes, SECTOR) ? UINT32_MAX : tag;
}

static void model_size(model *m, uint64_t sectors)
{
    if (sectors > m->room) {
        m->tags = realloc(m->tags, sectors * sizeof *m->tags);
        m->flushed = realloc(m->flushed, sectors * sizeof *m->flushed);
        cr_assert(m->tags && m->flushed);
        m->room = sectors;
    }
    for (uint64_t i = m->sectors; i < sectors; i++)
        m->tags[i] = m->flushed[i] = 0;
    m->sectors = sectors;
}

static void model_free(model *m)
{
    free(m->tags);
    free(m->flushed);
}

static void model_flush(model *m)
{
    memcpy(m->flushed, m->tags, m->sectors * sizeof *m->tags);
    m->logged = 0;
}

/* Noted before it is done, since a loss of power may leave any part of it. */
static void model_note(model *m, uint64_t first, uint64_t count, uint32_t tag)
{
    cr_assert_lt(m->logged, LOG_MOST);
    m->log[m->logged++] = (done){first, count, tag};
}

static void model_set(model *m, uint64_t first, uint64_t count, uint32_t tag)
{
    for (uint64_t i = first; i < first + count; i++)
        m->tags[i] = tag;
}

/* After a loss of power a sector has what was flushed, or anything that was written since. */
static int model_allows(const model *m, uint64_t sector, uint32_t tag)
{
    if (m->flushed[sector] == tag)
        return 1;
    for (unsigned i = 0; i < m->logged; i++)
        if (sector - m->log[i].first < m->log[i].count &&
            (m->log[i].tag == tag || (m->log[i].tag == BACKING_TAG && tag == BACKING_TAG + sector)))
            return 1;
    return 0;
}

/* One random sequence. */
typedef struct sequence {
    uint64_t number;
    disk_file *file, *backing;
    disk_image *image;
    model model;
    uint64_t most; /* sectors */
    uint32_t cluster;
    int version, lost, snapshot, steps;
    uint32_t *snapshot_tags;
    uint64_t snapshot_sectors;
    uint8_t *buffer;
} sequence;

#define sequence_expect(s, condition, text, ...)                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            rig_file_store((s)->file, in_folder("image"));                                         \
            cr_assert(condition, "sequence %llu, step %d, cluster %u, version %d: " text,          \
                      (unsigned long long)(s)->number, (s)->steps, (s)->cluster, (s)->version,     \
                      ##__VA_ARGS__);                                                              \
        }                                                                                          \
    } while (0)

static void sequence_open(sequence *s)
{
    vsdk_error error = {0};
    vsdk_status status = rig_open(s->file, 0, &s->image, &error);

    sequence_expect(s, !status, "open: %s", error.message);
}

/* A start as qemu-img makes it, or as we do. */
static void sequence_create(sequence *s)
{
    static const uint32_t clusters[] = {512, 512, 1024, 4096, 65536, 65536, 2 << 20};
    char options[160], size[32];
    uint64_t sectors;

    s->cluster = clusters[chance(7)];
    s->most = s->cluster == 2 << 20 ? 16384 : s->cluster == 65536 ? 4096 : 1024;
    sectors = 1 + chance(s->most);
    s->version = 3;
    s->buffer = malloc(s->most * 2 * SECTOR);
    cr_assert(s->buffer);
    snprintf(size, sizeof size, "%llu", (unsigned long long)sectors * SECTOR);
    if (chance(3) == 0) {
        uint64_t length = 1 + chance(s->most);
        for (uint64_t i = 0; i < length; i++)
            sector_fill(s->buffer + i * SECTOR, i, chance(4) ? BACKING_TAG + (uint32_t)i : 0);
        s->backing = rig_file_of(s->buffer, length * SECTOR);
        rig_file_store(s->backing, in_folder("backing"));
        rig_name("backing", s->backing, VSDK_DISK_RAW);
    }
    if (chance(2)) {
        disk_create_options ours = {.capacity = sectors * SECTOR,
                                    .cluster_size = s->cluster,
                                    .backing = s->backing ? "backing" : NULL,
                                    .backing_format = VSDK_DISK_RAW};
        s->file = rig_file();
        cr_assert(!disk_qcow2_format.create(s->file, &ours, NULL) && !file_flush(s->file, NULL));
    } else {
        s->version = chance(3) ? 3 : 2;
        snprintf(options, sizeof options, "cluster_size=%u,compat=%s,refcount_bits=%u,%s",
                 s->cluster, s->version == 3 ? "1.1" : "0.10",
                 s->version == 3 ? 1u << chance(7) : 16,
                 s->version == 3 && chance(2) ? "lazy_refcounts=on" : "lazy_refcounts=off");
        if (s->backing)
            cr_assert(!qemu_img("create", "-f", "qcow2", "-o", options, "-u", "-b", "backing", "-F",
                                "raw", in_folder("image"), size, NULL));
        else
            cr_assert(
                !qemu_img("create", "-f", "qcow2", "-o", options, in_folder("image"), size, NULL));
        s->file = rig_file_load(in_folder("image"));
    }
    model_size(&s->model, sectors);
    for (uint64_t i = 0; s->backing && i < sectors && i * SECTOR < file_length(s->backing); i++)
        s->model.tags[i] = sector_tag(rig_bytes(s->backing) + i * SECTOR, i);
    model_flush(&s->model);
    sequence_open(s);
}

static void sequence_compare(sequence *s, uint64_t first, uint64_t count)
{
    vsdk_error error = {0};
    vsdk_status status =
        s->image->format->read(s->image, first * SECTOR, s->buffer, count * SECTOR, &error);

    sequence_expect(s, !status, "read: %s", error.message);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t tag = sector_tag(s->buffer + i * SECTOR, first + i);
        sequence_expect(s, tag == s->model.tags[first + i], "sector %llu has %x, not %x",
                        (unsigned long long)(first + i), tag, s->model.tags[first + i]);
    }
}

static void sequence_range(sequence *s, uint64_t *first, uint64_t *count)
{
    uint64_t sectors = s->model.sectors, most = chance(3) ? 16 : sectors;
    uint64_t cluster = s->cluster / SECTOR;

    *first = chance(sectors);
    if (chance(3) == 0)
        *first -= *first % cluster;
    *count = 1 + chance(most);
    if (chance(3) == 0)
        *count = (*count + cluster - 1) / cluster * cluster;
    if (*count > sectors - *first)
        *count = sectors - *first;
}

/* Whether a call went well; after a loss of power it may not. */
static int sequence_went(sequence *s, vsdk_status status, const vsdk_error *error)
{
    sequence_expect(s, !status || rig_is_dead(s->file), "%s", error->message);
    return !status;
}

static void sequence_write(sequence *s, uint64_t first, uint64_t count)
{
    vsdk_error error = {0};
    uint32_t tag = ++s->model.next_tag;

    for (uint64_t i = 0; i < count; i++)
        sector_fill(s->buffer + i * SECTOR, first + i, tag);
    model_note(&s->model, first, count, tag);
    vsdk_status status =
        s->image->format->write(s->image, first * SECTOR, s->buffer, count * SECTOR, &error);
    if (sequence_went(s, status, &error))
        model_set(&s->model, first, count, tag);
}

static void sequence_zero(sequence *s, uint64_t first, uint64_t count, uint32_t flags)
{
    vsdk_error error = {0};

    model_note(&s->model, first, count, 0);
    vsdk_status status =
        s->image->format->zero(s->image, first * SECTOR, count * SECTOR, flags, &error);
    if (sequence_went(s, status, &error))
        model_set(&s->model, first, count, 0);
}

static void step_write(sequence *s)
{
    uint64_t first, count;

    sequence_range(s, &first, &count);
    sequence_write(s, first, count);
}

static void step_zero(sequence *s)
{
    uint64_t first, count;

    sequence_range(s, &first, &count);
    sequence_zero(s, first, count, (uint32_t)chance(2));
}

/* Sectors become zeros or stay. */
static void step_discard(sequence *s)
{
    vsdk_error error = {0};
    uint64_t first, count;

    sequence_range(s, &first, &count);
    model_note(&s->model, first, count, 0);
    if (!sequence_went(
            s, s->image->format->discard(s->image, first * SECTOR, count * SECTOR, &error), &error))
        return;
    cr_assert(!s->image->format->read(s->image, first * SECTOR, s->buffer, count * SECTOR, NULL));
    for (uint64_t i = 0; i < count; i++)
        if (!sector_tag(s->buffer + i * SECTOR, first + i))
            s->model.tags[first + i] = 0;
}

static void step_flush(sequence *s)
{
    vsdk_error error = {0};

    if (sequence_went(s, s->image->format->flush(s->image, &error), &error))
        model_flush(&s->model);
}

static void sequence_recover(sequence *s);

static int sequence_resize(sequence *s, uint64_t sectors)
{
    vsdk_error error = {0};
    uint64_t before = s->model.sectors;

    /* What is cut off may be gone before the size changes. */
    if (sectors < before)
        model_note(&s->model, sectors, before - sectors, 0);
    if (sectors < before && s->backing)
        model_note(&s->model, sectors, before - sectors, BACKING_TAG);
    vsdk_status status = s->image->format->resize(s->image, sectors * SECTOR, &error);
    if (!sequence_went(s, status, &error))
        return 0;
    model_size(&s->model, sectors);
    model_flush(&s->model);
    return 1;
}

static void step_resize(sequence *s)
{
    uint64_t sectors = 1 + chance(s->most);

    if (s->snapshot && s->version < 3)
        return;
    if (!sequence_resize(s, sectors))
        sequence_recover(s);
}

/* qemu-img's opinion of what is in the file now, and ours. */
static void sequence_check(sequence *s)
{
    vsdk_disk_report report = {0};
    vsdk_error error = {0};
    int answer;

    vsdk_status status =
        s->image->format->check(s->image, s->lost ? VSDK_DISK_REPAIR : 0, &report, &error);
    sequence_expect(s, !status, "check: %s", error.message);
    sequence_expect(s, !report.errors && !report.leaks, "check found %s", report.first);
    s->lost = 0;
    cr_assert(!s->image->format->flush(s->image, NULL));
    rig_close(s->image);
    rig_file_store(s->file, in_folder("image"));
    answer = qemu_img("check", "-f", "qcow2", in_folder("image"), NULL);
    sequence_expect(s, answer == 0, "qemu-img check says %d", answer);
    model_flush(&s->model);
}

/* As qemu-img reads it: the image, or a snapshot in it. */
static void sequence_convert(sequence *s, const char *snapshot, const uint32_t *tags,
                             uint64_t sectors)
{
    if (snapshot)
        cr_assert(!qemu_img("convert", "-f", "qcow2", "-l", snapshot, "-O", "raw",
                            in_folder("image"), in_folder("raw"), NULL));
    else
        cr_assert(!qemu_img("convert", "-f", "qcow2", "-O", "raw", in_folder("image"),
                            in_folder("raw"), NULL));
    disk_file *raw = rig_file_load(in_folder("raw"));
    /* Of a snapshot qemu-img reads as much as the image has now. */
    if (snapshot && file_length(raw) < sectors * SECTOR)
        sectors = file_length(raw) / SECTOR;
    sequence_expect(s, file_length(raw) >= sectors * SECTOR, "the raw file is short");
    for (uint64_t i = 0; i < sectors; i++) {
        uint32_t tag = sector_tag(rig_bytes(raw) + i * SECTOR, i);
        sequence_expect(s, tag == tags[i], "qemu-img reads %x in sector %llu, not %x", tag,
                        (unsigned long long)i, tags[i]);
    }
    rig_file_free(raw);
}

/* Closes, has qemu-img look at it and sometimes take a snapshot, and opens again. */
static void step_reopen(sequence *s)
{
    if (rig_is_dead(s->file))
        return;
    rig_kill_after(s->file, 0);
    sequence_check(s);
    if (!s->snapshot && chance(3) == 0) {
        s->snapshot = !qemu_img("snapshot", "-c", "one", in_folder("image"), NULL);
        s->snapshot_sectors = s->model.sectors;
        s->snapshot_tags = realloc(s->snapshot_tags, s->model.sectors * sizeof(uint32_t));
        cr_assert(s->snapshot_tags);
        memcpy(s->snapshot_tags, s->model.tags, s->model.sectors * sizeof(uint32_t));
        /* With refcounts of 1 bit there are none, and what it tried is left there. */
        if (!s->snapshot)
            rig_file_store(s->file, in_folder("image"));
    }
    rig_file_free(s->file);
    s->file = rig_file_load(in_folder("image"));
    sequence_open(s);
    sequence_compare(s, 0, s->model.sectors);
}

/* Power comes back: what was flushed is there. */
static void sequence_recover(sequence *s)
{
    uint64_t now;

    rig_close(s->image);
    rig_revive(s->file, chance);
    s->lost = 1;
    rig_file_store(s->file, in_folder("image"));
    int answer = qemu_img("check", "-f", "qcow2", in_folder("image"), NULL);
    sequence_expect(s, answer == 0 || answer == 3, "qemu-img check says %d after a loss of power",
                    answer);
    sequence_open(s);
    now = s->image->capacity / SECTOR;
    sequence_expect(s, now <= s->most, "the size is %llu sectors", (unsigned long long)now);
    if (now > s->model.sectors)
        model_size(&s->model, now);
    s->model.sectors = now;
    cr_assert(!s->image->format->read(s->image, 0, s->buffer, now * SECTOR, NULL));
    for (uint64_t i = 0; i < now; i++) {
        uint32_t tag = sector_tag(s->buffer + i * SECTOR, i);
        sequence_expect(s, model_allows(&s->model, i, tag),
                        "sector %llu has %x after a loss of power, and had %x when it was flushed",
                        (unsigned long long)i, tag, s->model.flushed[i]);
        s->model.tags[i] = tag;
    }
    step_flush(s);
}

static void step_kill(sequence *s)
{
    rig_kill_after(s->file, 1 + chance(chance(2) ? 8 : 60));
}

static void sequence_run(uint64_t number)
{
    static void (*const steps[])(sequence *) = {
        step_write, step_write,   step_write,   step_write,  step_zero,   step_zero,
        step_flush, step_discard, step_discard, step_resize, step_reopen, step_kill,
    };
    sequence s = {.number = number};

    sequence_create(&s);
    for (s.steps = 0; s.steps < 60; s.steps++) {
        steps[chance(sizeof steps / sizeof steps[0])](&s);
        if (rig_is_dead(s.file))
            sequence_recover(&s);
        if (chance(4) == 0)
            sequence_compare(&s, 0, s.model.sectors);
    }
    rig_kill_after(s.file, 0);
    sequence_compare(&s, 0, s.model.sectors);
    sequence_check(&s);
    if (number % 8 == 0)
        sequence_convert(&s, NULL, s.model.tags, s.model.sectors);
    if (s.snapshot)
        sequence_convert(&s, "one", s.snapshot_tags, s.snapshot_sectors);
    rig_file_free(s.file);
    if (s.backing)
        rig_file_free(s.backing);
    model_free(&s.model);
    free(s.snapshot_tags);
    free(s.buffer);
}

Test(qcow2, random_sequences_are_as_in_a_model)
{
    uint64_t count = number_from("VSDK_TEST_SEQUENCES", 500);
    uint64_t first = number_from("VSDK_TEST_SEED", 1);

    for (uint64_t i = first; i < first + count; i++) {
        random_state = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        for (int warm = 0; warm < 4; warm++)
            chance(2);
        sequence_run(i);
    }
}

/* All tables grow: refcount blocks, the refcount table, L1; and what a snapshot has too is copied.
 */
enum { GROWN_SECTORS = 32768, FULL_SECTORS = 3400 };

static void growth_make(void)
{
    disk_image *image;
    uint8_t bytes[16 * SECTOR];

    cr_assert(!qemu_img("create", "-f", "qcow2", "-o", "cluster_size=512,refcount_bits=64",
                        in_folder("image"), "3M", NULL));
    disk_file *file = rig_file_load(in_folder("image"));
    cr_assert(!rig_open(file, 0, &image, NULL));
    for (uint64_t at = 0; at < FULL_SECTORS; at += 16) {
        for (uint64_t i = 0; i < 16; i++)
            sector_fill(bytes + i * SECTOR, at + i, 1);
        cr_assert(!image->format->write(image, at * SECTOR, bytes, sizeof bytes, NULL));
    }
    rig_close(image);
    rig_file_store(file, in_folder("image"));
    rig_file_free(file);
    cr_assert(!qemu_img("snapshot", "-c", "one", in_folder("image"), NULL));
}

static void growth_steps(sequence *s)
{
    for (uint64_t i = 0; i < 12 && !rig_is_dead(s->file); i++)
        sequence_write(s, 24 + i * 100, 24);
    if (!rig_is_dead(s->file))
        step_flush(s);
    if (!rig_is_dead(s->file) && sequence_resize(s, GROWN_SECTORS)) {
        for (uint64_t i = 0; i < 8 && !rig_is_dead(s->file); i++)
            sequence_write(s, 5000 + i * 3000, 64);
    }
    if (!rig_is_dead(s->file))
        sequence_zero(s, 30, 300, DISK_ZERO_MAY_UNMAP);
    if (!rig_is_dead(s->file))
        step_flush(s);
    for (uint64_t i = 0; i < 8 && !rig_is_dead(s->file); i++)
        sequence_write(s, 9000 + i * 1000, 40);
    if (!rig_is_dead(s->file))
        step_flush(s);
}

static uint64_t growth_run(disk_file *base, uint64_t kill)
{
    sequence s = {.number = kill, .cluster = 512, .version = 3, .most = GROWN_SECTORS};

    s.file = rig_file_of(rig_bytes(base), file_length(base));
    s.buffer = malloc((uint64_t)GROWN_SECTORS * SECTOR);
    cr_assert(s.buffer);
    model_size(&s.model, (3 << 20) / SECTOR);
    model_set(&s.model, 0, (FULL_SECTORS + 15) / 16 * 16, 1);
    model_flush(&s.model);
    s.model.next_tag = 1;
    sequence_open(&s);
    rig_kill_after(s.file, kill);
    growth_steps(&s);
    int died = rig_is_dead(s.file);
    if (died)
        sequence_recover(&s);
    rig_kill_after(s.file, 0);
    sequence_compare(&s, 0, s.model.sectors);
    if (!died || kill % 16 == 0)
        sequence_check(&s);
    else
        rig_close(s.image);
    uint64_t writes = rig_writes(s.file);
    rig_file_free(s.file);
    model_free(&s.model);
    free(s.buffer);
    return writes;
}

Test(qcow2, tables_grow_and_a_loss_of_power_at_any_write_harms_nothing)
{
    growth_make();
    disk_file *base = rig_file_load(in_folder("image"));
    uint64_t writes = growth_run(base, 0), step = number_from("VSDK_TEST_KILL_STEP", 2);

    cr_assert_gt(writes, 100);
    for (uint64_t kill = 1 + chance(step); kill < writes; kill += step)
        growth_run(base, kill);
    rig_file_free(base);
}

/* Hostile images: a small one, with one field changed. */

#define OFFSET_BITS UINT64_C(0x00fffffffffffe00)
enum { HOSTILE_CLUSTER = 512, HOSTILE_CLUSTERS = 200 };

static disk_file *hostile_base(void)
{
    disk_create_options options = {.capacity = HOSTILE_CLUSTERS * HOSTILE_CLUSTER,
                                   .cluster_size = HOSTILE_CLUSTER};
    uint8_t bytes[HOSTILE_CLUSTER] = {1};
    disk_file *file = rig_file();
    disk_image *image;

    cr_assert(!disk_qcow2_format.create(file, &options, NULL));
    cr_assert(!rig_open(file, 0, &image, NULL));
    for (uint64_t i = 0; i < HOSTILE_CLUSTERS; i += 50)
        cr_assert(!image->format->write(image, i * HOSTILE_CLUSTER, bytes, sizeof bytes, NULL));
    rig_close(image);
    return file;
}

static void put(disk_file *file, uint64_t at, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++)
        rig_bytes(file)[at + i] = (uint8_t)(value >> 8 * (width - 1 - i));
}

static uint64_t get(disk_file *file, uint64_t at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | rig_bytes(file)[at + i];
    return value;
}

static const struct {
    const char *field; /* in the message */
    unsigned at, width;
    uint64_t value;
    vsdk_status status;
} hostile_fields[] = {
    {"magic", 0, 4, 0x514649fa, VSDK_ERROR_FORMAT},
    {"version", 4, 4, 1, VSDK_ERROR_UNSUPPORTED},
    {"version", 4, 4, 4, VSDK_ERROR_UNSUPPORTED},
    {"cluster_bits", 20, 4, 8, VSDK_ERROR_FORMAT},
    {"cluster_bits", 20, 4, 22, VSDK_ERROR_FORMAT},
    {"cluster_bits", 20, 4, 0xffffffff, VSDK_ERROR_FORMAT},
    {"size", 24, 8, UINT64_MAX, VSDK_ERROR_FORMAT},
    {"l1_size", 24, 8, UINT64_C(1) << 40, VSDK_ERROR_FORMAT},
    {"crypt_method", 32, 4, 1, VSDK_ERROR_UNSUPPORTED},
    {"l1_size", 36, 4, 1, VSDK_ERROR_FORMAT},
    {"l1_size", 36, 4, 0xffffffff, VSDK_ERROR_FORMAT},
    {"l1_table_offset", 36, 4, 4 << 20, VSDK_ERROR_FORMAT},
    {"l1_table_offset", 40, 8, 513, VSDK_ERROR_FORMAT},
    {"l1_table_offset", 40, 8, 0, VSDK_ERROR_FORMAT},
    {"l1_table_offset", 40, 8, UINT64_C(1) << 62, VSDK_ERROR_FORMAT},
    {"refcount_table_offset", 48, 8, 513, VSDK_ERROR_FORMAT},
    {"refcount_table_offset", 48, 8, UINT64_MAX - 511, VSDK_ERROR_FORMAT},
    {"refcount_table_clusters", 56, 4, 0, VSDK_ERROR_FORMAT},
    {"refcount_table_clusters", 56, 4, 0xffffffff, VSDK_ERROR_FORMAT},
    {"nb_snapshots", 60, 4, 0xffffffff, VSDK_ERROR_FORMAT},
    {"incompatible_features", 72, 8, 0x20, VSDK_ERROR_UNSUPPORTED},
    {"0x8000000000000000", 72, 8, UINT64_C(1) << 63, VSDK_ERROR_UNSUPPORTED},
    {"external data file", 72, 8, 4, VSDK_ERROR_UNSUPPORTED},
    {"extended L2", 72, 8, 16, VSDK_ERROR_UNSUPPORTED},
    {"compression_type", 72, 8, 8, VSDK_ERROR_FORMAT},
    {"refcount_order", 96, 4, 7, VSDK_ERROR_FORMAT},
    {"header_length", 100, 4, 72, VSDK_ERROR_FORMAT},
    {"header_length", 100, 4, 105, VSDK_ERROR_FORMAT},
    {"header_length", 100, 4, 0x10000, VSDK_ERROR_FORMAT},
    {"header extension", 104, 8, UINT64_C(0x12345678ffffffff), VSDK_ERROR_FORMAT},
    {"backing_file", 8, 8, 600, VSDK_ERROR_FORMAT},
};

Test(qcow2, a_field_that_is_wrong_is_named)
{
    for (unsigned i = 0; i < sizeof hostile_fields / sizeof hostile_fields[0]; i++) {
        for (uint32_t flags = 0; flags <= DISK_IMAGE_READ_ONLY; flags++) {
            vsdk_error error = {0};
            disk_image *image;
            disk_file *file = hostile_base();
            put(file, hostile_fields[i].at, hostile_fields[i].width, hostile_fields[i].value);
            vsdk_status status = rig_open(file, flags, &image, &error);
            cr_assert_eq(status, hostile_fields[i].status, "%s: %d (%s)", hostile_fields[i].field,
                         status, error.message);
            cr_assert(strstr(error.message, hostile_fields[i].field), "%s: %s",
                      hostile_fields[i].field, error.message);
            rig_file_free(file);
        }
    }
}

Test(qcow2, a_backing_file_is_opened_only_where_the_core_allows)
{
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = hostile_base();

    memcpy(rig_bytes(file) + 200, "/etc/passwd", 11);
    put(file, 8, 8, 200);
    put(file, 16, 4, 11);
    cr_assert_eq(rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error), VSDK_ERROR_PERMISSION);
    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY | DISK_IMAGE_NO_BACKING, &image, &error), "%s",
              error.message);
    cr_assert_str_eq(image->backing_name, "/etc/passwd");
    rig_close(image);
    rig_file_free(file);
}

/* Itself, as its own backing: the core ends the chain. */
Test(qcow2, an_image_on_itself_is_refused)
{
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = hostile_base();

    memcpy(rig_bytes(file) + 200, "self", 4);
    put(file, 8, 8, 200);
    put(file, 16, 4, 4);
    rig_name("self", file, VSDK_DISK_QCOW2);
    cr_assert(rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error));
    rig_file_free(file);
}

/* Reads the first cluster and writes it. */
static void expect_refused(disk_file *file, int read_too, const char *text)
{
    uint8_t bytes[HOSTILE_CLUSTER] = {2};
    vsdk_error error = {0};
    disk_image *image;

    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error), "%s", error.message);
    vsdk_status status = image->format->read(image, 0, bytes, sizeof bytes, &error);
    cr_assert_eq(status, read_too ? VSDK_ERROR_FORMAT : VSDK_OK, "%s", error.message);
    rig_close(image);
    status = rig_open(file, 0, &image, &error);
    if (!status) {
        status = image->format->write(image, 0, bytes, sizeof bytes, &error);
        rig_close(image);
    }
    cr_assert_eq(status, VSDK_ERROR_FORMAT);
    cr_assert(strstr(error.message, text), "%s", error.message);
    rig_file_free(file);
}

Test(qcow2, entries_that_are_wrong_are_refused)
{
    static const struct {
        uint64_t entry;
        const char *text;
    } entries[] = {
        {UINT64_C(0x8000000000000201) << 1, "L2 entry"}, /* reserved bits */
        {UINT64_C(0x8000000010000000), "L2 entry"},      /* past the end */
        {UINT64_C(0x8000000000000000), "L2 entry"},      /* no cluster, and ours */
        {UINT64_C(0x4000000000000000), "compressed"},    /* in the header */
        {UINT64_C(0x4000000010000000), "compressed"},    /* past the end */
        {UINT64_C(0xc000000000000400), "compressed"},    /* ours */
    };

    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        disk_file *file = hostile_base();
        uint64_t l1 = get(file, 40), l2 = get(file, l1) & OFFSET_BITS;
        put(file, l2, 8, entries[i].entry);
        expect_refused(file, 1, entries[i].text);
    }
    for (uint64_t wrong = 0; wrong < 3; wrong++) {
        static const uint64_t values[] = {UINT64_C(0x8000000000000201),
                                          UINT64_C(0x8000000010000000),
                                          UINT64_C(0xa000000000000400)};
        disk_file *file = hostile_base();
        put(file, get(file, 40), 8, values[wrong]);
        expect_refused(file, 1, "L1 entry 0");
    }
}

/* Two things in one cluster: fine to read, never to write. */
Test(qcow2, tables_that_overlap_are_never_written)
{
    disk_file *file = hostile_base();
    uint64_t l1 = get(file, 40);

    put(file, l1, 8, get(file, l1 + 8)); /* one L2 table twice */
    expect_refused(file, 0, "another table is");
    file = hostile_base();
    put(file, l1, 8, l1 | UINT64_C(1) << 63); /* L1 is an L2 table of itself */
    expect_refused(file, 0, "another table is");
    file = hostile_base();
    put(file, get(file, 48) + 8, 8, get(file, get(file, 48))); /* one refcount block twice */
    expect_refused(file, 0, "another table is");
    file = hostile_base();
    put(file, get(file, 48), 8, 513); /* a refcount block that is not aligned */
    expect_refused(file, 0, "refcount table entry 0");
    file = hostile_base();
    put(file, get(file, l1) & OFFSET_BITS, 8, l1 | UINT64_C(1) << 63); /* a guest's in L1 */
    expect_refused(file, 0, "where a table is");
    file = hostile_base();
    put(file, get(file, l1) & OFFSET_BITS, 8, 0);
    memset(rig_bytes(file) + get(file, get(file, 48)), 0, 512); /* all is free, they say */
    expect_refused(file, 0, "metadata is in it");
}

/* An entry that is let go of frees no table, whether it says that the cluster is its own, that it
 * is another's too, or that it is compressed. */
Test(qcow2, an_entry_that_points_to_a_table_does_not_free_it)
{
    static const uint64_t bits[] = {UINT64_C(1) << 63, 0, UINT64_C(1) << 62};
    uint8_t bytes[HOSTILE_CLUSTER] = {3};

    for (unsigned way = 0; way < 6; way++) {
        vsdk_error error = {0};
        disk_image *image;
        disk_file *file = hostile_base();
        uint64_t block = get(file, get(file, 48)), l2 = get(file, get(file, 40)) & OFFSET_BITS;
        uint64_t table = way < 3 ? block : l2;
        put(file, l2, 8, table | bits[way % 3]);
        cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
        if (way % 3)
            cr_assert(!image->format->write(image, 0, bytes, sizeof bytes, &error), "%s",
                      error.message);
        else
            cr_assert(!image->format->discard(image, 0, sizeof bytes, &error), "%s", error.message);
        cr_assert(!image->format->flush(image, &error), "%s", error.message);
        rig_close(image);
        cr_assert_eq(get(file, block + 2 * (table / HOSTILE_CLUSTER)) >> 48, 1, "way %u", way);
        rig_file_free(file);
    }
}

Test(qcow2, a_corrupt_image_is_read_only_and_a_dirty_one_is_mended)
{
    vsdk_disk_report report = {0};
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = hostile_base();

    put(file, 72, 8, 2);
    cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
    cr_assert(image->flags & DISK_IMAGE_READ_ONLY);
    rig_close(image);
    put(file, 72, 8, 1);
    memset(rig_bytes(file) + get(file, get(file, 48)), 0, 512); /* refcounts were late */
    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error), "%s", error.message);
    rig_close(image);
    cr_assert_eq(rig_bytes(file)[79], 1);
    cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
    cr_assert_eq(rig_bytes(file)[79], 0);
    cr_assert(!image->format->check(image, 0, &report, &error), "%s", error.message);
    cr_assert(!report.errors && !report.leaks, "%s", report.first);
    rig_close(image);
    rig_file_store(file, in_folder("image"));
    cr_assert_eq(qemu_img("check", in_folder("image"), NULL), 0);
    rig_file_free(file);
}

Test(qcow2, a_check_finds_what_is_wrong_and_mends_it)
{
    vsdk_disk_report report = {0}, again = {0};
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = hostile_base();
    uint64_t block = get(file, get(file, 48));

    put(file, block + 2 * 1, 2, 0);   /* the refcount table is free */
    put(file, block + 2 * 100, 2, 3); /* cluster 100 is lost */
    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error), "%s", error.message);
    cr_assert(!image->format->check(image, VSDK_DISK_REPAIR, &report, &error), "%s", error.message);
    cr_assert_eq(report.errors, 1, "%s", report.first);
    cr_assert_eq(report.leaks, 1, "%s", report.first);
    cr_assert(strstr(report.first, "cluster 1 is 0, not 1"), "%s", report.first);
    cr_assert_eq(report.clusters, HOSTILE_CLUSTERS);
    cr_assert_eq(report.allocated, 4);
    rig_close(image);
    memset(&report, 0, sizeof report);
    cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
    cr_assert(!image->format->check(image, VSDK_DISK_REPAIR, &report, &error), "%s", error.message);
    cr_assert(!report.errors && !report.leaks && report.repaired == 2, "%s", report.first);
    cr_assert(!image->format->check(image, 0, &again, &error), "%s", error.message);
    cr_assert(!again.errors && !again.leaks && !again.repaired, "%s", again.first);
    rig_close(image);
    rig_file_store(file, in_folder("image"));
    cr_assert_eq(qemu_img("check", in_folder("image"), NULL), 0);
    rig_file_free(file);
}

/* No room on the host: the write fails, and what was there stays; later there is room again. */
Test(qcow2, no_room_on_the_host_harms_nothing)
{
    uint8_t bytes[HOSTILE_CLUSTER] = {3};
    vsdk_disk_report report = {0};
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = hostile_base();
    int failed = 0;

    rig_limit(file, file_length(file) + 3 * HOSTILE_CLUSTER);
    cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
    for (uint64_t i = 0; i < HOSTILE_CLUSTERS; i++)
        failed += image->format->write(image, i * HOSTILE_CLUSTER, bytes, sizeof bytes, NULL) != 0;
    cr_assert_gt(failed, HOSTILE_CLUSTERS / 2);
    rig_limit(file, 1 << 30);
    for (uint64_t i = 0; i < HOSTILE_CLUSTERS; i++)
        cr_assert(!image->format->write(image, i * HOSTILE_CLUSTER, bytes, sizeof bytes, &error),
                  "%s", error.message);
    cr_assert(!image->format->check(image, 0, &report, &error), "%s", error.message);
    cr_assert(!report.errors && !report.leaks, "%s", report.first);
    rig_close(image);
    rig_file_free(file);
}

/* A larger L1 table that has no room on the host costs no clusters. */
Test(qcow2, no_room_for_a_larger_disk_harms_nothing)
{
    enum { LARGER = 40 << 20 };
    vsdk_disk_report report = {0};
    vsdk_error error = {0};
    disk_image *image;
    disk_file *file = hostile_base();

    cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
    rig_limit(file, file_length(file));
    cr_assert(image->format->resize(image, LARGER, &error));
    rig_limit(file, 1 << 30);
    cr_assert(!image->format->check(image, 0, &report, &error), "%s", error.message);
    cr_assert(!report.errors && !report.leaks, "%s", report.first);
    cr_assert(!image->format->resize(image, LARGER, &error), "%s", error.message);
    cr_assert(!image->format->check(image, 0, &report, &error), "%s", error.message);
    cr_assert(!report.errors && !report.leaks, "%s", report.first);
    rig_close(image);
    rig_file_free(file);
}

/* Threads write sectors of their own in clusters that all share, discard, and flush. */
enum { THREADS = 4, THREAD_SECTORS = 1024, THREAD_TURNS = 300 };

typedef struct worker {
    disk_image *image;
    uint64_t number;
    uint32_t tags[THREAD_SECTORS / THREADS];
} worker;

static void *worker_run(void *user)
{
    worker *w = user;
    uint64_t state = w->number * 7919 + 1;
    uint8_t bytes[SECTOR];

    for (uint32_t turn = 1; turn <= THREAD_TURNS; turn++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t mine = (state >> 33) % (THREAD_SECTORS / THREADS);
        uint64_t sector = mine * THREADS + w->number;
        sector_fill(bytes, sector, turn);
        if (turn % 50 == 0)
            cr_assert(!w->image->format->flush(w->image, NULL));
        cr_assert(!w->image->format->write(w->image, sector * SECTOR, bytes, SECTOR, NULL));
        w->tags[mine] = turn;
        cr_assert(!w->image->format->read(w->image, sector * SECTOR, bytes, SECTOR, NULL));
        cr_assert_eq(sector_tag(bytes, sector), turn);
        if (turn % 20 == 0) {
            cr_assert(!w->image->format->zero(w->image, sector * SECTOR, SECTOR, 1, NULL));
            w->tags[mine] = 0;
        }
    }
    return NULL;
}

static void workers_run(disk_file *file)
{
    static worker workers[THREADS];
    pthread_t threads[THREADS];
    vsdk_disk_report report = {0};
    vsdk_error error = {0};
    disk_image *image;
    uint8_t bytes[SECTOR];

    memset(workers, 0, sizeof workers);
    cr_assert(!rig_open(file, 0, &image, &error), "%s", error.message);
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i].image = image;
        workers[i].number = i;
        cr_assert(!pthread_create(&threads[i], NULL, worker_run, &workers[i]));
    }
    for (uint64_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint64_t i = 0; i < THREAD_SECTORS; i++) {
        cr_assert(!image->format->read(image, i * SECTOR, bytes, SECTOR, NULL));
        cr_assert_eq(sector_tag(bytes, i), workers[i % THREADS].tags[i / THREADS]);
    }
    cr_assert(!image->format->check(image, 0, &report, &error), "%s", error.message);
    cr_assert(!report.errors && !report.leaks, "%s", report.first);
    rig_close(image);
    rig_file_free(file);
}

Test(qcow2, threads_that_share_clusters_keep_their_sectors)
{
    static const char *const options[] = {"cluster_size=4096", "cluster_size=65536",
                                          "cluster_size=4096,compat=0.10"};

    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        cr_assert(
            !qemu_img("create", "-f", "qcow2", "-o", options[i], in_folder("image"), "512K", NULL));
        workers_run(rig_file_load(in_folder("image")));
        /* Above a snapshot every first write copies. */
        cr_assert(!qemu_img("snapshot", "-c", "one", in_folder("image"), NULL));
        workers_run(rig_file_load(in_folder("image")));
    }
}
