#!/usr/bin/env bash
# Installs the lab where a container was just made. uv picks the build of PyTorch that fits: the small one without a GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python -m pip install --disable-pip-version-check uv
python -m uv pip install --python "$(command -v python)" --torch-backend auto --editable .
python -m lab doctor
