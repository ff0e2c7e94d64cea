"""What holds here: the dissertation's readings that a page can speak to, each with a verdict and its evidence.

A page states its readings as `Reading`s, decided by code from shipped answers and run records (`tools.decisions`);
this module says how they are told and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.widgets.layout import stacks
from probes.claims.finding import Finding
from probes.tools.decisions import FAILS, HOLDS, MIXED, UNDECIDED, Decision
from probes.tools.decisions import VERDICTS as DECIDED
from probes.tools.intervals import Interval

NOT_TESTED = "not tested here"
VERDICTS = (*DECIDED, NOT_TESTED)
BADGES = {  # colour and icon: the words carry the meaning, neither is needed
    HOLDS: ("primary", "check_circle"),
    FAILS: ("orange", "cancel"),
    MIXED: ("gray", "contrast"),
    UNDECIDED: ("gray", "help"),
    NOT_TESTED: ("gray", "image_not_supported"),
}
ANCHOR = "what-holds-here"
WAVES = "sine waves"  # the task of the shipped runs, for people
ONLY_WAVES = f"All shipped runs are on {WAVES}."


@dataclass(frozen=True)
class Reading:
    """One reading of the dissertation.

    Attributes:
        claim: what it says, in a sentence.
        verdict: one of `VERDICTS`: those of `probes.tools.decisions`, or `NOT_TESTED`.
        evidence: a sentence with the numbers that decided.
        criterion: when it would hold, when not.
        where: the part of the page that shows it.
        detail: Markdown: single outcomes.
        needs: what it would take to decide it, as a sentence.
    """

    claim: str
    verdict: str
    evidence: str
    criterion: str
    where: str = ""
    detail: str = ""
    needs: str = ""


# ---- verdicts ----------------------------------------------------------------------------------------


def side(found: Interval, level: float = 0.0) -> int:
    """1 where an interval lies above a level, -1 where it lies below, 0 where it holds it or is not known."""
    return int(found.low > level) - int(found.high < level)


def decided(
    claim: str, decision: Decision, evidence: str, criterion: str, where: str = "", detail: str = ""
) -> Reading:
    """A reading with the verdict of its test."""
    return Reading(claim, decision.verdict, evidence, criterion, where, detail, decision.needs)


def of(found: Finding, where: str = "") -> Reading:
    """A claim as a reading of a page."""
    return decided(found.claim, found.decision, found.evidence, found.criterion, where, found.detail)


def not_tested(claim: str, where: str = "") -> Reading:
    """A reading about images."""
    return Reading(claim, NOT_TESTED, ONLY_WAVES, "Needs runs on images.", where)


# ---- on the page -------------------------------------------------------------------------------------


def badge(verdict: str, words: str = "") -> str:
    """A verdict as Markdown."""
    colour, icon = BADGES[verdict]
    return f":{colour}-badge[:material/{icon}: {words or verdict}]"


def show_summary(readings: Sequence[Reading]) -> None:
    """How many readings hold, in a line that leads to them."""
    counts = {verdict: sum(one.verdict == verdict for one in readings) for verdict in VERDICTS}
    words = {
        HOLDS: lambda n: f"{n} hold{'s' * (n == 1)}",
        FAILS: lambda n: f"{n} do{'es' * (n == 1)} not",
        MIXED: lambda n: f"{n} mixed",
        UNDECIDED: lambda n: f"{n} not decided",
        NOT_TESTED: lambda n: f"{n} not tested",
    }
    badges = " ".join(badge(verdict, words[verdict](n)) for verdict, n in counts.items() if n)
    st.markdown(f"[What holds here](#{ANCHOR}) of the dissertation's readings: {badges}")


def show(readings: Sequence[Reading]) -> None:
    """The section: a row for each reading, and how they are judged."""
    st.divider()
    st.header("What holds here", anchor=ANCHOR)
    st.caption(
        "Readings of the dissertation (Huisman, *Understanding deep meta-learning*, Leiden 2024), judged on the "
        f"shipped runs on {WAVES}, whatever is chosen above. What it says of images is not tested here."
    )
    stacks("holds")
    with st.container(key="holds", gap="medium"):
        for one in readings:
            left, right = st.columns([1, 4], gap="small")
            left.markdown(badge(one.verdict))
            if one.needs:
                left.caption(one.needs)
            see = f" :gray[See *{one.where}*.]" if one.where else ""
            right.markdown(f"**{one.claim}** {one.evidence}{see}")
    with st.expander("How these are judged", icon=":material/gavel:"):
        st.markdown(
            "Every verdict is computed from the records and answers that are shipped, by one test for each reading, "
            "which is stated here. Brackets hold 95 % intervals over tasks *and* trainings. A reading of several parts "
            "holds if each part does, and does not hold if one is contrary after Holm's correction. *Not decided* "
            "means that the interval leaves both open; how many seeds would be needed is a rough guess, for 80 % power "
            "if the effect and the spread are as seen. How often these tests err, `python -m probes simulate` shows: "
            "where learners are equal, one is called better or worse in at most 5 % of the cases (in a single set of "
            "runs, with three seeds of which one learner's are much steadier, in up to 6.5 %)."
        )
        st.markdown("\n\n".join(_judged(one) for one in readings))


def _judged(one: Reading) -> str:
    detail = f"\n\n{one.detail}" if one.detail else ""
    return f"**{one.claim}** {one.criterion}{detail}"
