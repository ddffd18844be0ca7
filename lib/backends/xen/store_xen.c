/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol by which a guest speaks with its store (xen/io/xs_wire.h): a ring of requests and a
 * ring of answers and events.
 *
 * The guest is alone in its store. It reads all of it and writes below its home. A transaction is a
 * copy that takes the store's place at its end, unless something else was written meanwhile.
 *
 * What a guest can have is bounded: the tree, the transactions, the watches, and what waits to be
 * read by it. The next request is looked at only when the guest has read all that came before. */
#include "backends/xen/store.h"
#include "base/sys.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    TRANSACTIONS = 4,
    WATCH_BYTES = 8192,
    OUT_BYTES = 32768,
    REQUESTS_A_TURN = 16,
    HEAD = sizeof(struct xsd_sockmsg)
};

typedef struct transaction {
    uint32_t id; /* 0: free */
    uint32_t generation;
    int writes;
    store_tree tree;
} transaction;

/* Watches lie one behind the other: this, the path, the token. */
typedef struct watch {
    uint16_t path_length, token_length;
    uint16_t relative; /* events name paths from the home on */
} watch;

struct store {
    uint32_t domid;
    char home[32];
    uint32_t home_length;
    store_tree tree;
    uint32_t generation; /* of the tree: grows with each change */
    transaction transactions[TRANSACTIONS];
    uint32_t last_id;
    uint32_t watches_used;
    uint8_t watches[WATCH_BYTES];
    uint32_t consumed, produced; /* our places in the rings, which the guest can't move */
    uint32_t in_length;
    uint8_t in[HEAD + XENSTORE_PAYLOAD_MAX];
    uint32_t out_sent, out_length;
    uint8_t out[OUT_BYTES];
    int broken, lost, told;
};

store *store_create(void)
{
    return sys_map_anonymous(sizeof(store), 4096, 0, PROT_READ | PROT_WRITE);
}

void store_free(store *s)
{
    if (s)
        sys_unmap(s, sizeof *s);
}

static void put_out(store *s, const void *bytes, uint32_t length)
{
    if (length)
        memcpy(s->out + s->out_length, bytes, length);
    s->out_length += length;
}

/* A message to the guest; there is room for an answer whenever a request is looked at. */
static void store_send(store *s, const struct xsd_sockmsg *to, uint32_t type, const void *bytes,
                       uint32_t length)
{
    const struct xsd_sockmsg head = {
        .type = type, .req_id = to->req_id, .tx_id = to->tx_id, .len = length};

    put_out(s, &head, HEAD);
    put_out(s, bytes, length);
}

static void store_send_event(store *s, const char *path, uint32_t path_length, const void *token,
                             uint32_t token_length)
{
    const struct xsd_sockmsg head = {.type = XS_WATCH_EVENT,
                                     .len = path_length + 1 + token_length + 1};

    if (OUT_BYTES - s->out_length < HEAD + head.len) {
        s->lost = 1;
        return;
    }
    put_out(s, &head, HEAD);
    put_out(s, path, path_length);
    put_out(s, "", 1);
    put_out(s, token, token_length);
    put_out(s, "", 1);
}

/* A path as the tree has it. */
typedef struct path {
    uint32_t length;
    int relative; /* as the guest gave it */
    char text[STORE_PATH_MAX];
} path;

/* An item of the payload that ends with a zero byte: its length, or -1. */
static int take_item(const uint8_t **at, uint32_t *left, const char **item)
{
    const uint8_t *end = *left ? memchr(*at, 0, *left) : NULL;
    uint32_t length;

    if (!end)
        return -1;
    length = (uint32_t)(end - *at);
    *item = (const char *)*at;
    *at += length + 1;
    *left -= length + 1;
    return (int)length;
}

