/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of any bytes for a folder that is made anew for each input, beside files that must stay
 * as they are. The input is a list: a length, then so many bytes of a request. Numbers that are
 * small where the protocol has nodes and files are taken for those that the share gave out, so that
 * requests reach more than their first check. */
#include "target.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vsdk/share.h>

enum { REQUEST = 1 << 12, ANSWER = 1 << 14, REQUESTS = 64, KNOWN = 8 };

static char top[64];
static int outside = -1; /* the folder above the shared one */
static uint64_t nodes[KNOWN], files[KNOWN];
static unsigned node_count, file_count;

static void must(int holds)
{
    if (!holds)
        abort();
}

static int take(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind;
    return walk->level ? remove(path) : 0;
}

static void put(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void end(void)
{
    nftw(top, take, 16, FTW_DEPTH | FTW_PHYS);
    rmdir(top);
}

static void make_outside(void)
{
    const char *base = getenv("TMPDIR");
    struct rlimit most = {1 << 20, 1 << 20}; /* of a file: a share keeps to it */

    if (outside >= 0)
        return;
    setrlimit(RLIMIT_FSIZE, &most);
    snprintf(top, sizeof top, "%.40s/vsdk-fuse-XXXXXX", base ? base : "/dev/shm");
    must(mkdtemp(top) != NULL);
    outside = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(outside >= 0);
    atexit(end);
}

/* One of each kind. What is there from before goes. */
static int make_folder(void)
{
    make_outside();
    nftw(top, take, 16, FTW_DEPTH | FTW_PHYS);
    put(outside, "secret", "outside");
    must(!mkdirat(outside, "root", 0755));
    int root = openat(outside, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(root >= 0 && !mkdirat(root, "d", 0755) && !symlinkat("../secret", root, "l") &&
         !symlinkat("..", root, "u") && !mkfifoat(root, "p", 0644));
    put(root, "f", "inside");
    put(root, "d/g", "below");
    return root;
}

/* Two names, and the same bytes. */
static void check_outside(void)
{
    char text[16] = {0};
    struct stat status;
    unsigned count = 0;
    int fd = openat(outside, "secret", O_RDONLY | O_NOFOLLOW);

    must(fd >= 0 && read(fd, text, sizeof text) == 7 && !memcmp(text, "outside", 7));
    must(!fstat(fd, &status) && status.st_mode == (S_IFREG | 0644) && status.st_nlink == 1);
    close(fd);
    DIR *list = fdopendir(openat(outside, ".", O_RDONLY | O_DIRECTORY));
    must(list != NULL);
    while (readdir(list))
        count++;
    closedir(list);
    must(count == 4);
}

/* Where requests have files: at the beginning of what follows the header, most of them. */
static void make_known(uint8_t *request, size_t length)
{
    struct fuse_in_header head;
    uint64_t number;

    if (length < sizeof head)
        return;
    memcpy(&head, request, sizeof head);
    head.opcode %= 64;
    if (head.nodeid >= 2 && head.nodeid < 256 && node_count)
        head.nodeid = nodes[head.nodeid % node_count];
    if (head.unique & 1)
        head.len = (uint32_t)length;
    memcpy(request, &head, sizeof head);
    if (length < sizeof head + 8)
        return;
    memcpy(&number, request + sizeof head, 8);
    if (number < 256 && file_count && head.unique & 2)
        number = files[number % file_count];
    memcpy(request + sizeof head, &number, 8);
}

static void learn(uint32_t opcode, const uint8_t *answer, uint64_t length)
{
    struct fuse_out_header head;
    struct fuse_entry_out entry;
    struct fuse_open_out opened;

    memcpy(&head, answer, sizeof head);
    must(head.len == length && head.error <= 0 && head.error > -4096);
    if (head.error)
        return;
    if (length >= sizeof head + sizeof entry &&
        (opcode == FUSE_LOOKUP || opcode == FUSE_CREATE || opcode == FUSE_MKDIR ||
         opcode == FUSE_MKNOD || opcode == FUSE_SYMLINK || opcode == FUSE_LINK)) {
        memcpy(&entry, answer + sizeof head, sizeof entry);
        must(entry.nodeid != 0);
        nodes[node_count++ % KNOWN] = entry.nodeid;
        node_count = node_count > KNOWN ? KNOWN : node_count;
    }
    if (opcode == FUSE_OPEN || opcode == FUSE_OPENDIR || opcode == FUSE_CREATE) {
        memcpy(&opened, answer + length - sizeof opened, sizeof opened);
        files[file_count++ % KNOWN] = opened.fh;
        file_count = file_count > KNOWN ? KNOWN : file_count;
    }
}

static void ask(vsdk_share *share, uint8_t *request, size_t length)
{
    static uint8_t answer[ANSWER];
    vsdk_share_buffer in[2] = {{request, length / 3}, {request + length / 3, length - length / 3}};
    vsdk_share_buffer out[2] = {{answer, 11}, {answer + 11, ANSWER - 11}};
    struct fuse_in_header head;
    uint64_t written = 0;

    make_known(request, length);
    vsdk_status status = vsdk_share_request(share, in, 2, out, 2, &written, NULL);
    must(written <= ANSWER && (!status || status == VSDK_ERROR_FORMAT));
    must(!status == (length >= sizeof head));
    if (!written)
        return;
    memcpy(&head, request, sizeof head);
    learn(head.opcode, answer, written);
}

static void begin(vsdk_share *share)
{
    struct {
        struct fuse_in_header head;
        struct fuse_init_in init;
    } request = {.head = {.len = sizeof request, .opcode = FUSE_INIT},
                 .init = {.major = 7, .minor = 31}};

    node_count = file_count = 0;
    ask(share, (uint8_t *)&request, sizeof request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static uint8_t request[REQUEST];
    vsdk_share_config config = {.size = sizeof config,
                                .inodes_max = 6,
                                .files_max = 4,
                                .descriptors_max = 2,
                                .flags = VSDK_SHARE_XATTRS | VSDK_SHARE_SPECIAL};
    vsdk_share *share;

    if (length < 1)
        return 0;
    config.flags ^= bytes[0] & (VSDK_SHARE_READ_ONLY | VSDK_SHARE_SQUASH | VSDK_SHARE_XATTRS);
    config.descriptor = make_folder();
    must(!vsdk_share_open(&config, &share, NULL));
    close(config.descriptor);
    begin(share);
    size_t at = 1;
    for (unsigned i = 0; i < REQUESTS && at + 2 <= length; i++) {
        size_t one = (size_t)bytes[at] | (size_t)(bytes[at + 1] & 0xf) << 8;
        at += 2;
        one = one < length - at ? one : length - at;
        memcpy(request, bytes + at, one);
        ask(share, request, one);
        at += one;
    }
    vsdk_share_close(share);
    check_outside();
    return 0;
}
