/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that differ from the lab's, and what the backend says of them. */
#include "rig.h"
#include <errno.h>
#include <string.h>

static vsdk_status open_host(struct rig *rig)
{
    vsdk_host_config config = {.size = sizeof config};

    memset(&rig_error, 0, sizeof rig_error);
    return rig_ops->host_open(&rig->host, &config, &rig_error);
}

static void expect_refusal(struct rig *rig, vsdk_status status)
{
    vsdk_status got = open_host(rig);

    check(got == status, "%d instead of %d: %s", got, status, rig_error.message);
    check(rig_error.hint[0], "no hint: %s", rig_error.message);
    check(fake.handles == 0, "%u handles are left", fake.handles);
    tap_note("%s; %s", rig_error.message, rig_error.hint);
}

static void another_version(void)
{
    struct rig rig;

    rig_prepare(&rig);
    fake.version = 4 << 16 | 18;
    expect_refusal(&rig, VSDK_ERROR_VERSION);
    rig_prepare(&rig);
    fake.refused = EACCES;
    expect_refusal(&rig, VSDK_ERROR_VERSION);
}

static void no_privilege(void)
{
    struct rig rig;

    rig_prepare(&rig);
    fake.refused = EPERM;
    expect_refusal(&rig, VSDK_ERROR_PERMISSION);
}

static void no_hardware(void)
{
    struct rig rig;

    rig_prepare(&rig);
    fake.capabilities = XEN_SYSCTL_PHYSCAP_pv;
    expect_refusal(&rig, VSDK_ERROR_UNAVAILABLE);
    rig_prepare(&rig);
    fake.capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_hvm;
    expect_refusal(&rig, VSDK_ERROR_UNAVAILABLE);
}

static int prepare_ram(struct rig *rig)
{
    rig_prepare(rig);
    if (open_host(rig) || rig_ops->vm_create(&rig->vm, &rig_error) ||
        rig_ops->ram_create(&rig->ram, &rig_error)) {
        check(0, "%s", rig_error.message);
        return 0;
    }
    memset(rig->ram.memory, 0x5a, RAM_BYTES);
    return 1;
}

static int is_filled(const struct rig *rig)
{
    const uint8_t *memory = rig->ram.memory;

    for (uint32_t i = 0; i < RAM_BYTES; i++)
        if (memory[i] != 0x5a)
            return 0;
    return 1;
}

/* Mapping fails for the reason that the text has, costs nothing, and works later. */
static void expect_no_map(struct rig *rig, const char *reason)
{
    uint64_t before = fake.free_pages;
    vsdk_status status = rig_ops->vm_map(&rig->vm, &rig->slot, &rig_error);

    check(status && strstr(rig_error.message, reason), "%d: %s", status, rig_error.message);
    check(fake.free_pages == before, "%lld pages are left",
          (long long)before - (long long)fake.free_pages);
    check(is_filled(rig), "the contents are lost");
}

static void expect_map(struct rig *rig)
{
    check(!rig_ops->vm_map(&rig->vm, &rig->slot, &rig_error), "%s", rig_error.message);
    check(is_filled(rig), "the contents are lost");
    check(!rig_ops->vm_unmap(&rig->vm, &rig->slot, &rig_error), "%s", rig_error.message);
    check(is_filled(rig), "the contents are lost");
    rig_end(rig);
    rig_check_nothing_left("in the end");
}

static void little_memory(void)
{
    struct rig rig;
    uint64_t most;

    if (!prepare_ram(&rig))
        return;
    most = fake.free_pages;
    fake.free_pages = RAM_BYTES / 4096 - 1;
    expect_no_map(&rig, "Xen has 3 MiB free, and 4 MiB are wanted");
    fake.free_pages = most;
    fake.promised_pages = most + 1;
    expect_no_map(&rig, "Xen has 0 MiB free, and 4 MiB are wanted");
    fake.promised_pages = 0;
    expect_map(&rig);
}

/* Xen may stop in the middle, and large pages may have run out. */
static void in_small_portions(void)
{
    struct rig rig;

    if (!prepare_ram(&rig))
        return;
    fake.no_large = 1;
    fake.populate_most = 3;
    expect_map(&rig);
}

static void too_high(void)
{
    struct rig rig;

    if (!prepare_ram(&rig))
        return;
    rig.slot.gpa = (uint64_t)FAKE_FRAMES * 4096 - RAM_BYTES / 2;
    expect_no_map(&rig, "no page at 0x100000000");
    rig.slot.gpa = 0;
    expect_map(&rig);
}

static void a_frame_fails(void)
{
    struct rig rig;

    if (!prepare_ram(&rig))
        return;
    fake.bad_frame = 77;
    expect_no_map(&rig, "not mapped");
    fake.bad_frame = 0;
    expect_map(&rig);
}

/* Views are opened in parts, and a later one fails. */
static void a_frame_far_in(void)
{
    enum { BIG = 66 << 20 };
    struct rig rig;
    uint8_t *memory;

    rig_prepare(&rig);
    rig.ram.bytes = rig.slot.length = BIG;
    if (open_host(&rig) || rig_ops->vm_create(&rig.vm, &rig_error) ||
        rig_ops->ram_create(&rig.ram, &rig_error)) {
        check(0, "%s", rig_error.message);
        return;
    }
    memory = rig.ram.memory;
    memory[0] = memory[BIG - 1] = 0x5a;
    fake.bad_frame = BIG / 4096 - 1;
    check(rig_ops->vm_map(&rig.vm, &rig.slot, &rig_error), "mapped");
    check(memory[0] == 0x5a && memory[BIG - 1] == 0x5a, "the contents are lost");
    fake.bad_frame = 0;
    check(!rig_ops->vm_map(&rig.vm, &rig.slot, &rig_error), "%s", rig_error.message);
    check(memory[0] == 0x5a && memory[BIG - 1] == 0x5a, "the contents are lost");
    rig_end(&rig);
    rig_check_nothing_left("in the end");
}

/* The second failure on the way back: the contents are lost, and nothing else. */
static void no_way_back(void)
{
    struct rig rig;

    if (!prepare_ram(&rig))
        return;
    rig.slot.flags = VSDK_MAP_READONLY;
    fake.no_kinds = 1;
    expect_no_map(&rig, "kind of the pages");
    fake.no_mappings = 1;
    check(rig_ops->vm_map(&rig.vm, &rig.slot, &rig_error), "mapped");
    fake.no_mappings = 0;
    memset(rig.ram.memory, 0x5a, RAM_BYTES);
    memset(&rig.slot, 0x5a, sizeof rig.slot); /* the core's again */
    rig_end(&rig);
    rig_check_nothing_left("in the end");
}

/* Event channels are Xen's memory, and a guest can open as many as it may have. */
static void event_channels(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    check(rig_domain(&rig)->ports_most == 1023, "%u event channels", rig_domain(&rig)->ports_most);
    rig_end(&rig);
    rig_check_nothing_left("in the end");
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"another version of Xen or of its interface", another_version},
        {"no privilege", no_privilege},
        {"no HVM guests, no nested paging", no_hardware},
        {"little memory", little_memory},
        {"memory in small portions", in_small_portions},
        {"an address too high for guests", too_high},
        {"a frame that can't be mapped", a_frame_fails},
        {"a frame far in that can't be mapped", a_frame_far_in},
        {"no way back", no_way_back},
        {"a guest has a bounded number of event channels", event_channels},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
