#!/usr/bin/env bash
# Installs the lab where a container was just made. Without a GPU the small build of PyTorch does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v nvidia-smi >/dev/null; then
  python -m pip install --disable-pip-version-check --index-url https://download.pytorch.org/whl/cpu torch
fi
python -m pip install --disable-pip-version-check --editable .
python -m lab doctor
