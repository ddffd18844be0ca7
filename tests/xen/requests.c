/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as Xen makes them, and with values that it never should: an exit is always well formed,
 * an answer always comes, and nothing outside the guest's memory is touched. */
#include "rig.h"
#include <string.h>

enum { PAGE = 4096, RANDOM_REQUESTS = 20000, RUNS_MOST = PAGE + 2 };

static struct rig rig;

static uint8_t *ram(void)
{
    return rig.ram.memory;
}

static struct ioreq *slot(void)
{
    return &rig_domain(&rig)->requests[0];
}

static const vsdk_exit *request(struct ioreq wanted)
{
    fake_request(rig_domain(&rig), 0, wanted);
    return rig_run(&rig, PATIENCE_MS);
}

/* Answers what is shown. With a hold a run shows the next element or returns KICKED. */
static const vsdk_exit *answered(void)
{
    rig.vcpu.requests = REQUEST_HOLD;
    rig_run(&rig, PATIENCE_MS);
    rig.vcpu.requests = 0;
    return &rig.exit;
}

static void expect_done(uint64_t data)
{
    check(answered()->reason == VSDK_EXIT_KICKED, "reason %u", rig.exit.reason);
    check(slot()->state == STATE_IORESP_READY, "state %u", slot()->state);
    check(slot()->data == data, "response %#llx, not %#llx", (unsigned long long)slot()->data,
          (unsigned long long)data);
}

static void ports(void)
{
    const vsdk_exit *exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                                   .dir = IOREQ_WRITE,
                                                   .addr = 0x100,
                                                   .size = 2,
                                                   .count = 1,
                                                   .data = 0x12345678});

    check(exit->reason == VSDK_EXIT_PIO && exit->address == 0x100 && exit->value == 0x5678,
          "reason %u value %#llx", exit->reason, (unsigned long long)exit->value);
    check(exit->flags & VSDK_EXIT_REGS_SETTABLE, "registers can't be set");
    expect_done(0x12345678);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                  .dir = IOREQ_READ,
                                  .addr = 0x102,
                                  .size = 1,
                                  .count = 1,
                                  .data = ~0ull});
    check(exit->value == 0xff && exit->direction == VSDK_DIRECTION_READ, "reads ones");
    rig.exit.value = 0xabcd;
    expect_done(0xcd);
}

static void string_ports(void)
{
    const vsdk_exit *exit;

    memcpy(ram() + 0x2000, "abcdefgh", 8);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                  .dir = IOREQ_WRITE,
                                  .addr = 0x100,
                                  .size = 2,
                                  .count = 3,
                                  .data_is_ptr = 1,
                                  .data = 0x2002});
    check(exit->count == 3 && memcmp((void *)(uintptr_t)exit->data, "cdefgh", 6) == 0, "upwards");
    expect_done(0x2002);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                  .dir = IOREQ_WRITE,
                                  .addr = 0x100,
                                  .size = 2,
                                  .count = 3,
                                  .data_is_ptr = 1,
                                  .df = 1,
                                  .data = 0x2004});
    check(exit->count == 3 && memcmp((void *)(uintptr_t)exit->data, "efcdab", 6) == 0, "downwards");
    expect_done(0x2004);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                  .dir = IOREQ_READ,
                                  .addr = 0x100,
                                  .size = 4,
                                  .count = 2,
                                  .data_is_ptr = 1,
                                  .df = 1,
                                  .data = 0x2004});
    memcpy((void *)(uintptr_t)exit->data, "12345678", 8);
    expect_done(0x2004);
    check(memcmp(ram() + 0x2000, "56781234", 8) == 0, "what was read: %.8s", ram() + 0x2000);
}

