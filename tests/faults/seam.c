/* SPDX-License-Identifier: Apache-2.0 */
/* Stands between the library and what it imports: counts the calls, and lets the one that was asked
 * for fail with an error that its manual page names. Our own calls pass by. */
#include "seam.h"
#include "imports.h"
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char library[] = "libvsdk.so", module[] = "/mock.so";

static _Atomic uint32_t calls, armed, fail_at;
static _Atomic int fail_with;
static _Atomic int64_t live;
static struct seam_call failed, *trace;
static struct {
    uint64_t request, argument;
    int result, set;
} other_answer;
static uint32_t trace_capacity;

/* The order of calls may differ a little from one run to the next. */
static int can_fail_with(const char *function, int error)
{
    for (const int *known = seam_errnos(function); *known; known++)
        if (*known == error)
            return 1;
    return 0;
}

static int fails(const char *function, uint64_t request, uint64_t first, const void *site)
{
    if (!atomic_load(&armed))
        return 0;
    uint32_t number = atomic_fetch_add(&calls, 1) + 1;
    if (number <= trace_capacity)
        trace[number - 1] = (struct seam_call){function, request, first, (uintptr_t)site};
    if (number != atomic_load(&fail_at) || !can_fail_with(function, atomic_load(&fail_with)))
        return 0;
    failed = (struct seam_call){function, request, first, imports_offset(library, site)};
    errno = atomic_load(&fail_with);
    return 1;
}

#define FAILS(name, request) fails(name, request, 0, __builtin_return_address(0))

/* Calls to the system. */

static int seam_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    const struct kvm_msrs *msrs = request == KVM_SET_MSRS ? (const void *)argument : NULL;
    uint64_t first = msrs && msrs->nmsrs ? msrs->entries[0].index : 0;

    if (fails("ioctl", request, first, __builtin_return_address(0)))
        return -1;
    if (other_answer.set && other_answer.request == request && other_answer.argument == argument)
        return other_answer.result;
    return ioctl(fd, request, argument);
}

static void *seam_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return FAILS("mmap", 0) ? MAP_FAILED : mmap(address, length, prot, flags, fd, offset);
}

static int seam_madvise(void *address, size_t length, int advice)
{
    return FAILS("madvise", 0) ? -1 : madvise(address, length, advice);
}

static int seam_memfd_create(const char *name, unsigned flags)
{
    return FAILS("memfd_create", 0) ? -1 : memfd_create(name, flags);
}

static int seam_ftruncate(int fd, off_t length)
{
    return FAILS("ftruncate", 0) ? -1 : ftruncate(fd, length);
}

static int seam_fstat(int fd, struct stat *status)
{
    return FAILS("fstat", 0) ? -1 : fstat(fd, status);
}

static int seam_mincore(void *address, size_t bytes, unsigned char *resident)
{
    return FAILS("mincore", 0) ? -1 : mincore(address, bytes, resident);
}

static int seam_open(const char *path, int flags, mode_t mode)
{
    return FAILS("open", 0) ? -1 : open(path, flags, mode);
}

static int seam_openat(int folder, const char *path, int flags, mode_t mode)
{
    return FAILS("openat", 0) ? -1 : openat(folder, path, flags, mode);
}

static int seam_fcntl(int fd, int command, uintptr_t argument)
{
    return FAILS("fcntl", (uint64_t)command) ? -1 : fcntl(fd, command, argument);
}

static int seam_eventfd(unsigned value, int flags)
{
    return FAILS("eventfd", 0) ? -1 : eventfd(value, flags);
}

static ssize_t seam_preadv(int fd, const struct iovec *pieces, int count, off_t at)
{
    return FAILS("preadv64", 0) ? -1 : preadv(fd, pieces, count, at);
}

static int seam_socket(int domain, int type, int protocol)
{
    return FAILS("socket", 0) ? -1 : socket(domain, type, protocol);
}

static int seam_socketpair(int domain, int type, int protocol, int *pair)
{
    return FAILS("socketpair", 0) ? -1 : socketpair(domain, type, protocol, pair);
}

static int seam_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return FAILS("bind", 0) ? -1 : bind(fd, address, length);
}

static int seam_listen(int fd, int backlog)
{
    return FAILS("listen", 0) ? -1 : listen(fd, backlog);
}

