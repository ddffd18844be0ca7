/* SPDX-License-Identifier: Apache-2.0 */
/* A shared folder, asked by requests as a guest makes them: each operation, what is refused, ids,
 * limits, sessions that are saved. The folder is in a folder of its own, beside a secret: what
 * leads there must not. */
#include "core/fields.h"
#include "fuse.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <vsdk/share.h>

#define ROOT FUSE_ROOT_ID

static char top[64], root[96];
static vsdk_share *share;
static struct fuse f;
static vsdk_error why;

static const char *at(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

static const char *text_of(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    return text;
}

static void share_with(vsdk_share_config config)
{
    vsdk_share_close(share);
    config.size = sizeof config;
    if (!config.path)
        config.path = root;
    cr_assert(!vsdk_share_open(&config, &share, &why), "%s", why.message);
    cr_assert_eq(fuse_begin(&f, share), 0);
}

static void setup(void)
{
    umask(022);
    strcpy(top, "/tmp/vsdk-share-XXXXXX");
    cr_assert(mkdtemp(top) != NULL);
    chmod(top, 0755);
    snprintf(root, sizeof root, "%s/root", top);
    cr_assert(!mkdir(root, 0755));
    put_file(at("../secret"), "outside");
    put_file(at("file"), "hello");
    mkdir(at("folder"), 0755);
    put_file(at("folder/inner"), "inside");
    share_with((vsdk_share_config){0});
}

static int take(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void teardown(void)
{
    vsdk_share_close(share);
    share = NULL;
    nftw(top, take, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(share, .init = setup, .fini = teardown);

static unsigned descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

static uint64_t node_of(uint64_t folder, const char *name)
{
    uint64_t node;
    int failure = fuse_lookup(&f, folder, name, &node);

    cr_assert_eq(failure, 0, "%s: %s", name, strerror(failure));
    return node;
}

Test(share, begins_with_init)
{
    struct fuse_init_in in = {.major = 7, .minor = 30, .flags = ~0u};
    const struct fuse_init_out *out = (const void *)f.body;

    cr_assert(out->major == 7 && out->minor == 31 && out->max_write == 1 << 20);
    cr_assert(!(out->flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS | FUSE_WRITEBACK_CACHE)));
    cr_assert_eq(fuse_call(&f, FUSE_INIT, 0, &in, sizeof in, NULL, 0), EPROTO);
    in.major = 8;
    cr_assert_eq(fuse_call(&f, FUSE_INIT, 0, &in, sizeof in, NULL, 0), 0);
    cr_assert_eq(out->major, 7);
    cr_assert_eq(fuse_call(&f, FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0);
    cr_assert_eq(fuse_lookup(&f, ROOT, "file", NULL), EIO);
    in.major = 7;
    in.minor = 31;
    cr_assert_eq(fuse_call(&f, FUSE_INIT, 0, &in, 16, NULL, 0), 0);
    cr_assert_eq(fuse_lookup(&f, ROOT, "file", NULL), 0);
}

Test(share, looks_up)
{
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner");
    const struct fuse_entry_out *entry = fuse_entry(&f);

    cr_assert(entry->attr.size == 6 && S_ISREG(entry->attr.mode) && entry->attr.nlink == 1);
    cr_assert(entry->entry_valid == 1 && entry->attr_valid == 1);
    cr_assert_eq(node_of(folder, "inner"), inner);
    cr_assert_eq(fuse_lookup(&f, ROOT, "none", NULL), ENOENT);
    cr_assert_eq(fuse_lookup(&f, inner, "x", NULL), ENOTDIR);
    cr_assert_eq(fuse_lookup(&f, 4711, "x", NULL), ESTALE);
    cr_assert_eq(fuse_attr_of(&f, ROOT)->mode, S_IFDIR | 0755);
}

/* In pieces of one byte too. */
Test(share, reads_and_writes)
{
    const uint32_t splits[] = {0, 1, 7, 64};

    for (unsigned i = 0; i < 4; i++) {
        uint64_t node, file;
        f.split = splits[i];
        cr_assert_eq(fuse_create(&f, ROOT, "new", O_RDWR, 0640, &node, &file), 0);
        cr_assert_eq(fuse_write(&f, node, file, 3, "abcdef", 6, 0), 0);
        cr_assert_eq(((const struct fuse_write_out *)f.body)->size, 6);
        cr_assert_eq(fuse_read(&f, node, file, 1, 100), 0);
        cr_assert(f.length == 8 && !memcmp(f.body, "\0\0abcdef", 8));
        cr_assert_eq(fuse_read(&f, node, file, 9, 100), 0);
        cr_assert_eq(f.length, 0);
        cr_assert_eq(fuse_read(&f, node, file, UINT64_MAX, 100), 0);
        cr_assert_eq(f.length, 0);
        f.room = sizeof(struct fuse_out_header) + 4;
        cr_assert_eq(fuse_read(&f, node, file, 3, 100), 0);
        cr_assert(f.length == 4 && !memcmp(f.body, "abcd", 4));
        f.room = 0;
        cr_assert_eq(fuse_release(&f, node, file), 0);
        cr_assert_eq(fuse_read(&f, node, file, 0, 1), EBADF);
        cr_assert_eq(fuse_name(&f, FUSE_UNLINK, ROOT, "new"), 0);
    }
    cr_assert_eq(access(at("new"), F_OK), -1);
}

Test(share, a_write_has_limits)
{
    uint64_t node, file, other;

    cr_assert_eq(fuse_create(&f, ROOT, "new", O_RDWR, 0640, &node, &file), 0);
    struct fuse_write_in in = {.fh = file, .size = 10};
    cr_assert_eq(fuse_call(&f, FUSE_WRITE, node, &in, sizeof in, "short", 5), EINVAL);
    in.size = 2 << 20;
    cr_assert_eq(fuse_call(&f, FUSE_WRITE, node, &in, sizeof in, f.body, 1 << 20), EINVAL);
    cr_assert_eq(fuse_write(&f, node, file, INT64_MAX, "x", 1, 0), EFBIG);
    cr_assert_eq(fuse_write(&f, node, file, UINT64_MAX, "x", 1, 0), EFBIG);
    cr_assert_eq(fuse_open(&f, node, O_RDONLY, &other), 0);
    cr_assert_eq(fuse_write(&f, node, other, 0, "x", 1, 0), EBADF);
    cr_assert_eq(fuse_write(&f, ROOT, file, 0, "x", 1, 0), EISDIR);
    cr_assert_eq(fuse_write(&f, node_of(ROOT, "file"), file, 0, "x", 1, 0), EBADF);
}

/* Beyond it the host would end the process by a signal. */
Test(share, keeps_to_the_processs_limit_of_a_files_size)
{
    struct rlimit limit = {100, RLIM_INFINITY};
    struct fuse_setattr_in cut = {.valid = FATTR_SIZE, .size = 101};
    uint64_t node, file;

    setrlimit(RLIMIT_FSIZE, &limit);
    share_with((vsdk_share_config){0});
    cr_assert_eq(fuse_create(&f, ROOT, "new", O_RDWR, 0640, &node, &file), 0);
    cr_assert_eq(fuse_write(&f, node, file, 98, "ab", 2, 0), 0);
    cr_assert_eq(fuse_write(&f, node, file, 98, "abc", 3, 0), EFBIG);
    cr_assert_eq(fuse_write(&f, node, file, 0, "abc", 3, O_APPEND), EFBIG);
    cr_assert_eq(fuse_setattr(&f, node, cut), EFBIG);
    struct fuse_fallocate_in more = {.fh = file, .offset = 50, .length = 51};
    cr_assert_eq(fuse_call(&f, FUSE_FALLOCATE, node, &more, sizeof more, NULL, 0), EFBIG);
}

Test(share, appends_where_the_file_ends_now)
{
    uint64_t node = node_of(ROOT, "file"), file;

    cr_assert_eq(fuse_open(&f, node, O_WRONLY | O_APPEND, &file), 0);
    put_file(at("file"), "hello, world");
    cr_assert_eq(fuse_write(&f, node, file, 5, "!", 1, O_APPEND), 0);
    cr_assert_str_eq(text_of(at("file")), "hello, world!");
    struct fuse_write_in page = {
        .fh = file, .size = 1, .write_flags = FUSE_WRITE_CACHE, .flags = O_APPEND};
    cr_assert_eq(fuse_call(&f, FUSE_WRITE, node, &page, sizeof page, "H", 1), 0);
    cr_assert_str_eq(text_of(at("file")), "Hello, world!");
}

Test(share, creates_as_the_guest_asks)
{
    uint64_t node, file;
    struct stat status;

    cr_assert_eq(fuse_create(&f, ROOT, "file", O_RDWR | O_EXCL, 0666, &node, &file), EEXIST);
    cr_assert_eq(fuse_create(&f, ROOT, "file", O_RDONLY, 0666, &node, &file), 0);
    cr_assert_eq(fuse_read(&f, node, file, 0, 9), 0);
    cr_assert(f.length == 5 && !memcmp(f.body, "hello", 5));
    cr_assert_eq(fuse_create(&f, ROOT, "file", O_RDWR | O_TRUNC, 0666, &node, &file), 0);
    cr_assert_eq(fuse_read(&f, node, file, 0, 9), 0);
    cr_assert_eq(f.length, 0);
    /* The mask of this process is not the guest's. */
    cr_assert_eq(fuse_create(&f, ROOT, "wide", O_RDWR, 0666, &node, &file), 0);
    cr_assert_eq(fuse_entry(&f)->attr.mode, S_IFREG | 0666);
    cr_assert(!stat(at("wide"), &status) && status.st_mode == (S_IFREG | 0666));
    cr_assert_eq(fuse_mkdir(&f, ROOT, "all", 01777, &node), 0);
    cr_assert(!stat(at("all"), &status) && status.st_mode == (S_IFDIR | 01777));
    cr_assert_eq(fuse_mkdir(&f, ROOT, "all", 0755, &node), EEXIST);
    /* Without room for the answer there is no file either. */
    f.room = sizeof(struct fuse_out_header) + sizeof(struct fuse_entry_out);
    cr_assert_eq(fuse_create(&f, ROOT, "late", O_RDWR, 0666, &node, &file), EINVAL);
    f.room = 0;
    cr_assert_eq(access(at("late"), F_OK), -1);
    cr_assert_eq(fuse_mknod(&f, ROOT, "node", S_IFREG | 0622, &node), 0);
    cr_assert(!stat(at("node"), &status) && status.st_mode == (S_IFREG | 0622));
}

Test(share, makes_no_device)
{
    uint64_t node;

    cr_assert_eq(fuse_mknod(&f, ROOT, "c", S_IFCHR | 0666, &node), EPERM);
    cr_assert_eq(fuse_mknod(&f, ROOT, "b", S_IFBLK | 0666, &node), EPERM);
    cr_assert_eq(fuse_mknod(&f, ROOT, "p", S_IFIFO | 0666, &node), EPERM);
    cr_assert_eq(fuse_mknod(&f, ROOT, "s", S_IFSOCK | 0666, &node), EPERM);
    share_with((vsdk_share_config){.flags = VSDK_SHARE_SPECIAL});
    cr_assert_eq(fuse_mknod(&f, ROOT, "c", S_IFCHR | 0666, &node), EPERM);
    cr_assert_eq(fuse_mknod(&f, ROOT, "b", S_IFBLK | 0666, &node), EPERM);
    cr_assert_eq(fuse_mknod(&f, ROOT, "p", S_IFIFO | 0666, &node), 0);
    cr_assert(S_ISFIFO(fuse_entry(&f)->attr.mode));
    cr_assert_eq(fuse_mknod(&f, ROOT, "s", S_IFSOCK | 0666, &node), 0);
}

/* A FIFO would hold the thread, and a device may do anything. */
Test(share, opens_no_special_file)
{
    uint64_t node, file, made;

    cr_assert(!mkfifo(at("fifo"), 0666));
    cr_assert(!mknod(at("null"), S_IFCHR | 0666, makedev(1, 3)) || errno == EPERM);
    for (const char *const *name = (const char *const[]){"fifo", "null", NULL}; *name; name++) {
        if (access(at(*name), F_OK))
            continue;
        node = node_of(ROOT, *name);
        cr_assert_eq(fuse_entry(&f)->attr.rdev, 0);
        cr_assert_eq(fuse_open(&f, node, O_RDWR, &file), EACCES);
        cr_assert_eq(fuse_opendir(&f, node, &file), ENOTDIR);
        cr_assert_eq(fuse_create(&f, ROOT, *name, O_RDWR, 0666, &made, &file), EACCES);
        cr_assert_eq(
            fuse_setattr(&f, node, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 1}),
            EINVAL);
    }
    cr_assert_eq(fuse_opendir(&f, node_of(ROOT, "file"), &file), ENOTDIR);
    cr_assert_eq(fuse_open(&f, node_of(ROOT, "folder"), O_RDONLY, &file), EISDIR);
}

/* Each operation that takes a name. */
Test(share, a_name_is_one_name)
{
    static const char *const bad[] = {
        "", ".", "..", "/", "a/b", "../secret", "/etc/passwd", "folder/", "folder/../../secret"};
    char longest[258];
    uint64_t node, file;

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *name = bad[i];
        cr_assert_eq(fuse_lookup(&f, ROOT, name, NULL), EINVAL, "%s", name);
        cr_assert_eq(fuse_mkdir(&f, ROOT, name, 0755, &node), EINVAL);
        cr_assert_eq(fuse_mknod(&f, ROOT, name, S_IFREG | 0644, &node), EINVAL);
        cr_assert_eq(fuse_symlink(&f, ROOT, name, "x", &node), EINVAL);
        cr_assert_eq(fuse_create(&f, ROOT, name, O_RDWR, 0644, &node, &file), EINVAL);
        cr_assert_eq(fuse_name(&f, FUSE_UNLINK, ROOT, name), EINVAL);
        cr_assert_eq(fuse_name(&f, FUSE_RMDIR, ROOT, name), EINVAL);
        cr_assert_eq(fuse_rename(&f, ROOT, name, ROOT, "x", 0), EINVAL);
        cr_assert_eq(fuse_rename(&f, ROOT, "file", ROOT, name, 0), EINVAL);
        cr_assert_eq(fuse_rename(&f, ROOT, "file", ROOT, name, RENAME_EXCHANGE), EINVAL);
        cr_assert_eq(fuse_link(&f, node_of(ROOT, "file"), ROOT, name), EINVAL);
    }
    memset(longest, 'n', 257);
    longest[257] = '\0';
    cr_assert_eq(fuse_lookup(&f, ROOT, longest, NULL), ENAMETOOLONG);
    longest[256] = '\0';
    cr_assert_eq(fuse_lookup(&f, ROOT, longest, NULL), ENAMETOOLONG);
    longest[255] = '\0';
    cr_assert_eq(fuse_lookup(&f, ROOT, longest, NULL), ENOENT);
    cr_assert_eq(fuse_call(&f, FUSE_LOOKUP, ROOT, "file", 4, NULL, 0), EINVAL);
    cr_assert_eq(fuse_call(&f, FUSE_LOOKUP, ROOT, NULL, 0, NULL, 0), EINVAL);
    cr_assert_eq(fuse_call(&f, FUSE_SYMLINK, ROOT, "link", 5, "target", 6), EINVAL);
}

Test(share, links_are_read_and_not_followed)
{
    uint64_t node, file, below;

    cr_assert_eq(fuse_symlink(&f, ROOT, "out", "../secret", &node), 0);
    cr_assert(S_ISLNK(fuse_entry(&f)->attr.mode));
    cr_assert_eq(fuse_call(&f, FUSE_READLINK, node, NULL, 0, NULL, 0), 0);
    cr_assert(f.length == 9 && !memcmp(f.body, "../secret", 9));
    cr_assert_eq(fuse_open(&f, node, O_RDONLY, &file), EACCES);
    cr_assert_eq(fuse_lookup(&f, node, "x", NULL), ENOTDIR);
    cr_assert_eq(fuse_symlink(&f, ROOT, "up", "..", &node), 0);
    cr_assert_eq(fuse_lookup(&f, node, "secret", NULL), ENOTDIR);
    cr_assert_eq(fuse_mkdir(&f, node, "made", 0755, &below), ENOTDIR);
    cr_assert_eq(fuse_opendir(&f, node, &file), ENOTDIR);
    cr_assert_neq(fuse_create(&f, ROOT, "out", O_RDWR | O_TRUNC, 0644, &below, &file), 0);
    cr_assert_str_eq(text_of(at("../secret")), "outside");
    cr_assert_eq(fuse_setattr(&f, node, (struct fuse_setattr_in){.valid = FATTR_MODE}), EOPNOTSUPP);
    cr_assert_eq(fuse_call(&f, FUSE_READLINK, node_of(ROOT, "file"), NULL, 0, NULL, 0), EINVAL);
    /* A link to a link is a second name of the link. */
    cr_assert_eq(fuse_link(&f, node_of(ROOT, "out"), ROOT, "out2"), 0);
    cr_assert(S_ISLNK(fuse_entry(&f)->attr.mode));
    cr_assert_eq(fuse_setattr(&f, node_of(ROOT, "out"),
                              (struct fuse_setattr_in){.valid = FATTR_MTIME, .mtime = 5}),
                 0);
    struct stat status;
    cr_assert(!stat(at("../secret"), &status) && status.st_mtime != 5);
}

Test(share, names_are_taken_away)
{
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner"), file;

    cr_assert_eq(fuse_name(&f, FUSE_RMDIR, ROOT, "folder"), ENOTEMPTY);
    cr_assert_eq(fuse_name(&f, FUSE_UNLINK, ROOT, "folder"), EISDIR);
    cr_assert_eq(fuse_name(&f, FUSE_RMDIR, ROOT, "file"), ENOTDIR);
    cr_assert_eq(fuse_name(&f, FUSE_UNLINK, ROOT, "none"), ENOENT);
    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), 0);
    cr_assert_eq(fuse_name(&f, FUSE_UNLINK, folder, "inner"), 0);
    /* Who knows it and who has it open still does. */
    cr_assert_eq(fuse_attr_of(&f, inner)->nlink, 0);
    cr_assert_eq(fuse_read(&f, inner, file, 0, 10), 0);
    cr_assert_eq(f.length, 6);
    cr_assert_eq(fuse_name(&f, FUSE_RMDIR, ROOT, "folder"), 0);
    cr_assert_eq(fuse_lookup(&f, folder, "inner", NULL), ENOENT);
}

