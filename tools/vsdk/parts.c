/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from the command line. Each option is a first word, then words with commas between them:
 * NAME or NAME=VALUE. What is not known is told with the option that has it.
 *
 * A device keeps what is behind it (a disk, a network), so only devices are remembered. */
#include "parts.h"
#include "command.h"
#include "words.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DISK_THREADS = 4 };

int parts_add(parts *all, part_kind kind, char *text)
{
    if (all->count == PARTS_MAX)
        return complain("%d disks, networks, folders and sockets at most", PARTS_MAX), -1;
    if (kind >= PART_VSOCK && parts_have(all, kind))
        return complain("one %s only", kind == PART_VSOCK ? "--vsock" : "--console"), -1;
    all->list[all->count++] = (part){kind, text};
    return 0;
}

int parts_have(const parts *all, part_kind kind)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->list[i].kind == kind)
            return 1;
    return 0;
}

/* The machine chooses where. */
static int attach(vsdk_pc *pc, vsdk_device *device, made_parts *made)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = pc};
    vsdk_error error;

    made->devices[made->count++] = device;
    return vsdk_virtio_attach(device, &place, &error) ? (report(&error), -1) : 0;
}

/* A new image on top of `below`, if there is none yet. Its backing file's name is absolute: the
 * overlay may lie anywhere. */
static int make_overlay(const char *path, const char *below, vsdk_disk_format format,
                        uint64_t capacity)
{
    char whole[PATH_MAX];
    vsdk_disk_image image = {.size = sizeof image,
                             .path = path,
                             .format = VSDK_DISK_QCOW2,
                             .backing = whole,
                             .backing_format = format,
                             .capacity = capacity};
    vsdk_error error;

    if (!access(path, F_OK))
        return 0;
    if (!realpath(below, whole))
        return complain("%s: %s", below, strerror(errno)), -1;
    return vsdk_disk_create_image(&image, &error) ? (report(&error), -1) : 0;
}

/* With an overlay the file itself is only read. */
static int open_overlay(vsdk_disk_config *config, const char **allowed, const char *overlay,
                        vsdk_disk **disk)
{
    vsdk_disk_info info = {.size = sizeof info};
    vsdk_disk_config over = *config;
    vsdk_error error;
    uint32_t wanted = config->flags;

    config->flags |= VSDK_DISK_READ_ONLY;
    if (vsdk_disk_open(config, disk, &error) || vsdk_disk_get_info(*disk, &info, &error))
        return report(&error), -1;
    int failed = make_overlay(overlay, config->path, info.format, info.capacity);
    vsdk_disk_close(*disk);
    *disk = NULL;
    if (failed)
        return -1;
    over.path = overlay;
    over.format = VSDK_DISK_QCOW2;
    over.flags = wanted;
    allowed[over.allowed_count++] = config->path;
    return vsdk_disk_open(&over, disk, &error) ? (report(&error), -1) : 0;
}

static int cache(const char *text, vsdk_disk_config *config)
{
    if (!strcmp(text, "none")) {
        config->flags |= VSDK_DISK_DIRECT;
        return 0;
    }
    return words_choice("disk cache", text, vsdk_disk_cache_name, VSDK_DISK_UNSAFE + 1,
                        &config->cache);
}

/* A word that may be given several times. */
static int keep(const char **list, uint32_t *count, uint32_t most, const char *word,
                const char *value)
{
    if (*count == most)
        return complain("%s %u times at most", word, most), -1;
    list[(*count)++] = value;
    return 0;
}

