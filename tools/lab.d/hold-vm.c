/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one empty virtual machine open for as long as the lab lives: with kvm-amd under emulation,
 * creating and destroying the only machine again and again switches SVM off and on each time, and
 * that can hang the lab's kernel. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (kvm < 0 || ioctl(kvm, KVM_CREATE_VM, 0) < 0)
        return 1;
    for (;;)
        pause();
}
