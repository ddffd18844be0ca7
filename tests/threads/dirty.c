/* SPDX-License-Identifier: Apache-2.0 */
/* No written page is lost while others harvest.
 *
 * Writers: the guest, a device, a pin, the embedder by vsdk_vm_write, and one that writes by the
 * pointer and says so. Each but the guest counts a write of a page before it makes it; the
 * harvester reads that count when a page is told. If the last time was before the last write was
 * begun, this write was lost. Of the guest's pages the harvester keeps a copy, which is their
 * contents in the end. */
#include "rig.h"
#include <string.h>

enum {
    PAGE = 4096,
    GUESTS = 96, /* pages of the guest's own, then those of the others */
    PAGES = GUESTS + 2 * 64 + 5,
    STORES = 4096,
    LIST = RESULT
};
#define AT UINT64_C(0x40000000)

static const struct sizes rounds = {
    .plain = {20000, 20000, 20000, 5000, 5000},
    .sanitized = {4000, 4000, 4000, 1000, 1000},
};

static vsdk_ram *ram;
static vsdk_vm *vm;
static vsdk_device *device;
static volatile uint64_t *memory;
static _Atomic uint32_t begun[PAGES];
static uint32_t seen[PAGES];
static uint64_t copy[GUESTS * PAGE / 8];
static _Atomic uint32_t writers, lists;

/* Page and number of the next write of a writer. */
static uint32_t draw(uint32_t *seed, uint32_t *pages)
{
    uint32_t page = GUESTS + rig_random(seed, PAGES - GUESTS);

    *pages = 1 + rig_random(seed, PAGES - page < 3 ? PAGES - page : 3);
    for (uint32_t i = 0; i < *pages; i++)
        atomic_fetch_add(&begun[page + i], 1);
    return page;
}

/* Bytes of a page that are one writer's: copies of two would be a race of this program. */
enum { OF_EMBEDDER = 0, OF_DEVICE = 64, BYTES = 64 };
static const uint8_t nothing[BYTES];

static void by_embedder(uint32_t page, uint32_t pages)
{
    for (uint32_t i = page; i < page + pages; i++)
        must(vsdk_vm_write(vm, AT + i * PAGE + OF_EMBEDDER, nothing, BYTES, E));
}

static void by_device(uint32_t page, uint32_t pages)
{
    for (uint32_t i = page; i < page + pages; i++)
        must(vsdk_dma_write(device, AT + i * PAGE + OF_DEVICE, nothing, BYTES, E));
}

static void by_pin(uint32_t page, uint32_t pages)
{
    vsdk_dma_view view = {.size = sizeof view};

    must(vsdk_dma_map(device, AT + page * PAGE, pages * PAGE, VSDK_DMA_TO_GUEST, &view, E));
    vsdk_dma_unmap(&view);
}

static void by_pointer(uint32_t page, uint32_t pages)
{
    must(vsdk_ram_mark_dirty(ram, page * PAGE, pages * PAGE, E));
}

struct writer {
    void (*write)(uint32_t page, uint32_t pages);
    uint32_t stream;
    pthread_t thread;
};

static void *write_all(void *argument)
{
    const struct writer *writer = argument;
    uint32_t seed = rig_seed(writer->stream), pages;

    for (uint32_t i = 0; i < rig_size(&rounds); i++) {
        uint32_t page = draw(&seed, &pages);
        writer->write(page, pages);
    }
    atomic_fetch_sub(&writers, 1);
    return NULL;
}

static void told(uint32_t page)
{
    if (page >= GUESTS) {
        seen[page] = atomic_load(&begun[page]);
        return;
    }
    for (uint32_t i = page * PAGE / 8; i < (page + 1) * PAGE / 8; i++)
        copy[i] = memory[i];
}

static void harvest(uint32_t capacity)
{
    vsdk_ram_range ranges[64];
    uint64_t cursor = 0;
    uint32_t count;

    do {
        must(vsdk_ram_get_dirty(ram, 0, &cursor, ranges, capacity, &count, E));
        for (uint32_t i = 0; i < count; i++)
            for (uint64_t at = 0; at < ranges[i].length; at += PAGE)
                told((uint32_t)((ranges[i].offset + at) / PAGE));
    } while (cursor < PAGES * PAGE);
}

