"""The figures of the page SAP operations, one function each."""

import json
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import library, page
from dashboard.figures import operations as figures
from dashboard.figures import operations_worth as worth_figures
from dashboard.figures.operations import spoken
from dashboard.figures.operations_worth import Dot
from dashboard.operations import words
from engine.ensembles import Ensemble
from engine.learners import make
from probes import representations, subspace
from probes.adaptation import adaptation
from probes.intervals import over_tasks_and_seeds
from probes.subspace import Anatomy

TASKS = 200
MEASURES = {"strength": "strength", "step": "effective step size"}
ERROR = "query mean squared error"
GRID = np.linspace(-5.0, 5.0, 161)
state = st.session_state


def anatomy(ensemble: Ensemble, *, importance: bool) -> Anatomy | None:
    """What the probe says of one learner; importance takes a while unless it is shipped."""
    kept = page.known("subspace", [ensemble], tasks=TASKS, importance=True)
    found = kept or page.answer(
        "subspace",
        [ensemble],
        f"Switching off the operations of {ensemble.learner.title}, one by one ..." if importance else "",
        tasks=TASKS,
        importance=importance,
    )
    return found.anatomies[0] if found else None


def show_strengths(ensemble: Ensemble) -> None:
    """Which operations are strong, and how they became so."""
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    measure = st.segmented_control(
        "Show as", list(MEASURES), default="strength", key="sap-measure", format_func=MEASURES.get, bind="query-params"
    )
    step = measure == "step"
    alpha = float(ensemble.learner.inner_lr)  # type: ignore[attr-defined]
    values, start = (found.step_sizes, alpha * found.start**2) if step else (found.strengths, found.start)
    what = MEASURES["step" if step else "strength"]
    page.frame(
        "Which operations are strong?",
        f"{what.capitalize()} of each operation after meta-training, mean of {len(found.seeds)} seeds; colour: as a "
        "multiple of its start.",
        figures.strengths(found.operations, values, start, what, dark=page.dark()),
        "sap-strengths",
        read=words.STRENGTHS,
        data=_strength_rows(found),
        says=_strength_sentence(found),
    )
    if len(found.moments) > 1:
        page.frame(
            "When did they become so?",
            "Strength against meta-updates, mean over seeds; solid: multiplications, dotted: shifts; in colour the "
            "strongest of each site.",
            figures.along(found.operations, found.moments, found.along, found.learner, dark=page.dark()),
            "sap-along",
            read=words.STRENGTHS,
            data=_along_rows(found),
        )


