/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of libvsdk.
 *
 * Generated from the descriptions in abi by abi/generate.py.
 */

#ifndef VSDK_VSDK_H
#define VSDK_VSDK_H

#include <vsdk/types.h>
#include <vsdk/host.h>
#include <vsdk/exit.h>
#include <vsdk/vm.h>
#include <vsdk/regs.h>
#include <vsdk/vcpu.h>
#include <vsdk/ram.h>
#include <vsdk/dma.h>
#include <vsdk/device.h>
#include <vsdk/irq.h>
#include <vsdk/doorbell.h>
#include <vsdk/loop.h>

#endif /* VSDK_VSDK_H */
