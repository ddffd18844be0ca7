/* SPDX-License-Identifier: Apache-2.0 */
/* The system-call seam: every call of the library to the kernel goes through here, so that tests
 * can make each fail (they interpose the libc functions), and so that descriptors are CLOEXEC and
 * never 0, 1 or 2. Functions return -errno on failure. */
#ifndef VSDK_BASE_SYS_H
#define VSDK_BASE_SYS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Many functions of libc are cancellation points, and a thread that vanished inside the library
 * would stay inside for ever. So they are called between these two, or by their number. */
static inline int sys_cancel_off(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void sys_cancel_back(int before)
{
    pthread_setcancelstate(before, NULL);
}

int sys_open(const char *path, int flags);
int sys_dup(int fd);    /* CLOEXEC, >= 3 */
int sys_high(int fd);   /* moves a descriptor to >= 3, CLOEXEC; closes the old */
void sys_close(int fd); /* nothing below 0; errno is kept */
/* A zeroed memfd of that size, which nobody can change; CLOEXEC, >= 3. */
int sys_memfd(const char *name, uint64_t bytes);
/* -EINVAL for what is no regular file. */
int sys_file_size(int fd, uint64_t *bytes);
int sys_ioctl(int fd, unsigned long request, uintptr_t argument);
/* The same, and EINTR is tried again up to 100 times. */
int sys_ioctl_retry(int fd, unsigned long request, uintptr_t argument);
int sys_eventfd(void);                         /* non-blocking, CLOEXEC, >= 3 */
int sys_eventfd_write(int fd, uint64_t value); /* async-signal-safe */
int sys_eventfd_read(int fd, uint64_t *value); /* -EAGAIN when nothing is there */
int sys_read(int fd, void *to, size_t bytes);  /* how many came */
/* Random bytes of the kernel's; it does not wait: how many came. */
int sys_random(void *to, size_t bytes);
void sys_join(pthread_t thread);
/* Anonymous private memory without reservation whose address is congruent to `phase` modulo
 * `align` (a power of two >= 4096); NULL with errno set. */
void *sys_map_anonymous(size_t bytes, size_t align, size_t phase, int prot);
/* The same of a file; flags as for mmap. */
void *sys_map_file(int fd, uint64_t offset, size_t bytes, size_t align, int flags);
void *sys_map_fd(int fd, size_t bytes, int prot, int flags);
/* -ENOMEM unless something is mapped at every page; `address` is a page's. */
int sys_is_mapped(void *address, size_t bytes);
void sys_unmap(void *address, size_t bytes);

uint64_t sys_clock(void); /* CLOCK_MONOTONIC in ns */
/* The moment at which a timeout of the API's ends: 0 for VSDK_FOREVER. */
uint64_t sys_deadline(uint64_t timeout_ns);
/* The timeout that is left until then: VSDK_FOREVER for 0. */
uint64_t sys_time_left(uint64_t deadline);
/* Waits while *word is `expected`, until a wake or the absolute deadline (0: none): 0, -EAGAIN,
 * -EINTR (with SA_RESTART too) or -ETIMEDOUT. Both keep errno and are async-signal-safe. */
int sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);
void sys_futex_wake(_Atomic uint32_t *word); /* all who wait */
void sys_futex_wake_one(_Atomic uint32_t *word);

#endif
