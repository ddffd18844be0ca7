/* SPDX-License-Identifier: Apache-2.0 */
/* Stack, descriptor table and page tables: what a processor needs before its first instruction. */
#include "boot/gate.h"

enum { TABLES_PAGES = 6, TABLES_ENTRIES = 512 }; /* one level 4, one level 3, four of level 2 */
enum { PAGE_PRESENT = 1, PAGE_WRITE = 2, PAGE_USER = 4, PAGE_LARGE = 0x80 };

static const uint64_t CODE_32 = 0x00cf9b000000ffff, CODE_64 = 0x00af9b000000ffff;
static const uint64_t DATA = 0x00cf93000000ffff;

static vsdk_status tables_gdt(boot_gate *gate)
{
    static const char what[] = "descriptor table";
    const uint64_t gdt[4] = {0, 0, gate->entry->mode == VSDK_BOOT_LONG ? CODE_64 : CODE_32, DATA};
    vsdk_status status = boot_place(gate, BOOT_GDT, sizeof gdt, what, &gate->entry->gdt);

    return status ? status : boot_write(gate, gate->entry->gdt, gdt, sizeof gdt, what);
}

/* Page `n` of the tables at `base`. */
static void tables_page(uint64_t *page, uint32_t n, uint64_t base)
{
    const uint64_t flags = PAGE_PRESENT | PAGE_WRITE | PAGE_USER;

    for (uint64_t i = 0; i < TABLES_ENTRIES; i++)
        page[i] = n < 2 ? 0 : ((uint64_t)(n - 2) << 30 | i << 21) | flags | PAGE_LARGE;
    if (n == 0)
        page[0] = (base + BOOT_PAGE) | flags;
    for (uint64_t i = 0; n == 1 && i < TABLES_PAGES - 2; i++)
        page[i] = (base + (i + 2) * BOOT_PAGE) | flags;
}

static vsdk_status tables_pages(boot_gate *gate)
{
    static const char what[] = "page tables";
    uint64_t page[TABLES_ENTRIES], base;
    vsdk_status status = boot_place(gate, BOOT_PAGE_TABLES, TABLES_PAGES * BOOT_PAGE, what, &base);

    for (uint32_t n = 0; !status && n < TABLES_PAGES; n++) {
        tables_page(page, n, base);
        status = boot_write(gate, base + n * BOOT_PAGE, page, sizeof page, what);
    }
    gate->entry->page_table = base;
    return status;
}

vsdk_status boot_load_tables(boot_gate *gate)
{
    uint64_t stack = 0;
    vsdk_status status = boot_place(gate, BOOT_STACK, BOOT_PAGE, "stack", &stack);

    gate->entry->rsp = stack + BOOT_PAGE - 16;
    if (!status && gate->entry->mode != VSDK_BOOT_REAL)
        status = tables_gdt(gate);
    if (!status && gate->entry->mode == VSDK_BOOT_LONG)
        status = tables_pages(gate);
    return status;
}
