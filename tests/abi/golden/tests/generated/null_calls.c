/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
#include "null_calls.h"

static int64_t call_vsdk_status_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_status_name(0);
}

static int64_t call_vsdk_lamp_state_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_lamp_state_name(0);
}

static int64_t call_vsdk_lamp_create(vsdk_error *error)
{
    return (int64_t)vsdk_lamp_create(NULL, NULL, error);
}

static int64_t call_vsdk_lamp_close(vsdk_error *error)
{
    (void)error;
    vsdk_lamp_close(NULL);
    return 0;
}

static int64_t call_vsdk_lamp_watch(vsdk_error *error)
{
    return (int64_t)vsdk_lamp_watch(NULL, NULL, 0, NULL, NULL, NULL, error);
}

const struct null_call null_calls[] = {
    {"vsdk_status_name", NULL_NO_CRASH, 0, call_vsdk_status_name},
    {"vsdk_lamp_state_name", NULL_NO_CRASH, 0, call_vsdk_lamp_state_name},
    {"vsdk_lamp_create", NULL_REFUSED, 1, call_vsdk_lamp_create},
    {"vsdk_lamp_close", NULL_HARMLESS, 0, call_vsdk_lamp_close},
    {"vsdk_lamp_watch", NULL_REFUSED, 1, call_vsdk_lamp_watch},
};
const size_t null_calls_count = sizeof(null_calls) / sizeof(null_calls[0]);
