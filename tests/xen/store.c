/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a guest: what it reads and writes, what it is told of, what it may not and how much
 * it may, and that no bytes in the ring do harm. */
#include "backends/xen/store.h"
#include "rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/hvm/params.h>
#include <xen/io/xs_wire.h>

static struct rig rig;
static struct xenstore_domain_interface *ring; /* as the guest has it */
static struct xsd_sockmsg head;                /* of the last message */
static char text[XENSTORE_PAYLOAD_MAX + 1];

static int begin(void)
{
    uint64_t frame;

    if (!rig_begin(&rig))
        return 0;
    frame = rig_domain(&rig)->params[HVM_PARAM_STORE_PFN];
    check(frame == 0xfeffd, "frame %#llx", (unsigned long long)frame);
    check(rig_domain(&rig)->params[HVM_PARAM_STORE_EVTCHN] == FAKE_OWN_PORT + 1, "no channel");
    ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rig_domain(&rig)->memory,
                (off_t)frame * 4096);
    return 1;
}

static void end(void)
{
    munmap(ring, 4096);
    rig_end(&rig);
    rig_check_nothing_left("in the end");
}

static void serve(void)
{
    fake_notify(rig_domain(&rig));
    rig.vcpu.requests = REQUEST_KICK;
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_KICKED, "reason %u", rig.exit.reason);
    rig.vcpu.requests = 0;
}

static void write_ring(const void *bytes, size_t length)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < length; i++) {
        if (ring->req_prod - ring->req_cons == XENSTORE_RING_SIZE)
            serve();
        ring->req[MASK_XENSTORE_IDX(ring->req_prod)] = (char)from[i];
        ring->req_prod++;
    }
}

static int read_ring(void *bytes, size_t length)
{
    uint8_t *to = bytes;

    for (size_t i = 0; i < length; i++) {
        if (ring->rsp_prod == ring->rsp_cons)
            serve();
        if (ring->rsp_prod == ring->rsp_cons)
            return 0;
        to[i] = (uint8_t)ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons)];
        ring->rsp_cons++;
    }
    return 1;
}

/* The next message: its text, with a NUL behind it; "" without a message, and head.type is
 * XS_INVALID. */
static const char *next_message(void)
{
    text[0] = 0;
    head.type = XS_INVALID;
    head.len = 0;
    if (ring->rsp_prod == ring->rsp_cons)
        serve();
    if (ring->rsp_prod == ring->rsp_cons || !read_ring(&head, sizeof head))
        return text;
    check(head.len <= XENSTORE_PAYLOAD_MAX, "%u bytes", head.len);
    if (head.len <= XENSTORE_PAYLOAD_MAX && read_ring(text, head.len))
        text[head.len] = 0;
    return text;
}

static const char *ask_in(uint32_t transaction, uint32_t type, const void *payload, size_t length)
{
    static uint32_t number;
    const struct xsd_sockmsg request = {
        .type = type, .req_id = ++number, .tx_id = transaction, .len = (uint32_t)length};

    write_ring(&request, sizeof request);
    write_ring(payload, length);
    next_message();
    check(head.req_id == number && head.tx_id == transaction, "answer %u to %u", head.req_id,
          number);
    check(head.type == type || head.type == XS_ERROR, "type %u for %u", head.type, type);
    return text;
}

static const char *ask(uint32_t type, const char *path)
{
    return ask_in(0, type, path, strlen(path) + 1);
}

static const char *put_in(uint32_t transaction, const char *path, const char *value)
{
    char payload[1024];
    int length = snprintf(payload, sizeof payload, "%s%c%s", path, 0, value);

    return ask_in(transaction, XS_WRITE, payload, (size_t)length);
}

static const char *watch(uint32_t type, const char *path, const char *token)
{
    char payload[1024];
    int length = snprintf(payload, sizeof payload, "%s%c%s%c", path, 0, token, 0);

    return ask_in(0, type, payload, (size_t)length);
}

