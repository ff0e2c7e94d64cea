"""What every network must satisfy on every kind of task whose inputs it reads."""

import torch
from torch import Tensor
from torch.func import grad, vmap

from engine.checks.checking import Check, close, described, distance, double, finite, require, same
from engine.networks import Net, Network
from engine.tasks import Classes, Image, Numbers, Task, TaskSpec, Values, stream
from engine.trees import stack, tree_map

RATE = 0.2  # of the inner step behind a meta-gradient
SEEDS, TASKS = 2, 2
CLOSE = 1e-10

SPECS = (TaskSpec(Numbers(3), Values(2)), TaskSpec(Image(2, 16, 16), Classes(3)))


def weights(network: Network, spec: TaskSpec, seed: int = 0) -> Net:
    """Weights whose biases, scales and shifts are not those of the start, float64."""
    net, generator = double(network.init(stream("init", seed), spec)), stream("page", seed)
    return {k: v + 0.2 * torch.randn(v.shape, generator=generator, dtype=v.dtype) for k, v in net.items()}


def inputs(spec: TaskSpec, examples: int, index: int = 0) -> Tensor:
    """Random inputs, float64."""
    return torch.randn(examples, *spec.input_shape, generator=stream("page", 7, index), dtype=torch.float64)


def drawn_task(spec: TaskSpec, index: int = 0) -> Task:
    """Four support points and three queries with targets (., outputs), float64."""
    support_y, query_y = (
        torch.randn(rows, spec.output_dim, generator=stream("page", 8, index), dtype=torch.float64) for rows in (4, 3)
    )
    return Task(inputs(spec, 4, 2 * index), support_y, inputs(spec, 3, 2 * index + 1), query_y)


def says_what_it_is(network: Network, spec: TaskSpec) -> None:
    """It says its name, title and summary, and reads such inputs."""
    described(type(network), Network)
    refused = network.refused(spec)
    require(refused is None, f"{network.title} does not read these inputs: {refused}")


def draws_from_the_generator_alone(network: Network, spec: TaskSpec) -> None:
    """Weights come from the generator alone: the same one gives the same."""
    first, second, third = (network.init(stream("init", seed), spec) for seed in (1, 1, 2))
    what = f"{network.title}.init must draw from the generator that it is given and from nothing else"
    require(same(first, second), f"{what}: two that are alike gave different weights.")
    require(not same(first, third), f"{what}: different ones gave the same weights.")
    require(finite(first), f"{network.title}.init must draw finite numbers.")


def outputs_have_their_shape(network: Network, spec: TaskSpec) -> None:
    """Outputs are finite, one row for each input."""
    output = network.forward(weights(network, spec), inputs(spec, 3))
    shape, wanted = tuple(output.shape), (3, spec.output_dim)
    require(shape == wanted, f"forward must give (inputs, outputs), {wanted}; it gave {shape}.")
    require(finite(output), "forward must give finite numbers.")


def hooks_see_the_points(network: Network, spec: TaskSpec) -> None:
    """A hook sees exactly the points that are named, in their order, with their shapes, and its answer is used."""
    net, x, seen = weights(network, spec), inputs(spec, 3), list[tuple[str, tuple[int, ...]]]()

    def listen(point: str, value: Tensor) -> Tensor:
        seen.append((point, tuple(value.shape)))
        return value

    output = network.forward(net, x, listen)
    require(torch.equal(output, network.forward(net, x)), "A hook that changes nothing must change nothing.")
    points = network.points(spec)
    named, passed = [point.name for point in points], [point for point, _ in seen]
    require(passed == named, f"points must name what forward passes, {', '.join(passed)}; it named {', '.join(named)}.")
    for (_, shape), point in zip(seen, points, strict=True):
        expected = point.shape if point.kind == "weight" else (3, *point.shape)
        row = point.kind == "input" and shape == (3, spec.input_size)  # images may be read as rows
        require(shape == expected or row, f"The point {point.name} is said to see {expected}; it saw {shape}.")
    for point in points:

        def other(at: str, value: Tensor, here: str = point.name) -> Tensor:
            return value * 1.5 + 0.1 if at == here else value

        moved = distance(network.forward(net, x, other), output)
        require(moved > 0, f"What a hook gives back at {point.name} must be gone on with; it changed nothing.")


