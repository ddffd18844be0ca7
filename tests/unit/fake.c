/* SPDX-License-Identifier: Apache-2.0 */
/* The fake core (fake.h): each public function that loaders, devices and machine call, as simple as
 * it can be. Its tables have limits, and a test that needs more of them fails. */
#include "fake.h"

#include "base/error.h"
#include "core/fields.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct vsdk_device {
    vsdk_vm *vm;
    const vsdk_device_ops *key;
    vsdk_device_ops ops;
    void *user;
    uint32_t refs, attached, locked, concurrent;
    char name[32];
};

struct vsdk_irq {
    vsdk_vm *vm;
    vsdk_device *device;
    uint32_t gsi, high;
};

struct vsdk_work {
    vsdk_vm *vm;
    vsdk_device *device;
    vsdk_work_fn fn;
    void *user;
    int posted;
};

struct vsdk_timer {
    vsdk_vm *vm;
    vsdk_device *device;
    vsdk_timer_fn fn;
    void *user;
};

struct vsdk_ram {
    vsdk_vm *vm;
    uint32_t refs;
    uint64_t bytes;
};

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

int fake_leaks(void)
{
    return __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check();
}

static int fake_fails(vsdk_vm *vm)
{
    return vm->fail && !--vm->fail;
}

static vsdk_status fake_no_memory(vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NO_MEMORY, "fake", "as the test wants");
}

/* Devices */

vsdk_status vsdk_device_create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                               const vsdk_device_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_device *made = fake_fails(vm) ? NULL : calloc(1, sizeof *made);

    if (!made) {
        if (ops->release)
            ops->release(user);
        return fake_no_memory(error);
    }
    *made = (vsdk_device){vm, ops, *ops, user, 1, 0, 0, config->flags & VSDK_DEVICE_CONCURRENT, ""};
    strncpy(made->name, config->name, sizeof made->name - 1);
    vm->devices++;
    *device = made;
    return VSDK_OK;
}

void vsdk_device_close(vsdk_device *device)
{
    if (!device || --device->refs)
        return;
    device->vm->devices--;
    if (device->ops.release)
        device->ops.release(device->user);
    free(device);
}

vsdk_status vsdk_device_add_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                  uint64_t length, uint32_t region, vsdk_error *error)
{
    vsdk_vm *vm = device->vm;

    if (space == VSDK_SPACE_PIO && address + length > 0x10000)
        return error_set(error, VSDK_ERROR_RANGE, "fake", "beyond the ports");
    for (uint32_t i = 0; i < vm->ranges; i++)
        if (vm->range[i].device && vm->range[i].space == space &&
            address < vm->range[i].address + vm->range[i].length &&
            vm->range[i].address < address + length)
            return error_set(error, VSDK_ERROR_EXISTS, "fake", "something is there");
    if (fake_fails(vm))
        return fake_no_memory(error);
    vm->range[vm->ranges++] = (fake_range){device, space, address, length, region};
    if (!device->attached++)
        device->refs++;
    return VSDK_OK;
}

vsdk_status vsdk_device_detach(vsdk_device *device, vsdk_error *error)
{
    vsdk_vm *vm = device->vm;

    for (uint32_t i = 0; i < vm->ranges; i++)
        if (vm->range[i].device == device)
            vm->range[i].device = NULL;
    if (device->attached) {
        device->attached = 0;
        vsdk_device_close(device);
    }
    return VSDK_OK;
}

vsdk_device *vsdk_device_ref(vsdk_device *device)
{
    if (device)
        device->refs++;
    return device;
}

vsdk_status vsdk_device_remove_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                     vsdk_error *error)
{
    vsdk_vm *vm = device->vm;

    for (uint32_t i = 0; i < vm->ranges; i++)
        if (vm->range[i].device == device && vm->range[i].space == space &&
            vm->range[i].address == address) {
            vm->range[i].device = NULL;
            return VSDK_OK;
        }
    return error_set(error, VSDK_ERROR_NOT_FOUND, "fake", "no such range");
}

/* Nobody has tags here. */
vsdk_status vsdk_vm_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                              uint64_t tag, vsdk_error *error)
{
    return fake_no_memory(error);
}

