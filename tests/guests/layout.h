/* SPDX-License-Identifier: Apache-2.0 */
/* Where the guests of the tests are, and what they talk to: for C and for the assembler. README.md
 * says what each guest does. */
#ifndef TESTS_GUESTS_LAYOUT_H
#define TESTS_GUESTS_LAYOUT_H

/* Low memory, made by long_mode.c. */
#define GUEST_PML4 0x1000 /* then the directory pointers and four directories, up to 0x7000 */
#define GUEST_GDT 0x7000
#define GUEST_IDT 0x8000
#define GUEST_TRAMPOLINE 0x9000
#define GUEST_STACK_TOP 0x10000
#define GUEST_CODE 0x10000
#define GUEST_DATA 0x20000 /* results and counters */
#define GUEST_BUFFER 0x21000
#define GUEST_BUFFER2 0x22000
#define GUEST_STACKS 0x30000 /* of further processors, 0x1000 each */
#define GUEST_LOW_BYTES 0x9000
#define GUEST_RAM_BYTES 0x400000

/* Selectors. */
#define GUEST_CS 0x08
#define GUEST_DS 0x10
#define GUEST_USER_DS 0x1b
#define GUEST_USER_CS 0x23
#define GUEST_CS32 0x28

/* Ports. */
#define PORT_BYTE 0x700
#define PORT_WORD 0x702
#define PORT_LONG 0x704
#define PORT_REPORT 0x708
#define PORT_LOOK 0xf2
#define PORT_EXIT 0xf4

/* No memory is here. */
#define GUEST_MMIO 0xd0000000

/* The embedder's device of device_trace.S: ports, and registers in memory. */
#define PROBE_PORT 0x720
#define PROBE_MMIO 0xd0010000
#define PROBE_ID 0 /* port, dword: 0x70726f62 */
#define PROBE_ECHO 4 /* port, dword */
#define PROBE_ADDRESS 0x00 /* dword, write */
#define PROBE_LENGTH 0x04 /* dword, write */
#define PROBE_COMMAND 0x08 /* dword, write */
#define PROBE_SUM 0x10 /* qword, write: the guest's sum of the bytes that it got */
#define PROBE_TOTAL 0x18 /* qword, read: the device's sum of the bytes that it read */
#define PROBE_TICKS 0x20 /* dword, write: how many ticks were seen */
#define PROBE_FILL 1 /* commands: the device writes memory, then interrupts */
#define PROBE_DRAIN 2 /* it reads memory, then interrupts */
#define PROBE_TIMER 3 /* it interrupts after a while */
#define PROBE_VECTOR_FILL 0x41
#define PROBE_VECTOR_DRAIN 0x42
#define PROBE_VECTOR_TIMER 0x43
#define PROBE_TIMER_TICKS 3

/* What device memory holds in dma.S and device_trace.S: byte i is (i * 7 + 3) & 0xff. */
#define PATTERN_STEP 7
#define PATTERN_FIRST 3

#define LAPIC 0xfee00000
#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0
#define LAPIC_ICR_LOW 0x300
#define LAPIC_ICR_HIGH 0x310
#define LAPIC_ID 0x20
#define VECTOR_LAST 0x3f /* ends interrupts.S */

#endif
