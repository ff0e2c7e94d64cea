"""A crew: processes beside this one that answer with it what is asked about several learners.

An answer is thousands of small tensor operations, and one interpreter starts them one after the other whatever the
number of its threads; so it takes processes to use a second core. A helper opens learners from their run folders, and
only if they hold the very weights that are asked about. What a helper cannot do (it is busy, it died, it hangs, a
folder was replaced, a question is refused), this process does itself: with a crew or without, answers are the same.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.jobs.helper import PATIENCE_S, STARTING_S, Errand, Helper, answer

LOPSIDED = 1.3  # times the best share of work; beyond, it is shared anew, though helpers know their learners by then
LATELY = 0.2  # weight of the newest time among those that shares follow
MOST_PLANS = 256
PATIENCE = 10  # times what an answer usually takes; a machine may be busy
MOST_STARTS = 5  # in a row that come to nothing

Progress = Callable[[float], None]


class Crew:
    """This process and its helpers; without helpers, this process alone.

    Args:
        patience_s: how long a helper may take at least, before it is taken to hang, killed and replaced.
        starting_s: how long it may take to get ready.

    Attributes:
        helped: how many answers came from helpers.
    """

    def __init__(self, patience_s: float = PATIENCE_S, starting_s: float = STARTING_S) -> None:
        self.helped = 0
        self._patience_s = patience_s
        self._starting_s = starting_s
        self._helpers: list[Helper] = []
        self._seconds: dict[tuple[str, str], float] = {}  # by kind of errand
        self._plans: dict[tuple[Any, ...], list[int]] = {}
        self._expected: list[threading.Timer] = []

    def expect(self, helpers: int, modules: Sequence[str] = (), after_s: float = 2.0) -> None:
        """Starts helpers so long after the first answer: until then whoever asked needs the other cores to draw it."""
        timer = threading.Timer(after_s, self.start, (helpers, modules))
        timer.daemon = True
        self._expected.append(timer)

    def start(self, helpers: int, modules: Sequence[str] = ()) -> None:
        """Starts helpers, which take a few seconds until they help."""
        self._helpers += [Helper(modules, self._starting_s) for _ in range(helpers)]

    @property
    def helpers(self) -> int:
        """How many processes there are beside this one."""
        return len(self._helpers)

    @property
    def ready(self) -> bool:
        """Whether all of them could begin at once."""
        with contextlib.ExitStack() as held:
            return len(self._free(held)) == len(self._helpers)

    def close(self) -> None:
        """Ends all helpers."""
        self._expected = []
        for helper in self._helpers:
            helper.close()
        self._helpers = []

    def each(self, errands: Sequence[Errand], progress: Progress = lambda _: None) -> list[Any]:
        """The answers to all errands, in their order.

        Args:
            errands: what is asked.
            progress: told the share that is done; may raise to cancel.

        Raises:
            Exception: what an errand raises.
        """
        found: dict[int, Any] = {}

        def done(number: int, seconds: float, answer: Any) -> None:
            kind = errands[number].kind
            self._seconds[kind] = (1 - LATELY) * self._seconds.get(kind, seconds) + LATELY * seconds
            found[number] = answer
            progress(len(found) / len(errands))

        start = time.monotonic()
        with contextlib.ExitStack() as held:
            begun = self._begin(errands, held)
            away = {number for _, numbers in begun for number in numbers}
            for number, errand in enumerate(errands):
                if number not in away:
                    done(number, *answer(errand))
            mine_s = time.monotonic() - start  # shares are even, so what this one took tells something of the others
            for helper, numbers in begun:
                patience_s = max(self._patience([errands[number] for number in numbers]), PATIENCE * mine_s)
                try:
                    answers = helper.end(lambda: progress(len(found) / len(errands)), patience_s)
                except (OSError, EOFError):
                    self._replace(helper)
                    continue
                for number, one in zip(numbers, answers, strict=True):
                    if one is not None:
                        done(number, *one)
                        self.helped += 1
        for number, errand in enumerate(errands):
            if number not in found:
                done(number, *answer(errand))
        while self._expected:
            with contextlib.suppress(IndexError):  # another thread was faster
                self._expected.pop().start()
        return [found[number] for number in range(len(errands))]

    def _begin(self, errands: Sequence[Errand], held: contextlib.ExitStack) -> list[tuple[Helper, list[int]]]:
        """Gives helpers that are free their shares."""
        free = self._free(held) if len(errands) > 1 else []
        shares = self._shares(errands, len(free) + 1) if free else []
        begun = []
        for place, helper in enumerate(free, start=1):
            numbers = [n for n, share in enumerate(shares) if share == place and errands[n].ensemble.saved]
            if numbers:
                asked = [errands[number] for number in numbers]
                try:
                    helper.begin(asked, self._patience(asked))
                except (OSError, EOFError):
                    self._replace(helper)
                    continue
                begun.append((helper, numbers))
        return begun

    def _free(self, held: contextlib.ExitStack) -> list[Helper]:
        """The helpers that could begin at once; nobody else may ask them while they are held."""
        free = []
        for helper in self._helpers:
            if helper.lock.acquire(blocking=False):
                held.callback(helper.lock.release)
                try:
                    free += [helper] * helper.free()
                except (OSError, EOFError):
                    self._replace(helper)
        return free

    def _replace(self, dead: Helper) -> None:
        """Another one instead of a helper that ended or hangs; none after some in a row that never were ready."""
        dead.close()
        self._helpers = [other for one in self._helpers for other in (_successors(one) if one is dead else [one])]

    def _patience(self, errands: Sequence[Errand]) -> float:
        """Seconds after which somebody who was asked this is taken to hang."""
        return max(self._patience_s, PATIENCE * sum(self._seconds.get(errand.kind, 0.0) for errand in errands))

    def _shares(self, errands: Sequence[Errand], places: int) -> list[int]:
        """Which place does which errand, 0 being this process: as before, unless that has become lopsided.

        Longest first, each to where it would be done first. What was never timed counts like the mean of the others.
        """
        known = [self._seconds.get(errand.kind) for errand in errands]
        timed = [seconds for seconds in known if seconds is not None]
        usual = sum(timed) / len(timed) if timed else 1.0
        costs = [usual if seconds is None else seconds for seconds in known]
        fair = [0.0] * places
        shares = [0] * len(errands)
        for number in sorted(range(len(errands)), key=lambda n: -costs[n]):
            shares[number] = min(range(places), key=lambda place: fair[place])
            fair[shares[number]] += costs[number]
        key = (
            places,
            *(errand.function.__qualname__ for errand in errands[:1]),
            *(errand.ensemble.saved for errand in errands),
        )
        before = self._plans.get(key)
        if before is not None:
            taken = [sum(c for c, share in zip(costs, before, strict=True) if share == at) for at in range(places)]
            if max(taken) <= LOPSIDED * max(fair):
                return before
        while len(self._plans) >= MOST_PLANS:
            self._plans.pop(next(iter(self._plans)), None)
        self._plans[key] = shares
        return shares


def _successors(dead: Helper) -> list[Helper]:
    starts = 1 if dead.ready else dead.starts + 1
    return [Helper(dead.modules, dead.starting_s, starts)] if starts <= MOST_STARTS else []