def show_effect(ensemble: Ensemble) -> None:
    """The network drawn with its operations; one that is clicked is switched off on a sine."""
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    row = st.container(horizontal=True, vertical_alignment="bottom")
    best = max(moving, key=lambda name: found.moved[..., moving.index(name)].mean())
    taken = state.pop("sap-clicked", None)
    if taken in moving:
        state["sap-operation"] = taken
    chosen = row.selectbox(
        "Switch off",
        moving,
        index=moving.index(best),
        key="sap-operation",
        format_func=spoken,
        bind="query-params",
        width=280,
    )
    chosen = chosen if chosen in moving else best
    number = row.number_input("Task", 0, TASKS - 1, 0, key="sap-task", bind="query-params", width=120)
    left, right = st.columns([1.15, 1], gap="large")
    relative = found.strengths.mean(0) / found.start
    with left:
        event = page.frame(
            "Where does it adapt?",
            f"Operations of {ensemble.learner.title} where they act; larger and darker: stronger, as a multiple of its "
            "start. Click one to switch it off.",
            figures.network(found.operations, relative, chosen, found.learner, dark=page.dark()),
            "sap-network",
            read=words.EFFECT,
            data=_strength_rows(found),
            on_select="rerun",
            selection_mode="points",
        )
    clicked = [str(_first(point.get("customdata"))) for point in event.selection.points] if event else []
    if clicked and clicked[0] in moving and clicked[0] != state.get("sap-last"):
        state["sap-last"] = state["sap-clicked"] = clicked[0]
        st.rerun()
    with right:
        _show_curves(ensemble, chosen, int(number))


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def _show_curves(ensemble: Ensemble, operation: str, number: int) -> None:
    tasks, hidden = representations.tasks_of(ensemble.distribution, TASKS)
    points = np.concatenate([tasks.support_x[number].numpy(), tasks.support_y[number].numpy()], 1)
    a, p = (float(hidden[key][number]) for key in ("amplitude", "phase"))

    def truth(x: np.ndarray) -> np.ndarray:
        return a * np.sin(x + p)

    learner = ensemble.learner
    steps = [learner.evaluation_steps]
    query = tasks.query_x[number, :, 0].numpy()
    whole = adaptation(ensemble, points, GRID, steps, truth, query)
    off = adaptation(_Changed(ensemble, subspace.frozen(learner, [operation])), points, GRID, steps, truth, query)  # type: ignore[arg-type]
    before, after = float(whole.errors.mean()), float(off.errors.mean())
    page.frame(
        "What would it do without this one?",
        f"Task {number}: {a:.2f} sin(x + {p:.2f}), {len(points)} points, after {steps[0]} steps.",
        figures.effect(
            GRID,
            truth(GRID),
            points,
            whole.curves[0],
            off.curves[0],
            f"without {spoken(operation)}",
            learner.name,
            dark=page.dark(),
        ),
        "sap-effect",
        read=words.EFFECT,
        data=_curve_rows(whole.curves[0], off.curves[0], [run.seed for run in ensemble.runs]),
        says=f"Error on this task **{before:.3g}** with all operations adapting, **{after:.3g}** with "
        f"{spoken(operation)} held still.",
    )


class _Changed(Ensemble):
    """The same weights behind a learner with other settings."""

    def __init__(self, ensemble: Ensemble, learner: Any):
        object.__setattr__(self, "runs", ensemble.runs)
        object.__setattr__(self, "_learner", learner)

    @property
    def learner(self) -> Any:
        """The learner with other settings."""
        return self._learner  # type: ignore[attr-defined]


def show_worth(ensemble: Ensemble) -> None:
    """What each operation is worth, and how few would do."""
    found = anatomy(ensemble, importance=True)
    if found is None or not len(found.still):
        return
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    baseline = over_tasks_and_seeds(found.losses)
    order = sorted(range(len(moving)), key=lambda j: -np.nanmean(found.still[j]))
    rows = [
        (
            spoken(moving[j]),
            _dot(spoken(moving[j]), found.still[j], "not adapted"),
            _removed(moving[j], found.removed[j]),
        )
        for j in order
    ]
    gone = [moving[j] for j in order if _removed(moving[j], found.removed[j]) is None]
    page.frame(
        "What is each operation worth?",
        f"{ERROR.capitalize()} if it does not adapt (filled) or is removed (open): mean with 95 % interval, "
        f"{TASKS} held-out tasks, {len(found.seeds)} seeds.",
        worth_figures.dots(rows, baseline.mean, ("not adapted", "removed", ERROR), found.learner, dark=page.dark()),
        "sap-worth",
        read=words.WORTH + (f"\nWithout these it runs away: {', '.join(map(spoken, gone))}." if gone else ""),
        data=_worth_rows(found, moving),
        says=_worth_sentence(found, moving, baseline.mean),
    )
    page.frame(
        "How few operations would do?",
        f"{ERROR.capitalize()} with only n operations adapting, in two orders; mean over {TASKS} held-out tasks and "
        f"{len(found.seeds)} seeds.",
        worth_figures.pruning(
            [
                ("by worth", _triples(found.by_worth), found.order_by_worth),
                ("by strength", _triples(found.by_strength), found.order_by_strength),
            ],
            found.learner,
            dark=page.dark(),
        ),
        "sap-pruning",
        read=words.PRUNING,
        data=_pruning_rows(found),
        says=_pruning_sentence(found, baseline.mean),
    )