#define EXPECT(call, wanted)                                                                       \
    do {                                                                                           \
        const char *got = (call);                                                                  \
        check(strcmp(got, wanted) == 0, "%s gives %.60s, not %s", #call, got, wanted);             \
    } while (0)

static void expect_event(const char *path, const char *token)
{
    next_message();
    check(head.type == XS_WATCH_EVENT && strcmp(text, path) == 0 &&
              strcmp(text + strlen(text) + 1, token) == 0,
          "type %u: %s, not %s", head.type, text, path);
}

static void expect_no_event(void)
{
    next_message();
    check(head.type == XS_INVALID, "type %u: %s", head.type, text);
}

static void reading_and_writing(void)
{
    if (!begin())
        return;
    EXPECT(ask(XS_READ, "domid"), "5");
    EXPECT(ask(XS_READ, "/local/domain/5/domid"), "5");
    EXPECT(ask(XS_READ, "cpu/1/availability"), "online");
    EXPECT(ask(XS_READ, "nothing"), "ENOENT");
    EXPECT(put_in(0, "data/one", "first"), "OK");
    EXPECT(put_in(0, "data/one", "1"), "OK");
    EXPECT(put_in(0, "data/deep/er", "22"), "OK");
    EXPECT(ask(XS_READ, "data/one"), "1");
    EXPECT(ask(XS_READ, "data/deep"), "");
    check(head.type == XS_READ, "no parent was made");
    ask(XS_DIRECTORY, "data");
    check(head.len == 9 && memcmp(text, "deep\0one\0", 9) == 0, "%u bytes: %s", head.len, text);
    EXPECT(ask(XS_DIRECTORY, "/"), "local");
    EXPECT(ask(XS_MKDIR, "data/new"), "OK");
    EXPECT(ask(XS_MKDIR, "data/one"), "OK");
    EXPECT(ask(XS_READ, "data/one"), "1");
    EXPECT(ask(XS_RM, "data/deep"), "OK");
    EXPECT(ask(XS_READ, "data/deep/er"), "ENOENT");
    EXPECT(ask(XS_RM, "data/deep"), "ENOENT");
    EXPECT(ask(XS_READ, "data/new"), "");
    EXPECT(ask(XS_GET_PERMS, "data"), "n5");
    EXPECT(ask(XS_GET_PERMS, "/local"), "r0");
    EXPECT(watch(XS_SET_PERMS, "data", "b5"), "OK");
    EXPECT(ask(XS_GET_DOMAIN_PATH, "7"), "/local/domain/7");
    EXPECT(ask(XS_IS_DOMAIN_INTRODUCED, "5"), "T");
    EXPECT(ask(XS_IS_DOMAIN_INTRODUCED, "6"), "F");
    end();
}

static void what_it_may_not(void)
{
    static const char *const bad[] = {"", "a//b", "a/", "//", "a b", "a\x7f", "/x/", "\xc3\xa4"};
    static const char *const foreign[] = {
        "/", "/local", "/local/domain/5", "/local/domain/55/x", "/local/domain/6/x", "/vm"};

    if (!begin())
        return;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT(ask(XS_READ, bad[i]), "EINVAL");
        EXPECT(put_in(0, bad[i], "x"), "EINVAL");
    }
    EXPECT(ask_in(0, XS_READ, "domid", 5), "EINVAL"); /* without an end */
    EXPECT(ask_in(0, XS_READ, "", 0), "EINVAL");
    for (unsigned i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        EXPECT(put_in(0, foreign[i], "x"), "EACCES");
        EXPECT(ask(XS_RM, foreign[i]), "EACCES");
    }
    EXPECT(ask(XS_CONTROL, "quota"), "EACCES");
    EXPECT(ask(XS_INTRODUCE, "6"), "EACCES");
    EXPECT(ask(XS_DIRECTORY_PART, "data"), "ENOSYS");
    EXPECT(ask(1234567, "data"), "ENOSYS");
    EXPECT(ask_in(77, XS_READ, "domid", 6), "ENOENT");
    end();
}

