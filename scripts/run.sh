#!/usr/bin/env bash
# Starts the built window, or says what to do where there is no display: scripts/run.sh APP DSG
set -euo pipefail
app="$1"
dsg="$2"

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec "$app"
fi
cat >&2 <<TEXT

DSG is built, but its window needs a display and there is none here (neither DISPLAY nor
WAYLAND_DISPLAY is set). You can:

  - run this in a terminal of your desktop session: $app
  - come in through ssh with "ssh -X", and run it again
  - start it on an invisible screen, to try whether it starts:
      xvfb-run -a dbus-run-session -- $app
  - do without the window: $dsg --help

TEXT
exit 1
