"""Glyphs: the bank is what its program makes of the fonts, nothing leaks across splits, and no warp loses ink."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import affine_grid, interpolate

from engine.errors import BadInput
from engine.evaluation import held_out_lazily
from engine.tasks import Glyphs, Image, rows_of, stream
from engine.tasks.images import bank, make_bank, warps
from engine.tasks.task import SPLITS

FEW = ("Hebrew", "Lao", "Coptic")  # of each split one


def test_the_bank_is_what_its_program_makes_of_these_fonts(monkeypatch):
    there = bank.bank()
    if there.origin != make_bank.origin(make_bank.fonts()):
        pytest.skip("other versions of the fonts or of FreeType than the bank was made with are installed here")
    every = make_bank.groups()
    monkeypatch.setattr(make_bank, "groups", lambda: {name: every[name] for name in FEW})
    again = make_bank.made()
    for name in FEW:
        ours = there.codes[there.groups == there.names.index(name)]
        assert ours.tolist() == again["codes"][again["groups"] == FEW.index(name)].tolist()
        for code in ours:
            mine = there.images[there.classes == there.codes.tolist().index(code)]
            assert np.array_equal(mine, again["images"][again["classes"] == again["codes"].tolist().index(code)])


def test_the_bank_has_the_scripts_that_it_should():
    every = bank.bank()
    assert len(every.names) == 22
    assert not {"Braille", "Yijing"} & set(every.names)
    assert np.bincount(every.classes, minlength=len(every.codes)).min() >= make_bank.LEAST_STYLES
    assert every.images.reshape(len(every.images), -1).max(1).min() > 60, "every image has ink"
    margin = (bank.SIDE - bank.BOX) // 2
    inside = every.images[:, margin : bank.SIDE - margin, margin : bank.SIDE - margin]
    assert inside.sum() == every.images.sum(), "and it is within the box"


def test_no_group_and_no_look_alike_is_in_two_splits():
    parts = {split: bank.part(split, bank.SIDE) for split in SPLITS}
    for a, b in combinations(SPLITS, 2):
        assert not set(parts[a].names) & set(parts[b].names)
        assert not set(parts[a].codes.tolist()) & set(parts[b].codes.tolist())
        x, y = (parts[split].images.flatten(1).float() / 255 for split in (a, b))
        squares = x.square().sum(1, keepdim=True) + y.square().sum(1)
        assert float(((squares - 2 * x @ y.T) / squares).min()) >= bank.LOOK_ALIKE - 1e-4
    assert [len(parts[split].names) for split in SPLITS] == [14, 2, 6]


def test_latin_a_and_its_look_alikes_are_not_trained_on_where_a_test_has_one():
    every = bank.bank()
    like = {chr(code) for code, alike in zip(every.codes, every.like["test"], strict=True) if alike}
    assert {"O", "T"} <= like, "Old Italic and others have circles and crosses too"
    assert not like & {chr(code) for code in bank.part("train", bank.SIDE).codes.tolist()}


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(2, 6), st.sampled_from([14, 28]), st.sampled_from(SPLITS))
def test_an_episode_is_some_characters_of_one_script_and_no_image_comes_twice(shots, queries, ways, side, split):
    made = Glyphs(shots=shots, queries=queries, ways=ways, side=side)
    purpose = {"train": "train", "validation": "page", "test": "test"}[split]
    drawn = made.lazy(stream(purpose, 3), 4)
    classes = made.draw(stream(purpose, 3), 4).hidden["classes"]
    part = bank.part(split, side)
    labels = made.pool(split).labels
    for i in range(4):
        x, y = torch.cat([drawn.support_x[i], drawn.query_x[i]]), torch.cat([drawn.support_y[i], drawn.query_y[i]])
        of = labels[x[:, 0].long()]
        codes = [part.codes[of[y == way]].unique().tolist() for way in range(ways)]
        assert codes == [[code] for code in classes[i].tolist()], "a label is one character, the one that is said"
        assert len({code for (code,) in codes}) == ways
        assert len(part.groups[of].unique()) == 1, "all of one script"
        assert len(x.unique(dim=0)) == len(x) == ways * (shots + queries)
        assert drawn.support_y[i].bincount(minlength=ways).tolist() == [shots] * ways
        assert drawn.query_y[i].bincount(minlength=ways).tolist() == [queries] * ways


def test_gathered_bit_by_bit_a_batch_is_the_same():
    made = Glyphs()
    lazily, whole = held_out_lazily(made, 6), made.sample(stream("test"), 6)
    assert made.spec.inputs == Image(1, 14, 14)
    for part in (slice(0, 2), slice(2, 6)):
        for a, b in zip(rows_of(lazily, part), whole, strict=True):
            assert torch.equal(a, b[part])
    assert whole.query_x.shape == (6, 75, 1, 14, 14)
    assert 0 <= float(whole.query_x.min()) < float(whole.query_x.max()) <= 1


def test_scripts_come_in_proportion_to_the_root_of_their_size():
    drawn = Glyphs(shots=1, queries=1).draw(stream("test"), 3000).hidden["classes"][:, 0]
    part = bank.part("test", 14)
    group = part.groups[(drawn.unsqueeze(1) == part.codes).int().argmax(1)].bincount(minlength=len(part.names))
    chances = part.groups.bincount().double().sqrt()
    expected = 3000 * chances / chances.sum()
    assert float(((group - expected).square() / expected).sum()) < 20.5  # chi squared, 5 degrees of freedom: 0.1 %


@pytest.mark.parametrize("side", [14, 28])
def test_warps_keep_a_glyph_inside_its_frame(side):
    full = torch.zeros((1, 1, bank.SIDE, bank.SIDE))
    margin = (bank.SIDE - bank.BOX) // 2
    full[..., margin:-margin, margin:-margin] = 1  # no glyph has ink where this has none
    if side != bank.SIDE:
        full = torch.nn.functional.avg_pool2d(full, bank.SIDE // side)
    drawn = torch.cat([warps.numbers(torch.Generator().manual_seed(1), 2000), 2 * (torch.eye(warps.NUMBERS) - 0.5) * 2])
    moved = warps.warped(full.expand(len(drawn), -1, -1, -1), drawn, bank.BOX / bank.SIDE)
    edge = torch.cat([moved[..., 0, :], moved[..., -1, :], moved[..., 0], moved[..., -1]], -1)
    assert float(edge.max()) < 0.6, "ink at the edge of the box is at most a half-covered pixel of the frame"
    assert float(moved.sum((1, 2, 3)).min()) > 0.2 * float(full.sum()), "and no glyph shrinks to nothing"


def test_warps_are_those_of_the_functions_that_are_slower():
    drawn = 0.1 * warps.numbers(torch.Generator().manual_seed(2), 5)  # nothing near the edge
    angle, wide, high, slant, x, y = drawn[:, :6].double().unbind(-1)
    turn = torch.stack([(0.15 * angle).cos(), -(0.15 * angle).sin(), (0.15 * angle).sin(), (0.15 * angle).cos()], -1)
    slanted = torch.eye(2, dtype=torch.float64).repeat(5, 1, 1)
    slanted[:, 0, 1] = 0.12 * slant
    stretch = torch.diag_embed(torch.stack([(0.12 * wide).exp(), (0.12 * high).exp()], -1))
    moved = torch.stack([0.06 * x, 0.06 * y], -1).unsqueeze(-1)
    affine = torch.cat([turn.unflatten(-1, (2, 2)) @ slanted @ stretch, moved], -1)
    elastic = interpolate(
        0.06 * drawn[:, 6:].double().unflatten(-1, (2, 4, 4)), (14, 14), mode="bicubic", align_corners=True
    )
    expected = affine_grid(affine, [5, 1, 14, 14], align_corners=False) + elastic.permute(0, 2, 3, 1)
    found = warps.places(drawn, 14, bank.BOX / bank.SIDE)
    assert float((found - expected).abs().max()) < 1e-6


def test_without_a_warp_an_image_is_that_of_the_bank():
    made = Glyphs(shots=1, queries=1, warp=0.0)
    drawn = made.lazy(stream("test"), 2)
    images = made.pool("test").inputs[drawn.support_x[..., 0].long()].float() / 255
    assert torch.allclose(rows_of(drawn, slice(None)).support_x, images, atol=1e-5)


def test_more_ways_than_a_script_has_characters_are_refused():
    with pytest.raises(BadInput, match=r"A task of glyphs may have up to \d+ ways; 400 were asked for\."):
        Glyphs(ways=400).lazy(stream("test"), 1)
