/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the library that runs; the headers' macros say which one a program was built with.
 */
#include <vsdk/types.h>

uint32_t vsdk_version(void)
{
    return VSDK_VERSION_MAJOR << 16 | VSDK_VERSION_MINOR << 8 | VSDK_VERSION_PATCH;
}
