/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI.
 *
 * A PCI host and functions on its bus, of the embedder's or of the library's (virtio.h). A machine
 * has a host if its description says so (VSDK_PC_PCI, machine.h); a machine of one's own makes one
 * by vsdk_pci_create. It has one bus of 32 slots with one function each, reached by ECAM.
 *
 * A function is a device (device.h) as any other: it is closed, saved and loaded as such. Its
 * callbacks get what the guest does with its BARs. A BAR may also be another device's, or have a
 * tag, so that its accesses return from run (vsdk_vm_add_range).
 *
 * BARs are where the guest puts them, as long as memory decoding is on (COMMAND). No address is
 * trusted: a BAR that leaves the host's window, or lies where something else is, answers nothing,
 * and the guest reads back what it wrote. It is tried again with the guest's next write to this
 * function's configuration space. When it is attached a function has BARs within the window, and
 * decoding is off: a guest that assigns no addresses just switches it on.
 *
 * Interrupts are messages (MSI-X): there are no lines (VSDK_CAPABILITY_PCI_LINES). What is sent
 * while the vector is masked, the function may not master the bus, or the device is stopped, is
 * pending and sent later.
 *
 * Locks. The configuration space is used under the host's lock, BARs and the MSI-X table under the
 * function's own. placed, config_read, config_written and ejected run with the host's lock; placed
 * without it inside a detach and a load. The host's handle is kept while functions are attached,
 * detached or ask to go.
 *
 * Plugging. A function that is attached when the guest has been started is told to it by the host's
 * event device. vsdk_pci_function_eject asks a guest to let one go; vsdk_pci_function_detach takes
 * it away without asking.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/pci.toml by abi/generate.py.
 */

#ifndef VSDK_PCI_H
#define VSDK_PCI_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/state.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* As the slot of a function: the first free one from 1 on. Since 0.1. */
#define VSDK_PCI_ANY UINT32_C(0xffffffff)

/*
 * Flags of vsdk_pci_bar.
 *
 * Since 0.1.
 */
enum vsdk_pci_bar_flags_values {
    VSDK_PCI_BAR_64 = 0x1,           /* It may be anywhere in 64 bits, and takes the number of
                                        the next BAR too */
    VSDK_PCI_BAR_PREFETCHABLE = 0x2, /* Reading it changes nothing */
};
typedef uint32_t vsdk_pci_bar_flags;

/*
 * Flags of vsdk_pci_capability.
 *
 * Since 0.1.
 */
enum vsdk_pci_capability_flags_values {
    VSDK_PCI_CAPABILITY_READ = 0x1, /* What is read of it is asked of config_read */
};
typedef uint32_t vsdk_pci_capability_flags;

/*
 * What became of a function.
 *
 * Since 0.1.
 */
enum vsdk_pci_ejected_values {
    VSDK_PCI_EJECTED = 0,   /* The guest let it go, asked or of its own accord, and it is
                               detached */
    VSDK_PCI_TIMED_OUT = 1, /* The guest was asked and did not answer in time: it is still
                               attached */
};
typedef uint32_t vsdk_pci_ejected;

/*
 * What a function's driver has switched on.
 *
 * Since 0.1.
 */
enum vsdk_pci_function_flags_values {
    VSDK_PCI_ATTACHED = 0x1, /* It is in a slot */
    VSDK_PCI_DECODES = 0x2,  /* Its BARs answer, where there is room */
    VSDK_PCI_MASTERS = 0x4,  /* It may send messages */
    VSDK_PCI_MSIX = 0x8,     /* Its messages are in use */
};
typedef uint32_t vsdk_pci_function_flags;

/*
 * How to make a host.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 80 bytes. Since 0.1.
 */
typedef struct vsdk_pci_config {
    uint32_t size;          /* sizeof(vsdk_pci_config) */
    uint32_t flags;         /* Zero */
    uint64_t ecam;          /* First of the 1 MiB of its configuration space, a multiple of that;
                               0 for 0xe0000000 */
    uint64_t window;        /* Where BARs may be; 0 for 0xc0000000 */
    uint64_t window_length; /* (bytes) How much; 0 for 0x20000000 */
    uint32_t eject_port;    /* With events, first of 4 ports: a read gives the slots that the
                               guest is asked to let go, one bit each, and clears them; a write
                               takes those slots' functions away. 0 for 0x624. */
    uint32_t reserved;      /* Zero */
    vsdk_device *events;    /* The generic event device (vsdk_ged_create) that tells the guest:
                               event 1 of a new function, event 2 that it is asked to let one go.
                               NULL: nothing is told. Kept. */
    uint64_t reserved2[4];  /* Zero */
} vsdk_pci_config;

