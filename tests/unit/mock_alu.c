/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of the interpreter against that of the processor that the test runs on. */
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CF = 1,
    PF = 4,
    AF = 0x10,
    ZF = 0x40,
    SF = 0x80,
    OF = 0x800,
    ALL = CF | PF | AF | ZF | SF | OF,
    OF_RESULT = PF | ZF | SF,
    ROUNDS = 64
};

/* An instruction on RAX, RCX and RDX, and the flags that it defines. */
typedef struct sample {
    const char *name;
    const char *bytes;
    uint32_t flags;
} sample;

static const sample samples[] = {
    {"add al, cl", "\x02\xc1", ALL},
    {"add ax, cx", "\x66\x01\xc8", ALL},
    {"add eax, ecx", "\x01\xc8", ALL},
    {"add rax, rcx", "\x48\x01\xc8", ALL},
    {"or eax, ecx", "\x09\xc8", ALL & ~AF},
    {"adc al, cl", "\x10\xc8", ALL},
    {"adc rax, rcx", "\x48\x11\xc8", ALL},
    {"sbb ax, cx", "\x66\x19\xc8", ALL},
    {"sbb rax, rcx", "\x48\x19\xc8", ALL},
    {"and rax, rcx", "\x48\x21\xc8", ALL & ~AF},
    {"sub eax, ecx", "\x29\xc8", ALL},
    {"sub rax, rcx", "\x48\x29\xc8", ALL},
    {"xor eax, ecx", "\x31\xc8", ALL & ~AF},
    {"cmp ah, cl", "\x38\xcc", ALL},
    {"cmp rax, rcx", "\x48\x39\xc8", ALL},
    {"add eax, -3", "\x83\xc0\xfd", ALL},
    {"sub al, 0x7f", "\x2c\x7f", ALL},
    {"test rax, rcx", "\x48\x85\xc8", ALL & ~AF},
    {"inc ah", "\xfe\xc4", ALL},
    {"dec rax", "\x48\xff\xc8", ALL},
    {"inc ax", "\x66\xff\xc0", ALL},
    {"neg eax", "\xf7\xd8", ALL},
    {"neg cl", "\xf6\xd9", ALL},
    {"not rax", "\x48\xf7\xd0", ALL},
    {"shl eax, 1", "\xd1\xe0", ALL & ~AF},
    {"shr rax, 1", "\x48\xd1\xe8", ALL & ~AF},
    {"sar al, 1", "\xd0\xf8", ALL & ~AF},
    {"shl rax, cl", "\x48\xd3\xe0", OF_RESULT},
    {"shr ax, 5", "\x66\xc1\xe8\x05", OF_RESULT | CF},
    {"sar rax, 9", "\x48\xc1\xf8\x09", OF_RESULT | CF},
    {"sar eax, cl", "\xd3\xf8", OF_RESULT},
    {"rol eax, 1", "\xd1\xc0", ALL},
    {"ror rax, 1", "\x48\xd1\xc8", ALL},
    {"rol ax, 7", "\x66\xc1\xc0\x07", CF},
    {"ror al, cl", "\xd2\xc8", PF},
    {"mul cl", "\xf6\xe1", CF | OF},
    {"mul ecx", "\xf7\xe1", CF | OF},
    {"mul rcx", "\x48\xf7\xe1", CF | OF},
    {"imul cl", "\xf6\xe9", CF | OF},
    {"imul cx", "\x66\xf7\xe9", CF | OF},
    {"imul rcx", "\x48\xf7\xe9", CF | OF},
    {"imul eax, ecx", "\x0f\xaf\xc1", CF | OF},
    {"imul rax, rcx, 77", "\x48\x6b\xc1\x4d", CF | OF},
    {"bt eax, ecx", "\x0f\xa3\xc8", CF},
    {"bts rax, rcx", "\x48\x0f\xab\xc8", CF},
    {"btr eax, 7", "\x0f\xba\xf0\x07", CF},
    {"btc rax, 40", "\x48\x0f\xba\xf8\x28", CF},
    {"xadd eax, ecx", "\x0f\xc1\xc8", ALL},
    {"xadd al, ah", "\x0f\xc0\xe0", ALL},
    {"cmpxchg rcx, rdx", "\x48\x0f\xb1\xd1", ALL},
    {"cmpxchg cl, dl", "\x0f\xb0\xd1", ALL},
    {"xchg rax, rcx", "\x48\x91", ALL},
    {"bswap rax", "\x48\x0f\xc8", ALL},
    {"movzx eax, ch", "\x0f\xb6\xc5", ALL},
    {"movsx rax, cx", "\x48\x0f\xbf\xc1", ALL},
    {"movsxd rax, ecx", "\x48\x63\xc1", ALL},
    {"cwde", "\x98", ALL},
    {"cqo", "\x48\x99", ALL},
    {"cbw", "\x66\x98", ALL},
    {"setl cl", "\x0f\x9c\xc1", ALL},
    {"setbe ah", "\x0f\x96\xc4", ALL},
    {"cmovs rax, rcx", "\x48\x0f\x48\xc1", ALL},
    {"cmovnle eax, ecx", "\x0f\x4f\xc1", ALL},
    {"lea rax, [rcx+rdx*4-5]", "\x48\x8d\x44\x91\xfb", ALL},
    {"lea eax, [rcx+rcx]", "\x8d\x04\x09", ALL},
    {"lea ax, [ecx+edx]", "\x67\x66\x8d\x04\x11", ALL},
    {"cmc", "\xf5", ALL},
    {"stc", "\xf9", ALL},
    {"mov ah, cl", "\x88\xcc", ALL},
    {"mov spl-like: mov al, dl", "\x40\x88\xd0", ALL},
};

