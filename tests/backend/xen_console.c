/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's kernel with Xen's console for its own, above the Xen backend's operations table: what it
 * says there comes out, and it hears what is typed. xen_console MODULE, in a dom0, with vmlinux and
 * initrd.gz in $VSDK_GUEST_DIR. Prints TAP.
 *
 * The kernel is entered as PVH entry wants it (xen/include/public/arch-x86/hvm/start_info.h), with
 * nothing else: no ACPI, no serial port. */
#include "core/backend.h"
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RAM = 256 << 20, INFO = 0x7000, MODULES = 0x7100, MAP = 0x7200, TEXT = 0x7800 };
enum { SECONDS = 240, ENTRY_NOTE = 18 };

static const char command_line[] =
    "console=hvc0 panic=-1 acpi=off pci=off mitigations=off act=panic wait=60";

static const backend_ops *ops;
static vsdk_error error;
static int checks, failures;
static uint8_t *memory;
static char said[1 << 20];
static size_t said_length;

static void check_at(int line, int good, const char *text)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++checks, text);
    failures += !good;
    if (!good)
        printf("# line %d; error %d %s: %s\n", line, error.code, error.operation, error.message);
}
#define CHECK(expression) check_at(__LINE__, !!(expression), #expression)

static void log_line(backend_host *of, vsdk_log_level level, const char *text)
{
    (void)of;
    if (level <= VSDK_LOG_WARNING)
        printf("# log: %s\n", text);
}

static vsdk_status gate_read(backend_vm *vm, uint64_t gpa, void *to, uint64_t length)
{
    (void)vm;
    if (gpa > RAM || length > RAM - gpa)
        return VSDK_ERROR_RANGE;
    memcpy(to, memory + gpa, length);
    return VSDK_OK;
}

static vsdk_status gate_write(backend_vm *vm, uint64_t gpa, const void *from, uint64_t length)
{
    (void)vm;
    if (gpa > RAM || length > RAM - gpa)
        return VSDK_ERROR_RANGE;
    memcpy(memory + gpa, from, length);
    return VSDK_OK;
}

static void on_console(backend_vm *vm, const void *bytes, uint64_t length)
{
    (void)vm;
    if (length > sizeof said - 1 - said_length)
        length = sizeof said - 1 - said_length;
    memcpy(said + said_length, bytes, length);
    said_length += length;
}

static const core_table core = {.size = sizeof core,
                                .abi = BACKEND_ABI,
                                .log = log_line,
                                .gate_read = gate_read,
                                .gate_write = gate_write,
                                .console_output = on_console};

static const uint8_t *map_file(const char *name, uint64_t *length)
{
    const char *folder = getenv("VSDK_GUEST_DIR");
    char path[512];
    struct stat found;
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found)) {
        printf("1..0 # SKIP no %s\n", path);
        exit(0);
    }
    *length = (uint64_t)found.st_size;
    return mmap(NULL, *length, PROT_READ, MAP_PRIVATE, fd, 0);
}

static uint64_t find_entry(const uint8_t *note, uint64_t length)
{
    for (const uint8_t *end = note + length; (size_t)(end - note) >= sizeof(Elf64_Nhdr);) {
        const Elf64_Nhdr *head = (const Elf64_Nhdr *)note;
        uint32_t entry;
        note += sizeof *head;
        if (head->n_type == ENTRY_NOTE && memcmp(note, "Xen", 4) == 0) {
            memcpy(&entry, note + 4, sizeof entry);
            return entry;
        }
        note += ((head->n_namesz + 3) & ~3u) + ((head->n_descsz + 3) & ~3u);
    }
    return 0;
}

/* The file is Debian's and trusted. */
static uint64_t load_kernel(void)
{
    uint64_t length, entry = 0;
    const uint8_t *file = map_file("vmlinux", &length);
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *parts = (const Elf64_Phdr *)(file + head->e_phoff);

    for (int i = 0; i < head->e_phnum; i++) {
        if (parts[i].p_type == PT_LOAD)
            memcpy(memory + parts[i].p_paddr, file + parts[i].p_offset, parts[i].p_filesz);
        if (parts[i].p_type == PT_NOTE && !entry)
            entry = find_entry(file + parts[i].p_offset, parts[i].p_filesz);
    }
    return entry;
}

static void load_info(void)
{
    uint64_t length;
    const uint8_t *initrd = map_file("initrd.gz", &length);
    uint64_t at = (RAM - length) & ~4095ull;
    const uint64_t map[][3] = {
        {0, 0x9f000, 1}, {0x100000, RAM - 0x100000, 1}, {0xfeff8000, 0x8000, 2}};
    uint32_t *info = (uint32_t *)(memory + INFO);
    uint64_t *module = (uint64_t *)(memory + MODULES);

    memcpy(memory + at, initrd, length);
    strcpy((char *)memory + TEXT, command_line);
    module[0] = at;
    module[1] = length;
    for (int i = 0; i < 3; i++)
        memcpy(memory + MAP + i * 24, map[i], 24);
    info[0] = 0x336ec578; /* the magic number */
    info[1] = 1;          /* version */
    info[3] = 1;          /* modules */
    *(uint64_t *)(info + 4) = MODULES;
    *(uint64_t *)(info + 6) = TEXT;
    *(uint64_t *)(info + 10) = MAP;
    info[12] = 3;
}

