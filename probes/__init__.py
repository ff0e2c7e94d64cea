"""Probes: questions about trained learners. Each answers with arrays in a dataclass and draws nothing.

`PROBES` names the modules; a new probe is one file and one line here. A probe module has

    QUESTION        what it answers, as a question
    Config          a frozen dataclass of plain values with defaults
    applies(e)      None if the ensemble `e` can be asked, otherwise one sentence on why not
    probe(ensembles, config, progress)   -> a dataclass of arrays and plain values
"""

PROBES: dict[str, str] = {
    "behaviour": "probes.behaviour",
    "shots": "probes.shots",
    "shift": "probes.shift",
    "heads": "probes.heads",
    "diversity": "probes.diversity",
    "broadness": "probes.broadness",
    "similarity": "probes.similarity",
    "maps": "probes.maps",
    "meta-gradients": "probes.meta_gradients",
    "updates": "probes.updates",
    "landscape": "probes.landscape",
    "curvature": "probes.curvature",
    "rule": "probes.rule",
    "blackbox": "probes.blackbox",
    "memory": "probes.memory",
    "subspace": "probes.subspace",
    "moving": "probes.moving",
    "attribution": "probes.attribution",
    "shares": "probes.shares",
}
