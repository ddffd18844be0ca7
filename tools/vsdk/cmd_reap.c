/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk reap: guests whose owner died. */
#include "command.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] = "usage: vsdk reap [--list]\n"
                            "  --list  only tell what would be freed\n";

static void print_orphan(const vsdk_orphan *orphan, const char *verb)
{
    printf("%s domain %u, %llu MiB, owner was process %u\n", verb, orphan->domain,
           (unsigned long long)(orphan->memory >> 20), orphan->owner_pid);
}

static int reap_all(vsdk_host *host, int only_list)
{
    vsdk_orphan *orphans;
    vsdk_error error;
    uint32_t count, capacity;
    int result = 0;

    if (vsdk_host_list_orphans(host, NULL, 0, &capacity, &error))
        return report(&error);
    orphans = calloc(capacity + 1, sizeof *orphans);
    if (!orphans)
        return complain("no memory");
    if (vsdk_host_list_orphans(host, orphans, capacity, &count, &error)) {
        free(orphans);
        return report(&error);
    }
    for (uint32_t i = 0; i < count && i < capacity; i++) {
        if (!only_list && vsdk_host_reap(host, orphans[i].id, &error))
            result = report(&error);
        else
            print_orphan(&orphans[i], only_list ? "orphan:" : "freed");
    }
    free(orphans);
    return result;
}

int cmd_reap(int argc, char **argv)
{
    static const struct option options[] = {
        {"list", no_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option, only_list = 0, result;
    vsdk_host *host;
    vsdk_error error;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option != 'l')
            return fputs(usage, option == 'h' ? stdout : stderr), option == 'h' ? 0 : STATUS_FAILED;
        only_list = 1;
    }
    if (optind < argc)
        return complain("reap takes options only: %s", argv[optind]);
    if (vsdk_host_open("xen", NULL, &host, &error))
        return report(&error);
    result = reap_all(host, only_list);
    vsdk_host_close(host);
    return result;
}
