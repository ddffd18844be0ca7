/* SPDX-License-Identifier: Apache-2.0 */
/* The assembled guests on both mocks, below the core. */
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <string.h>

BOTH(guests, pio_echo)
{
    rig r = {0};

    rig_open(&r, autonomous);
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        rig_load(&r, &guest_pio_echo, cpl, 0);
        rig_start(&r);
        rig_answer(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x5a);
        rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x5a);
        cr_assert_eq(r.exit->flags, VSDK_EXIT_REGS_SETTABLE);
        rig_answer(&r, VSDK_EXIT_PIO, PORT_WORD, 2, 0xbeef);
        rig_expect_write(&r, VSDK_EXIT_PIO, PORT_WORD, 2, 0xbeef);
        rig_answer(&r, VSDK_EXIT_PIO, PORT_LONG, 4, 0xdeadbeef);
        rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LONG, 4, 0xdeadbeef);
        rig_expect_end(&r, 0);
        if (autonomous)
            break;
    }
    rig_close(&r);
}
