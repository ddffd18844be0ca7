/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that give pages away and take them again, under this process's views of their memory; and
 * pages that Xen keeps when they are to be taken from a guest. */
#include "rig.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/sched.h>

enum { PAGE = 4096, FRAME = 100 };

static uint8_t *page_of(const struct rig *rig, unsigned frame)
{
    return (uint8_t *)rig->ram.memory + (size_t)frame * PAGE;
}

/* What the guest has there. */
static uint8_t guest_byte(const struct rig *rig, unsigned frame)
{
    uint8_t byte = 0;

    check(pread(rig_domain(rig)->memory, &byte, 1, (off_t)frame * PAGE) == 1, "pread");
    return byte;
}

static void guest_writes(const struct rig *rig, unsigned frame, uint8_t byte)
{
    check(pwrite(rig_domain(rig)->memory, &byte, 1, (off_t)frame * PAGE) == 1, "pwrite");
}

static void invalidate(struct rig *rig)
{
    fake_request(rig_domain(rig), 0,
                 (struct ioreq){.type = IOREQ_TYPE_INVALIDATE, .size = 4, .data = ~0ull});
    rig->vcpu.requests = REQUEST_KICK;
    check(rig_run(rig, PATIENCE_MS)->reason == VSDK_EXIT_KICKED, "reason %u", rig->exit.reason);
    rig->vcpu.requests = 0;
    check(rig_domain(rig)->requests[0].state == STATE_IORESP_READY, "not answered");
}

/* The moment at which views follow. */
static void pause_and_resume(struct rig *rig)
{
    check(!rig_ops->vm_pause(&rig->vm, &rig_error), "%s", rig_error.message);
    rig_ops->vm_settled(&rig->vm);
    check(!rig_ops->vm_resume(&rig->vm, &rig_error), "%s", rig_error.message);
}

static void end(struct rig *rig)
{
    rig_end(rig);
    rig_check_nothing_left("in the end");
}

static void given_away_and_taken_again(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    memset(page_of(&rig, FRAME - 1), 0x11, 4 * PAGE);
    fake_give(rig_domain(&rig), FRAME, 2);
    invalidate(&rig);
    *page_of(&rig, FRAME) = 1; /* does no harm */
    pause_and_resume(&rig);
    check(*page_of(&rig, FRAME) == 0 && page_of(&rig, FRAME + 1)[PAGE - 1] == 0, "old contents");
    check(page_of(&rig, FRAME)[-1] == 0x11 && *page_of(&rig, FRAME + 2) == 0x11, "neighbours");
    guest_writes(&rig, FRAME, 0x99);
    *page_of(&rig, FRAME) = 0x22;
    check(guest_byte(&rig, FRAME) == 0x99, "a page that is not the guest's was written");
    *page_of(&rig, FRAME + 2) = 0x23;
    check(guest_byte(&rig, FRAME + 2) == 0x23, "a neighbour is not the guest's any more");
    fake_take(rig_domain(&rig), FRAME, 1);
    guest_writes(&rig, FRAME, 0x33);
    invalidate(&rig);
    pause_and_resume(&rig);
    check(*page_of(&rig, FRAME) == 0x33, "%x", *page_of(&rig, FRAME));
    *page_of(&rig, FRAME) = 0x34;
    check(guest_byte(&rig, FRAME) == 0x34, "not the guest's page");
    check(*page_of(&rig, FRAME + 1) == 0, "the other one");
    end(&rig);
}

static unsigned mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    unsigned count = 0;
    int byte;

    while (file && (byte = getc(file)) != EOF)
        count += byte == '\n';
    if (file)
        fclose(file);
    return count;
}

/* Again and again: no more of the process's mappings each time. */
static void again_and_again(void)
{
    struct rig rig;
    unsigned before;

    if (!rig_begin(&rig))
        return;
    before = mappings();
    for (unsigned i = 0; i < 1100; i++) {
        fake_give(rig_domain(&rig), FRAME, 2);
        fake_give(rig_domain(&rig), FRAME + 4, 1);
        invalidate(&rig);
        pause_and_resume(&rig);
        fake_take(rig_domain(&rig), FRAME, 2);
        fake_take(rig_domain(&rig), FRAME + 4, 1);
        pause_and_resume(&rig);
    }
    check(mappings() <= before + 2, "%u mappings, and %u before", mappings(), before);
    guest_writes(&rig, FRAME, 0x66);
    check(*page_of(&rig, FRAME) == 0x66 && !rig_log[0], "it does not follow any more: %s", rig_log);
    end(&rig);
}

