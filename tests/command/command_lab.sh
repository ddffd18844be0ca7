#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The vsdk command where kernels run: TAP. Guests lie beside this script.
set -u
backend=${VSDK_TEST_BACKEND:?}
vsdk=${VSDK_COMMAND:-vsdk}
number=0 failed=0

result() {
    number=$((number + 1))
    if [ "$1" = 0 ]; then echo "ok $number - $2"; else
        echo "not ok $number - $2"
        failed=1
    fi
}

# multiboot MACHINE VCPUS
multiboot() {
    said=$($vsdk run --backend "$backend" --machine "$1" --vcpus "$2" --timeout 100 \
        --append "one two" ./multiboot.elf </dev/null)
    status=$?
    [ "$status" = $((40 + $2)) ]
    result $? "multiboot, $1 machine, $2 processors: status $status"
    case $said in
    "processors: $2 command line: "*"one two"*) result 0 "it said: $said" ;;
    *) result 1 "it said: $said" ;;
    esac
}

for machine in portable kernel; do
    for vcpus in 1 2; do multiboot $machine $vcpus; done
done

$vsdk run --backend "$backend" --exit-port-qemu ./multiboot.elf </dev/null >/dev/null
status=$?
[ "$status" = 83 ]
result $? "exit status as isa-debug-exit gives it: $status"

$vsdk run --backend "$backend" --timeout 1 --format flat --mode protected --address 0x100000 \
    ./spin.bin </dev/null
status=$?
[ "$status" = 124 ]
result $? "timeout: status $status"

# ending NAME STATUS WORDS CODE [OPTION]...: a real-mode guest by its bytes; what is said, and the status, are
# the same on both hypervisors.
ending() {
    name=$1 wanted=$2 words=$3
    printf "$4" >ending.bin
    shift 4
    $vsdk run --backend "$backend" --format flat --timeout 60 --verbose "$@" ./ending.bin </dev/null >out 2>err
    status=$?
    [ "$status" = "$wanted" ] && grep -q "$words" err
    result $? "$name: status $status, $(tr '\n' ' ' <err)"
}

halt='\372\364\353\375'
ending "power-off" 0 "turned itself off" "\272\000\006\260\064\356$halt"
ending "reset" 0 "asked for a reset" "\272\002\006\260\001\356$halt"
ending "reset with a status" 9 "asked for a reset" "\272\002\006\260\001\356$halt" --reset-status 9
ending "code" 7 "exit port" "\260\007\346\364$halt"
ending "panic" 134 "panicked" "\272\005\005\260\001\356$halt"
ending "suspend" 120 "suspended itself" "\272\000\006\260\044\356$halt"
ending "halt for good" 133 "halted for good" "$halt"
ending "halt for good after a word" 133 "halted for good" "\272\370\003\260\101\356$halt"
# lidt of zeros, which follow it; ud2, in 64-bit mode
ending "triple fault" 134 "crashed" "\017\001\035\031\000\000\000\017\013" --mode long

$vsdk run --backend "$backend" ./command_lab.sh </dev/null 2>err
status=$?
[ "$status" = 125 ] && [ -s err ]
result $? "no image: status $status"

$vsdk info --backend "$backend" --json | grep -q '"available": true'
result $? "info tells that $backend is here"
echo "1..$number"
exit $failed
