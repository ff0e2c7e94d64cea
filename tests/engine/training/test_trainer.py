"""The training loop: seeds apart, best weights kept, bad gradients survived, compiled equal to eager."""

import math

import pytest
import torch

from engine.configure import configure
from engine.errors import BadConfig, UnknownName
from engine.execution.gradients import _compile, can_compile, compiled_meta_gradient, meta_gradient
from engine.execution.policy import compiles_whole, compiling_pays
from engine.learners import LEARNERS, MAML, make
from engine.learners.reptile import Reptile
from engine.networks import MLP
from engine.runs.budget import Training
from engine.tasks import Sine, stream
from engine.training.divergence import Standing, advice
from engine.training.trainer import Trainer
from engine.trees import stack, tree_map
from tests.engine.conftest import CASES, few

SMALL = Sine(shots=4, queries=6)


def trainer(seeds=(0, 1), **training):
    return Trainer(MAML(steps=2), SMALL, Training(**{"iterations": 20, "validation_tasks": 5, **training}), seeds)


def test_clipping_one_seed_leaves_the_others_alone():
    """A spike in one seed's gradient must not scale down another's update."""
    one = trainer(clip=1.0)
    gradient, _ = one._gradient(one.flat, one.tasks(0))
    small = 1e-3 * gradient
    clipped = one._clip(torch.stack([1e9 * small[0], small[1]]))
    assert float(clipped[0].norm()) == pytest.approx(1.0, rel=1e-4)
    torch.testing.assert_close(clipped[1], small[1])


def test_parameters_are_views_of_one_tensor_and_packing_is_its_inverse():
    one = Trainer(Reptile(steps=2), SMALL, Training(validation_tasks=5), (0, 1))
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), one._layout.unpack(one.flat), one.params)
    torch.testing.assert_close(one._layout.pack(one.params), one.flat, rtol=0, atol=0)
    one.flat.add_(1.0)
    assert float(one.params["net"]["bias1"].min()) == 1.0
    assert list(one.params) == ["net", "moments"]  # what is optimised comes first


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_skipped_and_counted(clip, bad):
    one = trainer(clip=clip)
    gradient, _ = one._gradient(one.flat, one.tasks(0))
    gradient[1, 50] = bad
    safe = one._clip(gradient)
    assert one.skipped.tolist() == [0, 1]
    assert float(safe[1].abs().max()) == 0
    assert float(safe[0].abs().max()) > 0


def test_a_seed_that_breaks_does_not_touch_its_neighbour():
    """One update of seeds 0 and 1, where 1 meets NaN: 0 moves as it does alone, 1 stays where it is."""
    pair, alone = trainer((0, 1)), trainer((0,))
    before = tree_map(torch.clone, pair.params)
    tasks = pair.tasks(0)
    tasks.support_y[1, 0, 0] = math.nan
    pair.update()
    alone.update()
    tree_map(lambda a, b: torch.testing.assert_close(a[0], b[0], rtol=1e-4, atol=1e-6), pair.params, alone.params)
    assert not torch.equal(pair.params["net"]["weight2"][0], before["net"]["weight2"][0])
    tree_map(lambda a, b: torch.testing.assert_close(a[1], b[1], rtol=0, atol=0), pair.params, before)
    assert pair.skipped.tolist() == [0, 1]


def test_the_schedule_reaches_the_optimiser(float64):
    """Plain SGD moves by the gradient times the learning rate of that very iteration."""
    one = trainer(seeds=(0,), iterations=4, optimiser="sgd", lr=0.1, schedule="linear")
    for lr in (0.1, 0.075, 0.05, 0.025):
        before = tree_map(torch.clone, one.params)
        gradient, _ = meta_gradient(one.learner)(one.params, one.tasks(one.iteration))
        one.update()
        expected = tree_map(lambda p, g: p - lr * g, before, gradient)  # noqa: B023
        tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14), one.params, expected)


@pytest.mark.parametrize("clip", [None, 0.5])
def test_updates_are_those_of_the_optimiser_itself(clip):
    """Adam's kernel is called without the optimiser around it; the numbers and the state are its own, to the bit."""
    one, other = (trainer(lr=0.01, schedule="cosine", clip=clip) for _ in range(2))
    for iteration in range(6):
        one.update()
        gradient, _ = other._gradient(other.flat, other.tasks(iteration))
        (group,) = other.optimiser.param_groups
        group["lr"], group["params"][0].grad = other.training.lr_at(iteration), other._clip(gradient)
        other.optimiser.step()
    assert torch.equal(one.flat, other.flat)
    ours, theirs = (dict(next(iter(each.optimiser.state.values()))) for each in (one, other))
    assert float(ours["step"]) == 6
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), ours, theirs)


def test_best_validation_weights_are_kept_not_the_last():
    one = trainer(seeds=(0,), lr=0.01)
    one.validate()
    kept = one.seed_params(0)
    one.params["net"]["weight3"].mul_(100)  # ruin the network: validation gets worse
    one.iteration = 1
    one.validate()
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), one.seed_params(0), kept)
    assert one.best_iteration == [0]


