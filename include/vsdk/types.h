/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status, errors and common types.
 *
 * What every other header uses: the status that functions return, the error record that explains
 * it, and the version.
 *
 * A fallible function returns a vsdk_status and takes a nullable vsdk_error * last. When it fails
 * it changes nothing, unless its own text says otherwise, and its outputs are NULL or zero. The
 * record belongs to the caller; there is no error state a thread.
 *
 * Handles are opaque and counted: *_ref takes a reference more, *_close drops one; closing NULL
 * does nothing. A child keeps the memory of its parent's handle, so handles may be closed in any
 * order. The caller keeps a handle open for as long as a call on it lasts, also from callbacks of
 * that call.
 *
 * What a finalizer may meet, for every handle: a close waits for no callback and no run of another
 * thread, and calls no start, stop, read or write of a device, and the last close of a virtual
 * machine destroys it, with the release callbacks that this means, on the closing thread.
 *
 * Time is in nanoseconds. As a timeout 0 does not wait and VSDK_FOREVER has no end, in every
 * function. What the header of a function says of its threads holds while the library waits, too.
 *
 * No function of the library is a cancellation point: a thread that was cancelled ends after the
 * call. A callback returns to the library, and in no other way: a thread that left one by an
 * exception, longjmp, pthread_exit or a cancellation would be inside for ever, and a destroy would
 * wait for it. A callback that reads, writes or logs in a thread that may be cancelled turns
 * cancellation off meanwhile.
 *
 * Structs whose kind is configuration or output begin with size and flags. The caller sets size to
 * the sizeof that it was compiled with; zero in any later field means the default. A size below 8
 * or above 4096 (one that was not set) and an unknown flag are VSDK_ERROR_INVALID_ARGUMENT. A
 * configuration may be shorter than the library knows: the rest counts as zero. It may be longer if
 * its tail is zero; a tail or a reserved field that is not zero is VSDK_ERROR_UNSUPPORTED, a later
 * version's field. An output that is shorter than in the first version that had it is
 * VSDK_ERROR_INVALID_ARGUMENT too; what the library does not know of a longer one becomes zero. All
 * other structures are frozen. Later versions add values to enums: a caller tolerates those that it
 * does not know.
 *
 * After fork the child may only close handles. A close there does nothing: it touches no virtual
 * machine and calls no release. Every other call on a handle of the parent's that has a status
 * answers VSDK_ERROR_STATE there. The child may open a host of its own. The child's copies of the
 * library's descriptors keep a guest of KVM in being, without anybody who runs it, until the child
 * has ended or executed another program.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/types.toml by abi/generate.py.
 */

#ifndef VSDK_TYPES_H
#define VSDK_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * What a fallible function returns. Small, stable and not errno; a caller tolerates values that it
 * does not know.
 *
 * Since 0.1.
 */
enum vsdk_status_values {
    VSDK_OK = 0,                      /* Success */
    VSDK_ERROR_INVALID_ARGUMENT = -1, /* An argument is NULL, zero, unknown or malformed */
    VSDK_ERROR_NO_MEMORY = -2,        /* The host has no memory for this */
    VSDK_ERROR_UNSUPPORTED = -3,      /* This backend, machine or version cannot do it; the
                                         message says why */
    VSDK_ERROR_PERMISSION = -4,       /* The process may not; the hint says what would help */
    VSDK_ERROR_NOT_FOUND = -5,        /* There is no such thing */
    VSDK_ERROR_EXISTS = -6,           /* It is there already, or overlaps something that is */
    VSDK_ERROR_STATE = -7,            /* The object is not in a state that allows this */
    VSDK_ERROR_BUSY = -8,             /* Would wait for itself: called from a callback that it
                                         would have to wait for, or while another caller is
                                         inside */
    VSDK_ERROR_GONE = -9,             /* The virtual machine was destroyed */
    VSDK_ERROR_RANGE = -10,           /* The range wraps, has a hole, leaves its object or is not
                                         memory of the wanted kind */
    VSDK_ERROR_LIMIT = -11,           /* A stated limit is exceeded */
    VSDK_ERROR_FORMAT = -12,          /* An image is malformed; the message names the field */
    VSDK_ERROR_UNAVAILABLE = -13,     /* The backend can't be used here: no hypervisor, no device
                                         node, no module */
    VSDK_ERROR_VERSION = -14,         /* The hypervisor or a module is of another version */
    VSDK_ERROR_SYSTEM = -15,          /* The operating system or the hypervisor refused; os_errno
                                         says how */
    VSDK_ERROR_TIMEOUT = -16,         /* The time was over before it was done */
    VSDK_ERROR_RESERVED = -17,        /* The hypervisor serves these addresses or lines itself;
                                         the message says what is there */
};
typedef int32_t vsdk_status;

/*
 * The version of these headers. vsdk_version tells the version of the library that is loaded.
 *
 * Since 0.1.
 */
enum vsdk_version_number_values {
    VSDK_VERSION_MAJOR = 0, /* Major version */
    VSDK_VERSION_MINOR = 1, /* Minor version */
    VSDK_VERSION_PATCH = 0, /* Patch level */
};
typedef uint32_t vsdk_version_number;

/* As a timeout: no end. A timeout of 0 does not wait. Since 0.1. */
#define VSDK_FOREVER UINT64_C(0xffffffffffffffff)

/*
 * What went wrong, for a program and for a person. Owned by the caller, filled on failure only;
 * every text is NUL-terminated UTF-8, cut at a character boundary. Frozen: its size never changes.
 *
 * 512 bytes. Since 0.1.
 */
typedef struct vsdk_error {
    int32_t code;         /* The vsdk_status that the function returned */
    int32_t os_errno;     /* errno of the system or hypervisor call that failed, 0 if none did */
    char operation[64];   /* The operation that failed, such as KVM_CREATE_VM or vsdk_vm_map */
    char message[256];    /* What happened, in one sentence, with the values that matter */
    char hint[160];       /* What to do about it; empty if there is no advice */
    uint8_t reserved[24]; /* Zero */
} vsdk_error;

/*
 * Told once that the library will never use user again. It is called exactly once for each function
 * that took a user pointer, on failure of that function too, before it returns. It can't be called
 * if the structure that holds it is NULL or too short for it.
 *
 *   user  (may be NULL) The pointer given with the callback.
 *
 * Runs on: The thread that dropped the last use: inside a close, a detach, a destroy or the failing
 * function.
 * May call: close functions only.
 * Since 0.1.
 */
typedef void (*vsdk_release_fn)(void *user);

/*
 * The name of a vsdk_status: ok, invalid_argument, no_memory and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_status_name(vsdk_status value);

/*
 * Version of the loaded library.
 *
 * Major, minor and patch in bits 31-16, 15-8 and 7-0.
 *
 * Returns (major << 16) | (minor << 8) | patch.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
uint32_t vsdk_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_TYPES_H */