Test(share, renames)
{
    uint64_t folder = node_of(ROOT, "folder"), file = node_of(ROOT, "file"), node;

    cr_assert_eq(fuse_rename(&f, ROOT, "file", folder, "inner", RENAME_NOREPLACE), EEXIST);
    cr_assert_eq(fuse_rename(&f, ROOT, "file", folder, "inner", RENAME_WHITEOUT), EINVAL);
    cr_assert_eq(fuse_rename(&f, ROOT, "file", folder, "inner", RENAME_EXCHANGE), 0);
    cr_assert_str_eq(text_of(at("folder/inner")), "hello");
    cr_assert_eq(node_of(folder, "inner"), file);
    cr_assert_eq(fuse_rename(&f, folder, "inner", ROOT, "file", 0), 0);
    cr_assert_eq(node_of(ROOT, "file"), file);
    cr_assert_eq(fuse_rename(&f, ROOT, "folder", folder, "below", 0), EINVAL);
    cr_assert_eq(fuse_rename(&f, ROOT, "none", ROOT, "x", 0), ENOENT);
    cr_assert_eq(fuse_rename(&f, ROOT, "file", file, "x", 0), ENOTDIR);
    cr_assert_eq(fuse_rename(&f, ROOT, "file", 4711, "x", 0), ESTALE);
    cr_assert_eq(fuse_mkdir(&f, ROOT, "other", 0755, &node), 0);
    cr_assert_eq(fuse_rename(&f, ROOT, "folder", node, "moved", RENAME_NOREPLACE), 0);
    cr_assert_eq(node_of(node, "moved"), folder);
}

