#!/usr/bin/env bash
# Installs the lab in a new container. uv chooses the fitting build of PyTorch: the small build if there is no GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python -m pip install --disable-pip-version-check uv
python -m uv pip install --python "$(command -v python)" --torch-backend auto --editable .
python -m lab doctor
