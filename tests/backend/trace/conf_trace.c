/* SPDX-License-Identifier: Apache-2.0 */
/* A device of an embedder's - ports, memory, an interrupt line, DMA and a timer - sees the same
 * from the same guests in every place: its trace, one line an element, is compared with the text
 * below. A plain TAP program, so that the trace can be printed. */
#include "start.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 3, TICK_NS = 1000000, DMA_MOST = 64 };
enum { REGION_PORTS, REGION_PROBE_PORTS, REGION_MEMORY, REGION_PROBE, REGION_END };

#define MESSAGE UINT64_C(0xfee00000)

/* What the guest's accesses must look like, guest by guest. */
static const char golden[] =
#include "conf_trace.golden.h"
    ;

struct probe {
    vsdk_device *device;
    vsdk_timer *timer;
    vsdk_irq *irq[LINES];
    uint32_t address, length, ticks;
    uint64_t next, total;
    char text[16384];
    vsdk_error error;
};

static struct probe probe;

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void trace(const char *format, ...)
{
    size_t used = strlen(probe.text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(probe.text + used, sizeof probe.text - used, format, arguments);
    va_end(arguments);
}

static const uint64_t bases[] = {PORT_BYTE, PROBE_PORT, MMIO, PROBE_MMIO, PORT_END};

static int is_memory(uint32_t region)
{
    return region == REGION_MEMORY || region == REGION_PROBE;
}

static void trace_access(const char *kind, uint32_t region, uint64_t offset, uint32_t width,
                         uint64_t value)
{
    trace("%s %s %llx %u %llx\n", is_memory(region) ? "mmio" : "pio", kind,
          (unsigned long long)(bases[region] + offset), width, (unsigned long long)value);
}

static void trace_dma(const char *kind, const uint8_t *bytes, uint32_t length)
{
    trace("dma %s %x ", kind, probe.address);
    for (uint32_t i = 0; i < length; i++)
        trace("%02x", bytes[i]);
    trace("\n");
}

static void interrupt(uint32_t line)
{
    trace("line %u\n", line);
    if (vsdk_irq_pulse(probe.irq[line], &probe.error) != VSDK_OK)
        trace("failed: %s\n", probe.error.message);
}

static void fill(uint32_t length)
{
    uint8_t bytes[DMA_MOST];

    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * PATTERN_STEP + PATTERN_FIRST);
    if (vsdk_dma_write(probe.device, probe.address, bytes, length, &probe.error) != VSDK_OK)
        trace("failed: %s\n", probe.error.message);
    trace_dma("w", bytes, length);
    interrupt(PROBE_FILL - 1);
}

static void drain(uint32_t length)
{
    uint8_t bytes[DMA_MOST] = {0};

    if (vsdk_dma_read(probe.device, probe.address, bytes, length, &probe.error) != VSDK_OK)
        trace("failed: %s\n", probe.error.message);
    trace_dma("r", bytes, length);
    for (uint32_t i = 0; i < length; i++)
        probe.total += bytes[i];
    interrupt(PROBE_DRAIN - 1);
}

static void tick(void *user, vsdk_timer *timer)
{
    trace("timer %u\n", ++probe.ticks);
    interrupt(PROBE_TIMER - 1);
}

static void command(uint64_t value)
{
    uint32_t length = probe.length < DMA_MOST ? probe.length : DMA_MOST;

    if (value == PROBE_FILL)
        fill(length);
    else if (value == PROBE_DRAIN)
        drain(length);
    else if (value == PROBE_TIMER)
        vsdk_timer_arm(probe.timer, TICK_NS, 0, NULL);
}

/* Every read of the other ranges gives the next number, repeated in each byte. */
static uint64_t next_value(void)
{
    return ++probe.next * UINT64_C(0x0101010101010101);
}

static uint64_t probe_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    uint64_t value = next_value();

    if (access->region == REGION_PROBE_PORTS && access->offset == PROBE_ID)
        value = 0x70726f62;
    if (access->region == REGION_PROBE && access->offset == PROBE_TOTAL)
        value = probe.total;
    if (access->width < 8)
        value &= (UINT64_C(1) << 8 * access->width) - 1;
    trace_access("r", access->region, access->offset, access->width, value);
    return value;
}

static void probe_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    trace_access("w", access->region, access->offset, access->width, access->value);
    if (access->region == REGION_END)
        vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_GUEST_EXIT, access->value, 0, NULL);
    else if (access->region == REGION_PROBE && access->offset == PROBE_ADDRESS)
        probe.address = (uint32_t)access->value;
    else if (access->region == REGION_PROBE && access->offset == PROBE_LENGTH)
        probe.length = (uint32_t)access->value;
    else if (access->region == REGION_PROBE && access->offset == PROBE_COMMAND)
        command(access->value);
}

static const vsdk_device_ops probe_ops = {
    .size = sizeof probe_ops, .read = probe_read, .write = probe_write};

/* The controller of the probe's lines: an edge is a message. */
static void set_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    if (level)
        vsdk_vm_send_msi(vm, MESSAGE, PROBE_VECTOR_FILL + gsi, NULL);
}

static vsdk_status attach(uint32_t region, vsdk_space space, uint64_t length)
{
    return vsdk_device_add_range(probe.device, space, bases[region], length, region, &probe.error);
}

