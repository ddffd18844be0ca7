/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: opening, capabilities, CPUID, orphans. */
#include "../generated/api_table.h"
#include "common.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static vsdk_status open_with(const char *backend, const vsdk_host_config *config)
{
    vsdk_host *host = (vsdk_host *)1;
    vsdk_status status = vsdk_host_open(backend, config, &host, E);

    if (status != VSDK_OK)
        cr_assert(host == NULL, "the output of a failed open is not NULL");
    vsdk_host_close(status == VSDK_OK ? host : NULL);
    return status;
}

Test(host, is_opened_by_name)
{
    vsdk_host *host = open_host();

    cr_assert_str_eq(vsdk_host_backend(host), test_backend());
    vsdk_host_close(host);
}

Test(host, names_of_backends_are_listed_and_end)
{
    const char *const expected[] = {"kvm", "xen", "mock", "mock-autonomous"};
    uint32_t i;

    for (i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_assert_str_eq(vsdk_backend_at(i), expected[i]);
    cr_assert(vsdk_backend_at(i) == NULL);
    cr_assert(vsdk_backend_at(UINT32_MAX) == NULL);
}

Test(host, unknown_name_is_not_found)
{
    fails(NOT_FOUND, open_with("no-such-backend", NULL));
    fails(NOT_FOUND, open_with("", NULL));
}

Test(host, without_a_name_is_a_hypervisor_or_tells_why_not)
{
    vsdk_host *host = NULL;

    if (vsdk_host_open(NULL, NULL, &host, E) == VSDK_OK) {
        cr_assert(strncmp(vsdk_host_backend(host), "mock", 4) != 0);
        vsdk_host_close(host);
        return;
    }
    cr_assert_eq(test_error.code, VSDK_ERROR_UNAVAILABLE);
    cr_assert(strstr(test_error.message, "kvm") && strstr(test_error.message, "xen"), "%s",
              test_error.message);
}

/* No place has both. */
Test(host, absent_hypervisor_is_unavailable)
{
    const char *absent = strcmp(test_backend(), "xen") == 0 ? "kvm" : "xen";

    fails(UNAVAILABLE, open_with(absent, NULL));
    cr_assert(test_error.hint[0], "no hint");
}

Test(host, absent_module_is_unavailable)
{
    vsdk_host_config config = {.size = sizeof config, .module_directory = "/nonexistent"};

    fails(UNAVAILABLE, open_with("xen", &config));
    fails(UNAVAILABLE, open_with("mock", &config));
    cr_assert(strstr(test_error.message, "/nonexistent/mock.so"), "%s", test_error.message);
    cr_assert(test_error.hint[0], "no hint");
}

/* The mocks need no privilege; the others say what would help. */
Test(host, without_privilege)
{
    int hypervisor = strncmp(test_backend(), "mock", 4) != 0;

    cr_assert(geteuid() != 0 || seteuid(65534) == 0);
    if (hypervisor) {
        fails(PERMISSION, open_with(test_backend(), NULL));
        cr_assert(test_error.hint[0], "no hint");
    } else {
        ok(open_with(test_backend(), NULL));
    }
}

Test(host, configuration_is_checked)
{
    vsdk_host_config config = {.size = sizeof config};

    ok(open_with(test_backend(), &config));
    config.size = 4;
    fails(INVALID_ARGUMENT, open_with(test_backend(), &config));
    config.size = sizeof config;
    config.flags = 0x80000000;
    fails(INVALID_ARGUMENT, open_with(test_backend(), &config));
    config.flags = 0;
    config.kick_signal = SIGUSR1;
    fails(INVALID_ARGUMENT, open_with(test_backend(), &config));
    config.kick_signal = 4711;
    fails(INVALID_ARGUMENT, open_with(test_backend(), &config));
    config.kick_signal = (uint32_t)SIGRTMIN + 3;
    ok(open_with(test_backend(), &config));
}

Test(host, later_field_is_unsupported)
{
    struct {
        vsdk_host_config config;
        uint64_t later;
    } longer = {.config = {.size = sizeof longer}};

    ok(open_with(test_backend(), &longer.config));
    longer.later = 1;
    fails(UNSUPPORTED, open_with(test_backend(), &longer.config));
}

Test(host, descriptor_of_somebody_else)
{
    vsdk_host *host = open_host();
    int has = capability(host, VSDK_CAPABILITY_DESCRIPTOR) != VSDK_ANSWER_NO;
    vsdk_host_config config = {.size = sizeof config, .flags = VSDK_HOST_DESCRIPTOR};

    vsdk_host_close(host);
    config.descriptor = open(has ? "/dev/kvm" : "/dev/null", O_RDWR | O_CLOEXEC);
    cr_assert(config.descriptor >= 0);
    if (has)
        ok(open_with(test_backend(), &config));
    else
        fails(UNSUPPORTED, open_with(test_backend(), &config));
    cr_assert(fcntl(config.descriptor, F_GETFD) >= 0, "the caller's descriptor was closed");
    close(config.descriptor);
}

Test(host, descriptor_of_something_else)
{
    vsdk_host *host = open_host();
    vsdk_host_config config = {.size = sizeof config, .flags = VSDK_HOST_DESCRIPTOR};

    need(host, VSDK_CAPABILITY_DESCRIPTOR);
    vsdk_host_close(host);
    config.descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    fails(SYSTEM, open_with(test_backend(), &config));
    close(config.descriptor);
}

static void count_release(void *user)
{
    ++*(int *)user;
}

static void log_nothing(void *user, vsdk_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
}

Test(host, log_is_released_once)
{
    int released = 0;
    vsdk_host_config config = {.size = sizeof config,
                               .log = log_nothing,
                               .log_user = &released,
                               .log_release = count_release,
                               .log_level = VSDK_LOG_DEBUG};

    ok(open_with(test_backend(), &config));
    cr_assert_eq(released, 1);
    fails(NOT_FOUND, open_with("no-such-backend", &config));
    cr_assert_eq(released, 2);
    config.kick_signal = SIGUSR1;
    fails(INVALID_ARGUMENT, open_with(test_backend(), &config));
    cr_assert_eq(released, 3);
    fails(INVALID_ARGUMENT, vsdk_host_open(test_backend(), &config, NULL, E));
    cr_assert_eq(released, 4);
}

Test(host, log_outlives_the_handle_while_a_machine_lives)
{
    int released = 0;
    vsdk_host_config config = {.size = sizeof config,
                               .log = log_nothing,
                               .log_user = &released,
                               .log_release = count_release};
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;

    ok(vsdk_host_open(test_backend(), &config, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    vsdk_host_close(host);
    cr_assert_eq(released, 0);
    vsdk_vm_close(vm);
    cr_assert_eq(released, 1);
}

Test(host, every_capability_has_an_answer_and_a_reason)
{
    vsdk_host *host = open_host();
    vsdk_capability what;

    for (what = VSDK_CAPABILITY_AUTONOMOUS; what <= API_LAST_CAPABILITY; what++) {
        vsdk_capability_info info = {.size = sizeof info};

        ok(vsdk_host_query(host, what, &info, E));
        cr_assert(info.answer <= VSDK_ANSWER_EMULATED);
        cr_assert_str_neq(vsdk_capability_name(what), "unknown");
        cr_assert(memchr(info.reason, 0, sizeof info.reason), "the reason has no end");
        cr_assert(info.reason[0] || info.answer == VSDK_ANSWER_YES, "%s: no reason",
                  vsdk_capability_name(what));
    }
    vsdk_host_close(host);
}

Test(host, capabilities_agree_with_the_backend)
{
    vsdk_host *host = open_host();
    int autonomous =
        strcmp(test_backend(), "xen") == 0 || strcmp(test_backend(), "mock-autonomous") == 0;

    cr_assert_eq(is_autonomous(host), autonomous);
    cr_assert_eq(capability(host, VSDK_CAPABILITY_COMPLETE_EXACT) != VSDK_ANSWER_NO, !autonomous);
    cr_assert(capability_value(host, VSDK_CAPABILITY_VCPUS_MAX) >= 1);
    cr_assert_eq(capability(host, VSDK_CAPABILITY_DIRTY) == VSDK_ANSWER_NO,
                 strcmp(test_backend(), "xen") == 0);
    vsdk_host_close(host);
}

Test(host, queries_are_checked)
{
    vsdk_host *host = open_host();
    vsdk_capability_info info = {.size = sizeof info};

    fails(NOT_FOUND, vsdk_host_query(host, 0, &info, E));
    fails(NOT_FOUND, vsdk_host_query(host, 100000, &info, E));
    fails(INVALID_ARGUMENT, vsdk_host_query(host, VSDK_CAPABILITY_MSI, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_host_query(NULL, VSDK_CAPABILITY_MSI, &info, E));
    info.size = 8;
    fails(INVALID_ARGUMENT, vsdk_host_query(host, VSDK_CAPABILITY_MSI, &info, E));
    vsdk_host_close(host);
}

Test(host, cpuid_is_listed_in_pieces)
{
    static vsdk_x86_cpuid_entry all[512], few[2];
    vsdk_host *host = open_host();
    uint32_t count = 0, again = 0;

    ok(vsdk_x86_host_get_cpuid(host, NULL, 0, &count, E));
    cr_assert(count > 0 && count <= 512, "%u leaves", count);
    ok(vsdk_x86_host_get_cpuid(host, all, 512, &again, E));
    cr_assert_eq(again, count);
    ok(vsdk_x86_host_get_cpuid(host, few, 1, &again, E));
    cr_assert_eq(again, count);
    cr_assert(memcmp(few, all, sizeof few[0]) == 0);
    cr_assert(few[1].leaf == 0 && few[1].eax == 0, "more than the capacity was written");
    fails(INVALID_ARGUMENT, vsdk_x86_host_get_cpuid(host, NULL, 1, &again, E));
    fails(INVALID_ARGUMENT, vsdk_x86_host_get_cpuid(host, all, 512, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_x86_host_get_cpuid(NULL, all, 512, &again, E));
    vsdk_host_close(host);
}

Test(host, orphans_are_never_the_guests_of_the_living)
{
    vsdk_host *host = open_host();
    uint32_t before = 0, after = 0;
    vsdk_orphan orphan;
    vsdk_vm *vm = NULL;

    ok(vsdk_host_list_orphans(host, NULL, 0, &before, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    ok(vsdk_host_list_orphans(host, &orphan, 1, &after, E));
    cr_assert_eq(before, after);
    cr_assert(after == 0 || capability(host, VSDK_CAPABILITY_ORPHANS) != VSDK_ANSWER_NO);
    fails(NOT_FOUND, vsdk_host_reap(host, 0x7fffffff, E));
    fails(INVALID_ARGUMENT, vsdk_host_reap(NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_host_list_orphans(host, NULL, 1, &after, E));
    fails(INVALID_ARGUMENT, vsdk_host_list_orphans(host, &orphan, 1, NULL, E));
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

Test(host, living_guest_cannot_be_reaped)
{
    vsdk_vm_info info = {.size = sizeof info};
    struct machine m;

    machine_make(&m);
    ok(vsdk_vm_get_info(m.vm, &info, E));
    fails(NOT_FOUND, vsdk_host_reap(m.host, info.domain, E));
    ok(vsdk_vm_get_info(m.vm, &info, E));
    machine_end(&m);
}

Test(host, error_record_may_be_null)
{
    vsdk_host *host = NULL;

    cr_assert_eq(vsdk_host_open("no-such-backend", NULL, &host, NULL), VSDK_ERROR_NOT_FOUND);
    cr_assert_eq(vsdk_host_open(test_backend(), NULL, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT);
}