def layers_name_the_tensors(network: Network, spec: TaskSpec) -> None:
    """The layers name all tensors and points that exist, and the last one is a linear head on the body."""
    net, x = weights(network, spec), inputs(spec, 3)
    keys = [key for layer in network.layers for key in layer.keys]
    what = f"layers must name every tensor once, {', '.join(sorted(net))}; they named {', '.join(sorted(keys))}."
    require(sorted(keys) == sorted(net), what)
    points = {point.name: point for point in network.points(spec)}
    for layer in network.layers:
        for place in (f"{layer.name}.weight", layer.reads, layer.gives, layer.linear, layer.active):
            require(place in points, f"The layer {layer.name} needs the point {place}, which is not among points.")
        told, shape = points[f"{layer.name}.weight"].shape, tuple(net[layer.weight].shape)
        require(told == shape, f"The point {layer.name}.weight is said to see {told}; the tensor has {shape}.")
        outputs = layer.outputs or spec.output_dim
        wrong = [key for key in layer.keys if net[key].shape[0] != outputs]
        require(not wrong, f"The layer {layer.name} has {outputs} outputs; {', '.join(wrong)} has another size.")
    head, body = network.head, network.body(net, x)
    require(head.outputs is None and head.name == "head", "The last layer must be called head, with outputs None.")
    expected = body @ net[head.weight].mT + (0 if head.bias is None else net[head.bias])
    close(network.forward(net, x), expected, "forward is not the head on what body gives", 1e-12)


def predictions_stand_alone_as_declared(network: Network, spec: TaskSpec) -> None:
    """Predictions depend on who is asked beside exactly where rowwise is False."""
    task, net = drawn_task(spec), weights(network, spec)
    settled = network.settled(net, task.support_x)
    alone = torch.cat([network.forward(settled, row[None]) for row in task.query_x])
    gap = distance(network.forward(settled, task.query_x), alone)
    told = f"rowwise says {network.rowwise}, but asking one by one changes predictions by {gap:.3g}."
    require(gap < 1e-12 if network.rowwise else gap > 1e-3, told)


def settled_weights_say_the_same(network: Network, spec: TaskSpec) -> None:
    """Settled weights say the same about the whole support."""
    x, net = drawn_task(spec).support_x, weights(network, spec)
    settled = network.settled(net, x)
    what = "Settled weights do not say the same about the support"
    close(network.forward(settled, x), network.forward(net, x), what, 1e-12)


def stacks_are_each_alone(network: Network, spec: TaskSpec) -> None:
    """Where broadcasts is True, a stack of weights is each alone, forward and back."""
    if not network.broadcasts:
        return
    nets, x = [weights(network, spec, seed) for seed in range(3)], inputs(spec, 4)
    delta = torch.randn(4, spec.output_dim, generator=stream("page", 9), dtype=torch.float64)
    output, back = network.pullback(stack(nets), x)
    gradients = back(delta.expand(3, -1, -1))
    for index, net in enumerate(nets):
        alone, alone_back = network.pullback(net, x)
        close(output[index], alone, "Outputs of a stack of weights are not those of each")
        mine = {key: value[index] for key, value in gradients.items()}
        close(mine, alone_back(delta), "Gradients of a stack of weights are not those of each")


def meta_gradients_batch_in_second_order(network: Network, spec: TaskSpec) -> None:
    """Second-order meta-gradients by vmap over seeds and tasks are those of a plain loop."""
    _meta_gradients(network, spec, first_order=False)


def meta_gradients_batch_in_first_order(network: Network, spec: TaskSpec) -> None:
    """First-order meta-gradients by vmap over seeds and tasks are those of a plain loop."""
    _meta_gradients(network, spec, first_order=True)