/*
 * A range of memory that a function answers. Without device and tag its accesses are the
 * function's, and region of an access is the BAR's number.
 *
 * 40 bytes. Since 0.1.
 */
typedef struct vsdk_pci_bar {
    uint64_t length;          /* (bytes) A power of two, 16 to 2^31, with VSDK_PCI_BAR_64 to
                                 2^40; 0: there is no such BAR */
    vsdk_device *device;      /* (may be NULL) Who answers. Kept while the function is attached. */
    uint64_t tag;             /* Not 0: the accesses return from run with it */
    uint32_t region;          /* With device: given back with each access */
    vsdk_pci_bar_flags flags; /* What kind it is */
    uint64_t reserved;        /* Zero */
} vsdk_pci_bar;

/*
 * A capability: what follows its id and the pointer to the next one. They lie in this order, each
 * at the next multiple of 4, from 0x4c on if there are vectors, else from 0x40 on.
 *
 * 40 bytes. Since 0.1.
 */
typedef struct vsdk_pci_capability {
    const void *bytes;               /* (length bytes) What it says. Copied. */
    const void *writable;            /* (length bytes) A bit set for each that the guest may
                                        change. NULL: none. Copied. */
    uint64_t length;                 /* (bytes) How much, 1 to 190 */
    uint32_t id;                     /* Which one, 1 to 255; not MSI (5) or MSI-X (0x11) */
    vsdk_pci_capability_flags flags; /* What kind it is */
    uint64_t reserved;               /* Zero */
} vsdk_pci_capability;

/*
 * A BAR answers at an address, or nowhere any more.
 *
 *   user      (may be NULL) The function's pointer.
 *   function  (inout) The function; borrowed.
 *   bar       Which.
 *   address   Where; 0 for nowhere.
 *
 * Runs on: As vsdk_device_write_fn of the host; also inside vsdk_vm_reset, vsdk_device_load and
 * vsdk_pci_function_detach.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_pci_placed_fn)(void *user, vsdk_device *function, uint32_t bar,
                                   uint64_t address);

/*
 * The guest reads a capability that has VSDK_PCI_CAPABILITY_READ.
 *
 *   user      (may be NULL) The function's pointer.
 *   function  (inout) The function; borrowed.
 *   offset    (bytes) Where in the configuration space.
 *   width     (bytes) 1, 2, 4 or 8.
 *   stored    What is there.
 *
 * Returns the value; bits above the width are ignored.
 * Runs on: As vsdk_device_read_fn of the host.
 * May call: as vsdk_device_read_fn.
 * Since 0.1.
 */
typedef uint64_t (*vsdk_pci_config_read_fn)(void *user, vsdk_device *function, uint32_t offset,
                                            uint32_t width, uint64_t stored);

/*
 * The guest has written to a capability of the embedder's.
 *
 *   user      (may be NULL) The function's pointer.
 *   function  (inout) The function; borrowed.
 *   offset    (bytes) Where in the configuration space.
 *   width     (bytes) 1, 2, 4 or 8.
 *   stored    What is there now.
 *
 * Runs on: As vsdk_device_write_fn of the host.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_pci_config_written_fn)(void *user, vsdk_device *function, uint32_t offset,
                                           uint32_t width, uint64_t stored);

/*
 * The guest let a function go, or did not in time.
 *
 *   user      (may be NULL) The function's pointer.
 *   function  (inout) The function; borrowed.
 *   what      Which.
 *
 * Runs on: As vsdk_device_write_fn of the host; a time-out comes on the virtual machine's loop.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_pci_ejected_fn)(void *user, vsdk_device *function, vsdk_pci_ejected what);

/*
 * A function's callbacks. Copied when it is made; a NULL entry does nothing, and reads as all ones.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 120 bytes. Since 0.1.
 */
