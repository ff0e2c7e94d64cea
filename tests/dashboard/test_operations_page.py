"""The page SAP operations without a browser: every part, its sentences and tables, links, nothing chosen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.figures import operations as figures
from dashboard.figures import operations_worth as worth

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Strengths", "One operation", "Worth", "What they answer to", "Match with the tasks", "Other learners")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def opened(part: str, **query: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=300)
    at.switch_page("views/operations.py")
    at.query_params["sap-part"] = part
    for key, value in query.items():
        at.query_params[f"sap-{key}"] = value
    at.run()
    assert not at.exception, at.exception
    assert not at.error
    return at


def charts(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("learner", ["SAP", "SAP, first-order"])
def test_every_part_has_its_figure_its_question_and_its_data(part, learner):
    at = opened(part, learners=learner)
    assert charts(at)
    assert all(heading.value.endswith("?") for heading in at.subheader)
    assert len(at.subheader) == len(charts(at)) == len(at.dataframe)
    assert all(len(table.value) for table in at.dataframe)


def test_switching_another_operation_off_changes_the_curve():
    at = opened("One operation")
    before = [text.value for text in at.markdown if "Error on this task" in text.value]
    at.selectbox(key="sap-operation").set_value("output.scale").run()
    after = [text.value for text in at.markdown if "Error on this task" in text.value]
    assert before != after
    assert "output: scale held still" in after[0]


@pytest.mark.parametrize(
    ("key", "value"), [("operation", "nonsense"), ("task", "-3"), ("form", "x"), ("learners", "Nobody")]
)
def test_a_link_with_nonsense_opens_the_page(key, value):
    opened("One operation", **{key: value})


def test_with_nobody_chosen_it_says_what_to_do():
    at = opened("Strengths", learners="")
    assert at.info or charts(at)


def test_a_framed_family_is_one_whose_factor_varies():
    truth = np.array([[True, False], [True, True]])
    figure = worth.families(
        ["a", "a + b"], ["a", "b"], ["output.scale", "input.shift"], np.eye(2), truth, "x", 0.5, dark=True
    )
    assert len(figure.data[1].x) == 3


def test_colours_of_strengths_are_multiples_of_the_start():
    names = ["input.scale", "hidden1.identity", "hidden1.scalar-shift"]
    figure = figures.strengths(names, np.array([[1.0, 0.1, 0.25]]), np.array([0.5, 0.1, 0.5]), "strength", dark=False)
    z = np.array(figure.data[0].z, float)
    assert np.nansum(z) == pytest.approx(np.log2(2) + 0 + np.log2(0.5))


def test_an_operation_is_written_for_people():
    assert figures.spoken("hidden1.scalar-shift") == "after layer 1: scalar shift"
    assert figures.spoken("output.scale") == "output: scale"
    assert figures.spoken("hidden2.rank15") == "after layer 2: rank 15"
