#!/usr/bin/env bash
# Runs a command on an invisible screen with a session bus of its own: scripts/screen.sh COMMAND …
set -euo pipefail

XDG_RUNTIME_DIR="$(mktemp -d)"
export XDG_RUNTIME_DIR # made 0700
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
unset WAYLAND_DISPLAY
xvfb-run -a -s "-screen 0 1280x800x24 -nolisten tcp" dbus-run-session -- "$@"