typedef struct vsdk_pci_function_ops {
    /* sizeof(vsdk_pci_function_ops) */
    uint32_t size;
    /* Zero */
    uint32_t flags;
    /* (may be NULL) The guest reads a BAR */
    vsdk_device_read_fn read;
    /* (may be NULL) The guest writes a BAR */
    vsdk_device_write_fn write;
    /* (may be NULL) As of a device that has had a BAR or MSI-X table of its own placed */
    vsdk_device_event_fn start;
    /* (may be NULL) As start */
    vsdk_device_stop_fn stop;
    /* (may be NULL) As start */
    vsdk_device_event_fn reset;
    /*
     * (may be NULL) Write the function's own state, beside what is PCI's. Names that begin with
     * pci. are the library's.
     */
    vsdk_device_save_fn save;
    /* (may be NULL) Read it back */
    vsdk_device_load_fn load;
    /* (may be NULL) A BAR has moved */
    vsdk_pci_placed_fn placed;
    /* A capability is read. NULL: what is stored. */
    vsdk_pci_config_read_fn config_read;
    /* (may be NULL) A capability was written */
    vsdk_pci_config_written_fn config_written;
    /* (may be NULL) The function left its slot */
    vsdk_pci_ejected_fn ejected;
    /* (may be NULL) The function is gone: called once, on failure too */
    vsdk_release_fn release;
    /* Zero */
    uint64_t reserved[2];
} vsdk_pci_function_ops;

/*
 * What a function is. Pointers are borrowed for the call, but the devices of BARs.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 344 bytes. Since 0.1.
 */
typedef struct vsdk_pci_function_config {
    /* sizeof(vsdk_pci_function_config) */
    uint32_t size;
    /* Zero */
    uint32_t flags;
    /* (may be NULL) For messages and saved states; cut to 31 bytes. Copied. */
    const char *name;
    /* Who made it, 1 to 0xfffe */
    uint32_t vendor_id;
    /* What it is, up to 0xffff */
    uint32_t device_id;
    /* Up to 0xffff */
    uint32_t subsystem_vendor_id;
    /* Up to 0xffff */
    uint32_t subsystem_id;
    /* Base class, sub-class and interface, 24 bits: 0x018000 for another mass storage controller */
    uint32_t class_code;
    /* Up to 0xff */
    uint32_t revision;
    /* How many messages it has, up to 2048; 0: there is no MSI-X */
    uint32_t vectors;
    /* The BAR that has their table */
    uint32_t vectors_bar;
    /*
     * (bytes) Where in that BAR the table begins, a multiple of 16. From there to its end the BAR
     * is the library's: 16 bytes a vector, and from the next multiple of 4096 bytes behind the
     * table's begin the pending bits.
     */
    uint64_t vectors_offset;
    /* (capability_count elements, may be NULL) Capabilities of its own */
    const vsdk_pci_capability *capabilities;
    /* How many */
    uint32_t capability_count;
    /* Zero */
    uint32_t reserved;
    /* Its BARs */
    vsdk_pci_bar bars[6];
    /* Zero */
    uint64_t reserved2[4];
} vsdk_pci_function_config;

/*
 * Where a function is.
 *
 * The caller sets size to sizeof; the library fills in the rest. 80 bytes. Since 0.1.
 */
typedef struct vsdk_pci_function_info {
    uint32_t size;         /* sizeof(vsdk_pci_function_info), set by the caller */
    uint32_t flags;        /* vsdk_pci_function_flags: what is on */
    uint32_t slot;         /* Its slot; VSDK_PCI_ANY if it has none */
    uint32_t reserved;     /* Zero */
    uint64_t bars[6];      /* Where each BAR answers; 0 for nowhere */
    uint64_t reserved2[2]; /* Zero */
} vsdk_pci_function_info;

/*
 * The name of a vsdk_pci_ejected: ejected, timed_out.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_pci_ejected_name(vsdk_pci_ejected value);

/*
 * A PCI host with one bus.
 *
 * The device has the configuration space, and with events the port for ejecting. Its state is saved
 * with it; that of its functions is their own.
 *
 *   config  NULL for all defaults.
 *   device  (out, new reference) The host.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, a flag is unknown, an address is not a multiple of what
 *                     it should be, the window wraps, or events is no event device of this virtual
 *                     machine
 *   RANGE             the addresses leave their space
 *   EXISTS            guest memory or another device is there
 *   RESERVED          the hypervisor serves these addresses itself
 *   UNSUPPORTED       the virtual machine has no local APIC, or the configuration has a later
 *                     version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: PCI Express Base Specification 5.0, section 7.2.2.
 */
vsdk_status vsdk_pci_create(vsdk_vm *vm, const vsdk_pci_config *config, vsdk_device **device,
                            vsdk_error *error);

