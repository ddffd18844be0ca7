/* SPDX-License-Identifier: Apache-2.0 */
/* mmap_write FILE: writes through a shared mapping of the file's first page. For a guest that has
 * busybox alone, which maps no file. */
    .text
    .globl _start
_start:
    movl $2, %eax                /* open */
    movq 16(%rsp), %rdi
    movl $2, %esi                /* O_RDWR */
    xorl %edx, %edx
    syscall
    testl %eax, %eax
    js fail
    movl %eax, %r8d
    movl $9, %eax                /* mmap */
    xorl %edi, %edi
    movl $4096, %esi
    movl $3, %edx                /* PROT_READ | PROT_WRITE */
    movl $1, %r10d               /* MAP_SHARED */
    xorl %r9d, %r9d
    syscall
    cmpq $-4096, %rax
    ja fail
    movq %rax, %rdi
    movl $0x7070616d, 4(%rax)    /* "mapp", behind the first four bytes */
    movl $26, %eax               /* msync */
    movl $4096, %esi
    movl $4, %edx                /* MS_SYNC */
    syscall
    movl %eax, %edi
    movl $60, %eax               /* exit */
    syscall
fail:
    movl $1, %edi
    movl $60, %eax
    syscall

    .section .note.GNU-stack, "", @progbits