static int take_path(const store *s, const uint8_t **at, uint32_t *left, path *to)
{
    const char *item;
    int length = take_item(at, left, &item);
    uint32_t home = 0;

    if (length <= 0)
        return 0;
    to->relative = item[0] != '/';
    if (to->relative) {
        home = s->home_length + 1;
        memcpy(to->text, s->home, s->home_length);
        to->text[s->home_length] = '/';
    }
    if ((uint32_t)length > STORE_PATH_MAX - home)
        return 0;
    memcpy(to->text + home, item, (uint32_t)length);
    to->length = home + (uint32_t)length;
    if (to->length == 1) { /* the root */
        to->length = 0;
        return 1;
    }
    for (uint32_t i = 0; i < to->length; i++) {
        char byte = to->text[i];
        int slash_again = byte == '/' && i + 1 < to->length && to->text[i + 1] == '/';
        if (byte <= ' ' || byte > '~' || slash_again)
            return 0;
    }
    return to->text[to->length - 1] != '/';
}

static int is_writable(const store *s, const path *p)
{
    return path_is_below(p->text, p->length, s->home, s->home_length);
}

/* Events of all watches that a change of `name` concerns: those of it, of what is above it, and
 * when it was removed of what was below it. */
static void store_fire(store *s, const char *name, uint32_t length, int removed)
{
    for (uint32_t at = 0; at < s->watches_used;) {
        const char *top, *token, *said = name;
        uint32_t said_length = length;
        watch w;
        memcpy(&w, s->watches + at, sizeof w);
        top = (const char *)s->watches + at + sizeof w;
        token = top + w.path_length;
        at += (uint32_t)sizeof w + w.path_length + w.token_length;
        if (removed && path_is_below(top, w.path_length, name, length)) {
            said = top;
            said_length = w.path_length;
        } else if ((w.path_length != length || memcmp(top, name, length) != 0) &&
                   !path_is_below(name, length, top, w.path_length)) {
            continue;
        }
        if (w.relative && path_is_below(said, said_length, s->home, s->home_length)) {
            said += s->home_length + 1;
            said_length -= s->home_length + 1;
        }
        if (said_length)
            store_send_event(s, said, said_length, token, w.token_length);
        else
            store_send_event(s, "/", 1, token, w.token_length);
    }
}

static transaction *transaction_of(store *s, uint32_t id)
{
    for (int i = 0; id && i < TRANSACTIONS; i++)
        if (s->transactions[i].id == id)
            return &s->transactions[i];
    return NULL;
}

static const char *start_transaction(store *s, const struct xsd_sockmsg *head)
{
    transaction *t = NULL;
    char text[16];

    for (int i = 0; !t && i < TRANSACTIONS; i++)
        if (!s->transactions[i].id)
            t = &s->transactions[i];
    if (!t)
        return "ENOSPC";
    if (++s->last_id == 0)
        s->last_id = 1;
    t->id = s->last_id;
    t->generation = s->generation;
    t->writes = 0;
    t->tree.used = s->tree.used;
    memcpy(t->tree.bytes, s->tree.bytes, s->tree.used);
    store_send(s, head, head->type, text, (uint32_t)snprintf(text, sizeof text, "%u", t->id) + 1);
    return NULL;
}

/* Both are sorted: what differs is found by going along both at once. */
static void fire_differences(store *s, const store_tree *old)
{
    store_entry before, after;
    uint32_t at_before = 0, at_after = 0;
    int has_before = tree_next(old, &at_before, &before);
    int has_after = tree_next(&s->tree, &at_after, &after);

    while (has_before || has_after) {
        int order = !has_before ? 1 : !has_after ? -1 : path_compare(&before, &after);
        if (order < 0)
            store_fire(s, before.path, before.path_length, 1);
        else if (order > 0 || before.value_length != after.value_length ||
                 memcmp(before.value, after.value, after.value_length) != 0)
            store_fire(s, after.path, after.path_length, 0);
        if (order <= 0)
            has_before = tree_next(old, &at_before, &before);
        if (order >= 0)
            has_after = tree_next(&s->tree, &at_after, &after);
    }
}

/* The transaction's tree becomes the store's, and the old one lies in the transaction until it is
 * used again. */
static void take_over(store *s, transaction *t)
{
    uint32_t most = s->tree.used > t->tree.used ? s->tree.used : t->tree.used;

    for (uint32_t i = 0; i < most; i++) {
        uint8_t byte = s->tree.bytes[i];
        s->tree.bytes[i] = t->tree.bytes[i];
        t->tree.bytes[i] = byte;
    }
    most = s->tree.used;
    s->tree.used = t->tree.used;
    t->tree.used = most;
    s->generation++;
    fire_differences(s, &t->tree);
}

