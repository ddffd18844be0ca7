/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on images as QEMU's file driver has them, so that its tools and this library respect each
 * other.
 *
 * An image's user has rights, a bit each, and says which of them others may have too. For each
 * right that it has, it holds a shared lock on byte 100 + bit of the file; for each that others may
 * not have, on byte 200 + bit. All locks are shared ones, so that holding never fails; who comes
 * looks whether the opposite byte of another is held. It locks first and looks then: of two who
 * come at once both may be refused, but never none.
 *
 * The bytes need not exist. A file system without such locks is used without them. */
#include "disk/file_lock.h"
#include "base/error.h"
#include "base/sys_file.h"
#include <errno.h>
#include <stdint.h>

enum { HAS = 100, DENIES = 200, BITS = 4 };
enum { READ = 1 << 0, WRITE = 1 << 1, RESIZE = 1 << 3 };

static const char *const rights[BITS] = {"read it consistently", "write it", "write it unchanged",
                                         "resize it"};

void file_lock_give(int fd)
{
    for (uint64_t bit = 0; bit < BITS; bit++) {
        sys_lock_byte(fd, HAS + bit, 0);
        sys_lock_byte(fd, DENIES + bit, 0);
    }
}

static int hold(int fd, uint64_t base, unsigned bits)
{
    int result = 0;

    for (uint64_t bit = 0; !result && bit < BITS; bit++)
        if (bits & 1U << bit)
            result = sys_lock_byte(fd, base + bit, 1);
    return result;
}

/* Whether somebody else holds one of these; `which` says which one. */
static int others_hold(int fd, uint64_t base, unsigned bits, unsigned *which)
{
    for (*which = 0; *which < BITS; ++*which)
        if (bits & 1U << *which && sys_lock_is_held(fd, base + *which) > 0)
            return 1;
    return 0;
}

vsdk_status file_lock_take(int fd, int writes, const char *name, vsdk_error *error)
{
    unsigned has = READ | (writes ? WRITE | RESIZE : 0), denies = WRITE | RESIZE, which = 0;
    int result = hold(fd, HAS, has);

    if (!result)
        result = hold(fd, DENIES, denies);
    if (result == -EINVAL || result == -ENOLCK || result == -EOPNOTSUPP)
        return VSDK_OK;
    if (!result && !others_hold(fd, DENIES, has, &which) && !others_hold(fd, HAS, denies, &which))
        return VSDK_OK;
    file_lock_give(fd);
    if (result)
        error_set_errno(error, VSDK_ERROR_BUSY, -result, "vsdk_disk_open", "%s is locked", name);
    else
        error_set(error, VSDK_ERROR_BUSY, "vsdk_disk_open",
                  "%s is in use: somebody else may %s, or does not let others", name,
                  rights[which]);
    return error_hint(error, VSDK_ERROR_BUSY,
                      "end the program that has it, or open it with VSDK_DISK_NO_LOCK");
}
