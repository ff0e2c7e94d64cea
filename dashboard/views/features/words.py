"""How to read the figures of the page Features: formulas and references, in one place."""

DIVERSITY = r"""
The features of a layer at 200 even inputs are a matrix $F$, one row for each input; $s_1 \ge s_2 \ge \dots$ are the
singular values of $F$ less its column means, $p_i = s_i / \sum_j s_j$.

- **Effective rank**: $\exp(-\sum_i p_i \log p_i)$ (Roy & Vetterli, EUSIPCO 2007): how many directions carry the
  features.
- **Participation ratio**: $(\sum_i s_i^2)^2 / \sum_i s_i^4$ (Gao et al., bioRxiv 214262, 2017): the same question,
  with more weight on the large directions.
- **Dead units**: the share of units that say the same at all inputs.
- **Mean pairwise cosine**: of the features of two different inputs; 1 means that all inputs look alike.

Open: before adaptation. Filled: after it, the mean over 20 held-out tasks. Bars are 95 % Student t intervals over
seeds (wide for three). The grey tick is the same learner as drawn for its seed, before any training. Layers are
those of the network that an adapted learner amounts to; for plain LSTMs, the hidden states at the query.
"""

SPECTRUM = r"""
Singular values $s_i$ of the centred features, as shares of the largest. A steep line is a layer that lives in few
directions; dotted grey is the untrained control. The area is the range of the seeds.
"""

FUNCTIONS = r"""
One recipe for all learners: features of unit variance, ridge regression with its strength chosen for each target by
leave-one-out on the training part, scored on the part left out of five shuffled folds,

$$R^2 = 1 - \frac{\sum (y - \hat y)^2}{\sum (y - \bar y)^2}, \quad \text{below 0 counted as 0.}$$

The targets are $\sin(f x + \varphi)$ at 200 even inputs with random $\varphi$, 8 for each frequency $f$. Training
knew $f = 1$ only: what is read off elsewhere was not asked for. **Broadness** is the mean over all frequencies.
Huisman et al. (arXiv 2310.06148) ask in this spirit for the classes of all images together, with a head whose
learning rate and batch size are settings; here nothing differs between learners. Areas are the range of the seeds.
"""

PARAMETERS = r"""
After adapting to each of 300 held-out tasks, the features at 8 even inputs are read off for the task's amplitude
and phase, by the same recipe. A learner whose body stays (finetuning) can hold the task in its last layer only, so
that its hidden layers tell nothing and its predictions do. Grey ticks: the same learner untrained. Dotted line: the
true function's values at those inputs instead of features; a linear read-out of amplitude and phase from values is
imperfect, so a hidden layer to the right of it has done some of the work. Bars are 95 % Student t intervals over
seeds.
"""

RELATION = r"""
Each point is a run. Pearson's $r$ and Spearman's $\rho$ of broadness with $\log_{10}$ of the error, with two-sided
permutation p-values, $p = (1 + \#\{|r_\pi| \ge |r|\}) / (1 + 9999)$: over the means of learners, over all runs (too
sure: runs of one learner are alike), and within learners (each learner's means taken off, values exchanged among
its own runs only). The dissertation reports such a relation for finetuning on images; far tasks here are waves of
frequency 1.5 to 2.5.
"""

SIMILARITY = r"""
Debiased linear CKA of features $F$ and $G$ of the same 100 inputs: with $K = F F^\top$ and $L = G G^\top$,
diagonals 0, U-centred to $\tilde K$ and $\tilde L$ (Song et al., JMLR 2012; Kornblith et al., ICML 2019),

$$\mathrm{CKA} = \frac{\langle \tilde K, \tilde L \rangle_F}{\lVert \tilde K \rVert_F \, \lVert \tilde L \rVert_F}.$$

1: the same up to a rotation and a scale; about 0: nothing in common. Layers of one learner are compared within each
seed, layers of two learners over all pairs of seeds; all are adapted to the same 10 held-out tasks. Click a cell,
or choose the pair below. Raghu et al. (ICLR 2020) found MAML's body hardly changed by adaptation: look at before
against after.
"""

KERNELS = r"""
The two matrices that CKA compares, of the first seed and task: how alike ($> 0$) or unlike ($< 0$) a layer finds
the inputs $x$ and $x'$, less what is common to all inputs. The diagonal is not counted. Equal pictures give a CKA of 1.
"""

MAPS_OF_CLASSES = r"""
Each point is a learner and a seed after some inner steps (none, one, half, all) on a held-out task: the last hidden
layer's normalised kernel at 30 inputs that were drawn once for all, so that the squared distance of two points is $2 -
2\,\mathrm{CKA}$ and neither order nor rotation of units matters. PCA shows the two directions of largest variance; UMAP
(McInnes et al., arXiv 1802.03426) keeps neighbours: distances between far groups, and sizes of groups, mean nothing
there. Both are fitted on all learners shown together. The accuracy is that on the queries of the task. Predictions have
no map here: what class 2 of one task is has nothing to do with class 2 of the next.
"""

MAPS = r"""
Each point is a learner and a seed after some inner steps (none, one, half, all) on a held-out task. **Features**:
the last hidden layer's normalised kernel at 30 even inputs, so that the squared distance of two points is $2 -
2\,\mathrm{CKA}$ and neither order nor rotation of units matters. **Predictions**: what the learner says at those
inputs. PCA shows the two directions of largest variance; UMAP (McInnes et al., arXiv 1802.03426) keeps neighbours:
distances between far groups, and sizes of groups, mean nothing there. Both are fitted on all learners shown
together. Select points or tasks (click, box or lasso): the other views follow.
"""
