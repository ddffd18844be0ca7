/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's network driver on the library's network device.
 *
 * Two guests on a pair: one serves a file, the other fetches it, and both say its sum. Then one
 * guest on a network stack in this process: it gets an address by DHCP, asks a resolver of the
 * test's, fetches the file from a server of the test's, and is reached by a forwarded port.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz. */
#include "../contract/tap.h"
#include "guest.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <vsdk/vsdk.h>

enum { FILE_BYTES = 4194304 };

struct guest {
    const char *name;
    vsdk_pc *pc;
    vsdk_device *card;
    vsdk_stream *serial, *terminal;
    vsdk_exit end;
    vsdk_error error;
    pthread_t thread;
    int over;
    size_t length;
    char text[LOG + 1];
};

static vsdk_host *host;
static struct guest first = {.name = "first"}, second = {.name = "second"}, third;

#define CARD                                                                                       \
    "load virtio_ring virtio virtio_mmio failover net_failover virtio_net\nip link set lo up\nip " \
    "link set eth0 up\n"

static const char server[] =
    CARD "ip addr add 10.9.0.1/24 dev eth0\n"
         "mkdir /www\n"
         "seq 1 700000 | head -c 4194304 >/www/file\n"
         "say \"file: $(sha256sum </www/file | cut -c -64)\"\n"
         "httpd -p 80 -h /www\n"
         "nc -l -p 7 </dev/null >/tmp/peer\n"
         "say \"peer: $(cat /tmp/peer)\"\n"
         "say \"dropped: $(cat /sys/class/net/eth0/statistics/rx_errors "
         "/sys/class/net/eth0/statistics/rx_length_errors | tr '\\n' ' ')\"\n"
         "say \"complaints: $(dmesg | grep -iE 'virtio|eth0' | grep -ciE "
         "'fail|warn|error|bad|invalid')\"\n";

static const char client[] = CARD
    "ip addr add 10.9.0.2/24 dev eth0\n"
    "for try in $(seq 1 100); do ping -c 1 -W 1 10.9.0.1 >/dev/null && break; done\n"
    "say \"ping: $(ping -c 5 -s 1400 10.9.0.1 | sed -n 's/.*transmitted, //p')\"\n"
    "for try in $(seq 1 20); do wget -q -O /tmp/file http://10.9.0.1/file && break; sleep 1; done\n"
    "say \"file: $(sha256sum </tmp/file | cut -c -64)\"\n"
    "echo hello | nc 10.9.0.1 7\n"
    "say \"complaints: $(dmesg | grep -iE 'virtio|eth0' | grep -ciE "
    "'fail|warn|error|bad|invalid')\"\n";

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    struct guest *g = user;
    char bytes[256];
    uint64_t got;

    (void)events;
    while (!vsdk_stream_read(stream, bytes, sizeof bytes, &got, NULL) && got) {
        if (got <= LOG - g->length) {
            memcpy(g->text + g->length, bytes, got);
            g->length += got;
        }
    }
}

static void add_card(struct guest *g, vsdk_net *net)
{
    vsdk_virtio_net_config config = {.size = sizeof config, .name = g->name, .net = net};
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = g->pc};

    if (!vsdk_virtio_net_create(vsdk_pc_vm(g->pc), &config, &g->card, &g->error))
        vsdk_virtio_attach(g->card, &place, &g->error);
}

static const char on_dhcp[] = "#!/bin/busybox sh\n"
                              "[ \"$1\" = bound ] || exit 0\n"
                              "ip addr add $ip/$mask dev $interface\n"
                              "ip route add default via $router\n"
                              "echo \"nameserver $dns\" >/tmp/resolv.conf\n"
                              "echo \"$ip/$mask $router $dns $hostname\" >/tmp/address\n";

static void make(struct guest *g, vsdk_net *net, const char *script)
{
    vsdk_pc_config machine = {
        .size = sizeof machine, .memory = 256 << 20, .irqchip = VSDK_IRQCHIP_PORTABLE};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line = "console=ttyS0 panic=-1 quiet wait=1 act=poweroff"};

    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    add_script(&load.initrd, &load.initrd_length, script);
    add_file(&load.initrd, &load.initrd_length, "dhcp", 0755, on_dhcp, sizeof on_dhcp - 1);
    tap(!vsdk_stream_create(NULL, &machine.serial, &g->terminal, &g->error) &&
            !vsdk_stream_set_handler(g->terminal, output, g, NULL, &g->error) &&
            !vsdk_pc_create(host, &machine, &g->pc, &g->error),
        "%s: a machine is made: %s", g->name, g->error.message);
    g->serial = machine.serial;
    add_card(g, net);
    tap(!g->error.code, "%s: its card is there: %s", g->name, g->error.message);
    tap(!vsdk_pc_boot(g->pc, &load, &g->error), "%s: it is loaded: %s", g->name, g->error.message);
}

