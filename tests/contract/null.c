/* SPDX-License-Identifier: Apache-2.0 */
/* Each public function, called with NULL for each pointer and zero for each number. */
#include "null_calls.h"
#include <criterion/criterion.h>
#include <string.h>

static int is_text(const char *text, size_t room)
{
    return text[0] && memchr(text, 0, room);
}

Test(null, is_refused_with_a_filled_record)
{
    for (size_t i = 0; i < null_calls_count; i++) {
        vsdk_error error;
        int64_t result;

        if (null_calls[i].outcome != NULL_REFUSED)
            continue;
        memset(&error, 0xee, sizeof error);
        result = null_calls[i].call(&error);
        cr_expect_eq(result, VSDK_ERROR_INVALID_ARGUMENT, "%s: %lld", null_calls[i].function,
                     (long long)result);
        cr_expect_eq(error.code, VSDK_ERROR_INVALID_ARGUMENT, "%s", null_calls[i].function);
        cr_expect(is_text(error.operation, sizeof error.operation) &&
                      is_text(error.message, sizeof error.message),
                  "%s: empty record", null_calls[i].function);
        cr_expect(memchr(error.hint, 0, sizeof error.hint), "%s", null_calls[i].function);
        cr_expect_eq(error.os_errno, 0, "%s", null_calls[i].function);
    }
}

Test(null, is_refused_without_a_record)
{
    for (size_t i = 0; i < null_calls_count; i++)
        if (null_calls[i].outcome == NULL_REFUSED)
            cr_expect_eq(null_calls[i].call(NULL), VSDK_ERROR_INVALID_ARGUMENT, "%s",
                         null_calls[i].function);
}

Test(null, does_no_harm_elsewhere)
{
    for (size_t i = 0; i < null_calls_count; i++)
        if (null_calls[i].outcome != NULL_REFUSED)
            (void)null_calls[i].call(NULL);
}

/* What the functions that cannot fail promise for NULL. */
Test(null, gets_the_promised_answer)
{
    cr_assert_str_eq(vsdk_host_backend(NULL), "");
    cr_assert(vsdk_vcpu_record(NULL) == NULL);
    cr_assert(vsdk_x86_vcpu_sync_regs(NULL) == NULL);
    cr_assert(vsdk_x86_vcpu_sync_sregs(NULL) == NULL);
    cr_assert_eq(vsdk_ram_size(NULL), 0);
    cr_assert(vsdk_device_user(NULL, NULL) == NULL);
    cr_assert_eq(vsdk_doorbell_descriptor(NULL), -1);
    cr_assert_eq(vsdk_loop_descriptor(NULL), -1);
    cr_assert_eq(vsdk_vm_clock(NULL), 0);
    cr_assert(vsdk_ram_data(NULL) == NULL);
    cr_assert(vsdk_device_vm(NULL) == NULL);
    cr_assert(vsdk_vm_loop(NULL, NULL) == NULL);
    cr_assert(vsdk_pc_vm(NULL) == NULL);
    cr_assert(vsdk_pc_vcpu(NULL, 0) == NULL);
    cr_assert(vsdk_pc_device(NULL, VSDK_PC_SERIAL) == NULL);
    cr_assert_eq(vsdk_stream_ready(NULL), 0);
    cr_assert_eq(vsdk_stream_descriptor(NULL, NULL), -1);
    cr_assert_eq(vsdk_msi_descriptor(NULL, NULL), -1);
}

Test(null, has_no_references)
{
    cr_assert(vsdk_host_ref(NULL) == NULL);
    cr_assert(vsdk_vm_ref(NULL) == NULL);
    cr_assert(vsdk_vcpu_ref(NULL) == NULL);
    cr_assert(vsdk_ram_ref(NULL) == NULL);
    cr_assert(vsdk_device_ref(NULL) == NULL);
    cr_assert(vsdk_irq_ref(NULL) == NULL);
    cr_assert(vsdk_msi_ref(NULL) == NULL);
    cr_assert(vsdk_doorbell_ref(NULL) == NULL);
    cr_assert(vsdk_loop_ref(NULL) == NULL);
    cr_assert(vsdk_watch_ref(NULL) == NULL);
    cr_assert(vsdk_timer_ref(NULL) == NULL);
    cr_assert(vsdk_work_ref(NULL) == NULL);
    cr_assert(vsdk_stream_ref(NULL) == NULL);
    cr_assert(vsdk_pool_ref(NULL) == NULL);
    cr_assert(vsdk_share_ref(NULL) == NULL);
    cr_assert(vsdk_pc_ref(NULL) == NULL);
}
