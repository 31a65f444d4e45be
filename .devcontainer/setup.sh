#!/usr/bin/env bash
# Run once in a new container: installs the clone into the environment of the image, which becomes .venv, so that every target
# of the Makefile works without installing the packages again.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${1:-/opt/venv}
if [ -e .venv ] && [ ! .venv -ef "$environment" ]; then
  echo "setting up the container: .venv is an environment of its own, made outside of the container; expected none. Move it away (mv .venv .venv_host) and run $0 again." >&2
  exit 1
fi
"$environment/bin/pip" install --quiet --no-deps --no-build-isolation -e .
ln -sfn "$environment" .venv
touch .venv/.ready  # as `make setup` does
