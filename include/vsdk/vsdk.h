/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of libvsdk.
 *
 * Generated from the descriptions in abi by abi/generate.py.
 */

#ifndef VSDK_VSDK_H
#define VSDK_VSDK_H

#include <vsdk/boot.h>
#include <vsdk/device.h>
#include <vsdk/devices.h>
#include <vsdk/disk.h>
#include <vsdk/dma.h>
#include <vsdk/doorbell.h>
#include <vsdk/exit.h>
#include <vsdk/host.h>
#include <vsdk/irq.h>
#include <vsdk/loop.h>
#include <vsdk/machine.h>
#include <vsdk/net.h>
#include <vsdk/pci.h>
#include <vsdk/pool.h>
#include <vsdk/ram.h>
#include <vsdk/run.h>
#include <vsdk/share.h>
#include <vsdk/state.h>
#include <vsdk/stream.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/virtio.h>
#include <vsdk/virtio_block.h>
#include <vsdk/virtio_console.h>
#include <vsdk/virtio_fs.h>
#include <vsdk/virtio_net.h>
#include <vsdk/virtio_rng.h>
#include <vsdk/virtio_vsock.h>
#include <vsdk/vm.h>
#include <vsdk/x86.h>

#endif /* VSDK_VSDK_H */
