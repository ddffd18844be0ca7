#!/bin/sh
# static.sh OUTPUT START OBJCOPY AR ARCHIVE... -- COMPILER...: makes the static library.
#
# The archives become one object in which all that is hidden is local, so that nothing of the inside
# can meet a program's own names. START puts the functions that a start runs together.
set -eu
output=$1 start=$2 objcopy=$3 ar=$4
shift 4
archives=
while [ "$1" != -- ]; do
    archives="$archives $1"
    shift
done
shift
object=$output.o
# shellcheck disable=SC2086
"$@" -r -nostdlib -o "$object" -Wl,-T,"$start" -Wl,--whole-archive $archives -Wl,--no-whole-archive
"$objcopy" --localize-hidden "$object"
rm -f "$output"
"$ar" rcs "$output" "$object"
