"""Fixtures for the tests of the references."""

import pytest
import torch


@pytest.fixture
def graphics_card() -> torch.device:
    """The CUDA device; tests that use it are marked ``cuda`` and are skipped without one."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    return torch.device("cuda")
