/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that libvsdk makes to the system and for memory: counted, and one made to fail. */
#ifndef VSDK_TESTS_FAULTS_SEAM_H
#define VSDK_TESTS_FAULTS_SEAM_H

#include <stdint.h>

enum { SEAM_ERRNOS = 4 };

struct seam_call {
    const char *function;
    uint64_t request; /* ioctl's, fcntl's or epoll_ctl's second argument, else 0 */
    uint64_t first;   /* KVM_SET_MSRS: the first register's number */
    uint64_t offset;  /* in the library, of the instruction after the call */
};

/* Takes over the imports of the library and, where it is loaded, of the mocks' module. Returns how
 * many functions can be made to fail, and prints as notes those that are neither interposed nor
 * known to be harmless: `unknown` of them. */
unsigned seam_install(unsigned *unknown);

/* Counts from 1 from now on and lets call number `fail` (0: none) fail with `error`. */
void seam_arm(uint32_t fail, int error);
/* From now on this ioctl, with this argument, is not made: `result` is its answer. */
void seam_answer(uint64_t request, uint64_t argument, int result);
/* Notes each call from now on, up to `capacity`. */
void seam_trace(struct seam_call *trace, uint32_t capacity);
void seam_disarm(void);
uint32_t seam_calls(void);
/* The call that failed; function is NULL if none did. */
struct seam_call seam_failed(void);
/* What a function can fail with, 0 after the last. */
const int *seam_errnos(const char *function);
/* Blocks that the library has allocated and not freed. */
int64_t seam_live_blocks(void);

#endif
