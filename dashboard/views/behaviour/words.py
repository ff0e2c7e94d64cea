"""How to read the figures of the page Learning behaviour: formulas and references, in one place."""

INTERVAL = r"""
**Interval of the mean** (95 %): for other tasks *and* other trainings. Losses are laid out seeds x tasks; with the
mean squares of that table, $V = (\max(MS_{task}, MS_{rest}) + \max(MS_{seed}, MS_{rest}) - MS_{rest}) / (S N)$ and
the interval is mean $\times \exp(\pm\, t \sqrt{V} / \mathrm{mean})$, that of the logarithm, with Satterthwaite's
degrees of freedom. Three seeds make it wide where seeds differ; a single seed leaves the tasks alone.
"""

CURVES = (
    r"""
Every learner adapts to the same held-out tasks, and is scored on 50 query points after each inner step. Step 0 is
before any. **The ring is the last step that meta-training looked ahead to**, $T$ in

$$\min_\theta \; \mathbb{E}_\tau \, \mathcal{L}_{\mathrm{query}}\big(\theta_T(\theta, D_{\mathrm{support}})\big);$$

beyond it the line is thin and pale: no training ever saw those steps. Learners without inner steps in training
(finetuning, from scratch) have no ring. The dotted line is the loss of saying 0 everywhere. A logarithmic axis of
steps is $\log(1 + \mathrm{step})$.
"""
    + INTERVAL
    + r"""
**95 % of the tasks**: from the 2.5th to the 97.5th percentile of all tasks and seeds. An adaptation *ran away* if its
loss was not finite or above 100 times that of saying 0 at any step; its task is left out for that learner.
"""
)

DIFFERENCES = r"""
Both learners meet the same tasks, so that hard tasks are hard for both and cancel. **Ratio of means**: $\log r$ is the
mean over seeds $s$ of $\log m_s$, less the reference's, with $m_s$ the mean loss over tasks; its part of each task is
$z_{sj} = \log m_s + \mathcal{L}_{sj} / m_s - 1$. **Task by task**: $z = \log \mathcal{L}$, which a few hard tasks
cannot decide; **difference**: $z = \mathcal{L}$. With $d_j = \bar z_j - \bar z_j^{\mathrm{ref}}$, seeds averaged,

$$\bar d \pm t \sqrt{V}, \quad V = s_d^2 / N + s_a^2 / S_a + s_b^2 / S_b.$$

$s_d^2 / N$ is what other tasks would change; $s_a$ and $s_b$ are the spreads of the seeds' means, what other trainings
would. **This kind of training** has all of $V$ (Welch's $t$, Satterthwaite's degrees of freedom) and needs at least two
seeds of each; **these trainings** have the first part alone, $N - 1$ degrees of freedom: they tell which of these
weights to take, not which learner. Words and pale marks follow Holm's correction for all comparisons shown: if no
learner differs, any is called different in at most 5 % of such figures. The interval is that of one comparison.
"""

PLANE = (
    r"""
Right: bad before any step. Up: bad after adapting. On the dotted diagonal, adapting changes nothing. Large: means;
small: each seed. Finetuning minimises the *direct* loss $\mathbb{E}_\tau \mathcal{L}_\tau(\theta)$; MAML the loss
*after* $T$ steps, $\mathbb{E}_\tau \mathcal{L}_\tau(\theta_T)$, whatever the start is worth; Reptile moves toward
$\theta_T$ and so weighs every step on the way (Huisman, Plaat & van Rijn, arXiv 2310.06148).
"""
    + INTERVAL
)

OF_ACCURACY = r"""
**Interval of the mean** (95 %): for other tasks *and* other trainings. Accuracies are laid out seeds x tasks; with the
mean squares of that table, $V = (\max(MS_{task}, MS_{rest}) + \max(MS_{seed}, MS_{rest}) - MS_{rest}) / (S N)$ and
the interval is mean $\pm\, t \sqrt{V}$, with Satterthwaite's degrees of freedom. Three seeds make it wide where seeds
differ; a single seed leaves the tasks alone.
"""

ACCURACIES = (
    r"""
Every learner adapts to the same held-out tasks, of classes that no training met, and its accuracy is the share of query
points that it gets right after each inner step: higher is better. Step 0 is before any, where a learner that has seen
no label guesses. **The ring is the last step that meta-training looked ahead to**; beyond it the line is thin and pale:
no training ever saw those steps. Learners without inner steps in training (finetuning) have no ring. The dotted line is
the accuracy of guessing, one in as many as there are classes. A logarithmic axis of steps is
$\log(1 + \mathrm{step})$. Learners minimise the cross-entropy, not this: what they are sure of and get wrong costs
them more there.
"""
    + OF_ACCURACY
    + r"""
**95 % of the tasks**: from the 2.5th to the 97.5th percentile of all tasks and seeds. An adaptation *ran away* if its
cross-entropy was not finite or above 100 times that of guessing; its task is left out for that learner.
"""
)

