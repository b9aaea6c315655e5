#!/usr/bin/env bash
# Sets up what building, testing or measuring DSG needs: scripts/setup.sh build|test|zfs|bench …
#
# On Debian and Ubuntu, missing packages are installed (as root, else through sudo); when nothing
# is missing, nothing is asked of the network. Elsewhere it says what is needed. Rust and Node.js
# are installed only where the system's own packages are new enough; else it says how to get them.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
  build-essential pkg-config file patchelf curl ca-certificates
  libwebkit2gtk-4.1-dev librsvg2-dev libssl-dev libxdo-dev libayatana-appindicator3-dev
)
test_packages=(
  xvfb xauth dbus dbus-x11 webkit2gtk-driver # the real window, without a screen
  x11-utils xdotool imagemagick fonts-dejavu-core # looking at it
  openssh-server openssh-client openssl # a private ssh server on loopback
  faketime # a host whose clock is wrong
  xfsprogs e2fsprogs util-linux mount # file systems on a loop device: power cuts, full disks
)
zfs_packages=(qemu-system-x86 cpio gzip mmdebstrap squashfs-tools) # hosts with OpenZFS
bench_packages=(rsync time)

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}

# Whether version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

system=""
codename=""
if [ -r /etc/os-release ]; then
  # shellcheck disable=SC1091
  . /etc/os-release
  system="${ID:-}"
  codename="${PRETTY_NAME:-$system}"
  case " $system ${ID_LIKE:-} " in
    *" debian "* | *" ubuntu "*) family=debian ;;
    *) family=other ;;
  esac
fi
family="${family:-other}"
[ "$system" != debian ] || test_packages+=(chromium) # elsewhere it is no ordinary package

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "these packages must be installed by root (there is no sudo here): apt-get install ${missing[*]:-$*}"
  fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=900 -q "$@"; }

# Installs those of the named packages that are missing.
packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  apt update >/dev/null || say "the package lists could not be renewed; trying with those at hand"
  apt install -y --no-install-recommends "${missing[@]}" >/dev/null ||
    die "could not install ${missing[*]}: see the message above, then run this again"
}

# The version that the system would install of a package; empty if there is none.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \(([^)]*)\)\{0,1\}//p'; }

rust() {
  local wanted found
  wanted="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)"
  export PATH="$HOME/.cargo/bin:$PATH"
  if ! command -v cargo >/dev/null && [ "$family" = debian ] && [ -n "$(candidate rustup)" ]; then
    packages rustup
    rustup default stable
  fi
  command -v cargo >/dev/null ||
    die "Rust $wanted or newer is needed: install it with rustup (https://rustup.rs), open a new shell, and run this again"
  found="$(cargo --version | cut -d ' ' -f 2)"
  if ! at_least "$found" "$wanted"; then
    command -v rustup >/dev/null && die "Rust is $found, $wanted or newer is needed: run rustup update stable, then this again"
    die "Rust is $found, $wanted or newer is needed: install it with rustup (https://rustup.rs), then run this again"
  fi
  if ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
    command -v rustup >/dev/null || die "cargo clippy and cargo fmt are needed: install your system's clippy and rustfmt"
    rustup component add clippy rustfmt
  fi
}

node() {
  local wanted=20.19.0 found candidate
  if ! command -v node >/dev/null && [ "$family" = debian ]; then
    candidate="$(candidate nodejs)"
    if [ -n "$candidate" ] && at_least "${candidate#*:}" "$wanted"; then
      packages nodejs npm
    fi
  fi
  found="$(command node --version 2>/dev/null || true)"
  if [ -z "$found" ] || ! at_least "${found#v}" "$wanted" || ! command -v npm >/dev/null; then
    die "Node.js $wanted or newer with npm is needed${found:+ (here: $found)}: install it from https://nodejs.org or with a version manager such as nvm, then run this again"
  fi
}

[ $# -gt 0 ] || die "say what for: build, test, zfs or bench"
wanted_packages=()
for group in "$@"; do
  case "$group" in
    build) wanted_packages+=("${build_packages[@]}") ;;
    test) wanted_packages+=("${test_packages[@]}") ;;
    zfs) wanted_packages+=("${zfs_packages[@]}") ;;
    bench) wanted_packages+=("${bench_packages[@]}") ;;
    *) die "$group is not one of build, test, zfs, bench" ;;
  esac
done

if [ "$family" = debian ]; then
  packages "${wanted_packages[@]}"
elif [ "$(uname -s)" != Linux ]; then
  die "this version of DSG runs on Linux; here is $(uname -s)"
else
  say "on ${codename:-this system}, install what Debian calls: ${wanted_packages[*]}"
  say "going on; what is missing will be named by the step that needs it"
fi
rust
node