static const char *end_transaction(store *s, const struct xsd_sockmsg *head, const uint8_t *at,
                                   uint32_t left)
{
    transaction *t = transaction_of(s, head->tx_id);
    const char *word;

    if (!t)
        return "ENOENT";
    if (take_item(&at, &left, &word) != 1 || (*word != 'T' && *word != 'F'))
        return "EINVAL";
    t->id = 0;
    if (*word == 'T' && t->writes && t->generation != s->generation)
        return "EAGAIN";
    store_send(s, head, head->type, "OK", 3);
    if (*word == 'T' && t->writes)
        take_over(s, t);
    return NULL;
}

/* The one that is the same, or the end. */
static uint32_t find_watch(const store *s, const path *p, const char *token, uint32_t length)
{
    for (uint32_t at = 0; at < s->watches_used;) {
        watch w;
        memcpy(&w, s->watches + at, sizeof w);
        if (w.path_length == p->length && w.token_length == length && w.relative == p->relative &&
            memcmp(s->watches + at + sizeof w, p->text, p->length) == 0 &&
            memcmp(s->watches + at + sizeof w + p->length, token, length) == 0)
            return at;
        at += (uint32_t)sizeof w + w.path_length + w.token_length;
    }
    return s->watches_used;
}

static const char *change_watch(store *s, const struct xsd_sockmsg *head, const uint8_t *at,
                                uint32_t left)
{
    const char *token, *name = (const char *)at;
    uint32_t size, place;
    int token_length;
    path p;
    watch w;

    if (left && *at == '@') { /* an event of other domains: accepted, and never comes */
        int length = take_item(&at, &left, &name);
        if (length < 0 || length > STORE_PATH_MAX)
            return "EINVAL";
        p.length = (uint32_t)length;
        p.relative = 0;
        memcpy(p.text, name, p.length);
    } else if (!take_path(s, &at, &left, &p)) {
        return "EINVAL";
    }
    token_length = take_item(&at, &left, &token);
    if (token_length < 0)
        return "EINVAL";
    w = (watch){(uint16_t)p.length, (uint16_t)token_length, (uint16_t)p.relative};
    size = (uint32_t)(sizeof w + p.length) + (uint32_t)token_length;
    place = find_watch(s, &p, token, (uint32_t)token_length);
    if (head->type == XS_UNWATCH) {
        if (place == s->watches_used)
            return "ENOENT";
        memmove(s->watches + place, s->watches + place + size, s->watches_used - place - size);
        s->watches_used -= size;
        store_send(s, head, head->type, "OK", 3);
        return NULL;
    }
    if (place != s->watches_used)
        return "EEXIST";
    if (size > WATCH_BYTES - s->watches_used)
        return "E2BIG";
    memcpy(s->watches + place, &w, sizeof w);
    memcpy(s->watches + place + sizeof w, p.text, p.length);
    memcpy(s->watches + place + sizeof w + p.length, token, (uint32_t)token_length);
    s->watches_used += size;
    store_send(s, head, head->type, "OK", 3);
    /* The first event comes at once. */
    store_send_event(s, name, (uint32_t)strlen(name), token, (uint32_t)token_length);
    return NULL;
}

static const char *store_list(store *s, const struct xsd_sockmsg *head, const store_tree *tree,
                              const path *p)
{
    char names[XENSTORE_PAYLOAD_MAX];
    store_entry entry;
    uint32_t length = 0;

    for (uint32_t at = 0; tree_next(tree, &at, &entry);) {
        const char *name = entry.path + p->length + 1;
        uint32_t left = entry.path_length - p->length - 1;
        if (!path_is_below(entry.path, entry.path_length, p->text, p->length) ||
            memchr(name, '/', left))
            continue;
        if (left + 1 > sizeof names - length)
            return "E2BIG";
        memcpy(names + length, name, left);
        names[length + left] = 0;
        length += left + 1;
    }
    store_send(s, head, head->type, names, length);
    return NULL;
}

