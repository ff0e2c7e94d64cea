"""Sentences say what the table beside them says: numbers of over twenty are computed again, from the table alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from dashboard.views.landscape import cost
from dashboard.views.operations import structure, worth
from dashboard.views.rules import boxes, directions, memory, rule
from dashboard.widgets import library, page
from dashboard.widgets.numbers import number, percent
from engine.runs.ensembles import Ensemble, find_ensembles

Frame = pd.DataFrame
Said = dict[str, tuple[str, Frame]]
RULES = ("op-lstm", "turtle", "meta-lstm")
BLACK = ("lstm", "lstm-sequential", "maml", "op-lstm")


@pytest.fixture(scope="module")
def learners() -> dict[str, Ensemble]:
    """The shipped learners at 10 points."""
    return {one.learner.name: one for one in find_ensembles(library.CHECKPOINTS / "sine", "sine", 10)[0]}


@pytest.fixture(scope="module")
def said(learners: dict[str, Ensemble]) -> Said:
    """Every sentence with its table, by the key of the figure; drawn from shipped answers, without a page."""
    found: Said = {}
    of = [""]

    def frame(question: str, subtitle: str, figure: Any, key: str, *, data: Frame, says: str = "", **rest: Any) -> None:
        found[key + of[0]] = (says, data)

    with pytest.MonkeyPatch.context() as patch:
        logging.disable(logging.WARNING)  # streamlit says of every widget that no page runs
        patch.setattr(page, "frame", frame)
        for name in RULES:
            of[0] = f" {name}"
            rule.show_rule([learners[name]])
        of[0] = ""
        directions.show_directions([learners[name] for name in ("op-lstm", "turtle", "maml")])
        boxes.show_boxes([learners[name] for name in BLACK])
        memory.show_memory([learners[name] for name in ("lstm", "lstm-sequential")])
        worth.show_worth(learners["sap"])
        worth.show_answers(learners["sap"])
        structure.show_structure()
        patch.setattr(cost.st, "markdown", lambda text, **rest: found.setdefault("cost", (text, Frame())))
        cost.show_cost()
        found["cost"] = (found["cost"][0], found["landscape-cost-seconds"][1])
        logging.disable(logging.NOTSET)
    return found


def deviations(data: Frame) -> list[str]:
    mean = data[data.state != "fresh"].groupby("part")[["not additive", "not odd", "not monotone"]].mean()
    return [
        f"**{part}**: {percent(r['not additive'])} not additive, {percent(r['not odd'])} not odd, "
        f"{percent(r['not monotone'])} of its changes"
        for part, r in mean.iterrows()
    ]


def shares(data: Frame) -> list[str]:
    mean = data.groupby(["part", "reading"]).share.mean()
    return [f"{reading} {percent(value)}" for (_, reading), value in mean.items()]


def in_place(data: Frame) -> list[str]:
    mean = data.set_index("variant")["mean"]
    before, own = mean["before adapting"], mean["its own rule"]
    told = [f"From {number(before)} before adapting, its own rule reaches {number(own)}."]
    for name in ("gradient descent", "linear", "dictionary"):
        share, times = (before - mean[name]) / (before - own), mean[name] / own
        told.append(f"**{name}** {percent(share)} ({number(times)} times its error)")
    return told


def rates(data: Frame) -> list[str]:
    median = data.groupby("tensor")["50 %"].mean()
    return [f"(median {median.max():.2f})", f"({median.min():.2f})"]


def gates(data: Frame) -> list[str]:
    forget, given = data[data.gate == "f"]["median"], data[data.gate == "i"].dropna()
    told = [f"Forget gate from {forget.min():.4f} to {forget.max():.4f}"]
    for step in (given.step.min(), given.step.max()):
        row = given[given.step == step].iloc[-1]
        told.append(f"{number(row['median'])} at {number(row['|g|'])}")
    return told


def gate_layers(data: Frame) -> list[str]:
    last = data.drop(columns="step").iloc[-1]
    ends = [f"({number(last.max())})", f"({number(last.min())})"]
    return [*ends, f"{number(last.max() / last.min())} times slower"]


def passes(data: Frame) -> list[str]:
    told = []
    for title, rows in data[~data.control].groupby("title"):
        first, last = rows["mean"].iloc[[0, -1]]
        told.append(str(title) if min(first, last) > 0.999 else f"**{title}** {first:.2f} → {last:.2f}")
    return told


def whole(data: Frame) -> list[str]:
    mean = data[(data.title == "OP-LSTM") & ~data.control].set_index("reference")["mean"]
    others = ", ".join(f"{name} {value:.2f}" for name, value in mean.drop(mean.idxmax()).items())
    return [f"nearest to {mean.idxmax()} ({mean.max():.2f}; {others})"]


def training(data: Frame) -> list[str]:
    told = []
    for title, rows in data.groupby("title"):
        if rows["mean"].min() < 0.999:
            last = rows.iloc[-1]
            told.append(f"**{title}** {rows['mean'].iloc[0]:.2f} untrained")
            told.append(f"{last['mean']:.2f} after {int(last.x):,}")
    return told


def errors(data: Frame) -> list[str]:
    at = data.set_index(["title", "shots"])["mean"]
    own = data[~data.algorithm & (data.shots == 10)]["mean"]
    blind = data[data.algorithm & (data.title != "sine basis") & (data.shots == 10)].set_index("title")["mean"]
    two = [f"{title} {number(at[title, 2])}" for title in data[~data.algorithm].title.unique()]
    best = f"errs by {number(own.min())}, {blind.idxmin()}, the best algorithm"
    return ["With 10 points", best, f"by {number(blind.min())}", "With 2: ", *two]


def mistakes(data: Frame) -> list[str]:
    titles = data.learner.tolist()
    told = []
    for row in data.set_index("learner").drop(columns=titles).itertuples():
        told.append(f"**{row[0]}**")
        told.append(f"({np.nanmax(row[1:]):.2f}; its own other seeds {data.set_index('learner')[row[0]][row[0]]:.2f})")
    return told


def orders(data: Frame) -> list[str]:
    mean = data.groupby("learner")[["spread", "error", "share"]].mean()
    minds, rest = mean.loc["LSTM, sequential"], data[data.learner != "LSTM, sequential"]
    return [
        f"{number(minds.share)} of its error, in the mean of tasks (root mean squares: {number(minds.spread)} of "
        f"{number(minds.error)})",
        f"at most {number(rest['largest share'].max(), 1)} of the error",
    ]


def decoded(data: Frame) -> list[str]:
    told = []
    for (_, parameter), rows in data.groupby(["title", "parameter"]):
        own, drawn = (rows[rows.control == control].set_index("x")["mean"] for control in (False, True))
        values = " → ".join(f"{own[k]:.2f}" for k in (1, 3, 10))
        told.append(f"{parameter} {values} (untrained {drawn[10]:.2f} in the end)")
    return told


def cells(data: Frame) -> list[str]:
    told = []
    for picture, rows in data.groupby("picture"):
        steps = rows.pivot(index=rows.columns[1], columns="pass", values="value").diff(axis=1).abs().mean()
        told.append(f"{picture}: {steps.iloc[1]:.3f} at first, {steps.iloc[-1]:.3f} at last")
    return told


def worths(data: Frame) -> list[str]:
    moving = data[data["mean movement"].groupby(data.operation).transform("max") > 0]
    cost = moving.groupby("operation")["not adapted"].mean() / moving.groupby("operation")["all adapt"].mean()
    return [
        f"the error is {number(cost.max())} times as high",
        f"{int((cost < 1.02).sum())} of the {len(cost)} operations",
    ]


def followed(data: Frame) -> list[str]:
    told = []
    for parameter, rows in data.groupby("task parameter"):
        r = rows.pivot(index="operation", columns="seed", values="r").dropna()
        most = r.mean(axis=1).abs().idxmax()
        told.append(f"**{parameter}** is followed most by")
        told.append(f"at least {r.loc[most].abs().min():.2f} in every seed")
        told.append(f"{abs(r.loc[most].mean()):.2f}")
    return told


def protocols(data: Frame) -> list[str]:
    own = data[data.which == "trained"]
    near = own[(own["match %"] - 75).abs() <= own["± 95 %"]]
    return [str(name) for name in near["form and protocol"]]


def costs(data: Frame) -> list[str]:
    told = []
    for _, rows in data.groupby("learner"):
        kinds = {kind: part.set_index("N") for kind, part in rows.groupby("gradient")}
        exact, largest = kinds["exact"], kinds["exact"].index.max()
        kept = exact[exact.index >= largest / 100.2]  # the largest two decades
        power = np.polyfit(np.log(kept.index), np.log(kept.seconds), 1)[0]
        told.append(f"{power:.2f} [")
        times = (exact.seconds / kinds["first-order"].seconds)[kept.index].median()
        told.append(f"{number(times)} times a first-order one in time")
        if "written out" in kinds:
            n = kinds["written out"].index.max()
            told.append(
                f"at N = {n:,} it takes {number(kinds['written out'].seconds[n] / exact.seconds[n])} times as long"
            )
    return told


CHECKS: dict[str, Callable[[Frame], list[str]]] = {
    "rules-deviations op-lstm": deviations,
    **{f"rules-shares {name}": shares for name in RULES},
    **{f"rules-in-place {name}": in_place for name in RULES},
    "rules-rates turtle": rates,
    "rules-gates meta-lstm": gates,
    "rules-gate-layers meta-lstm": gate_layers,
    "rules-passes": passes,
    "rules-whole": whole,
    "rules-training": training,
    "rules-errors": errors,
    "rules-mistakes": mistakes,
    "rules-orders": orders,
    "rules-decoded": decoded,
    "rules-cells": cells,
    "sap-worth": worths,
    "sap-answers": followed,
    "sap-protocols": protocols,
    "cost": costs,
}


@pytest.mark.parametrize("key", CHECKS)
def test_a_sentence_says_what_its_table_says(key: str, said: Said):
    sentence, table = said[key]
    expected = CHECKS[key](table)
    assert expected
    assert [text for text in expected if text.replace("-", "−") not in sentence.replace("-", "−")] == [], sentence


def test_over_twenty_sentences_are_recomputed():
    assert len(CHECKS) > 20


def test_a_wrong_table_would_be_seen(said: Said):
    for key in ("rules-in-place op-lstm", "rules-orders", "sap-worth", "cost"):
        sentence, table = said[key]
        other = table.copy()
        for name in other.select_dtypes("float"):
            other[name] *= np.linspace(1.1, 1.7, len(other))
        assert any(text not in sentence for text in CHECKS[key](other)), key


def test_no_sentence_writes_numbers_as_computers_do(said: Said):
    for key, (sentence, _) in said.items():
        assert not re.search(r"\d[eE][+-]?\d|\bnan\b|\d\.0 points", sentence), (key, sentence)


def test_strength_and_worth_are_related_by_one_computation(learners: dict[str, Ensemble], said: Said):
    """The page's sentence and the verdict on it quote the same correlation."""
    from dashboard.views.operations.anatomy import anatomy, worth_relation

    found = anatomy(learners["sap"], importance=True)
    assert found is not None
    moving = np.flatnonzero(found.adapting)
    by_seed = [
        spearmanr((found.strengths[s] / found.start)[moving], np.nanmean(found.still[:, s], 1)).statistic
        for s in range(len(found.seeds))
    ]
    assert worth_relation(found).mean == pytest.approx(np.mean(by_seed))
    assert f"(rank correlation {np.mean(by_seed):.2f}, mean over seeds)" in said["sap-worth"][0]
