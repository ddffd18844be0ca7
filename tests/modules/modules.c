/* SPDX-License-Identifier: Apache-2.0 */
/* Where backend modules come from, and which are refused.
 *
 *   modules OLDER SHORTER REFUSING ALIEN NEEDY    the bad modules, see bad.c */
#include "../contract/tap.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static vsdk_error error;
static char root[] = "/tmp/vsdk-modules-XXXXXX";
static char folder[64], file[80]; /* each module in a folder of its own: what is loaded stays */

static vsdk_status open_from(const char *directory, const char *backend)
{
    const vsdk_host_config config = {.size = sizeof config, .module_directory = directory};
    vsdk_host *host = NULL;

    memset(&error, 0, sizeof error);
    vsdk_status status = vsdk_host_open(backend, &config, &host, &error);
    if (status == VSDK_OK && strcmp(vsdk_host_backend(host), backend) != 0)
        status = VSDK_ERROR_NOT_FOUND;
    vsdk_host_close(host);
    return status;
}

/* `module` (NULL: nothing) as mock.so in a new folder. */
static void place(const char *name, const char *module)
{
    char *whole = module ? realpath(module, NULL) : NULL;

    snprintf(folder, sizeof folder, "%s/%s", root, name);
    snprintf(file, sizeof file, "%s/mock.so", folder);
    if (mkdir(folder, 0755) != 0 || (module && (!whole || symlink(whole, file) != 0)))
        tap(0, "%s can be placed", name);
    free(whole);
}

static void take_away(void)
{
    unlink(file);
    rmdir(folder);
}

static void refuses(const char *name, const char *module, vsdk_status wanted, const char *says)
{
    place(name, module);
    vsdk_status status = open_from(folder, "mock");
    tap(status == wanted && error.code == wanted && strstr(error.message, says),
        "%s is refused: %s (%s)", name, vsdk_status_name(status), error.message);
    take_away();
}

/* Whoever starts a program does not choose what it loads. */
static void no_variable_counts(const char *module)
{
    static const char *const names[] = {"VSDK_MODULE_DIRECTORY", "VSDK_MODULES",
                                        "VSDK_MODULE_PATH"};

    place("variable", module);
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i], folder, 1);
    tap(open_from(NULL, "mock") == VSDK_OK, "no variable names a module: %s", error.message);
    take_away();
}

int main(int count, char **argument)
{
    if (count != 6 || !mkdtemp(root))
        return 2;
    no_variable_counts(argument[1]);
    tap(open_from(NULL, "mock") == VSDK_OK, "mock is found: %s", error.message);
    tap(open_from(NULL, "mock-autonomous") == VSDK_OK, "mock-autonomous is found: %s",
        error.message);
    refuses("none", NULL, VSDK_ERROR_UNAVAILABLE, "/none/mock.so");
    tap(strstr(error.hint, "mock.so") != NULL, "the hint says what to install: %s", error.hint);
    refuses("older", argument[1], VSDK_ERROR_VERSION, "another version");
    refuses("shorter", argument[2], VSDK_ERROR_VERSION, "another version");
    refuses("refusing", argument[3], VSDK_ERROR_VERSION, "another version");
    refuses("alien", argument[4], VSDK_ERROR_VERSION, "no module of backend mock");
    refuses("needy", argument[5], VSDK_ERROR_UNAVAILABLE, "nobody_has_this");
    rmdir(root);
    return tap_end();
}