static const char *tell_permissions(store *s, const struct xsd_sockmsg *head, const path *p)
{
    char text[16];
    uint32_t owner = is_writable(s, p) ? s->domid : 0;
    int length = snprintf(text, sizeof text, "%c%u", owner ? 'n' : 'r', owner);

    store_send(s, head, head->type, text, (uint32_t)length + 1);
    return NULL;
}

/* Requests that name a path. */
static const char *serve_path(store *s, const struct xsd_sockmsg *head, const uint8_t *at,
                              uint32_t left)
{
    transaction *t = transaction_of(s, head->tx_id);
    store_tree *tree = t ? &t->tree : &s->tree;
    uint32_t type = head->type;
    store_entry entry;
    int known, removes = type == XS_RM;
    path p;

    if (head->tx_id && !t)
        return "ENOENT";
    if (!take_path(s, &at, &left, &p))
        return "EINVAL";
    known = tree_find(tree, p.text, p.length, &entry);
    if (type == XS_READ || type == XS_DIRECTORY || type == XS_GET_PERMS) {
        if (!known)
            return "ENOENT";
        if (type == XS_DIRECTORY)
            return store_list(s, head, tree, &p);
        if (type == XS_GET_PERMS)
            return tell_permissions(s, head, &p);
        store_send(s, head, type, entry.value, entry.value_length);
        return NULL;
    }
    if (!is_writable(s, &p))
        return "EACCES";
    if (!known && (type == XS_RM || type == XS_SET_PERMS))
        return "ENOENT";
    if (type == XS_RM)
        tree_remove(tree, p.text, p.length);
    else if (type == XS_WRITE || (type == XS_MKDIR && !known))
        if (!tree_write(tree, p.text, p.length, at, type == XS_WRITE ? left : 0))
            return "ENOSPC";
    store_send(s, head, type, "OK", 3);
    if (type == XS_SET_PERMS || (type == XS_MKDIR && known))
        return NULL;
    if (t) {
        t->writes = 1;
        return NULL;
    }
    s->generation++;
    store_fire(s, p.text, p.length, removes);
    return NULL;
}

static const char *serve_number(store *s, const struct xsd_sockmsg *head, const uint8_t *at,
                                uint32_t left)
{
    char text[32];
    const char *number;
    unsigned long domid;

    if (take_item(&at, &left, &number) <= 0)
        return "EINVAL";
    domid = strtoul(number, NULL, 10);
    if (domid > 0x7fff)
        return "EINVAL";
    if (head->type == XS_GET_DOMAIN_PATH)
        snprintf(text, sizeof text, "/local/domain/%lu", domid);
    else
        snprintf(text, sizeof text, "%c", domid == s->domid ? 'T' : 'F');
    store_send(s, head, head->type, text, (uint32_t)strlen(text) + 1);
    return NULL;
}

/* NULL, or the name of an error. */
static const char *store_dispatch(store *s, const struct xsd_sockmsg *head, const uint8_t *payload)
{
    switch (head->type) {
    case XS_READ:
    case XS_DIRECTORY:
    case XS_GET_PERMS:
    case XS_WRITE:
    case XS_MKDIR:
    case XS_RM:
    case XS_SET_PERMS:
        return serve_path(s, head, payload, head->len);
    case XS_WATCH:
    case XS_UNWATCH:
        return change_watch(s, head, payload, head->len);
    case XS_TRANSACTION_START:
        return start_transaction(s, head);
    case XS_TRANSACTION_END:
        return end_transaction(s, head, payload, head->len);
    case XS_GET_DOMAIN_PATH:
    case XS_IS_DOMAIN_INTRODUCED:
        return serve_number(s, head, payload, head->len);
    case XS_RESET_WATCHES:
        s->watches_used = 0;
        for (int i = 0; i < TRANSACTIONS; i++)
            s->transactions[i].id = 0;
        store_send(s, head, head->type, "OK", 3);
        return NULL;
    case XS_CONTROL:
    case XS_INTRODUCE:
    case XS_RELEASE:
    case XS_RESUME:
    case XS_SET_TARGET:
        return "EACCES"; /* the toolstack's */
    default:
        return "ENOSYS";
    }
}

