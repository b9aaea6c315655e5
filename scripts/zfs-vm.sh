#!/usr/bin/env bash
# Prints the folder with the hosts that the tests on ZFS boot: the one that DSG_ZFS_VM names, else
# target/zfs-vm, where the newer of them is built if it is not there (as root, some ten minutes, once).
#
# Where there can be none, or not in time, it prints nothing, and one loud line says why: the tests
# on ZFS are skipped then, and all others go on. DSG_ZFS_VM=none asks for just that.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=openzfs-2.3
minutes=20

skip() {
  printf '\nSKIPPED: ALL TESTS ON ZFS: %s\n\n' "$*" >&2
  exit 0
}

folder="${DSG_ZFS_VM:-$PWD/target/zfs-vm}"
[ "$folder" != none ] || skip "DSG_ZFS_VM is none"
scripts/setup.sh zfs >&2 || skip "QEMU could not be installed: see above"
if [ ! -e "$folder/$wanted/rootfs.sqfs" ]; then
  [ -z "${DSG_ZFS_VM:-}" ] || skip "$folder, which DSG_ZFS_VM names, has no $wanted"
  [ "$(id -u)" = 0 ] || skip "their host is built by root: sudo make zfs-vm, once"
  printf 'building a host with ZFS for the tests: at most %s minutes, once\n' $minutes >&2
  timeout -k 30 "${minutes}m" tests/hosts/zfs-vm/build $wanted "$folder/$wanted" >&2 ||
    skip "their host could not be built in $minutes minutes: make zfs-vm says why"
fi
echo "$folder"
