/* SPDX-License-Identifier: Apache-2.0 */
/* Where the guests of the tests are and what they talk to: for C and for the assembler. */
#ifndef VSDK_TESTS_GUESTS_LAYOUT_H
#define VSDK_TESTS_GUESTS_LAYOUT_H

/* Low memory; what lies below LOW_BYTES is made by start.c. */
#define PAGE_TABLES 0x1000 /* six pages */
#define GDT 0x7000
#define IDT 0x8000
#define SECOND_CODE 0x9000 /* where further processors begin, in real mode */
#define FLAG 0xa000        /* the second processor's sign of life */
#define TSS 0xb000         /* with all ports allowed: not every KVM honours IOPL at CPL 3 */
#define TSS_LIMIT 0x2068
#define LOW_BYTES 0xe000
#define STACK 0x10000
#define CODE 0x10000
#define DATA 0x20000
#define BUFFER 0x21000
#define BUFFER_SECOND 0x22000
#define RESULT 0x30000
#define STACKS 0x30000 /* of further processors, 0x1000 each */
#define SPARE 0x60000  /* pages that tests unmap and protect */
#define RAM_BYTES 0x80000

#define MMIO 0xd0000000 /* nothing is there */
#define EXTRA_RAM 0x200000

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_USER_DATA 0x18
#define SELECTOR_USER_CODE 0x20
#define SELECTOR_CODE_32 0x28
#define SELECTOR_TSS 0x30

#define PORT_OUT 0x84
#define PORT_IN 0x81
#define PORT_ECHO 0x82
#define PORT_WIDE 0x1234
#define PORT_IRQ 0x90
#define PORT_NMI 0x91
#define PORT_SECOND 0x92
#define PORT_READY 0x93
#define PORT_BYTE 0x700
#define PORT_WORD 0x702
#define PORT_LONG 0x704
#define PORT_REPORT 0x708
#define PORT_LOOK 0xf2
#define PORT_END 0xf4

/* Gates that start.c makes: to CODE + 0x100, + 0x140 and, for NMI, + 0x180. */
#define VECTOR 0x41
#define VECTOR_SECOND 0x42
#define VECTOR_LAST 0x3f /* ends vectors.S */

#define LAPIC 0xfee00000
#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0
#define LAPIC_TMR 0x180
#define LAPIC_ICR_LOW 0x300
#define LAPIC_ICR_HIGH 0x310
#define LAPIC_ID 0x20

#define IOAPIC 0xfec00000
#define IOAPIC_WINDOW 0x10
#define IOAPIC_LEVEL 0x8000
#define IOAPIC_MASKED 0x10000
#define LINE 5 /* of level_line.S */
#define LINE_VECTOR 0x50
#define LINE_LAST 0x31 /* ends it, after what is pending of the line */

/* The embedder's device of device_trace.S: ports, and registers in memory. */
#define PROBE_PORT 0x720
#define PROBE_MMIO 0xd0010000
#define PROBE_ID 0         /* port, dword: 0x70726f62 */
#define PROBE_ECHO 4       /* port, dword */
#define PROBE_ADDRESS 0x00 /* dword, write */
#define PROBE_LENGTH 0x04  /* dword, write */
#define PROBE_COMMAND 0x08 /* dword, write */
#define PROBE_SUM 0x10     /* qword, write: the guest's sum of the bytes that it got */
#define PROBE_TOTAL 0x18   /* qword, read: the device's sum of the bytes that it read */
#define PROBE_TICKS 0x20   /* dword, write: how many ticks were seen */
#define PROBE_FILL 1       /* commands: the device writes memory, then interrupts */
#define PROBE_DRAIN 2      /* it reads memory, then interrupts */
#define PROBE_TIMER 3      /* it interrupts after a while */
#define PROBE_VECTOR_FILL 0x41
#define PROBE_VECTOR_DRAIN 0x42
#define PROBE_VECTOR_TIMER 0x43
#define PROBE_TIMER_TICKS 3

/* What device memory holds in dma.S and device_trace.S: byte i is (i * 7 + 3) & 0xff. */
#define PATTERN_STEP 7
#define PATTERN_FIRST 3

#endif