/*
 * Make a function; no guest sees it yet.
 *
 *   ops       Its callbacks. The address also identifies the kind of function, see
 *             vsdk_pci_function_user.
 *   user      (may be NULL) Given to the callbacks. ops->release is called once with it, on failure
 *             too.
 *   config    What it is.
 *   function  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, a field has a value that it can't have,
 *                     or a device is of another virtual machine
 *   UNSUPPORTED       a structure has a later version's field
 *   LIMIT             the capabilities do not fit into 192 bytes
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: PCI Local Bus Specification 3.0, chapter 6.
 */
vsdk_status vsdk_pci_function_create(vsdk_vm *vm, const vsdk_pci_function_ops *ops, void *user,
                                     const vsdk_pci_function_config *config, vsdk_device **function,
                                     vsdk_error *error);

/*
 * Put a function into a slot.
 *
 * Once the guest has been started, it is told.
 *
 *   function  Inout.
 *   host      Inout.
 *   slot      0 to 31, or VSDK_PCI_ANY.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a device is no function or no host, they are of different
 *                     virtual machines, or the slot is above 31
 *   EXISTS            the function is attached, or the slot is taken
 *   LIMIT             no slot is free
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any; one at a time a host. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_pci_function_attach(vsdk_device *function, vsdk_device *host, uint32_t slot,
                                     vsdk_error *error);

/*
 * Take a function out of its slot, whatever the guest says.
 *
 * As vsdk_device_detach; its state is that of power-on when it is attached again. A device that
 * answers a BAR loses that range, no more.
 *
 *   function  Inout.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no function
 *   NOT_FOUND         it is not attached
 *   BUSY              as vsdk_device_detach
 *   STATE             called in a forked child
 * Threads: any; one at a time a host. Blocks: until the callbacks of the function that run have
 * returned. From callbacks: VSDK_ERROR_BUSY from read, write, start, stop, reset, save and load of
 * its own. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pci_function_detach(vsdk_device *function, vsdk_error *error);

/*
 * Ask the guest to let a function go.
 *
 * Its answer is the callback ejected, with which the function is detached. A guest may also let a
 * function go that it was not asked for. When the time is over ejected says so, once; what comes
 * later is an answer too.
 *
 *   function    Inout.
 *   timeout_ns  (ns) How long to wait, on the virtual machine's clock; 0 for ever.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no function
 *   NOT_FOUND         it is not attached
 *   UNSUPPORTED       the host has no event device
 *   STATE             no guest was started, or called in a forked child
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any; one at a time a host. Blocks: no. From callbacks: yes. States: not CREATED.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_pci_function_eject(vsdk_device *function, uint64_t timeout_ns, vsdk_error *error);

/*
 * Send a function's message.
 *
 * While it can't be sent it is pending, and it is sent once when it can.
 *
 *   function  Inout.
 *   vector    Which.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no function
 *   RANGE             it has no such vector
 *   NOT_FOUND         it is not attached, or its driver has not enabled MSI-X
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pci_function_interrupt(vsdk_device *function, uint32_t vector, vsdk_error *error);

/*
 * Where a function is.
 *
 *   info  (inout) size set by the caller; the rest is filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no function, or size is too small
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pci_function_get_info(vsdk_device *function, vsdk_pci_function_info *info,
                                       vsdk_error *error);

/*
 * The pointer of a function of one's own kind.
 *
 *   ops  Its callbacks.
 *
 * Returns the pointer given with it; NULL if the function was made with other callbacks (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void *vsdk_pci_function_user(vsdk_device *function, const vsdk_pci_function_ops *ops);

/*
 * Write what is PCI's of a function beside another device's state.
 *
 * For a device that has the BARs of a function and is saved for both: in its save callback.
 * vsdk_device_save of the function does the same by itself.
 *
 *   writer  (inout) Gets the fields, whose names begin with pci..
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no function
 *   EXISTS            a field has one of these names already
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pci_function_save(vsdk_device *function, vsdk_state_writer *writer,
                                   vsdk_error *error);

/*
 * Read back what vsdk_pci_function_save wrote.
 *
 * In the load callback of the device that the function is of. Its BARs are placed. A function that
 * fails keeps the state that it had.
 *
 *   function  Inout.
 *   reader    (inout) Gives the fields. Not trusted.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no function
 *   FORMAT            a field is missing or has a value that it can't have, or they are of another
 *                     function
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pci_function_load(vsdk_device *function, vsdk_state_reader *reader,
                                   vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_PCI_H */
