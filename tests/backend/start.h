/* The state in which a guest begins. */
#ifndef VSDK_TESTS_BACKEND_START_H
#define VSDK_TESTS_BACKEND_START_H

#include <stdint.h>
#include <vsdk/vsdk.h>

/* Page tables (4 GiB one to one, reachable from every level), GDT and IDT into the memory at 0. */
void start_write_tables(uint8_t *memory);
/* Changes what the processor has now into 64-bit mode at a level. */
void start_set_long_mode(vsdk_sregs *sregs, int cpl);

#endif
