/* The guests of the conformance tests: position-independent 64-bit code, assembled in guests.S,
 * where each says what it does and which registers it wants. */
#ifndef VSDK_TESTS_BACKEND_GUESTS_H
#define VSDK_TESTS_BACKEND_GUESTS_H

#include <stdint.h>

struct guest {
    const uint8_t *code, *end;
};

#define GUEST(name) extern const struct guest guest_##name
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
GUEST(load);
GUEST(store);
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
#undef GUEST

#endif