static void *run(void *user)
{
    struct guest *g = user;

    vsdk_vm_run(vsdk_pc_vm(g->pc), NULL, 300 * UINT64_C(1000000000), &g->end, &g->error);
    __atomic_store_n(&g->over, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void end(struct guest *g)
{
    vsdk_virtio_net_counts counts = {.size = sizeof counts};

    vsdk_virtio_net_get_counts(g->card, &counts, NULL);
    printf("# %s: %s; sent %llu, received %llu, dropped %llu and %llu\n", g->name,
           vsdk_exit_reason_name(g->end.reason), (unsigned long long)counts.sent,
           (unsigned long long)counts.received, (unsigned long long)counts.send_dropped,
           (unsigned long long)counts.receive_dropped);
    tap(g->end.reason == VSDK_EXIT_POWEROFF, "%s: it ends by itself: %s", g->name,
        g->error.message);
    if (tap_failed)
        printf("%s\n", g->text);
    vsdk_device_close(g->card);
    vsdk_stream_close(g->serial);
    vsdk_stream_close(g->terminal);
    vsdk_pc_close(g->pc);
}

static void on_a_pair(void)
{
    vsdk_net_config config = {.size = sizeof config,
                              .offloads = VSDK_NET_CHECKSUM | VSDK_NET_TSO4 | VSDK_NET_TSO6};
    vsdk_net *near = NULL, *far = NULL;
    char sum[80];

    tap(!vsdk_net_create_pair(&config, &near, &far, NULL), "a pair");
    make(&first, near, server);
    make(&second, far, client);
    vsdk_net_close(near);
    vsdk_net_close(far);
    pthread_create(&first.thread, NULL, run, &first);
    pthread_create(&second.thread, NULL, run, &second);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    snprintf(sum, sizeof sum, "%s", said_in(first.text, "file"));
    printf("# ping: %s\n", said_in(second.text, "ping"));
    tap(strstr(said_in(second.text, "ping"), " 0% packet loss") != NULL, "no ping is lost");
    tap(strlen(sum) == 64 && !strcmp(sum, said_in(second.text, "file")), "the file is the same");
    tap(!strcmp(said_in(first.text, "peer"), "hello"), "and back");
    tap(!strcmp(said_in(first.text, "complaints"), "0") &&
            !strcmp(said_in(second.text, "complaints"), "0"),
        "no kernel complains");
    end(&first);
    end(&second);
}

/* A network stack in this process. */

static int listener(int type, uint16_t *port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) ||
        (type == SOCK_STREAM && listen(fd, 5)))
        return -1;
    getsockname(fd, (struct sockaddr *)&at, &length);
    *port = ntohs(at.sin_port);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        length -= (size_t)n;
    }
}

/* The file that the guest makes by seq 1 700000 | head -c 4194304. */
static const char *the_file(void)
{
    char *bytes = malloc(FILE_BYTES + 16);
    size_t length = 0;

    for (unsigned i = 1; length < FILE_BYTES; i++)
        length += (size_t)sprintf(bytes + length, "%u\n", i);
    return bytes;
}

/* Serves every request with the file, until its socket is shut down. */
static void *serve_http(void *user)
{
    static const char head[] = "HTTP/1.0 200 OK\r\nContent-Length: 4194304\r\n\r\n";
    int listening = *(int *)user, fd;
    const char *file = the_file();
    char request[1024];

    while ((fd = accept(listening, NULL, NULL)) >= 0) {
        if (recv(fd, request, sizeof request, 0) > 0) {
            send_all(fd, head, sizeof head - 1);
            send_all(fd, file, FILE_BYTES);
        }
        close(fd);
    }
    free((void *)(uintptr_t)file);
    return NULL;
}

/* Every name has the address 192.0.2.7, and no IPv6 one. */
static void *serve_dns(void *user)
{
    static const uint8_t answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7};
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    uint8_t b[600];
    ssize_t n;

    while ((n = recvfrom(*(int *)user, b, 512, 0, (struct sockaddr *)&from, &length)) > 12) {
        size_t end = 12;
        while (end < (size_t)n && b[end])
            end += b[end] + 1u;
        int wanted = end + 2 < (size_t)n && b[end + 2] == 1;
        end += 5;
        b[2] = 0x81, b[3] = 0x80;
        memset(b + 6, 0, 6);
        b[7] = (uint8_t)wanted;
        memcpy(b + end, answer, sizeof answer);
        sendto(*(int *)user, b, end + (wanted ? sizeof answer : 0), 0, (struct sockaddr *)&from,
               length);
    }
    return NULL;
}

static uint32_t forwarded;
static char greeting[64];

