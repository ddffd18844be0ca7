#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# one_object.sh OBJECT START OBJCOPY ARCHIVE... -- COMPILER...: the archives as one object.
#
# All that is hidden becomes local in it, so that nothing of the inside can meet a program's own names.
# START (may be empty) is a linker script that puts the functions together that a start runs.
set -eu
object=$1 start=$2 objcopy=$3
shift 3
archives=
while [ "$1" != -- ]; do
    archives="$archives $1"
    shift
done
shift
# shellcheck disable=SC2086
"$@" -r -nostdlib -o "$object" ${start:+-Wl,-T,"$start"} -Wl,--whole-archive $archives -Wl,--no-whole-archive
"$objcopy" --localize-hidden "$object"