def show_answers(ensemble: Ensemble) -> None:
    """What the movements of the operations answer to."""
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    values = found.correlations.mean(0)
    single = {name: int(size) == 1 for name, size in zip(found.operations, found.sizes, strict=True)}
    said = []
    for k, parameter in enumerate(found.parameters):
        size = np.abs(np.nan_to_num(values[:, k]))
        j = int(size.argmax())
        least = np.abs(found.correlations[:, j, k]).min()
        sign = f"{values[j, k]:.2f}" if single[moving[j]] else f"{size[j]:.2f} in size"
        said.append(
            f"**{parameter}** is followed most by {spoken(moving[j])} (r = {sign}; at least {least:.2f} in every seed)"
        )
    page.frame(
        "Which operation answers to what in the task?",
        f"Correlation, over {TASKS} held-out tasks, of an operation's movement with the task's amplitude and phase; "
        f"mean over {len(found.seeds)} seeds.",
        worth_figures.answers(moving, found.parameters, values, dark=page.dark()),
        "sap-answers",
        read=words.ANSWERS,
        data=pd.DataFrame(
            [
                {
                    "operation": name,
                    "task parameter": parameter,
                    "seed": seed,
                    "r": found.correlations[s, j, k],
                    "mean movement": found.moved[s, :, j].mean(),
                }
                for j, name in enumerate(moving)
                for k, parameter in enumerate(found.parameters)
                for s, seed in enumerate(found.seeds)
            ]
        ),
        says="; ".join(said) + ".",
    )


def show_structure() -> None:
    """The synthetic families: do strengths match what varies?"""
    files = {path.stem: path for path in sorted((library.CHECKPOINTS / "structure").glob("*.json"))}
    if not files:
        st.caption("The experiment on synthetic families has no results here: `python -m engine structure --train`.")
        return
    order = [form for form in ("mended", "published", "mended-gates", "published-gates") if form in files]
    row = st.container(horizontal=True, vertical_alignment="bottom")
    form = row.segmented_control("Form", order, default=order[0], key="sap-form", bind="query-params")
    kinds = {"gates": "strengths", "worth": "cost of absence"}
    kind = row.segmented_control(
        "Show", list(kinds), default="gates", key="sap-evidence", format_func=kinds.get, bind="query-params"
    )
    found = {name: _read(str(files[name])) for name in order}
    content = found[form if form in found else order[0]]
    rows = []
    for name, one in found.items():
        for protocol, result in one["protocols"].items():
            which = [("trained", result), *((c, one["controls"][c]["protocols"][protocol]) for c in one["controls"])]
            chance = 100 * one["chance"][protocol]
            label = f"{name}, {protocol}"
            rows += [(label, w, 100 * r["mean"], 100 * r["ci95"], chance) for w, r in which]
    table = pd.DataFrame(rows, columns=["form and protocol", "which", "match %", "± 95 %", "chance %"])
    trained = {label: (mean, ci) for label, which, mean, ci, _ in rows if which == "trained"}
    near = [label for label, (mean, ci) in trained.items() if abs(mean - 75) <= ci]
    page.frame(
        "Does SAP adapt what the tasks vary?",
        f"Match over 15 families, {content['seeds']} seeds each; three ways of counting, {len(found)} forms of SAP.",
        worth_figures.protocols(rows, dark=page.dark()),
        "sap-protocols",
        read=words.STRUCTURE,
        data=table,
        says=(
            f"The reported 75 % lies in the interval of {', '.join(near)}."
            if near
            else "The reported 75 % lies in none of the intervals: matches go from "
            f"{min(m for m, _ in trained.values()):.0f} to {max(m for m, _ in trained.values()):.0f} %."
        ),
    )
    names = [" + ".join(family) for family in content["families"]]
    truth = np.array([[factor in family for factor in content["factors"]] for family in content["families"]])
    gates, mse = np.array(content["gates"]), np.array(content["mse"])
    rise = np.array(content["mse_without"]) / mse[..., None]
    values, what, middle = (
        (gates.mean(0), "strength", 0.5)
        if kind != "worth"
        else (np.log10(rise).mean(0), "log10 of error without it / with it", 0.0)
    )
    page.frame(
        "Which gates open for which tasks?" if kind != "worth" else "Whose absence costs most?",
        f"Scalar operations of {form or order[0]} SAP, mean of {content['seeds']} seeds; framed: factors that vary.",
        worth_figures.families(
            names, content["factors"], content["operations"], values, truth, what, middle, dark=page.dark()
        ),
        "sap-families",
        read=words.STRUCTURE,
        data=pd.DataFrame(
            [
                {
                    "family": names[i],
                    "operation": content["operations"][j],
                    "varies": bool(truth[i, j]),
                    "strength": gates[:, i, j].mean(),
                    "error": mse[:, i].mean(),
                    "error without / with": rise[:, i, j].mean(),
                }
                for i in range(len(names))
                for j in range(4)
            ]
        ),
    )