def test_the_best_have_the_fewest_diverged_tasks_and_then_the_lowest_mean(monkeypatch):
    nan, wild = math.nan, 1e6  # finite, and more than a hundred times the loss of saying 0
    looks = [[nan] * 5, [1.0, 1.0, 1.0, nan, wild], [9.0, 9.0, 9.0, 9.0, 9.0], [8.0] * 5, [0.1, 0.1, 0.1, 0.1, wild]]
    given = iter(looks)
    monkeypatch.setattr("engine.training.trainer.final_errors", lambda *_: torch.tensor(next(given)))
    one, seen = trainer(seeds=(0,)), []
    for iteration in range(len(looks)):
        one.iteration = iteration
        one.flat.fill_(iteration)
        found = one.validate()
        seen.append((found.error.item(), found.diverged.item()))
    assert math.isnan(seen[0][0])
    assert seen[0][1] == 5
    assert seen[1:] == [(1.0, 2), (9.0, 0), (8.0, 0), (pytest.approx(0.1), 1)]
    assert (one.best_iteration, one.best_error.tolist(), one.best_diverged.tolist()) == ([3], [8.0], [0])
    assert float(one.seed_params(0)["net"]["weight2"].max()) == 3.0


def standing(**changes):
    """A seed half way through 1,000 updates, sound unless changed."""
    sound = {"iteration": 500, "iterations": 1000, "skipped": 0, "tasks": 50, "diverged": 0, "finite": 50, "best": 0}
    return Standing(**{**sound, **changes})


ALL = {"diverged": 50, "best": None}  # no validation left a task
VERDICTS = {
    "a plateau": ({}, False),
    "a plateau at the end, no better than untrained": ({"iteration": 1000}, False),
    "all far off, but finite": (ALL, False),
    "all far off to the end": ({**ALL, "iteration": 1000}, True),
    "nothing finite": ({**ALL, "finite": 0}, True),
    "nothing finite in the first updates": ({**ALL, "finite": 0, "iteration": 99}, False),
    "nothing finite before a tenth of it": ({**ALL, "finite": 0, "iterations": 6000}, False),
    "nothing finite at the start": ({**ALL, "finite": 0, "iteration": 0}, False),
    "nothing finite now, but before": ({"diverged": 50, "finite": 0, "best": 250}, False),
    "half of the updates skipped": ({"skipped": 250}, False),
    "most of the updates skipped": ({"skipped": 251}, True),
    "most of few updates skipped": ({"skipped": 99, "iteration": 99}, False),
    "all updates of a short training skipped": ({"skipped": 45, "iteration": 45, "iterations": 45}, True),
    "some diverge in the end": ({"iteration": 1000, "diverged": 25}, False),
    "most diverge in the end, and only untrained they did not": ({"iteration": 1000, "diverged": 26}, True),
    "most diverge in the end, but not before": ({"iteration": 1000, "diverged": 26, "best": 300}, False),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_what_a_diverged_training_is(case):
    changes, lost = VERDICTS[case]
    assert bool(standing(**changes).verdict()) is lost


def test_the_advice_names_what_the_learner_has():
    told = {name: advice(make(name)) for name in ("maml", "reptile", "turtle", "lstm")}
    assert told["maml"] == "Lower inner_lr or training.lr, or set inner_clip or training.clip."
    assert told["reptile"] == "Lower inner_lr or training.lr, or set training.clip."
    assert told["turtle"] == "Lower training.lr, or set inner_clip or training.clip."
    assert told["lstm"] == "Lower training.lr, or set training.clip."


def test_a_hopeless_training_stops_early_and_a_sound_neighbour_keeps_it_going(monkeypatch):
    monkeypatch.setattr("engine.training.divergence.AT_LEAST", 4)
    meta_gradient = Trainer._meta_gradient

    def spoiled(self, tasks):
        gradient, loss = meta_gradient(self, tasks)
        gradient[-1] = math.nan
        return gradient, loss

    monkeypatch.setattr(Trainer, "_meta_gradient", spoiled)
    alone, pair = trainer((1,), validate_every=4), trainer((0, 1), validate_every=4)
    alone.run()
    pair.run()
    assert (alone.iteration, pair.iteration) == (4, 20)
    assert alone.lost[0].startswith("4 of 4 updates were skipped")
    assert pair.lost == ["", alone.lost[0]]  # nothing crosses between seeds


def test_a_run_that_goes_on_repeats_nothing_and_knows_its_loss():
    one, seen = trainer(validate_every=5), []
    for until in (5, 10, 20):
        one.run(until, seen.append)
    assert [progress.iteration for progress in seen] == list(range(21))
    assert [progress.iteration for progress in seen if progress.validation is not None] == [0, 5, 10, 15, 20]
    assert all(math.isfinite(loss) for progress in seen[1:] for loss in progress.loss)


def test_tasks_depend_on_seed_and_iteration_alone():
    first, second = trainer((3,)), trainer((1, 3))
    late = second.tasks(123)
    second.tasks(7)
    tree_map(lambda a, b: torch.testing.assert_close(a[0], b[1], rtol=0, atol=0), first.tasks(123), late)
    assert not torch.equal(late.support_x[0], late.support_x[1])
    assert not torch.equal(first.tasks(123).support_x, first.tasks(124).support_x)


def test_schedules():
    assert Training(iterations=10, lr=2.0).lr_at(9) == 2.0
    cosine = Training(iterations=10, lr=2.0, schedule="cosine")
    assert [cosine.lr_at(i) for i in (0, 5, 10)] == pytest.approx([2.0, 1.0, 0.0])


@pytest.mark.skipif(not can_compile(), reason="torch.compile needs a C++ compiler, and none is found")
@pytest.mark.parametrize("name", ["maml", "op-lstm"])
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_equals_eager(name):
    small = {"steps": 1, "cell_sizes": ()} if name == "op-lstm" else {"steps": 2}
    learner = LEARNERS[name](network=MLP((3,)), **small)
    params = stack([learner.init(stream("init", seed), Sine.spec) for seed in range(2)])
    tasks = stack([SMALL.sample(stream("train", seed), 3) for seed in range(2)])
    eager, loss = meta_gradient(learner)(params, tasks)
    fast, same = compiled_meta_gradient(learner)(params, tasks)
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5), eager, fast)
    torch.testing.assert_close(loss, same, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_trainings_in_one_process_do_not_use_up_the_compiler(monkeypatch):
    """`train --all` compiles many learners: their graphs share code, and are counted apart, whatever comes of them."""
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, options, **modes: compile(f, backend="eager", **modes))
    x = torch.ones(2)
    with torch._dynamo.config.patch(recompile_limit=1):
        for factor in (2.0, 3.0, 4.0):
            compiled = _compile(torch.func.vmap(lambda v: factor * v))  # noqa: B023
            torch.testing.assert_close(compiled(x), factor * x)