ACCURACY_DIFFERENCES = r"""
Both learners meet the same tasks, so that hard tasks are hard for both and cancel. With $d_j$ the difference of their
accuracies on task $j$, seeds averaged,

$$\bar d \pm t \sqrt{V}, \quad V = s_d^2 / N + s_a^2 / S_a + s_b^2 / S_b.$$

$s_d^2 / N$ is what other tasks would change; $s_a$ and $s_b$ are the spreads of the seeds' means, what other trainings
would. **This kind of training** has all of $V$ (Welch's $t$, Satterthwaite's degrees of freedom) and needs at least two
seeds of each; **these trainings** have the first part alone. Words and pale marks follow Holm's correction for all
comparisons shown. The interval is that of one comparison.
"""

ACCURACY_PLANE = (
    r"""
Right: good before any step. Up: good after adapting. On the dotted diagonal, adapting changes nothing. Large: means;
small: each seed. Labels of few-shot classes mean something within one task only, so that before any step nobody can do
better than guess: what differs is how far up a learner comes.
"""
    + OF_ACCURACY
)

ACCURACY_TASKS = r"""
One point per held-out task: the mean accuracy of each learner's seeds after its last step; several tasks may lie on one
point. Above the diagonal, the second learner is better. Spearman's $\rho$ is Pearson's $r$ of the ranks; $p$ is the
share of 1,999 random pairings (and the one seen) with a correlation as large.
"""

TOY = r"""
One parameter $x$; two tasks, visited in turn: $L_1 = 1.3\,(x - 5)^2$ and $L_2 = (x - 100)^2$, which the plateau makes
nearly flat left of 50: $2500 + 5\,(50 - x)$. From $x_0 = x$, $T$ inner steps $x_{t+1} = x_t - \alpha L'(x_t)$ look
ahead; then

$$
x \leftarrow x - \eta \sum_{t=0}^{T} w_t \, L'(x_t), \quad w = \begin{cases} (1, 0, \dots, 0) & \text{finetuning} \\
(0, \dots, 0, 1) & \text{first-order MAML} \\ \alpha\,(1, \dots, 1, 0) & \text{Reptile} \end{cases}
$$

Below, every start flows downwards to where it ends. Dotted: the closed form. A visit to task $i$ pulls $x$ by the
share $p_i = 2 \eta c_i \sum_t w_t r_i^t$, $r_i = 1 - 2 \alpha c_i$, of its distance to the minimum $m_i$; read after
task 2,

$$x^* = \frac{(1 - p_2)\, p_1 m_1 + p_2 m_2}{1 - (1 - p_1)(1 - p_2)}.$$

On the plateau there is no such formula, and where one ends may depend on the start (arXiv 2310.06148, section on the
toy).
"""

TASKS = r"""
One point per held-out task: the mean of each learner's seeds after its last step. Below the diagonal, the second
learner is better. Click a point to open that task; the curves are means of the seeds with their range. Spearman's
$\rho$ is Pearson's $r$ of the ranks; $p$ is the share of 1,999 random pairings (and the one seen) with a correlation
as large.
"""

SHOTS = (
    r"""
The support sets of a task are nested: the first $k$ points of one large set, scored on the same queries. The shaded
line is the number of points in training. After each learner's last inner step.
"""
    + INTERVAL
)

SHIFT = (
    r"""
All tasks $y = a \sin(f x + \varphi)$ get the same value of one parameter; everything else is drawn as in training,
with the same random numbers throughout. Shaded: what training covered. A taller wave is wronger to miss: the dotted
line is the loss of saying 0, and as a *share of it*, 1 means that nothing was learned. **Inputs** moves support and
query together to $[-r, r]$; **noise** is on the support labels only.
"""
    + INTERVAL
)

MAP = r"""
The same over two axes at once. The frame holds the places that training could have drawn. As a comparison, a cell is
the ratio of the two mean losses on the same tasks; means only, without intervals: cells with few tasks are rough.
"""

HEADS = (
    r"""
The last layer of the learned start is replaced by a freshly drawn one (PyTorch's default weights, bias 0; another for
each task and seed), the body stays, and the learner adapts as usual. What is lost is what was learned into the head:
the first of two reasons why MAML and Reptile specialise (arXiv 2310.06148). The published code has the switch for
MAML only.
"""
    + INTERVAL
)

ACCURACY_HEADS = (
    r"""
The last layer of the learned start is replaced by a freshly drawn one (PyTorch's default weights, bias 0; another for
each task and seed), the body stays, and the learner adapts as usual. What is lost in accuracy is what was learned into
the head (arXiv 2310.06148). The difference has each seed as its own control.
"""
    + OF_ACCURACY
)

SCARCITY = (
    r"""
The second reason: scarce data in training. One panel per learner, one line for each number of support points in
training; the large marker is where test is as training was. Were there no specialisation, more data in training would
never hurt: the lines would not cross.
"""
    + INTERVAL
)

FIRST_ORDER = r"""
First-order training takes the inner gradients for constants: the meta-gradient loses its Hessian products. Here, the
first-order variant's loss less that of the second-order one, each trained on its own, on the same tasks. (The
original meta-learner LSTM also differs in its inputs: preprocessed loss and gradient.)
"""
