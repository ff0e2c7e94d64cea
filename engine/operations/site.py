"""What stands at a point of a network, and the hook that a few of them make."""

from typing import Any

from torch import Tensor


class Site:
    """A function of what passes a point, z (K, ...) -> (K, ...).

    `written_out`: it has its derivatives below, and, being affine in each row, can be folded into the layers beside it;
    those that are not are left to autograd. `folds`: where a pass folds it into weights, which
    costs less than applying it to many rows: into the layer that reads it ("before"), or that makes what it reads too.
    """

    written_out = False
    folds: tuple[str, ...] = ()

    def __call__(self, z: Tensor) -> Tensor:
        """What goes on."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def backward(self, delta: Tensor) -> Tensor:
        """The derivative with respect to z, from that with respect to what goes on, both (K, d)."""
        raise NotImplementedError(f"{type(self).__name__} has no derivative of its own")

    def gradient(self, z: Tensor, delta: Tensor) -> Any:
        """The derivative with respect to its parameters, at z (K, d) and for the same delta (K, d)."""
        raise NotImplementedError(f"{type(self).__name__} has no derivative of its own")

    def before(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The layer that reads what goes on, as one that reads z: weight (m, d) and bias (m,)."""
        raise NotImplementedError(f"{type(self).__name__} cannot be folded")

    def after(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The layer that makes z, as one that makes what goes on: weight (d, n) and bias (d,)."""
        raise NotImplementedError(f"{type(self).__name__} cannot be folded")

    def before_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative with respect to the arguments of `before`, from that with respect to its results."""
        raise NotImplementedError(f"{type(self).__name__} is not folded in passes")

    def after_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative with respect to the arguments of `after`, from that with respect to its results."""
        raise NotImplementedError(f"{type(self).__name__} is not folded in passes")


class At:
    """A hook: sites by the names of their points; everything else passes as it is."""

    def __init__(self, sites: dict[str, Site]):
        self.sites = sites

    @property
    def written_out(self) -> bool:
        """Whether every site has its derivatives written out."""
        return all(site.written_out for site in self.sites.values())

    def __call__(self, point: str, value: Tensor) -> Tensor:
        """What goes on at a point."""
        site = self.sites.get(point)
        return value if site is None else site(value)