/* The memory of the instruction ends in the middle: ones are read, and writes go nowhere. */
static void string_at_the_edge(void)
{
    const vsdk_exit *exit;

    memcpy(ram() + RAM_BYTES - 4, "wxyz", 4);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                  .dir = IOREQ_WRITE,
                                  .addr = 0x100,
                                  .size = 4,
                                  .count = 2,
                                  .data_is_ptr = 1,
                                  .data = RAM_BYTES - 4});
    check(memcmp((void *)(uintptr_t)exit->data, "wxyz\xff\xff\xff\xff", 8) == 0, "ones");
    expect_done(RAM_BYTES - 4);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                  .dir = IOREQ_READ,
                                  .addr = 0x100,
                                  .size = 4,
                                  .count = 2,
                                  .data_is_ptr = 1,
                                  .data = RAM_BYTES - 4});
    memcpy((void *)(uintptr_t)exit->data, "ABCDEFGH", 8);
    expect_done(RAM_BYTES - 4);
    check(memcmp(ram() + RAM_BYTES - 4, "ABCD", 4) == 0, "the last bytes");
    exit = request((struct ioreq){.type = IOREQ_TYPE_COPY,
                                  .dir = IOREQ_WRITE,
                                  .addr = 0xf0000000,
                                  .size = 4,
                                  .count = 1,
                                  .data_is_ptr = 1,
                                  .data = RAM_BYTES});
    check(exit->value == 0xffffffff, "%#llx instead of ones", (unsigned long long)exit->value);
    expect_done(RAM_BYTES);
    /* Downwards below zero. */
    request((struct ioreq){.type = IOREQ_TYPE_PIO,
                           .dir = IOREQ_READ,
                           .addr = 0x100,
                           .size = 4,
                           .count = 2,
                           .data_is_ptr = 1,
                           .df = 1,
                           .data = 0});
    expect_done(0);
}

static void memory_elements(void)
{
    const vsdk_exit *exit = request((struct ioreq){.type = IOREQ_TYPE_COPY,
                                                   .dir = IOREQ_READ,
                                                   .addr = 0xf0000ffc,
                                                   .size = 4,
                                                   .count = 3,
                                                   .data_is_ptr = 1,
                                                   .df = 1,
                                                   .data = 0x3008});

    for (uint64_t i = 0; i < 3; i++) {
        check(exit->reason == VSDK_EXIT_MMIO && exit->address == 0xf0000ffc - 4 * i &&
                  exit->count == 1,
              "element %llu at %#llx", (unsigned long long)i, (unsigned long long)exit->address);
        check(exit->value == 0xffffffff, "ones before the answer");
        check(slot()->state == STATE_IOREQ_READY, "answered after element %llu",
              (unsigned long long)i);
        rig.exit.value = 0x1000 + i;
        if (i < 2)
            exit = answered();
    }
    expect_done(0x3008);
    check(memcmp(ram() + 0x3000, "\x02\x10\0\0\x01\x10\0\0\x00\x10\0\0", 12) == 0, "in memory");
}

static void configuration(void)
{
    const vsdk_exit *exit = request((struct ioreq){.type = IOREQ_TYPE_PCI_CONFIG,
                                                   .dir = IOREQ_READ,
                                                   .addr = 0x18ull << 32 | 0x3e,
                                                   .size = 2,
                                                   .count = 1});

    check(exit->reason == VSDK_EXIT_PIO && exit->address == 0xcfe, "%u at %#llx", exit->reason,
          (unsigned long long)exit->address);
    rig.exit.value = 0x8086;
    expect_done(0x8086);
}

/* All devices were claimed once: naming one costs the guest no more than another port. */
static void naming_a_device(void)
{
    unsigned before = fake.calls, plain;

    request((struct ioreq){
        .type = IOREQ_TYPE_PIO, .dir = IOREQ_WRITE, .addr = 0x100, .size = 4, .count = 1});
    expect_done(0);
    plain = fake.calls - before;
    for (uint64_t slot = 0; slot < 4; slot++) {
        before = fake.calls;
        request((struct ioreq){.type = IOREQ_TYPE_PIO,
                               .dir = IOREQ_WRITE,
                               .addr = 0xcf8,
                               .size = 4,
                               .count = 1,
                               .data = 1u << 31 | slot << 11});
        expect_done(1u << 31 | slot << 11);
        check(fake.calls - before == plain, "%u calls, and %u for another port",
              fake.calls - before, plain);
    }
    check(rig_domain(&rig)->config_claimed && rig_domain(&rig)->config_first == 0 &&
              rig_domain(&rig)->config_last == 0xffff,
          "devices %#llx to %#llx are ours", (unsigned long long)rig_domain(&rig)->config_first,
          (unsigned long long)rig_domain(&rig)->config_last);
}

