/* SPDX-License-Identifier: Apache-2.0 */
/* The init of a guest that ends at once. */
#include <sys/reboot.h>

int main(void)
{
    return reboot(RB_AUTOBOOT);
}
