"""The training beside a measurement is a real one, and leaves nothing behind."""

import os

import pytest

from engine.jobs import local as jobs
from tests.benchmarks import beside


def test_it_moves_on_while_somebody_measures_and_is_gone_afterwards(monkeypatch):
    monkeypatch.setenv("INNERLOOP_RUNS", "somewhere")
    with beside.training("maml", 5, compiled=False) as running:
        home = running.job.folder.parents[1]
        assert os.environ["INNERLOOP_RUNS"] == str(home)
        first = running.seen[0]
        told = running.at_work()
        assert (told["learner"], told["shots"], told["seeds"]) == ("maml", 5, 3)
        assert told["updates"] == running.seen[0] - first > 0
        pid = jobs.job(running.job.folder).record["pid"]
        assert beside.alive(pid) and os.getsid(pid) == pid
        running.stop()
        with pytest.raises(SystemExit, match=r"is cancelled after .* nothing was measured"):
            running.at_work()
    assert not home.exists()
    assert not beside.alive(pid)
    assert os.environ["INNERLOOP_RUNS"] == "somewhere"