/* There are no ports above 0xffff, and none to which an access there could be cut. */
static void beyond_the_ports(void)
{
    static const uint64_t ports[] = {0x10000, 0x10100, 0xffff, ~0ull};

    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++) {
        const vsdk_exit *exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                                       .dir = IOREQ_READ,
                                                       .addr = ports[i],
                                                       .size = 2,
                                                       .count = 1,
                                                       .data = 0x55});
        check(exit->reason == VSDK_EXIT_UNKNOWN && exit->native == IOREQ_TYPE_PIO,
              "port %#llx: reason %u", (unsigned long long)ports[i], exit->reason);
        expect_done(0x55);
    }
}

static void internal(void)
{
    for (unsigned type = IOREQ_TYPE_TIMEOFFSET; type <= IOREQ_TYPE_INVALIDATE; type++) {
        fake_request(rig_domain(&rig), 0, (struct ioreq){.type = (uint8_t)type, .data = 77});
        check(rig_run(&rig, 0)->reason == VSDK_EXIT_KICKED, "type %u is told", type);
        check(slot()->state == STATE_IORESP_READY && slot()->data == 77, "type %u", type);
    }
    check(rig.vcpu.internal == 2, "not counted");
}

/* Types and sizes of another Xen are told with their number, and answered. */
static void unknown(void)
{
    const vsdk_exit *exit = request((struct ioreq){.type = 9, .size = 4, .count = 1, .data = 0x55});

    check(exit->reason == VSDK_EXIT_UNKNOWN && exit->native == 9, "reason %u", exit->reason);
    expect_done(0x55);
    exit = request((struct ioreq){.type = IOREQ_TYPE_PIO, .size = 3, .count = 1, .data = 0x55});
    check(exit->reason == VSDK_EXIT_UNKNOWN && exit->detail == (3ull << 32 | 1), "size 3");
    expect_done(0x55);
}

/* What is in the page after the request was taken says nothing. */
static void changed_afterwards(void)
{
    const vsdk_exit *exit = request((struct ioreq){.type = IOREQ_TYPE_PIO,
                                                   .dir = IOREQ_READ,
                                                   .addr = 0x100,
                                                   .size = 4,
                                                   .count = 4,
                                                   .data_is_ptr = 1,
                                                   .data = 0x4000});

    memcpy((void *)(uintptr_t)exit->data, "0123456789abcdef", 16);
    slot()->count = ~0u;
    slot()->size = ~0u;
    slot()->data = ~0ull;
    slot()->type = IOREQ_TYPE_COPY;
    expect_done(0x4000);
    check(memcmp(ram() + 0x4000, "0123456789abcdef", 16) == 0, "in memory");
}