vsdk_status vsdk_vm_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address, vsdk_error *error)
{
    return VSDK_OK;
}

void *vsdk_device_user(vsdk_device *device, const vsdk_device_ops *ops)
{
    return device && device->key == ops ? device->user : NULL;
}

vsdk_vm *vsdk_device_vm(vsdk_device *device)
{
    return device->vm;
}

/* A device that nobody has paused acts: there is no state before the first start here. */
static vsdk_status fake_acts(const vsdk_device *device, vsdk_error *error)
{
    return device && device->vm->paused
               ? error_set(error, VSDK_ERROR_STATE, "fake", "it is stopped")
               : VSDK_OK;
}

static void fake_lock(vsdk_device *device)
{
    if (device->locked++)
        abort(); /* a real lock would wait for ever */
}

static void fake_unlock(vsdk_device *device)
{
    device->locked--;
}

vsdk_status vsdk_device_enter(vsdk_device *device, vsdk_error *error)
{
    vsdk_status status = fake_acts(device, error);

    if (!status)
        fake_lock(device);
    return status;
}

void vsdk_device_leave(vsdk_device *device)
{
    fake_unlock(device);
}

vsdk_status vsdk_device_save(vsdk_device *device, void *bytes, uint64_t capacity, uint64_t *needed,
                             vsdk_error *error)
{
    vsdk_state_writer writer;
    vsdk_status status;

    fields_begin(&writer, device->name);
    status = device->ops.save(device->user, device, &writer, error);
    if (!status)
        status = fields_take(&writer, bytes, capacity, needed, "fake", error);
    fields_end(&writer);
    return status;
}

vsdk_status vsdk_device_load(vsdk_device *device, const void *bytes, uint64_t length,
                             vsdk_error *error)
{
    vsdk_state_reader reader;
    vsdk_status status = fields_open(&reader, device->name, bytes, length, "fake", error);

    return status ? status : device->ops.load(device->user, device, &reader, error);
}

void fake_reset(vsdk_device *device)
{
    if (device->ops.reset)
        device->ops.reset(device->user, device);
}

const fake_range *fake_find(vsdk_vm *vm, vsdk_space space, uint64_t address, uint32_t width)
{
    for (uint32_t i = 0; i < vm->ranges; i++) {
        const fake_range *r = &vm->range[i];

        if (r->device && r->space == space && address >= r->address &&
            address + width <= r->address + r->length)
            return r;
    }
    return NULL;
}

static uint64_t fake_cut(uint64_t value, uint32_t width)
{
    return width == 8 ? value : value & ((UINT64_C(1) << (width * 8)) - 1);
}

uint64_t fake_read(vsdk_vm *vm, vsdk_space space, uint64_t address, uint32_t width)
{
    const fake_range *r = fake_find(vm, space, address, width);
    uint64_t value = UINT64_MAX;

    if (r && r->device->ops.read) {
        vsdk_device *device = r->device;

        const vsdk_access access = {
            .offset = address - r->address, .region = r->region, .width = (uint16_t)width};

        fake_lock(device);
        value = device->ops.read(device->user, device, &access);
        fake_unlock(device);
    }
    return fake_cut(value, width);
}

void fake_write(vsdk_vm *vm, vsdk_space space, uint64_t address, uint32_t width, uint64_t value)
{
    const fake_range *r = fake_find(vm, space, address, width);

    if (r && r->device->ops.write) {
        vsdk_device *device = r->device;

        const vsdk_access access = {.offset = address - r->address,
                                    .value = fake_cut(value, width),
                                    .region = r->region,
                                    .width = (uint16_t)width};

        fake_lock(device);
        device->ops.write(device->user, device, &access);
        fake_unlock(device);
    }
}

/* A device hears it once, however many ranges it has. */
static int fake_first_range(const vsdk_vm *vm, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (vm->range[i].device == vm->range[at].device)
            return 0;
    return vm->range[at].device != NULL;
}

void fake_pause(vsdk_vm *vm, int pause)
{
    if (!pause)
        vm->paused = 0;
    for (uint32_t i = 0; i < vm->ranges; i++) {
        vsdk_device *device = vm->range[i].device;

        if (!fake_first_range(vm, i))
            continue;
        if (!pause && device->ops.start)
            device->ops.start(device->user, device);
        if (pause && device->ops.stop)
            device->ops.stop(device->user, device, VSDK_STOP_FINISH);
    }
    if (pause)
        vm->paused = 1;
}

