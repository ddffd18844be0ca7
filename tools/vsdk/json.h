/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for programs: objects and lists of texts, whole numbers and truths, as they are written. */
#ifndef VSDK_JSON_H
#define VSDK_JSON_H

#include <stdint.h>

/* Each begins with the member's name; NULL in a list. */
void json_open(const char *name, char bracket); /* '{' or '[' */
void json_close(char bracket);                  /* '}' or ']' */
void json_text(const char *name, const char *text);
void json_number(const char *name, uint64_t value);
void json_truth(const char *name, int truth);

#endif
