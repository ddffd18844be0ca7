/* The init of a guest that ends at once. */
#include <sys/reboot.h>

int main(void)
{
    return reboot(RB_AUTOBOOT);
}