Test(share, makes_second_names)
{
    uint64_t file = node_of(ROOT, "file");

    cr_assert_eq(fuse_link(&f, file, node_of(ROOT, "folder"), "second"), 0);
    cr_assert(fuse_entry(&f)->nodeid == file && fuse_entry(&f)->attr.nlink == 2);
    cr_assert_str_eq(text_of(at("folder/second")), "hello");
    cr_assert_eq(fuse_link(&f, file, ROOT, "file"), EEXIST);
    cr_assert_eq(fuse_link(&f, node_of(ROOT, "folder"), ROOT, "x"), EPERM);
    cr_assert_eq(fuse_link(&f, 4711, ROOT, "x"), ESTALE);
}

Test(share, sets_attributes)
{
    uint64_t file = node_of(ROOT, "file"), open;
    struct stat status;

    cr_assert_eq(fuse_setattr(&f, file,
                              (struct fuse_setattr_in){.valid = FATTR_MODE | FATTR_SIZE |
                                                                FATTR_ATIME | FATTR_MTIME,
                                                       .mode = 0600,
                                                       .size = 2,
                                                       .atime = 11,
                                                       .mtime = 12,
                                                       .mtimensec = 13}),
                 0);
    cr_assert(!stat(at("file"), &status));
    cr_assert(status.st_mode == (S_IFREG | 0600) && status.st_size == 2);
    cr_assert(status.st_atime == 11 && status.st_mtime == 12 && status.st_mtim.tv_nsec == 13);
    cr_assert_eq(((const struct fuse_attr_out *)f.body)->attr.size, 2);
    cr_assert_eq(
        fuse_setattr(&f, file, (struct fuse_setattr_in){.valid = FATTR_MTIME | FATTR_MTIME_NOW}),
        0);
    cr_assert(!stat(at("file"), &status) && status.st_mtime > 1000 && status.st_atime == 11);
    cr_assert_eq(fuse_open(&f, file, O_RDWR, &open), 0);
    cr_assert_eq(fuse_setattr(&f, file,
                              (struct fuse_setattr_in){
                                  .valid = FATTR_FH | FATTR_SIZE, .fh = open, .size = 1000}),
                 0);
    cr_assert(!stat(at("file"), &status) && status.st_size == 1000);
    cr_assert_eq(fuse_setattr(&f, file,
                              (struct fuse_setattr_in){
                                  .valid = FATTR_FH | FATTR_SIZE, .fh = open + 1, .size = 1}),
                 EBADF);
    struct fuse_setattr_in cut = {.valid = FATTR_SIZE, .size = UINT64_MAX};
    cr_assert_eq(fuse_setattr(&f, file, cut), EFBIG);
    cr_assert_eq(fuse_setattr(&f, ROOT, (struct fuse_setattr_in){.valid = FATTR_SIZE}), EISDIR);
}

/* Names of a folder, by READDIR or with attributes; how many. */
static unsigned list(uint64_t node, uint32_t opcode, uint32_t size, char *names, size_t room)
{
    struct fuse_read_in in = {.size = size};
    unsigned count = 0;
    uint64_t file;
    size_t used = 0;

    cr_assert_eq(fuse_opendir(&f, node, &file), 0);
    in.fh = file;
    for (;;) {
        cr_assert_eq(fuse_call(&f, opcode, node, &in, sizeof in, NULL, 0), 0);
        if (!f.length)
            break;
        cr_assert_leq(f.length, size);
        for (uint32_t at_byte = 0; at_byte < f.length; count++) {
            const uint8_t *here = f.body + at_byte;
            size_t before = opcode == FUSE_READDIRPLUS ? sizeof(struct fuse_entry_out) : 0;
            struct fuse_entry_out entry = {0};
            const struct fuse_dirent *d = (const void *)(here + before);
            if (before)
                memcpy(&entry, here, sizeof entry);
            cr_assert(!entry.nodeid || entry.attr.ino == d->ino);
            if (names)
                used +=
                    (size_t)snprintf(names + used, room - used, "%.*s ", (int)d->namelen, d->name);
            in.offset = d->off;
            at_byte += (uint32_t)FUSE_DIRENT_ALIGN(before + FUSE_NAME_OFFSET + d->namelen);
        }
    }
    cr_assert_eq(fuse_call(&f, FUSE_RELEASEDIR, node, &(struct fuse_release_in){.fh = file},
                           sizeof(struct fuse_release_in), NULL, 0),
                 0);
    return count;
}

