/* SPDX-License-Identifier: Apache-2.0 */
/* A small program: makes a machine, and writes the first byte of its serial port to stdout. With an
 * argument it then waits for the end of stdin, so that its memory can be looked at. */
#include "guest.h"
#include "ours.h"
#include <stdio.h>
#include <unistd.h>

int main(int count, char **argument)
{
    ours_vm vm;
    char byte;
    vsdk_host *host = ours_open("kvm");
    (void)argument;
    ours_create(&vm, host, 128 << 20, GUEST_LONG);
    vsdk_error error;
    if (vsdk_vcpu_run(vm.vcpu, VSDK_FOREVER, &error) != VSDK_OK || vm.exit->address != GUEST_PORT)
        return 1;
    byte = (char)vm.exit->value;
    if (write(1, &byte, 1) != 1)
        return 1;
    while (count > 1 && read(0, &byte, 1) > 0)
        ;
    ours_destroy(&vm);
    vsdk_host_close(host);
    return 0;
}