static int seam_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return FAILS("connect", 0) ? -1 : connect(fd, address, length);
}

static int seam_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return FAILS("accept4", 0) ? -1 : accept4(fd, address, length, flags);
}

static ssize_t seam_recv(int fd, void *buffer, size_t bytes, int flags)
{
    return FAILS("recv", 0) ? -1 : recv(fd, buffer, bytes, flags);
}

static ssize_t seam_send(int fd, const void *buffer, size_t bytes, int flags)
{
    return FAILS("send", 0) ? -1 : send(fd, buffer, bytes, flags);
}

static int seam_stat(const char *path, struct stat *status)
{
    return FAILS("stat64", 0) ? -1 : stat(path, status);
}

static int seam_timerfd_create(int clock, int flags)
{
    return FAILS("timerfd_create", 0) ? -1 : timerfd_create(clock, flags);
}

static int seam_epoll_create1(int flags)
{
    return FAILS("epoll_create1", 0) ? -1 : epoll_create1(flags);
}

/* The kernel needs memory for ADD alone; the others can't fail for a descriptor that is in. */
static int seam_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event)
{
    if (command == EPOLL_CTL_ADD && FAILS("epoll_ctl", EPOLL_CTL_ADD))
        return -1;
    return epoll_ctl(epoll, command, fd, event);
}

/* What the library calls past the C library. */
static long seam_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    static const struct {
        long number;
        const char *name;
    } known[] = {
        {SYS_epoll_pwait2, "epoll_pwait2"}, {SYS_openat2, "openat2"},
        {SYS_memfd_create, "memfd_create"}, {SYS_ftruncate, "ftruncate"},
        {SYS_pread64, "pread64"},           {SYS_pwrite64, "pwrite64"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (number == known[i].number && FAILS(known[i].name, 0))
            return -1;
    return syscall(number, a, b, c, d, e, f);
}

static ssize_t seam_read(int fd, void *buffer, size_t bytes)
{
    return FAILS("read", 0) ? -1 : read(fd, buffer, bytes);
}

static ssize_t seam_write(int fd, const void *buffer, size_t bytes)
{
    return FAILS("write", 0) ? -1 : write(fd, buffer, bytes);
}

static int seam_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    return FAILS("timer_create", 0) ? -1 : timer_create(clock, event, timer);
}

static int seam_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    return FAILS("nanosleep", 0) ? -1 : nanosleep(wanted, left);
}

static int seam_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    return FAILS("sigtimedwait", 0) ? -1 : sigtimedwait(set, info, timeout);
}

/* These return the number. */
static int seam_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                               void *(*main)(void *), void *argument)
{
    return FAILS("pthread_create", 0) ? errno : pthread_create(thread, attributes, main, argument);
}

/* Memory. */

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&live, 1);
    return memory;
}

static void *seam_malloc(size_t bytes)
{
    return FAILS("malloc", 0) ? NULL : counted(malloc(bytes));
}

static void *seam_calloc(size_t count, size_t bytes)
{
    return FAILS("calloc", 0) ? NULL : counted(calloc(count, bytes));
}

static void *seam_realloc(void *memory, size_t bytes)
{
    if (FAILS("realloc", 0))
        return NULL;
    return memory ? realloc(memory, bytes) : counted(realloc(NULL, bytes));
}

static int seam_posix_memalign(void **memory, size_t align, size_t bytes)
{
    if (FAILS("posix_memalign", 0))
        return ENOMEM;
    int result = posix_memalign(memory, align, bytes);
    if (result == 0)
        counted(*memory);
    return result;
}

static char *seam_strndup(const char *text, size_t most)
{
    return FAILS("strndup", 0) ? NULL : counted(strndup(text, most));
}

static char *seam_strdup(const char *text)
{
    return FAILS("strdup", 0) ? NULL : counted(strdup(text));
}

static void seam_free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&live, 1);
    free(memory);
}