static void watches(void)
{
    if (!begin())
        return;
    EXPECT(watch(XS_WATCH, "control/shutdown", "t1"), "OK");
    expect_event("control/shutdown", "t1");
    EXPECT(watch(XS_WATCH, "/local/domain/5/data", "t2"), "OK");
    expect_event("/local/domain/5/data", "t2");
    EXPECT(watch(XS_WATCH, "@releaseDomain", "t3"), "OK");
    expect_event("@releaseDomain", "t3");
    EXPECT(watch(XS_WATCH, "control/shutdown", "t1"), "EEXIST");
    EXPECT(put_in(0, "control/shutdown", "poweroff"), "OK");
    expect_event("control/shutdown", "t1");
    expect_no_event();
    EXPECT(put_in(0, "data/a/b", "1"), "OK");
    expect_event("/local/domain/5/data/a/b", "t2");
    EXPECT(put_in(0, "database", "1"), "OK");
    expect_no_event();
    EXPECT(ask(XS_RM, "control"), "OK"); /* what was watched goes with it */
    expect_event("control/shutdown", "t1");
    EXPECT(watch(XS_UNWATCH, "/local/domain/5/data", "t9"), "ENOENT");
    EXPECT(watch(XS_UNWATCH, "/local/domain/5/data", "t2"), "OK");
    EXPECT(put_in(0, "data/a/b", "2"), "OK");
    expect_no_event();
    EXPECT(ask(XS_RESET_WATCHES, ""), "OK");
    EXPECT(put_in(0, "control/shutdown", "x"), "OK");
    expect_no_event();
    end();
}

static uint32_t start(void)
{
    return (uint32_t)atoi(ask(XS_TRANSACTION_START, ""));
}

static void transactions(void)
{
    uint32_t one, two;

    if (!begin())
        return;
    EXPECT(watch(XS_WATCH, "data", "t"), "OK");
    expect_event("data", "t");
    EXPECT(put_in(0, "data/gone", "x"), "OK");
    expect_event("data/gone", "t");
    one = start();
    check(one != 0, "no number");
    EXPECT(put_in(one, "data/in", "1"), "OK");
    EXPECT(ask_in(one, XS_RM, "data/gone", 10), "OK");
    EXPECT(ask_in(one, XS_READ, "data/in", 8), "1");
    EXPECT(ask(XS_READ, "data/in"), "ENOENT");
    expect_no_event();
    EXPECT(ask_in(one, XS_TRANSACTION_END, "T", 2), "OK");
    expect_event("data/gone", "t");
    expect_event("data/in", "t");
    expect_no_event();
    EXPECT(ask(XS_READ, "data/in"), "1");
    EXPECT(ask_in(one, XS_TRANSACTION_END, "T", 2), "ENOENT");
    /* Given up. */
    one = start();
    EXPECT(put_in(one, "data/in", "2"), "OK");
    EXPECT(ask_in(one, XS_TRANSACTION_END, "F", 2), "OK");
    EXPECT(ask(XS_READ, "data/in"), "1");
    /* Two at once: the second to end has to try again, unless it has only read. */
    one = start();
    two = start();
    EXPECT(put_in(one, "data/in", "3"), "OK");
    EXPECT(put_in(two, "data/in", "4"), "OK");
    EXPECT(ask_in(one, XS_TRANSACTION_END, "T", 2), "OK");
    expect_event("data/in", "t");
    EXPECT(ask_in(two, XS_TRANSACTION_END, "T", 2), "EAGAIN");
    EXPECT(ask(XS_READ, "data/in"), "3");
    one = start();
    EXPECT(ask_in(one, XS_READ, "data/in", 8), "3");
    EXPECT(put_in(0, "data/in", "5"), "OK");
    expect_event("data/in", "t");
    EXPECT(ask_in(one, XS_READ, "data/in", 8), "3");
    EXPECT(ask_in(one, XS_TRANSACTION_END, "T", 2), "OK");
    EXPECT(ask_in(start(), XS_TRANSACTION_END, "?", 2), "EINVAL");
    end();
}

