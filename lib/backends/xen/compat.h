/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries of Xen whose interface changes with every release (libxenctrl, libxenguest, raw
 * domctls), behind functions of ours: another release is another compat_xen_*.c and another module.
 *
 * Functions return 0 or a count, and -errno on failure. One control may be used by several threads;
 * calls for one domain that change it are serialised by the core. */
#ifndef VSDK_XEN_COMPAT_H
#define VSDK_XEN_COMPAT_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/host.h>
#include <vsdk/x86.h>
#include <xen/hvm/save.h>
#include <xen/xen.h>
#include <xentoollog.h>

typedef struct xen_control xen_control;

enum { COMPAT_MAJOR = 4, COMPAT_MINOR = 17 };

/* The highest event channel of a guest. Each takes some of Xen's own memory, so there is an end:
 * enough for 127 processors that have six each, and for ours. */
enum { COMPAT_LAST_PORT = 1023 };

enum compat_ended { COMPAT_ALIVE = -1, COMPAT_DYING = -2 };

typedef struct compat_domain {
    uint32_t domid;
    int32_t ended; /* compat_ended, or the guest's shutdown code */
    uint64_t pages;
    uint8_t handle[16];
} compat_domain;

typedef struct compat_request {
    uint32_t vcpus;
    int full_emulation;
    uint8_t handle[16];
} compat_request;

/* General registers as any processor has them, one that is down too. */
typedef struct compat_general {
    vsdk_x86_regs regs;
    uint64_t cr0, cr2, cr3, cr4;
    int online;
} compat_general;

/* Opens the libraries' device nodes; *control is NULL on failure. */
int compat_open(xentoollog_logger *logger, xen_control **control);
void compat_close(xen_control *control);

int compat_version(xen_control *control, uint32_t *major, uint32_t *minor);
int compat_free_memory(xen_control *control, uint64_t *bytes);
/* What guests this machine and this Xen can have. */
int compat_abilities(xen_control *control, int *hvm, int *hap);
/* Up to `count` domains from number `first` on. */
int compat_domains(xen_control *control, uint32_t first, uint32_t count, compat_domain *domains);
/* One domain; -ESRCH when it is not there. */
int compat_domain_get(xen_control *control, uint32_t domid, compat_domain *domain);

/* A paused HVM domain with its processors, all of them down. */
int compat_create(xen_control *control, const compat_request *request, uint32_t *domid);
int compat_destroy(xen_control *control, uint32_t domid);
int compat_pause(xen_control *control, uint32_t domid);
int compat_unpause(xen_control *control, uint32_t domid);
/* Ends a domain as a guest can, whatever its processors are at; and takes an end back. */
int compat_shutdown(xen_control *control, uint32_t domid, uint32_t code);
int compat_resume(xen_control *control, uint32_t domid);
/* Of a domain that has ended and is paused by us: event channels, grants and pages of Xen's that
 * the guest asked for are as in a new one, and the end is taken back. */
int compat_soft_reset(xen_control *control, uint32_t domid);
/* 1 if each of the processors is down. */
int compat_all_down(xen_control *control, uint32_t domid, uint32_t vcpus);
/* An event channel of the domain's that waits for us to bind it. */
int compat_make_port(xen_control *control, uint32_t domid);
int compat_set_param(xen_control *control, uint32_t domid, uint32_t param, uint64_t value);
/* All PCI configuration accesses that come by ports 0xcf8 and 0xcfc go to this ioreq server. */
int compat_claim_config(xen_control *control, uint32_t domid, uint16_t server);
int compat_never_emulate_tsc(xen_control *control, uint32_t domid);

/* Memory. populate and depopulate take extents of 1 << order pages and return how many were done
 * from the start; the library may stop anywhere. */
int compat_set_memory_limit(xen_control *control, uint32_t domid, uint64_t bytes);
int compat_set_paging_pool(xen_control *control, uint32_t domid, uint64_t bytes);
int compat_populate(xen_control *control, uint32_t domid, uint64_t *frames, uint32_t count,
                    uint32_t order);
int compat_depopulate(xen_control *control, uint32_t domid, uint64_t *frames, uint32_t count,
                      uint32_t order);

/* Which of up to 1024 frames the guest has no memory at: it gave it away, or has a page of Xen's
 * there. */
int compat_missing(xen_control *control, uint32_t domid, uint64_t first, uint32_t count,
                   uint8_t *missing);

/* State of the whole guest, in the format of xen/hvm/save.h. With state NULL the size that it
 * needs. */
int compat_get_state(xen_control *control, uint32_t domid, uint8_t *state, uint32_t size);
int compat_set_state(xen_control *control, uint32_t domid, uint8_t *state, uint32_t size);
/* The record of one processor; -ENODATA when it is down. */
int compat_get_cpu(xen_control *control, uint32_t domid, uint32_t vcpu,
                   HVM_SAVE_TYPE(CPU) * record);

int compat_get_general(xen_control *control, uint32_t domid, uint32_t vcpu,
                       compat_general *general);
/* Sets the general registers of one processor and nothing else that the guest can see; it is up or
 * down afterwards. -ENODATA if it was never up. */
int compat_set_general(xen_control *control, uint32_t domid, uint32_t vcpu,
                       const vsdk_x86_regs *regs, int online);

/* The floating-point state of one processor in the form of FXSAVE. get returns 1 if the guest has
 * used it; set loses what is above it. */
int compat_get_legacy(xen_control *control, uint32_t domid, uint32_t vcpu, uint8_t state[512]);
int compat_set_legacy(xen_control *control, uint32_t domid, uint32_t vcpu,
                      const uint8_t state[512]);

/* The extended state of one processor: two words (xcr0 and all that ever was enabled in it) and the
 * standard XSAVE area. get returns how many bytes there are, 0 if the guest never enabled any. */
enum { COMPAT_EXTENDED_HEAD = 16 };
int compat_get_extended(xen_control *control, uint32_t domid, uint32_t vcpu, uint8_t *state,
                        uint32_t size);
int compat_set_extended(xen_control *control, uint32_t domid, uint32_t vcpu, const uint8_t *state,
                        uint32_t size);

/* The frame of the guest's memory that a processor sees at an address. */
int compat_translate(xen_control *control, uint32_t domid, uint32_t vcpu, uint64_t address,
                     uint64_t *frame);
/* Xen's own log from a position on, which is moved: how many bytes there were. */
int compat_log(xen_control *control, uint32_t *position, char *text, uint32_t size);

int compat_nmi(xen_control *control, uint32_t domid, uint32_t vcpu);

/* CPUID. The default of an HVM guest, that of a domain, and changing leaves that it has. The list
 * is allocated with alloc_array and is the caller's. */
int compat_cpuid_default(xen_control *control, vsdk_x86_cpuid_entry **entries, uint32_t *count);
int compat_cpuid_domain(xen_control *control, uint32_t domid, vsdk_x86_cpuid_entry **entries,
                        uint32_t *count);
int compat_cpuid_start(xen_control *control, uint32_t domid);
int compat_cpuid_update(xen_control *control, uint32_t domid, const vsdk_x86_cpuid_entry *entries,
                        uint32_t count);

#endif