def _meta_gradients(network: Network, spec: TaskSpec, first_order: bool) -> None:
    gap = difference(network, spec, first_order)
    order = "First" if first_order else "Second"
    what = f"{order}-order meta-gradients by vmap are off by {gap:.2g} of their size from those of a loop"
    require(gap < CLOSE, f"{what}: write norms out in plain arithmetic.")


def query_loss(network: Network, net: Net, task: Task) -> Tensor:
    """The squared error of the query under the statistics of the support, where the network has such."""
    return (network.forward(network.settled(net, task.support_x), task.query_x) - task.query_y).square().mean()


def meta_loss(network: Network, net: Net, task: Task, first_order: bool) -> Tensor:
    """The query loss after one step of gradient descent, as learners write it: with the network's pullback."""
    output, back = network.pullback(net, task.support_x)
    g = back(2 * (output - task.support_y) / output.numel())
    g = tree_map(Tensor.detach, g) if first_order else g
    return query_loss(network, {key: net[key] - RATE * g[key] for key in net}, task)


def together(network: Network, nets: Net, tasks: Task, first_order: bool = False) -> Net:
    """The meta-gradients of a stack of seeds (seeds, ...) on tasks (seeds, tasks, ...), as training takes them."""

    def mean_loss(net: Net, of_seed: Task) -> Tensor:
        return vmap(lambda task: meta_loss(network, net, task, first_order))(of_seed).mean()

    return vmap(grad(mean_loss))(nets, tasks)


def one_by_one(network: Network, nets: list[Net], tasks: list[list[Task]], first_order: bool = False) -> Net:
    """The same by nothing but `forward`, `torch.autograd.grad` and two loops."""
    found = []
    for net, of_seed in zip(nets, tasks, strict=True):
        theta = {key: value.detach().requires_grad_() for key, value in net.items()}
        total = torch.zeros((), dtype=torch.float64)
        for task in of_seed:
            loss = (network.forward(theta, task.support_x) - task.support_y).square().mean()
            g = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
            moved = {
                key: value - RATE * (d.detach() if first_order else d)
                for (key, value), d in zip(theta.items(), g, strict=True)
            }
            total = total + query_loss(network, moved, task) / len(of_seed)
        found.append(dict(zip(theta, torch.autograd.grad(total, list(theta.values())), strict=True)))
    return stack(found)


def difference(network: Network, spec: TaskSpec, first_order: bool = False) -> float:
    """The largest difference between the two, relative to the largest entry."""
    nets = [weights(network, spec, seed) for seed in range(SEEDS)]
    tasks = [[drawn_task(spec, TASKS * seed + n) for n in range(TASKS)] for seed in range(SEEDS)]
    got = together(network, stack(nets), stack([stack(of_seed) for of_seed in tasks]), first_order)
    expected = one_by_one(network, nets, tasks, first_order)
    require(got.keys() == expected.keys(), "pullback must give a gradient for every tensor of the network.")
    largest = max(float(value.abs().max()) for value in expected.values())
    require(largest > 1e-3, "Every meta-gradient is zero: the output does not depend on the weights.")
    return max(distance(got[key], expected[key]) for key in got) / largest


CHECKS: tuple[Check, ...] = (
    says_what_it_is,
    draws_from_the_generator_alone,
    outputs_have_their_shape,
    hooks_see_the_points,
    layers_name_the_tensors,
    predictions_stand_alone_as_declared,
    settled_weights_say_the_same,
    stacks_are_each_alone,
    meta_gradients_batch_in_second_order,
    meta_gradients_batch_in_first_order,
)


def check_network(network: Network, spec: TaskSpec | None = None) -> None:
    """Goes through all checks.

    Args:
        network: a small one, best: all is done in float64.
        spec: a kind of task that it reads; rows or images of a few numbers unless given.

    Raises:
        CheckFailed: the first thing that is not so.
    """
    spec = spec or next((one for one in SPECS if network.refused(one) is None), SPECS[0])
    for check in CHECKS:
        check(network, spec)