@st.cache_data(show_spinner=False)
def _read(path: str) -> dict[str, Any]:
    with open(path) as file:
        return dict(json.load(file))


def show_others(choice: page.Choice) -> None:
    """Which layers move, for SAP and everybody else who adapts a network."""
    everybody = library.ensembles(choice.collection, "sine", choice.shots)[0]
    from probes import moving

    asked = [e for e in everybody if moving.applies(e) is None and e.learner.meta_trained]
    found = page.answer("moving", asked, "Adapting everybody ...", tasks=TASKS) if asked else None
    if not found:
        return
    rows = sorted(
        (
            (m.learner, make(m.learner).title, np.nanmean(m.share, (0, 1)), float(np.nanmedian(m.after)))
            for m in found.learners
        ),
        key=lambda row: row[3],
    )
    page.frame(
        "Which layers move, how far, for which error?",
        f"Movement of each layer as a share of its length, mean over {TASKS} held-out tasks and seeds; "
        "the best learner (median error) at the top.",
        worth_figures.moved(rows, found.learners[0].layers, dark=page.dark()),
        "sap-moved",
        read=words.MOVED,
        data=pd.DataFrame(
            [
                {"learner": title, "median error": error, **dict(zip(found.learners[0].layers, share, strict=True))}
                for _, title, share, error in rows
            ]
        ),
        says=_moved_sentence(rows, found.learners[0].layers),
    )


def _moved_sentence(rows: list[Any], layers: list[str]) -> str:
    parts = [
        f"{title} moves its {layers[int(share.argmax())]} most ({share.max():.2g} of its length)"
        for _, title, share, _ in rows[:3]
    ]
    return "; ".join(parts) + "."


def _dot(label: str, losses: np.ndarray, what: str) -> Dot:
    found = over_tasks_and_seeds(losses)
    hover = f"{label}<br>{what}: {found.mean:.4g} ({found.low:.4g} to {found.high:.4g})"
    return Dot(label, found.mean, found.low, found.high, hover)


def _removed(name: str, losses: np.ndarray) -> Dot | None:
    """None where some task has no finite error: without it the inner loop runs away."""
    if not np.isfinite(losses).all() or losses.mean() > 1e3:
        return None
    return _dot(spoken(name), losses, "removed")


def _triples(losses: np.ndarray) -> np.ndarray:
    found = [over_tasks_and_seeds(one) for one in losses]
    return np.array([[f.low, f.mean, f.high] for f in found])


