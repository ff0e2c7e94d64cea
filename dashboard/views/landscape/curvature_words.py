"""How to read the figures of curvature: formulas and references, in one place."""

NUMBERS = r"""
$H = \nabla^2 L(c)$ is never written out: all is of exact products $Hv$ (Pearlmutter, *Neural Computation* 1994).

- **Largest and smallest eigenvalue**, by Lanczos (restarted, ARPACK). Gradient descent at rate $\alpha$ is stable in
  a direction while $\alpha \lambda < 2$. A negative eigenvalue is a direction in which the loss curves down.
- **Trace**: mean of $z^\top H z$ over random signs $z$ (Hutchinson, 1989); its standard error is in the data.
- **Sharpness**: the largest rise $\max_{|\delta| \le r |c|} L(c + \delta) - L(c)$ that projected gradient ascent finds
  from the gradient and from both ends of the first eigenvector (after Keskar et al., ICLR 2017): a lower bound.
  Where an inner loop diverges within the ball there is no bound: more than $10^6$ is shown as $10^6$.

Intervals are Student's over seeds (of logarithms, where an axis is logarithmic): three seeds make them wide. Curvature
depends on the parametrisation (Dinh et al., ICML 2017): the task loss is one function of one network for all learners,
but their weights differ in length; the meta-loss is over each learner's own meta-parameters. *Learned rules* compares
forms that do not depend on it.
"""

DENSITY = r"""
Stochastic Lanczos quadrature (Ghorbani, Krishnan & Xiao, ICML 2019): from a random start $z$, $m$ Lanczos steps with
full reorthogonalisation give nodes $\theta_i$ and weights $\omega_i$ with $\sum_i \omega_i f(\theta_i) \approx z^\top
f(H) z$: for $f$ a step, how many of the $N$ eigenvalues lie beyond $\lambda$ (to the right of a positive, to the left
of a negative one). The marks are exact: the $k$-th eigenvalue from an end has the height $k$. As a *density*, every
node is a small bump. The axis is $\operatorname{asinh}(\lambda / u)$, linear near 0 and logarithmic beyond, $u$ a
thousandth of the largest eigenvalue on screen.

A task loss over $K$ points has few sharply curved directions: at its minimum $H = \tfrac2K \sum_i \nabla f(x_i) \nabla
f(x_i)^\top$ has rank $K$ at most. What is left, of both signs, are the residuals times the curvature of the network.
"""

ALONG = r"""
The same measures at the copies of the weights that a training kept. For the task loss, each copy adapts to the task
first. Learners that start alike part as they are trained.
"""
