"""The pages of Innerloop as data: what the navigation shows of them, whom they are about, and where they stand.

A new page is one entry here and its folder below `views/`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        name: of its folder below `views/`, and of its file there; below the first page also its address.
        title: its heading, and what the navigation calls it.
        icon: one of Material's.
        help: one sentence for the navigation.
        question: what the page asks, as Markdown below its heading.
        prefix: of its fields' keys and URL parameters.
        probe: whom it is about, by the probe that can be asked about them; "" for a page that shows no learners, or
            chooses them in its own way.
        learners: who is on until somebody chooses, where they are there.
        shots: support points in training, until somebody chooses.
    """

    name: str
    title: str
    icon: str
    help: str
    question: str = ""
    prefix: str = ""
    probe: str = ""
    learners: tuple[str, ...] = ()
    shots: int = 10

    @property
    def file(self) -> str:
        """Its script, from the folder of `app.py`."""
        return f"views/{self.name}/{self.name}.py"

    @property
    def symbol(self) -> str:
        """Its icon as Markdown."""
        return f":material/{self.icon}:"


PAGES = {
    page.name: page
    for page in (
        Page("live", "Live adaptation", "gesture", "Drag a few points and watch every learner adapt, step by step."),
        Page(
            "behaviour",
            "Learning behaviour",
            "stacked_line_chart",
            "How losses fall step by step, who pays for looking ahead, and who holds out elsewhere.",
            "How do learners get better, step by step: who starts well, who ends well, and who holds out elsewhere?",
            "behaviour",
            "behaviour",
            ("finetuning", "maml", "fomaml", "reptile", "turtle", "lstm", "op-lstm", "protonet", "sap"),
        ),
        Page(
            "features",
            "Features",
            "grain",
            "What a learner's hidden layers make of an input: how diverse, how broad, how alike.",
            "What do a learner's hidden layers make of an input: how diverse, how broad, how alike, before a task and "
            "after?",
            "features",
            "diversity",
            ("finetuning", "maml", "reptile", "turtle", "lstm", "op-lstm", "protonet", "sap"),
        ),
        Page(
            "landscape",
            "Loss landscape",
            "landscape",
            "What lies around adapted weights and around meta-parameters, how curved it is, and what that costs.",
            "Two different losses. The **task loss** is where the inner loop walks: one task, as a function of a "
            "network's weights. The **meta-loss** is where meta-training walks: all tasks after adaptation, as a "
            "function of all that is meta-learned.",
            "landscape",
            "landscape",
            ("finetuning", "maml", "reptile", "turtle", "op-lstm", "sap"),
        ),
        Page(
            "rules",
            "Update rules",
            "function",
            "Which way learners step, what rule they have learned, and what the black boxes resemble.",
            "Some learners descend gradients; others have learned what to do instead. Is it gradient descent after "
            "all, how much of it can be written down, and what do the black boxes resemble?",
            "rules",
            "behaviour",
            ("maml", "turtle", "meta-lstm-enhanced", "lstm", "lstm-sequential", "op-lstm"),
        ),
        Page(
            "operations",
            "SAP operations",
            "tune",
            "Which parameters SAP adapts, how strongly, and whether the tasks ask for it.",
            "Which parameters should adapt at all? SAP learns it: simple operations between its layers, each with a "
            "strength.",
            "sap",
            "subspace",
            ("sap",),
        ),
        Page(
            "attribution",
            "Attribution",
            "ads_click",
            "Which support points, labels, layers and units made a prediction.",
            "A learner saw a few points and says something about x*. Which of the points made it say that, through "
            "which of its layers? Click on a curve, or move the slider, to ask about another x*.",
            "attribution",
            "attribution",
            ("finetuning", "maml", "lstm", "op-lstm"),
            shots=5,
        ),
        Page(
            "train",
            "Train",
            "model_training",
            "Train a learner of your own, watch it, call it off, take it up again.",
            "Train a learner of your own. It appears on every page that fits it, in the folder `runs/`, and in the "
            "shell.",
        ),
        Page(
            "runs",
            "Runs",
            "database",
            "All runs, shipped and own: compare, tag, export, import, delete.",
            "Every training, shipped and own, with all that it was made from. Select some to compare or export them.",
        ),
    )
}