/* A guest can't use up the mappings of the process. */
static void in_many_places(void)
{
    struct rig rig;
    backend_ram big;
    backend_slot slot;
    unsigned before;

    if (!rig_begin(&rig))
        return;
    big = (backend_ram){.vm = &rig.vm, .bytes = 32 << 20};
    slot = (backend_slot){.ram = &big, .gpa = 16 << 20, .length = big.bytes};
    check(!rig_ops->ram_create(&big, &rig_error) && !rig_ops->vm_map(&rig.vm, &slot, &rig_error),
          "%s", rig_error.message);
    before = mappings();
    for (unsigned i = 0; i < slot.length / PAGE; i += 2)
        fake_give(rig_domain(&rig), slot.gpa / PAGE + i, 1);
    rig_log[0] = 0;
    invalidate(&rig);
    pause_and_resume(&rig);
    check(mappings() < before + 2500, "%u mappings, and %u before", mappings(), before);
    check(strstr(rig_log, "too many places"), "log: %s", rig_log);
    rig_log[0] = 0;
    invalidate(&rig);
    pause_and_resume(&rig);
    check(!rig_log[0], "told twice: %s", rig_log);
    /* A reset gives them all back. */
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
    check(mappings() <= before + 2, "%u mappings, and %u before", mappings(), before);
    for (unsigned i = 0; i < slot.length / PAGE; i++) {
        ((uint8_t *)big.memory)[(size_t)i * PAGE] = (uint8_t)(i | 1);
        if (guest_byte(&rig, (unsigned)(slot.gpa / PAGE) + i) != (uint8_t)(i | 1)) {
            check(0, "page %u is not the guest's", i);
            break;
        }
    }
    check(!rig_ops->vm_unmap(&rig.vm, &slot, &rig_error), "%s", rig_error.message);
    rig_ops->ram_free(&big);
    end(&rig);
}

static void refilled_by_a_reset(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    memset(page_of(&rig, FRAME - 1), 0x11, 4 * PAGE);
    fake_give(rig_domain(&rig), FRAME, 2);
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
    check(rig_domain(&rig)->populated[FRAME] && rig_domain(&rig)->populated[FRAME + 1], "missing");
    check(*page_of(&rig, FRAME) == 0 && *page_of(&rig, FRAME + 2) == 0x11, "contents");
    *page_of(&rig, FRAME) = 0x44;
    check(guest_byte(&rig, FRAME) == 0x44, "not the guest's page");
    end(&rig);
}

/* The slot lives on, the guest does not, and a later try succeeds. */
static void kept_by_xen(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    *page_of(&rig, FRAME) = 0x55;
    fake.kept_frame = FRAME;
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(rig_ops->vm_unmap(&rig.vm, &rig.slot, &rig_error) == VSDK_ERROR_SYSTEM, "no error");
    check(strstr(rig_error.message, "4 KiB"), "%s", rig_error.message);
    check(rig.slot.data != NULL, "the slot is forgotten");
    check(rig_domain(&rig)->shut && rig_domain(&rig)->code == SHUTDOWN_crash, "it goes on");
    check(*page_of(&rig, FRAME) == 0x55, "the contents are lost");
    *page_of(&rig, FRAME) = 0x56;
    check(guest_byte(&rig, FRAME) == 0x55, "still the guest's page");
    rig_ops->vm_resume(&rig.vm, &rig_error);
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_CRASH, "reason %u", rig.exit.reason);
    fake.kept_frame = 0;
    check(!rig_ops->vm_unmap(&rig.vm, &rig.slot, &rig_error), "%s", rig_error.message);
    check(!rig.slot.data && *page_of(&rig, FRAME) == 0x56, "contents");
    end(&rig);
}

/* Until the domain's end, if there is no other try. */
static void kept_to_the_end(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    fake.kept_frame = FRAME;
    check(rig_ops->vm_unmap(&rig.vm, &rig.slot, &rig_error) == VSDK_ERROR_SYSTEM, "no error");
    check(rig.slot.data != NULL, "the slot is forgotten");
    end(&rig);
}

/* A map that fails, and can't be taken back. */
static void kept_after_a_failed_map(void)
{
    struct rig rig;

    if (!rig_begin(&rig) || rig_ops->ram_create(&rig.rom, &rig_error))
        return;
    *(uint8_t *)rig.rom.memory = 0x77;
    fake.no_kinds = 1;
    fake.kept_frame = ROM_AT / PAGE + 1;
    check(rig_ops->vm_map(&rig.vm, &rig.rom_slot, &rig_error) == VSDK_ERROR_SYSTEM, "no error");
    check(rig.rom_slot.data != NULL, "the slot is forgotten");
    check(rig_domain(&rig)->shut, "it goes on");
    check(*(uint8_t *)rig.rom.memory == 0x77, "the contents are lost");
    fake.kept_frame = 0;
    check(!rig_ops->vm_unmap(&rig.vm, &rig.rom_slot, &rig_error) && !rig.rom_slot.data, "%s",
          rig_error.message);
    fake.no_kinds = 0;
    check(!rig_ops->vm_map(&rig.vm, &rig.rom_slot, &rig_error), "%s", rig_error.message);
    check(*(uint8_t *)rig.rom.memory == 0x77, "the contents are lost");
    end(&rig);
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"given away and taken again", given_away_and_taken_again},
        {"given away again and again", again_and_again},
        {"given away in many places", in_many_places},
        {"refilled by a reset", refilled_by_a_reset},
        {"an unmap of what Xen keeps", kept_by_xen},
        {"kept until the end", kept_to_the_end},
        {"a failed map of what Xen keeps", kept_after_a_failed_map},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