static const struct seam {
    const char *name;
    void *function;
    int errnos[SEAM_ERRNOS + 1];
} seams[] = {
    {"ioctl", seam_ioctl, {EINTR, ENOMEM, EPERM, EIO}},
    {"mmap64", seam_mmap, {ENOMEM, EPERM}},
    {"mmap", seam_mmap, {ENOMEM, EPERM}},
    {"madvise", seam_madvise, {ENOMEM, EPERM, EIO}},
    {"memfd_create", seam_memfd_create, {EMFILE, ENOMEM, EINVAL, EPERM}},
    {"ftruncate64", seam_ftruncate, {EIO}},
    {"ftruncate", seam_ftruncate, {EIO}},
    {"fstat64", seam_fstat, {EIO}},
    {"fstat", seam_fstat, {EIO}},
    {"mincore", seam_mincore, {ENOMEM}},
    {"open64", seam_open, {EINTR, ENOMEM, EPERM, EIO}},
    {"open", seam_open, {EINTR, ENOMEM, EPERM, EIO}},
    {"openat64", seam_openat, {EMFILE, ENOMEM}},
    {"openat", seam_openat, {EMFILE, ENOMEM}},
    {"openat2", seam_syscall, {EMFILE, ENOMEM}},
    {"fcntl64", seam_fcntl, {EMFILE, EPERM}},
    {"fcntl", seam_fcntl, {EMFILE, EPERM}},
    {"eventfd", seam_eventfd, {EMFILE, ENOMEM}},
    {"socket", seam_socket, {EMFILE, ENOMEM}},
    {"socketpair", seam_socketpair, {EMFILE, ENOMEM}},
    {"bind", seam_bind, {EADDRINUSE, EPERM, ENOENT}},
    {"listen", seam_listen, {EADDRINUSE}},
    {"connect", seam_connect, {EAGAIN, EPERM}},
    {"accept4", seam_accept4, {EMFILE, EAGAIN}},
    {"preadv64", seam_preadv, {EIO}},
    {"pread64", seam_syscall, {EIO}},
    {"pwrite64", seam_syscall, {EIO}},
    {"recv", seam_recv, {EINTR, ENOMEM}},
    {"send", seam_send, {EINTR, ENOMEM}},
    {"stat64", seam_stat, {ENOMEM}},
    {"timerfd_create", seam_timerfd_create, {EMFILE, ENOMEM, EPERM}},
    {"epoll_create1", seam_epoll_create1, {EMFILE, ENOMEM}},
    {"epoll_ctl", seam_epoll_ctl, {ENOMEM, EPERM}},
    {"syscall", seam_syscall, {0}},
    {"epoll_pwait2", seam_syscall, {EINTR, EPERM, ENOSYS}},
    {"read", seam_read, {EINTR, EIO}},
    {"write", seam_write, {EINTR, EIO}},
    {"timer_create", seam_timer_create, {EAGAIN, ENOMEM, EPERM}},
    {"nanosleep", seam_nanosleep, {EINTR}},
    {"sigtimedwait", seam_sigtimedwait, {EINTR, EAGAIN}},
    {"pthread_create", seam_pthread_create, {EAGAIN, EPERM}},
    {"malloc", seam_malloc, {ENOMEM}},
    {"calloc", seam_calloc, {ENOMEM}},
    {"realloc", seam_realloc, {ENOMEM}},
    {"posix_memalign", seam_posix_memalign, {ENOMEM}},
    {"strndup", seam_strndup, {ENOMEM}},
    {"strdup", seam_strdup, {ENOMEM}},
    {"free", seam_free, {0}},
};

/* Can't fail when used as the library does, or belong to hosts that these tests do not open
 * (dlopen and what comes with it: modules), or are calls for a guest's request, whose failures the
 * tests of that device provoke in the system itself (files, folders, frames). */
