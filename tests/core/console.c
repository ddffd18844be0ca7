/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's console as a stream: in order and whole, at the pace of its reader; between exits
 * only, so that a handler may do what a device's callback may; and nothing moves in PAUSED. */
#include "../contract/tap.h"
#include "core/object.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

enum { ROOM = 64 };

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_vcpu *vcpu;
static vsdk_stream *ours;

/* The guest: has `wants` bytes to write, each one more than the last, and takes what has room. */
static _Atomic uint64_t wants, wrote, heard, may_hear;
static uint8_t heard_bytes[1024];
static _Atomic unsigned ends; /* the guest has nothing more to do */

static uint64_t say(void *bytes, uint64_t capacity)
{
    uint64_t count = wants - wrote < capacity ? wants - wrote : capacity;

    for (uint64_t i = 0; i < count; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(wrote + i);
    wrote += count;
    return count;
}

static uint64_t hear(const void *bytes, uint64_t length)
{
    uint64_t room = may_hear - heard, count = room < length ? room : length;

    memcpy(heard_bytes + heard, bytes, count);
    heard += count;
    return count;
}

static enum puppet_act live(backend_vcpu *cpu, vsdk_exit *exit)
{
    if (!atomic_load(&ends))
        return PUPPET_IDLE;
    *exit = (vsdk_exit){.reason = VSDK_EXIT_POWEROFF, .flags = VSDK_EXIT_TERMINAL};
    return PUPPET_EXIT;
}

static void begin(int autonomous)
{
    vsdk_stream_config room = {.size = sizeof room, .capacity = ROOM};
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 1};

    wants = wrote = heard = may_hear = 0;
    ends = 0;
    puppet_console_output = say;
    puppet_console_input = hear;
    puppet_script = live;
    host = puppet_open(autonomous);
    vsdk_stream_create(&room, &config.console, &ours, NULL);
    vm = puppet_vm_with(host, &config, &vcpu);
    vsdk_stream_close(config.console);
    vsdk_vm_resume(vm, NULL);
}

static void end(void)
{
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    vsdk_stream_close(ours);
}

/* The guest wrote, or read: as a backend says it. */
static void stir(void)
{
    atomic_store(&vcpu->backend.vm->console_due, 1);
    vsdk_vcpu_kick(vcpu, NULL);
}

static vsdk_exit_reason run(uint64_t ms)
{
    vsdk_vcpu_run(vcpu, ms * 1000000, NULL);
    return vsdk_vcpu_record(vcpu)->reason;
}

/* Reads up to `most` bytes and compares them with what the guest says from `from` on. */
static uint64_t read_all(uint64_t from, uint64_t most)
{
    uint8_t bytes[8192];
    uint64_t got = 0;

    vsdk_stream_read(ours, bytes, most < sizeof bytes ? most : sizeof bytes, &got, NULL);
    for (uint64_t i = 0; i < got; i++)
        if (bytes[i] != (uint8_t)(from + i))
            return 0;
    return got;
}

static void *run_for_long(void *user)
{
    while (run(10000) != VSDK_EXIT_POWEROFF)
        ;
    return NULL;
}

static void output_at_the_readers_pace(void)
{
    uint64_t read = 0, reads = 0;
    pthread_t thread;

    begin(1);
    wants = 1000;
    pthread_create(&thread, NULL, run_for_long, NULL);
    stir();
    tap(PUPPET_WAIT(vsdk_stream_ready(ours) & VSDK_STREAM_READABLE), "what is written arrives");
    while (read < 1000 && reads++ < 1000) {
        uint64_t got = 0;
        if (!PUPPET_WAIT(got || (got = read_all(read, 48)) != 0))
            break;
        read += got;
        if (wrote - read > ROOM + 256)
            tap(0, "%llu bytes were taken ahead of the reader", (unsigned long long)(wrote - read));
    }
    tap(read == 1000, "%llu of 1000 bytes in order, each time that there was room",
        (unsigned long long)read);
    ends = 1;
    stir();
    pthread_join(thread, NULL);
    end();
}

static void full_means_that_the_guest_waits(void)
{
    begin(1);
    wants = 1000;
    for (int i = 0; i < 20; i++) {
        stir();
        run(1000);
    }
    tap(wrote <= ROOM + 256, "a full stream leaves what the guest wrote with it: %llu taken",
        (unsigned long long)wrote);
    end();
}

static void last_words_have_room(void)
{
    begin(1);
    wants = 3000;
    ends = 1;
    tap(run(1000) == VSDK_EXIT_POWEROFF && wrote == 3000, "all is taken at the end");
    tap(read_all(0, 8192) == 3000, "and is in the stream, however full it is");
    end();
}

static void a_pause_takes_what_was_written(void)
{
    uint64_t taken = 0;

    begin(1);
    wants = 500;
    tap(!vsdk_vm_pause(vm, 0, VSDK_FOREVER, NULL) && read_all(0, 8192) == 500,
        "what was written before a pause is in the stream after it");
    wants = 550;
    may_hear = 10;
    vsdk_stream_write(ours, "abc", 3, &taken, NULL);
    run(1);
    tap(wrote == 500 && !heard, "in PAUSED nothing moves");
    vsdk_vm_resume(vm, NULL);
    run(1);
    tap(wrote == 550 && heard == 3 && read_all(500, 8192) == 50, "it goes on when the guest does");
    end();
}

