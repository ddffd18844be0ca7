/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of libvsdk.
 *
 * Generated from the descriptions in abi by abi/generate.py.
 */

#ifndef VSDK_VSDK_H
#define VSDK_VSDK_H

#include <vsdk/lamp.h>
#include <vsdk/types.h>

#endif /* VSDK_VSDK_H */
