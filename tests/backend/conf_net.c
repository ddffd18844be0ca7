/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and the network device: what the functions refuse, and a network stack in this process
 * as its guest sees it, played by the test. tests/unit has frames and rings. */
#include "common.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>

enum { MOST = 65554 };

static vsdk_net *a, *b;
static uint8_t bytes[MOST + 1];
static vsdk_net_piece piece = {bytes, 100};

TestSuite(net);

static void close_both(void)
{
    vsdk_net_close(a);
    vsdk_net_close(b);
    a = b = NULL;
}

Test(net, pairs_refuse)
{
    vsdk_net_config config = {.size = sizeof config, .capacity = 5};
    vsdk_net_offload missing = {.flags = VSDK_NET_NEEDS_CHECKSUM};
    uint64_t length;

    fails(INVALID_ARGUMENT, vsdk_net_create_pair(NULL, NULL, &b, E));
    fails(LIMIT, vsdk_net_create_pair(&config, &a, &b, E));
    config = (vsdk_net_config){.size = sizeof config, .padding = 1};
    fails(UNSUPPORTED, vsdk_net_create_pair(&config, &a, &b, E));
    ok(vsdk_net_create_pair(NULL, &a, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_send(a, NULL, NULL, 0, E));
    fails(RANGE, vsdk_net_send(a, NULL, &piece, 0, E));
    fails(LIMIT, vsdk_net_send(a, NULL, &piece, 2000, E));
    fails(UNSUPPORTED, vsdk_net_send(a, &missing, &piece, 1, E));
    fails(NOT_FOUND, vsdk_net_receive(b, NULL, &piece, 1, &length, E));
    fails(NOT_FOUND, vsdk_net_skip(b, E));
    ok(vsdk_net_send(a, NULL, &piece, 1, E));
    fails(RANGE, vsdk_net_receive(b, NULL, NULL, 0, &length, E));
    cr_assert_eq(length, 100);
    fails(LIMIT, vsdk_net_receive(b, NULL, &piece, 2000, &length, E));
    fails(INVALID_ARGUMENT, vsdk_net_receive(b, NULL, &piece, 1, NULL, E));
    ok(vsdk_net_receive(b, NULL, &piece, 1, &length, E));
    piece.length = MOST;
    while (!vsdk_net_send(a, NULL, &piece, 1, NULL))
        ;
    fails(BUSY, vsdk_net_send(a, NULL, &piece, 1, E));
    vsdk_net_close(a);
    a = NULL;
    while (!vsdk_net_skip(b, NULL))
        ;
    fails(GONE, vsdk_net_skip(b, E));
    fails(GONE, vsdk_net_receive(b, NULL, &piece, 1, &length, E));
    fails(INVALID_ARGUMENT, vsdk_net_accept(b, VSDK_NET_TSO4, E));
    ok(vsdk_net_accept(b, VSDK_NET_CHECKSUM, E));
    cr_assert_eq(vsdk_net_offloads_of(b), 0);
    cr_assert_eq(vsdk_net_ready(b), VSDK_NET_READABLE | VSDK_NET_WRITABLE | VSDK_NET_ENDED);
    check_clear();
    cr_assert_eq(vsdk_net_descriptor(b, VSDK_NET_ENDED, E), -1);
    cr_assert_eq(test_error.code, VSDK_ERROR_INVALID_ARGUMENT);
    close_both();
}

static void release(void *user)
{
    ++*(unsigned *)user;
}

Test(net, ones_own_refuse)
{
    vsdk_net_ops ops = {.size = sizeof ops, .release = release};
    vsdk_net_config config = {.size = sizeof config, .capacity = 1};
    unsigned released = 0;

    fails(INVALID_ARGUMENT, vsdk_net_create(&ops, &released, &config, &a, E));
    config = (vsdk_net_config){.size = sizeof config, .reserved = {1}};
    fails(UNSUPPORTED, vsdk_net_create(&ops, &released, &config, &a, E));
    cr_assert_eq(released, 2);
    ok(vsdk_net_create(&ops, &released, NULL, &a, E));
    fails(INVALID_ARGUMENT, vsdk_net_notify(a, 64, E));
    ok(vsdk_net_notify(a, VSDK_NET_ENDED, E));
    close_both();
    cr_assert_eq(released, 3);
}

Test(net, cards_refuse)
{
    static struct machine m;
    vsdk_virtio_net_config config = {.size = sizeof config, .mtu = 1};
    vsdk_virtio_net_counts counts = {.size = sizeof counts};
    vsdk_device *card, *other;

    machine_make(&m);
    ok(vsdk_net_create_pair(NULL, &a, &b, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(m.vm, NULL, &card, E));
    config.net = a;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(m.vm, &config, &card, E));
    config.mtu = 0;
    config.padding = 1;
    fails(UNSUPPORTED, vsdk_virtio_net_create(m.vm, &config, &card, E));
    config.padding = 0;
    ok(vsdk_virtio_net_create(m.vm, &config, &card, E));
    static const vsdk_device_ops quiet = {.size = sizeof quiet};
    other = make_device(m.vm, &quiet, NULL, 0);
    fails(INVALID_ARGUMENT, vsdk_virtio_net_set_link(other, 1, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_get_counts(other, &counts, E));
    ok(vsdk_virtio_net_set_link(card, 0, E));
    ok(vsdk_virtio_net_get_counts(card, &counts, E));
    vsdk_device_close(other);
    vsdk_device_close(card);
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_virtio_net_create(m.vm, &config, &card, E));
    close_both();
    machine_end(&m);
}

/* The stack in this process. */
static vsdk_loop *loop;
static vsdk_net *net;

/* The library is not that of the function that the program calls: one laid over it may have it. */
static void path_of_module(char *path, size_t room, const char *name)
{
    Dl_info info;
    void *library = dlopen("libvsdk.so.0", RTLD_NOLOAD | RTLD_LAZY);

    cr_assert(library && dladdr(dlsym(library, "vsdk_net_close"), &info));
    dlclose(library);
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(path, room, "%.*s/vsdk/%s.so", slash ? (int)(slash - info.dli_fname) : 1,
             slash ? info.dli_fname : ".", name);
}

static void make_user(void)
{
    vsdk_net_user_config config = {.size = sizeof config, .hostname = "guest"};
    char path[600];

    path_of_module(path, sizeof path, "slirp");
    void *module = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!module)
        cr_skip_test("no module of libslirp");
    dlclose(module);
    ok(vsdk_loop_create(&loop, E));
    config.loop = loop;
    ok(vsdk_net_create_user(&config, &net, E));
}