static vsdk_status pause_status, map_status;
static unsigned told;

static void nosy(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    vsdk_ram *ram = user;

    if (told++)
        return;
    pause_status = vsdk_vm_pause(vm, 0, VSDK_FOREVER, NULL);
    map_status = vsdk_vm_map(vm, 0, ram, 0, 4096, 0, NULL);
    vsdk_vm_pause_request(vm, NULL);
}

static void a_handler_is_a_callback(int autonomous)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_ram *ram;

    begin(autonomous);
    told = 0;
    vsdk_ram_create(vm, 4096, NULL, &ram, NULL);
    vsdk_stream_set_handler(ours, nosy, ram, NULL, NULL);
    wants = 1;
    stir();
    run(1);
    run(1);
    tap(told == 1 && pause_status == VSDK_ERROR_BUSY,
        "a handler that pauses is told that it is in a callback (%u)", pause_status);
    tap(map_status == VSDK_OK, "it maps memory and waits for nobody (%u)", map_status);
    vsdk_vm_get_info(vm, &info, NULL);
    tap(info.state == VSDK_VM_PAUSED, "it asks for a pause, which comes");
    vsdk_stream_set_handler(ours, NULL, NULL, NULL, NULL);
    vsdk_ram_close(ram);
    end();
}

static void input_as_there_is_room(void)
{
    uint8_t bytes[ROOM];
    uint64_t taken = 0;

    begin(1);
    for (unsigned i = 0; i < ROOM; i++)
        bytes[i] = (uint8_t)(i * 3);
    vsdk_stream_write(ours, bytes, ROOM, &taken, NULL);
    run(1);
    tap(taken == ROOM && heard == 0, "a guest that has no room is given nothing");
    for (may_hear = 5; heard < ROOM && may_hear < 200; may_hear += 5) {
        stir();
        run(1000);
    }
    tap(heard == ROOM && !memcmp(heard_bytes, bytes, ROOM), "input comes whole, as there is room");
    end();
}

static void *write_soon(void *user)
{
    uint64_t taken = 0;

    PUPPET_WAIT(atomic_load(&vcpu->place) == PLACE_BUSY);
    vsdk_stream_write(ours, "wake", 4, &taken, NULL);
    PUPPET_WAIT(heard == 4);
    ends = 1;
    stir();
    return NULL;
}

static void input_wakes_a_guest(void)
{
    pthread_t thread;

    begin(1);
    may_hear = 100;
    pthread_create(&thread, NULL, write_soon, NULL);
    run_for_long(NULL);
    pthread_join(thread, NULL);
    tap(heard == 4 && !memcmp(heard_bytes, "wake", 4), "input reaches a guest that waits");
    end();
}

static void nobody_listens(void)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 1};
    uint64_t taken = 0;

    begin(1);
    vsdk_stream_close(ours);
    ours = NULL;
    wants = 5000;
    for (int i = 0; i < 3; i++) {
        stir();
        run(1000);
    }
    tap(wrote == 5000, "a reader that has gone keeps no guest waiting");
    end();

    begin(1);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_destroy(vm, NULL);
    vsdk_vm_close(vm);
    tap(vsdk_stream_ready(ours) & VSDK_STREAM_ENDED, "a destroyed machine's stream has ended");
    vsdk_stream_write(ours, "late", 4, &taken, NULL);
    vm = puppet_vm_with(host, &config, &vcpu);
    vsdk_vm_resume(vm, NULL);
    wants = 5000;
    for (int i = 0; i < 3; i++) {
        stir();
        run(1000);
    }
    tap(wrote == 5000, "without a stream what the guest writes is dropped");
    end();
}

/* Allocations of this size fail. */
static _Atomic size_t fails;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return count * size == atomic_load(&fails) ? NULL : __real_calloc(count, size);
}

static void without_memory(size_t size, const char *what)
{
    vsdk_stream_config room = {.size = sizeof room, .capacity = ROOM};
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 1};
    vsdk_vm *made = NULL;
    vsdk_error why;

    host = puppet_open(1);
    vsdk_stream_create(&room, &config.console, &ours, NULL);
    atomic_store(&fails, size);
    vsdk_status status = vsdk_vm_create(host, &config, &made, &why);
    atomic_store(&fails, 0);
    tap(status == VSDK_ERROR_NO_MEMORY && !made, "without memory for %s there is no machine", what);
    vsdk_stream_close(config.console);
    tap(vsdk_stream_ready(ours) & VSDK_STREAM_ENDED, "which has kept nothing of the stream");
    vsdk_host_close(host);
    vsdk_stream_close(ours);
}

int main(void)
{
    output_at_the_readers_pace();
    full_means_that_the_guest_waits();
    last_words_have_room();
    a_pause_takes_what_was_written();
    a_handler_is_a_callback(0);
    a_handler_is_a_callback(1);
    input_as_there_is_room();
    input_wakes_a_guest();
    nobody_listens();
    without_memory(ROOM + 4096, "a console's reserve");
    without_memory(32, "its handler");
    tap(!puppet_breaches, "the backend's rules were kept");
    tap(!puppet_alive, "all was given back");
    return tap_end();
}
