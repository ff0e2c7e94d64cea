"""What holds here: the dissertation's readings that a page can speak to, each with a verdict and its evidence.

A page states its readings as `Reading`s, decided by code from shipped answers and run records; this module says what a
verdict is, how single outcomes make one, and how readings are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.behaviour.controls import NARROW
from probes.intervals import Interval

HOLDS, FAILS, MIXED, UNDECIDED = "holds", "does not hold", "mixed", "not decided by these runs"
VERDICTS = (HOLDS, FAILS, MIXED, UNDECIDED)
BADGES = {  # colour and icon: the words carry the meaning, neither is needed
    HOLDS: ("primary", "check_circle"),
    FAILS: ("orange", "cancel"),
    MIXED: ("gray", "contrast"),
    UNDECIDED: ("gray", "help"),
}
ANCHOR = "what-holds-here"
MISSING = "The shipped answers that would tell are not here."
ONLY_SINE = "Not tested here: all runs are on sine waves."


@dataclass(frozen=True)
class Reading:
    """One reading of the dissertation.

    Attributes:
        claim: what it says, in a sentence.
        verdict: one of `VERDICTS`.
        evidence: a sentence with the numbers that decided.
        criterion: when it would hold, when not.
        where: the part of the page that shows it.
        detail: Markdown: single outcomes.
    """

    claim: str
    verdict: str
    evidence: str
    criterion: str
    where: str = ""
    detail: str = ""


# ---- verdicts ----------------------------------------------------------------------------------------


def side(found: Interval, level: float = 0.0) -> int:
    """1 where an interval lies above a level, -1 where it lies below, 0 where it holds it or is not known."""
    return int(found.low > level) - int(found.high < level)


def verdict_of(outcomes: Sequence[int]) -> str:
    """The verdict of outcomes for (1) and against (-1) a reading; undecided ones (0) do not count."""
    has, against = 1 in outcomes, -1 in outcomes
    return MIXED if has and against else HOLDS if has else FAILS if against else UNDECIDED


def all_or_none(outcomes: Sequence[int]) -> str:
    """The verdict where a reading claims every case: one undecided or contrary case is enough for mixed."""
    if not outcomes or not any(outcomes):
        return UNDECIDED
    if 1 not in outcomes:
        return FAILS
    return HOLDS if all(outcome == 1 for outcome in outcomes) else MIXED


def told(found: Interval, form: str = ".2f") -> str:
    """A mean with its interval, in a sentence."""
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"


def not_tested(claim: str, where: str = "") -> Reading:
    """A reading about images."""
    return Reading(claim, UNDECIDED, ONLY_SINE, "Needs runs on images.", where)


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
    }
    badges = " ".join(badge(verdict, words[verdict](n)) for verdict, n in counts.items() if n)
    st.markdown(f"[What holds here](#{ANCHOR}) of the dissertation's readings: {badges}")


def show(readings: Sequence[Reading]) -> None:
    """The section: a row for each reading, and how they are judged."""
    st.divider()
    st.header("What holds here", anchor=ANCHOR)
    st.caption(
        "Readings of the dissertation (Huisman, *Understanding deep meta-learning*, Leiden 2024), judged on the "
        "shipped runs on sine waves, whatever is chosen above. What it says of images is not tested here."
    )
    st.html(f"<style>{NARROW.replace('KEY', 'holds')}</style>")
    with st.container(key="holds", gap="medium"):
        for one in readings:
            left, right = st.columns([1, 4], gap="small")
            left.markdown(badge(one.verdict))
            see = f" :gray[See *{one.where}*.]" if one.where else ""
            right.markdown(f"**{one.claim}** {one.evidence}{see}")
    with st.expander("How these are judged", icon=":material/gavel:"):
        st.markdown(
            "Every verdict is computed from the records and answers that are shipped; intervals are 95 %, for other "
            "seeds, and for other tasks where these are at hand. Brackets hold intervals."
        )
        st.markdown("\n\n".join(_judged(one) for one in readings))


def _judged(one: Reading) -> str:
    detail = f"\n\n{one.detail}" if one.detail else ""
    return f"**{one.claim}** {one.criterion}{detail}"