static void end_user(void)
{
    vsdk_net_close(net);
    vsdk_loop_close(loop);
}

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static uint16_t sum_of(const uint8_t *from, unsigned length)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < length; i++)
        sum += (uint32_t)from[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void send_frame(uint64_t length)
{
    piece = (vsdk_net_piece){bytes, length};
    ok(vsdk_net_send(net, NULL, &piece, 1, E));
}

/* Dispatches until a frame comes for which `is` holds. */
static uint64_t await_frame(int (*is)(uint64_t length))
{
    for (unsigned i = 0; i < 600; i++) {
        uint64_t length;
        piece = (vsdk_net_piece){bytes, sizeof bytes};
        if (!vsdk_net_receive(net, NULL, &piece, 1, &length, NULL)) {
            if (is(length))
                return length;
            continue;
        }
        ok(vsdk_loop_dispatch(loop, 100000000, NULL, E));
    }
    cr_assert_fail("the frame does not come");
    return 0;
}

/* A datagram to everybody: DHCP's DISCOVER. */
static void discover(void)
{
    uint8_t *ip = bytes + 14, *udp = ip + 20, *dhcp = udp + 8;
    unsigned dhcp_length = 300;

    memset(bytes, 0, sizeof bytes);
    memset(bytes, 0xff, 6);
    memcpy(bytes + 6, mac, 6);
    put16(bytes + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, 28 + dhcp_length);
    ip[8] = 64;
    ip[9] = 17;
    memset(ip + 16, 0xff, 4);
    put16(ip + 10, sum_of(ip, 20));
    put16(udp, 68);
    put16(udp + 2, 67);
    put16(udp + 4, 8 + dhcp_length);
    dhcp[0] = 1, dhcp[1] = 1, dhcp[2] = 6;
    memcpy(dhcp + 28, mac, 6);
    memcpy(dhcp + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
    send_frame(14 + 28 + dhcp_length);
}

static int is_udp(uint64_t length)
{
    return length > 42 && get16(bytes + 12) == 0x0800 && bytes[23] == 17;
}

static int is_tcp(uint64_t length)
{
    return length >= 54 && get16(bytes + 12) == 0x0800 && bytes[23] == 6;
}

static void get_address(void)
{
    static const uint8_t first[4] = {10, 0, 2, 15};

    discover();
    await_frame(is_udp);
    cr_assert_eq(get16(bytes + 34), 67);
    cr_assert_arr_eq(bytes + 42 + 16, first, 4);
}

static int connect_to(uint32_t port, int type)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return -1;
    }
    return fd;
}

