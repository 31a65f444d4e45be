"""What blocks know alone, accuracy without each of them, and whether they look at the same places."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from dfworkbench.core.errors import InputError
from dfworkbench.methods.mi_net.information import (
    HeadLogits,
    accuracy_measures,
    divergences,
    information_measures,
    map_overlap,
    missed_measures,
)

NOTHING = HeadLogits(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 4, 2)))


def heads(n=200, blocks=3, seed=0):
    """Labels and logits of all heads; every block has a clue of its own strength, the second none."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    clues = (2 * labels[:, None] - 1) * np.array([2.0, 0.0, 0.5])[:blocks] + 0.7 * rng.standard_normal((n, blocks)) * [
        1,
        0,
        1,
    ]
    odds = clues.sum(axis=1)
    pair = lambda x: np.stack([-x / 2, x / 2], axis=-1)  # noqa: E731
    left_out = np.stack([pair(odds - clues[:, i]) for i in range(blocks)], axis=1)
    return labels, pair(odds), pair(0.5 * odds), left_out


def test_a_divergence_by_hand():
    joint, other = np.log([[0.25, 0.75]]), np.log([[0.5, 0.5]])
    assert divergences(joint, other) == pytest.approx([0.25 * np.log(0.5) + 0.75 * np.log(1.5)])
    assert divergences(joint, other, reverse=True) == pytest.approx([0.5 * np.log(2) + 0.5 * np.log(2 / 3)])
    assert divergences(1000 * joint, -1000 * joint) == pytest.approx([2000 * np.log(3) / 2 * 1.0], rel=1e-6)


def test_a_block_without_a_clue_has_no_information():
    _, joint, decision, left_out = heads()
    first, second, third, lost = information_measures(HeadLogits(decision, joint, left_out), np.arange(200) // 4)
    assert second.value == pytest.approx(0, abs=1e-12)
    assert first.value > third.value > 0
    assert lost.value > 0
    assert first.low < first.value < first.high
    assert [m.n for m in (first, lost)] == [200, 200]
    assert first.name == "information only block 1 has (nats)"
    alone = information_measures(HeadLogits(decision, joint, left_out), np.zeros(200))[0]
    assert np.isnan(alone.low)
    assert "no interval below 5" in alone.reason


def test_intervals_are_over_groups():
    _, joint, decision, left_out = heads()
    each, grouped = (
        information_measures(HeadLogits(decision, joint, left_out), groups)[0]
        for groups in (None, np.arange(200) // 50)
    )
    assert each.value == grouped.value
    assert (each.low, each.high) != (grouped.low, grouped.high)
    assert information_measures(HeadLogits(decision, joint, left_out), draws=0)[0].reason == ""


def test_accuracy_falls_without_the_block_that_knows():
    labels, joint, decision, left_out = heads()
    measures = accuracy_measures(HeadLogits(decision, joint, left_out), labels, np.arange(200) // 4)
    assert [m.name for m in measures][1:3] == ["accuracy of all blocks together", "accuracy without block 1"]
    together, without = measures[1], measures[2:]
    assert together.value == np.mean((joint[:, 1] > 0) == labels)
    assert without[0].value < without[1].value - 0.1
    assert without[1].value == together.value
    assert together.chance == 0.5
    assert together.low <= together.value <= together.high


def test_what_is_missed_is_what_labels_confirm():
    labels, joint, _, left_out = heads()
    groups = np.arange(200) // 4
    measures = missed_measures(HeadLogits(joint, joint, left_out), labels, groups)
    expected = [
        log_loss(labels, softmax(left_out[:, i], axis=1)[:, 1]) - log_loss(labels, softmax(joint, axis=1)[:, 1])
        for i in range(3)
    ]
    assert [measure.value for measure in measures] == pytest.approx(expected)
    assert measures[0].name == "log loss added without block 1 (nats)"
    assert measures[0].low < measures[0].value < measures[0].high
    assert (measures[1].value, measures[1].chance) == (0, 0)
    # confident and wrong: information it is not, and the labels say so
    loud = left_out.copy()
    loud[:, 1] *= -20
    assert information_measures(HeadLogits(joint, joint, loud))[1].value > 0.3
    wrong = missed_measures(HeadLogits(joint, -20 * joint, left_out), labels)
    assert all(measure.value < 0 for measure in wrong)


def test_overlap_of_maps():
    maps = np.zeros((3, 2, 4, 4))
    maps[0, :, :2, :2] = 1  # the upper left corner
    maps[1, :, :2, 1:3] = 1  # half of it, and as much beside it
    maps[2, 0, 2:, 2:] = 1  # elsewhere, and flat in the second image
    found = map_overlap(maps, share=0.25)
    assert found.images.tolist() == [[2, 2, 1], [2, 2, 1], [1, 1, 1]]
    np.testing.assert_allclose(np.diag(found.cosine), 1)
    np.testing.assert_allclose(np.diag(found.iou), 1)
    assert found.cosine[0, 1] == pytest.approx(0.5)
    assert found.iou[0, 1] == pytest.approx(2 / 6)
    assert found.cosine[0, 2] == found.iou[0, 2] == 0
    np.testing.assert_array_equal(found.cosine, found.cosine.T)
    assert np.isnan(map_overlap(np.zeros((2, 1, 3, 3))).iou).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: divergences(np.zeros((3, 2)), np.zeros((4, 2))), r"joint logits are \(3, 2\)"),
        (lambda: divergences(np.zeros((3, 2)), np.zeros((3, 4, 3))), r"the others \(3, 4, 3\)"),
        (lambda: map_overlap(np.zeros((3, 4, 4))), r"got shape \(3, 4, 4\)"),
        (
            lambda: HeadLogits(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((4, 4, 2))),
            r"got \(3, 2\), \(3, 2\), \(4, 4, 2\)",
        ),
        (lambda: accuracy_measures(NOTHING, np.zeros(2)), r"labels \(2,\)"),
        (lambda: missed_measures(NOTHING, np.zeros(2)), r"labels \(2,\)"),
        (
            lambda: information_measures(NOTHING, np.zeros(2)),
            r"there are 3 images and groups of shape \(2,\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
