/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a virtual machine with one of everything, step by step. A step that fails may be done
 * again. */
#ifndef VSDK_TESTS_FAULTS_SCENARIO_H
#define VSDK_TESTS_FAULTS_SCENARIO_H

#include <stdint.h>
#include <vsdk/vsdk.h>

enum { SCENARIO_RELEASES = 11 };

struct scenario {
    const char *backend;
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram, *extra, *shared, *own;
    vsdk_vcpu *vcpu, *second;
    vsdk_device *device, *virtio, *vsock, *rng, *console;
    vsdk_device *events, *pci, *function, *owner;
    vsdk_irq *irq;
    vsdk_msi *msi;
    vsdk_stream *near, *far;
    vsdk_doorbell *doorbell;
    vsdk_share *share;
    vsdk_loop *loop, *own_loop;
    vsdk_watch *watch;
    vsdk_timer *timer;
    vsdk_work *work;
    vsdk_dma_view view;
    int pipe[2];
    /* How often each release came, and how often it was promised. */
    uint32_t releases[SCENARIO_RELEASES], promised[SCENARIO_RELEASES];
};

struct scenario_step {
    const char *name;
    vsdk_status (*run)(struct scenario *s, vsdk_error *error);
};

extern const struct scenario_step scenario_steps[];
extern const unsigned scenario_step_count;

/* A step of its own file. */
vsdk_status scenario_networks(struct scenario *s, vsdk_error *error);

/* What can't fail: closes all that there is. */
void scenario_end(struct scenario *s);

#endif
