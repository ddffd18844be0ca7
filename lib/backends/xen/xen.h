/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of the Xen backend, as its files share them. */
#ifndef VSDK_XEN_XEN_H
#define VSDK_XEN_XEN_H

#include "backends/xen/compat.h"
#include "base/error.h"
#include "base/lock.h"
#include "core/backend.h"
#include <xen/hvm/ioreq.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xentoollog.h>

enum {
    XEN_PAGE = 4096,
    XEN_PORTS = 0x10000,
    XEN_VCPUS_MAX = 127, /* APIC ids are 2 * index and have eight bits */
    XEN_SPECIAL_PAGES = 8,
    XEN_DEATH_POLL_MS = 50
};

#define XEN_SPECIAL_FIRST 0xfeff8000ull
#define XEN_CONSOLE_PAGE 0xfeffc000ull
#define XEN_STORE_PAGE 0xfeffd000ull
#define XEN_IDENTITY_TABLE 0xfeffe000ull

/* A logger for Xen's libraries that hands on to the core's. */
typedef struct xen_logger {
    xentoollog_logger base;
    backend_host *host; /* NULL: silent */
} xen_logger;

typedef struct xen_host {
    backend_host *host;
    xen_logger logger;
    xen_control *control;
    xenforeignmemory_handle *memory;
    int watches_deaths;
    vsdk_x86_cpuid_entry *cpuid; /* the default of guests */
    uint32_t cpuid_count;
} xen_host;

typedef struct xen_vcpu xen_vcpu;
typedef struct xen_slot xen_slot;

/* Of pv_xen.c: the guest's console and store. */
typedef struct xen_pv {
    lock lock;
    void *pages; /* the console's and the store's; NULL: none (any more) */
    xenevtchn_handle *events;
    evtchn_port_t console_port, store_port;
    uint32_t out_consumed, in_produced; /* our places in the console's rings */
    struct store *store;
    _Atomic int more; /* there is more to serve than a turn may */
} xen_pv;

typedef struct xen_vm {
    backend_vm *vm;
    xen_host *host;
    uint32_t domid;
    int exists;            /* the domain does */
    int started;           /* it was unpaused once: registers are the hypervisor's */
    int frozen;            /* the first vCPU was created: the topology is in CPUID */
    uint8_t handle[16];    /* the owner's mark, see orphan_xen.c */
    int paused;            /* by us: it does not execute */
    _Atomic int32_t ended; /* compat_ended, or the guest's shutdown code */
    /* Of end_xen.c; the first two are settled before `ended` is: */
    int end_halted;         /* all processors are down */
    int32_t end_asker;      /* the processor that shut the guest down by a hypercall, -1: none */
    _Atomic int end_logged; /* Xen's log was told */
    /* Of death_xen.c: */
    struct xen_vm *next;
    int seen;
    xen_vcpu *vcpus[XEN_VCPUS_MAX]; /* whom to wake */

    lock device_lock; /* of the device handle */
    xendevicemodel_handle *device;
    ioservid_t server;
    xenforeignmemory_resource_handle *resource;
    struct ioreq *requests; /* one a vCPU, shared with Xen */

    xen_pv pv;

    uint8_t *initial; /* the state of all processors and controllers before the first start */
    uint32_t initial_bytes;

    lock memory_lock;
    uint64_t mapped; /* bytes of guest memory, special pages included */
    xen_slot *slots;
    uint32_t hole_runs; /* places where zero pages of ours are in view */
    int holes_told;

    vsdk_x86_cpuid_entry *cpuid;
    uint32_t cpuid_count;
} xen_vm;

/* The access at which a vCPU stands: a checked copy of Xen's request, and where it is in it. */
typedef struct xen_access {
    int pending;  /* Xen waits for the response */
    int shown;    /* an element of it is in the record */
    uint8_t type; /* IOREQ_TYPE_PIO or IOREQ_TYPE_COPY */
    uint8_t read;
    uint8_t indirect; /* data is a guest address */
    uint8_t down;     /* addresses descend */
    uint32_t size, count, done;
    uint64_t address, data;
} xen_access;

struct xen_vcpu {
    backend_vcpu *vcpu;
    xen_vm *vm;
    xenevtchn_handle *events; /* NULL once the domain is gone */
    evtchn_port_t port;
    int kick; /* eventfd */
    struct ioreq *request;
    xen_access access;
    uint8_t *bounce;   /* a page for elements of string I/O */
    int busy;          /* a request is served in turns, and the next turn is due */
    uint64_t followed; /* up to where memory_follow was */

