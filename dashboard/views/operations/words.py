"""What the page SAP operations says about how to read its figures."""

STRENGTHS = r"""
SAP (Huisman, Plaat & van Rijn, arXiv 2310.09028) puts a mix of simple operations before every layer and at the
output, $O(z) = \sum_i w_i\, o_i(z; \phi_i)$. Only the parameters $\phi$ adapt within a task; the strengths $w =
\mathrm{softmax}(\lambda)$ (a sigmoid for the single operations at input and output) are meta-learned and decide how
strongly each operation acts *and* how fast it adapts.

A softmax over seven operations starts at 1/7, one over three at 1/3, a gate at 1/2. Numbers are the strengths,
colours their multiples of that start: only these are comparable across groups. As **step size**, a strength $w$
counts as $\alpha w^2$: it scales both the operation and the gradient that reaches it.

The slider (or *Play*) goes through the moments of training at which weights were kept; colours and axes stay.
"""
ALONG = r"""
Each line is one operation, mean over seeds, from the start of its group at update 0 to the end of training. The
strongest of each site at the end is in the learner's colour and named. The vertical line is the moment that the map
above shows.
"""
WORTH = r"""
Each row is asked of the trained learner, on the same held-out tasks, without training anything again. **Not
adapted**: the operation stays at its meta-learned $\phi_0$; all others adapt. **Removed**: its strength is set to 0
and, in a softmax, shared by the others. Right of the dashed line it is missed. Intervals (95 %) are for other tasks
and other seeds. An operation that is not missed may still have been used: another one can take its place.
"""
PRUNING = r"""
From the left: no operation adapts, then the first, the first two, and so on; the rest stay at $\phi_0$. *By
strength* takes those first whose strengths are the largest multiples of their start; *by worth* those that cost
most when they alone do not adapt, ranked on other tasks than those shown here. If strengths said what matters, both
curves would fall alike.
"""
FEW = r"""
The solid curve is the learner as it was trained: all operations adapt to the points. The dotted one adapts only the
first n of the chosen order; every other operation acts with its meta-learned $\phi_0$ and its strength, but stays as it
is. Thin lines are the other seeds. With n = 0 nothing adapts: that is what the learner says of every task.
"""
ANSWERS = r"""
How far an operation moves on each task, $\phi_T - \phi_0$, against what the task hides: Pearson's $r$ over tasks,
mean over seeds. For operations with several numbers, of their first principal direction, whose sign means nothing.
*still*: it never moves (the published form never adapts the input scale).
"""
EFFECT = r"""
Circles are operations, placed where they act; size and colour say how strong each is as a multiple of its start.
Click one: on the right, the dotted curve is the learner with this operation held at its meta-learned $\phi_0$ while
all others adapt. Thin lines are the other seeds.
"""
STRUCTURE = r"""
All 15 families of $y = A \sin(\omega x + p) + c$, in which any of the four factors vary between tasks. Each factor
has one operation that realises it exactly (amplitude: output scale; frequency: input scale; phase: input shift;
offset: output shift). A frame marks the right ones.

**P1** a gate is on if its strength ended above its start; **P2** of a family with $m$ varied factors, how many of
the $m$ strongest gates are right; **P3** the operation whose absence costs most is a right one. Controls:
*untrained*, and *mismatched* (support and query of different tasks: nothing to adapt to). The dissertation reports
a match of 75 % of the cases; how that was counted could not be found, so all three are shown. P1 of the published
form decides in *What holds here*: it alone counts cases (15 families, four factors); the others are for comparison.

*published*: the input scale never adapts and operations start at random; *mended*: it does, and they start as
identities; *gates*: without the operations in the hidden layers, which can imitate the others.
"""
MOVED = r"""
$|W_T - W_0| / |W_0|$ of each layer of the network *as it acts*: operations, scales and transforms are folded into
the weights that they act on, so that learners that adapt different things can be compared. Mean over tasks and
seeds.
"""
