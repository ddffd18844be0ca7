/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
#include <vsdk/vsdk.h>

#ifdef __cplusplus
#include <type_traits>
#define ASSERT(condition, text) static_assert(condition, text)
#define SAME(left, ...) std::is_same<left, __VA_ARGS__>::value
#else
#define ASSERT(condition, text) _Static_assert(condition, text)
#define SAME(left, ...) __builtin_types_compatible_p(left, __VA_ARGS__)
#endif
#define FIELD(type, field) __typeof__(((type *)0)->field)

ASSERT(SAME(vsdk_status, int32_t), "vsdk_status");
ASSERT(VSDK_OK == 0, "VSDK_OK");
ASSERT(VSDK_ERROR_INVALID_ARGUMENT == -1, "VSDK_ERROR_INVALID_ARGUMENT");
ASSERT(VSDK_ERROR_STATE == -2, "VSDK_ERROR_STATE");
ASSERT(VSDK_ERROR_GONE == -3, "VSDK_ERROR_GONE");
ASSERT(VSDK_ERROR_BUSY == -4, "VSDK_ERROR_BUSY");
ASSERT(SAME(__typeof__(&vsdk_status_name), const char *(*)(int32_t)), "vsdk_status_name");
ASSERT(sizeof(vsdk_error) == 16, "vsdk_error");
ASSERT(offsetof(vsdk_error, code) == 0, "vsdk_error.code");
ASSERT(SAME(FIELD(vsdk_error, code), int32_t), "vsdk_error.code");
ASSERT(offsetof(vsdk_error, message) == 4, "vsdk_error.message");
ASSERT(SAME(FIELD(vsdk_error, message), char[12]), "vsdk_error.message");
ASSERT(SAME(vsdk_release_fn, void (*)(void *)), "vsdk_release_fn");
ASSERT(VSDK_FOREVER == UINT64_C(0xffffffffffffffff), "VSDK_FOREVER");
ASSERT(SAME(vsdk_lumen, uint64_t), "vsdk_lumen");
ASSERT(SAME(vsdk_lamp_state, uint32_t), "vsdk_lamp_state");
ASSERT(VSDK_LAMP_OFF == 0, "VSDK_LAMP_OFF");
ASSERT(VSDK_LAMP_ON == 1, "VSDK_LAMP_ON");
ASSERT(VSDK_LAMP_BURNT_OUT == 2, "VSDK_LAMP_BURNT_OUT");
ASSERT(SAME(__typeof__(&vsdk_lamp_state_name), const char *(*)(uint32_t)), "vsdk_lamp_state_name");
ASSERT(SAME(vsdk_lamp_flags, uint32_t), "vsdk_lamp_flags");
ASSERT(VSDK_LAMP_DIMMABLE == 16, "VSDK_LAMP_DIMMABLE");
ASSERT(sizeof(vsdk_lamp_config) == 40, "vsdk_lamp_config");
ASSERT(offsetof(vsdk_lamp_config, size) == 0, "vsdk_lamp_config.size");
ASSERT(SAME(FIELD(vsdk_lamp_config, size), uint32_t), "vsdk_lamp_config.size");
ASSERT(offsetof(vsdk_lamp_config, flags) == 4, "vsdk_lamp_config.flags");
ASSERT(SAME(FIELD(vsdk_lamp_config, flags), uint32_t), "vsdk_lamp_config.flags");
ASSERT(offsetof(vsdk_lamp_config, name) == 8, "vsdk_lamp_config.name");
ASSERT(SAME(FIELD(vsdk_lamp_config, name), const char *), "vsdk_lamp_config.name");
ASSERT(offsetof(vsdk_lamp_config, state) == 16, "vsdk_lamp_config.state");
ASSERT(SAME(FIELD(vsdk_lamp_config, state), uint32_t), "vsdk_lamp_config.state");
ASSERT(offsetof(vsdk_lamp_config, colour) == 20, "vsdk_lamp_config.colour");
ASSERT(SAME(FIELD(vsdk_lamp_config, colour), vsdk_colour), "vsdk_lamp_config.colour");
ASSERT(offsetof(vsdk_lamp_config, limit) == 24, "vsdk_lamp_config.limit");
ASSERT(SAME(FIELD(vsdk_lamp_config, limit), uint64_t), "vsdk_lamp_config.limit");
ASSERT(offsetof(vsdk_lamp_config, reserved) == 32, "vsdk_lamp_config.reserved");
ASSERT(SAME(FIELD(vsdk_lamp_config, reserved), uint32_t[2]), "vsdk_lamp_config.reserved");
ASSERT(sizeof(vsdk_colour) == 4, "vsdk_colour");
ASSERT(offsetof(vsdk_colour, channels) == 0, "vsdk_colour.channels");
ASSERT(SAME(FIELD(vsdk_colour, channels), uint8_t[4]), "vsdk_colour.channels");
ASSERT(sizeof(vsdk_lamp_ops) == 24, "vsdk_lamp_ops");
ASSERT(offsetof(vsdk_lamp_ops, size) == 0, "vsdk_lamp_ops.size");
ASSERT(SAME(FIELD(vsdk_lamp_ops, size), uint32_t), "vsdk_lamp_ops.size");
ASSERT(offsetof(vsdk_lamp_ops, flags) == 4, "vsdk_lamp_ops.flags");
ASSERT(SAME(FIELD(vsdk_lamp_ops, flags), uint32_t), "vsdk_lamp_ops.flags");
ASSERT(offsetof(vsdk_lamp_ops, switched) == 8, "vsdk_lamp_ops.switched");
ASSERT(SAME(FIELD(vsdk_lamp_ops, switched), vsdk_lamp_fn), "vsdk_lamp_ops.switched");
ASSERT(offsetof(vsdk_lamp_ops, release) == 16, "vsdk_lamp_ops.release");
ASSERT(SAME(FIELD(vsdk_lamp_ops, release), vsdk_release_fn), "vsdk_lamp_ops.release");
ASSERT(SAME(vsdk_lamp_fn, uint32_t (*)(void *, const vsdk_lamp_ops *)), "vsdk_lamp_fn");
ASSERT(SAME(__typeof__(&vsdk_lamp_create), int32_t (*)(const vsdk_lamp_config *, vsdk_lamp **, vsdk_error *)), "vsdk_lamp_create");
ASSERT(SAME(__typeof__(&vsdk_lamp_close), void (*)(vsdk_lamp *)), "vsdk_lamp_close");
ASSERT(SAME(__typeof__(&vsdk_lamp_watch), int32_t (*)(vsdk_lamp *, const void *, size_t, vsdk_lamp_fn, void *, vsdk_release_fn, vsdk_error *)), "vsdk_lamp_watch");