static void serve_request(store *s)
{
    struct xsd_sockmsg head;
    const char *failure;

    memcpy(&head, s->in, HEAD);
    s->in_length = s->out_sent = s->out_length = 0;
    failure = store_dispatch(s, &head, s->in + HEAD);
    if (failure)
        store_send(s, &head, XS_ERROR, failure, (uint32_t)strlen(failure) + 1);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* 1 if something was moved. */
static int push_out(store *s, struct xenstore_domain_interface *ring)
{
    uint32_t used = s->produced - __atomic_load_n(&ring->rsp_cons, __ATOMIC_ACQUIRE), count, first;

    if (used > XENSTORE_RING_SIZE) {
        s->broken = 1;
        return 0;
    }
    count = smaller(XENSTORE_RING_SIZE - used, s->out_length - s->out_sent);
    first = smaller(count, XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(s->produced));
    memcpy(ring->rsp + MASK_XENSTORE_IDX(s->produced), s->out + s->out_sent, first);
    memcpy(ring->rsp, s->out + s->out_sent + first, count - first);
    s->out_sent += count;
    s->produced += count;
    __atomic_store_n(&ring->rsp_prod, s->produced, __ATOMIC_RELEASE);
    return count != 0;
}

/* 1 when a whole request is there. */
static int pull_in(store *s, struct xenstore_domain_interface *ring, int *moved)
{
    struct xsd_sockmsg head;

    for (;;) {
        uint32_t there = __atomic_load_n(&ring->req_prod, __ATOMIC_ACQUIRE) - s->consumed;
        uint32_t wanted = HEAD, count, first;
        if (s->in_length >= HEAD) {
            memcpy(&head, s->in, HEAD);
            if (head.len > XENSTORE_PAYLOAD_MAX)
                s->broken = 1;
            else
                wanted += head.len;
        }
        if (there > XENSTORE_RING_SIZE)
            s->broken = 1;
        if (s->broken)
            return 0;
        if (s->in_length == wanted)
            return 1;
        if (!there)
            return 0;
        count = smaller(there, wanted - s->in_length);
        first = smaller(count, XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(s->consumed));
        memcpy(s->in + s->in_length, ring->req + MASK_XENSTORE_IDX(s->consumed), first);
        memcpy(s->in + s->in_length + first, ring->req, count - first);
        s->in_length += count;
        s->consumed += count;
        __atomic_store_n(&ring->req_cons, s->consumed, __ATOMIC_RELEASE);
        *moved = 1;
    }
}

int store_serve(store *s, struct xenstore_domain_interface *ring)
{
    int moved = 0, result = 0, turns = 0;

    for (; !s->broken && turns < REQUESTS_A_TURN; turns++) {
        moved |= push_out(s, ring);
        if (s->out_sent < s->out_length || !pull_in(s, ring, &moved))
            break;
        serve_request(s);
    }
    if (turns == REQUESTS_A_TURN)
        result |= STORE_MORE;
    if (moved)
        result |= STORE_MOVED;
    if (s->broken && !(s->told & STORE_BROKE))
        result |= STORE_BROKE;
    if (s->lost && !(s->told & STORE_LOST))
        result |= STORE_LOST;
    s->told |= result;
    return result;
}

static void store_set(store *s, const char *name, const char *value)
{
    char text[STORE_PATH_MAX];
    int length = snprintf(text, sizeof text, "%s/%s", s->home, name);

    tree_write(&s->tree, text, (uint32_t)length, value, (uint32_t)strlen(value));
}

void store_reset(store *s, uint32_t domid, uint32_t vcpus)
{
    char text[48];

    s->domid = domid;
    s->home_length = (uint32_t)snprintf(s->home, sizeof s->home, "/local/domain/%u", domid);
    s->tree.used = 0;
    for (int i = 0; i < TRANSACTIONS; i++)
        s->transactions[i].id = 0;
    s->watches_used = s->consumed = s->produced = 0;
    s->in_length = s->out_sent = s->out_length = 0;
    s->broken = s->lost = s->told = 0;
    snprintf(text, sizeof text, "%u", domid);
    store_set(s, "domid", text);
    store_set(s, "control/shutdown", "");
    store_set(s, "device", "");
    store_set(s, "data", "");
    for (uint32_t i = 0; i < vcpus; i++) {
        snprintf(text, sizeof text, "cpu/%u/availability", i);
        store_set(s, text, "online");
    }
}
