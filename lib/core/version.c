#include <vsdk/types.h>

uint32_t vsdk_version(void)
{
    return VSDK_VERSION_MAJOR << 16 | VSDK_VERSION_MINOR << 8 | VSDK_VERSION_PATCH;
}