typedef struct state {
    uint64_t rax, rcx, rdx, flags;
} state;

static uint64_t next_random(uint64_t *seed)
{
    static const uint64_t edges[] = {0,         1,          0x7f,       0x80,       0xff,
                                     0x7fff,    0x8000,     0x7fffffff, 0x80000000, 0xffffffff,
                                     INT64_MAX, 1ull << 63, ~0ull};

    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % 4 ? *seed : edges[*seed / 4 % (sizeof edges / sizeof edges[0])];
}

/* void native(state *): loads the state, executes one instruction, stores it. */
static void put_native(uint8_t *page, const sample *s)
{
    static const uint8_t before[] = {0x48, 0x8b, 0x07, 0x48, 0x8b, 0x4f, 0x08, 0x48,
                                     0x8b, 0x57, 0x10, 0xff, 0x77, 0x18, 0x9d};
    static const uint8_t after[] = {0x9c, 0x8f, 0x47, 0x18, 0x48, 0x89, 0x07, 0x48,
                                    0x89, 0x4f, 0x08, 0x48, 0x89, 0x57, 0x10, 0xc3};
    size_t length = strlen(s->bytes);

    memcpy(page, before, sizeof before);
    memcpy(page + sizeof before, s->bytes, length);
    memcpy(page + sizeof before + length, after, sizeof after);
}

static void interpret(rig *r, const sample *s, state *at)
{
    const backend_ops *ops = r->host.ops;
    size_t length = strlen(s->bytes);
    vsdk_x86_regs regs;

    memcpy(r->memory + CODE, s->bytes, length);
    memcpy(r->memory + CODE + length, "\xe6\xf2", 2);
    start_set_regs(&regs, 3);
    regs.rax = at->rax;
    regs.rcx = at->rcx;
    regs.rdx = at->rdx;
    regs.rflags |= at->flags;
    cr_assert_eq(ops->vcpu_complete(&r->vcpu[0], NULL), VSDK_OK);
    cr_assert_eq(ops->vcpu_set_regs(&r->vcpu[0], &regs, NULL), VSDK_OK);
    rig_run(r, 0);
    cr_assert_eq(r->exit->reason, VSDK_EXIT_PIO, "%s: reason %u", s->name, r->exit->reason);
    cr_assert_eq(ops->vcpu_get_regs(&r->vcpu[0], &regs, NULL), VSDK_OK);
    *at = (state){regs.rax, regs.rcx, regs.rdx, regs.rflags & ALL};
}

static void compare(const sample *s, state was, state ours, state theirs)
{
    cr_assert(ours.rax == theirs.rax && ours.rcx == theirs.rcx && ours.rdx == theirs.rdx &&
                  (ours.flags & s->flags) == (theirs.flags & s->flags),
              "%s of %llx, %llx, flags %llx: %llx %llx %llx flags %llx, not %llx %llx %llx %llx",
              s->name, (unsigned long long)was.rax, (unsigned long long)was.rcx,
              (unsigned long long)was.flags, (unsigned long long)ours.rax,
              (unsigned long long)ours.rcx, (unsigned long long)ours.rdx,
              (unsigned long long)ours.flags, (unsigned long long)theirs.rax,
              (unsigned long long)theirs.rcx, (unsigned long long)theirs.rdx,
              (unsigned long long)theirs.flags);
}

/* A count of zero leaves the flags, one of more than the operand's bits leaves some undefined. */
static int defined(const sample *s, uint64_t count)
{
    int shift =
        strstr(s->name, ", cl") && strstr("shl shr sar rol ror", strtok(strdupa(s->name), " "));
    unsigned bits = s->bytes[0] == '\xd2' ? 8 : s->bytes[0] == '\x48' ? 64 : 32;

    count &= bits == 64 ? 63 : 31;
    return !shift || (count && count < bits);
}

Test(alu, as_the_processor)
{
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t seed = 0x123456789;
    rig r = {0};

    if (page == MAP_FAILED)
        cr_skip_test("no memory that is writable and executable");
    rig_open(&r, 0);
    rig_code(&r, "\x90", 1, 3);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        put_native(page, &samples[i]);
        for (int round = 0; round < ROUNDS; round++) {
            state was = {next_random(&seed), next_random(&seed), next_random(&seed),
                         next_random(&seed) & ALL};
            state ours = was, theirs = was;

            if (!defined(&samples[i], was.rcx))
                continue;
            theirs.flags |= 2;
            ((void (*)(state *))(uintptr_t)page)(&theirs);
            interpret(&r, &samples[i], &ours);
            compare(&samples[i], was, ours, theirs);
        }
    }
    rig_close(&r);
    munmap(page, 4096);
}

static void divide(rig *r, const char *bytes, state *at)
{
    const sample s = {"division", bytes, 0};

    interpret(r, &s, at);
}

Test(alu, division)
{
    rig r = {0};
    state at = {100, 7, 0, 0};

    rig_open(&r, 0);
    rig_code(&r, "\x90", 1, 3);
    divide(&r, "\x48\xf7\xf1", &at);
    cr_assert(at.rax == 14 && at.rdx == 2);
    at = (state){(uint64_t)-100, 7, ~0ull, 0};
    divide(&r, "\x48\xf7\xf9", &at);
    cr_assert(at.rax == (uint64_t)-14 && at.rdx == (uint64_t)-2);
    at = (state){0x80000000, (uint64_t)-1, 0, 0};
    divide(&r, "\xf7\xf9", &at);
    cr_assert_eq((int32_t)at.rax, INT32_MIN);
    at = (state){0x0305, 0x10, 0, 0};
    divide(&r, "\xf6\xf1", &at);
    cr_assert_eq(at.rax, 0x0530);
    rig_close(&r);
}
