"""Helpers answer what this process would, whatever happens to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput
from engine.jobs.crew import MOST_STARTS, Crew
from engine.jobs.helper import Errand
from engine.runs.ensembles import Ensemble, find_ensembles
from engine.trees import leaves

ROOT = Path(__file__).resolve().parents[3]
MODULE = "tests.engine.jobs.test_crew"  # the questions below, for helpers to find


def pid_and_weight(ensemble: Ensemble, factor: float = 1.0) -> tuple[int, np.ndarray]:
    """Which process answered, and something that only these weights say."""
    return os.getpid(), factor * next(leaves(ensemble.params)).numpy()


def refuse(ensemble: Ensemble) -> None:
    raise BadInput(f"{ensemble.learner.title} will not.")


def die_elsewhere(ensemble: Ensemble, home: int) -> int:
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def stop_elsewhere(ensemble: Ensemble, home: int) -> int:
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGSTOP)
    return os.getpid()


@pytest.fixture(scope="module")
def ensembles() -> list[Ensemble]:
    found, _ = find_ensembles(ROOT / "checkpoints" / "sine", "sine", 5)
    return [e for e in found if e.learner.name in ("maml", "fomaml", "reptile", "scratch")]


@pytest.fixture
def crew() -> Iterator[Crew]:
    with contextlib.closing(Crew()) as made:
        made.start(1, [MODULE])
        yield made


def until(condition: Callable[[], bool], patience_s: float = 60) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def helped(crew: Crew, errands: list[Errand]) -> list[tuple[int, np.ndarray]]:
    """Answers of which some came from another process: a helper needs a while to get ready."""
    found: list[tuple[int, np.ndarray]] = []

    def ask() -> bool:
        found[:] = crew.each(errands)
        return {pid for pid, _ in found} > {os.getpid()}

    until(ask)
    return found


def errands_of(ensembles: list[Ensemble], *arguments: object) -> list[Errand]:
    return [Errand(pid_and_weight, ensemble, arguments) for ensemble in ensembles]


def test_two_processes_answer_what_one_does_in_the_same_order(crew: Crew, ensembles: list[Ensemble]):
    errands = errands_of(ensembles, 2.0)
    alone = Crew().each(errands)
    assert {pid for pid, _ in alone} == {os.getpid()}
    for (_, one), (_, other) in zip(helped(crew, errands), alone, strict=True):
        assert np.array_equal(one, other)


def test_helpers_that_are_expected_come_after_the_first_answer(ensembles: list[Ensemble]):
    with contextlib.closing(Crew()) as crew:
        crew.expect(1, [MODULE], after_s=0.0)
        assert crew.helpers == 0
        assert {pid for pid, _ in helped(crew, errands_of(ensembles))} > {os.getpid()}
        assert crew.helpers == 1


def test_a_single_question_stays_here(crew: Crew, ensembles: list[Ensemble]):
    helped(crew, errands_of(ensembles))
    assert crew.each(errands_of(ensembles[:1]))[0][0] == os.getpid()


def test_a_helper_that_dies_costs_no_answer_and_is_replaced(crew: Crew, ensembles: list[Ensemble]):
    first = {pid for pid, _ in helped(crew, errands_of(ensembles))} - {os.getpid()}
    assert crew.each([Errand(die_elsewhere, e, (os.getpid(),)) for e in ensembles]) == [os.getpid()] * len(ensembles)
    second = {pid for pid, _ in helped(crew, errands_of(ensembles))} - {os.getpid()}
    assert first and second and first.isdisjoint(second)


def ended(pid: int) -> bool:
    """Whether a process is no more, not even as one that nobody collected."""
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks the system about processes through /proc")
def test_a_helper_that_hangs_costs_no_answer_and_is_replaced(ensembles: list[Ensemble]):
    """Stopped while it has a question, as a debugger or a frozen disk would, and before it could take one."""
    with contextlib.closing(Crew(patience_s=0.2)) as crew:
        crew.start(1, [MODULE])
        until(lambda: crew.ready)
        first = crew._helpers[0].process.pid
        assert crew.each([Errand(stop_elsewhere, e, (os.getpid(),)) for e in ensembles]) == [os.getpid()] * len(
            ensembles
        )
        assert ended(first)
        until(lambda: crew.ready)
        second = crew._helpers[0].process.pid
        os.kill(second, signal.SIGSTOP)
        assert {pid for pid, _ in crew.each(errands_of(ensembles))} == {os.getpid()}
        assert ended(second)
        until(lambda: crew.ready)
        os.kill(third := crew._helpers[0].process.pid, signal.SIGSTOP)  # and one that is told to end
    assert ended(third) and len({first, second, third}) == 3


def test_who_does_not_wait_leaves_no_helper_that_hangs(ensembles: list[Ensemble]):
    """Nobody is there to be patient with it when its time is over: the next question finds that out."""
    with contextlib.closing(Crew(patience_s=0.0)) as crew:
        crew.start(1, [MODULE])
        until(lambda: crew.ready)
        helper = crew._helpers[0]
        os.kill(helper.process.pid, signal.SIGSTOP)
        helper.begin(errands_of(ensembles), 60.0)
        helper._due = time.monotonic()
        assert {pid for pid, _ in crew.each(errands_of(ensembles))} == {os.getpid()}
        assert helper not in crew._helpers and crew.helpers == 1


@pytest.mark.parametrize("command", ["exit 1", "sleep 600"])
def test_a_helper_that_does_not_get_ready_is_replaced_and_given_up_in_the_end(
    ensembles: list[Ensemble], monkeypatch: pytest.MonkeyPatch, command: str
):
    started: list[subprocess.Popen[bytes]] = []

    def fake(_: list[str], **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(["sh", "-c", f"exec {command}" if "sleep" in command else command], **options))
        return started[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", fake)
    with contextlib.closing(Crew(starting_s=0.0)) as crew:
        crew.start(1)
        until(lambda: len(crew.each(errands_of(ensembles))) == len(ensembles) and crew.helpers == 0)
    assert len(started) == MOST_STARTS
    assert all(process.returncode is not None for process in started), "each was ended and collected"


def test_one_that_dies_while_starting_does_not_end_help(crew: Crew, ensembles: list[Ensemble]):
    os.kill(crew._helpers[0].process.pid, signal.SIGKILL)
    assert {pid for pid, _ in helped(crew, errands_of(ensembles))} > {os.getpid()}


def test_patience_is_some_times_what_answers_take(ensembles: list[Ensemble]):
    crew, errands = Crew(patience_s=5.0), errands_of(ensembles)
    assert crew._patience(errands) == 5.0
    crew._seconds |= {errand.kind: 2.0 for errand in errands}
    assert crew._patience(errands) == 10 * 2.0 * len(errands)


def test_other_weights_in_the_folder_are_not_taken(crew: Crew, ensembles: list[Ensemble]):
    """As if a run was trained again after the page opened it: the answer is about the weights that the page has."""
    helped(crew, errands_of(ensembles))
    first, second = ensembles[:2]
    swapped = [replace(run, path=other.path) for run, other in zip(first.runs, second.runs, strict=True)]
    claimed = Ensemble(tuple(swapped))
    for pid, weights in crew.each(errands_of([claimed, claimed])):
        assert pid == os.getpid()
        assert np.array_equal(weights, Crew().each(errands_of([first]))[0][1])


def test_weights_that_were_never_saved_stay_here(crew: Crew, ensembles: list[Ensemble]):
    helped(crew, errands_of(ensembles))
    unsaved = Ensemble(tuple(replace(run, record={}) for run in ensembles[0].runs))
    assert {pid for pid, _ in crew.each(errands_of([unsaved, unsaved]))} == {os.getpid()}


def test_what_is_refused_is_refused_with_its_reason(crew: Crew, ensembles: list[Ensemble]):
    helped(crew, errands_of(ensembles))
    with pytest.raises(BadInput, match="will not"):
        crew.each([Errand(refuse, ensemble) for ensemble in ensembles])
    helped(crew, errands_of(ensembles))


def test_who_does_not_wait_leaves_no_answer_to_the_next(crew: Crew, ensembles: list[Ensemble]):
    helped(crew, errands_of(ensembles, 3.0))

    class Enough(Exception):
        pass

    def stop(_: float) -> None:
        raise Enough

    with pytest.raises(Enough):
        crew.each(errands_of(ensembles, 3.0), stop)
    for _, weights in helped(crew, errands_of(ensembles[:1] * 3, 5.0)):
        assert np.array_equal(weights, Crew().each(errands_of(ensembles[:1], 5.0))[0][1])


def test_progress_ends_at_one(crew: Crew, ensembles: list[Ensemble]):
    told: list[float] = []
    crew.each(errands_of(ensembles), told.append)
    assert told[-1] == 1 and told == sorted(told)


def test_helpers_end_with_the_process_that_started_them():
    code = (
        "import sys, time; from engine.jobs.crew import Crew; crew = Crew(); crew.start(1)\n"
        "print(crew._helpers[0].process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    def gone() -> bool:
        state = Path(f"/proc/{child}/stat")
        try:
            return state.read_text().rsplit(")", 1)[1].split()[0] == "Z"  # ended; nobody collected it yet
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(gone)


def test_work_is_shared_by_the_time_it_took(ensembles: list[Ensemble]):
    """Four errands of 8, 1, 1 and 6 seconds: 8 beside 1 + 1 + 6; as before while that is nearly fair."""
    crew, errands = Crew(), errands_of(ensembles)
    seconds = dict(zip([errand.kind for errand in errands], [8.0, 1.0, 1.0, 6.0], strict=True))
    crew._seconds |= seconds
    shares = crew._shares(errands, 2)
    assert [share == shares[0] for share in shares] == [True, False, False, False]
    crew._seconds[errands[1].kind] = 3.0
    assert crew._shares(errands, 2) == shares, "8 and 10: helpers know their learners, so they keep them"
    crew._seconds[errands[1].kind] = 20.0
    anew = crew._shares(errands, 2)
    assert [share == anew[1] for share in anew] == [False, True, False, False], "20 beside 15 instead of 27 beside 8"
