"""Loss landscape: what lies around adapted weights and around meta-parameters, and how curved it is."""

from dashboard.views.landscape import cost, curvature, learned, readings, surfaces
from dashboard.widgets import parts
from dashboard.widgets.pages import PAGES
from dashboard.widgets.parts import Part

PARTS = (
    Part("Task loss", lambda shown: surfaces.show_task(shown.ensembles), "landscape"),
    Part("Meta-loss", lambda shown: surfaces.show_meta(shown.ensembles), "landscape"),
    Part("Curvature", lambda shown: curvature.show_curvature(shown.ensembles), "curvature"),
    Part("Learned rules", learned.show_rules),
    Part("Cost", lambda _: cost.show_cost()),
)

parts.show(PAGES["landscape"], PARTS, readings.readings())