Test(net, a_guest_gets_an_address_and_is_reached_by_forwards)
{
    vsdk_net_forward forward = {.size = sizeof forward, .guest_port = 80};
    uint32_t tcp, udp;

    make_user();
    get_address();
    ok(vsdk_net_add_forward(net, &forward, &tcp, E));
    cr_assert(tcp > 0 && tcp < 65536);
    forward.flags = VSDK_NET_FORWARD_UDP;
    forward.guest_port = 53;
    ok(vsdk_net_add_forward(net, &forward, &udp, E));
    int fd = connect_to(tcp, SOCK_STREAM);
    cr_assert_geq(fd, 0);
    await_frame(is_tcp);
    cr_assert(get16(bytes + 36) == 80 && bytes[47] == 2, "SYN");
    close(fd);
    fd = connect_to(udp, SOCK_DGRAM);
    cr_assert_eq(send(fd, "hello", 5, 0), 5);
    await_frame(is_udp);
    cr_assert(get16(bytes + 36) == 53 && !memcmp(bytes + 42, "hello", 5));
    close(fd);
    /* The same again, and what is not there. */
    forward.host_port = udp;
    fails(EXISTS, vsdk_net_add_forward(net, &forward, NULL, E));
    ok(vsdk_net_remove_forward(net, &forward, E));
    fails(NOT_FOUND, vsdk_net_remove_forward(net, &forward, E));
    forward.flags = 0;
    forward.host_port = tcp;
    ok(vsdk_net_remove_forward(net, &forward, E));
    cr_assert_eq(connect_to(tcp, SOCK_STREAM), -1);
    end_user();
}

/* A port is free again when the network is closed, though nobody dispatches its loop. */
Test(net, sockets_end_with_their_network)
{
    vsdk_net_forward forward = {.size = sizeof forward, .guest_port = 80};
    uint32_t port;

    make_user();
    ok(vsdk_net_add_forward(net, &forward, &port, E));
    cr_assert_eq(vsdk_net_ready(net), VSDK_NET_WRITABLE);
    int fd = connect_to(port, SOCK_STREAM);
    cr_assert_geq(fd, 0);
    end_user();
    cr_assert_eq(connect_to(port, SOCK_STREAM), -1);
    close(fd);
}

/* Frames of a guest that is up to no good: no crash is all that is wanted. */
Test(net, hostile_frames)
{
    uint64_t length;

    make_user();
    srand(11);
    for (unsigned i = 0; i < 3000; i++) {
        discover();
        while (!vsdk_loop_dispatch(loop, 0, NULL, NULL) && vsdk_net_skip(net, NULL) == VSDK_OK)
            ;
        length = 14 + (uint64_t)rand() % 400;
        for (unsigned k = 0; k < 1 + (unsigned)rand() % 8; k++)
            bytes[12 + rand() % 60] = (uint8_t)rand();
        piece.length = length;
        vsdk_net_send(net, NULL, &piece, 1, NULL);
        ok(vsdk_loop_dispatch(loop, 0, NULL, E));
    }
    while (vsdk_net_skip(net, NULL) == VSDK_OK)
        ;
    get_address();
    end_user();
}

Test(net, forwards_refuse)
{
    vsdk_net_forward forward = {.size = sizeof forward};

    make_user();
    ok(vsdk_net_create_pair(NULL, &a, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(net, &forward, NULL, E));
    forward.guest_port = 70000;
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(net, &forward, NULL, E));
    forward.guest_port = 80;
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(a, &forward, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_net_remove_forward(a, &forward, E));
    forward.host_port = 65536;
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(net, &forward, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_net_remove_forward(net, &forward, E));
    forward.host_port = 0;
    forward.host_address = "localhost";
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(net, &forward, NULL, E));
    forward.host_address = "192.0.2.77";
    fails(SYSTEM, vsdk_net_add_forward(net, &forward, NULL, E));
    cr_assert_eq(test_error.os_errno, EADDRNOTAVAIL);
    forward.host_address = NULL;
    forward.guest_address = "10.0.2";
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(net, &forward, NULL, E));
    forward.guest_address = NULL;
    forward.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_net_add_forward(net, &forward, NULL, E));
    fails(UNSUPPORTED, vsdk_net_remove_forward(net, &forward, E));
    forward.reserved[0] = 0;
    forward.flags = 2;
    fails(INVALID_ARGUMENT, vsdk_net_add_forward(net, &forward, NULL, E));
    close_both();
    end_user();
}

