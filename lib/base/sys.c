/* SPDX-License-Identifier: Apache-2.0 */
/* What all callers of one system call would have to do alike: -errno is returned, a new descriptor
 * is CLOEXEC and above 2, and what a signal handler may call keeps errno. */
#include "base/sys.h"
#include "base/checked.h"
#include "base/exit_path.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <vsdk/types.h>

enum { LOWEST = 3, EINTR_TRIES = 100 };

/* EINVAL says that the process may have no descriptor as high as that: it has no more of them. */
int sys_dup(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST);

    if (copy < 0)
        return errno == EINVAL ? -EMFILE : -errno;
    return copy;
}

int sys_high(int fd)
{
    if (fd < 0 || fd >= LOWEST)
        return fd;
    int copy = sys_dup(fd);
    sys_close(fd);
    return copy;
}

int sys_open(const char *path, int flags)
{
    int fd, before = sys_cancel_off();

    do
        fd = open(path, flags | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    fd = fd < 0 ? -errno : sys_high(fd);
    sys_cancel_back(before);
    return fd;
}

static int new_memfd(const char *name)
{
    /* A kernel may insist on the last one (vm.memfd_noexec); those before 6.3 do not know it. */
    const unsigned known = MFD_CLOEXEC | MFD_ALLOW_SEALING, no_exec_seal = 8;
    int fd = memfd_create(name, known | no_exec_seal);

    return fd < 0 && errno == EINVAL ? memfd_create(name, known) : fd;
}

int sys_memfd(const char *name, uint64_t bytes)
{
    int fd = new_memfd(name);

    fd = fd < 0 ? -errno : sys_high(fd);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)bytes) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
        int result = -errno;

        sys_close(fd);
        return result;
    }
    return fd;
}

int sys_file_size(int fd, uint64_t *bytes)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    *bytes = (uint64_t)status.st_size;
    return 0;
}

void sys_close(int fd)
{
    int kept = errno, before;

    if (fd < 0)
        return;
    before = sys_cancel_off();
    close(fd);
    sys_cancel_back(before);
    errno = kept;
}

EXIT_PATH int sys_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    int result = ioctl(fd, request, argument);

    return result < 0 ? -errno : result;
}

int sys_ioctl_retry(int fd, unsigned long request, uintptr_t argument)
{
    int result = -EINTR;

    for (int i = 0; i < EINTR_TRIES && result == -EINTR; i++)
        result = sys_ioctl(fd, request, argument);
    return result;
}

int sys_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : sys_high(fd);
}

int sys_eventfd_write(int fd, uint64_t value)
{
    int kept = errno, before = sys_cancel_off();
    int result = write(fd, &value, sizeof value) == (ssize_t)sizeof value ? 0 : -errno;

    sys_cancel_back(before);
    errno = kept;
    return result;
}

int sys_eventfd_read(int fd, uint64_t *value)
{
    int got = sys_read(fd, value, sizeof *value);

    return got == (int)sizeof *value ? 0 : got < 0 ? got : -EIO;
}

int sys_read(int fd, void *to, size_t bytes)
{
    int before = sys_cancel_off();
    ssize_t got = read(fd, to, bytes);
    int result = got < 0 ? -errno : (int)got;

    sys_cancel_back(before);
    return result;
}

/* By its number: libc's function is a cancellation point. */
int sys_random(void *to, size_t bytes)
{
    long got = syscall(SYS_getrandom, to, bytes, GRND_NONBLOCK);

    return got < 0 ? -errno : (int)got;
}

void sys_join(pthread_t thread)
{
    int before = sys_cancel_off();

    pthread_join(thread, NULL);
    sys_cancel_back(before);
}

static char *map_at_will(size_t bytes, int prot)
{
    char *base = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

void *sys_map_anonymous(size_t bytes, size_t align, size_t phase, int prot)
{
    const size_t page = 4096;
    size_t room;

    /* Whole pages, or the end would not be given back. */
    if (__builtin_add_overflow(bytes, page - 1, &room) ||
        __builtin_add_overflow(bytes = room & ~(page - 1), align, &room)) {
        errno = ENOMEM;
        return NULL;
    }
    /* Newer kernels align what may have huge pages by themselves; then nothing has to be trimmed,
     * which calls the notifiers of every virtual machine of the process. */
    char *base = map_at_will(bytes, prot);
    if (!base || !((phase - (uintptr_t)base) & (align - 1)))
        return base;
    munmap(base, bytes);
    base = map_at_will(room, prot);
    if (!base)
        return NULL;
    size_t before = (phase - (uintptr_t)base) & (align - 1);
    size_t after = room - before - bytes;
    if (before)
        munmap(base, before);
    if (after)
        munmap(base + before + bytes, after);
    return base + before;
}

/* The address is found with an anonymous mapping, which the file's then replaces. */
void *sys_map_file(int fd, uint64_t offset, size_t bytes, size_t align, int flags)
{
    void *place = sys_map_anonymous(bytes, align, 0, PROT_NONE);

    if (!place)
        return NULL;
    if (mmap(place, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, (off_t)offset) == place)
        return place;
    int kept = errno;
    munmap(place, bytes);
    errno = kept;
    return NULL;
}

int sys_is_mapped(void *address, size_t bytes)
{
    enum { PAGE = 4096, PAGES = 1024 };
    unsigned char resident[PAGES];

    for (size_t done = 0; done < bytes; done += (size_t)PAGES * PAGE) {
        size_t part = bytes - done < (size_t)PAGES * PAGE ? bytes - done : (size_t)PAGES * PAGE;
        if (mincore((char *)address + done, part, resident) != 0)
            return -errno;
    }
    return 0;
}

void *sys_map_fd(int fd, size_t bytes, int prot, int flags)
{
    void *address = mmap(NULL, bytes, prot, flags, fd, 0);

    return address == MAP_FAILED ? NULL : address;
}

void sys_unmap(void *address, size_t bytes)
{
    if (address && bytes)
        munmap(address, bytes);
}

uint64_t sys_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t sys_deadline(uint64_t timeout_ns)
{
    return timeout_ns == VSDK_FOREVER ? 0 : add_capped(sys_clock(), timeout_ns);
}

uint64_t sys_time_left(uint64_t deadline)
{
    uint64_t now = deadline ? sys_clock() : 0;

    if (!deadline)
        return VSDK_FOREVER;
    return now < deadline ? deadline - now : 0;
}

int sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    uint64_t end = deadline_ns ? deadline_ns : UINT64_MAX; /* without one signals may restart it */
    struct timespec until = {.tv_sec = (time_t)(end / 1000000000u),
                             .tv_nsec = (long)(end % 1000000000u)};
    int kept = errno;
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, &until,
                          NULL, FUTEX_BITSET_MATCH_ANY);
    int answer = result < 0 ? -errno : 0;

    errno = kept;
    return answer;
}

static void futex_wake(_Atomic uint32_t *word, int threads)
{
    int kept = errno;

    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, threads, NULL, NULL, 0);
    errno = kept;
}

void sys_futex_wake(_Atomic uint32_t *word)
{
    futex_wake(word, INT_MAX);
}

void sys_futex_wake_one(_Atomic uint32_t *word)
{
    futex_wake(word, 1);
}
