/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns what: ids of the guest's and ids of the host's. The rules stand in share.h; an id that
 * is no one's on the other side is nobody there, and can do nothing here. */
#include "base/checked.h"
#include "base/error.h"
#include "share/share.h"
#include <string.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* 1 and the id on the other side. */
static int map(const vsdk_share_ids *ranges, uint32_t count, int to_host, uint32_t id,
               uint32_t *mapped)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = to_host ? ranges[i].guest : ranges[i].host;
        if (id >= first && id - first < ranges[i].count) {
            *mapped = (to_host ? ranges[i].host : ranges[i].guest) + (id - first);
            return 1;
        }
    }
    return 0;
}

/* A group in no range takes the user's rights away with its own: half of somebody is nobody. */
int owner_to_host(const vsdk_share *share, uint32_t user, uint32_t group, uint32_t *host_user,
                  uint32_t *host_group)
{
    if (share->owners == OWNERS_MAPPED)
        return map(share->users, share->user_count, 1, user, host_user) &&
               map(share->groups, share->group_count, 1, group, host_group);
    *host_user = share->owners == OWNERS_KEPT ? user : share->user;
    *host_group = share->owners == OWNERS_KEPT ? group : share->group;
    return 1;
}

/* Each side of a range is one to one, so what the guest sets it sees again. */
static uint32_t to_guest(share_owners owners, const vsdk_share_ids *ranges, uint32_t count,
                         uint32_t own, uint32_t id)
{
    uint32_t mapped;

    if (owners == OWNERS_KEPT)
        return id;
    if (owners == OWNERS_SQUASHED)
        return id == own ? 0 : NOBODY;
    return map(ranges, count, 0, id, &mapped) ? mapped : NOBODY;
}

uint32_t owner_guest_user(const vsdk_share *share, uint32_t user)
{
    return to_guest(share->owners, share->users, share->user_count, share->user, user);
}

uint32_t owner_guest_group(const vsdk_share *share, uint32_t group)
{
    return to_guest(share->owners, share->groups, share->group_count, share->group, group);
}

/* Whoever of the guest's may open the file mostly is one of these: a load does not know who it was.
 */
void owner_in_guest(const vsdk_share *share, const struct stat *status, uint32_t *user,
                    uint32_t *group)
{
    uint32_t unused;

    *user = map(share->users, share->user_count, 0, status->st_uid, &unused) ? status->st_uid
                                                                             : share->users[0].host;
    *group = map(share->groups, share->group_count, 0, status->st_gid, &unused)
                 ? status->st_gid
                 : share->groups[0].host;
}

/* The last id means "leave it" to the host. */
static int is_wrong(const vsdk_share_ids *r, uint32_t i)
{
    if (!r[i].count || r[i].guest > UINT32_MAX - r[i].count || r[i].host > UINT32_MAX - r[i].count)
        return 1;
    for (uint32_t j = 0; j < i; j++)
        if (ranges_overlap(r[i].guest, r[i].count, r[j].guest, r[j].count) ||
            ranges_overlap(r[i].host, r[i].count, r[j].host, r[j].count))
            return 1;
    return 0;
}

static vsdk_status read_ranges(const vsdk_share_ids *given, uint32_t count, const char *kind,
                               vsdk_share_ids *copy, const char *operation, vsdk_error *error)
{
    if (!given && count)
        return error_null(error, operation, kind);
    if (count > SHARE_RANGES_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%u ranges of %s are more than %d",
                         count, kind, SHARE_RANGES_MOST);
    if (count)
        memcpy(copy, given, count * sizeof *copy);
    for (uint32_t i = 0; i < count; i++)
        if (copy[i].reserved || is_wrong(copy, i))
            return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                             "range %u of %s is empty, wraps or overlaps another", i, kind);
    return VSDK_OK;
}

/* Changing who a thread is takes root. Its own groups are put back after each call. */
vsdk_status owners_read(vsdk_share *share, const vsdk_share_config *config, const char *operation,
                        vsdk_error *error)
{
    share->user = (uint32_t)geteuid();
    share->group = (uint32_t)getegid();
    share->user_count = config->user_count;
    share->group_count = config->group_count;
    vsdk_status status =
        read_ranges(config->users, config->user_count, "users", share->users, operation, error);
    if (!status)
        status = read_ranges(config->groups, config->group_count, "groups", share->groups,
                             operation, error);
    if (status)
        return status;
    if (!config->user_count != !config->group_count)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "there are ranges of users or of groups, and none of the other");
    share->owners = share->user ? OWNERS_SQUASHED : OWNERS_KEPT;
    if (config->flags & VSDK_SHARE_SQUASH)
        share->owners = OWNERS_SQUASHED;
    if (!config->user_count)
        return VSDK_OK;
    if (config->flags & VSDK_SHARE_SQUASH)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "there are ranges, and VSDK_SHARE_SQUASH");
    share->owners = OWNERS_MAPPED;
    share->extra_count = getgroups((int)(sizeof share->extra / sizeof *share->extra), share->extra);
    if (share->user || share->extra_count < 0)
        return error_set(error, VSDK_ERROR_PERMISSION, operation,
                         "ranges of users need a process of root's, with at most 64 groups");
    return VSDK_OK;
}