static const char *const harmless[] = {
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
    "__cxa_finalize",
    "__errno_location",
    "__gmon_start__",
    "__isoc99_sscanf",
    "__isoc99_strtoul",
    "__libc_current_sigrtmax",
    "__libc_current_sigrtmin",
    "__stack_chk_fail",
    "__tls_get_addr",
    "access",
    "bcmp",
    "clock_gettime",
    "close",
    "closedir",
    "copy_file_range",
    "dladdr1",
    "dlerror",
    "dlopen",
    "dlsym",
    "explicit_bzero",
    "faccessat",
    "fchmodat",
    "fchownat",
    "fstatat64",
    "fstatfs64",
    "getegid",
    "geteuid",
    "getgroups",
    "getpid",
    "getrlimit64",
    "getsockname",
    "getsockopt",
    "getxattr",
    "gmtime_r",
    "inet_pton",
    "linkat",
    "listxattr",
    "lseek64",
    "memchr",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "mkdirat",
    "mknodat",
    "munmap",
    "name_to_handle_at",
    "open_by_handle_at",
    "opendir",
    "poll",
    "pthread_cond_broadcast",
    "pthread_cond_destroy",
    "pthread_cond_init",
    "pthread_cond_wait",
    "pthread_detach",
    "pthread_equal",
    "pthread_join",
    "pthread_kill",
    "pthread_mutex_destroy",
    "pthread_mutex_init",
    "pthread_mutex_lock",
    "pthread_mutex_unlock",
    "pthread_once",
    "pthread_rwlock_destroy",
    "pthread_rwlock_init",
    "pthread_rwlock_rdlock",
    "pthread_rwlock_unlock",
    "pthread_rwlock_wrlock",
    "pthread_self",
    "pthread_setcancelstate",
    "pthread_sigmask",
    "pwritev64v2",
    "qsort",
    "readdir64",
    "readlinkat",
    "readv",
    "removexattr",
    "sched_yield",
    "sem_destroy",
    "sem_init",
    "sem_post",
    "sem_wait",
    "sendmsg",
    "setfsgid",
    "setfsuid",
    "setxattr",
    "shutdown",
    "sigaddset",
    "sigdelset",
    "sigemptyset",
    "sigfillset",
    "snprintf",
    "strcat",
    "strchr",
    "strcmp",
    "strcpy",
    "strcspn",
    "strerrordesc_np",
    "strlen",
    "strncmp",
    "strncpy",
    "strnlen",
    "strrchr",
    "strstr",
    "strtoul",
    "strtoull",
    "symlinkat",
    "timegm",
    "timer_delete",
    "timer_settime",
    "timerfd_settime",
    "unlink",
    "unlinkat",
    "utimensat",
    "vsnprintf",
    "writev",
#ifdef VSDK_CHECKED /* what the checks of locks say before they abort */
    "abort",
    "fprintf",
    "fputc",
    "stderr",
#endif
};

static const struct seam *seam_named(const char *name)
{
    for (unsigned i = 0; i < sizeof seams / sizeof *seams; i++)
        if (strcmp(seams[i].name, name) == 0)
            return &seams[i];
    return NULL;
}

static int is_harmless(const char *name)
{
    for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(harmless[i], name) == 0)
            return 1;
    return strncmp(name, "__asan_", 7) == 0 || strncmp(name, "__ubsan_", 8) == 0 ||
           strncmp(name, "__tsan_", 7) == 0 || strncmp(name, "__sanitizer_", 12) == 0;
}

struct installed {
    unsigned interposed, unknown;
};

static void install(const struct import *import, void *user)
{
    const struct seam *seam = seam_named(import->name);
    struct installed *installed = user;

    if (seam) {
        import_replace(import, seam->function);
        installed->interposed++;
    } else if (!is_harmless(import->name)) {
        tap_note("neither interposed nor harmless: %s", import->name);
        installed->unknown++;
    }
}

unsigned seam_install(unsigned *unknown)
{
    struct installed installed = {0};

    imports_each(library, install, &installed);
    imports_each(module, install, &installed);
    *unknown = installed.unknown;
    return installed.interposed;
}

void seam_arm(uint32_t fail, int error)
{
    atomic_store(&calls, 0);
    atomic_store(&fail_at, fail);
    atomic_store(&fail_with, error);
    failed = (struct seam_call){0};
    atomic_store(&armed, 1);
}

void seam_answer(uint64_t request, uint64_t argument, int result)
{
    other_answer.request = request;
    other_answer.argument = argument;
    other_answer.result = result;
    other_answer.set = 1;
}

void seam_trace(struct seam_call *to, uint32_t capacity)
{
    trace = to;
    trace_capacity = capacity;
}

void seam_disarm(void)
{
    atomic_store(&armed, 0);
}

uint32_t seam_calls(void)
{
    return atomic_load(&calls);
}

struct seam_call seam_failed(void)
{
    return failed;
}

const int *seam_errnos(const char *function)
{
    static const int none[1];
    const struct seam *seam = seam_named(function);

    return seam ? seam->errnos : none;
}

int64_t seam_live_blocks(void)
{
    return atomic_load(&live);
}