Test(share, lists_a_folder)
{
    char names[512];
    uint64_t folder = node_of(ROOT, "folder");

    cr_assert_eq(list(folder, FUSE_READDIR, 4096, names, sizeof names), 3);
    cr_assert(strstr(names, "inner ") && strstr(names, ". ") && strstr(names, ".. "));
    for (unsigned i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof name, "folder/entry-%u", i);
        put_file(at(name), "");
    }
    cr_assert_eq(list(folder, FUSE_READDIR, 4096, NULL, 0), 2003);
    cr_assert_eq(list(folder, FUSE_READDIR, 300, NULL, 0), 2003);
    cr_assert_eq(list(folder, FUSE_READDIRPLUS, 4096, NULL, 0), 2003);
    cr_assert_eq(list(folder, FUSE_READDIRPLUS, 1 << 17, NULL, 0), 2003);
    uint64_t file;
    struct fuse_read_in in = {.size = 10};
    cr_assert_eq(fuse_opendir(&f, folder, &file), 0);
    in.fh = file;
    cr_assert_eq(fuse_call(&f, FUSE_READDIR, folder, &in, sizeof in, NULL, 0), EINVAL);
    in.size = 4096;
    in.offset = UINT64_MAX;
    cr_assert_eq(fuse_call(&f, FUSE_READDIR, folder, &in, sizeof in, NULL, 0), EINVAL);
    cr_assert_eq(fuse_read(&f, folder, file, 0, 100), EISDIR);
}

Test(share, the_roots_parent_is_not_told)
{
    struct fuse_read_in in = {.size = 4096};
    struct stat above;
    uint64_t file;

    cr_assert(!stat(top, &above));
    cr_assert_eq(fuse_opendir(&f, ROOT, &file), 0);
    in.fh = file;
    cr_assert_eq(fuse_call(&f, FUSE_READDIR, ROOT, &in, sizeof in, NULL, 0), 0);
    for (uint32_t here = 0; here < f.length;) {
        const struct fuse_dirent *d = (const void *)(f.body + here);
        cr_assert_neq(d->ino, above.st_ino);
        here += (uint32_t)FUSE_DIRENT_SIZE(d);
    }
}

Test(share, files_have_holes_and_copies)
{
    uint64_t node, file, other, other_file;
    struct fuse_lseek_out *found = (void *)f.body;

    cr_assert_eq(fuse_create(&f, ROOT, "a", O_RDWR, 0644, &node, &file), 0);
    cr_assert_eq(fuse_create(&f, ROOT, "b", O_RDWR, 0644, &other, &other_file), 0);
    cr_assert_eq(fuse_write(&f, node, file, 1 << 20, "tail", 4, 0), 0);
    struct fuse_lseek_in seek = {.fh = file, .whence = SEEK_DATA};
    cr_assert_eq(fuse_call(&f, FUSE_LSEEK, node, &seek, sizeof seek, NULL, 0), 0);
    cr_assert(found->offset <= 1 << 20);
    seek.offset = 2 << 20;
    cr_assert_eq(fuse_call(&f, FUSE_LSEEK, node, &seek, sizeof seek, NULL, 0), ENXIO);
    seek.whence = SEEK_CUR;
    cr_assert_eq(fuse_call(&f, FUSE_LSEEK, node, &seek, sizeof seek, NULL, 0), EINVAL);
    struct fuse_fallocate_in more = {.fh = file, .length = 2 << 20};
    cr_assert_eq(fuse_call(&f, FUSE_FALLOCATE, node, &more, sizeof more, NULL, 0), 0);
    cr_assert_eq(fuse_attr_of(&f, node)->size, 2 << 20);
    more.mode = FALLOC_FL_COLLAPSE_RANGE;
    cr_assert_eq(fuse_call(&f, FUSE_FALLOCATE, node, &more, sizeof more, NULL, 0), EOPNOTSUPP);
    struct fuse_copy_file_range_in copy = {.fh_in = file,
                                           .off_in = 1 << 20,
                                           .nodeid_out = other,
                                           .fh_out = other_file,
                                           .off_out = 3,
                                           .len = 4};
    cr_assert_eq(fuse_call(&f, FUSE_COPY_FILE_RANGE, node, &copy, sizeof copy, NULL, 0), 0);
    cr_assert_eq(fuse_read(&f, other, other_file, 0, 100), 0);
    cr_assert(f.length == 7 && !memcmp(f.body, "\0\0\0tail", 7));
    copy.nodeid_out = node;
    cr_assert_eq(fuse_call(&f, FUSE_COPY_FILE_RANGE, node, &copy, sizeof copy, NULL, 0), EBADF);
    struct fuse_fsync_in sync = {.fh = file};
    cr_assert_eq(fuse_call(&f, FUSE_FSYNC, node, &sync, sizeof sync, NULL, 0), 0);
    cr_assert_eq(fuse_call(&f, FUSE_FLUSH, node, &(struct fuse_flush_in){.fh = file},
                           sizeof(struct fuse_flush_in), NULL, 0),
                 0);
    uint64_t folder;
    cr_assert_eq(fuse_opendir(&f, ROOT, &folder), 0);
    sync.fh = folder;
    cr_assert_eq(fuse_call(&f, FUSE_FSYNCDIR, ROOT, &sync, sizeof sync, NULL, 0), 0);
}

Test(share, tells_of_its_file_system)
{
    struct fuse_access_in access_in = {.mask = R_OK};

    cr_assert_eq(fuse_call(&f, FUSE_STATFS, ROOT, NULL, 0, NULL, 0), 0);
    const struct fuse_statfs_out *out = (const void *)f.body;
    cr_assert(out->st.bsize && out->st.namelen == 255);
    cr_assert_eq(fuse_call(&f, FUSE_ACCESS, ROOT, &access_in, sizeof access_in, NULL, 0), 0);
}

static int xattr_set(const char *name, const char *value, uint64_t node)
{
    uint32_t head[2] = {(uint32_t)strlen(value), 0};
    char both[512];
    size_t first = strlen(name) + 1;

    memcpy(both, name, first);
    memcpy(both + first, value, strlen(value));
    return fuse_call(&f, FUSE_SETXATTR, node, head, sizeof head, both, first + strlen(value));
}

static int xattr_get(const char *name, uint32_t size, uint64_t node)
{
    struct fuse_getxattr_in in = {.size = size};

    return fuse_call(&f, FUSE_GETXATTR, node, &in, sizeof in, name, strlen(name) + 1);
}

Test(share, has_attributes_without_a_meaning)
{
    uint64_t node = node_of(ROOT, "file");
    struct fuse_getxattr_in names = {.size = 100};

    cr_assert_eq(xattr_get("user.x", 10, node), ENOSYS);
    cr_assert_eq(fuse_call(&f, FUSE_LISTXATTR, node, &names, sizeof names, NULL, 0), ENOSYS);
    share_with((vsdk_share_config){.flags = VSDK_SHARE_XATTRS});
    node = node_of(ROOT, "file");
    cr_assert_eq(xattr_set("security.capability", "x", node), EOPNOTSUPP);
    cr_assert_eq(xattr_set("trusted.overlay.opaque", "y", node), EOPNOTSUPP);
    cr_assert_eq(xattr_get("system.posix_acl_access", 10, node), EOPNOTSUPP);
    int failure = xattr_set("user.x", "value", node);
    if (failure == EOPNOTSUPP)
        cr_skip_test("the file system of /tmp has none");
    cr_assert_eq(failure, 0);
    setxattr(at("file"), "trusted.t", "t", 1, 0);
    cr_assert_eq(xattr_get("user.x", 10, node), 0);
    cr_assert(f.length == 5 && !memcmp(f.body, "value", 5));
    cr_assert_eq(xattr_get("user.x", 4, node), ERANGE);
    cr_assert_eq(xattr_get("user.x", 0, node), 0);
    cr_assert_eq(((const struct fuse_getxattr_out *)f.body)->size, 5);
    cr_assert_eq(fuse_call(&f, FUSE_LISTXATTR, node, &names, sizeof names, NULL, 0), 0);
    cr_assert(f.length == 7 && !memcmp(f.body, "user.x", 7));
    cr_assert_eq(fuse_name(&f, FUSE_REMOVEXATTR, node, "user.x"), 0);
    cr_assert_eq(xattr_get("user.x", 10, node), ENODATA);
}

