/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter's way to guest memory: linear addresses, page tables, the TLB, and accesses of
 * any alignment. A change of the map empties the TLB. What is no memory becomes an access for the
 * exit. Every store tells memory that wants to know of its written pages, after it. */
#include "backends/mock/cpu.h"
#include "backends/mock/mock.h"
#include <string.h>

/* Guest memory is shared with other processors and with the embedder, which is no data race of this
 * program: these accesses are what the hardware does, single moves where the size is a register's.
 */
typedef uint16_t __attribute__((aligned(1), may_alias)) any16;
typedef uint32_t __attribute__((aligned(1), may_alias)) any32;
typedef uint64_t __attribute__((aligned(1), may_alias)) any64;

#ifdef __clang__
#define RACY __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define RACY __attribute__((no_sanitize_thread))
#endif

RACY uint64_t guest_load(const void *host, unsigned size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)host;
    case 2:
        return *(const volatile any16 *)host;
    case 4:
        return *(const volatile any32 *)host;
    default:
        return *(const volatile any64 *)host;
    }
}

RACY void guest_store(void *host, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)host = (uint8_t)value;
        break;
    case 2:
        *(volatile any16 *)host = (uint16_t)value;
        break;
    case 4:
        *(volatile any32 *)host = (uint32_t)value;
        break;
    default:
        *(volatile any64 *)host = value;
    }
}

/* After the store: who clears the mark reads what was stored. */
void cpu_wrote(const cpu *c, const uint8_t *host)
{
    if (c->vm->tracked)
        mock_ram_wrote(c->vm, host);
}

