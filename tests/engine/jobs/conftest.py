"""What tests of trainings in the background share."""

import pytest


@pytest.fixture
def queue(tmp_path):
    """A queue that no other test waits in."""
    return tmp_path / "queue"