    /* Until the start the registers are here. */
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
    vsdk_x86_fpu fpu;
};

static inline xen_host *xen_host_of(backend_host *host)
{
    return host->data;
}

static inline xen_vm *xen_vm_of(backend_vm *vm)
{
    return vm->data;
}

static inline xen_vcpu *xen_vcpu_of(backend_vcpu *vcpu)
{
    return vcpu->data;
}

/* `failure` is -errno. NO_MEMORY or SYSTEM with the text. */
vsdk_status xen_failed(vsdk_error *error, int failure, const char *operation, const char *what);
/* The same where SYSTEM is the only answer. */
vsdk_status xen_refused(vsdk_error *error, int failure, const char *operation, const char *what);

/* host_xen.c. The libraries open their descriptors at the lowest number: between these two 0 to 2
 * are never free, and other threads that open wait. */
typedef struct descriptor_plug {
    int fd[3], cancel;
} descriptor_plug;
void descriptor_plug_in(descriptor_plug *plug);
void descriptor_plug_out(descriptor_plug *plug);
/* Takes an event that is there: its port, or -1. */
int events_take(xenevtchn_handle *events);
int events_are_there(int fd);
void events_close(xenevtchn_handle *events);
void xen_logger_init(xen_logger *logger, backend_host *host);
void xen_log(backend_host *host, vsdk_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

vsdk_status xen_host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error);
void xen_host_close(backend_host *host);
vsdk_status xen_host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries, uint32_t capacity,
                               uint32_t *needed, vsdk_error *error);

/* capability_xen.c */
vsdk_status xen_host_query(backend_host *host, vsdk_capability capability,
                           vsdk_capability_info *info, vsdk_error *error);

/* orphan_xen.c */
void orphan_mark(uint8_t handle[16]);
void orphan_report(xen_host *host);
vsdk_status xen_host_list_orphans(backend_host *host, vsdk_orphan *orphans, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error);
vsdk_status xen_host_reap(backend_host *host, uint64_t id, vsdk_error *error);

/* death_xen.c: learning that a guest has ended. One event channel a process, shared by all hosts;
 * where another program has it, domains are asked from time to time. */
int death_open(void); /* 0, or -errno: polling it is; death_close in either case */
void death_close(void);
void death_add(xen_vm *vm);
void death_remove(xen_vm *vm);
void death_add_vcpu(xen_vcpu *vcpu);
void death_remove_vcpu(xen_vcpu *vcpu);
int death_fd(void);           /* to poll, -1 where another program has the event */
int death_is_polled(void);    /* domains are to be asked from time to time */
void death_check(xen_vm *vm); /* without waiting: has it ended? */
/* Brings a domain back from its end: no look at it falls in between. 0 or what `undo` returns. */
int death_undo(xen_vm *vm, int (*undo)(xen_vm *));

/* domain_xen.c */
vsdk_status xen_vm_create(backend_vm *vm, vsdk_error *error);
void xen_vm_destroy(backend_vm *vm);
void xen_vm_free(backend_vm *vm);
vsdk_status xen_vm_resume(backend_vm *vm, vsdk_error *error);
vsdk_status xen_vm_pause(backend_vm *vm, vsdk_error *error);
void xen_vm_settled(backend_vm *vm);

/* reserved_xen.c */
vsdk_status xen_vm_list_reserved(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                 uint32_t *needed, vsdk_error *error);

/* memory_xen.c */
vsdk_status memory_special(xen_vm *vm, vsdk_error *error);
void memory_abandon(xen_vm *vm); /* zero pages in place of all views */
/* Looks for pages that the guest gave away, from an address on: 1 when all was looked at, else the
 * next call goes on. */
int memory_follow(xen_vm *vm, uint64_t *gpa, uint32_t turns);
void memory_catch_up(xen_vm *vm); /* views show what the guest has; it is paused */
int memory_refill(xen_vm *vm);    /* all memory is there again: 0 or -errno; it is paused */
vsdk_status xen_ram_create(backend_ram *ram, vsdk_error *error);
void xen_ram_free(backend_ram *ram);
vsdk_status xen_vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status xen_vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status xen_vm_protect(backend_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error);

/* populate_xen.c: pages of a domain. What a populate that failed gave, `done` bytes, is taken away
 * by depopulate, which returns how many bytes the domain keeps nevertheless. Bytes count as the
 * domain's from populate, failed or not, to release_limit. */
