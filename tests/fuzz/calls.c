/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"
#include "../generated/api_table.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { NAME_MOST = 64, LATE = 195 };

struct calls calls;

uint8_t take8(void)
{
    if (!calls.left)
        return 0;
    calls.left--;
    return *calls.bytes++;
}

uint64_t take_number(void)
{
    uint8_t byte = take8();

    if (byte < 0x80)
        return byte;
    uint64_t power = 1ull << (byte & 63);
    return byte & 0x40 ? power - 1 : power + (take8() & 1) * 0x1000;
}

uint64_t take_address(void)
{
    static const uint64_t known[] = {0,       0x1000,   0x5000,     0x8000,
                                     0x10000, 0x100000, 0xfec00000, 0xfee00000};
    uint8_t byte = take8();

    return byte < 0xf0 ? known[byte & 7] + (byte >> 3 & 3) * 0x1000 : take_number();
}

void demand(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s (%s: %s: %s)\n", what, vsdk_status_name(calls.error.code),
            calls.error.operation, calls.error.message);
    abort();
}

void *promise(void)
{
    return calls.promised < PROMISES ? &calls.released[calls.promised++] : NULL;
}

void on_release(void *user)
{
    ++*(uint8_t *)user;
}

static const struct api_function *find(const char *name)
{
    for (size_t i = 0; i < sizeof api_functions / sizeof *api_functions; i++)
        if (strcmp(api_functions[i].name, name) == 0)
            return &api_functions[i];
    return NULL;
}

static int is_documented(const char *function, vsdk_status status)
{
    const struct api_function *known = find(function);
    const char *lower = vsdk_status_name(status);
    char name[NAME_MOST] = "";

    for (size_t i = 0; lower[i] && i < sizeof name - 1; i++)
        name[i] = (char)toupper((unsigned char)lower[i]);
    return known && strstr(known->errors, name) != NULL;
}

vsdk_status check_status(const char *function, vsdk_status status, const vsdk_error *error)
{
    if (status == VSDK_OK)
        return status;
    calls.error = *error;
    demand(error->code == status && error->operation[0] && error->message[0], function);
    demand(memchr(error->message, 0, sizeof error->message) != NULL, function);
    demand(is_documented(function, status), function);
    return status;
}

/* Bytes from LATE on choose among the operations that came later. */
static const struct calls_op *choose(uint8_t byte)
{
    if (byte >= LATE)
        return &calls_late_ops[(byte - LATE) % calls_late_count];

    unsigned index = byte % (calls_machine_count + calls_part_count);

    return index < calls_machine_count ? &calls_machine_ops[index]
                                       : &calls_part_ops[index - calls_machine_count];
}

static void step(void)
{
    const struct calls_op *op = choose(take8());

    if (calls.ops++ < OPS_MOST && (op->nests || !calls.depth))
        op->run();
}

void nest(void)
{
    if (calls.threads || calls.depth >= DEPTH_MOST || !calls.left)
        return;
    calls.depth++;
    if (take8() & 3)
        step();
    calls.depth--;
}

static void close_kind(unsigned kind, unsigned i)
{
    switch (kind) {
    case 0:
        vsdk_host_close(calls.hosts[i]);
        break;
    case 1:
        vsdk_vm_close(calls.vms[i]);
        break;
    case 2:
        vsdk_vcpu_close(calls.vcpus[i]);
        break;
    case 3:
        vsdk_ram_close(calls.rams[i]);
        break;
    case 4:
        vsdk_device_close(calls.devices[i]);
        break;
    case 5:
        vsdk_irq_close(calls.irqs[i]);
        break;
    case 6:
        vsdk_doorbell_close(calls.doorbells[i]);
        break;
    case 7:
        vsdk_watch_close(calls.watches[i]);
        break;
    case 8:
        vsdk_timer_close(calls.timers[i]);
        break;
    case 9:
        vsdk_dma_unmap(&calls.views[i]);
        break;
    case 10:
        vsdk_work_close(calls.works[i]);
        break;
    case 11:
        vsdk_msi_close(calls.msis[i]);
        break;
    case 12:
        vsdk_stream_close(calls.streams[2 * i]);
        break;
    case 13:
        vsdk_stream_close(calls.streams[2 * i + 1]);
        break;
    default:
        vsdk_loop_close(calls.loops[i]);
        break;
    }
}

/* In an order that the input chooses. Then every release has come once. */
static void close_all(void)
{
    enum { KINDS = 15 };
    static const unsigned paces[] = {1, 2, 4, 7, 8, 11, 13, 14}; /* have no factor in common */
    unsigned first = take8() % KINDS, pace = paces[take8() % 8];

    calls.left = 0;
    calls_settle();
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < FEW; i++)
            close_kind((first + kind * pace) % KINDS, i);
    for (uint32_t i = 0; i < calls.promised; i++)
        demand(calls.released[i] == 1, "each release comes once");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    memset(&calls, 0, sizeof calls);
    calls.bytes = bytes;
    calls.left = length;
    calls.backend = take8() & 1 ? "mock" : "mock-autonomous";
    demand(vsdk_host_open(calls.backend, NULL, &calls.hosts[0], E) == VSDK_OK, "a mock opens");
    while (calls.left && calls.ops < OPS_MOST)
        step();
    close_all();
    return 0;
}
