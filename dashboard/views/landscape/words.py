"""How to read the figures of *Learned rules* and *Cost*: formulas and references, in one place."""

INTERVALS = r"""
**Intervals** (95 %) are for other tasks *and* other trainings: a two-way table of seeds x groups of tasks, with
Satterthwaite's degrees of freedom. What spans powers of ten (ratios, magnitudes) has a geometric mean. Three seeds
leave them wide where seeds differ; the small dots are the seeds.
"""

GRADIENTS = (
    r"""
Take MAML with one inner step. The exact meta-gradient and the first-order one are

$$
g = \big(I - \alpha H_{\mathrm{support}}(\theta)\big)\, \nabla \mathcal{L}_{\mathrm{query}}(\theta_1), \qquad
\tilde g = \nabla \mathcal{L}_{\mathrm{query}}(\theta_1):
$$

$\tilde g$ takes the inner gradient for a constant and is wrong by the curvature of the *task* loss (Finn, Abbeel &
Levine, ICML 2017; Nichol, Achiam & Schulman, arXiv 1803.02999). A learned rule $\theta_{t+1} = \theta_t + m_\phi(g_t)$
multiplies the lost term by the slope of $m_\phi$. Both are computed at the *same* weights, on groups of 4 held-out
tasks, as many as one meta-update saw:

$$
\text{cosine} = \frac{\tilde g^\top g}{\lVert \tilde g \rVert \lVert g \rVert}, \qquad
\text{ratio} = \frac{\lVert \tilde g \rVert}{\lVert g \rVert}.
$$

Both are 1 where nothing is lost. **Rings**: the same learner as drawn, before any training. How a learner was trained
("first-order" or not) says at which weights this is asked, not which gradients are compared.

**Curvature** is that of the *meta-loss*, with $H$ its exact Hessian in the chosen parameters: $|\lambda|$ its
eigenvalue of largest magnitude (Lanczos); $|\lambda| \lVert\theta\rVert^2$, the same with parameters measured in their
own length; $|g^\top H g| / g^\top g$, what the next step along the meta-gradient meets; the *rise* of the loss when
every tensor moves at random by 2 % of its length: at a finite distance; the trace (Hutchinson, random signs).
"""
    + INTERVALS
)

CURVATURE = (
    r"""
That a learned update rule puts more curvature into the meta-loss than a learned initialisation does is offered as the
reason why first-order gradients cost it more (Huisman, *Understanding deep meta-learning*, Leiden 2024, chapter 7), and
was not measured there. A curvature depends on the parametrisation, so it is compared in several forms:

- $|\lambda|$ **over the initialisation alone**: the same 1,761 weights of the same network for all learners, the rule
  held fixed.
- $|\lambda| \lVert\theta\rVert^2$, with $\theta$ in its own length: no unit of a parameter is left. Over the
  initialisation, and over all that is meta-learned, which includes the rule.
- **rise at 2 %**: $\tfrac12 (\mathcal{L}(\theta + \delta) + \mathcal{L}(\theta - \delta)) - \mathcal{L}(\theta)$ for
  random $\delta$ with 2 % of the length of each tensor. Eigenvalues look at one point and one direction; this looks at
  a distance and at all of them, and meets the jumps of a ReLU network's inner gradients, which no Hessian sees.

What the original meta-learner LSTM reads is preprocessed: gradients below $e^{-10}$ are multiplied by $e^{10}$, a slope
that meets every derivative taken through them.

A dot at 10 is ten times MAML's curvature, on the same tasks, seeds paired; dotted: MAML's. The rise is in units of the
loss itself. **Rings**: untrained learners, against untrained MAML: what is there before anything was learned.
"""
    + INTERVALS
)

ALONG = (
    r"""
The same two measures at the weights that a training kept on its way, from the untrained learner on, on fewer tasks than
above: 5 groups of 4, for the curvature 1 group (its interval is over seeds alone). The cosine is that of the
first-order with the exact meta-gradient, whichever of them the training used.
"""
    + INTERVALS
)

COST = r"""
With $N$ weights and $T$ inner steps, the exact meta-gradient is

$$
g = (I - \alpha H_0) \cdots (I - \alpha H_{T-1})\, \nabla \mathcal{L}_{\mathrm{query}}(\theta_T), \qquad H_t \in
\mathbb{R}^{N \times N}.
$$

Written out, each $H_t$ holds $N^2$ numbers: the $O(N^2)$ that is quoted for second-order meta-learning (Huisman,
*Understanding deep meta-learning*, Leiden 2024). But only products $H_t v$ are needed, and each costs a few gradients
and no matrix (Pearlmutter, *Neural Computation* 1994; Griewank & Walther, *Evaluating Derivatives*, 2008): this is what
differentiating through the inner loop does. A line of slope $p$ is cost $\sim N^p$; fitted by least squares on
logarithms over the largest two decades (broad lines), with Student's 95 % interval. Left of them, what does not depend
on $N$ (calls, activations) is most of the cost.

**Time**: processor seconds of one meta-gradient (MLP 1-$w$-$w$-1, one sine task), the least of several repeats.
**Memory**: what PyTorch holds at its peak beyond what it held before, from its profiler. Differentiating through $T$
steps keeps them all, and so does the first-order form here, which leaves the graph in place and cuts it.
"""
