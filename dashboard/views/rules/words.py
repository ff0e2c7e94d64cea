"""How to read the figures of the page Update rules: formulas and references, in one place."""

from probes.questions.updates import GRADIENT, LEAST_SQUARES, PROTOTYPES
from probes.tools.rule_readings import BODY, OUTPUT

TARGETS = {
    GRADIENT: "the descending gradient of the support loss at that moment",
    LEAST_SQUARES: "the way to the nearest head that fits the support best",
    PROTOTYPES: "what labels alone would write into the head",
}
STEP_QUESTIONS = {
    GRADIENT: "Does each step go down the gradient?",
    LEAST_SQUARES: "Does each step go to the least-squares head?",
    PROTOTYPES: "Does each step write what the labels say?",
}
TARGETS_WHOLE = {
    GRADIENT: "that of as many steps of gradient descent",
    LEAST_SQUARES: "the way to the nearest head that fits the support best",
    PROTOTYPES: "what labels alone would write into the head",
}
DESCENT = {OUTPUT: "descent: y − ŷ", BODY: "descent: d if a > 0"}
SURFACE_QUESTIONS = {
    OUTPUT: "What does it write when it sees a label and its prediction?",
    BODY: "What does it pass on when a unit is active and a message comes?",
}

_REFERENCES = r"""
- **Gradient descent**: $-\nabla_W \mathcal{L}_{\mathrm{support}}(W_{t-1})$ on the weights that the learner moves.
- **Least-squares head**: $A^{+}(y - \hat y)$, the smallest change of the output layer that fits the support best, on
  the features $A$ that the network has just then (singular values below 1 % of the largest left out).
- **Prototypes**: $\tfrac{1}{K} \sum_i y_i a_i^\top$, what a rule writes that reads labels and no errors. With
  classes, these are their mean features, as in Prototypical Networks (Snell et al., 2017).
"""

PASSES = (
    r"""
A step writes $\Delta$ into the weights. Its **cosine** with a direction $v$ is $\langle \Delta, v \rangle / (\lVert
\Delta \rVert \lVert v \rVert)$: 1 is the same way, 0 at right angles, −1 the opposite way. Compared with:
"""
    + _REFERENCES
    + r"""
For OP-LSTM, $\Delta$ is the raw outer product, before it is scaled to length $\lvert\gamma\rvert$, in the direction
of the sign of $\gamma$; for others, $W_t - W_{t-1}$. Grey band: two standard deviations of random directions with the
gradient. **Euclidean distance** depends on lengths, which an update that is normalised later does not have: read it
with care. After Huisman et al., arXiv 2310.14139, who ask this of a convolutional OP-LSTM on images.
"""
)

WHOLE = (
    r"""
All that was written, $W_T - W_0$. Gradient descent here takes as many steps, from the same start, at rate 0.01, on
the same weights; the two heads are those on the features as they are in the end.
"""
    + _REFERENCES
)

TRAINING = r"""
The same for copies of the weights that the training kept on its way (`training.keep_every`). The dissertation finds
on miniImageNet that the cosine to gradient descent rises to 0.96 within the first 2,500 meta-updates, falls to 0.80,
and rises again to 0.94, while similarity to prototypes grows throughout (arXiv 2310.14139).
"""

SURFACES = r"""
OP-LSTM lets small LSTMs say what backpropagation would compute: at the output $h_i = \mathrm{LSTM}(y_i, \hat y_i)$,
below $h_i = \mathrm{LSTM}(a_i, d_i)$ with the message $d = H^\top h$ from the layer above. Gradient descent is one
such rule: $h = y - \hat y$, and $h = d$ where $a > 0$. A cell that reads labels only would show horizontal stripes;
an error signal shows diagonal ones.

**Memory empty**: from the state 0. **Carried into a pass**: the mean over 64 states that the cells really had at
the start of that pass on held-out tasks. All in the direction in which signals are written: $h$ and $d$ times the
sign of $\gamma$, because a negative $\gamma$ and cells that say the opposite are the same rule (arXiv 2310.14139; the
oriented view is ours).
"""

DEVIATIONS = r"""
On the grid of the figures above, for the surface $h(u, v)$:

- **not additive**: share of its variance that no $f(u) + g(v)$ has;
- **not odd**: $\lVert \tfrac12 (h(u) + h(-u)) \rVert^2 / \lVert h \rVert^2$: what does not turn round with the signs
  of label and prediction, or of the message;
- **not monotone**: share of its changes along the grid that go against those of gradient descent.

Gradient descent at the output has 0 in all three; the gate $a > 0$ of the body is not additive.
"""

MOVES = r"""
TURTLE replaces $-\alpha g$ by a network, $\theta \leftarrow \theta + \lambda \odot m_\phi(g, H)$, the same for all
weights (Huisman, Plaat & van Rijn, Machine Learning 2022). A straight falling line through 0 is gradient descent.
**Saturation**: what of the slope at 0 is lost on the way to the 99th percentile of $\lvert g \rvert$. **Asymmetry**:
the share of $\lVert m \rVert^2$ that does not turn round with the sign of $g$. In the first step the history $H$ is
$g$ itself.
"""