/* The library's and libslirp's: an error instead of the next one. */
static int bind_fails_with;

__attribute__((visibility("default"))) int bind(int fd, __CONST_SOCKADDR_ARG address,
                                                socklen_t length)
{
    int failure = bind_fails_with;

    bind_fails_with = 0;
    errno = failure;
    return failure ? -1 : (int)syscall(SYS_bind, fd, address.__sockaddr__, length);
}

Test(net, a_system_that_has_no_port_to_choose)
{
    vsdk_net_forward forward = {.size = sizeof forward, .guest_port = 80};
    uint32_t port = 1;

    make_user();
    bind_fails_with = EACCES;
    fails(PERMISSION, vsdk_net_add_forward(net, &forward, &port, E));
    cr_assert(!bind_fails_with && !port);
    ok(vsdk_net_add_forward(net, &forward, &port, E));
    cr_assert_gt(port, 0);
    end_user();
}

/* Where the system begins to give ports to everybody. */
static unsigned first_free_port(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    unsigned port = 1024;

    if (file) {
        cr_assert_eq(fscanf(file, "%u", &port), 1);
        fclose(file);
    }
    return port;
}

/* The lowest port needs privilege, where the system has not given it to everybody. */
Test(net, a_port_without_privilege)
{
    vsdk_net_forward forward = {.size = sizeof forward, .host_port = 1, .guest_port = 80};

    make_user();
    if (geteuid() == 0 && (setegid(65534) || seteuid(65534)))
        cr_skip_test("this user can't become another");
    if (first_free_port() > 1)
        fails(PERMISSION, vsdk_net_add_forward(net, &forward, NULL, E));
    else
        ok(vsdk_net_add_forward(net, &forward, NULL, E));
    end_user();
}

Test(net, user_networks_refuse)
{
    static const char *const wrong[] = {"10.0.2.0",   "10.0.2.0/28",
                                        "10.0.2.0/7", "10.0.2.1/24",
                                        "10.0.2/24",  "/24",
                                        "a/24",       "10.0.2.0/24x",
                                        "10.0.2.0/",  "1000000000000000000000000.0.0.0/8"};
    vsdk_net_user_config config = {.size = sizeof config};

    make_user();
    fails(INVALID_ARGUMENT, vsdk_net_create_user(NULL, &a, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_user(&config, &a, E));
    config.loop = loop;
    fails(INVALID_ARGUMENT, vsdk_net_create_user(&config, NULL, E));
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config.network = wrong[i];
        fails(INVALID_ARGUMENT, vsdk_net_create_user(&config, &a, E));
    }
    config.network = NULL;
    config.mtu = 67;
    fails(INVALID_ARGUMENT, vsdk_net_create_user(&config, &a, E));
    config.mtu = 0;
    config.flags = 8;
    fails(INVALID_ARGUMENT, vsdk_net_create_user(&config, &a, E));
    config.flags = 0;
    config.padding = 1;
    fails(UNSUPPORTED, vsdk_net_create_user(&config, &a, E));
    config.padding = 0;
    config.module_directory = "/nowhere";
    fails(UNAVAILABLE, vsdk_net_create_user(&config, &a, E));
    cr_assert(strstr(test_error.message, "/nowhere/slirp.so") != NULL);
    cr_assert(test_error.hint[0]);
    end_user();
}

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    char some[4096];
    ssize_t n;

    cr_assert(in >= 0 && out >= 0, "%s", from);
    while ((n = read(in, some, sizeof some)) > 0)
        cr_assert_eq(write(out, some, (size_t)n), n);
    close(in);
    close(out);
}