/* Asks the guest through the forward until it answers. */
static void *reach(void *user)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)forwarded),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 5};

    (void)user;
    while (!strstr(greeting, "hello") && !__atomic_load_n(&third.over, __ATOMIC_ACQUIRE)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        ssize_t n = 0;
        if (!connect(fd, (struct sockaddr *)&to, sizeof to))
            n = recv(fd, greeting, sizeof greeting - 1, 0);
        greeting[n > 0 ? n : 0] = 0;
        close(fd);
        if (n <= 0)
            sleep(1);
    }
    return NULL;
}

/* The lab has no resolver: there is one for the time of the test. */
static int make_resolver(void)
{
    uint16_t port = 53;
    int fd;

    if (!getenv("VSDK_LAB") || (fd = listener(SOCK_DGRAM, &port)) < 0)
        return -1;
    FILE *file = fopen("/etc/resolv.conf", "w");
    if (file) {
        fputs("nameserver 127.0.0.1\n", file);
        fclose(file);
    }
    return fd;
}

static void on_a_stack(void)
{
    static char script[2048];
    vsdk_net_user_config config = {.size = sizeof config, .hostname = "visitor"};
    vsdk_net_forward forward = {.size = sizeof forward, .guest_port = 7};
    vsdk_loop *loop = NULL;
    vsdk_net *net = NULL;
    vsdk_error error = {0};
    pthread_t http_thread, dns_thread, reach_thread;
    uint16_t port = 0;
    int http = listener(SOCK_STREAM, &port), dns = make_resolver();

    snprintf(script, sizeof script,
             CARD "udhcpc -n -q -t 20 -i eth0 -s /dhcp -x hostname:guest >/dev/null 2>&1\n"
                  "say \"address: $(cat /tmp/address)\"\n"
                  "say \"name: $(nslookup -type=a some.test 10.0.2.3 | sed -n 's/^Address.*: *//p' "
                  "| tail -n 1)\"\n"
                  "wget -q -O /tmp/file http://10.0.2.2:%u/file\n"
                  "say \"file: $(sha256sum </tmp/file | cut -c -64)\"\n"
                  "say \"wanted: $(seq 1 700000 | head -c %u | sha256sum | cut -c -64)\"\n"
                  "echo hello | nc -l -p 7\n"
                  "say \"complaints: $(dmesg | grep -iE 'virtio|eth0' | grep -ciE "
                  "'fail|warn|error|bad|invalid')\"\n",
             port, FILE_BYTES);
    tap(http >= 0 && !vsdk_loop_create(&loop, &error), "a server on port %u, and a loop", port);
    config.loop = loop;
    tap(!vsdk_net_create_user(&config, &net, &error), "a network stack: %s", error.message);
    if (!net)
        return;
    third.name = "third";
    make(&third, net, script);
    tap(!vsdk_net_add_forward(net, &forward, &forwarded, &error), "a forward: %s", error.message);
    pthread_create(&http_thread, NULL, serve_http, &http);
    if (dns >= 0)
        pthread_create(&dns_thread, NULL, serve_dns, &dns);
    pthread_create(&reach_thread, NULL, reach, NULL);
    pthread_create(&third.thread, NULL, run, &third);
    while (!__atomic_load_n(&third.over, __ATOMIC_ACQUIRE))
        vsdk_loop_dispatch(loop, 100000000, NULL, NULL);
    pthread_join(third.thread, NULL);
    char sum[80];
    snprintf(sum, sizeof sum, "%s", said_in(third.text, "file"));
    printf("# address: %s\n", said_in(third.text, "address"));
    printf("# name: %s\n", said_in(third.text, "name"));
    tap(!strncmp(said_in(third.text, "address"), "10.0.2.15/24 10.0.2.2 10.0.2.3", 30),
        "an address by DHCP");
    tap(dns < 0 || !strcmp(said_in(third.text, "name"), "192.0.2.7"), "a name%s",
        dns < 0 ? " # SKIP no resolver here" : "");
    tap(strlen(sum) == 64 && !strcmp(sum, said_in(third.text, "wanted")), "4 MiB by HTTP");
    pthread_join(reach_thread, NULL);
    tap(strstr(greeting, "hello") != NULL, "the forwarded port reaches the guest");
    tap(!strcmp(said_in(third.text, "complaints"), "0"), "the kernel does not complain");
    end(&third);
    vsdk_net_close(net);
    vsdk_loop_close(loop);
    shutdown(http, SHUT_RDWR);
    pthread_join(http_thread, NULL);
    close(http);
    if (dns >= 0) {
        shutdown(dns, SHUT_RDWR);
        pthread_join(dns_thread, NULL);
        close(dns);
    }
}

int main(int count, char **arguments)
{
    const char *which = count > 1 ? arguments[1] : "";
    vsdk_error error = {0};

    tap(!vsdk_host_open(getenv("VSDK_TEST_BACKEND"), NULL, &host, &error), "a host: %s",
        error.message);
    if (strcmp(which, "stack"))
        on_a_pair();
    if (strcmp(which, "pair"))
        on_a_stack();
    vsdk_host_close(host);
    return tap_end();
}