/* For naturally aligned operands, which do not cross a page. */
int guest_exchange(void *host, unsigned size, uint64_t expected, uint64_t desired)
{
    uint8_t old1 = (uint8_t)expected;
    uint16_t old2 = (uint16_t)expected;
    uint32_t old4 = (uint32_t)expected;

    switch (size) {
    case 1:
        return __atomic_compare_exchange_n((uint8_t *)host, &old1, (uint8_t)desired, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    case 2:
        return __atomic_compare_exchange_n((uint16_t *)host, &old2, (uint16_t)desired, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    case 4:
        return __atomic_compare_exchange_n((uint32_t *)host, &old4, (uint32_t)desired, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    default:
        return __atomic_compare_exchange_n((uint64_t *)host, &expected, desired, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
}

void cpu_flush(cpu *c)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        c->tlb[i].page = TLB_EMPTY;
}

uint64_t cpu_linear(const cpu *c, unsigned segment, uint64_t offset)
{
    if (c->bits == 64)
        return segment >= S_FS ? c->segment[segment].base + offset : offset;
    return (uint32_t)(c->segment[segment].base + offset);
}

/* Page tables. */

enum { PTE_PRESENT = 1, PTE_WRITE = 2, PTE_USER = 4, PTE_LARGE = 0x80, PHYSICAL_BITS = 48 };
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x0000fffffffff000ull
#define PTE_TOO_HIGH 0x000f000000000000ull

static step page_fault(cpu *c, uint64_t linear, unsigned access, unsigned user, unsigned present)
{
    c->fault.address = linear;
    return cpu_raise_error(c, VECTOR_PF,
                           present | (access & ACCESS_WRITE ? 2 : 0) | (user ? 4 : 0) |
                               ((access & ACCESS_EXECUTE) && (c->efer & EFER_NXE) ? 16 : 0));
}

/* What the page lets the supervisor and CPL 3 do, from the tables' entries combined. */
static uint32_t permissions(const cpu *c, uint64_t all, int nx)
{
    uint32_t allow = ACCESS_READ | ACCESS_WRITE | (nx ? 0 : ACCESS_EXECUTE);
    uint32_t user = all & PTE_USER ? allow : 0;

    if (!(all & PTE_WRITE)) {
        user &= ~(uint32_t)ACCESS_WRITE;
        if (c->cr0 & CR0_WP)
            allow &= ~(uint32_t)ACCESS_WRITE;
    }
    return allow | user << ACCESS_USER_SHIFT;
}

static int canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

/* The guest-physical page of a linear address and its permissions. */
static step walk(cpu *c, uint64_t linear, unsigned access, unsigned user, uint64_t *gpa,
                 uint32_t *allow)
{
    uint64_t table = c->cr3 & PTE_ADDRESS, all = ~0ull, entry = 0;
    int nx = 0;

    for (unsigned shift = 39;; shift -= 9) {
        const uint8_t *host = mock_vm_memory(c->vm, table + (linear >> shift & 511) * 8, 0);

        entry = host ? guest_load(host, 8) : 0;
        if (!(entry & PTE_PRESENT))
            return page_fault(c, linear, access, user, 0);
        if ((entry & PTE_TOO_HIGH) || ((entry & PTE_LARGE) && shift == 39) ||
            ((entry & PTE_NX) && !(c->efer & EFER_NXE)))
            return page_fault(c, linear, access, user, 9);
        all &= entry;
        nx |= entry >> 63;
        table = entry & PTE_ADDRESS;
        if (shift == 12 || (entry & PTE_LARGE)) {
            uint64_t inside = (1ull << shift) - 1;

            *gpa = (table & ~inside) | (linear & inside & ~(uint64_t)(PAGE_BYTES - 1));
            *allow = permissions(c, all, nx);
            return STEP_DONE;
        }
    }
}

typedef struct place {
    uint64_t gpa;
    uint8_t *host; /* NULL: not memory, or not for this access */
} place;

static void remember(cpu *c, uint64_t linear, uint64_t page, uint32_t allow)
{
    tlb_entry *entry = &c->tlb[linear >> 12 & (TLB_ENTRIES - 1)];
    uint8_t *host = mock_vm_memory(c->vm, page, 0);

    if (!host || page == LAPIC_BASE)
        return;
    if (!mock_vm_memory(c->vm, page, 1))
        allow &= ~(uint32_t)(ACCESS_WRITE | ACCESS_WRITE << ACCESS_USER_SHIFT);
    *entry = (tlb_entry){linear >> 12, host, allow};
}

static step translate(cpu *c, uint64_t linear, unsigned access, unsigned user, place *to)
{
    uint64_t page = linear & ~(uint64_t)(PAGE_BYTES - 1);
    uint32_t allow = (ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE) * 9;
    step s = STEP_DONE;

    if (c->cr0 & CR0_PG) {
        if (!canonical(linear))
            return cpu_raise_error(c, VECTOR_GP, 0);
        s = walk(c, linear, access, user, &page, &allow);
        if (s)
            return s;
        unsigned need = user ? access << ACCESS_USER_SHIFT : access;
        if ((allow & need) != need)
            return page_fault(c, linear, access, user, 1);
    }
    remember(c, linear, page, allow);
    to->gpa = page | (linear & (PAGE_BYTES - 1));
    to->host = page == LAPIC_BASE && c->apic.enabled
                   ? NULL
                   : mock_vm_memory(c->vm, to->gpa, access & ACCESS_WRITE);
    return STEP_DONE;
}

uint8_t *cpu_direct(cpu *c, uint64_t linear, unsigned size, unsigned access)
{
    const tlb_entry *entry = &c->tlb[linear >> 12 & (TLB_ENTRIES - 1)];
    uint64_t offset = linear & (PAGE_BYTES - 1);
    unsigned need = c->cpl == 3 ? access << ACCESS_USER_SHIFT : access;

    if (entry->page != linear >> 12 || offset + size > PAGE_BYTES || (entry->allow & need) != need)
        return NULL;
    return entry->host + offset;
}

uint8_t *cpu_reach(cpu *c, uint64_t linear, unsigned size, unsigned access)
{
    place ignored;

    if (!cpu_direct(c, linear, size, access) && translate(c, linear, access, c->cpl == 3, &ignored))
        return NULL;
    return cpu_direct(c, linear, size, access);
}

static int is_lapic(const cpu *c, uint64_t gpa)
{
    return c->apic.enabled && (gpa & ~(uint64_t)(LAPIC_BYTES - 1)) == LAPIC_BASE;
}

static unsigned largest_power(unsigned bytes)
{
    return bytes >= 8 ? 8 : bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1;
}

static step read_part(cpu *c, uint64_t gpa, unsigned width, uint64_t *value)
{
    if (!is_lapic(c, gpa))
        return cpu_outside_read(c, 0, gpa, width, value);
    *value = lapic_read(c, (uint32_t)gpa & (LAPIC_BYTES - 1));
    return STEP_DONE;
}

static step write_part(cpu *c, uint64_t gpa, unsigned width, uint64_t value)
{
    if (!is_lapic(c, gpa))
        return cpu_outside_write(c, 0, gpa, width, value);
    lapic_write(c, (uint32_t)gpa & (LAPIC_BYTES - 1), (uint32_t)value);
    return STEP_DONE;
}

static uint64_t low_bytes(uint64_t value, unsigned bytes)
{
    return bytes >= 8 ? value : value & ((1ull << 8 * bytes) - 1);
}

/* `bytes` at one place, in parts of 8, 4, 2 and 1. */
static step read_place(cpu *c, place from, unsigned bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned done = 0; done < bytes;) {
        unsigned width = largest_power(bytes - done);
        uint64_t part;
        step s = STEP_DONE;

        if (from.host)
            part = guest_load(from.host + done, width);
        else
            s = read_part(c, from.gpa + done, width, &part);
        if (s)
            return s;
        *value |= low_bytes(part, width) << 8 * done;
        done += width;
    }
    return STEP_DONE;
}

static step write_place(cpu *c, place to, unsigned bytes, uint64_t value)
{
    for (unsigned done = 0; done < bytes;) {
        unsigned width = largest_power(bytes - done);
        uint64_t part = low_bytes(value >> 8 * done, width);
        step s = STEP_DONE;

        if (to.host) {
            guest_store(to.host + done, width, part);
            cpu_wrote(c, to.host);
        } else {
            s = write_part(c, to.gpa + done, width, part);
        }
        if (s)
            return s;
        done += width;
    }
    return STEP_DONE;
}

/* The one or two places that [linear, linear + size) lies in; `first` is the bytes in places[0]. */
static step locate(cpu *c, uint64_t linear, unsigned size, unsigned access, place places[2],
                   unsigned *first)
{
    unsigned left = PAGE_BYTES - (unsigned)(linear & (PAGE_BYTES - 1));
    step s = translate(c, linear, access, c->cpl == 3, &places[0]);

    *first = size < left ? size : left;
    if (s || size <= left)
        return s;
    uint64_t next = linear + left;
    return translate(c, c->bits == 64 ? next : (uint32_t)next, access, c->cpl == 3, &places[1]);
}

static step read_slow(cpu *c, uint64_t linear, unsigned size, unsigned access, uint64_t *value)
{
    place places[2];
    unsigned first;
    uint64_t rest = 0;
    step s = locate(c, linear, size, access, places, &first);

    if (!s)
        s = read_place(c, places[0], first, value);
    if (s || first == size)
        return s;
    s = read_place(c, places[1], size - first, &rest);
    *value |= rest << 8 * first;
    return s;
}

static step write_slow(cpu *c, uint64_t linear, unsigned size, uint64_t value)
{
    place places[2];
    unsigned first;
    step s = locate(c, linear, size, ACCESS_WRITE, places, &first);

    if (!s)
        s = write_place(c, places[0], first, value);
    if (s || first == size)
        return s;
    return write_place(c, places[1], size - first, value >> 8 * first);
}

step cpu_read(cpu *c, uint64_t linear, unsigned size, unsigned access, uint64_t *value)
{
    const uint8_t *host = cpu_direct(c, linear, size, access);

    if (!host)
        return read_slow(c, linear, size, access, value);
    *value = guest_load(host, size);
    return STEP_DONE;
}

step cpu_write(cpu *c, uint64_t linear, unsigned size, uint64_t value)
{
    uint8_t *host = cpu_direct(c, linear, size, ACCESS_WRITE);

    if (!host)
        return write_slow(c, linear, size, value);
    guest_store(host, size, value);
    cpu_wrote(c, host);
    return STEP_DONE;
}

static step system_place(cpu *c, uint64_t linear, unsigned access, place *at)
{
    step s = translate(c, linear, access, 0, at);

    if (!s && !at->host)
        return cpu_raise_error(c, VECTOR_GP, 0);
    return s;
}

step cpu_system_read(cpu *c, uint64_t linear, unsigned size, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        place at = {0};
        step s = system_place(c, linear + i, ACCESS_READ, &at);

        if (s)
            return s;
        *value |= guest_load(at.host, 1) << 8 * i;
    }
    return STEP_DONE;
}

step cpu_system_write(cpu *c, uint64_t linear, unsigned size, uint64_t value)
{
    place at;
    step s = system_place(c, linear + size - 1, ACCESS_WRITE, &at);

    for (unsigned i = 0; i < size && !s; i++) {
        s = system_place(c, linear + i, ACCESS_WRITE, &at);
        if (s)
            break;
        guest_store(at.host, 1, value >> 8 * i);
        cpu_wrote(c, at.host);
    }
    return s;
}

/* Code. */

static RACY void copy_code(uint8_t *to, const uint8_t *from, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = ((const volatile uint8_t *)from)[i];
}

static int still_there(const decoded *entry, const uint8_t *host)
{
    return (guest_load(host, 8) & entry->mask[0]) == entry->bytes[0] &&
           (guest_load(host + 8, 8) & entry->mask[1]) == entry->bytes[1];
}

static step decode_failed(cpu *c, int why)
{
    return why == DECODE_LONG ? cpu_raise_error(c, VECTOR_GP, 0) : cpu_unknown_code(c);
}

static void keep(decoded *entry, uint64_t linear, uint32_t bits, const uint8_t *bytes)
{
    unsigned length = entry->in.length;

    entry->linear = linear;
    entry->bits = bits;
    entry->mask[0] = length >= 8 ? ~0ull : (1ull << 8 * length) - 1;
    entry->mask[1] = length <= 8 ? 0 : (1ull << 8 * (length - 8)) - 1;
    memcpy(entry->bytes, bytes, 16);
    entry->bytes[0] &= entry->mask[0];
    entry->bytes[1] &= entry->mask[1];
}

static step decode_into(cpu *c, decoded *entry, uint64_t linear, const uint8_t *host,
                        const insn **in)
{
    uint8_t bytes[16];

    copy_code(bytes, host, sizeof bytes);
    entry->linear = TLB_EMPTY;
    int length = cpu_decode(bytes, INSN_MOST, c->bits, &entry->in);
    if (length <= 0)
        return decode_failed(c, length);
    keep(entry, linear, c->bits, bytes);
    *in = &entry->in;
    return STEP_DONE;
}

/* Near the end of a page: byte by byte, so that only bytes of the instruction are asked for. */
static step fetch_across(cpu *c, uint64_t linear, const insn **in)
{
    uint8_t bytes[16] = {0};

    for (unsigned have = 0; have < INSN_MOST;) {
        place at = {0};
        uint64_t next = c->bits == 64 ? linear + have : (uint32_t)(linear + have);
        step s = translate(c, next, ACCESS_EXECUTE, c->cpl == 3, &at);

        if (s)
            return s;
        if (!at.host)
            return cpu_give_up(c, UNKNOWN_FETCH, at.gpa);
        bytes[have++] = (uint8_t)guest_load(at.host, 1);
        int length = cpu_decode(bytes, have, c->bits, &c->scratch);
        if (length > 0) {
            *in = &c->scratch;
            return STEP_DONE;
        }
        if (length == DECODE_UNKNOWN)
            return decode_failed(c, length);
    }
    return decode_failed(c, DECODE_LONG);
}

step cpu_fetch(cpu *c, const insn **in)
{
    uint64_t linear = cpu_linear(c, S_CS, c->r[R_IP]);
    decoded *entry = &c->cache[(linear ^ linear >> 8) & (DECODED_ENTRIES - 1)];
    const uint8_t *host = cpu_direct(c, linear, 16, ACCESS_EXECUTE);

    if (!host)
        return fetch_across(c, linear, in);
    if (entry->linear == linear && entry->bits == c->bits && still_there(entry, host)) {
        *in = &entry->in;
        return STEP_DONE;
    }
    return decode_into(c, entry, linear, host, in);
}