/* Another module by this one's name. */
Test(net, another_module)
{
    char folder[] = "/tmp/vsdk-net-XXXXXX", path[600];
    vsdk_net_user_config config = {.size = sizeof config, .module_directory = folder};

    path_of_module(path, sizeof path, "mock");
    cr_assert(mkdtemp(folder) != NULL);
    char to[64];
    snprintf(to, sizeof to, "%s/slirp.so", folder);
    copy_file(path, to);
    ok(vsdk_loop_create(&loop, E));
    config.loop = loop;
    fails(VERSION, vsdk_net_create_user(&config, &net, E));
    vsdk_loop_close(loop);
    unlink(to);
    rmdir(folder);
}

/* Whether the system makes taps for those who may have them. */
static int has_taps(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES || errno == EPERM;
    close(fd);
    return 1;
}

/* Taps, in a network of the test's own where it may have one. */
static void make_tap(vsdk_net_tap_config *config)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        cr_skip_test("no network of one's own");
    if (access("/dev/net/tun", R_OK | W_OK) || !has_taps())
        cr_skip_test("no taps here");
    *config = (vsdk_net_tap_config){.size = sizeof *config,
                                    .name = "vsdk0",
                                    .offloads = VSDK_NET_CHECKSUM | VSDK_NET_TSO4 | VSDK_NET_USO};
    ok(vsdk_net_create_tap(config, &net, E));
}

/* The host's side: a socket that sees and sends whole frames. */
static int host_side(void)
{
    struct ifreq request = {.ifr_name = "vsdk0"};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));

    cr_assert_geq(fd, 0);
    cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    request.ifr_flags |= IFF_UP;
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex("vsdk0")};
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Other frames of the kernel's, such as those of IPv6, are passed over. */
static const uint8_t type[2] = {0x88, 0xb5};

static uint64_t tap_receive(uint8_t *to, uint64_t room)
{
    struct pollfd p = {.fd = vsdk_net_descriptor(net, VSDK_NET_READABLE, E), .events = POLLIN};
    uint64_t length;

    for (;;) {
        cr_assert_eq(poll(&p, 1, 10000), 1);
        piece = (vsdk_net_piece){to, room};
        vsdk_status status = vsdk_net_receive(net, NULL, &piece, 1, &length, NULL);
        cr_assert(status == VSDK_OK || status == VSDK_ERROR_NOT_FOUND);
        if (!status && !memcmp(to + 12, type, 2))
            return length;
    }
}

Test(net, a_tap)
{
    vsdk_net_tap_config config;
    uint8_t frame[600] = {0}, got[2000];
    ssize_t n;

    make_tap(&config);
    int host = host_side();
    cr_assert(vsdk_net_offloads_of(net) & VSDK_NET_CHECKSUM);
    memset(frame, 0x42, sizeof frame);
    frame[0] = 2;
    memcpy(frame + 12, type, 2);
    piece = (vsdk_net_piece){frame, sizeof frame};
    ok(vsdk_net_send(net, NULL, &piece, 1, E));
    struct pollfd p = {.fd = host, .events = POLLIN};
    do {
        cr_assert_eq(poll(&p, 1, 10000), 1);
        n = recv(host, got, sizeof got, 0);
    } while (n < 14 || memcmp(got + 12, type, 2));
    cr_assert(n == 600 && !memcmp(got, frame, 600));
    frame[20] = 7;
    cr_assert_eq(send(host, frame, sizeof frame, 0), 600);
    cr_assert_eq(tap_receive(got, sizeof got), 600);
    cr_assert(!memcmp(got, frame, 600));
    /* In many pieces, and with more than a reader takes now. */
    vsdk_net_piece many[100];
    for (unsigned i = 0; i < 100; i++)
        many[i] = (vsdk_net_piece){frame + 6 * i, 6};
    ok(vsdk_net_accept(net, VSDK_NET_CHECKSUM, E));
    ok(vsdk_net_send(net, NULL, many, 100, E));
    do {
        cr_assert_eq(poll(&p, 1, 10000), 1);
        n = recv(host, got, sizeof got, 0);
    } while (n < 14 || memcmp(got + 12, type, 2) || got[20] != 7);
    cr_assert(n == 600 && !memcmp(got, frame, 600));
    fails(BUSY, vsdk_net_create_tap(&config, &a, E));
    close(host);
    vsdk_net_close(net);
    ok(vsdk_net_create_tap(&config, &net, E));
    vsdk_net_close(net);
}

