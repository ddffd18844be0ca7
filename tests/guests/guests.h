/* SPDX-License-Identifier: Apache-2.0 */
/* The guests, assembled in the files of this folder, where each says what it does and which
 * registers it wants. */
#ifndef VSDK_TESTS_GUESTS_GUESTS_H
#define VSDK_TESTS_GUESTS_GUESTS_H

#include <stdint.h>

struct guest {
    const uint8_t *code, *end;
};

#define GUEST(name) extern const struct guest guest_##name

/* A file each. */
GUEST(count_loop);
GUEST(exit_port);
GUEST(device_trace);
GUEST(dma);
GUEST(exceptions);
GUEST(hlt);
GUEST(level_line);
GUEST(mmio_widths);
GUEST(nmi);
GUEST(page_cross);
GUEST(pio_echo);
GUEST(readonly_write);
GUEST(real_mode);
GUEST(regs);
GUEST(rep_string);
GUEST(rings);
GUEST(smp);
GUEST(software_interrupt);
GUEST(triple_fault);
GUEST(vectors);

/* conformance.S: they end when the test has seen enough. */
GUEST(spin);
GUEST(count);
GUEST(out_forever);
GUEST(echo);
GUEST(echo_mmio);
GUEST(widths_out);
GUEST(widths_in);
GUEST(strings_out);
GUEST(strings_in);
GUEST(mmio_out);
GUEST(mmio_in);
GUEST(copy);
GUEST(put);
GUEST(out_from_fs);
GUEST(store_list);
GUEST(many_stores);
GUEST(store_load);
GUEST(out_rax);
GUEST(halt);
GUEST(halt_for_good);
GUEST(crash);
GUEST(interrupts);
GUEST(interrupts_halted);
GUEST(second);
GUEST(second_and_out);
GUEST(second_start);
GUEST(second_spin);
GUEST(doorbell);
GUEST(many_widths);
GUEST(poke);

/* storms.S */
GUEST(hammer);
GUEST(hammers);
GUEST(hammers_second);
#undef GUEST

#endif
