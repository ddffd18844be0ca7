/* SPDX-License-Identifier: Apache-2.0 */
1:  jmp 1b
