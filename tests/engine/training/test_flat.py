"""Pre-training on all classes at once: what is drawn, what is learned, and that nothing of it stays in a run."""

import pytest
import torch

from engine.learners import CentroidFinetuning, Finetuning, ProtoNet
from engine.networks import Conv4
from engine.runs.budget import Training
from engine.runs.run import load
from engine.tasks import GaussianClasses, Glyphs, Sine, stream
from engine.tasks.images import bank
from engine.training import sessions
from engine.training.trainer import CLASSIFIER, Trainer
from engine.trees import leaves

TASK = Glyphs(shots=1, queries=15, ways=5, warp=0.0)
NETWORK = Conv4(channels=8, blocks=3, norm="support")
TRAINING = Training(iterations=24, meta_batch=2, lr=0.01, validate_every=12, validation_tasks=4, snapshot_every=1)


@pytest.fixture(params=[Finetuning, CentroidFinetuning])
def learner(request):
    return request.param(network=NETWORK, test_steps=3)


def test_every_image_is_one_of_its_class_and_a_batch_is_as_large_as_a_task():
    flat, episode = TASK.flat(), TASK.sample(stream("train"), 3)
    drawn = flat.draw(stream("train"), 3).task
    assert [value.shape for value in drawn] == [value.shape for value in episode]
    part = bank.part("train", TASK.side)
    assert flat.spec.output_dim == len(part.styles)
    images = part.images.float().reshape(len(part.images), -1) / 255
    for x, label in zip(drawn.query_x.flatten(0, 1).flatten(1), drawn.query_y.flatten().tolist(), strict=True):
        own = images[part.first[label] : part.first[label] + part.styles[label]]
        assert (own - x).abs().amax(1).min() < 1e-6


def test_every_class_comes_as_often_as_any_other():
    labels = TASK.flat().lazy(stream("train"), 4000).query_y.flatten()
    counts = labels.bincount(minlength=TASK.flat().spec.output_dim).double()
    expected = counts.mean()
    assert ((counts - expected).square() / expected).mean() == pytest.approx(1, abs=0.15)  # as of a Poisson number


@pytest.mark.parametrize("distribution", [Sine(), GaussianClasses()], ids=lambda d: d.name)
def test_tasks_without_classes_of_a_set_are_pooled_as_they_are(distribution):
    trainer = Trainer(Finetuning(), distribution, TRAINING, (0,))
    assert distribution.flat() is None
    assert CLASSIFIER not in trainer.params


def test_others_learn_from_tasks():
    assert CLASSIFIER not in Trainer(ProtoNet(encoder=NETWORK), TASK, TRAINING, (0,)).params


def test_the_loss_of_all_classes_falls(learner):
    trainer = Trainer(learner, TASK, TRAINING, (0, 1))
    losses = torch.stack([trainer.update() for _ in range(TRAINING.iterations)])
    assert (losses[-4:].mean(0) < losses[:4].mean(0) - 0.02).all()


def test_a_run_keeps_no_classifier_and_a_resumed_training_ends_with_the_same_bits(learner, tmp_path):
    (whole,) = sessions.train(learner, TASK, TRAINING, (0,), tmp_path / "whole")

    class Enough(Exception):
        pass

    def stop(progress):
        if progress.iteration == 15:
            raise Enough

    with pytest.raises(Enough):
        sessions.train(learner, TASK, TRAINING, (0,), tmp_path / "cut", report=stop)
    (cut,) = sessions.resume(next((tmp_path / "cut").glob("*-s0")))
    one, other = load(whole), load(cut)
    assert CLASSIFIER not in one.params
    assert all(map(torch.equal, leaves(one.params), leaves(other.params)))