static void limits(void)
{
    static char payload[XENSTORE_PAYLOAD_MAX], path[600];
    unsigned count;

    if (!begin())
        return;
    for (count = 0; count < 100 && start(); count++)
        ;
    EXPECT(ask(XS_TRANSACTION_START, ""), "ENOSPC");
    check(count >= 2 && count < 16, "%u transactions", count);
    EXPECT(ask(XS_RESET_WATCHES, ""), "OK");
    check(start() != 0, "transactions are left");
    /* Values as long as can be, until the store is full; then it serves on. */
    memset(payload, 'v', sizeof payload);
    for (count = 0; count < 100; count++) {
        int length = snprintf(payload, sizeof payload, "data/v%u", count) + 1;
        payload[length] = 'v';
        if (strcmp(ask_in(0, XS_WRITE, payload, sizeof payload), "OK"))
            break;
    }
    EXPECT(text, "ENOSPC");
    check(count >= 4 && count < 16, "%u large values", count);
    ask(XS_READ, "data/v0");
    check(head.len == sizeof payload - 8, "%u bytes of %zu", head.len, sizeof payload - 8);
    EXPECT(ask(XS_RM, "data"), "OK");
    EXPECT(put_in(0, "data/room", "again"), "OK");
    for (count = 0; count < 10000; count++) {
        snprintf(path, sizeof path, "many/%u", count);
        if (strcmp(put_in(0, path, ""), "OK"))
            break;
    }
    EXPECT(text, "ENOSPC");
    check(count > 200 && count < 10000, "%u values", count);
    EXPECT(ask(XS_DIRECTORY, "many"), count > 1000 ? "E2BIG" : text);
    memset(path, 'p', sizeof path - 1);
    EXPECT(ask(XS_READ, path), "EINVAL");
    /* Watches, of which each is told of one change. */
    EXPECT(ask(XS_RM, "many"), "OK");
    for (count = 0; count < 10000; count++) {
        snprintf(path, sizeof path, "token %u with many letters", count);
        if (strcmp(watch(XS_WATCH, "data", path), "OK"))
            break;
        next_message();
    }
    EXPECT(text, "E2BIG");
    check(count > 50 && count < 1000, "%u watches", count);
    EXPECT(put_in(0, "data/room", "x"), "OK");
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, "token %u with many letters", i);
        expect_event("data/room", path);
    }
    end();
}

/* One byte more than that is refused. */
static void limits_to_the_byte(void)
{
    static char payload[XENSTORE_PAYLOAD_MAX], path[600], token[600];
    unsigned count = 0;

    if (!begin())
        return;
    EXPECT(ask(XS_GET_DOMAIN_PATH, "32767"), "/local/domain/32767");
    EXPECT(ask(XS_GET_DOMAIN_PATH, "32768"), "EINVAL");
    /* Paths: 512 with the home's and the slash between. */
    memset(path, 'p', sizeof path);
    path[512 - 16] = 0;
    EXPECT(put_in(0, path, "x"), "OK");
    path[512 - 16] = 'p';
    path[512 - 16 + 1] = 0;
    EXPECT(put_in(0, path, "x"), "EINVAL");
    memset(path, '@', sizeof path);
    path[512] = 0;
    EXPECT(watch(XS_WATCH, path, "t"), "OK");
    expect_event(path, "t");
    path[512] = '@';
    path[513] = 0;
    EXPECT(watch(XS_WATCH, path, "t"), "EINVAL");
    EXPECT(ask(XS_RESET_WATCHES, ""), "OK");
    /* Names: as many as fill an answer. */
    memset(path, 'n', sizeof path);
    memcpy(path, "list/", 5);
    for (count = 0; count < 16; count++) {
        path[5] = (char)('a' + count);
        path[5 + 255] = count == 15 ? 'n' : 0;
        path[5 + 256] = 0;
        EXPECT(ask(XS_MKDIR, path), "OK");
    }
    EXPECT(ask(XS_DIRECTORY, "list"), "E2BIG");
    EXPECT(ask(XS_RM, path), "OK");
    path[5 + 255] = 0;
    EXPECT(ask(XS_MKDIR, path), "OK");
    ask(XS_DIRECTORY, "list");
    check(head.type == XS_DIRECTORY && head.len == sizeof payload, "%u bytes", head.len);
    /* Watches: 8192 bytes, each 6 more than its path and token. */
    memset(payload, 't', sizeof payload);
    memcpy(payload, "data", 5);
    for (count = 0; count < 2; count++) {
        payload[5] = (char)('a' + count);
        payload[5 + 3900] = 0;
        EXPECT(ask_in(0, XS_WATCH, payload, 5 + 3901), "OK");
        next_message();
        payload[5 + 3900] = 't';
    }
    memset(token, 't', sizeof token);
    token[8192 - 2 * (26 + 3900) - 26 + 1] = 0;
    EXPECT(watch(XS_WATCH, "data", token), "E2BIG");
    token[8192 - 2 * (26 + 3900) - 26] = 0;
    EXPECT(watch(XS_WATCH, "data", token), "OK");
    end();
}