Test(net, a_tap_by_its_descriptor)
{
    vsdk_net_tap_config config;
    struct ifreq request = {.ifr_name = "vsdk0", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    uint8_t frame[100] = {2};

    make_tap(&config);
    vsdk_net_close(net);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    config.name = NULL;
    config.descriptor = fd;
    fails(INVALID_ARGUMENT, vsdk_net_create_tap(&config, &net, E));
    cr_assert_eq(ioctl(fd, TUNSETIFF, &request), 0);
    ok(vsdk_net_create_tap(&config, &net, E));
    close(fd);
    piece = (vsdk_net_piece){frame, sizeof frame};
    ok(vsdk_net_send(net, NULL, &piece, 1, E)); /* it is down */
    cr_assert_eq(vsdk_net_ready(net) & VSDK_NET_READABLE, 0);
    vsdk_net_close(net);
}

Test(net, taps_refuse)
{
    vsdk_net_tap_config config = {.size = sizeof config, .name = ""};

    fails(INVALID_ARGUMENT, vsdk_net_create_tap(NULL, &net, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_tap(&config, &net, E));
    config.name = "a-name-of-16-byt";
    fails(INVALID_ARGUMENT, vsdk_net_create_tap(&config, &net, E));
    config.name = "vsdk%d";
    fails(INVALID_ARGUMENT, vsdk_net_create_tap(&config, &net, E));
    config.name = NULL;
    config.descriptor = -1;
    fails(INVALID_ARGUMENT, vsdk_net_create_tap(&config, &net, E));
    config.offloads = VSDK_NET_TSO4;
    fails(INVALID_ARGUMENT, vsdk_net_create_tap(&config, &net, E));
    config.offloads = 0;
    config.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_net_create_tap(&config, &net, E));
}

Test(net, a_tap_without_privilege)
{
    vsdk_net_tap_config config = {.size = sizeof config, .name = "vsdk0"};

    if (geteuid() == 0 && (setegid(65534) || seteuid(65534)))
        cr_skip_test("this user can't become another");
    if (has_taps())
        fails(PERMISSION, vsdk_net_create_tap(&config, &net, E));
    else
        fails(UNAVAILABLE, vsdk_net_create_tap(&config, &net, E));
}

Test(net, sockets_and_filters_refuse)
{
    vsdk_net_filter_config config = {.size = sizeof config, .flags = 1};

    fails(INVALID_ARGUMENT, vsdk_net_create_socket(-1, &net, E));
    ok(vsdk_net_create_pair(NULL, &a, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_filter(a, &config, &net, E));
    config.flags = 0;
    config.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_net_create_filter(a, &config, &net, E));
    config.reserved[1] = 0;
    config.pcap = "/nowhere/file";
    fails(NOT_FOUND, vsdk_net_create_filter(a, &config, &net, E));
    config.pcap = "/tmp";
    fails(SYSTEM, vsdk_net_create_filter(a, &config, &net, E));
    char folder[] = "/tmp/vsdk-net-XXXXXX", path[64];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/pcap", folder);
    config.pcap = path;
    if (!setegid(65534) && !seteuid(65534))
        fails(PERMISSION, vsdk_net_create_filter(a, &config, &net, E));
    (void)!seteuid(0);
    (void)!setegid(0);
    rmdir(folder);
    close_both();
}

/* What is sent into a filter goes through the socket that it leads to. A reference keeps both
 * though they were closed. */
Test(net, sockets_and_filters_carry)
{
    vsdk_net_filter_config config = {.size = sizeof config, .send_frames = 1000};
    uint8_t frame[64] = {2}, got[64];
    uint64_t length;
    int ends[2];
    vsdk_net *kept;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ok(vsdk_net_create_socket(ends[0], &a, E));
    ok(vsdk_net_create_socket(ends[1], &b, E));
    close(ends[0]);
    close(ends[1]);
    ok(vsdk_net_create_filter(a, &config, &net, E));
    kept = vsdk_net_ref(net);
    cr_assert_eq(kept, net);
    vsdk_net_close(a);
    vsdk_net_close(net);
    frame[63] = 7;
    piece = (vsdk_net_piece){frame, sizeof frame};
    ok(vsdk_net_send(kept, NULL, &piece, 1, E));
    piece.data = got;
    ok(vsdk_net_receive(b, NULL, &piece, 1, &length, E));
    cr_assert(length == sizeof frame && !memcmp(got, frame, sizeof frame));
    vsdk_net_close(kept);
    fails(GONE, vsdk_net_receive(b, NULL, &piece, 1, &length, E));
    vsdk_net_close(b);
    a = b = NULL;
}
