"""How long the probes take: `python tests/benchmarks/probes.py [NAME ...] [--json] [--threads 2] [--alone]`.

Every timing is a function in `TIMINGS` that sets up, and returns what is then timed `--repeats` times; the best and the
median are printed, on the wall and in processor time (which a busy machine disturbs less). `limit` is what is promised.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
RUNS = ROOT / "checkpoints" / "sine"
EIGHT = ("finetuning", "maml", "fomaml", "reptile", "turtle", "lstm", "op-lstm", "sap")


class Timing(NamedTuple):
    """What is timed: `prepare()` gives the function; `limit` in seconds; `what` it is, for people."""

    what: str
    limit: float
    prepare: Callable[[], Callable[[], Any]]


def ensembles(names: tuple[str, ...] = EIGHT, shots: int = 10) -> list[Any]:
    """Shipped runs of the learners named; in place of those that are missing, the first ones again."""
    from engine.runs.ensembles import find_ensembles

    found, _ = find_ensembles(RUNS, "sine", shots)
    by_name = {e.learner.name: e for e in found}
    there = [by_name[name] for name in names if name in by_name]
    return (there * len(names))[: len(names)]


def behaviour() -> Callable[[], Any]:
    """8 learners x 3 seeds x 1,000 tasks."""
    from probes import asking

    asked = ensembles()
    return lambda: asking.ask("behaviour", asked, {"tasks": 1000})


def one_learner_on_the_page() -> Callable[[], Any]:
    """What one more learner on the page costs: OP-LSTM, among the slowest, on 200 tasks."""
    from probes import asking

    asked = [e for e in ensembles() if e.learner.name == "op-lstm"][:1] or ensembles()[:1]
    return lambda: asking.ask("behaviour", asked, {"tasks": 200})


def asked_of_eight(probe: str, **settings: Any) -> Callable[[], Callable[[], Any]]:
    """A probe of features, 8 learners x 3 seeds; each of them once, as they are told apart by their names."""

    def prepare() -> Callable[[], Any]:
        from probes import asking

        asked = list({e.learner.name: e for e in ensembles()}.values())
        return lambda: asking.ask(probe, asked, settings)

    return prepare


def features_page() -> Callable[[], Any]:
    """All four parts of the page Features with their answers known, as a person clicks through them."""
    from streamlit.testing.v1 import AppTest

    def open_all() -> None:
        at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
        at.switch_page("views/features/features.py")
        for part in ("Diversity", "Broadness", "Similarity", "Maps"):
            at.query_params["features-part"] = part
            assert not at.run().exception

    open_all()
    return open_all


def maml() -> Any:
    """Three seeds of MAML on the 1-40-40-1 network."""
    return ensembles(("maml",))[0]


def asked_of_maml(probe: str, **settings: Any) -> Callable[[], Callable[[], Any]]:
    """A probe of MAML, 3 seeds."""

    def prepare() -> Callable[[], Any]:
        from probes import asking

        asked = maml()
        return lambda: asking.ask(probe, [asked], settings)

    return prepare


def plane() -> Callable[[], Any]:
    """The task loss of one run on 41 x 41 places around its adapted weights."""
    from probes import asking

    asked = maml()
    return lambda: asking.ask("landscape", [asked], {"size": 41})


def eigenvalues() -> Callable[[], Any]:
    """The five largest and the five smallest eigenvalues there."""
    from probes.tools import surfaces
    from probes.tools.losses import hessian_vector
    from probes.tools.spectrum import ends

    run = maml().runs[0]
    task = surfaces.one_task(run.distribution, 0)
    state = surfaces.adapted(run.learner, run.params, task, -1)[-1]
    surface = surfaces.task_loss(run.learner, run.params, state, task, "support")
    return lambda: ends(hessian_vector(surface, surface.centre), surface.size, 5)


def landscape_page() -> Callable[[], Any]:
    """The page Loss landscape as it opens, six learners, their planes not known before: another task each time."""
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
    at.switch_page("views/landscape/landscape.py")
    assert not at.run().exception
    task = 0

    def open_it() -> None:
        nonlocal task
        task += 1
        assert not at.number_input(key="landscape-task").set_value(task).run().exception

    return open_it


FOUR = ("finetuning", "maml", "lstm", "op-lstm")


def attribution(fresh: bool) -> Callable[[], Callable[[], Any]]:
    """One query of 4 learners, 5 points, as the page opens: another query each time, or (fresh) another task, too."""

    def prepare() -> Callable[[], Any]:
        from dashboard.widgets.crew import CREW
        from engine.jobs.helper import Errand
        from probes import asking

        asked, count = ensembles(FOUR, shots=5), 0

        def ask() -> None:
            nonlocal count
            count += 1
            values = {"query": count % 40 / 10, "task": count % 49 if fresh else 49, "inside": False}
            CREW.each([Errand(asking.ask_about, ensemble, ("attribution", values)) for ensemble in asked])

        for _ in range(3):  # Captum is imported with the first, and the second is shared by what that took
            ask()
        return ask

    return prepare


def attribution_page() -> Callable[[], Any]:
    """The page Attribution, its query moved."""
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
    at.switch_page("views/attribution/attribution.py")
    assert not at.run().exception
    query = 0.0

    def move() -> None:
        nonlocal query
        query -= 0.1
        assert not at.slider(key="attribution-x").set_value(round(query, 1)).run().exception

    return move


TIMINGS: dict[str, Timing] = {
    "behaviour": Timing("behaviour of 8 learners x 3 seeds x 1,000 tasks", 10.0, behaviour),
    "behaviour-one": Timing("behaviour of OP-LSTM, 3 seeds x 200 tasks", 2.0, one_learner_on_the_page),
    "diversity": Timing("diversity of 8 learners x 3 seeds and their controls", 2.0, asked_of_eight("diversity")),
    "broadness": Timing("broadness of 8 learners x 3 seeds (progress bar)", 30.0, asked_of_eight("broadness")),
    "similarity": Timing("CKA of all layers of 8 learners x 3 seeds", 2.0, asked_of_eight("similarity", kernels=True)),
    "maps": Timing("PCA of 8 learners x 3 seeds x 60 tasks", 2.0, asked_of_eight("maps")),
    "umap": Timing("UMAP of 2,000 of those points (on demand)", 15.0, asked_of_eight("maps", method="umap")),
    "features-page": Timing("page Features, all four parts, answers known", 2.0, features_page),
    "landscape": Timing("task loss of 1-40-40-1 on 41 x 41 places", 5.0, plane),
    "eigenvalues": Timing("five eigenvalues at both ends of its Hessian", 2.0, eigenvalues),
    "curvature": Timing("curvature of the task loss, 3 seeds", 5.0, asked_of_maml("curvature")),
    "attribution": Timing("attribution of a query, 4 learners x 3 seeds, 5 points", 0.3, attribution(False)),
    "attribution-new": Timing("the same on points not seen before", 0.3, attribution(True)),
    "attribution-page": Timing("page Attribution, its query moved", 2.0, attribution_page),
    "landscape-page": Timing("page Loss landscape as it opens, on another task", 2.0, landscape_page),
}


def measure(name: str, timing: Timing, repeats: int) -> dict[str, Any]:
    """Seconds of one timing."""
    run = timing.prepare()
    wall, processor = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    return {
        "name": name,
        "what": timing.what,
        "limit_s": timing.limit,
        "best_s": min(wall),
        "median_s": statistics.median(wall),
        "best_processor_s": min(processor),
        "repeats": repeats,
    }


def main() -> None:
    """Measures what is asked for, and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TIMINGS)}; none: all")
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; the page has one (the default)")
    parser.add_argument("--alone", action="store_true", help="without the processes that help a server")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in TIMINGS]:
        parser.error(f"there is no timing {unknown[0]!r}; there are {', '.join(TIMINGS)}")
    import torch

    from dashboard.widgets import crew

    torch.set_num_threads(arguments.threads)
    if not arguments.alone:
        crew.CREW.start(crew.helpers(), crew.MODULES)
        while not crew.CREW.ready:
            time.sleep(0.1)
    rows = []
    for name in arguments.names or TIMINGS:
        rows.append(row := measure(name, TIMINGS[name], arguments.repeats))
        if not arguments.json:
            verdict = "within" if row["best_s"] <= row["limit_s"] else "OVER"
            print(
                f"{name:16} {row['what']}: best {row['best_s']:.2f} s, median {row['median_s']:.2f} s, "
                f"processor {row['best_processor_s']:.2f} s; {verdict} {row['limit_s']:g} s"
            )
    if arguments.json:
        how = {"threads": arguments.threads, "helpers": crew.CREW.helpers}
        print(json.dumps([row | how for row in rows], indent=1))


if __name__ == "__main__":
    main()
