"""One choice of runs, task, shots and learners: it follows from page to page, and stands in every page's link."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.widgets import choice, library
from dashboard.widgets.choice import Choice
from dashboard.widgets.pages import PAGES
from engine.learners import LEARNERS
from tests.dashboard.pages import fine, linked, said
from tests.dashboard.test_library import add_run

# Pages with the prefix of their fields, at a part that computes nothing.
PARTS = {
    "landscape": ("landscape", "Cost"),
    "operations": ("sap", "Match with the tasks"),
    "rules": ("rules", "Memory"),
}


def cheap(page: str) -> dict[str, str]:
    """The parameter that opens this part."""
    prefix, part = PARTS[page]
    return {f"{prefix}-part": part}


def opened(page: str, **query: str) -> AppTest:
    """A page at a link."""
    return fine(linked(page, cheap(page) | query))


def turned_to(at: AppTest, page: str) -> AppTest:
    """Another page by the sidebar: the browser then drops what no field is bound to from the address."""
    at.switch_page(f"views/{page}/{page}.py")
    at.query_params.clear()
    at.query_params.update(cheap(page))
    return fine(at.run())


def on(at: AppTest, page: str) -> list[str]:
    """The learners that are on."""
    return list(at.button_group(key=f"{PARTS[page][0]}-learners").value)


def shots(at: AppTest, page: str) -> int:
    """The shots that are shown."""
    return int(at.segmented_control(key=f"{PARTS[page][0]}-shots").value)


def address(at: AppTest) -> dict[str, str]:
    """What the address says of the choice."""
    found = {name: at.query_params[name] for name in choice.NAMES.values() if name in at.query_params}
    return {name: value[-1] if isinstance(value, list) else value for name, value in found.items()}


def test_it_follows_to_other_pages_and_its_link_reopens_it():
    at = opened("landscape")
    assert (on(at, "landscape"), shots(at, "landscape")) == (list(PAGES["landscape"].learners), 10)
    assert address(at) == {}, "nobody chose"
    at.segmented_control(key="landscape-shots").set_value(5).run()
    fine(at.button_group(key="landscape-learners").set_value(["maml", "sap"]).run())
    assert address(at) == {"shots": "5", "on": "maml,sap"}
    turned_to(at, "operations")
    assert (on(at, "operations"), shots(at, "operations")) == (["sap"], 5)
    assert address(at) == {"shots": "5", "on": "maml,sap"}
    fine(at.segmented_control(key="sap-shots").set_value(10).run())
    again = opened("landscape", **address(at))
    assert (on(again, "landscape"), shots(again, "landscape")) == (["maml", "sap"], 10)
    assert shots(turned_to(at, "landscape"), "landscape") == 10


def test_whom_a_page_cannot_show_it_says_and_keeps_for_the_others():
    at = opened("landscape", on="maml,scratch")
    assert "maml" in on(at, "landscape")
    turned_to(at, "operations")
    assert on(at, "operations") == ["sap"]
    assert "MAML has no operations with learned strengths." in said(at)
    assert "Shown instead: SAP." in said(at)
    assert address(at) == {"on": "maml,scratch"}
    assert "maml" in on(turned_to(at, "landscape"), "landscape")


def test_who_is_switched_here_leaves_alone_who_is_chosen_elsewhere():
    at = opened("landscape", on="maml,turtle", runs="sine-tuned")
    assert on(at, "landscape") == ["maml"]
    assert "Chosen, but not among these runs: TURTLE." in said(at)
    assert "Shown instead" not in said(at)
    fine(at.button_group(key="landscape-learners").set_value(["reptile"]).run())
    assert address(at) == {"on": "reptile,turtle", "runs": "sine-tuned"}
    fine(at.button_group(key="landscape-learners").set_value([]).run())
    assert address(at)["on"] == "turtle"
    at = opened("rules", on="none")
    assert on(at, "rules") == []
    assert "Choose at least one learner above." in said(at)
    assert address(at) == {"on": "none"}


def test_other_runs_keep_the_shots_that_were_chosen():
    at = opened("landscape", shots="10", on="maml")
    fine(at.selectbox(key="landscape-runs").set_value("sine-subspace").run())
    assert shots(at, "landscape") == 5, "the nearest that there are"
    assert address(at) == {"runs": "sine-subspace", "shots": "5", "on": "maml"}
    fine(at.selectbox(key="landscape-runs").set_value("sine").run())
    assert shots(at, "landscape") == 10


def test_a_link_made_before_is_read_and_written_anew():
    titles = [LEARNERS[name].title for name in ("maml", "op-lstm")]
    older = {"landscape-runs": library.title("sine-tuned"), "landscape-shots": "5", "landscape-learners": titles}
    at = fine(linked("landscape", cheap("landscape") | older))
    assert not at.warning
    assert address(at) == {"runs": "sine-tuned", "shots": "5", "on": "maml,op-lstm"}
    assert {str(name) for name in at.query_params} == {"landscape-part", *address(at)}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"runs": "../../etc"}, "runs"),
        ({"shots": "9" * 5000}, "shots"),
        ({"trained": "<b>"}, "trained"),
        ({"on": "maml,nobody"}, "on"),
        ({"landscape-learners": ["MAML", "Nobody"]}, "on"),
    ],
)
def test_what_a_link_says_in_vain_is_one_sentence(query: dict[str, str | list[str]], name: str):
    at = fine(linked("landscape", cheap("landscape") | query))
    (warning,) = at.warning
    assert warning.value.startswith(f"The link's value for {name} was left out: ")
    assert len(warning.value) < 300
    assert address(at) == ({"on": "maml"} if name == "on" else {})


@pytest.mark.parametrize("query", [{"runs": ""}, {"shots": "7"}, {"shots": "٣"}, {"shots": "-5"}, {"on": "nobody"}])
def test_a_value_that_does_not_fit_leaves_nothing_chosen(query: dict[str, str]):
    found, complaints = choice.from_query(query)
    assert found == Choice()
    assert list(complaints) == list(query)


def test_queries_are_read_as_they_are_written():
    assert choice.to_query(Choice()) == {}
    for chosen in (
        Choice("sine-tuned", "sine", 5, ("maml", "film")),
        Choice(shots=10, learners=()),
        Choice(collection="sine", task="sine"),
    ):
        assert choice.from_query(choice.to_query(chosen)) == (chosen, {})
    with pytest.raises(TypeError):
        choice.change(nothing=1)


def test_tasks_are_offered_where_there_are_several(own: Path):
    add_run(own / "both", "maml", "sine", 5)
    add_run(own / "both", "finetuning", "gaussian-classes", 5)
    assert library.tasks("my-both") == ("sine", "gaussian-classes")
    at = opened("landscape", runs="my-both")
    assert (at.selectbox(key="landscape-trained").value, on(at, "landscape")) == ("sine", ["maml"])
    fine(at.selectbox(key="landscape-trained").set_value("gaussian-classes").run())
    assert on(at, "landscape") == ["finetuning"]
    assert address(at) == {"runs": "my-both", "trained": "gaussian-classes"}
    fine(at.selectbox(key="landscape-runs").set_value("sine").run())
    assert "landscape-trained" not in {box.key for box in at.selectbox}
