"""How few operations would do: the pruning curves, the operations kept at n, and a task learned with these only."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from dashboard.figures import operations_worth as worth_figures
from dashboard.figures.operations import spoken
from dashboard.views.operations import single, words
from dashboard.views.operations.anatomy import TASKS, curve_rows, enough, pruning_rows, pruning_sentence
from dashboard.views.operations.controls import pick
from dashboard.widgets import numbers, page
from dashboard.widgets.layout import pair
from engine.runs.ensembles import Ensemble
from probes.questions.subspace import Anatomy
from probes.tools import scoring
from probes.tools.intervals import over_tasks_and_seeds

ORDERS = {"worth": "by worth", "strength": "by strength"}


@st.fragment
def show_few(ensemble: Ensemble, found: Anatomy, baseline: float) -> None:
    """The slider of n, and all that follows it; nothing else on the page is drawn again."""
    orders = {"worth": found.order_by_worth, "strength": found.order_by_strength}
    losses = {"worth": found.by_worth, "strength": found.by_strength}
    count = len(found.order_by_worth)
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    n = controls.slider(
        "Operations that adapt",
        0,
        count,
        min(enough(found.by_worth, baseline), count),
        key="sap-kept",
        bind="query-params",
        width=420,
    )
    with controls:
        order = pick("On the task, taken", list(ORDERS), "order", "worth", ORDERS)
    number = controls.number_input("Task", 0, TASKS - 1, 0, key="sap-task", bind="query-params", width=120)
    kept_lists(orders, n)
    left, right = pair("sap-few")
    with left:
        page.frame(
            "How few operations would do?",
            f"Query {scoring.measure(ensemble.distribution)} with only n operations adapting, in two orders; mean "
            f"over {TASKS} held-out tasks and {len(found.seeds)} seeds. The line: n = {n}.",
            worth_figures.pruning(
                [(ORDERS[name], _triples(losses[name]), orders[name]) for name in ORDERS],
                found.learner,
                now=n,
                dark=page.dark(),
            ),
            "sap-pruning",
            read=words.PRUNING,
            data=pruning_rows(found),
            says=pruning_sentence(found, baseline),
        )
    with right:
        _show_task(ensemble, orders[order], n, int(number), ORDERS[order], float(losses[order][n].mean()), baseline)


def kept_lists(orders: dict[str, Sequence[str]], n: int) -> None:
    """Both orders as rows of operations: those that adapt at n in colour, the others grey."""
    for name, order in orders.items():
        chips = [f":{'primary' if i < n else 'gray'}-badge[{spoken(one)}]" for i, one in enumerate(order)]
        others = ({*order[:n]} - {*orders["strength" if name == "worth" else "worth"][:n]}) if n else set()
        told = f" ({len(others)} of them not in the other list)" if others else ""
        st.markdown(f"**{ORDERS[name].capitalize()}**, {n} of {len(order)} adapt{told}:&ensp;{' '.join(chips)}")


def _show_task(
    ensemble: Ensemble, order: Sequence[str], n: int, number: int, taken: str, error: float, baseline: float
) -> None:
    found = single.compared(ensemble, order[n:], number)
    if found is None:
        return
    count = {0: "none", 1: "the first"}.get(n, f"the first {n}")
    label = "none adapts" if not n else "all adapt" if n == len(order) else f"only {n} adapt"
    page.frame(
        "What does it learn with these only?",
        f"{found.subtitle} The other {len(order) - n} operations stay at their start.",
        single.drawn(found, label, ensemble.learner.name),
        "sap-few-curves",
        read=words.FEW,
        data=curve_rows(found.grid, found.whole, found.changed, found.seeds, label),
        says=f"Error on this task **{numbers.number(found.before, 3)}** with all {len(order)} adapting, "
        f"**{numbers.number(found.after, 3)}** with {count} taken {taken}; over {TASKS} tasks "
        f"{numbers.number(baseline, 3)} and {numbers.number(error, 3)}.",
    )


def _triples(losses: np.ndarray) -> np.ndarray:
    found = [over_tasks_and_seeds(one) for one in losses]
    return np.array([[f.low, f.mean, f.high] for f in found])
