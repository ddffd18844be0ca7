/* SPDX-License-Identifier: Apache-2.0 */
#include "core/host.h"
#include "../generated/api_table.h"
#include "base/error.h"
#include "core/log.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned released, logged;
static char last_line[512];

static void release(void *user)
{
    released++;
}

static void take_line(void *user, vsdk_log_level level, const char *text)
{
    logged++;
    snprintf(last_line, sizeof last_line, "%u %s", level, text);
}

static vsdk_host_config config_of(void)
{
    return (vsdk_host_config){
        .size = sizeof(vsdk_host_config), .log = take_line, .log_release = release};
}

static vsdk_status open_and_close(const char *name, const vsdk_host_config *config)
{
    vsdk_error error;
    vsdk_host *host;
    vsdk_status status = vsdk_host_open(name, config, &host, &error);

    cr_assert_eq(status == VSDK_OK, host != NULL);
    if (status) {
        cr_assert_eq(error.code, status);
        cr_assert(error.operation[0] && error.message[0]);
    }
    vsdk_host_close(host);
    return status;
}

Test(host, the_log_is_released_once_whatever_happens)
{
    vsdk_host_config c = config_of();

    cr_assert_eq(open_and_close("mock", &c), VSDK_OK);
    cr_assert_eq(released, 1u);
    cr_assert_eq(open_and_close("nobody", &c), VSDK_ERROR_NOT_FOUND);
    cr_assert_eq(released, 2u);
    c.kick_signal = SIGINT;
    cr_assert_eq(open_and_close("mock", &c), VSDK_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(released, 3u);
    cr_assert_eq(vsdk_host_open("mock", &c, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(released, 4u);
    c = config_of();
    c.flags = 0x80;
    cr_assert_eq(open_and_close("mock", &c), VSDK_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(released, 5u);
}

Test(host, configurations_are_checked)
{
    vsdk_host_config c = config_of();

    c.reserved = 1;
    cr_assert_eq(open_and_close("mock", &c), VSDK_ERROR_UNSUPPORTED);
    c = config_of();
    c.log_level = 9;
    cr_assert_eq(open_and_close("mock", &c), VSDK_ERROR_INVALID_ARGUMENT);
    c = config_of();
    c.flags = VSDK_HOST_DESCRIPTOR;
    cr_assert_eq(open_and_close("mock", &c), VSDK_ERROR_UNSUPPORTED);
    c.descriptor = -1;
    cr_assert_eq(open_and_close("kvm", &c), VSDK_ERROR_INVALID_ARGUMENT);
}

Test(host, backends_have_names)
{
    cr_assert_str_eq(vsdk_backend_at(0), "kvm");
    cr_assert_str_eq(vsdk_backend_at(3), "mock-autonomous");
    cr_assert_null(vsdk_backend_at(4));
    cr_assert_str_eq(vsdk_host_backend(NULL), "");
}

Test(host, where_xen_is_not_the_error_says_why)
{
    vsdk_error error;
    vsdk_host *host;

    if (!access("/sys/hypervisor/type", F_OK))
        cr_skip_test("a hypervisor tells its type here");
    cr_assert_eq(vsdk_host_open("xen", NULL, &host, &error), VSDK_ERROR_UNAVAILABLE);
    cr_assert(strstr(error.message, "hypervisor"));
    cr_assert(error.hint[0]);
}

Test(host, limits_are_the_backends)
{
    vsdk_vm_config c = {.size = sizeof c, .vcpus_max = 5000};
    vsdk_error error;
    vsdk_host *host;
    vsdk_vm *vm;

    cr_assert_eq(vsdk_host_open("mock", NULL, &host, NULL), VSDK_OK);
    cr_assert_eq(vsdk_vm_create(host, &c, &vm, &error), VSDK_ERROR_LIMIT);
    c = (vsdk_vm_config){.size = sizeof c, .irqchip = 3};
    cr_assert_eq(vsdk_vm_create(host, &c, &vm, &error), VSDK_ERROR_INVALID_ARGUMENT);
    c = (vsdk_vm_config){.size = sizeof c, .reserved = {[3] = 1}};
    cr_assert_eq(vsdk_vm_create(host, &c, &vm, &error), VSDK_ERROR_UNSUPPORTED);
    cr_assert_null(vm);
    vsdk_host_close(host);
}

Test(host, capabilities_have_reasons)
{
    vsdk_capability_info info = {.size = sizeof info};
    vsdk_host *host;

    cr_assert_eq(vsdk_host_open("mock", NULL, &host, NULL), VSDK_OK);
    for (vsdk_capability c = VSDK_CAPABILITY_AUTONOMOUS; c <= API_LAST_CAPABILITY; c++) {
        cr_assert_eq(vsdk_host_query(host, c, &info, NULL), VSDK_OK);
        cr_assert(info.answer == VSDK_ANSWER_YES || info.reason[0], "%s", vsdk_capability_name(c));
    }
    cr_assert_eq(vsdk_host_query(host, 0, &info, NULL), VSDK_ERROR_NOT_FOUND);
    cr_assert_eq(vsdk_host_query(host, API_LAST_CAPABILITY + 1, &info, NULL), VSDK_ERROR_NOT_FOUND);
    info.size = 8;
    cr_assert_eq(vsdk_host_query(host, 1, &info, NULL), VSDK_ERROR_INVALID_ARGUMENT);
    vsdk_host_close(host);
}

Test(host, messages_are_lines_of_the_wanted_levels)
{
    vsdk_host_config c = config_of();
    vsdk_host *host;

    cr_assert_eq(vsdk_host_open("mock", &c, &host, NULL), VSDK_OK);
    logged = 0;
    host_log(host, VSDK_LOG_INFO, "quiet");
    cr_assert_eq(logged, 0u);
    host_log(host, VSDK_LOG_WARNING, "%d", 7);
    cr_assert_str_eq(last_line, "2 7");
    log_from_backend(&host->backend, VSDK_LOG_ERROR, "first\nsecond\n");
    cr_assert_str_eq(last_line, "1 first");
    log_from_backend(&host->backend, VSDK_LOG_ERROR, "\n");
    cr_assert_eq(logged, 2u);
    vsdk_host_close(host);
}

Test(host, messages_of_guests_are_limited)
{
    log_limit limit = {0};
    unsigned allowed = 0;

    for (unsigned i = 0; i < 1000; i++)
        allowed += log_allowed(&limit, 10);
    cr_assert(allowed >= 10 && allowed <= 20);
}
