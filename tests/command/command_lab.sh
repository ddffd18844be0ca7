#!/bin/sh
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

$vsdk run --backend "$backend" ./command_lab.sh </dev/null 2>err
status=$?
[ "$status" = 125 ] && [ -s err ]
result $? "no image: status $status"

$vsdk info --backend "$backend" --json | grep -q '"available": true'
result $? "info tells that $backend is here"
echo "1..$number"
exit $failed
