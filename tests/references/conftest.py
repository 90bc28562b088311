"""What tests of the references share."""

import pytest
import torch


@pytest.fixture
def graphics_card() -> torch.device:
    """The device of tests marked ``cuda``: they run where it is."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    return torch.device("cuda")
