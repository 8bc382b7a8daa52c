#!/usr/bin/env bash
# clients_venv.sh NAME…: makes .deps/clients with these packages of tools/deps/clients.txt. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.deps/clients
[ -x $venv/bin/pip ] || python3 -m venv $venv
for name in "$@"; do
  line=$(grep "^$name==" tools/deps/clients.txt)
  read -r package options <<<"$line"
  $venv/bin/pip show -q "$name" 2>/dev/null && $venv/bin/pip freeze | tr 'A-Z_' 'a-z-' | grep -qx "${package//_/-}" && continue
  echo "clients: installing $package" >&2
  # shellcheck disable=SC2086 # options are words
  $venv/bin/pip install -q --disable-pip-version-check $options "$package" 2>.deps/clients.log \
    || { tail -20 .deps/clients.log >&2; exit 1; }
done