/* FILE[,ro][,format=NAME][,backing=FILE][,overlay=FILE][,cache=NAME][,serial=TEXT] */
static int make_disk(char *text, vsdk_pc *pc, made_parts *made)
{
    vsdk_disk_config config = {.size = sizeof config, .descriptor = -1, .path = text};
    vsdk_virtio_block_config block = {.size = sizeof block};
    const char *overlay = NULL, *allowed[PARTS_MAX], *value;
    char *rest = words_cut(text);
    vsdk_error error;

    config.allowed = allowed;

    for (char *word; (word = words_next(&rest, &value)) != NULL;) {
        int bad = 0;
        if (!strcmp(word, "ro") && !value)
            config.flags |= VSDK_DISK_READ_ONLY;
        else if (!strcmp(word, "format") && value)
            bad = words_choice("disk format", value, vsdk_disk_format_name, VSDK_DISK_VHDX + 1,
                               &config.format);
        else if (!strcmp(word, "backing") && value)
            bad = keep(allowed, &config.allowed_count, PARTS_MAX - 1, "--disk: backing=", value);
        else if (!strcmp(word, "overlay") && value)
            overlay = value;
        else if (!strcmp(word, "cache") && value)
            bad = cache(value, &config);
        else if (!strcmp(word, "serial") && value)
            block.serial = value;
        else
            bad =
                words_unknown("disk", word, "ro, format=, backing=, overlay=, cache= and serial=");
        if (bad)
            return -1;
    }
    if (!made->pool && vsdk_pool_create(&(vsdk_pool_config){.size = sizeof(vsdk_pool_config),
                                                            .threads = DISK_THREADS},
                                        &made->pool, &error))
        return report(&error), -1;
    config.pool = made->pool;
    int failed = 0;
    if (overlay)
        failed = open_overlay(&config, allowed, overlay, &block.disk);
    else if (vsdk_disk_open(&config, &block.disk, &error))
        failed = (report(&error), -1);
    vsdk_device *device;
    if (!failed && vsdk_virtio_block_create(vsdk_pc_vm(pc), &block, &device, &error))
        failed = (report(&error), -1);
    vsdk_disk_close(block.disk);
    return failed ? failed : attach(pc, device, made);
}

/* tcp:[ADDRESS]:PORT-[ADDRESS]:PORT, as QEMU has it; udp too. */
static int forward(vsdk_net *net, const char *value)
{
    vsdk_net_forward f = {.size = sizeof f};
    char text[128], *at = text, *guest;
    vsdk_error error;

    if (strlen(value) < sizeof text && (guest = strchr(strcpy(text, value), '-')) != NULL) {
        *guest++ = 0;
        f.flags = !strncmp(at, "udp:", 4) ? VSDK_NET_FORWARD_UDP : 0;
        at += !strncmp(at, "udp:", 4) || !strncmp(at, "tcp:", 4) ? 4 : 0;
        char *host_port = strchr(at, ':'), *guest_port = strchr(guest, ':');
        if (host_port && guest_port) {
            *host_port++ = *guest_port++ = 0;
            f.host_address = *at ? at : NULL;
            f.guest_address = *guest ? guest : NULL;
            if (!words_number(host_port, 65535, &f.host_port) &&
                !words_number(guest_port, 65535, &f.guest_port))
                return vsdk_net_add_forward(net, &f, NULL, &error) ? (report(&error), -1) : 0;
        }
    }
    return complain("--net hostfwd=%s is not [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT", value), -1;
}

static int mac_of(const char *text, uint8_t mac[6])
{
    unsigned bytes[6];
    char end;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
               &bytes[4], &bytes[5], &end) != 6)
        return complain("--net mac=%s is not six bytes, as 52:54:00:12:34:56", text), -1;
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)bytes[i];
    return 0;
}

static int open_net(const char *kind, const char *value, uint32_t restricted, vsdk_pc *pc,
                    vsdk_net **net)
{
    vsdk_error error;
    vsdk_net_user_config user = {.size = sizeof user,
                                 .flags = restricted ? VSDK_NET_RESTRICTED : 0};
    vsdk_net_tap_config tap = {.size = sizeof tap,
                               .name = value,
                               .offloads = VSDK_NET_CHECKSUM | VSDK_NET_TSO4 | VSDK_NET_TSO6 |
                                           VSDK_NET_USO};
    uint32_t descriptor;
    vsdk_status status;

    if (!strcmp(kind, "user") && !value) {
        user.loop = vsdk_vm_loop(vsdk_pc_vm(pc), &error);
        status = user.loop ? vsdk_net_create_user(&user, net, &error) : error.code;
    } else if (!strcmp(kind, "tap") && value) {
        status = vsdk_net_create_tap(&tap, net, &error);
    } else if (!strcmp(kind, "fd") && value && !words_number(value, INT_MAX, &descriptor)) {
        status = vsdk_net_create_socket((int32_t)descriptor, net, &error);
    } else {
        return complain("--net is user, tap=NAME or fd=NUMBER"), -1;
    }
    return status ? (report(&error), -1) : 0;
}