def test_only_the_plain_objective_is_compiled_step_by_step():
    """`stepwise_meta_gradient` knows the query loss after T steps: MT-net's drawn masks would be lost in it."""
    long = {name: compiles_whole(make(name, steps=5)) for name in ("maml", "sap", "t-net", "mt-net", "film", "op-lstm")}
    assert long == {"maml": True, "sap": False, "t-net": False, "mt-net": True, "film": False, "op-lstm": False}
    assert compiles_whole(make("sap", steps=1))
    for name, cls in LEARNERS.items():
        if "meta_loss" in cls.__dict__ or "meta_gradient" in cls.__dict__:
            assert compiles_whole(cls()), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gpu_equals_cpu(name, kind):
    learner, distribution = LEARNERS[name](), few(kind, shots=4, queries=6)
    sgd = {"optimiser": "sgd", "lr": 0.1} if name == "reptile" else {"lr": 1e-3}
    training = Training(iterations=2, validation_tasks=4, **sgd)
    ends = []
    for device in ("cpu", "cuda"):
        one = Trainer(learner, distribution, training, (0, 1), device=device)
        one.run()
        ends.append(tree_map(lambda p: p.detach().cpu(), one.params))
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4), *ends)


def test_unknown_names_and_bad_values_are_one_sentence():
    with pytest.raises(UnknownName, match=r"no learner called 'mamal'; known are .*maml"):
        make("mamal")
    with pytest.raises(BadConfig, match="no parameter 'depth'; it has network"):
        make("maml", depth=3)
    with pytest.raises(BadConfig, match="cannot take inner_lr = -1"):
        make("maml", inner_lr=-1)
    with pytest.raises(BadConfig, match="cannot take schedule = 'step'"):
        configure(Training, {"schedule": "step"}, "training")
    with pytest.raises(BadConfig, match="cannot take gamma = nan: every number must be finite"):
        make("op-lstm", gamma=math.nan)
    with pytest.raises(BadConfig, match=r"cannot take amplitude = \[1, inf\]: every number must be finite"):
        configure(Sine, {"amplitude": [1, math.inf]}, "task sine")
    with pytest.raises(BadConfig, match=r"cannot take inputs = \[5, -5\]: the lower end of a range comes first"):
        configure(Sine, {"inputs": [5, -5]}, "task sine")


def test_trainings_compile_by_default_where_that_saves_time():
    """`tests/benchmarks/compiling.py` measures from where; a training is as long as all its tasks."""
    budget = Training(iterations=10_000, meta_batch=4)
    assert budget.total_tasks(5) == 200_000
    assert [compiling_pays(make("maml"), tasks) for tasks in (199_999, 200_000)] == [False, True]
    assert compiling_pays(make("op-lstm"), 60_000)
    assert compiling_pays(make("sap", steps=1), 200_000)
    assert not compiling_pays(make("sap", steps=5), 10**9), "its whole graph is too long to compile"
    assert [compiling_pays(make("turtle", network=MLP((w, w))), 30_000) for w in (40, 100)] == [True, False]
    assert not compiling_pays(make("scratch"), 10**9), "it learns nothing across tasks"
    assert all(compiling_pays(cls(), 0) is False for cls in LEARNERS.values())