/* The guest asks for the number of stores, and gets it for ever. */
static void answer_number(struct runner *runner, vsdk_exit *exit)
{
    exit->value = STORES;
    atomic_fetch_add(&lists, 1);
}

static void fill_list(uint8_t *to)
{
    uint32_t seed = rig_seed(99);

    for (uint32_t i = 0; i < STORES; i++) {
        uint32_t offset = rig_random(&seed, GUESTS * PAGE / 8) * 8;
        memcpy(to + 4 * i, &offset, 4);
    }
}

static void start_guest(struct rig *rig)
{
    vsdk_x86_regs regs;

    must(vsdk_vcpu_get_state(rig->vcpus[0], VSDK_X86_REGS, &regs, sizeof regs, E));
    regs.rbx = AT;
    regs.rdi = LIST;
    regs.r8 = 0x4242424242424242;
    must(vsdk_vcpu_set_state(rig->vcpus[0], VSDK_X86_REGS, &regs, sizeof regs, E));
    fill_list(rig->memory + LIST);
    must(vsdk_vm_resume(vm, E));
}

static void make(struct rig *rig, vsdk_host *host)
{
    const vsdk_ram_config config = {.size = sizeof config, .flags = VSDK_RAM_TRACKED};
    const vsdk_device_ops ops = {.size = sizeof ops};

    rig_make(rig, host, 1, &guest_store_list, 1);
    vm = rig->vm;
    must(vsdk_ram_create(vm, PAGES * PAGE, &config, &ram, E));
    memory = vsdk_ram_data(ram);
    must(vsdk_vm_map(vm, AT, ram, 0, PAGES * PAGE, 0, E));
    must(vsdk_device_create(vm, &ops, NULL, NULL, &device, E));
    must(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x7000, 1, 0, E));
    start_guest(rig);
}

static void compare(void)
{
    uint32_t lost = 0;

    for (uint32_t page = GUESTS; page < PAGES; page++)
        lost += seen[page] != atomic_load(&begun[page]);
    check(lost == 0, "%u pages whose last write was lost", lost);
    lost = 0;
    for (uint32_t i = 0; i < GUESTS * PAGE / 8; i++)
        lost += copy[i] != memory[i];
    check(lost == 0, "%u words of the guest's that were lost", lost);
}

static void writers_and_a_harvester(void)
{
    struct writer all[] = {{.write = by_embedder, .stream = 1},
                           {.write = by_device, .stream = 2},
                           {.write = by_pin, .stream = 3},
                           {.write = by_pointer, .stream = 4}};
    vsdk_host *host = rig_host();
    struct rig rig;
    uint32_t harvests = 0;

    if (!rig_can(host, VSDK_CAPABILITY_DIRTY)) {
        vsdk_host_close(host);
        tap_skip("no written pages are tracked here");
        return;
    }
    make(&rig, host);
    struct runner runner = {.vcpu = rig.vcpus[0], .on_exit = answer_number};
    atomic_store(&writers, 4);
    runner_start(&runner);
    for (unsigned i = 0; i < 4; i++)
        thread_start(&all[i].thread, write_all, &all[i]);
    while (atomic_load(&writers) || atomic_load(&lists) < 2) {
        harvest(1 + harvests % 64);
        harvests++;
    }
    for (unsigned i = 0; i < 4; i++)
        thread_join(all[i].thread);
    runner_stop(&runner);
    must(vsdk_vm_pause(vm, 0, VSDK_FOREVER, E));
    harvest(64);
    compare();
    tap_note("%u harvests, %u lists of %u stores", harvests, atomic_load(&lists), STORES);
    vsdk_device_close(device);
    vsdk_ram_close(ram);
    rig_end(&rig);
    vsdk_host_close(host);
}

int main(int argc, char **argv)
{
    static const struct tap_test tests[] = {
        {"writers of each kind and a harvester", writers_and_a_harvester},
    };

    return tap_run(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
