/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
#ifndef VSDK_TESTS_API_TABLE_H
#define VSDK_TESTS_API_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct api_function {
    const char *name;
    const char *since;
    uint32_t fallible;         /* returns vsdk_status */
    uint32_t required;         /* pointer parameters that must not be NULL */
    const char *states;
    const char *errors;        /* documented errors, separated by spaces */
};

static const struct api_function api_functions[] = {
    {"vsdk_status_name", "0.1", 0, 0, "any", ""},
    {"vsdk_lamp_state_name", "0.1", 0, 0, "any", ""},
    {"vsdk_lamp_create", "0.1", 1, 1, "any", "INVALID_ARGUMENT"},
    {"vsdk_lamp_close", "0.1", 0, 0, "any", ""},
    {"vsdk_lamp_watch", "0.2", 1, 3, "ON", "INVALID_ARGUMENT STATE GONE BUSY"},
};

enum {
    API_LAST_STATUS = 0,
    API_LAST_LAMP_STATE = 2,
};

#endif