/* Of 520 bytes 62 have room behind an answer, and 509 are left: what says 504 is 16 more. */
static void events_to_the_byte(void)
{
    static char path[512];
    unsigned events = 0;

    if (!begin())
        return;
    for (unsigned i = 0; i < 70; i++) {
        char token[8];
        snprintf(token, sizeof token, "t%05u", i);
        EXPECT(watch(XS_WATCH, "data", token), "OK");
        next_message();
    }
    memset(path, 'p', sizeof path);
    memcpy(path, "data/", 5);
    path[496] = 0;
    EXPECT(put_in(0, path, "x"), "OK");
    for (next_message(); head.type == XS_WATCH_EVENT; next_message(), events++)
        check(head.len == 504, "%u bytes", head.len);
    check(events == 62, "%u events", events);
    EXPECT(ask(XS_READ, "domid"), "5");
    end();
}

/* Written over by what is as long it is as full as before; by a byte more it would be too full. */
static void a_full_tree(void)
{
    static const char value[XENSTORE_PAYLOAD_MAX];
    store_tree *tree = calloc(1, sizeof *tree);
    uint32_t length = XENSTORE_PAYLOAD_MAX;
    char path[8];

    if (!tree)
        tap_bail("no memory");
    for (unsigned i = 0; i < 100; i++) {
        int named = snprintf(path, sizeof path, "/n%u", i);
        if (!tree_write(tree, path, (uint32_t)named, value, sizeof value))
            break;
    }
    while (length && !tree_write(tree, "/z", 2, value, length))
        length--;
    check(length && tree->used == STORE_TREE_BYTES, "%u bytes are used", tree->used);
    check(!tree_write(tree, "/z", 2, value, length + 1), "a byte too many");
    check(tree_write(tree, "/z", 2, value, length), "no room for the same");
    check(tree->used == STORE_TREE_BYTES, "%u bytes are used", tree->used);
    free(tree);
}

/* More than are served in one turn, all asked at once and told once. */
static void many_at_once(void)
{
    const struct xsd_sockmsg request = {.type = XS_RESET_WATCHES};

    if (!begin())
        return;
    for (unsigned i = 0; i < 40; i++)
        write_ring(&request, sizeof request);
    serve();
    rig.vcpu.requests = REQUEST_KICK;
    for (unsigned i = 0; i < 5; i++)
        rig_run(&rig, PATIENCE_MS);
    rig.vcpu.requests = 0;
    check(ring->req_cons == ring->req_prod, "%u bytes wait", ring->req_prod - ring->req_cons);
    end();
}

/* A guest that asks and does not read: the next request waits. */
static void does_not_read(void)
{
    struct xsd_sockmsg request = {.type = XS_READ, .len = 6};
    uint32_t consumed;

    if (!begin())
        return;
    for (unsigned i = 0; i < 46; i++) {
        request.req_id = i;
        write_ring(&request, sizeof request);
        write_ring("domid", 6);
    }
    for (int i = 0; i < 20; i++)
        serve();
    for (unsigned i = 46; ring->rsp_prod - ring->rsp_cons < XENSTORE_RING_SIZE && i < 200; i++) {
        request.req_id = i;
        write_ring(&request, sizeof request);
        write_ring("domid", 6);
        serve();
    }
    consumed = ring->req_cons;
    write_ring(&request, sizeof request);
    write_ring("domid", 6);
    serve();
    check(ring->req_cons == consumed, "it is read on");
    for (unsigned i = 0; i < 46; i++) {
        EXPECT(next_message(), "5");
        check(head.req_id == i, "answer %u, not %u", head.req_id, i);
    }
    end();
}

