/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts: a hypervisor, opened.
 *
 * A vsdk_host is one way to run virtual machines on this computer: a backend that was found, opened
 * and asked what it can do. Virtual machines are made from it.
 *
 * Backends are called by name: kvm (Linux KVM), xen (Xen HVM domains, from a dom0), mock and
 * mock-autonomous (interpreters of a small part of x86-64 that need no hypervisor, for tests; see
 * docs/mock.md). Without a name the first of kvm and xen that works is opened; the mocks are never
 * chosen by themselves.
 *
 * What backends do not share is a capability, and every answer carries its reason.
 *
 * A forked child has the descriptors of hosts and virtual machines until it calls exec or exits;
 * there is no way to close them at the fork. On KVM it can do nothing with them, and it has none of
 * the machines' memory; but the kernel keeps its own part of a machine that was destroyed meanwhile
 * until the child has called exec or ended.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/host.toml by abi/generate.py.
 */

#ifndef VSDK_HOST_H
#define VSDK_HOST_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* An opened backend. Counted: virtual machines keep it alive. Since 0.1. */
typedef struct vsdk_host vsdk_host;

/*
 * What a backend may or may not be able to do: the same list on every backend. The value of some
 * answers is a number.
 *
 * Since 0.1.
 */
enum vsdk_capability_values {
    VSDK_CAPABILITY_AUTONOMOUS = 1,       /* In RUNNING the guest executes whether or not anyone
                                             is inside vsdk_vcpu_run */
    VSDK_CAPABILITY_KERNEL_MODE = 2,      /* Guest code at CPL 0 runs at native speed; emulated
                                             means that an instruction emulator runs it, slowly
                                             and in part */
    VSDK_CAPABILITY_VCPUS_MAX = 3,        /* Value: the most virtual processors a virtual machine */
    VSDK_CAPABILITY_MEMORY_MAX = 4,       /* Value: the most guest memory a virtual machine in
                                             bytes that the backend could give now, 0 if it sets
                                             no limit of its own */
    VSDK_CAPABILITY_IRQCHIP_PORTABLE = 5, /* Local APICs in the hypervisor, the IOAPIC a device
                                             of the library */
    VSDK_CAPABILITY_IRQCHIP_KERNEL = 6,   /* All interrupt controllers and timers of a PC in the
                                             hypervisor */
    VSDK_CAPABILITY_IRQCHIP_NONE = 7,     /* No interrupt controller at all: HALT exits */
    /*
     * vsdk_vcpu_complete finishes an access and executes nothing after it. Elsewhere an access that
     * is finished in PAUSED shows in the registers when the guest goes on.
     */
    VSDK_CAPABILITY_COMPLETE_EXACT = 8,
    VSDK_CAPABILITY_SYNC_GENERAL = 9,     /* General registers with each exit at a fixed address;
                                             emulated costs a call an exit */
    VSDK_CAPABILITY_SYNC_SREGS = 10,      /* Segment and control registers with each exit at a
                                             fixed address; emulated costs a call an exit */
    VSDK_CAPABILITY_DOORBELL_KERNEL = 11, /* A doorbell rings without leaving the hypervisor;
                                             emulated means that the vCPU's thread rings it */
    VSDK_CAPABILITY_IRQ_LEVEL = 12,       /* Level-triggered lines in the portable machine */
    VSDK_CAPABILITY_MSI = 13,             /* Direct message-signalled interrupts */
    VSDK_CAPABILITY_MSI_ALL_MODES = 14,   /* Messages in every delivery mode; without it fixed
                                             and lowest priority only */
    VSDK_CAPABILITY_NMI = 15,             /* vsdk_x86_vcpu_inject_nmi */
    VSDK_CAPABILITY_READONLY = 16,        /* Read-only guest memory whose writes come as MMIO
                                             exits */
    VSDK_CAPABILITY_RAM_ALIAS = 17,       /* One RAM object at two guest addresses */
    VSDK_CAPABILITY_RAM_SHARED = 18,      /* RAM from a memfd or file, shared */
    VSDK_CAPABILITY_RAM_PRIVATE = 19,     /* RAM as a private copy of a file */
    VSDK_CAPABILITY_RAM_CALLER = 20,      /* The caller's own pages as RAM */
    VSDK_CAPABILITY_DIRTY = 21,           /* Tracking of written pages (VSDK_RAM_TRACKED) */
    VSDK_CAPABILITY_HALT_EXIT = 22,       /* HALT exits without an interrupt controller */
    VSDK_CAPABILITY_CRASH_DETAIL = 23,    /* A triple fault is told apart from a crash that the
                                             guest reports itself */
    VSDK_CAPABILITY_EXIT_DEBUG = 24,      /* DEBUG exits */
    VSDK_CAPABILITY_EXIT_MSR = 25,        /* MSR exits */
    VSDK_CAPABILITY_EXIT_CPUID = 26,      /* CPUID exits */
    VSDK_CAPABILITY_EXIT_IRQ_WINDOW = 27, /* IRQ_WINDOW exits */
    VSDK_CAPABILITY_DIRECT_IO = 28,       /* Direct I/O and registered buffers of io_uring can
                                             reach guest memory; without it data goes through a
                                             buffer of the library's */
    VSDK_CAPABILITY_DEATH_EVENT = 29,     /* The end of a guest is told at once; emulated means
                                             that it is polled for */
    VSDK_CAPABILITY_DOWN_REGS = 30,       /* All registers of a processor that is down (not
                                             started, or halted for good); without it general and
                                             control registers only */
    VSDK_CAPABILITY_DESCRIPTOR = 31,      /* A host may be opened from a descriptor that somebody
                                             else opened */
    VSDK_CAPABILITY_ORPHANS = 32,         /* A guest outlives its owner's death and can be found
                                             and reaped */
    VSDK_CAPABILITY_CPUID_SET = 33,       /* CPUID leaves may be chosen before the first vCPU */
    VSDK_CAPABILITY_FPU = 34,             /* x87, SSE and extended state can be read and set */
    VSDK_CAPABILITY_MSI_DESCRIPTOR = 35,  /* A message that is sent by writing to a descriptor,
                                             without a call of the library's (irqfd) */
    VSDK_CAPABILITY_CONSOLE = 36,         /* A console that the hypervisor gives the guest (hvc0
                                             of Linux on Xen), beside serial ports: console of
                                             vsdk_vm_config */
    VSDK_CAPABILITY_PCI_LINES = 37,       /* PCI functions (pci.h) have interrupt lines (INTx),
                                             beside messages */
};
typedef uint32_t vsdk_capability;

