"""Episodes over a pool: who is drawn, that inputs wait until they are needed, and that waiting changes nothing."""

from dataclasses import dataclass
from itertools import combinations

import pytest
import torch

from engine import evaluation
from engine.errors import BadInput
from engine.evaluation import final_errors, held_out_lazily, held_out_tasks, knowing_nothing, step_scores
from engine.learners import make
from engine.runs.budget import Training
from engine.tasks import Episodes, Pool, Pooled, Sine, Stored, Task, rows_of, stream
from engine.training import trainer as training_loop
from engine.training.trainer import Trainer
from tests.images import MEMBERS, OF_SPLIT, Bars, pool

SMALL = {"network": {"widths": [8]}, "steps": 1, "test_steps": 2}


def classes_in(tasks: Pooled) -> torch.Tensor:
    """The class of every point of a batch, by label: (tasks, ways), after checking that each label has one."""
    index, labels = torch.cat([tasks.support_x, tasks.query_x], 1), torch.cat([tasks.support_y, tasks.query_y], 1)
    of = tasks.pool.labels[index]
    found = torch.stack([of[labels == way].reshape(len(index), -1) for way in range(int(labels.max()) + 1)], 1)
    assert (found == found[..., :1]).all()
    return found[..., 0]


def test_an_episode_is_some_members_of_some_classes_each_once():
    made = Bars(ways=4, shots=3, queries=5)
    drawn = made.lazy(stream("train"), 50)
    assert (drawn.support_x.shape, drawn.query_x.shape) == ((50, 12), (50, 20))
    for y, of_each in ((drawn.support_y, 3), (drawn.query_y, 5)):
        assert all(row.bincount(minlength=4).tolist() == [of_each] * 4 for row in y)
    assert all(len(set(row)) == 32 for row in torch.cat([drawn.support_x, drawn.query_x], 1).tolist())
    assert all(len(set(row)) == 4 for row in classes_in(drawn).tolist())
    assert torch.equal(classes_in(drawn), made.draw(stream("train"), 50).hidden["classes"])


def test_every_class_and_member_comes_equally_often():
    drawn = Bars().lazy(stream("train"), 4000)
    counts = torch.cat([drawn.support_x, drawn.query_x], 1).flatten().bincount(minlength=12 * MEMBERS).double()
    expected = 4000 * 15 / (12 * MEMBERS)
    assert float((counts - expected).square().sum() / expected) < 360 + 5 * 27  # chi squared: mean 359, sd 27
    assert float(drawn.support_y[:, 0].double().mean()) == pytest.approx(1.0, abs=0.06), "labels come in random order"


def test_no_stream_sees_the_classes_of_another_split():
    met = {split: set(classes_in(Bars().lazy(stream(split), 200)).flatten().tolist()) for split in OF_SPLIT}
    assert met == {split: set(labels) for split, labels in OF_SPLIT.items()}
    assert not any(met[a] & met[b] for a, b in combinations(met, 2))


def test_gathered_or_not_a_batch_is_the_same_and_the_generator_decides():
    lazily, whole = Bars().lazy(stream("test"), 7), Bars().sample(stream("test"), 7)
    assert whole.support_x.shape == (7, 6, 1, 14, 14)
    assert whole.support_x.dtype == torch.float32
    assert 0 <= float(whole.query_x.min()) < float(whole.query_x.max()) <= 1
    for part in (slice(0, 3), slice(3, 7), slice(0, 7)):
        assert all(torch.equal(a, b[part]) for a, b in zip(rows_of(lazily, part), whole, strict=True))
        assert all(torch.equal(a, b[part]) for a, b in zip(rows_of(whole, part), whole, strict=True))
    assert not torch.equal(Bars().lazy(stream("test", 1), 7).support_x, lazily.support_x)


def test_bytes_are_shares_and_floats_stay_as_they_are():
    labels, index = torch.zeros(2, dtype=torch.int64), torch.tensor([[1, 0]])
    assert Stored(torch.tensor([[0], [51]], dtype=torch.uint8), labels).at(index).tolist() == [
        [[pytest.approx(0.2)], [0.0]]
    ]
    assert Stored(torch.tensor([[-3.0], [7.5]]), labels).at(index).tolist() == [[[7.5], [-3.0]]]


