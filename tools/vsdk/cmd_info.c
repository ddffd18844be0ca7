/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk info: backends, capabilities and reasons, for people or as JSON. */
#include "command.h"
#include "json.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: vsdk info [--json] [--backend NAME]\n"
                            "  --json          one object, for programs\n"
                            "  --backend NAME  that one only: kvm, xen, mock or mock-autonomous\n"
                            "  -h, --help      this text\n";

static void print_capability(vsdk_capability c, const vsdk_capability_info *info, int as_json)
{
    if (as_json) {
        json_open(NULL, '{');
        json_text("name", vsdk_capability_name(c));
        json_text("answer", vsdk_answer_name(info->answer));
        json_number("value", info->value);
        json_text("reason", info->reason);
        json_close('}');
        return;
    }
    printf("  %-16s  %-8s", vsdk_capability_name(c), vsdk_answer_name(info->answer));
    if (info->value)
        printf("  %" PRIu64, info->value);
    printf("  %s\n", info->reason);
}

static void print_capabilities(vsdk_host *host, int as_json)
{
    vsdk_capability_info info = {.size = sizeof info};

    for (vsdk_capability c = VSDK_CAPABILITY_AUTONOMOUS; !vsdk_host_query(host, c, &info, NULL);
         c++)
        print_capability(c, &info, as_json);
}

static void print_missing(const char *name, const vsdk_error *why, int as_json)
{
    if (as_json) {
        json_text("status", vsdk_status_name(why->code));
        json_text("reason", why->message);
        json_text("hint", why->hint);
        return;
    }
    printf("%s: not here: %s\n", name, why->message);
    if (why->hint[0])
        printf("  %s\n", why->hint);
}

static void print_backend(const char *name, int as_json)
{
    vsdk_host_config config = {.size = sizeof config};
    vsdk_error error;
    vsdk_host *host;
    int available = !vsdk_host_open(name, &config, &host, &error);

    if (as_json) {
        json_open(NULL, '{');
        json_text("name", name);
        json_truth("available", available);
    }
    if (!available) {
        print_missing(name, &error, as_json);
    } else {
        if (as_json)
            json_open("capabilities", '[');
        else
            printf("%s:\n", name);
        print_capabilities(host, as_json);
        if (as_json)
            json_close(']');
        vsdk_host_close(host);
    }
    if (as_json)
        json_close('}');
}

static void print_all(const char *only, int as_json)
{
    uint32_t v = vsdk_version();
    const char *name;
    char version[32];

    snprintf(version, sizeof version, "%u.%u.%u", v >> 16, v >> 8 & 0xff, v & 0xff);
    if (as_json) {
        json_open(NULL, '{');
        json_text("version", version);
        json_open("backends", '[');
    }
    for (uint32_t i = 0; (name = vsdk_backend_at(i)) != NULL; i++)
        if (!only || !strcmp(only, name))
            print_backend(name, as_json);
    if (as_json) {
        json_close(']');
        json_close('}');
    }
}

static int is_known(const char *name)
{
    const char *known;

    for (uint32_t i = 0; (known = vsdk_backend_at(i)) != NULL; i++)
        if (!strcmp(name, known))
            return 1;
    return 0;
}

/* Opening it tells which names there are. */
static int report_unknown(const char *name)
{
    vsdk_error error;
    vsdk_host *host;

    if (vsdk_host_open(name, NULL, &host, &error))
        return report(&error);
    vsdk_host_close(host);
    return 0;
}

int cmd_info(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"backend", required_argument, NULL, 'b'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *only = NULL;
    int option, as_json = 0;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j')
            as_json = 1;
        else if (option == 'b')
            only = optarg;
        else
            return fputs(usage, option == 'h' ? stdout : stderr), option == 'h' ? 0 : STATUS_FAILED;
    }
    if (optind < argc)
        return complain("info takes options only: %s", argv[optind]);
    if (only && !is_known(only))
        return report_unknown(only);
    print_all(only, as_json);
    return 0;
}
