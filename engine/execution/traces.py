"""Meta-steps on a processor as plain lists of operations, replayed without Python.

A meta-gradient here is hundreds to thousands of operations on small tensors. Run eagerly, most of its time goes into
Python and the layers of `torch.func` that find out which operation comes next. That never changes for tasks of one
shape: recorded once, a call starts the same operations on the same numbers, in one order, and ends with the same bits,
two to six times sooner; where the operations themselves take the time (TURTLE, meta-learner LSTM) little is gained.
Unlike torch.compile it needs no C++ compiler, and takes about as long as 10 to 200 eager calls.

TorchScript rewrites what it has run once: it adds matrix products up inside one larger product, whose sums are rounded
in another order. A training that is interrupted makes its trace at another update, and would end with other bits. So
products go by a name that these rewrites do not look for, and `faithful` compares every new trace with what it was
made of.
"""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.passes.dialect.common.cse_pass import CSEPass

from engine.trees import Tree, leaves, tree_map

aten = torch.ops.aten
VIEWS = (  # begin where their argument begins in memory, so that equal shapes and strides mean the same tensor
    aten.view.default,
    aten._unsafe_view.default,
    aten.expand.default,
    aten.transpose.int,
    aten.permute.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.detach.default,
)
SHAPED = (  # depend on how their argument is shaped, but not on its numbers
    aten.ones_like.default,
    aten.zeros_like.default,
    aten.full_like.default,
    aten.new_zeros.default,
    aten.new_ones.default,
    aten.new_full.default,
)
PLAIN = {aten.mm.default: aten.matmul.default}  # the same kernel under a name that TorchScript leaves alone, see below
REWRITTEN = 3  # calls after which TorchScript has done all its rewriting: it does so after the first


def _refused(graph: fx.GraphModule) -> bool:
    """Whether TorchScript cannot take a graph: it knows no derivatives of convolutions."""
    return any(node.target is aten.convolution_backward.default for node in graph.graph.nodes)


class TraceRecording:
    """The operations of one call, as TorchScript, which starts them from C++; with convolutions, from Python."""

    def __init__(self, function: Callable[..., tuple[Tensor, Tensor]], given: Tree):
        flat = list(leaves(given))

        def of_leaves(*values: Tensor) -> tuple[Tensor, Tensor]:
            each = iter(values)
            return function(*tree_map(lambda _: next(each), given))

        with torch.no_grad(), warnings.catch_warnings():
            # TorchScript is deprecated in favour of compilers, which take longer to build than trainings here last.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            graph = _simplified(make_fx(of_leaves, tracing_mode="fake")(*flat), flat)

            def of_graph(*values: Tensor) -> tuple[Tensor, Tensor]:  # a function: calling a module costs more
                found: tuple[Tensor, Tensor] = graph(*values)
                return found

            self._script = of_graph if _refused(graph) else torch.jit.trace(of_graph, tuple(flat), check_trace=False)

    def __call__(self, parameters: Tensor, tasks: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """What the function computes from such arguments."""
        with torch.inference_mode():  # starts an operation sooner than no_grad does
            gradient, loss = self._script(parameters, *tasks)
        return gradient.clone(), loss.clone()  # tensors like others again


def faithful(function: Callable[..., tuple[Tensor, Tensor]], given: Tree) -> TraceRecording:
    """A trace of a call that computes the same bits as the function, also after TorchScript has rewritten it.

    Raises:
        RuntimeError: it computes others, or cannot be made.
    """
    trace = TraceRecording(function, given)
    right = function(*given)
    for _ in range(REWRITTEN):
        if not all(map(_same, trace(*given), right)):
            raise RuntimeError("replayed, they end with other bits")
    return trace


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal to the bit, where NaN is NaN."""
    return bool(torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num()))


class _Laid(fx.Interpreter):
    """Notes of every tensor how it lies in memory, its shape and strides, and its value if that never changes."""

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        n.meta["laid"] = (value.shape, value.stride()) if isinstance(value, Tensor) else None
        always = n.target in SHAPED or (_repeats(n) and all("value" in node.meta for node in n.all_input_nodes))
        if always and isinstance(value, Tensor):
            n.meta["value"] = value
        return value


def _simplified(graph: fx.GraphModule, given: list[Tensor]) -> fx.GraphModule:
    """Without views that lead back, constants or repetitions; these stay where values are written over."""
    for node in graph.graph.nodes:
        node.target = PLAIN.get(node.target, node.target)
    graph.recompile()
    if any(node.op == "call_function" and _writes(node.target) for node in graph.graph.nodes):
        return graph
    _Laid(graph).run(*given)
    (results,) = (node for node in graph.graph.nodes if node.op == "output")
    dynamic = not any("value" in node.meta for node in results.all_input_nodes)  # a trace cannot return a constant
    for number, node in enumerate(list(graph.graph.nodes)):
        origin = node
        while origin.target in VIEWS:
            origin = origin.args[0]
            if origin.meta["laid"] == node.meta["laid"]:
                node.replace_all_uses_with(origin)
        if dynamic and "value" in node.meta:
            name = f"constant{number}"
            graph.register_buffer(name, node.meta["value"])
            with graph.graph.inserting_before(node):
                constant = graph.graph.get_attr(name)
            constant.meta = node.meta
            node.replace_all_uses_with(constant)
        if node.target is aten.cat.default:
            _gather_pieces(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    done = CSEPass()(graph)
    return graph if done is None else done.graph_module


def _gather_pieces(node: fx.Node) -> None:
    """Copies pieces with gaps between their numbers first, if few: else all are put together number by number."""
    pieces: Any = node.args[0]
    loose = [piece for piece in pieces if not _dense(*piece.meta["laid"])]
    if 2 * len(loose) >= len(pieces):
        return
    with node.graph.inserting_before(node):
        copies = {
            piece: node.graph.call_function(aten.clone.default, (piece,), {"memory_format": torch.contiguous_format})
            for piece in dict.fromkeys(loose)
        }
    node.args = ([copies.get(piece, piece) for piece in pieces], *node.args[1:])


def _dense(shape: torch.Size, stride: tuple[int, ...]) -> bool:
    return torch.empty_strided(shape, stride, device="meta").is_contiguous()


def _writes(operation: Any) -> bool:
    return hasattr(operation, "_schema") and operation._schema.is_mutable


def _repeats(node: fx.Node) -> bool:
    """Whether a node computes the same from the same, and is neither an argument nor the result."""
    return node.op == "call_function" and torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ())