@dataclass(frozen=True)
class Uneven(Bars):
    """Classes of 5, 6, 7 ... members."""

    def pool(self, split: str) -> Pool:
        whole = pool(split)
        kept = torch.cat([torch.arange(i * MEMBERS, i * MEMBERS + 5 + i) for i in range(len(OF_SPLIT[split]))])
        return Stored(whole.inputs[kept], whole.labels[kept])


def test_classes_of_different_sizes():
    drawn = Uneven(ways=6).lazy(stream("test"), 500)
    classes_in(drawn)
    index = torch.cat([drawn.support_x, drawn.query_x], 1)
    assert sorted(set(index.flatten().tolist())) == list(range(sum(range(5, 11)))), "all members are met"
    assert all(len(set(row)) == 30 for row in index.tolist())


def test_what_a_set_cannot_give_is_one_sentence():
    with pytest.raises(BadInput, match=r"^A task of bars needs 7 classes \(ways\); there are 6\.$"):
        Bars(ways=7).sample(stream("test"), 1)
    with pytest.raises(BadInput, match=r"^A class of bars has 30 members; shots \+ queries = 20 \+ 11 needs as many"):
        Bars(shots=20, queries=11).sample(stream("test"), 1)


# ---- evaluated and trained without their inputs -------------------------------------------------------


@pytest.fixture
def gathered(monkeypatch) -> list[int]:
    """How many inputs were gathered at once, each time."""
    found: list[int] = []
    at = Stored.at
    monkeypatch.setattr(Stored, "at", lambda self, index: found.append(index.numel()) or at(self, index))
    return found


def test_scores_are_those_of_whole_tasks_a_chunk_at_a_time(monkeypatch, gathered):
    learner = make("maml", **SMALL)
    params, whole = learner.init(stream("init"), Bars().spec), held_out_tasks(Bars(), 7)
    gathered.clear()
    monkeypatch.setattr(evaluation, "bytes_of", lambda *_, **__: evaluation.MOST_BYTES // 2)
    lazily = held_out_lazily(Bars(), 7)
    assert isinstance(lazily, Pooled)
    assert knowing_nothing(Bars(), lazily) == knowing_nothing(Bars(), whole)
    assert not gathered, "drawing and judging them needs no pixel"
    one, other = (step_scores(learner, params, tasks) for tasks in (whole, lazily))
    assert max(gathered) == 2 * 9
    torch.testing.assert_close(one.losses, other.losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(one.accuracies, other.accuracies)
    torch.testing.assert_close(final_errors(learner, params, lazily), one.losses[:, -1], rtol=1e-5, atol=1e-6)


class Whole(Bars):
    """The same tasks, drawn with all their inputs."""

    def lazy(self, generator, tasks):
        return self.sample(generator, tasks)


@pytest.mark.parametrize("name", ["maml", "mt-net"])
def test_training_is_the_same_with_inputs_gathered_as_they_are_needed(name, gathered, monkeypatch):
    monkeypatch.setattr(training_loop, "BLOCK", 3)
    training = Training(iterations=7, meta_batch=2, validate_every=3, validation_tasks=4)
    found = []
    for distribution in (Bars(), Whole()):
        gathered.clear()
        trainer = Trainer(make(name, **SMALL), distribution, training, (0, 1))
        trainer.run()
        found.append((trainer.flat, trainer.best_error, max(gathered)))
    (flat, best, most), (same, as_good, whole) = found
    assert torch.equal(flat, same)
    torch.testing.assert_close(best, as_good)
    assert (most, whole) == (max(2, 4) * 9, 3 * 2 * 9), "an iteration or a chunk, not a block"


def test_other_distributions_are_drawn_whole():
    assert isinstance(Sine().lazy(stream("test"), 3), Task)
    with pytest.raises(NotImplementedError, match="Episodes must define pool"):
        Episodes().lazy(stream("test"), 1)


def test_the_tiny_task_can_be_learned():
    """By its training classes, for classes that it has not met."""
    training = Training(iterations=40, meta_batch=4, lr=0.01, validate_every=40, validation_tasks=60)
    encoder = {"name": "conv4", "channels": 8, "blocks": 2}
    trainer = Trainer(make("protonet", encoder=encoder, embedding=16), Bars(), training, (0,))
    seen = []
    trainer.run(report=lambda progress: seen.append(progress.validation))
    first, last = [validation[0] for validation in seen if validation]
    assert last < 0.8 * first
