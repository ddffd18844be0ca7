/* SPDX-License-Identifier: Apache-2.0 */
/* An ioctl() that counts, preloaded: at the end it tells how many calls there were and how many of
 * them were KVM_RUN, on descriptor 2. */
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long all, runs;

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    __atomic_add_fetch(&all, 1, __ATOMIC_RELAXED);
    if (request == KVM_RUN)
        __atomic_add_fetch(&runs, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "ioctls %lu runs %lu\n", all, runs);
}