static uint64_t state = 1;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t pick(const uint64_t *from, unsigned count)
{
    return from[next() % count];
}
#define PICK(...)                                                                                  \
    pick((const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static struct ioreq anything(void)
{
    return (struct ioreq){
        .addr = PICK(0, 0xfff, 0xffff, 0xcf8, 0xcfc, 0xf0000000, 1ull << 63, ~0ull, next()),
        .data = PICK(0, 1, RAM_BYTES - 1, RAM_BYTES, 1ull << 63, ~0ull, next()),
        .count = (uint32_t)PICK(0, 1, 1, 2, 512, 513, 4096, 4097, 1u << 31, ~0u, next()),
        .size = (uint32_t)PICK(0, 1, 2, 3, 4, 8, 8, 16, 4096, 1u << 31, ~0u, next()),
        .type = (uint8_t)PICK(0, 0, 1, 1, 2, 7, 8, 255, next()),
        .dir = next() & 1,
        .df = next() & 1,
        .data_is_ptr = next() & 1,
    };
}

/* Looks at all of an exit, and answers it with noise. */
static void use(vsdk_exit *exit)
{
    uint8_t *data = (uint8_t *)(uintptr_t)exit->data;
    size_t bytes = (size_t)exit->count * exit->width;

    if (exit->reason == VSDK_EXIT_UNKNOWN)
        return;
    check(exit->reason == VSDK_EXIT_PIO || exit->reason == VSDK_EXIT_MMIO, "reason %u",
          exit->reason);
    check(exit->width && exit->width <= 8 && !(exit->width & (exit->width - 1)) && exit->count &&
              bytes <= PAGE && (exit->count == 1 || exit->reason == VSDK_EXIT_PIO),
          "%u of %u", exit->count, exit->width);
    check(exit->reason != VSDK_EXIT_PIO || exit->address + exit->width <= 0x10000, "port %#llx",
          (unsigned long long)exit->address);
    check(exit->count > 1 || data == (uint8_t *)&exit->value, "data elsewhere");
    for (size_t i = 0; i < bytes; i++)
        data[i] ^= (uint8_t)next();
}

static void survive(struct ioreq wanted)
{
    int internal_type =
        wanted.type == IOREQ_TYPE_TIMEOFFSET || wanted.type == IOREQ_TYPE_INVALIDATE;

    fake_request(rig_domain(&rig), 0, wanted);
    rig_run(&rig, internal_type ? 0 : PATIENCE_MS);
    for (unsigned i = 0; i < RUNS_MOST && rig.exit.reason != VSDK_EXIT_KICKED; i++) {
        use(&rig.exit);
        answered();
    }
    check(slot()->state == STATE_IORESP_READY, "type %u size %u count %u is not answered",
          wanted.type, wanted.size, wanted.count);
}

static void any_values(void)
{
    for (unsigned i = 0; i < RANDOM_REQUESTS; i++)
        survive(anything());
}

/* A guest that is at its next access as soon as this one is answered. Each run takes one of them at
 * least, and none goes on for ever. */
static void the_deadline_comes_between(void)
{
    rig_domain(&rig)->eager = 1;
    request((struct ioreq){
        .type = IOREQ_TYPE_PIO, .dir = IOREQ_WRITE, .addr = 0x100, .size = 1, .count = 1});
    check(rig.exit.reason == VSDK_EXIT_PIO, "reason %u", rig.exit.reason);
    rig_run(&rig, 0);
    check(rig.exit.reason == VSDK_EXIT_KICKED && rig.exit.detail == VSDK_KICK_DEADLINE, "reason %u",
          rig.exit.reason);
    rig_run(&rig, 0);
    check(rig.exit.reason == VSDK_EXIT_PIO, "reason %u", rig.exit.reason);
    rig_run(&rig, PATIENCE_MS);
    check(rig.exit.reason == VSDK_EXIT_PIO, "reason %u", rig.exit.reason);
    rig_domain(&rig)->eager = 0;
    expect_done(0);
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"ports", ports},
        {"strings of ports", string_ports},
        {"strings at the edge of memory", string_at_the_edge},
        {"elements of a memory access", memory_elements},
        {"configuration accesses are ports again", configuration},
        {"naming a PCI device costs no call", naming_a_device},
        {"ports that are not there", beyond_the_ports},
        {"internal requests", internal},
        {"unknown requests", unknown},
        {"a request that changes afterwards", changed_afterwards},
        {"the deadline comes between accesses", the_deadline_comes_between},
        {"any values", any_values},
    };
    int result = 1;

    rig_init();
    if (rig_begin(&rig))
        result = tap_run(tests, sizeof tests / sizeof *tests, NULL);
    rig_end(&rig);
    return result;
}