/*
 * Answer to a capability query.
 *
 * Since 0.1.
 */
enum vsdk_answer_values {
    VSDK_ANSWER_NO = 0,       /* Not on this host */
    VSDK_ANSWER_YES = 1,      /* As described */
    VSDK_ANSWER_EMULATED = 2, /* As described, by the library or in another way than the
                                 hypervisor's own; slower or partial as the reason says */
};
typedef uint32_t vsdk_answer;

/*
 * Severity of a log message.
 *
 * Since 0.1.
 */
enum vsdk_log_level_values {
    VSDK_LOG_ERROR = 1,   /* Something failed that no status can carry */
    VSDK_LOG_WARNING = 2, /* Works, but not as asked; orphaned guests */
    VSDK_LOG_INFO = 3,    /* Worth knowing once */
    VSDK_LOG_DEBUG = 4,   /* For the developers of a program; includes unclaimed accesses */
};
typedef uint32_t vsdk_log_level;

/*
 * Flags of vsdk_host_config.
 *
 * Since 0.1.
 */
enum vsdk_host_flags_values {
    VSDK_HOST_DESCRIPTOR = 0x1, /* descriptor is valid */
};
typedef uint32_t vsdk_host_flags;

/*
 * Receives the library's messages. Messages that a guest can cause are limited in rate. The library
 * writes nowhere else. Some that tell of a failure come while a lock is held: in a language with a
 * collector, no handle is closed meanwhile, and the function waits for no lock that is held over a
 * call of the library's.
 *
 *   user   (may be NULL) The pointer given with the callback.
 *   level  Severity.
 *   text   One line, no newline; valid during the call.
 *
 * Runs on: Any thread that is inside a function of the library.
 * May call: nothing of the library.
 * Since 0.1.
 */
typedef void (*vsdk_log_fn)(void *user, vsdk_log_level level, const char *text);

/*
 * How to open a host.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 64 bytes. Since 0.1.
 */
typedef struct vsdk_host_config {
    uint32_t size;                /* sizeof(vsdk_host_config) */
    uint32_t flags;               /* vsdk_host_flags */
    int32_t descriptor;           /* With VSDK_HOST_DESCRIPTOR: an open descriptor of the
                                     hypervisor's device (/dev/kvm). It is duplicated; the caller
                                     keeps its own. */
    uint32_t kick_signal;         /* KVM: the real-time signal that interrupts a guest, 0 for
                                     SIGRTMAX - 1. It is blocked in each thread that runs a vCPU,
                                     and no handler is installed. */
    vsdk_log_fn log;              /* Receives messages; NULL drops them */
    void *log_user;               /* (may be NULL) First argument of log */
    vsdk_release_fn log_release;  /* (may be NULL) Called once with log_user when the host is
                                     gone or could not be opened */
    uint32_t log_level;           /* Most verbose vsdk_log_level to deliver, 0 for
                                     VSDK_LOG_WARNING */
    uint32_t reserved;            /* Zero */
    const char *module_directory; /* The directory of backend modules. NULL: vsdk beside the
                                     library, else the directory compiled in. Copied. */
    uint64_t seed;                /* mock-autonomous: seed of its schedule */
} vsdk_host_config;

/*
 * Answer to a capability query.
 *
 * The caller sets size to sizeof; the library fills in the rest. 224 bytes. Since 0.1.
 */
