# SPDX-License-Identifier: Apache-2.0
"""tests/generated/shim.c: a preloaded library that notes what each public function returned."""

from .contract import TOP
from .header import prototype

TEXT = r"""
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
@KINDS@};

enum function {
@INDICES@    FUNCTIONS,
};

static const char *const function_names[FUNCTIONS] = {
@NAMES@};

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
@STATUSES@    default:
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

"""


def null_test(function):
    """The expression that says whether a pointer is NULL that ought not to be."""
    params = function.required
    pointers = [p for p in function.params if p.pointer]
    if not function.fallible and pointers and pointers[0] not in params:
        params = pointers[:1] + params
    return " || ".join(f"{p.name} == NULL" for p in params) or "0"


def wrapper(function):
    result = function.return_type
    name = function.name
    arguments = ", ".join(p.name for p in function.params)
    note = "note_status" if function.fallible else "note_return"
    lines = prototype(result.declare(name), function.params, "") + ["{"]
    lines.append(f"    __typeof__(&{name}) call_ = find(FUNCTION_{name});")
    if result.text == "void":
        lines.append(f"    call_({arguments});")
    else:
        lines.append(f"    {result.declare('result_')} = call_({arguments});")
    lines.append(f"    {note}(FUNCTION_{name}, {outcome(function)}{null_test(function)});")
    if result.text != "void":
        lines.append("    return result_;")
    return "\n".join(lines + ["}", ""])


def outcome(function):
    return "result_, " if function.fallible else ""


def outputs(api):
    status = api.status()
    kinds = ["success", "NULL", "UNKNOWN"] + list(status)
    functions = [function.name for function in api.functions]
    cases = "".join(f"    case VSDK_ERROR_{name}:\n        return KIND_ERROR + {index};\n"
                    for index, name in enumerate(status))
    text = (TEXT.replace("@KINDS@", "".join(f'    "{kind}",\n' for kind in kinds))
            .replace("@INDICES@", "".join(f"    FUNCTION_{name},\n" for name in functions))
            .replace("@NAMES@", "".join(f'    "{name}",\n' for name in functions))
            .replace("@STATUSES@", cases))
    body = "\n".join(wrapper(function) for function in api.functions)
    return {"tests/generated/shim.c": TOP + text.lstrip("\n") + body + "\n#pragma GCC visibility pop\n"}
