/* SPDX-License-Identifier: Apache-2.0 */
/* A small machine for the proofs: RAM at 0 laid out as tests/guests/layout.h says, and a processor
 * in 64-bit mode. The backend is the one that $VSDK_TEST_BACKEND names. */
#ifndef VSDK_TESTS_THREADS_RIG_H
#define VSDK_TESTS_THREADS_RIG_H

#include "guests.h"
#include "layout.h"
#include "tap.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <vsdk/vsdk.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#define UNDER_SANITIZER (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#else
#define UNDER_SANITIZER 0
#endif

extern __thread vsdk_error rig_error;
#define E (&rig_error)
/* The call succeeds, or the program ends. */
#define must(call) rig_must((call), #call, __FILE__, __LINE__)
void rig_must(vsdk_status status, const char *call, const char *file, int line);

/* Where this runs. */
enum place { PLACE_MOCK, PLACE_AUTONOMOUS, PLACE_HOST_KVM, PLACE_LAB_KVM, PLACE_XEN, PLACES };
enum place rig_place(void);
const char *rig_backend(void);

/* A number by place; sanitized builds take the second row. */
struct sizes {
    uint32_t plain[PLACES], sanitized[PLACES];
};
/* Times $VSDK_TEST_SCALE, which tools/test --long sets; rig_most is of what is alive at once, and
 * is not. */
uint32_t rig_size(const struct sizes *sizes);
uint32_t rig_most(const struct sizes *sizes);
uint32_t rig_scale(void);

/* Where a generator begins: $VSDK_TEST_SEED, or 1, and a number for each thread that has one. */
uint32_t rig_seed(uint32_t stream);
uint32_t rig_random(uint32_t *seed, uint32_t below);

enum { RIG_VCPUS = 2 };

struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpus[RIG_VCPUS];
    uint8_t *memory;
};

vsdk_host *rig_host(void);
/* With its own reference to `host`. The guest is loaded at CPL 0, or, with `native`, at the level
 * at which this host runs guests natively; CREATED. */
void rig_make(struct rig *rig, vsdk_host *host, unsigned vcpus, const struct guest *guest,
              int native);
void rig_second(struct rig *rig, const struct guest *guest);
/* The first processor's registers and code, at that level: what rig_make does. */
void rig_load(struct rig *rig, const struct guest *guest, int cpl);
void rig_end(struct rig *rig);

/* Answers of a host. */
int rig_can(vsdk_host *host, vsdk_capability what);

/* A thread that runs a processor until the run fails, a terminal exit or `stop`; counts what run
 * returned. `on_exit` (may be NULL) sees each exit that is not KICKED. */
struct runner {
    vsdk_vcpu *vcpu;
    void (*on_exit)(struct runner *runner, vsdk_exit *exit);
    void *user;
    _Atomic uint32_t stop;
    _Atomic uint64_t exits, kicked;
    vsdk_status status;
    vsdk_exit last;
    pthread_t thread;
};
void runner_start(struct runner *runner);
/* Stops it, which kicks, and waits. */
void runner_stop(struct runner *runner);
void runner_join(struct runner *runner);

void thread_start(pthread_t *thread, void *(*main)(void *), void *argument);
void thread_join(pthread_t thread);

void rig_sleep_us(unsigned us);
uint64_t rig_now_ns(void);
/* Waits until *word is at least `value`; bails out after a minute (times the scale), saying what it
 * waited for. */
void rig_wait(_Atomic uint64_t *word, uint64_t value, const char *what);

#endif
