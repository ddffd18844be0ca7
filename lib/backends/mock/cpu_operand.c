/* SPDX-License-Identifier: Apache-2.0 */
/* What instructions do with their operands beyond reading and writing them: a locked update of
 * memory, the stack, conditions and flags. A step that can't go on has changed nothing. */
#include "backends/mock/cpu_operand.h"

static int lockable(uint64_t linear, unsigned size)
{
    return (linear & (size - 1)) == 0;
}

step rm_update(cpu *c, const insn *in, uint64_t old, uint64_t value, int *again)
{
    *again = 0;
    if ((in->flags & (IN_LOCK | IN_MEMORY)) == (IN_LOCK | IN_MEMORY)) {
        uint64_t linear = memory_operand(c, in);
        uint8_t *host = cpu_direct(c, linear, in->size, ACCESS_WRITE);

        if (host && lockable(linear, in->size)) {
            *again = !guest_exchange(host, in->size, old, value);
            cpu_wrote(c, host);
            return STEP_DONE;
        }
    }
    return rm_set(c, in, value);
}

static uint64_t stack_linear(const cpu *c, uint64_t pointer)
{
    return cpu_linear(c, S_SS, pointer & size_mask(stack_size(c)));
}

step stack_peek(cpu *c, uint64_t offset, unsigned size, uint64_t *value)
{
    return cpu_read(c, stack_linear(c, c->r[R_SP] + offset), size, ACCESS_READ, value);
}

step stack_push(cpu *c, unsigned size, uint64_t value)
{
    step s = cpu_write(c, stack_linear(c, c->r[R_SP] - size), size, value);

    if (!s)
        register_set(c, R_SP, stack_size(c), c->r[R_SP] - size);
    return s;
}

void stack_drop(cpu *c, uint64_t bytes)
{
    register_set(c, R_SP, stack_size(c), c->r[R_SP] + bytes);
}

int condition(const cpu *c, unsigned number)
{
    uint64_t f = c->flags;
    int sign_differs = !(f & F_SF) != !(f & F_OF), yes;

    switch (number >> 1) {
    case 0:
        yes = (f & F_OF) != 0;
        break;
    case 1:
        yes = (f & F_CF) != 0;
        break;
    case 2:
        yes = (f & F_ZF) != 0;
        break;
    case 3:
        yes = (f & (F_CF | F_ZF)) != 0;
        break;
    case 4:
        yes = (f & F_SF) != 0;
        break;
    case 5:
        yes = (f & F_PF) != 0;
        break;
    case 6:
        yes = sign_differs;
        break;
    default:
        yes = (f & F_ZF) || sign_differs;
    }
    return number & 1 ? !yes : yes;
}

void flags_of_result(cpu *c, uint64_t result, unsigned size)
{
    c->flags &= ~(uint64_t)(F_ZF | F_SF | F_PF);
    if (!(result & size_mask(size)))
        c->flags |= F_ZF;
    if (result & sign_bit(size))
        c->flags |= F_SF;
    if (!__builtin_parity((uint8_t)result))
        c->flags |= F_PF;
}
