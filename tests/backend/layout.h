/* Addresses in a test machine; the assembled guests use them too. */
#ifndef VSDK_TESTS_BACKEND_LAYOUT_H
#define VSDK_TESTS_BACKEND_LAYOUT_H

#define RAM_BYTES 0x80000
#define PAGE_TABLES 0x1000 /* six pages */
#define GDT 0x7000
#define IDT 0x8000
#define SECOND_CODE 0x9000 /* where the second processor begins, in real mode */
#define FLAG 0xa000        /* the second processor's sign of life */
#define TSS 0xb000         /* with all ports allowed: not every KVM honours IOPL at CPL 3 */
#define TSS_LIMIT 0x2068
#define STACK 0x10000
#define CODE 0x10000
#define DATA 0x20000
#define RESULT 0x30000
#define SPARE 0x60000 /* pages that tests unmap and protect */

#define MMIO 0xc0400000 /* nothing is there */
#define EXTRA_RAM 0x200000

#define PORT_OUT 0x84
#define PORT_IN 0x81
#define PORT_ECHO 0x82
#define PORT_WIDE 0x1234
#define PORT_IRQ 0x90
#define PORT_NMI 0x91
#define PORT_SECOND 0x92
#define PORT_READY 0x93
#define PORT_END 0xf4

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_USER_CODE 0x18
#define SELECTOR_USER_DATA 0x20
#define SELECTOR_TSS 0x28

#define VECTOR 0x41
#define VECTOR_SECOND 0x42

#endif