typedef struct vsdk_capability_info {
    uint32_t size;      /* sizeof(vsdk_capability_info), set by the caller */
    uint32_t flags;     /* Zero */
    vsdk_answer answer; /* No, yes or emulated */
    uint32_t reserved;  /* Zero */
    uint64_t value;     /* The number for capabilities that have one, else 0 */
    char reason[200];   /* Why, in one sentence; never empty unless the answer is yes */
} vsdk_capability_info;

/*
 * A guest of this library whose owner died.
 *
 * 128 bytes. Since 0.1.
 */
typedef struct vsdk_orphan {
    uint64_t id;           /* What vsdk_host_reap takes: unique among the guests alive now */
    uint32_t domain;       /* The hypervisor's number of the guest (Xen domid) */
    uint32_t owner_pid;    /* Process id that its owner had */
    uint64_t memory;       /* Bytes of memory that it holds */
    uint64_t reserved[13]; /* Zero */
} vsdk_orphan;

/*
 * Take a reference more.
 *
 *   host  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_host *vsdk_host_ref(vsdk_host *host);

/*
 * The name of a vsdk_capability: autonomous, kernel_mode, vcpus_max and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_capability_name(vsdk_capability value);

/*
 * The name of a vsdk_answer: no, yes, emulated.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_answer_name(vsdk_answer value);

/*
 * The name of a vsdk_log_level: error, warning, info and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_log_level_name(vsdk_log_level value);

/*
 * Open a backend.
 *
 * By name, or with NULL the first of kvm and xen that works; if none does the error names the
 * reason of each.
 *
 * KVM: opens /dev/kvm unless descriptor is given. Xen: loads the module for the Xen release that
 * runs and opens its device nodes; orphaned guests of dead owners are reported to log at
 * VSDK_LOG_WARNING. The mocks: loads their module. No environment variable chooses a module, and a
 * module that was loaded stays loaded.
 *
 *   backend  kvm, xen, mock, mock-autonomous, or NULL.
 *   config   NULL for all defaults.
 *   host     (out, new reference) The host; close it with vsdk_host_close.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  host is NULL, the configuration is malformed, or the kick signal is not a
 *                     real-time signal
 *   NOT_FOUND         no backend has this name
 *   UNAVAILABLE       the hypervisor, its device node or the module is not there; for NULL, no
 *                     backend works
 *   LIMIT             there are no more descriptors
 *   PERMISSION        the device may not be opened, or the process is not privileged on Xen
 *   UNSUPPORTED       the configuration has a later version's field, or the backend cannot be
 *                     opened from a descriptor
 *   VERSION           the hypervisor or the module has another interface version
 *   NO_MEMORY         no memory
 *   SYSTEM            the device answered with another error (for a descriptor: it is not a KVM
 *                     device)
 * Threads: any. Blocks: briefly: opens devices, may load a module. From callbacks: yes. States:
 * any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_host_open(const char *backend, const vsdk_host_config *config, vsdk_host **host,
                           vsdk_error *error);

/*
 * Drop a reference to a host.
 *
 *   host  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_host_close(vsdk_host *host);

/*
 * Name of the backend of a host.
 *
 * Returns kvm, xen, mock or mock-autonomous (static).
 * Given NULL: returns an empty string.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_host_backend(const vsdk_host *host);

/*
 * Names of the backends that this library knows.
 *
 * In the order in which they are tried, the mocks last. That a name is listed does not mean that it
 * works here: open it to learn that, or why not.
 *
 *   index  From 0.
 *
 * Returns the name, or NULL after the last (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_backend_at(uint32_t index);

/*
 * Ask what a host can do, and why not.
 *
 *   capability  What is asked.
 *   info        (inout) size set by the caller; the rest is filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or size is too small
 *   NOT_FOUND         no such capability in this version
 *   STATE             called in a forked child
 * Threads: any. Blocks: the first question about KERNEL_MODE measures it once a process (about 10
 * ms). From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_host_query(vsdk_host *host, vsdk_capability capability, vsdk_capability_info *info,
                            vsdk_error *error);

/*
 * Guests whose owner died.
 *
 * Only guests that carry this library's mark, and whose owner is certainly gone (its process id is
 * free or belongs to a process started later). Backends whose guests die with their owner always
 * answer none.
 *
 *   orphans   (out, capacity elements) Filled; NULL with capacity 0 just asks for the number.
 *   capacity  (entries) Room in orphans.
 *   needed    (out, entries) How many there are.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  host or needed is NULL, or orphans is NULL with a capacity
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: asks the hypervisor. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_host_list_orphans(vsdk_host *host, vsdk_orphan *orphans, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error);

/*
 * Destroy an orphan.
 *
 * Checks again that it carries the mark and that its owner is gone.
 *
 *   id  vsdk_orphan.id.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  host is NULL
 *   NOT_FOUND         no such orphan
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: until the hypervisor has taken its resources back. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_host_reap(vsdk_host *host, uint64_t id, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_HOST_H */