static vsdk_status probe_make(vsdk_vm *vm)
{
    vsdk_error *error = &probe.error;
    vsdk_loop *loop = vsdk_vm_loop(vm, error);
    vsdk_status status = loop ? VSDK_OK : (vsdk_status)error->code;

    if (status != VSDK_OK ||
        (status = vsdk_device_create(vm, &probe_ops, NULL, NULL, &probe.device, error)) !=
            VSDK_OK ||
        (status = attach(REGION_PORTS, VSDK_SPACE_PIO, 0x20)) != VSDK_OK ||
        (status = attach(REGION_PROBE_PORTS, VSDK_SPACE_PIO, 8)) != VSDK_OK ||
        (status = attach(REGION_MEMORY, VSDK_SPACE_MMIO, 0x1000)) != VSDK_OK ||
        (status = attach(REGION_PROBE, VSDK_SPACE_MMIO, 0x1000)) != VSDK_OK ||
        (status = attach(REGION_END, VSDK_SPACE_PIO, 1)) != VSDK_OK ||
        (status = vsdk_timer_create(loop, probe.device, tick, NULL, NULL, &probe.timer, error)) !=
            VSDK_OK ||
        (status = vsdk_irq_controller_attach(vm, 0, LINES, set_line, NULL, NULL, error)) != VSDK_OK)
        return status;
    for (uint32_t line = 0; line < LINES && status == VSDK_OK; line++) {
        vsdk_irq_config config = {.size = sizeof config, .gsi = line, .device = probe.device};

        status = vsdk_irq_create(vm, &config, &probe.irq[line], error);
    }
    return status;
}

static void probe_close(void)
{
    for (uint32_t line = 0; line < LINES; line++)
        vsdk_irq_close(probe.irq[line]);
    vsdk_timer_close(probe.timer);
    vsdk_device_close(probe.device);
    memset(probe.irq, 0, sizeof probe.irq);
    probe.timer = NULL;
    probe.device = NULL;
    probe.next = probe.total = probe.ticks = 0;
}

static vsdk_status run_guest(vsdk_host *host, const struct guest *image)
{
    vsdk_error *error = &probe.error;
    vsdk_vcpu *vcpu = NULL;
    vsdk_ram *ram = NULL;
    vsdk_vm *vm = NULL;
    vsdk_status status;
    vsdk_exit end;

    if ((status = vsdk_vm_create(host, NULL, &vm, error)) == VSDK_OK &&
        (status = vsdk_ram_create(vm, RAM_BYTES, NULL, &ram, error)) == VSDK_OK &&
        (status = vsdk_vm_map(vm, 0, ram, 0, RAM_BYTES, 0, error)) == VSDK_OK &&
        (status = probe_make(vm)) == VSDK_OK &&
        (status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, error)) == VSDK_OK &&
        (status = start_load(vm, image, error)) == VSDK_OK &&
        (status = start_vcpu(vcpu, 0, 0, error)) == VSDK_OK &&
        (status = vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, error)) == VSDK_OK)
        trace("%s %llx\n", vsdk_exit_reason_name(end.reason), (unsigned long long)end.value);
    vsdk_vm_destroy(vm, NULL);
    probe_close();
    vsdk_vcpu_close(vcpu);
    vsdk_ram_close(ram);
    vsdk_vm_close(vm);
    return status;
}

static unsigned long long digest(const char *text)
{
    unsigned long long hash = 0xcbf29ce484222325;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    return hash;
}

/* Prints both from the line where they part. */
static void print_difference(const char *got, const char *expected)
{
    size_t same = 0, line = 0;

    for (; got[same] && got[same] == expected[same]; same++)
        if (got[same] == '\n')
            line = same + 1;
    printf("# here:     %.*s\n", (int)strcspn(got + line, "\n"), got + line);
    printf("# expected: %.*s\n", (int)strcspn(expected + line, "\n"), expected + line);
}

static void print_trace(const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");

        printf("# trace: %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

static const struct {
    const char *name;
    const struct guest *image;
} guests[] = {
    {"device_trace", &guest_device_trace},
    {"pio_echo", &guest_pio_echo},
    {"mmio_widths", &guest_mmio_widths},
    {"rep_string", &guest_rep_string},
};

int main(void)
{
    const char *backend = getenv("VSDK_TEST_BACKEND") ? getenv("VSDK_TEST_BACKEND") : "mock";
    const unsigned count = sizeof guests / sizeof guests[0];
    vsdk_host *host = NULL;
    int failed = 0, same;

    printf("1..%u\n", count + 1);
    if (vsdk_host_open(backend, NULL, &host, &probe.error) != VSDK_OK)
        printf("# %s\n", probe.error.message);
    for (unsigned i = 0; i < count; i++) {
        vsdk_status status;

        trace("guest %s\n", guests[i].name);
        status = host ? run_guest(host, guests[i].image) : VSDK_ERROR_UNAVAILABLE;
        if (status != VSDK_OK)
            printf("# %s: %s\n", probe.error.operation, probe.error.message);
        printf("%sok %u - %s runs\n", status == VSDK_OK ? "" : "not ", i + 1, guests[i].name);
        failed += status != VSDK_OK;
    }
    vsdk_host_close(host);
    print_trace(probe.text);
    printf("# trace digest on %s: %016llx\n", backend, digest(probe.text));
    same = strcmp(probe.text, golden) == 0;
    if (!same)
        print_difference(probe.text, golden);
    printf("%sok %u - the trace is that of every place\n", same ? "" : "not ", count + 1);
    return failed || !same;
}