/* Lines and messages */

vsdk_status vsdk_irq_create(vsdk_vm *vm, const vsdk_irq_config *config, vsdk_irq **irq,
                            vsdk_error *error)
{
    vsdk_irq *made;

    if (config->gsi > 1023)
        return error_set(error, VSDK_ERROR_LIMIT, "fake", "line %u", config->gsi);
    made = fake_fails(vm) ? NULL : calloc(1, sizeof *made);
    if (!made)
        return fake_no_memory(error);
    *made = (vsdk_irq){vm, config->device, config->gsi, 0};
    *irq = made;
    return VSDK_OK;
}

void vsdk_irq_close(vsdk_irq *irq)
{
    free(irq);
}

static void fake_set(vsdk_irq *irq, uint32_t level)
{
    vsdk_vm *vm = irq->vm;

    if (irq->high == level)
        return;
    irq->high = vm->level[irq->gsi] = level;
    vm->edges[irq->gsi] += level;
    if (vm->set_line)
        vm->set_line(vm->controller, vm, irq->gsi, level);
}

vsdk_status vsdk_irq_raise(vsdk_irq *irq, vsdk_error *error)
{
    vsdk_status status = fake_acts(irq->device, error);

    if (!status)
        fake_set(irq, 1);
    return status;
}

vsdk_status vsdk_irq_lower(vsdk_irq *irq, vsdk_error *error)
{
    fake_set(irq, 0);
    return VSDK_OK;
}

vsdk_status vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    if (vm->messages < FAKE_MESSAGES)
        vm->message[vm->messages++] = (fake_message){address, data};
    return VSDK_OK;
}

vsdk_status vsdk_irq_controller_attach(vsdk_vm *vm, uint32_t first_gsi, uint32_t count,
                                       vsdk_irq_line_fn set_line, void *user,
                                       vsdk_release_fn release, vsdk_error *error)
{
    if (vm->set_line || first_gsi + count > 1024 || fake_fails(vm)) {
        release(user);
        return error_set(error,
                         vm->set_line               ? VSDK_ERROR_EXISTS
                         : first_gsi + count > 1024 ? VSDK_ERROR_LIMIT
                                                    : VSDK_ERROR_NO_MEMORY,
                         "fake", "lines from %u", first_gsi);
    }
    vm->set_line = set_line;
    vm->controller = user;
    vm->controller_release = release;
    return VSDK_OK;
}

vsdk_status vsdk_irq_controller_detach(vsdk_vm *vm, uint32_t first_gsi, vsdk_error *error)
{
    if (vm->set_line)
        vm->controller_release(vm->controller);
    vm->set_line = NULL;
    return VSDK_OK;
}

/* The virtual machine */

vsdk_status vsdk_vm_create(vsdk_host *host, const vsdk_vm_config *config, vsdk_vm **vm,
                           vsdk_error *error)
{
    if (fake_fails(host->vm))
        return fake_no_memory(error);
    *vm = host->vm;
    (*vm)->refs = 1;
    (*vm)->vcpus_max = config->vcpus_max;
    (*vm)->irqchip = config->irqchip;
    (*vm)->memory_max = config->memory_max;
    return VSDK_OK;
}

void vsdk_vm_close(vsdk_vm *vm)
{
    if (vm && !--vm->refs)
        fake_end(vm);
}

vsdk_status vsdk_vm_stop(vsdk_vm *vm, vsdk_exit_reason reason, uint64_t code, uint64_t detail,
                         vsdk_error *error)
{
    if (vm->stop)
        return VSDK_OK;
    vm->stop = reason;
    vm->stop_code = code;
    vm->stop_detail = detail;
    return VSDK_OK;
}

vsdk_status vsdk_vm_get_info(vsdk_vm *vm, vsdk_vm_info *info, vsdk_error *error)
{
    info->state = vm->state;
    info->irqchip = vm->irqchip;
    info->vcpus_max = vm->vcpus_max;
    return VSDK_OK;
}

