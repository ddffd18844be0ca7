/* vsdk info: backends, capabilities and reasons, for people or as JSON. */
#include "command.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: vsdk info [--json] [--backend NAME]\n"
                            "  --json          one object, for programs\n"
                            "  --backend NAME  that one only: kvm, xen, mock or mock-autonomous\n";

static json_t *describe_capability(vsdk_capability c, const vsdk_capability_info *info)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "name", vsdk_capability_name(c), "answer",
                     vsdk_answer_name(info->answer), "value", (json_int_t)info->value, "reason",
                     info->reason);
}

static json_t *describe_host(vsdk_host *host)
{
    json_t *list = json_array();
    vsdk_capability_info info = {.size = sizeof info};

    for (vsdk_capability c = VSDK_CAPABILITY_AUTONOMOUS;
         vsdk_host_query(host, c, &info, NULL) == VSDK_OK; c++)
        json_array_append_new(list, describe_capability(c, &info));
    return list;
}

static json_t *describe_backend(const char *name)
{
    vsdk_host_config config = {.size = sizeof config};
    vsdk_error error;
    vsdk_host *host;
    json_t *backend;

    if (vsdk_host_open(name, &config, &host, &error) != VSDK_OK)
        return json_pack("{s:s, s:b, s:s, s:s, s:s}", "name", name, "available", 0, "status",
                         vsdk_status_name(error.code), "reason", error.message, "hint", error.hint);
    backend = json_pack("{s:s, s:b, s:o}", "name", name, "available", 1, "capabilities",
                        describe_host(host));
    vsdk_host_close(host);
    return backend;
}

static void print_capability(const json_t *capability)
{
    json_int_t value = json_integer_value(json_object_get(capability, "value"));

    printf("  %-16s  %-8s", json_string_value(json_object_get(capability, "name")),
           json_string_value(json_object_get(capability, "answer")));
    if (value)
        printf("  %" JSON_INTEGER_FORMAT, value);
    printf("  %s\n", json_string_value(json_object_get(capability, "reason")));
}

static void print_backend(const json_t *backend)
{
    const char *name = json_string_value(json_object_get(backend, "name"));
    const json_t *list = json_object_get(backend, "capabilities");

    if (!json_is_true(json_object_get(backend, "available"))) {
        const char *hint = json_string_value(json_object_get(backend, "hint"));

        printf("%s: not here: %s\n", name, json_string_value(json_object_get(backend, "reason")));
        if (hint[0])
            printf("  %s\n", hint);
        return;
    }
    printf("%s:\n", name);
    for (size_t i = 0; i < json_array_size(list); i++)
        print_capability(json_array_get(list, i));
}

static int print_all(const json_t *backends, int as_json)
{
    uint32_t v = vsdk_version();
    char version[32];

    if (as_json) {
        snprintf(version, sizeof version, "%u.%u.%u", v >> 16, v >> 8 & 0xff, v & 0xff);
        json_t *all = json_pack("{s:s, s:O}", "version", version, "backends", backends);
        int result = json_dumpf(all, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
        json_decref(all);
        return result ? STATUS_FAILED : 0;
    }
    for (size_t i = 0; i < json_array_size(backends); i++)
        print_backend(json_array_get(backends, i));
    return 0;
}

/* Opening it tells which names there are. */
static int report_unknown(const char *name)
{
    vsdk_error error;
    vsdk_host *host;

    if (vsdk_host_open(name, NULL, &host, &error) != VSDK_OK)
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
    json_t *backends = json_array();
    const char *only = NULL, *name;
    int option, as_json = 0, result;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j')
            as_json = 1;
        else if (option == 'b')
            only = optarg;
        else
            return fputs(usage, option == 'h' ? stdout : stderr), option == 'h' ? 0 : STATUS_FAILED;
    }
    if (optind < argc) {
        json_decref(backends);
        return complain("info takes options only: %s", argv[optind]);
    }
    for (uint32_t i = 0; (name = vsdk_backend_at(i)) != NULL; i++)
        if (!only || !strcmp(only, name))
            json_array_append_new(backends, describe_backend(name));
    if (json_array_size(backends) == 0)
        result = report_unknown(only);
    else
        result = print_all(backends, as_json);
    json_decref(backends);
    return result;
}