Test(share, read_only_changes_nothing)
{
    uint64_t node, file;
    struct stat before, after;

    share_with((vsdk_share_config){.flags = VSDK_SHARE_READ_ONLY});
    uint64_t there = node_of(ROOT, "file");
    cr_assert(!stat(at("file"), &before));
    cr_assert_eq(fuse_open(&f, there, O_RDWR, &file), EROFS);
    cr_assert_eq(fuse_open(&f, there, O_WRONLY, &file), EROFS);
    cr_assert_eq(fuse_open(&f, there, O_RDONLY | O_TRUNC, &file), EROFS);
    cr_assert_eq(fuse_open(&f, there, O_RDONLY, &file), 0);
    cr_assert_eq(fuse_read(&f, there, file, 0, 10), 0);
    cr_assert_eq(f.length, 5);
    cr_assert_eq(fuse_write(&f, there, file, 0, "x", 1, 0), EROFS);
    cr_assert_eq(fuse_create(&f, ROOT, "n", O_RDWR, 0644, &node, &file), EROFS);
    cr_assert_eq(fuse_mkdir(&f, ROOT, "n", 0755, &node), EROFS);
    cr_assert_eq(fuse_mknod(&f, ROOT, "n", S_IFREG | 0644, &node), EROFS);
    cr_assert_eq(fuse_symlink(&f, ROOT, "n", "x", &node), EROFS);
    cr_assert_eq(fuse_link(&f, there, ROOT, "n"), EROFS);
    cr_assert_eq(fuse_rename(&f, ROOT, "file", ROOT, "n", 0), EROFS);
    cr_assert_eq(fuse_rename(&f, ROOT, "file", ROOT, "n", RENAME_NOREPLACE), EROFS);
    cr_assert_eq(fuse_name(&f, FUSE_UNLINK, ROOT, "file"), EROFS);
    cr_assert_eq(fuse_name(&f, FUSE_RMDIR, ROOT, "folder"), EROFS);
    cr_assert_eq(fuse_setattr(&f, there, (struct fuse_setattr_in){.valid = FATTR_MODE}), EROFS);
    cr_assert_eq(xattr_set("user.x", "x", there), EROFS);
    cr_assert_eq(fuse_name(&f, FUSE_REMOVEXATTR, there, "user.x"), EROFS);
    struct fuse_fallocate_in more = {.fh = file, .length = 10};
    cr_assert_eq(fuse_call(&f, FUSE_FALLOCATE, there, &more, sizeof more, NULL, 0), EROFS);
    struct fuse_copy_file_range_in copy = {.fh_in = file};
    cr_assert_eq(fuse_call(&f, FUSE_COPY_FILE_RANGE, there, &copy, sizeof copy, NULL, 0), EROFS);
    cr_assert(!stat(at("file"), &after) && !memcmp(&before.st_atim, &after.st_atim, 16));
}

Test(share, files_belong_to_the_guests_user)
{
    uint64_t node, file;
    struct stat status;

    if (geteuid())
        cr_skip_test("not root's");
    f.uid = 1234;
    f.gid = 2345;
    cr_assert_eq(fuse_create(&f, ROOT, "n", O_RDWR, 04755, &node, &file), 0);
    cr_assert(fuse_entry(&f)->attr.uid == 1234 && fuse_entry(&f)->attr.gid == 2345);
    cr_assert(!stat(at("n"), &status) && status.st_uid == 1234 && status.st_gid == 2345 &&
              status.st_mode == (S_IFREG | 04755));
    cr_assert_eq(fuse_mkdir(&f, ROOT, "d", 0755, &node), 0);
    cr_assert(!stat(at("d"), &status) && status.st_uid == 1234);
    cr_assert_eq(fuse_symlink(&f, ROOT, "l", "../secret", &node), 0);
    cr_assert(!lstat(at("l"), &status) && status.st_uid == 1234);
    cr_assert(!stat(at("../secret"), &status) && status.st_uid == 0);
    cr_assert_eq(fuse_setattr(&f, node_of(ROOT, "n"),
                              (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 77}),
                 0);
    cr_assert(!stat(at("n"), &status) && status.st_uid == 77 && status.st_gid == 2345);
    /* A folder may say whose group it is. */
    cr_assert(!chown(at("folder"), 0, 99) && !chmod(at("folder"), 02755));
    cr_assert_eq(fuse_mknod(&f, node_of(ROOT, "folder"), "g", S_IFREG | 0644, &node), 0);
    cr_assert(!stat(at("folder/g"), &status) && status.st_gid == 99 && status.st_uid == 1234);
}

static void squashed(uint32_t own)
{
    uint64_t node, file;
    struct stat status;

    f.uid = 1234;
    f.gid = 2345;
    cr_assert_eq(fuse_create(&f, ROOT, "n", O_RDWR, 0644, &node, &file), 0);
    cr_assert(fuse_entry(&f)->attr.uid == 0 && fuse_entry(&f)->attr.gid == 0);
    cr_assert(!stat(at("n"), &status) && status.st_uid == own);
    cr_assert_eq(fuse_setattr(&f, node, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 77}),
                 0);
    cr_assert(!stat(at("n"), &status) && status.st_uid == own);
}

Test(share, files_belong_to_one_user)
{
    share_with((vsdk_share_config){.flags = VSDK_SHARE_SQUASH});
    squashed(geteuid());
    if (!geteuid()) {
        cr_assert(!chown(at("file"), 5, 6));
        node_of(ROOT, "file");
        cr_assert(fuse_entry(&f)->attr.uid == 65534 && fuse_entry(&f)->attr.gid == 65534);
    }
}

Test(share, a_process_without_rights_shares_what_it_may)
{
    uint64_t node;

    if (geteuid())
        cr_skip_test("not root's");
    cr_assert(!chown(root, 65534, 65534) && !chmod(at("folder"), 0700));
    cr_assert(!setgid(65534) && !setuid(65534));
    share_with((vsdk_share_config){0});
    squashed(65534);
    cr_assert_eq(fuse_lookup(&f, ROOT, "folder", &node), 0);
    cr_assert_eq(fuse_entry(&f)->attr.uid, 65534);
    cr_assert_eq(fuse_lookup(&f, node, "inner", NULL), EACCES);
    vsdk_share_ids ids = {.guest = 0, .host = 1, .count = 1};
    vsdk_share_config config = {.size = sizeof config,
                                .path = root,
                                .users = &ids,
                                .groups = &ids,
                                .user_count = 1,
                                .group_count = 1};
    vsdk_share *none;
    cr_assert_eq(vsdk_share_open(&config, &none, &why), VSDK_ERROR_PERMISSION);
}