vsdk_status populate(xen_vm *vm, uint64_t gpa, uint64_t bytes, uint64_t *done, vsdk_error *error);
uint64_t depopulate(xen_vm *vm, uint64_t gpa, uint64_t bytes);
void release_limit(xen_vm *vm, uint64_t bytes); /* the guest may own so much less */

/* ioreq_xen.c */
vsdk_status ioreq_open(xen_vm *vm, vsdk_error *error);
void ioreq_close(xen_vm *vm);

/* exit_xen.c: take copies a request that waits and fills the record, 0 if it was internal or
 * there is none; answer finishes the element that is shown, 1 if the record has the next one. */
int exit_take(xen_vcpu *vcpu);
int exit_answer(xen_vcpu *vcpu);
int exit_waiting(const xen_vcpu *vcpu);
void exit_drop(xen_vm *vm); /* answers all that wait, with nothing */

/* end_xen.c */
enum { TRIPLE_FAULT_CODE = 5 };
void end_inquire(xen_vm *vm, int32_t code); /* finds out what the code does not say */
void end_tell(xen_vcpu *vcpu);              /* fills the record */

/* reset_xen.c */
vsdk_status xen_vm_reset(backend_vm *vm, vsdk_error *error);
vsdk_status reset_suspend(xen_vm *vm, vsdk_error *error); /* a suspended guest may go on */

/* pv_xen.c */
vsdk_status pv_open(xen_vm *vm, vsdk_error *error);
void pv_close(xen_vm *vm);
int pv_reset(xen_vm *vm);    /* 0 or -errno: as a new domain has it */
int pv_fd(const xen_vm *vm); /* readable when there is something to serve */
void pv_serve(xen_vm *vm);   /* on the thread inside run of vCPU 0 */
uint64_t xen_console_output(backend_vm *vm, void *bytes, uint64_t capacity);
uint64_t xen_console_input(backend_vm *vm, const void *bytes, uint64_t length);

/* vcpu_xen.c */
vsdk_status xen_vcpu_create(backend_vcpu *vcpu, vsdk_error *error);
void xen_vcpu_destroy(backend_vcpu *vcpu);
int xen_vcpu_is_halted(backend_vcpu *vcpu);
void vcpu_disconnect(xen_vcpu *vcpu);
vsdk_status xen_vcpu_run(backend_vcpu *vcpu, vsdk_error *error);
void xen_vcpu_interrupt(backend_vcpu *vcpu);

/* irq_xen.c */
uint32_t xen_irq_lines(backend_vm *vm);
vsdk_status xen_irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error);
vsdk_status xen_vm_send_msi(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error);
vsdk_status xen_vcpu_inject_nmi(backend_vcpu *vcpu, vsdk_error *error);

/* regs_xen_x86_64.c */
void regs_reset(xen_vcpu *vcpu);
vsdk_status regs_start(xen_vm *vm, vsdk_error *error); /* gives the shadows to the hypervisor */
void regs_close(xen_vm *vm);
vsdk_status xen_vcpu_get_regs(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error);
vsdk_status xen_vcpu_set_regs(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error);
vsdk_status xen_vcpu_get_sregs(backend_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error);
vsdk_status xen_vcpu_set_sregs(backend_vcpu *vcpu, const vsdk_x86_sregs *sregs, vsdk_error *error);

/* fpu_xen_x86_64.c */
void fpu_reset(vsdk_x86_fpu *fpu);
vsdk_status xen_vcpu_get_fpu(backend_vcpu *vcpu, vsdk_x86_fpu *fpu, vsdk_error *error);
vsdk_status xen_vcpu_set_fpu(backend_vcpu *vcpu, const vsdk_x86_fpu *fpu, vsdk_error *error);

/* record_xen_x86_64.c: between the neutral records and Xen's of one processor. */
void record_from_regs(HVM_SAVE_TYPE(CPU) * record, const vsdk_x86_regs *regs);
void record_from_sregs(HVM_SAVE_TYPE(CPU) * record, const vsdk_x86_sregs *sregs);
void record_to_sregs(vsdk_x86_sregs *sregs, const HVM_SAVE_TYPE(CPU) * record);

/* cpuid_xen_x86_64.c */
vsdk_status cpuid_open(xen_vm *vm, vsdk_error *error);
vsdk_status cpuid_freeze(xen_vm *vm, vsdk_error *error);
void cpuid_close(xen_vm *vm);
vsdk_status xen_vm_set_cpuid(backend_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                             vsdk_error *error);
vsdk_status xen_vcpu_get_cpuid(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                               vsdk_x86_cpuid_entry *entry, vsdk_error *error);

#endif