/* user|tap=NAME|fd=NUMBER[,mac=ADDRESS][,hostfwd=...][,restrict] */
static int make_net(char *text, vsdk_pc *pc, made_parts *made)
{
    vsdk_virtio_net_config config = {.size = sizeof config};
    const char *value, *of_kind, *forwards[PARTS_MAX];
    uint32_t count = 0, restricted = 0;
    char *rest = text, *kind = words_next(&rest, &of_kind);
    vsdk_device *device;
    vsdk_error error;

    for (char *word; (word = words_next(&rest, &value)) != NULL;) {
        int bad = 0;
        if (!strcmp(word, "mac") && value)
            bad = mac_of(value, config.mac);
        else if (!strcmp(word, "hostfwd") && value)
            bad = keep(forwards, &count, PARTS_MAX, "--net: hostfwd=", value);
        else if (!strcmp(word, "restrict") && !value)
            restricted = 1;
        else
            bad = words_unknown("net", word, "mac=, hostfwd= and restrict");
        if (bad)
            return -1;
    }
    int failed = open_net(kind ? kind : "", of_kind, restricted, pc, &config.net);
    for (uint32_t i = 0; !failed && i < count; i++)
        failed = forward(config.net, forwards[i]);
    if (!failed && vsdk_virtio_net_create(vsdk_pc_vm(pc), &config, &device, &error))
        failed = (report(&error), -1);
    vsdk_net_close(config.net);
    return failed ? failed : attach(pc, device, made);
}

/* FOLDER:TAG[,ro] */
static int make_share(char *text, vsdk_pc *pc, made_parts *made)
{
    vsdk_share_config config = {.size = sizeof config, .path = text};
    vsdk_virtio_fs_config fs = {.size = sizeof fs};
    char *rest = words_cut(text), *colon = strrchr(text, ':');
    const char *value;
    vsdk_device *device;
    vsdk_error error;

    if (!colon)
        return complain("--share %s is not FOLDER:TAG", text), -1;
    *colon = 0;
    fs.tag = colon + 1;
    for (char *word; (word = words_next(&rest, &value)) != NULL;) {
        if (strcmp(word, "ro") || value)
            return words_unknown("share", word, "ro");
        config.flags |= VSDK_SHARE_READ_ONLY;
    }
    int failed = vsdk_share_open(&config, &fs.share, &error) ||
                 vsdk_virtio_fs_create(vsdk_pc_vm(pc), &fs, &device, &error);
    vsdk_share_close(fs.share);
    return failed ? (report(&error), -1) : attach(pc, device, made);
}

/* CID[,uds=PATH] */
static int make_vsock(char *text, vsdk_pc *pc, made_parts *made)
{
    vsdk_virtio_vsock_config config = {.size = sizeof config};
    char *rest = words_cut(text);
    const char *value;
    uint32_t cid;
    vsdk_device *device;
    vsdk_error error;

    if (words_number(text, UINT32_MAX - 1, &cid) || cid < 3)
        return complain("--vsock %s is no address of a guest: 3 or more", text), -1;
    config.cid = cid;
    for (char *word; (word = words_next(&rest, &value)) != NULL;) {
        if (strcmp(word, "uds") || !value)
            return words_unknown("vsock", word, "uds=");
        config.path = value;
    }
    if (vsdk_virtio_vsock_create(vsdk_pc_vm(pc), &config, &device, &error))
        return report(&error), -1;
    return attach(pc, device, made);
}

static int make_console(vsdk_pc *pc, made_parts *made)
{
    vsdk_virtio_port port = {.flags = VSDK_VIRTIO_PORT_CONSOLE};
    vsdk_virtio_console_config config = {.size = sizeof config, .ports = &port, .port_count = 1};
    vsdk_device *device;
    vsdk_error error;

    int failed = vsdk_stream_create(NULL, &port.stream, &made->console, &error) ||
                 vsdk_virtio_console_create(vsdk_pc_vm(pc), &config, &device, &error);
    vsdk_stream_close(port.stream);
    return failed ? (report(&error), -1) : attach(pc, device, made);
}

int parts_make(const parts *all, vsdk_pc *pc, made_parts *made)
{
    int failed = 0;

    for (uint32_t i = 0; !failed && i < all->count; i++) {
        char *text = all->list[i].text;
        switch (all->list[i].kind) {
        case PART_DISK:
            failed = make_disk(text, pc, made);
            break;
        case PART_NET:
            failed = make_net(text, pc, made);
            break;
        case PART_SHARE:
            failed = make_share(text, pc, made);
            break;
        case PART_VSOCK:
            failed = make_vsock(text, pc, made);
            break;
        case PART_CONSOLE:
            failed = make_console(pc, made);
            break;
        }
    }
    return failed;
}

/* The last that was made goes first. With its device a disk is closed, and writes what it has not
 * written yet: the pool ends after all of them. */
void parts_release(made_parts *made)
{
    while (made->count)
        vsdk_device_close(made->devices[--made->count]);
    if (made->pool)
        vsdk_pool_stop(made->pool, NULL);
    vsdk_pool_close(made->pool);
    vsdk_stream_close(made->console);
    *made = (made_parts){0};
}