vsdk_status vsdk_vm_list_reserved(vsdk_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error)
{
    *needed = vm->served_count;
    for (uint32_t i = 0; i < vm->served_count && i < capacity; i++)
        ranges[i] = vm->served[i];
    return VSDK_OK;
}

uint64_t vsdk_vm_clock(vsdk_vm *vm)
{
    return vm->clock;
}

/* Timers */

vsdk_loop *vsdk_vm_loop(vsdk_vm *vm, vsdk_error *error)
{
    return fake_fails(vm) ? (fake_no_memory(error), NULL) : (vsdk_loop *)vm;
}

vsdk_status vsdk_timer_create(vsdk_loop *loop, vsdk_device *device, vsdk_timer_fn fn, void *user,
                              vsdk_release_fn release, vsdk_timer **timer, vsdk_error *error)
{
    vsdk_timer *made = fake_fails(device->vm) ? NULL : calloc(1, sizeof *made);

    if (!made)
        return fake_no_memory(error);
    *made = (vsdk_timer){device->vm, device, fn, user};
    *timer = device->vm->timer = made;
    device->vm->delay = UINT64_MAX;
    return VSDK_OK;
}

vsdk_status vsdk_timer_arm(vsdk_timer *timer, uint64_t delay_ns, uint64_t period_ns,
                           vsdk_error *error)
{
    timer->vm->delay = delay_ns;
    return VSDK_OK;
}

vsdk_status vsdk_timer_disarm(vsdk_timer *timer, vsdk_error *error)
{
    if (!timer)
        return error_null(error, "fake", "timer");
    timer->vm->delay = UINT64_MAX;
    return VSDK_OK;
}

/* One that has several users is none of the devices' that this stands in for. */
vsdk_timer *vsdk_timer_ref(vsdk_timer *timer)
{
    return timer;
}

void vsdk_timer_close(vsdk_timer *timer)
{
    free(timer);
}

void fake_expire(vsdk_vm *vm)
{
    vm->delay = UINT64_MAX;
    fake_lock(vm->timer->device);
    vm->timer->fn(vm->timer->user, vm->timer);
    fake_unlock(vm->timer->device);
}

/* Work */

vsdk_status vsdk_work_create(vsdk_loop *loop, vsdk_device *device, vsdk_work_fn fn, void *user,
                             vsdk_release_fn release, vsdk_work **work, vsdk_error *error)
{
    vsdk_work *made = fake_fails(device->vm) ? NULL : calloc(1, sizeof *made);

    if (!made)
        return fake_no_memory(error);
    *made = (vsdk_work){device->vm, device, fn, user, 0};
    *work = device->vm->work = made;
    return VSDK_OK;
}

vsdk_status vsdk_work_post(vsdk_work *work, vsdk_error *error)
{
    work->posted = 1;
    return VSDK_OK;
}

void vsdk_work_close(vsdk_work *work)
{
    if (work)
        work->vm->work = NULL;
    free(work);
}

void fake_work(vsdk_vm *vm)
{
    vsdk_work *work = vm->work;

    if (!work || !work->posted || vm->paused)
        return;
    work->posted = 0;
    fake_lock(work->device);
    work->fn(work->user, work);
    fake_unlock(work->device);
}

/* Memory */

void fake_ram(vsdk_vm *vm, uint64_t gpa, uint64_t length)
{
    void *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        abort();
    vm->block[vm->blocks++] = (fake_block){.gpa = gpa, .length = length, .bytes = bytes};
}

void fake_end(vsdk_vm *vm)
{
    for (uint32_t i = 0; i < vm->ranges; i++)
        if (vm->range[i].device)
            vsdk_device_detach(vm->range[i].device, NULL);
    vsdk_irq_controller_detach(vm, 0, NULL);
    for (uint32_t i = 0; i < vm->blocks; i++)
        munmap(vm->block[i].bytes, vm->block[i].length);
    vm->blocks = vm->ranges = 0;
}

static uint8_t *fake_at(vsdk_vm *vm, uint64_t gpa, uint64_t length)
{
    for (uint32_t i = 0; i < vm->blocks; i++) {
        const fake_block *b = &vm->block[i];

        if (gpa >= b->gpa && gpa - b->gpa <= b->length && length <= b->length - (gpa - b->gpa))
            return b->bytes + (gpa - b->gpa);
    }
    return NULL;
}

