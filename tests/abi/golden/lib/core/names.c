/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
#include <vsdk/lamp.h>
#include <vsdk/types.h>

const char *vsdk_status_name(vsdk_status value)
{
    switch (value) {
    case VSDK_OK:
        return "ok";
    case VSDK_ERROR_INVALID_ARGUMENT:
        return "invalid_argument";
    case VSDK_ERROR_STATE:
        return "state";
    case VSDK_ERROR_GONE:
        return "gone";
    case VSDK_ERROR_BUSY:
        return "busy";
    default:
        return "unknown";
    }
}

const char *vsdk_lamp_state_name(vsdk_lamp_state value)
{
    switch (value) {
    case VSDK_LAMP_OFF:
        return "off";
    case VSDK_LAMP_ON:
        return "on";
    case VSDK_LAMP_BURNT_OUT:
        return "burnt_out";
    default:
        return "unknown";
    }
}