RATES = r"""
Every weight has its own learned rate $\lambda$, which the move is multiplied by; they start uniform in $[0, 1]$. A
negative one turns the rule round for that weight.
"""

GATES = r"""
$\theta_t = f_t \odot \theta_{t-1} - i_t \odot g_t$: the input gate is a learning rate, the forget gate shrinks the
weight (Ravi & Larochelle, ICLR 2017). Gates belong to each weight; the lines are medians over all weights, tasks and
support sets, in bins of $\lvert g \rvert$. Gradient descent at rate $\alpha$ is $i = \alpha$ and $f = 1$ for all.
"""

READINGS = r"""
What the rule was shown and said while it adapted to 40 tasks is fitted by least squares, step by step (TURTLE, which
has no memory: all steps together):

| part | gradient descent | linear | dictionary: linear and |
|---|---|---|---|
| output cell | $y - \hat y$ | $1, y, \hat y$ | $\tanh y, \tanh \hat y, \tanh(y - \hat y), \lvert y - \hat y \rvert$ |
| body cell | $d \, 1[a>0]$ | $1, a, d$ | $1[a>0],\; d\,1[a>0],\; a d,\; \tanh d,\; \lvert d \rvert$ |
| move | $g$ | $1, g, H$ | $\tanh (g/s), \tanh (H/s), \lvert g \rvert$ |
| gates | $1$ | $1, \log\lvert g\rvert, \theta$ | squares, $\operatorname{sign} g$, $\theta \operatorname{sign} g$ |

Moves count as $\lambda m$, gates as $i g$ and $(f - 1) \theta$. The share is $1 - \sum (h - \hat h)^2 / \sum h^2$.
"""

IN_PLACE = r"""
The learner adapts as always, but the reading speaks in the place of its rule, with the coefficients fitted on other
tasks; start, step length and learning rates stay. Of the fall of the loss, a reading explains

$$
(\mathcal{L}_{\mathrm{before}} - \mathcal{L}_{\mathrm{reading}}) / (\mathcal{L}_{\mathrm{before}} -
\mathcal{L}_{\mathrm{own}}).
$$

Most of a fall is easy: read the factor between the errors, too. Controls: memory cleared before every pass; one cell
silent, $h = 0$.
"""

ALGORITHMS = r"""
All get the same support points: BASIS**kernel ridge** with a Gaussian kernel, **linear ridge**, the **nearest point**,
and gradient descent from a random network of 1-40-40-1 for so many **steps** at rate 0.01. Their settings are tuned on
20 other tasks for each number of points (scikit-learn). With two points, a learner below kernel ridge must know more
than that functions are smooth: it has learned what FAMILY.
"""
BASIS = r"""**sine basis** (ridge regression on $\sin x$ and $\cos x$: it knows the family, and two points are
enough), """


def algorithms(waves: bool) -> str:
    """How to read the figure of errors; `waves`: the tasks are sums of sin x and cos x, and one algorithm knows it."""
    family = "a wave is" if waves else "its tasks have in common"
    return ALGORITHMS.replace("BASIS", BASIS if waves else "").replace("FAMILY", family)


MISTAKES = r"""
Two good learners are close to each other because both are close to the truth. So the *errors* are compared, over all
tasks and inputs:

$$r = \langle e, e' \rangle / (\lVert e \rVert \lVert e' \rVert), \quad e = \hat y - y.$$

1: the same mistakes; 0: unrelated ones. The diagonal of the learners is one seed against another of the same learner:
what of its mistakes belongs to the learner, and not to the run.
"""

ORDERS = r"""
A support set has no order; what reads it as a sequence gives it one. Means over points cannot see the order (pooled
LSTM, gradients, OP-LSTM); the sequential LSTM must learn to ignore it (arXiv 2310.14139, section on permutation
invariance). The spread is the standard deviation over orders, root mean square over inputs.
"""

DECODED = r"""
Ridge regression from the hidden states $h$ of all layers that a query is conditioned on, its strength chosen on the
training part; $R^2$ on the part left out of five folds, below 0 counted as 0. **By points given**: after all passes
over the first $k$ points. **Points read**: on the way through the whole support. The pooled LSTM is shown no labels
in its first pass. From the raw numbers $x_1, y_1, \dots$ a linear read-out finds next to nothing: what is read off
here was computed.
"""

INSIDE_OP_LSTM = r"""
Every support point has its own memory in the output cell. **Cell state** $c$ and **gates** of its topmost unit: $c
\leftarrow f c + i \tanh(\cdot)$, $h = o \tanh(c)$. A forget gate near 0 is a cell that looks at the present only;
near 1 it sums what it has seen, like momentum. Signal and cell state are in the direction in which they are written.
"""

INSIDE_LSTM = r"""
The hidden state of every unit, ordered by its last value. **Pooled**: the mean over support points after each pass,
the same in whatever order they come. **Sequential**: after each point; vertical edges are points that changed its
mind.
"""
