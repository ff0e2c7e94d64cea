"""Learning behaviour: how losses fall, who pays for looking ahead, and who holds out elsewhere."""

from dashboard.views.behaviour import adapting, factors, readings, single, sweeps, yours
from dashboard.views.behaviour.controls import shared, tasks
from dashboard.widgets import parts
from dashboard.widgets.pages import PAGES
from dashboard.widgets.parts import Part

PARTS = (
    Part("Adaptation", lambda shown: adapting.show_adaptation(shown.ensembles, tasks()), "behaviour"),
    Part("Looking ahead", lambda shown: adapting.show_looking_ahead(shown.ensembles, tasks()), "behaviour"),
    Part("Task by task", lambda shown: single.show_tasks(shown.ensembles, tasks()), "behaviour"),
    Part("Shots", lambda shown: sweeps.show_shots(shown.ensembles, tasks()), "shots"),
    Part("Shift", lambda shown: sweeps.show_shift(shown.ensembles, tasks()), "shift"),
    Part("Factors", lambda shown: factors.show_factors(shown, tasks()), "behaviour"),
)
YOURS = Part("Your probes", yours.show_yours, "behaviour")  # there once a plug-in brings one

parts.show(PAGES["behaviour"], (*PARTS, YOURS) if yours.brought() else PARTS, readings.readings(), shared)
