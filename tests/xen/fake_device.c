/* SPDX-License-Identifier: Apache-2.0 */
/* The fake of Xen's stable libraries: device model, event channels, foreign memory. */
#include "fake.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

/* The guest's, or Xen's: it cancels no thread of ours. */
static void fire(int event)
{
    const uint64_t one = 1;

    if (event >= 0)
        syscall(SYS_write, event, &one, sizeof one);
}

void fake_request(struct fake_domain *domain, unsigned vcpu, struct ioreq request)
{
    request.vp_eport = 100 + vcpu;
    request.state = STATE_IOREQ_READY;
    domain->requests[vcpu] = request;
    fire(domain->events[vcpu]);
}

void fake_notify(struct fake_domain *domain)
{
    fire(domain->own_event);
}

void fake_shut(struct fake_domain *domain, int code)
{
    domain->shut = 1;
    domain->code = code;
    fire(fake.virq);
}

/* Xen's device nodes are there, and /proc may not be. */
int open(const char *path, int flags, ...)
{
    va_list arguments;
    int mode;

    va_start(arguments, flags);
    mode = va_arg(arguments, int);
    va_end(arguments);
    if (strncmp(path, "/dev/xen/", 9) == 0) {
        FAKE_CALL(-1);
        path = "/dev/null";
    } else if (fake.no_files) {
        return errno = EMFILE, -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Foreign mappings: Linux replaces each as a whole or not at all. */
enum { FOREIGN_MOST = 8192 };
static struct foreign {
    uintptr_t first, last;
} foreign[FOREIGN_MOST];
static unsigned foreign_count;

/* What lies in the range goes; 0 if some lies in it in part. */
static int foreign_drop(void *address, size_t bytes)
{
    uintptr_t first = (uintptr_t)address, last = first + bytes - 1;

    for (unsigned i = 0; i < foreign_count; i++)
        if (foreign[i].first <= last && foreign[i].last >= first &&
            (foreign[i].first < first || foreign[i].last > last))
            return 0;
    for (unsigned i = 0; i < foreign_count;)
        if (foreign[i].first >= first && foreign[i].last <= last)
            foreign[i] = foreign[--foreign_count];
        else
            i++;
    return 1;
}

static void foreign_add(void *address, size_t bytes)
{
    if (foreign_count == FOREIGN_MOST)
        abort();
    foreign[foreign_count++] = (struct foreign){(uintptr_t)address, (uintptr_t)address + bytes - 1};
}

int munmap(void *address, size_t bytes)
{
    if (!foreign_drop(address, bytes))
        return errno = ENOMEM, -1;
    return (int)syscall(SYS_munmap, address, bytes);
}

void *mremap(void *address, size_t old, size_t bytes, int flags, ...)
{
    va_list arguments;
    void *to;

    va_start(arguments, flags);
    to = va_arg(arguments, void *);
    va_end(arguments);
    if (flags & MREMAP_FIXED && !foreign_drop(to, bytes)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mremap, address, old, bytes, flags, to);
}

/* Memory at an address that is in use needs no more. */
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (flags & MAP_FIXED && !foreign_drop(address, bytes)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (fake.no_mappings && !(flags & MAP_FIXED)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

/* Event channels: a handle is a descriptor with one port. */
struct xenevtchn_handle {
    int fd;
    int *slot;
};

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned flags)
{
    xenevtchn_handle *made;

    FAKE_CALL(NULL);
    made = calloc(1, sizeof *made);
    made->fd = eventfd(0, EFD_CLOEXEC);
    fake.handles++;
    return made;
}

int xenevtchn_close(xenevtchn_handle *events)
{
    if (events->slot && *events->slot == events->fd)
        *events->slot = -1;
    close(events->fd);
    free(events);
    fake.handles--;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *events)
{
    return events->fd;
}

static int bind_to(xenevtchn_handle *events, int *slot)
{
    *slot = events->fd;
    events->slot = slot;
    return 7;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *events, unsigned virq)
{
    FAKE_CALL(-1);
    if (fake.virq_taken)
        return errno = EEXIST, -1;
    return bind_to(events, &fake.virq);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *events, uint32_t domid,
                                                     evtchn_port_t port)
{
    struct fake_domain *domain = fake_find(domid);

    FAKE_CALL(-1);
    if (domain && port >= FAKE_OWN_PORT && port < FAKE_OWN_PORT + domain->own_ports) {
        bind_to(events, &domain->own_event);
        return FAKE_OWN_LOCAL + (int)(port - FAKE_OWN_PORT) % 2;
    }
    if (!domain || port < 100 || port >= 100 + FAKE_VCPUS)
        return errno = EINVAL, -1;
    return bind_to(events, &domain->events[port - 100]);
}

int xenevtchn_notify(xenevtchn_handle *events, evtchn_port_t port)
{
    FAKE_CALL(-1);
    for (int i = 0; i < FAKE_DOMAINS; i++)
        if (events->slot == &fake.domains[i].own_event)
            fake.domains[i].own_told[port - FAKE_OWN_LOCAL]++;
    for (int i = 0; i < FAKE_DOMAINS; i++)
        for (int k = 0; k < FAKE_VCPUS; k++)
            if (events->slot == &fake.domains[i].events[k]) {
                fake.domains[i].responses++;
                if (fake.domains[i].eager)
                    fake_request(&fake.domains[i], k, fake.domains[i].requests[k]);
            }
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *events)
{
    eventfd_t count;

    FAKE_CALL(-1);
    if (eventfd_read(events->fd, &count) < 0)
        return -1;
    for (int i = 0; i < FAKE_DOMAINS; i++)
        if (events->slot == &fake.domains[i].own_event)
            return FAKE_OWN_LOCAL; /* the console's: the first that was bound */
    return 7;
}

int xenevtchn_unmask(xenevtchn_handle *events, evtchn_port_t port)
{
    FAKE_CALL(-1);
    return 0;
}

/* Memory. */
struct xenforeignmemory_handle {
    int unused;
};

struct xenforeignmemory_resource_handle {
    void *page;
};

static xenforeignmemory_handle only_memory;

xenforeignmemory_handle *xenforeignmemory_open(xentoollog_logger *logger, unsigned flags)
{
    FAKE_CALL(NULL);
    fake.handles++;
    return &only_memory;
}

int xenforeignmemory_close(xenforeignmemory_handle *memory)
{
    fake.handles--;
    return 0;
}

static int frame_error(const struct fake_domain *domain, xen_pfn_t frame)
{
    if (fake.bad_frame && frame == fake.bad_frame)
        return -EINVAL;
    return frame < FAKE_FRAMES && domain->populated[frame] ? 0 : -EINVAL;
}

/* As the library does it: a failure of the call leaves a hole, a failure of a frame does not. */
void *xenforeignmemory_map2(xenforeignmemory_handle *memory, uint32_t domid, void *address,
                            int protection, int flags, size_t pages, const xen_pfn_t *frames,
                            int *errors)
{
    struct fake_domain *domain = fake_find(domid);

    if (fake_fails(__func__) || !domain) {
        if (address)
            munmap(address, pages * 4096);
        return NULL;
    }
    address = mmap(address, pages * 4096, protection, flags | MAP_SHARED, domain->memory,
                   (off_t)frames[0] * 4096);
    if (address != MAP_FAILED)
        foreign_add(address, pages * 4096);
    for (size_t i = 0; i < pages; i++) {
        errors[i] = frame_error(domain, frames[i]);
        if (errors[i])
            mprotect((char *)address + i * 4096, 4096, PROT_NONE);
    }
    return address == MAP_FAILED ? NULL : address;
}

void *xenforeignmemory_map(xenforeignmemory_handle *memory, uint32_t domid, int protection,
                           size_t pages, const xen_pfn_t *frames, int *errors)
{
    void *made = xenforeignmemory_map2(memory, domid, NULL, protection, 0, pages, frames, errors);

    fake.handles += made != NULL;
    return made;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *memory, void *address, size_t pages)
{
    fake.handles--;
    return munmap(address, pages * 4096);
}

/* A mapping of its own, as Xen's is: it stays when the domain has gone. */
xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *memory,
                                                                domid_t domid, unsigned type,
                                                                unsigned id, unsigned long frame,
                                                                unsigned long count, void **address,
                                                                int protection, int flags)
{
    struct fake_domain *domain = fake_find(domid);
    xenforeignmemory_resource_handle *made;

    FAKE_CALL(NULL);
    made = calloc(1, sizeof *made);
    made->page = mmap(NULL, 4096, protection, MAP_SHARED, domain->memory, FAKE_MEMORY_BYTES);
    *address = made->page;
    fake.handles++;
    return made;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *memory,
                                    xenforeignmemory_resource_handle *resource)
{
    munmap(resource->page, 4096);
    free(resource);
    fake.handles--;
    return 0;
}

/* The device model. */
xendevicemodel_handle *xendevicemodel_open(xentoollog_logger *logger, unsigned flags)
{
    FAKE_CALL(NULL);
    fake.handles++;
    return (xendevicemodel_handle *)&only_memory;
}

int xendevicemodel_close(xendevicemodel_handle *device)
{
    fake.handles--;
    return 0;
}

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *device, domid_t domid, int buffered,
                                       ioservid_t *id)
{
    FAKE_CALL(-1);
    *id = 0;
    return 0;
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *device, domid_t domid,
                                                ioservid_t id, int memory, uint64_t first,
                                                uint64_t last)
{
    FAKE_CALL(-1);
    return 0;
}

int xendevicemodel_map_mem_type_to_ioreq_server(xendevicemodel_handle *device, domid_t domid,
                                                ioservid_t id, uint16_t type, uint32_t flags)
{
    FAKE_CALL(-1);
    return 0;
}

/* The ports of the events are told when the server goes to work. */
int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *device, domid_t domid,
                                          ioservid_t id, int enabled)
{
    struct fake_domain *domain = fake_find(domid);

    FAKE_CALL(-1);
    for (unsigned i = 0; i < FAKE_VCPUS; i++)
        domain->requests[i].vp_eport = 100 + i;
    return 0;
}

int xendevicemodel_set_mem_type(xendevicemodel_handle *device, domid_t domid, hvmmem_type_t type,
                                uint64_t first, uint32_t count)
{
    FAKE_CALL(-1);
    if (fake.no_kinds)
        return errno = EPERM, -1;
    return 0;
}

int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *device, domid_t domid,
                                      uint16_t segment, uint8_t bus, uint8_t slot, uint8_t pin,
                                      unsigned level)
{
    FAKE_CALL(-1);
    return 0;
}

int xendevicemodel_set_isa_irq_level(xendevicemodel_handle *device, domid_t domid, uint8_t line,
                                     unsigned level)
{
    FAKE_CALL(-1);
    return 0;
}

int xendevicemodel_inject_msi(xendevicemodel_handle *device, domid_t domid, uint64_t address,
                              uint32_t data)
{
    FAKE_CALL(-1);
    return 0;
}