/* The guest's root is user 100000 here, and can do no more than that one. */
Test(share, ranges_of_users)
{
    vsdk_share_ids ids = {.guest = 0, .host = 100000, .count = 1000};
    uint64_t node, file;
    struct stat status;

    if (geteuid())
        cr_skip_test("not root's");
    cr_assert(!chown(at("folder"), 100000, 100000) && !chmod(at("file"), 0600));
    share_with(
        (vsdk_share_config){.users = &ids, .groups = &ids, .user_count = 1, .group_count = 1});
    node_of(ROOT, "file");
    cr_assert_eq(fuse_entry(&f)->attr.uid, 65534);
    cr_assert_eq(fuse_open(&f, node_of(ROOT, "file"), O_RDONLY, &file), EACCES);
    cr_assert_eq(fuse_create(&f, ROOT, "n", O_RDWR, 0644, &node, &file), EACCES);
    cr_assert_eq(fuse_name(&f, FUSE_UNLINK, ROOT, "file"), EACCES);
    uint64_t folder = node_of(ROOT, "folder");
    cr_assert_eq(fuse_entry(&f)->attr.uid, 0);
    cr_assert_eq(fuse_create(&f, folder, "n", O_RDWR, 0644, &node, &file), 0);
    cr_assert(!stat(at("folder/n"), &status) && status.st_uid == 100000 && status.st_gid == 100000);
    cr_assert_eq(fuse_setattr(&f, node, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 5}),
                 EPERM);
    f.uid = 7;
    f.gid = 8;
    cr_assert_eq(fuse_create(&f, folder, "m", O_RDWR, 0644, &node, &file), EACCES);
    cr_assert(!chmod(at("folder"), 0777));
    cr_assert_eq(fuse_create(&f, folder, "m", O_RDWR, 0644, &node, &file), 0);
    cr_assert(!stat(at("folder/m"), &status) && status.st_uid == 100007 && status.st_gid == 100008);
    f.uid = 5000; /* in no range */
    cr_assert_eq(fuse_lookup(&f, ROOT, "folder", NULL), EACCES);
    /* The thread is who it was. */
    cr_assert_eq(access(at("file"), W_OK), 0);
    cr_assert(!chown(at("file"), 3, 3));
}

/* What the guest knows is reached by all its users, though its descriptor was given up and the way
 * there is closed to this one. */
Test(share, ranges_of_users_and_few_descriptors)
{
    vsdk_share_ids ids = {.guest = 0, .host = 100000, .count = 1000};
    const char *const closed[] = {"folder", "folder/in", "folder/in/from", "folder/in/deep"};
    uint64_t nodes[4], folder, node;
    char name[16];

    if (geteuid())
        cr_skip_test("not root's");
    cr_assert(!mkdir(at(closed[1]), 0777) && !mkdir(at(closed[3]), 0777));
    put_file(at(closed[2]), "from");
    cr_assert(!chmod(at(closed[1]), 0777) && !chmod(at(closed[3]), 0777));
    cr_assert(!chown(at("folder"), 100000, 100000) && !chmod(at("folder"), 0700));
    cr_assert(!chown(at(closed[2]), 100007, 100008) && !chmod(root, 0777));
    share_with((vsdk_share_config){
        .users = &ids, .groups = &ids, .user_count = 1, .group_count = 1, .descriptors_max = 4});
    for (unsigned i = 0; i < 4; i++) {
        folder = i ? nodes[i > 1] : ROOT;
        nodes[i] =
            node_of(folder, strrchr(closed[i], '/') ? strrchr(closed[i], '/') + 1 : closed[i]);
    }
    f.uid = 7;
    f.gid = 8;
    cr_assert_eq(fuse_lookup(&f, nodes[0], "in", NULL), EACCES);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "n%u-%u", round, i);
            cr_assert_eq(fuse_mknod(&f, ROOT, name, S_IFREG | 0644, &node), 0);
        }
        if (round == 0)
            cr_assert_eq(fuse_rename(&f, ROOT, "n0-0", nodes[3], "moved", 0), 0);
        else if (round == 1)
            cr_assert_eq(fuse_rename(&f, ROOT, "n0-1", nodes[3], "other", RENAME_NOREPLACE), 0);
        else if (round == 2)
            cr_assert_eq(fuse_link(&f, nodes[2], ROOT, "linked"), 0);
        else if (round == 3)
            cr_assert(fuse_attr_of(&f, nodes[2]) != NULL);
        else
            cr_assert_eq(fuse_setattr(&f, nodes[2],
                                      (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0600}),
                         0);
    }
}

/* Thousands of inodes with a handful of descriptors: each is opened again when it is used. */
Test(share, few_descriptors_are_enough)
{
    enum { COUNT = 500 };
    static uint64_t nodes[COUNT];
    unsigned before;
    char name[32], text[32];
    uint64_t folder, file;

    share_with((vsdk_share_config){.descriptors_max = 8});
    before = descriptors();
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "d%u", i);
        cr_assert_eq(fuse_mkdir(&f, ROOT, name, 0755, &folder), 0);
        cr_assert_eq(fuse_create(&f, folder, "f", O_WRONLY, 0644, &nodes[i], &file), 0);
        cr_assert_eq(fuse_write(&f, nodes[i], file, 0, name, (uint32_t)strlen(name), 0), 0);
        cr_assert_eq(fuse_release(&f, nodes[i], file), 0);
    }
    cr_assert_leq(descriptors(), before + 8);
    /* Moved by the guest, and by the host. */
    cr_assert_eq(fuse_rename(&f, ROOT, "d5", ROOT, "e5", 0), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned which = i * 7 % COUNT;
        cr_assert_eq(fuse_open(&f, nodes[which], O_RDONLY, &file), 0, "%u", which);
        cr_assert_eq(fuse_read(&f, nodes[which], file, 0, 100), 0);
        snprintf(text, sizeof text, "d%u", which);
        cr_assert(f.length == strlen(text) && !memcmp(f.body, text, f.length));
        cr_assert_eq(fuse_release(&f, nodes[which], file), 0);
    }
    cr_assert_leq(descriptors(), before + 8);
    /* Another file in its place is not it. */
    cr_assert(!unlink(at("d9/f")));
    put_file(at("d9/other"), "");
    put_file(at("d9/f"), "another");
    cr_assert_eq(fuse_open(&f, nodes[9], O_RDONLY, &file), ESTALE);
}

Test(share, limits)
{
    uint64_t node, first, file;

    share_with((vsdk_share_config){.inodes_max = 2, .files_max = 2});
    uint64_t one = node_of(ROOT, "file"), folder = node_of(ROOT, "folder");
    cr_assert_eq(fuse_lookup(&f, folder, "inner", NULL), ENFILE);
    cr_assert_eq(fuse_mkdir(&f, ROOT, "more", 0755, &node), ENFILE);
    cr_assert_eq(access(at("more"), F_OK), -1, "what the guest can't have is not left behind");
    cr_assert_eq(fuse_create(&f, ROOT, "more", O_RDWR, 0644, &node, &file), ENFILE);
    cr_assert_eq(access(at("more"), F_OK), -1);
    cr_assert_eq(list(ROOT, FUSE_READDIRPLUS, 4096, NULL, 0), 4);
    cr_assert_eq(fuse_open(&f, one, O_RDONLY, &first), 0);
    cr_assert_eq(fuse_open(&f, one, O_RDONLY, &file), 0);
    cr_assert_eq(fuse_open(&f, one, O_RDONLY, &file), ENFILE);
    fuse_forget(&f, folder, 100);
    cr_assert_eq(fuse_create(&f, ROOT, "more", O_RDWR, 0644, &node, &file), ENFILE);
    cr_assert_eq(access(at("more"), F_OK), -1);
    folder = node_of(ROOT, "folder");
    cr_assert_eq(fuse_release(&f, one, first), 0);
    cr_assert_eq(fuse_open(&f, one, O_RDONLY, &file), 0);
    cr_assert_neq(file, first);
    cr_assert_eq(fuse_read(&f, one, first, 0, 1), EBADF);
    fuse_forget(&f, folder, 100);
    cr_assert_eq(fuse_lookup(&f, folder, "inner", NULL), ESTALE);
    cr_assert_eq(fuse_lookup(&f, ROOT, "folder", &node), 0);
    cr_assert_neq(node, folder);
}

/* When the process has no descriptors left, those of inodes are given up. */
Test(share, the_processs_limit_of_descriptors)
{
    struct rlimit limit;
    char name[16];
    uint64_t node, file;

    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%u", i);
        put_file(at(name), name);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = descriptors() + 40;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%u", i);
        node = node_of(ROOT, name);
        cr_assert_eq(fuse_open(&f, node, O_RDONLY, &file), 0);
        cr_assert_eq(fuse_release(&f, node, file), 0);
    }
}

