#!/usr/bin/env bash
# Runs a command on an invisible screen with a session bus of its own: scripts/screen.sh COMMAND …
set -euo pipefail

XDG_RUNTIME_DIR="$(mktemp -d)"
export XDG_RUNTIME_DIR # made 0700

# The command's own status counts, whatever becomes of the folder.
leave() {
  status=$?
  # A desktop's document portal may have mounted itself there.
  fusermount3 -uzq "$XDG_RUNTIME_DIR/doc" 2>/dev/null || umount -lq "$XDG_RUNTIME_DIR/doc" 2>/dev/null || true
  rm -rf "$XDG_RUNTIME_DIR" 2>/dev/null || true
  exit "$status"
}
trap leave EXIT
unset WAYLAND_DISPLAY
xvfb-run -a -s "-screen 0 1280x800x24 -nolisten tcp" dbus-run-session -- "$@"
