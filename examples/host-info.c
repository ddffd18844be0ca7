/* SPDX-License-Identifier: Apache-2.0 */
/* host-info: what this host can do.
 *
 * Opens each backend that the library knows and prints its capabilities, or why it can't be used.
 *
 *   cc host-info.c $(pkg-config --cflags --libs vsdk) -o host-info && ./host-info
 */
#include <stdio.h>
#include <vsdk/vsdk.h>

int main(void)
{
    const char *name;

    for (uint32_t i = 0; (name = vsdk_backend_at(i)) != NULL; i++) {
        vsdk_capability_info info = {.size = sizeof info};
        vsdk_host *host;
        vsdk_error error;

        if (vsdk_host_open(name, NULL, &host, &error)) {
            printf("%s: not here: %s\n  %s\n", name, error.message, error.hint);
            continue;
        }
        printf("%s:\n", name);
        for (vsdk_capability c = 1; !vsdk_host_query(host, c, &info, NULL); c++)
            printf("  %-18s %-9s %llu %s\n", vsdk_capability_name(c), vsdk_answer_name(info.answer),
                   (unsigned long long)info.value, info.reason);
        vsdk_host_close(host);
    }
    return 0;
}
