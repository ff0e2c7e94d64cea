"""Update rules: which way learners step, what rule they have learned, and what black boxes do instead."""

from dashboard.views.rules import boxes, directions, memory, readings, rule
from dashboard.widgets import parts
from dashboard.widgets.pages import PAGES
from dashboard.widgets.parts import Part

PARTS = (
    Part(
        "Directions",
        lambda shown: directions.show_directions(shown.ensembles),
        "updates",
        "Choose a learner that writes weights, such as OP-LSTM or MAML.",
    ),
    Part(
        "The rule",
        lambda shown: rule.show_rule(shown.ensembles),
        "rule",
        "Choose a learner with a learned rule: OP-LSTM, TURTLE or a meta-learner LSTM.",
    ),
    Part("Black boxes", lambda shown: boxes.show_boxes(shown.ensembles), "blackbox"),
    Part("Memory", lambda shown: memory.show_memory(shown.ensembles), "behaviour"),
)

parts.show(PAGES["rules"], PARTS, readings.readings())
