"""How to read the surfaces: formulas and references, in one place."""

WHICH = {
    "task": r"""
**Task loss**: the loss of a *network* on the points of *one* task, as a function of the network's weights $w$,

$$
L_\tau(w) = \frac{1}{K} \sum_{i=1}^{K} \ell\big(f_w(x_i), y_i\big),
$$

around the weights $c$ that a learner has adapted to that task. The inner loop walks here, on the support points. It is
the same function for all learners; they stand at different places of it. (Learners that adapt something else, such as
SAP, are shown by the plain network that their adapted state amounts to.)
""",
    "meta": r"""
**Meta-loss**: the mean query loss of *all* tasks *after* $T$ inner steps on the support $D_\tau$, as a function of
all that is meta-learned, $\theta$,

$$
L_{\mathrm{meta}}(\theta) = \frac{1}{M} \sum_{\tau} L_\tau^{\mathrm{query}}\big(w_T(\theta, D_\tau)\big),
$$

around the trained meta-parameters $c$. Meta-training walks here. It is another function for every learner, with other
parameters; and it is differentiated exactly, also for first-order learners. Finetuning and Reptile descend something
else: this is where they stand on the surface that MAML descends. Where the loss is *without bound*, the inner loop
diverges.
""",
}

PLANE = {
    "path": r"""
**Plane of the path.** A point $(x, y)$ is $c + x\, d_1 + y\, d_2$. The directions are the first two principal
components of the path about its end, $p_t - c$ (Li et al., NeurIPS 2018, section 7): no plane holds more of it.
""",
    "random": r"""
**Random plane.** A point $(x, y)$ is $c + x\, d_1 + y\, d_2$ with $d_1, d_2$ Gaussian, every row (all weights into one
unit) scaled to the length of that row of $c$: *filter normalisation* (Li et al., NeurIPS 2018), without which networks
of different scale cannot be compared. Biases stay. In thousands of dimensions, two random directions are nearly
perpendicular to any path: the plane is a fair sample of the surroundings and says nothing about where learning walked.
""",
    "eigen": r"""
**Plane of the sharpest directions**: the eigenvectors of the two largest eigenvalues $\lambda_1, \lambda_2$ of the
Hessian at $c$. To second order the loss is $L(c) + g^\top \delta + \tfrac12 |c|^2 (\lambda_1 x^2 + \lambda_2 y^2)$.
""",
    "gradient": r"""
**Plane of the gradient**: $d_1$ is the gradient at $c$ (to the right is uphill, to first order), $d_2$ what of the way
from the path's start to $c$ is perpendicular to it.
""",
    "runs": r"""
**Plane through three runs** that differ in their seed alone: what lies between solutions (Goodfellow, Vinyals & Saxe,
ICLR 2015; Garipov et al., NeurIPS 2018). Units may be permuted between networks without changing what they do, so a
wall between two runs need not be one between two functions.
""",
}

AXES = r"""
Both axes are in units of the centre's own length $|c|$ (directions are as long as $c$; random ones, by their
normalisation, as its weights without biases); every panel has its own range, and all share one scale of colours, which
ends at 10 times the highest loss on a path. Open mark: start of the path; star: the centre.
"""

PATH = r"""
**The path is drawn on the plane and lies off it.** A point $p$ of the path is projected by least squares; the loss at
its shadow is not its loss. *Holds 98 %*: the plane's share of $\sum_t |p_t - c|^2$. A plane that holds little shows
landscape that was never visited.
"""

TRAP = r"""
The known trap of such pictures: the line is the **true loss** at each point of the path, the dots are what the
**plane** shows right below it. Where they part, the picture above is not what learning met. Principal components of a
path look smooth by construction (Antognini & Sohl-Dickstein, NeurIPS 2018), and a share of squared distances is held
mostly by the far end of a path: near the centre, a plane may miss steep, narrow directions with hardly any of it.
"""