static void broken(int how)
{
    struct xsd_sockmsg request = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1};

    if (!begin())
        return;
    EXPECT(ask(XS_READ, "domid"), "5");
    if (how == 0)
        write_ring(&request, sizeof request);
    else if (how == 1)
        ring->req_prod += XENSTORE_RING_SIZE + 1;
    else
        ring->rsp_cons = ring->rsp_prod + 1;
    rig_log[0] = 0;
    serve();
    check(strstr(rig_log, "broke the rules"), "how %d: log: %s", how, rig_log);
    rig_log[0] = 0;
    serve();
    check(!rig_log[0], "told twice: %s", rig_log);
    ring->rsp_cons = ring->rsp_prod;
    expect_no_event();
    /* Until a reset. */
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
    check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    EXPECT(ask(XS_READ, "domid"), "5");
    ring->rsp_cons = ring->rsp_prod + 1;
    serve();
    check(strstr(rig_log, "broke the rules"), "nothing is told after a reset");
    end();
}

static void broken_rules(void)
{
    for (int how = 0; how < 3; how++)
        broken(how);
}

static void reset(void)
{
    if (!begin())
        return;
    EXPECT(put_in(0, "data/old", "1"), "OK");
    EXPECT(watch(XS_WATCH, "data", "t"), "OK");
    expect_event("data", "t");
    uint32_t old = start();
    rig_ops->vm_pause(&rig.vm, &rig_error);
    check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
    check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    EXPECT(ask(XS_READ, "data/old"), "ENOENT");
    EXPECT(ask_in(old, XS_READ, "domid", 6), "ENOENT");
    EXPECT(put_in(0, "data/old", "1"), "OK");
    expect_no_event();
    end();
}

static uint64_t state = 7;

static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)state;
}

/* Requests with a little sense and any bytes. */
static void any_bytes(void)
{
    static const char words[] = "data/a\0T\0F\0/local/domain/5/\0@x\0//\0token\0cpu\0"
                                "0";
    struct xsd_sockmsg request;
    char payload[200];

    if (!begin())
        return;
    for (int i = 0; i < 20000; i++) {
        request = (struct xsd_sockmsg){.type = next() % (XS_TYPE_COUNT + 2),
                                       .tx_id = next() % 3 ? 0 : next() % 8,
                                       .len = next() % sizeof payload};
        for (uint32_t k = 0; k < request.len; k++)
            payload[k] = next() % 16 ? words[(k + next() % 3) % sizeof words] : (char)next();
        write_ring(&request, sizeof request);
        write_ring(payload, request.len);
        do
            next_message();
        while (head.type == XS_WATCH_EVENT);
        check(head.type == request.type || head.type == XS_ERROR, "type %u for %u", head.type,
              request.type);
        while (ring->rsp_prod != ring->rsp_cons)
            next_message();
    }
    /* The ring itself changes at will. */
    for (int i = 0; i < 2000; i++) {
        for (unsigned k = 0; k < sizeof *ring / 4; k += 1 + next() % 64)
            ((uint32_t *)ring)[k] = next() % 4 ? next() : 16;
        serve();
        if (i % 4 == 0) {
            rig_ops->vm_pause(&rig.vm, &rig_error);
            check(!rig_ops->vm_reset(&rig.vm, &rig_error), "%s", rig_error.message);
            check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
        }
    }
    end();
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"reading and writing", reading_and_writing},
        {"what it may not", what_it_may_not},
        {"watches", watches},
        {"transactions", transactions},
        {"limits", limits},
        {"limits to the byte", limits_to_the_byte},
        {"events to the byte", events_to_the_byte},
        {"a full tree", a_full_tree},
        {"many at once", many_at_once},
        {"a guest that does not read", does_not_read},
        {"broken rules", broken_rules},
        {"reset", reset},
        {"any bytes", any_bytes},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
