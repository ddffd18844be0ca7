/* 1: what this host can do.
 *
 * Opens each backend that the library knows and prints its capabilities, or why it can't be used.
 *
 *   cc 1-host.c $(pkg-config --cflags --libs vsdk) -o 1-host && ./1-host
 */
#include <stdio.h>
#include <vsdk/vsdk.h>

static void print_capabilities(vsdk_host *host)
{
    for (vsdk_capability c = VSDK_CAPABILITY_AUTONOMOUS;; c++) {
        vsdk_capability_info info = {.size = sizeof info};
        if (vsdk_host_query(host, c, &info, NULL) != VSDK_OK)
            return; /* the last one was the last */
        printf("  %-18s %-9s", vsdk_capability_name(c), vsdk_answer_name(info.answer));
        if (info.value)
            printf(" %llu", (unsigned long long)info.value);
        printf(" %s\n", info.reason);
    }
}

int main(void)
{
    const char *name;

    for (uint32_t i = 0; (name = vsdk_backend_at(i)) != NULL; i++) {
        vsdk_host *host;
        vsdk_error error;

        if (vsdk_host_open(name, NULL, &host, &error) != VSDK_OK) {
            printf("%s: not here: %s\n  %s\n", name, error.message, error.hint);
            continue;
        }
        printf("%s:\n", name);
        print_capabilities(host);
        vsdk_host_close(host);
    }
    return 0;
}