/* The same by CREATE of files that are there: the last descriptor is the inode's. */
Test(share, the_processs_limit_of_descriptors_and_create)
{
    struct rlimit limit;
    char name[16];
    uint64_t node, file;

    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%u", i);
        put_file(at(name), name);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = descriptors() + 40;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%u", i);
        cr_assert_eq(fuse_create(&f, ROOT, name, O_RDONLY, 0644, &node, &file), 0, "%u", i);
        cr_assert_eq(fuse_release(&f, node, file), 0);
    }
}

static void forget_many(const struct fuse_forget_one *list_of, uint32_t there, uint32_t said)
{
    struct fuse_batch_forget_in in = {.count = said};

    cr_assert_eq(
        fuse_call(&f, FUSE_BATCH_FORGET, 0, &in, sizeof in, list_of, there * sizeof *list_of), 0);
    cr_assert_eq(f.written, 0);
}

Test(share, forgets)
{
    unsigned before = descriptors();
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner");
    uint64_t file = node_of(ROOT, "file");

    node_of(ROOT, "file");
    cr_assert_eq(descriptors(), before + 3);
    fuse_forget(&f, folder, 1); /* is still the place of `inner` */
    cr_assert(fuse_attr_of(&f, inner) != NULL);
    fuse_forget(&f, inner, 1);
    cr_assert(!fuse_attr_of(&f, inner) && !fuse_attr_of(&f, folder));
    fuse_forget(&f, file, 1);
    cr_assert(fuse_attr_of(&f, file) != NULL);
    forget_many((struct fuse_forget_one[]){{file, 1}, {4711, 3}, {ROOT, 9}}, 3, 1000000);
    cr_assert(!fuse_attr_of(&f, file) && fuse_attr_of(&f, ROOT));
    cr_assert_eq(descriptors(), before);
}

Test(share, a_session_ends)
{
    unsigned before = descriptors();
    uint64_t file, node = node_of(ROOT, "file");

    cr_assert_eq(fuse_open(&f, node, O_RDONLY, &file), 0);
    cr_assert_eq(vsdk_share_reset(share, &why), VSDK_OK);
    cr_assert_eq(descriptors(), before);
    cr_assert(!fuse_attr_of(&f, ROOT));
    cr_assert_eq(fuse_begin(&f, share), 0);
    cr_assert(!fuse_attr_of(&f, node));
    cr_assert_eq(fuse_read(&f, node_of(ROOT, "file"), file, 0, 1), EBADF);
}

/* Which of the answers is the request's fault. */
Test(share, what_is_no_request)
{
    static const uint32_t unknown[] = {0, 7, 19, 31, 32, 33, 39, 40, 41, 100, 4096, UINT32_MAX};
    struct fuse_in_header head = {.len = sizeof head, .opcode = FUSE_STATFS, .nodeid = ROOT};
    uint8_t bytes[64] = {0}, reply[512];
    vsdk_share_buffer in = {bytes, sizeof head - 1}, out = {reply, sizeof reply};
    const struct fuse_out_header *answer = (const void *)reply;
    uint64_t written;

    memcpy(bytes, &head, sizeof head);
    cr_assert_eq(vsdk_share_request(share, &in, 1, &out, 1, &written, &why), VSDK_ERROR_FORMAT);
    in.length = sizeof head;
    out.length = sizeof *answer - 1;
    cr_assert_eq(vsdk_share_request(share, &in, 1, &out, 1, &written, &why), VSDK_ERROR_FORMAT);
    out.length = sizeof *answer + 10;
    cr_assert(!vsdk_share_request(share, &in, 1, &out, 1, &written, &why));
    cr_assert(written == sizeof *answer && answer->error == -EINVAL);
    out.length = sizeof reply;
    for (uint32_t length = 0; length < 100; length++) {
        head.len = length;
        memcpy(bytes, &head, sizeof head);
        cr_assert(!vsdk_share_request(share, &in, 1, &out, 1, &written, &why));
        cr_assert_eq(answer->error, length == sizeof head ? 0 : -EINVAL);
    }
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++)
        cr_assert_eq(fuse_call(&f, unknown[i], ROOT, bytes, 64, NULL, 0), ENOSYS);
    cr_assert_eq(fuse_call(&f, FUSE_INTERRUPT, ROOT, bytes, 8, NULL, 0), 0);
    cr_assert_eq(f.written, 0);
    /* Each that has arguments, with too few. */
    for (uint32_t opcode = 1; opcode < 48; opcode++)
        if (opcode != FUSE_FORGET && opcode != FUSE_STATFS && opcode != FUSE_DESTROY &&
            opcode != FUSE_READLINK && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT)
            cr_assert(fuse_call(&f, opcode, ROOT, NULL, 0, NULL, 0), "%u", opcode);
}

static _Atomic int ends;

/* A folder and a link to the outside change places all the time. */
static void *swap(void *user)
{
    int folder = *(int *)user;

    while (!atomic_load(&ends))
        syscall(SYS_renameat2, folder, "folder", folder, "link", RENAME_EXCHANGE);
    return NULL;
}

Test(share, a_race_of_renames_does_not_lead_out)
{
    pthread_t thread;
    unsigned links = 0, folders = 0, opened = 0;
    int folder = open(root, O_PATH);
    struct stat secret;

    cr_assert(!stat(at("../secret"), &secret));
    put_file(at("folder/secret"), "inside");
    cr_assert(!symlink("..", at("link")));
    share_with((vsdk_share_config){.descriptors_max = 4});
    cr_assert(!pthread_create(&thread, NULL, swap, &folder));
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t node, inner, file, made;
        if (fuse_lookup(&f, ROOT, "folder", &node))
            continue;
        if (S_ISLNK(fuse_entry(&f)->attr.mode))
            links++;
        else
            folders++;
        if (!fuse_lookup(&f, node, "secret", &inner)) {
            cr_assert_neq(fuse_entry(&f)->attr.ino, secret.st_ino);
            if (!fuse_open(&f, inner, O_RDWR, &file)) {
                cr_assert_eq(fuse_read(&f, inner, file, 0, 100), 0);
                cr_assert(f.length == 6 && !memcmp(f.body, "inside", 6));
                fuse_release(&f, inner, file);
                opened++;
            }
            fuse_forget(&f, inner, 1);
        }
        if (!fuse_create(&f, node, "secret", O_RDWR, 0644, &made, &file)) {
            cr_assert_neq(fuse_entry(&f)->attr.ino, secret.st_ino);
            fuse_release(&f, made, file);
            fuse_forget(&f, made, 1);
        }
        fuse_forget(&f, node, 1);
    }
    atomic_store(&ends, 1);
    pthread_join(thread, NULL);
    close(folder);
    cr_assert(links && folders && opened, "%u links, %u folders, %u opened", links, folders,
              opened);
    cr_assert_str_eq(text_of(at("../secret")), "outside");
}

enum { SAVED = 1 << 16 };
static uint8_t saved[SAVED];
static uint64_t saved_length;

static void save(void)
{
    vsdk_state_writer writer;

    fields_begin(&writer, "share");
    cr_assert(!vsdk_share_save(share, &writer, &why), "%s", why.message);
    cr_assert(!fields_take(&writer, saved, sizeof saved, &saved_length, "test", &why));
    fields_end(&writer);
}

static vsdk_status load(void)
{
    vsdk_state_reader reader;

    cr_assert(!fields_open(&reader, "share", saved, saved_length, "test", &why));
    return vsdk_share_load(share, &reader, &why);
}

