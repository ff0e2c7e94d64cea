"""Probes: questions about trained learners. Each answers with arrays in a dataclass and draws nothing.

`PROBES` names the modules; a new probe is one file and one line here. A probe module has

    QUESTION        what it answers, as a question
    Config          a frozen dataclass of plain values with defaults
    applies(e)      None if the ensemble `e` can be asked, otherwise one sentence on why not
    probe(ensembles, config, progress)   -> a dataclass of arrays and plain values
"""

PROBES: dict[str, str] = {
    "behaviour": "probes.questions.behaviour",
    "shots": "probes.questions.shots",
    "shift": "probes.questions.shift",
    "heads": "probes.questions.heads",
    "diversity": "probes.questions.diversity",
    "broadness": "probes.questions.broadness",
    "similarity": "probes.questions.similarity",
    "maps": "probes.questions.maps",
    "meta-gradients": "probes.questions.meta_gradients",
    "updates": "probes.questions.updates",
    "landscape": "probes.questions.landscape",
    "curvature": "probes.questions.curvature",
    "rule": "probes.questions.rule",
    "blackbox": "probes.questions.blackbox",
    "memory": "probes.questions.memory",
    "subspace": "probes.questions.subspace",
    "moving": "probes.questions.moving",
    "attribution": "probes.questions.attribution",
    "shares": "probes.questions.shares",
}