def _strength_sentence(found: Anatomy) -> str:
    relative = found.strengths / found.start
    mean = relative.mean(0)
    first, last = int(mean.argmax()), int(mean.argmin())
    small = [i for i, size in enumerate(found.sizes) if 0 < size <= 40]
    large = [i for i, size in enumerate(found.sizes) if size > 40]
    said = (
        f"**{spoken(found.operations[first]).capitalize()}** grew most, to {mean[first]:.2f} times its start "
        f"({relative[:, first].min():.2f} to {relative[:, first].max():.2f} over seeds); "
        f"{spoken(found.operations[last])} shrank most, to {mean[last]:.2f}."
    )
    if small and large:
        few, many = relative[:, small].mean(1), relative[:, large].mean(1)  # of each seed
        verdict = (
            "preferred"
            if (few > many).all()
            else "not preferred"
            if (few < many).all()
            else "preferred in some seeds only"
        )
        said += (
            f" Operations with at most 40 numbers stand at {few.mean():.2f} times their start on average, larger ones "
            f"at {many.mean():.2f}: low-dimensional ones are {verdict} (differences of {(few - many).min():.2f} to "
            f"{(few - many).max():.2f})."
        )
    return said


def _worth_sentence(found: Anatomy, moving: list[str], baseline: float) -> str:
    cost = np.nanmean(found.still, (1, 2)) / baseline
    first = int(cost.argmax())
    relative = (found.strengths.mean(0) / found.start)[[found.operations.index(name) for name in moving]]
    rank = np.corrcoef(np.argsort(np.argsort(relative)), np.argsort(np.argsort(cost)))[0, 1]
    free = int((cost < 1.02).sum())
    return (
        f"Without **{spoken(moving[first])}** adapting, the error is {cost[first]:.1f} times as high; {free} of the "
        f"{len(moving)} operations can stay still for less than 2 % each. Strength and worth rank the operations "
        f"{'alike' if rank > 0.5 else 'differently'} (rank correlation {rank:.2f})."
    )


def _pruning_sentence(found: Anatomy, baseline: float) -> str:
    means = found.by_worth.mean((1, 2))
    enough = int(np.flatnonzero(means <= 1.1 * baseline)[0]) if (means <= 1.1 * baseline).any() else len(means) - 1
    strong = found.by_strength.mean((1, 2))
    also = int(np.flatnonzero(strong <= 1.1 * baseline)[0]) if (strong <= 1.1 * baseline).any() else len(strong) - 1
    return (
        f"**{enough}** of {len(means) - 1} operations, taken by worth, come within 10 % of the error with all "
        f"({baseline:.3g}); taken by strength it needs {also}."
    )


def _strength_rows(found: Anatomy) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "operation": name,
                "seed": seed,
                "strength": found.strengths[s, i],
                "start": found.start[i],
                "times its start": found.strengths[s, i] / found.start[i],
                "effective step size": found.step_sizes[s, i],
                "numbers": int(found.sizes[i]),
            }
            for i, name in enumerate(found.operations)
            for s, seed in enumerate(found.seeds)
        ]
    )


def _along_rows(found: Anatomy) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"operation": name, "seed": seed, "update": int(moment), "strength": found.along[m, s, i]}
            for m, moment in enumerate(found.moments)
            for s, seed in enumerate(found.seeds)
            for i, name in enumerate(found.operations)
        ]
    )


def _worth_rows(found: Anatomy, moving: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "operation": name,
                "seed": seed,
                "all adapt": found.losses[s].mean(),
                "not adapted": found.still[j, s].mean(),
                "removed": found.removed[j, s].mean(),
                "mean movement": found.moved[s, :, j].mean(),
            }
            for j, name in enumerate(moving)
            for s, seed in enumerate(found.seeds)
        ]
    )


def _pruning_rows(found: Anatomy) -> pd.DataFrame:
    lines = []
    for label, losses, order in (
        ("by worth", found.by_worth, found.order_by_worth),
        ("by strength", found.by_strength, found.order_by_strength),
    ):
        for n, one in enumerate(losses):
            lines.append({"order": label, "operations": n, "last": order[n - 1] if n else "", "error": one.mean()})
    return pd.DataFrame(lines)


def _curve_rows(whole: np.ndarray, off: np.ndarray, seeds: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"seed": seed, "x": x, "all adapt": whole[s, i], "one still": off[s, i]}
            for s, seed in enumerate(seeds)
            for i, x in enumerate(GRID)
        ]
    )