Test(share, a_session_is_saved)
{
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner"), file, list_of;
    uint64_t gone = node_of(ROOT, "file"), gone_file, made, made_file, other;

    cr_assert_eq(fuse_create(&f, folder, "new", O_RDWR | O_TRUNC, 0644, &made, &made_file), 0);
    cr_assert_eq(fuse_write(&f, made, made_file, 0, "kept", 4, 0), 0);
    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), 0);
    cr_assert_eq(fuse_opendir(&f, folder, &list_of), 0);
    cr_assert_eq(fuse_open(&f, gone, O_RDONLY, &gone_file), 0);
    save();
    cr_assert(!unlink(at("file")));
    share_with((vsdk_share_config){0});
    cr_assert_eq(load(), VSDK_OK, "%s", why.message);
    cr_assert_eq(fuse_read(&f, inner, file, 0, 10), 0);
    cr_assert(f.length == 6 && !memcmp(f.body, "inside", 6));
    cr_assert_eq(fuse_write(&f, made, made_file, 4, "!", 1, 0), 0);
    cr_assert_str_eq(text_of(at("folder/new")), "kept!");
    cr_assert_eq(node_of(ROOT, "folder"), folder);
    cr_assert_eq(node_of(folder, "inner"), inner);
    cr_assert_eq(fuse_read(&f, gone, gone_file, 0, 10), ESTALE);
    cr_assert_eq(fuse_open(&f, gone, O_RDONLY, &other), ESTALE);
    cr_assert_eq(fuse_release(&f, gone, gone_file), 0);
    struct fuse_read_in in = {.fh = list_of, .size = 4096};
    cr_assert_eq(fuse_call(&f, FUSE_READDIR, folder, &in, sizeof in, NULL, 0), 0);
    cr_assert_gt(f.length, 0);
    cr_assert_eq(fuse_mkdir(&f, ROOT, "later", 0755, &other), 0);
    cr_assert(other != folder && other != inner && other != gone && other != made);
}

/* With ranges a state opens what a user of the guest's could open, and nothing else. */
Test(share, a_session_of_ranges_is_loaded)
{
    static const char *const names[] = {"own", "closed", "public"};
    vsdk_share_ids ids = {.guest = 0, .host = 100000, .count = 1000};
    vsdk_share_config config = {.users = &ids, .groups = &ids, .user_count = 1, .group_count = 1};
    uint64_t nodes[3], files[3], folder, inner, file;

    if (geteuid())
        cr_skip_test("not root's");
    for (unsigned i = 0; i < 3; i++) {
        put_file(at(names[i]), "text");
        cr_assert(!chown(at(names[i]), 100007, 100008) && !chmod(at(names[i]), 0600));
    }
    cr_assert(!chown(at("folder"), 100007, 100008) && !chmod(at("folder"), 0700));
    share_with(config);
    f.uid = 7;
    f.gid = 8;
    for (unsigned i = 0; i < 3; i++) {
        nodes[i] = node_of(ROOT, names[i]);
        cr_assert_eq(fuse_open(&f, nodes[i], O_RDONLY, &files[i]), 0);
    }
    folder = node_of(ROOT, "folder");
    inner = node_of(folder, "inner");
    save();
    cr_assert(!chown(at("closed"), 0, 0));
    cr_assert(!chown(at("public"), 0, 0) && !chmod(at("public"), 0644));
    share_with(config);
    cr_assert_eq(load(), VSDK_OK, "%s", why.message);
    cr_assert_eq(fuse_read(&f, nodes[0], files[0], 0, 10), 0);
    cr_assert_eq(fuse_read(&f, nodes[1], files[1], 0, 10), ESTALE);
    cr_assert_eq(fuse_read(&f, nodes[2], files[2], 0, 10), 0);
    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), 0);
    cr_assert(!chown(at("folder"), 0, 0));
    cr_assert_eq(load(), VSDK_OK);
    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), ESTALE);
    /* The thread is who it was. */
    cr_assert(!chown(at("own"), 3, 3));
}

/* Into a copy: the numbers of its files are others. */
Test(share, a_session_is_loaded_into_a_copy)
{
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner"), file;
    char copy[128], path[192];

    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), 0);
    save();
    snprintf(copy, sizeof copy, "%s/copy", top);
    snprintf(path, sizeof path, "%s/folder", copy);
    cr_assert(!mkdir(copy, 0755) && !mkdir(path, 0755));
    snprintf(path, sizeof path, "%s/folder/inner", copy);
    put_file(path, "copied");
    share_with((vsdk_share_config){.path = copy});
    cr_assert_eq(load(), VSDK_OK, "%s", why.message);
    cr_assert_eq(fuse_read(&f, inner, file, 0, 10), 0);
    cr_assert(f.length == 6 && !memcmp(f.body, "copied", 6));
    cr_assert_eq(node_of(folder, "inner"), inner);
}

/* A link in the place of a folder is not followed, and another file is not the same. */
Test(share, a_session_is_loaded_beneath_the_folder)
{
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner"), file;
    uint64_t plain = node_of(ROOT, "file"), plain_file;

    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), 0);
    cr_assert_eq(fuse_open(&f, plain, O_RDONLY, &plain_file), 0);
    save();
    cr_assert(!rename(at("folder"), at("../away")) && !symlink("../away", at("folder")));
    cr_assert(!rename(at("file"), at("file2")));
    put_file(at("file"), "another");
    share_with((vsdk_share_config){0});
    cr_assert_eq(load(), VSDK_OK);
    cr_assert_eq(fuse_read(&f, inner, file, 0, 10), ESTALE);
    cr_assert_eq(fuse_lookup(&f, folder, "inner", NULL), ESTALE);
    cr_assert_eq(fuse_read(&f, plain, plain_file, 0, 10), ESTALE);
}

/* Any bytes: a session or none, and then the one that was goes on. */
Test(share, a_saved_session_may_be_anything)
{
    uint64_t folder = node_of(ROOT, "folder"), inner = node_of(folder, "inner"), file;
    uint8_t whole[SAVED];
    unsigned taken = 0;

    cr_assert_eq(fuse_open(&f, inner, O_RDONLY, &file), 0);
    save();
    memcpy(whole, saved, saved_length);
    uint64_t length = saved_length, start = 0;
    while (start < length - 5 && memcmp(saved + start, "share\2", 6))
        start++;
    for (uint64_t i = start + 10; i < length; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            saved[i] ^= (uint8_t)(1u << bit);
            vsdk_status status = load();
            cr_assert(!status || status == VSDK_ERROR_FORMAT || status == VSDK_ERROR_NO_MEMORY);
            taken += !status;
            saved[i] ^= (uint8_t)(1u << bit);
        }
    }
    cr_assert(taken > 0 && !memcmp(whole, saved, length));
    cr_assert_eq(load(), VSDK_OK);
    saved[start + 10] = 9; /* the version */
    cr_assert_eq(load(), VSDK_ERROR_FORMAT);
    cr_assert_eq(fuse_read(&f, inner, file, 0, 10), 0);
    cr_assert_eq(f.length, 6);
}

/* Requests from several threads, and the end of the session among them. */
static void *storm(void *user)
{
    static _Thread_local struct fuse mine;
    unsigned seed = (unsigned)(uintptr_t)user;
    char name[8];

    fuse_begin(&mine, share);
    while (!atomic_load(&ends)) {
        uint64_t node, file;
        snprintf(name, sizeof name, "s%u", rand_r(&seed) % 4);
        if (!fuse_create(&mine, ROOT, name, O_RDWR, 0644, &node, &file)) {
            fuse_write(&mine, node, file, 0, "x", 1, 0);
            fuse_release(&mine, node, file);
            fuse_forget(&mine, node, 1);
        }
        snprintf(name, sizeof name, "s%u", rand_r(&seed) % 4);
        fuse_name(&mine, FUSE_UNLINK, ROOT, name);
        fuse_rename(&mine, ROOT, "s0", ROOT, name, 0);
    }
    return NULL;
}

Test(share, a_storm)
{
    pthread_t threads[3];

    for (uintptr_t i = 0; i < 3; i++)
        cr_assert(!pthread_create(&threads[i], NULL, storm, (void *)i));
    for (unsigned i = 0; i < 200; i++) {
        cr_assert_eq(vsdk_share_reset(share, &why), VSDK_OK);
        cr_assert_eq(fuse_begin(&f, share), 0);
        for (unsigned j = 0; j < 20; j++)
            fuse_lookup(&f, ROOT, "s1", NULL);
    }
    atomic_store(&ends, 1);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
