/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
/*
 * Preloaded by the tests. Each public function is forwarded to the real one; the first time in a
 * process that a function ends in a certain way, one line "function<TAB>kind" is appended to the
 * file that $VSDK_SHIM_LOG names. Kinds: success, the error's name, and NULL when a pointer that is
 * required was NULL and the call was refused. No allocation, no lock, one write(2) a line, so that
 * async-signal-safe functions stay so and any number of processes share the file.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vsdk/vsdk.h>

/* Far from the numbers that tests count, fill and close. */
enum { LOG_DESCRIPTOR = 1000, LOG_DESCRIPTOR_LOW = 200 };

enum kind {
    KIND_SUCCESS,
    KIND_NULL,
    KIND_UNKNOWN,
    KIND_ERROR, /* and the errors from here on, in the order of kind_names */
};

static const char *const kind_names[] = {
    "success",
    "NULL",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "STATE",
    "GONE",
    "BUSY",
};

enum function {
    FUNCTION_vsdk_status_name,
    FUNCTION_vsdk_lamp_state_name,
    FUNCTION_vsdk_lamp_create,
    FUNCTION_vsdk_lamp_close,
    FUNCTION_vsdk_lamp_watch,
    FUNCTIONS,
};

static const char *const function_names[FUNCTIONS] = {
    "vsdk_status_name",
    "vsdk_lamp_state_name",
    "vsdk_lamp_create",
    "vsdk_lamp_close",
    "vsdk_lamp_watch",
};

static _Atomic(void *) real[FUNCTIONS];
static _Atomic uint64_t seen[FUNCTIONS];
static int log_descriptor = -1;

static int move_high(int descriptor)
{
    int high = fcntl(descriptor, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR);
    if (high < 0)
        high = fcntl(descriptor, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR_LOW);
    if (high < 0)
        return descriptor;
    close(descriptor);
    return high;
}

__attribute__((constructor)) static void prepare(void)
{
    const char *path = getenv("VSDK_SHIM_LOG");
    int saved = errno;

    for (int i = 0; i < FUNCTIONS; i++)
        atomic_store(&real[i], dlsym(RTLD_NEXT, function_names[i]));
    if (path != NULL && path[0] != '\0')
        log_descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_descriptor >= 0)
        log_descriptor = move_high(log_descriptor);
    errno = saved;
}

/* The constructor has found them all, unless libvsdk was loaded after it. */
static void *find(enum function function)
{
    void *address = atomic_load_explicit(&real[function], memory_order_acquire);

    if (address == NULL) {
        address = dlsym(RTLD_NEXT, function_names[function]);
        if (address == NULL)
            abort();
        atomic_store_explicit(&real[function], address, memory_order_release);
    }
    return address;
}

static void append(enum function function, uint32_t kind)
{
    char line[128];
    size_t name = strlen(function_names[function]);
    size_t text = strlen(kind_names[kind]);
    int saved = errno, cancel;
    ssize_t written;

    memcpy(line, function_names[function], name);
    line[name] = '\t';
    memcpy(line + name + 1, kind_names[kind], text);
    line[name + 1 + text] = '\n';
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* as the library does */
    do
        written = syscall(SYS_write, log_descriptor, line, name + text + 2); /* cancels nobody */
    while (written < 0 && errno == EINTR);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
}

static void note(enum function function, uint32_t kind)
{
    uint64_t bit = UINT64_C(1) << kind;

    if (log_descriptor < 0 || (atomic_load_explicit(&seen[function], memory_order_relaxed) & bit))
        return;
    if (!(atomic_fetch_or_explicit(&seen[function], bit, memory_order_relaxed) & bit))
        append(function, kind);
}

static uint32_t status_kind(vsdk_status status)
{
    if (status >= VSDK_OK)
        return KIND_SUCCESS;
    switch (status) {
    case VSDK_ERROR_INVALID_ARGUMENT:
        return KIND_ERROR + 0;
    case VSDK_ERROR_STATE:
        return KIND_ERROR + 1;
    case VSDK_ERROR_GONE:
        return KIND_ERROR + 2;
    case VSDK_ERROR_BUSY:
        return KIND_ERROR + 3;
    default:
        return KIND_UNKNOWN;
    }
}

static void note_status(enum function function, vsdk_status status, int null)
{
    note(function, status_kind(status));
    if (null && status < VSDK_OK)
        note(function, KIND_NULL);
}

static void note_return(enum function function, int null)
{
    note(function, null ? KIND_NULL : KIND_SUCCESS);
}

#pragma GCC visibility push(default)

const char *vsdk_status_name(vsdk_status value)
{
    __typeof__(&vsdk_status_name) call_ = find(FUNCTION_vsdk_status_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_status_name, 0);
    return result_;
}

const char *vsdk_lamp_state_name(vsdk_lamp_state value)
{
    __typeof__(&vsdk_lamp_state_name) call_ = find(FUNCTION_vsdk_lamp_state_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_lamp_state_name, 0);
    return result_;
}

vsdk_status vsdk_lamp_create(const vsdk_lamp_config *config, vsdk_lamp **lamp, vsdk_error *error)
{
    __typeof__(&vsdk_lamp_create) call_ = find(FUNCTION_vsdk_lamp_create);
    vsdk_status result_ = call_(config, lamp, error);
    note_status(FUNCTION_vsdk_lamp_create, result_, lamp == NULL);
    return result_;
}

void vsdk_lamp_close(vsdk_lamp *lamp)
{
    __typeof__(&vsdk_lamp_close) call_ = find(FUNCTION_vsdk_lamp_close);
    call_(lamp);
    note_return(FUNCTION_vsdk_lamp_close, lamp == NULL);
}

vsdk_status vsdk_lamp_watch(vsdk_lamp *lamp, const void *bytes, size_t length, vsdk_lamp_fn fn,
                            void *user, vsdk_release_fn release, vsdk_error *error)
{
    __typeof__(&vsdk_lamp_watch) call_ = find(FUNCTION_vsdk_lamp_watch);
    vsdk_status result_ = call_(lamp, bytes, length, fn, user, release, error);
    note_status(FUNCTION_vsdk_lamp_watch, result_, lamp == NULL || bytes == NULL || fn == NULL);
    return result_;
}

#pragma GCC visibility pop