vsdk_status vsdk_vm_read(vsdk_vm *vm, uint64_t gpa, void *buffer, uint64_t length,
                         vsdk_error *error)
{
    uint8_t *at = fake_at(vm, gpa, length);

    if (!at)
        return error_set(error, VSDK_ERROR_RANGE, "fake", "no RAM there");
    memcpy(buffer, at, length);
    return VSDK_OK;
}

vsdk_status vsdk_vm_write(vsdk_vm *vm, uint64_t gpa, const void *buffer, uint64_t length,
                          vsdk_error *error)
{
    uint8_t *at = fake_at(vm, gpa, length);

    if (!at)
        return error_set(error, VSDK_ERROR_RANGE, "fake", "no RAM there");
    memcpy(at, buffer, length);
    return VSDK_OK;
}

vsdk_status vsdk_dma_read(vsdk_device *device, uint64_t gpa, void *buffer, uint64_t length,
                          vsdk_error *error)
{
    vsdk_status status = fake_acts(device, error);

    return status ? status : vsdk_vm_read(device->vm, gpa, buffer, length, error);
}

vsdk_status vsdk_dma_write(vsdk_device *device, uint64_t gpa, const void *buffer, uint64_t length,
                           vsdk_error *error)
{
    vsdk_status status = fake_acts(device, error);

    return status ? status : vsdk_vm_write(device->vm, gpa, buffer, length, error);
}

vsdk_status vsdk_ram_create(vsdk_vm *vm, uint64_t bytes, const vsdk_ram_config *config,
                            vsdk_ram **ram, vsdk_error *error)
{
    vsdk_ram *made = fake_fails(vm) ? NULL : calloc(1, sizeof *made);

    if (!made)
        return fake_no_memory(error);
    *made = (vsdk_ram){vm, 1, bytes};
    if (config)
        vm->ram_config = *config;
    vm->rams++;
    *ram = made;
    return VSDK_OK;
}

void vsdk_ram_close(vsdk_ram *ram)
{
    if (ram)
        ram->vm->rams--;
    free(ram);
}

vsdk_status vsdk_vm_map(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset, uint64_t length,
                        uint32_t flags, vsdk_error *error)
{
    if (offset + length > ram->bytes)
        return error_set(error, VSDK_ERROR_RANGE, "fake", "beyond the memory");
    if (fake_fails(vm))
        return fake_no_memory(error);
    fake_ram(vm, gpa, length);
    vm->block[vm->blocks - 1].offset = offset;
    return VSDK_OK;
}

/* Processors */

vsdk_status vsdk_vcpu_create(vsdk_vm *vm, uint32_t index, const vsdk_vcpu_config *config,
                             vsdk_vcpu **vcpu, vsdk_error *error)
{
    if (fake_fails(vm))
        return fake_no_memory(error);
    if (config)
        vm->vcpu_config = *config;
    *vcpu = &vm->vcpu[index];
    (*vcpu)->vm = vm;
    return VSDK_OK;
}

void vsdk_vcpu_close(vsdk_vcpu *vcpu)
{
}

vsdk_status vsdk_vcpu_get_state(vsdk_vcpu *vcpu, uint32_t state_class, void *state, uint64_t bytes,
                                vsdk_error *error)
{
    memcpy(state, state_class == VSDK_X86_SREGS ? (void *)&vcpu->sregs : (void *)&vcpu->regs,
           bytes);
    return VSDK_OK;
}

vsdk_status vsdk_vcpu_set_state(vsdk_vcpu *vcpu, uint32_t state_class, const void *state,
                                uint64_t bytes, vsdk_error *error)
{
    memcpy(state_class == VSDK_X86_SREGS ? (void *)&vcpu->sregs : (void *)&vcpu->regs, state,
           bytes);
    return VSDK_OK;
}

/* Streams are the real ones; this is what they need of the core. */
vsdk_status vm_forked(const char *operation, vsdk_error *error);
vsdk_status vm_forked(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_STATE, operation, "forked");
}
