"""Every network with every norm, so small that second derivatives in float64 take a moment, and data for them."""

from engine.checks.networks import drawn_task, weights
from engine.checks.networks import inputs as images
from engine.networks import MLP, Conv4, Network, ResNet10, ResNet12, ResNet18
from engine.tasks import Classes, Image, TaskSpec

__all__ = ["CASES", "IMAGES", "drawn_task", "images", "spec_of", "weights"]

NORMS = ("batch", "support", "group", "none")


def _cases() -> dict[str, tuple[Network, tuple[int, ...]]]:
    """Networks and the shape of the images that they are asked about."""
    found: dict[str, tuple[Network, tuple[int, ...]]] = {"mlp": (MLP((5, 4)), (2, 3, 3))}
    for norm in NORMS:
        of = {"norm": norm, "groups": 2}
        found |= {
            f"conv4 {norm}": (Conv4(channels=4, blocks=2, **of), (2, 8, 9)),
            f"conv4 without padding {norm}": (Conv4(channels=4, blocks=2, padding=0, **of), (1, 12, 10)),
            f"conv4 of stride 2 {norm}": (Conv4(channels=4, blocks=2, pool="stride", **of), (1, 8, 8)),
            f"resnet10 {norm}": (ResNet10(width=2, stem="small", **of), (2, 8, 8)),
            f"resnet12 {norm}": (ResNet12(width=2, **of), (1, 16, 16)),
        }
    found["resnet10 with a large stem"] = ResNet10(width=2), (3, 40, 40)
    found["resnet18"] = ResNet18(width=2, stem="small"), (1, 8, 8)
    return found


CASES = _cases()
IMAGES = [name for name in CASES if name != "mlp"]
CLASSES = 3


def spec_of(name: str) -> TaskSpec:
    """Three classes of images, of the size that the network of a case takes."""
    return TaskSpec(Image(*CASES[name][1]), Classes(CLASSES))
