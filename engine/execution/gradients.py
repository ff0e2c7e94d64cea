"""The meta-gradient of a batch of tasks for a stack of seeds: eager, or compiled."""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from engine.execution.policy import chunk, compiles_whole, compiling_pays, one_by_one
from engine.learners import Learner, Params
from engine.tasks import Task
from engine.trees import Layout, Tree, leaves, stack, tree_map

MetaGradient = Callable[[Params, Any], tuple[Tree, Tensor]]  # (parameters, a Task or NoisyTask)


def meta_gradient(learner: Learner) -> MetaGradient:
    """The averaged meta-gradient of a batch of tasks for a stack of seeds, as one function.

    Returns:
        f(params, tasks) -> (gradient, loss): params and gradient with a leading axis of seeds, tasks with axes
        (seeds, meta_batch), loss (seeds,).
    """
    if type(learner).meta_gradient is not Learner.meta_gradient:

        def one_seed(params: Params, tasks: Task) -> tuple[Tree, Tensor]:
            gradients, losses = vmap(learner.meta_gradient, in_dims=(None, 0))(params, tasks)
            return tree_map(lambda g: g.mean(0), gradients), losses.mean()
    else:
        # The gradient is linear: one gradient of the mean costs less than the mean of many.

        def one_seed(params: Params, tasks: Task) -> tuple[Tree, Tensor]:
            def mean_loss(p: Params) -> Tensor:
                return vmap(learner.meta_loss, in_dims=(None, 0))(p, tasks).mean()

            return grad_and_value(mean_loss)(params)

    looped = _looped(learner)

    def of_seeds(params: Params, tasks: Task) -> tuple[Tree, Tensor]:
        if one_by_one(learner, tasks):
            return looped(params, tasks)
        if len(tasks.support_x) > 1:
            found: tuple[Tree, Tensor] = vmap(one_seed)(params, tasks)
            return found
        gradient, loss = one_seed(*tree_map(lambda v: v.squeeze(0), (params, tasks)))  # an axis less costs less
        return tree_map(lambda g: g.unsqueeze(0), gradient), loss.unsqueeze(0)

    return of_seeds


def _looped(learner: Learner) -> MetaGradient:
    """The same, task after task, so that the graph of one is in memory at a time."""

    def of_seeds(params: Params, tasks: Task) -> tuple[Tree, Tensor]:
        seeds, batch = tasks.support_y.shape[:2]
        gradients, losses = [], []
        for seed in range(seeds):
            mine = tree_map(lambda p: p[seed], params)  # noqa: B023
            total: Tree = None
            loss = tasks.query_x.new_zeros(())
            for task in range(batch):
                found, error = learner.meta_gradient(mine, tree_map(lambda v: v[seed, task], tasks))  # noqa: B023
                total = found if total is None else tree_map(torch.add, total, found)
                loss = loss + error
            gradients.append(tree_map(lambda g: g / batch, total))
            losses.append(loss / batch)
        return stack(gradients), torch.stack(losses)

    return of_seeds


def stepwise_meta_gradient(learner: Learner, step: Callable[..., Any] | None = None) -> MetaGradient:
    """The same as `meta_gradient`, with the inner loop in Python around one batched inner step.

    For learners whose unrolled graph would compile too slowly (`policy.compiles_whole` is False): `step` is then the
    compiled form of `batched_step(learner)`. A learner that reads its support set in `chunk`s takes each step as one
    call per chunk, so that the compiled graph is no longer than a chunk.
    """
    step = step or batched_step(learner)
    start, predict = batched(learner.start), batched(learner.predict)
    loss_of = vmap(vmap(learner.loss))

    def gradient(params: Params, tasks: Task) -> tuple[Tree, Tensor]:
        fresh = tree_map(lambda p: p.detach().requires_grad_(), params)
        state = start(fresh, tasks.support_x, tasks.support_y)
        size = chunk(learner) or tasks.support_x.shape[2]
        chunks = list(zip(tasks.support_x.split(size, 2), tasks.support_y.split(size, 2), strict=True))
        for _ in range(learner.train_steps):
            for support_x, support_y in chunks:
                state = step(fresh, state, support_x, support_y)
        losses = loss_of(predict(fresh, state, tasks.query_x), tasks.query_y).mean(1)
        gradients = iter(torch.autograd.grad(losses.sum(), list(leaves(fresh)), materialize_grads=True))
        return tree_map(lambda _: next(gradients), fresh), losses.detach()

    return gradient


def batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """f(params, *per-task arguments) over seeds and tasks: params (seeds, ...), the others (seeds, tasks, ...)."""

    def over_tasks(params: Params, *arguments: Any) -> Any:
        return vmap(lambda *one: function(params, *one))(*arguments)

    return vmap(over_tasks)


def batched_step(learner: Learner) -> Callable[..., Any]:
    """One inner step for a batch of seeds and tasks."""
    return batched(learner.step)


def compiled_meta_gradient(learner: Learner) -> MetaGradient:
    """`meta_gradient` through torch.compile: minutes the first time, then several times faster than eager."""
    if compiles_whole(learner):
        return _compile(meta_gradient(learner))
    return stepwise_meta_gradient(learner, _compile(batched_step(learner)))


def flat_meta_gradient(
    learner: Learner, layout: Layout, *, compiled: bool
) -> Callable[[Tensor, Any], tuple[Tensor, Tensor]]:
    """The meta-gradient with parameters and gradient as one tensor (seeds, N) each: a call costs less with fewer."""

    def flat(function: MetaGradient) -> Callable[[Tensor, Any], tuple[Tensor, Tensor]]:
        def gradient(parameters: Tensor, tasks: Any) -> tuple[Tensor, Tensor]:
            found, loss = function(layout.unpack(parameters), tasks)
            return layout.pack(found), loss

        return gradient

    if compiled and compiles_whole(learner):
        return _compile(flat(meta_gradient(learner)))
    return flat(compiled_meta_gradient(learner) if compiled else meta_gradient(learner))


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    """One graph or an error (a silent break would run eagerly); on a CPU called from C++, which saves its dispatch.

    All functions that vmap returns share their code, for which a process compiles 8 graphs at most by default; counted
    apart, any number of trainings can follow each other. Headers are not compiled beforehand: that takes longer than
    it saves before the fifth graph.
    """
    options: dict[str, Any] = {}
    if not torch.cuda.is_available():
        options = {"cpp_wrapper": True, "cpp_cache_precompile_headers": False, "cpp.vec_isa_ok": _vectors_compile()}
    modes: dict[str, Any] = {"dynamic": False, "fullgraph": True, "isolate_recompiles": True}
    return torch.compile(function, options=options, **modes)


@functools.cache
def _vectors_compile() -> bool | None:
    """True if the compiler knows every vector instruction set of this processor; None: torch.compile has to find out.

    It would do so by building and loading a program for each, which takes seconds; asking for the flags alone takes
    none.
    """
    from torch._inductor import cpp_builder, cpu_vec_isa

    mine = cpu_vec_isa.x86_isa_checker()
    sets = [isa for isa in cpu_vec_isa.supported_vec_isa_list if all(name in mine for name in str(isa).split())]
    flags = {flag for isa in sets for flag in isa.build_arch_flags().split()}
    if not mine or not flags:
        return None
    command = [cpp_builder.get_cpp_compiler(), *sorted(flags), "-fsyntax-only", "-x", "c++", os.devnull]
    done = subprocess.run(command, capture_output=True, check=False)
    return True if done.returncode == 0 else None


def worth_compiling(learner: Learner, tasks: int) -> bool:
    """Whether compiling is possible and saves time in a training on so many tasks, of all seeds: the default."""
    return compiling_pays(learner, tasks) and can_compile()


def can_compile() -> bool:
    """Whether torch.compile finds what it needs: a C++ compiler (or Triton on a GPU)."""
    return torch.cuda.is_available() or any(shutil.which(name) for name in ("g++", "clang++", "c++"))