static vsdk_x86_segment flat(uint16_t selector, uint16_t access)
{
    return (vsdk_x86_segment){.limit = ~0u, .selector = selector, .access = access};
}

static void enter(backend_vcpu *vcpu, uint64_t entry)
{
    vsdk_x86_regs regs = {.rip = entry, .rbx = INFO, .rflags = 2};
    vsdk_x86_segment data = flat(0x18, 0xc093);
    vsdk_x86_sregs sregs = {.cs = flat(0x10, 0xc09b),
                            .ds = data,
                            .es = data,
                            .fs = data,
                            .gs = data,
                            .ss = data,
                            .tr = {.limit = 0x67, .access = 0x8b},
                            .ldt = {.access = 0x82},
                            .cr0 = 0x11};

    CHECK(!ops->vcpu_set_regs(vcpu, &regs, &error) && !ops->vcpu_set_sregs(vcpu, &sregs, &error));
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Runs until the console has said something, or the guest's end. */
static int run_until(backend_vcpu *vcpu, const char *text)
{
    uint64_t last = now() + SECONDS * 1000000000ull;

    while (!text || !strstr(said, text)) {
        vcpu->deadline_ns = now() + 100000000;
        if (ops->vcpu_run(vcpu, &error) || now() > last)
            return 0;
        if (vcpu->exit->flags & VSDK_EXIT_TERMINAL)
            return !text || strstr(said, text);
        /* A timer that never counts must not count all ones. */
        if (vcpu->exit->reason == VSDK_EXIT_PIO && vcpu->exit->address - 0x40 < 4)
            vcpu->exit->value = 0;
    }
    return 1;
}

static const char *hash_of(const char *word)
{
    static char hash[65];
    char command[128];
    FILE *pipe;

    snprintf(command, sizeof command, "printf %%s %s | sha256sum", word);
    pipe = popen(command, "r");
    if (!pipe || fread(hash, 1, 64, pipe) != 64)
        hash[0] = 0;
    if (pipe)
        pclose(pipe);
    return hash;
}

static void converse(backend_vm *vm, backend_vcpu *vcpu)
{
    char word[32], line[40], answer[96];

    snprintf(word, sizeof word, "%llx", (unsigned long long)now());
    snprintf(line, sizeof line, "%s\n", word);
    CHECK(run_until(vcpu, "challenge? "));
    CHECK(ops->console_input(vm, line, strlen(line)) == strlen(line));
    snprintf(answer, sizeof answer, "answer: %s", hash_of(word));
    CHECK(run_until(vcpu, answer));
    CHECK(strstr(said, "VSDK-GUEST hypervisor: Xen"));
    /* Its last words come out too, and it is known that it panicked. */
    CHECK(run_until(vcpu, NULL));
    CHECK(strstr(said, "Kernel panic - not syncing") && strstr(said, "Kernel Offset: "));
    CHECK(vcpu->exit->reason == VSDK_EXIT_CRASH && vcpu->exit->detail == VSDK_CRASH_PANIC);
    printf("# it ended with %u, %llu, native %llu\n", vcpu->exit->reason,
           (unsigned long long)vcpu->exit->detail, (unsigned long long)vcpu->exit->native);
}

static void boot(backend_host *host)
{
    static vsdk_exit exit __attribute__((aligned(64)));
    static backend_vcpu *list[1], vcpu;
    static backend_vm vm;
    static backend_ram ram;
    static backend_slot slot;
    uint64_t entry;

    vm = (backend_vm){.host = host,
                      .config = {.size = sizeof vm.config,
                                 .vcpus_max = 1,
                                 .irqchip = VSDK_IRQCHIP_PORTABLE,
                                 .memory_max = RAM},
                      .vcpus = list};
    vcpu = (backend_vcpu){.vm = &vm, .exit = &exit};
    list[0] = &vcpu;
    ram = (backend_ram){.vm = &vm, .bytes = RAM};
    slot = (backend_slot){.ram = &ram, .length = RAM};
    CHECK(!ops->vm_create(&vm, &error) && !ops->ram_create(&ram, &error) &&
          !ops->vm_map(&vm, &slot, &error) && !ops->vcpu_create(&vcpu, &error));
    if (failures)
        return;
    memory = ram.memory;
    entry = load_kernel();
    CHECK(entry);
    load_info();
    enter(&vcpu, entry);
    CHECK(!ops->vm_resume(&vm, &error));
    converse(&vm, &vcpu);
    if (failures)
        printf("# the console: %s\n", said);
    ops->vm_destroy(&vm);
    ops->vcpu_destroy(&vcpu);
    ops->ram_free(&ram);
    ops->vm_free(&vm);
}

int main(int count, char **arguments)
{
    vsdk_host_config config = {.size = sizeof config};
    backend_host host = {.core = &core};
    void *module = dlopen(count > 1 ? arguments[1] : "./xen-4.17.so", RTLD_NOW | RTLD_LOCAL);
    backend_module_fn begin = module ? (backend_module_fn)dlsym(module, "vsdk_backend_module") : 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    host.ops = ops = begin ? begin(&core) : NULL;
    if (!ops || ops->host_open(&host, &config, &error)) {
        printf("1..0 # SKIP %s\n", ops ? error.message : "no module");
        return 0;
    }
    boot(&host);
    ops->host_close(&host);
    printf("1..%d\n", checks);
    return failures != 0;
}
