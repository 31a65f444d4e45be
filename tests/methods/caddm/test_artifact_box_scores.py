import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.methods.caddm.artifact_boxes import (
    MEASURES,
    BoxScores,
    box_scores,
    compare_boxes,
    mask_box,
    mean_mask_box,
    random_boxes,
    score_all,
    summarise,
)


def mask_of(box, size=8):
    """A mask that is a box of eighths."""
    out = np.zeros((size, size), bool)
    x0, y0, x1, y1 = box
    out[y0:y1, x0:x1] = True
    return out


def test_iou_by_hand():
    mask = mask_of((2, 2, 6, 6))  # 16 pixels
    half = [0.5, 0.25, 1.0, 0.75]  # columns 4..7, rows 2..5: 16 pixels, 8 of them shared
    got = box_scores([half], [0.9], mask)
    assert got == BoxScores(best_iou=8 / 24, union_iou=8 / 24, pointing=0.0, energy=0.5)
    both = box_scores([half, [0.25, 0.25, 0.75, 0.75]], [0.2, 0.6], mask)
    assert both.best_iou == 1.0
    assert both.union_iou == 16 / 24
    assert both.pointing == 1.0
    assert both.energy == pytest.approx((0.2 * 8 + 0.6 * 16) / (0.2 * 16 + 0.6 * 16))


def test_axes_are_x_to_the_right_and_y_down():
    mask = mask_of((0, 6, 8, 8))  # a strip at the foot
    assert box_scores([[0, 0.75, 1, 1]], [1], mask).best_iou == 1.0
    assert box_scores([[0.75, 0, 1, 1]], [1], mask).best_iou == pytest.approx(4 / 28)
    wide = np.zeros((4, 10), bool)
    wide[1, 7:] = True
    assert mask_box(wide).tolist() == [0.7, 0.25, 1.0, 0.5]
    assert box_scores([mask_box(wide)], [1], wide) == BoxScores(1.0, 1.0, 1.0, 1.0)


def test_a_pixel_belongs_to_one_of_two_boxes_that_meet_at_its_centre():
    middle = 3.5 / 8
    left, right = [0, 0, middle, 1], [middle, 0, 1, 1]
    assert box_scores([left], [1], mask_of((0, 0, 3, 8))).best_iou == 1.0
    assert box_scores([right], [1], mask_of((3, 0, 8, 8))).best_iou == 1.0


def test_the_first_of_equal_scores_is_the_best():
    mask = mask_of((0, 0, 4, 4))
    assert box_scores([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], [0.7, 0.7], mask).best_iou == 1.0


def test_boxes_beyond_the_picture_count_only_within_it():
    mask = mask_of((0, 0, 4, 8))
    assert box_scores([[-0.5, -0.2, 0.5, 1.2]], [1], mask) == BoxScores(1.0, 1.0, 1.0, 1.0)
    outside = box_scores([[1.1, 1.1, 1.3, 1.3]], [1], mask)
    assert outside == BoxScores(0.0, 0.0, 0.0, 0.0)
    corner = np.zeros((8, 8), bool)
    corner[7, 7] = True
    assert box_scores([[0.9, 0.9, 1.1, 1.1]], [1], corner).pointing == 1.0  # its centre is the very corner


def test_nothing_predicted_is_0_and_nothing_to_find_is_nan():
    assert box_scores([], [], mask_of((0, 0, 2, 2))) == BoxScores(0.0, 0.0, 0.0, 0.0)
    assert box_scores(np.empty((0, 4)), np.empty(0), mask_of((0, 0, 2, 2))).best_iou == 0
    assert np.isnan(box_scores([[0, 0, 1, 1]], [1], np.zeros((8, 8), bool))).all()
    assert box_scores([[0, 0, 1, 1]], [0.0], mask_of((0, 0, 2, 2))).energy == 0


def slow_scores(boxes, scores, mask):
    """One pixel and one box at a time."""
    height, width = mask.shape
    best = int(np.argmax(scores))
    in_best = in_union = inter_best = inter_union = 0
    heat = heat_in = 0.0
    for r in range(height):
        for c in range(width):
            x, y = (c + 0.5) / width, (r + 0.5) / height
            holds = [b[0] <= x < b[2] and b[1] <= y < b[3] for b in boxes]
            in_best += holds[best]
            in_union += any(holds)
            inter_best += holds[best] and mask[r, c]
            inter_union += any(holds) and mask[r, c]
            warmth = sum(s for s, h in zip(scores, holds, strict=True) if h)
            heat += warmth
            heat_in += warmth * mask[r, c]
    x, y = (boxes[best][0] + boxes[best][2]) / 2, (boxes[best][1] + boxes[best][3]) / 2
    inside = 0 <= x <= 1 and 0 <= y <= 1 and mask[min(int(y * height), height - 1), min(int(x * width), width - 1)]
    total = mask.sum()
    return BoxScores(
        inter_best / (in_best + total - inter_best), inter_union / (in_union + total - inter_union), float(inside),
        heat_in / heat if heat else 0.0,
    )  # fmt: skip


def test_scores_equal_a_slow_reference():
    rng = np.random.default_rng(0)
    for _ in range(40):
        mask = rng.random((int(rng.integers(3, 15)), int(rng.integers(3, 15)))) < 0.4
        mask[0, 0] = True
        corner = rng.uniform(-0.2, 0.9, (int(rng.integers(1, 6)), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(0, 0.6, corner.shape)], axis=1)
        scores = rng.random(len(boxes))
        assert box_scores(boxes, scores, mask) == pytest.approx(slow_scores(boxes, scores, mask))


def test_mask_box_and_its_mean():
    assert mask_box(mask_of((2, 1, 6, 7))).tolist() == [2 / 8, 1 / 8, 6 / 8, 7 / 8]
    assert np.isnan(mask_box(np.zeros((4, 4)))).all()
    masks = [mask_of((0, 0, 4, 4)), mask_of((4, 2, 8, 8)), np.zeros((8, 8), bool)]
    assert mean_mask_box(masks).tolist() == [0.25, 0.125, 0.75, 0.75]
    with pytest.raises(InputError, match="mean box of 1 masks: none of them marks a forged pixel"):
        mean_mask_box([np.zeros((4, 4), bool)])


def test_random_boxes_keep_their_size_and_stay_inside():
    boxes = np.tile([[0.1, 0.2, 0.4, 0.9], [0.0, 0.0, 1.0, 1.0], [-0.5, 0.5, 0.5, 1.5]], (300, 1))
    got = random_boxes(boxes, np.random.default_rng(0))
    assert got.min() >= 0
    assert got.max() <= 1 + 1e-12
    assert got[:, 2:] - got[:, :2] == pytest.approx(np.tile([[0.3, 0.7], [1, 1], [0.5, 0.5]], (300, 1)))
    assert got[0::3, 0].mean() == pytest.approx(0.35, abs=0.03)  # anywhere from 0 to 0.7
    assert got[0::3, 0].max() > 0.65
    assert random_boxes([], np.random.default_rng(0)).shape == (0, 4)


def many(n=60):
    """Masks that wander; predicted boxes that follow them."""
    rng = np.random.default_rng(1)
    corners = rng.integers(0, 5, (n, 2))
    masks = [mask_of((x, y, x + 3, y + 3)) for x, y in corners]
    boxes = [np.array([[x, y, x + 3, y + 3], [0, 0, 2, 2]]) / 8 for x, y in corners]
    return boxes, [np.array([0.9, 0.1])] * n, masks, [f"v{i // 3}" for i in range(n)]


def test_good_boxes_beat_the_baselines_and_reach_the_ceiling():
    boxes, scores, masks, videos = many()
    out = compare_boxes(boxes, scores, masks, videos, prior=mean_mask_box(masks), draws=100)
    assert list(out) == ["predicted", "random places", "centre prior", "whole picture", "true box"]
    iou = {name: rows[0] for name, rows in out.items()}
    assert [m.name for m in out["predicted"]] == list(MEASURES.values())
    assert iou["predicted"].value == iou["true box"].value == 1.0
    assert iou["whole picture"].value == 9 / 64
    assert max(iou["random places"].high, iou["centre prior"].high) < 0.7
    assert iou["random places"].low < iou["random places"].value < iou["random places"].high
    assert iou["predicted"].n == 60
    assert out == compare_boxes(boxes, scores, masks, videos, prior=mean_mask_box(masks), draws=100)


def test_pictures_without_forgery_are_left_out_of_the_mean():
    boxes, scores, masks, videos = many(6)
    masks[2] = np.zeros((8, 8), bool)
    table = score_all(boxes, scores, masks, videos)
    assert table["best_iou"].isna().tolist() == [False, False, True, False, False, False]
    assert summarise(table, draws=10)[0].n == 5
    empty = score_all(boxes, scores, [np.zeros((8, 8), bool)] * 6, videos)
    assert summarise(empty)[0].reason == "no picture has a forged pixel"
    assert compare_boxes(boxes, scores, masks, videos, prior=(0, 0, 1, 1), draws=0)["true box"][0].n == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"boxes": [[0, 0, 1]]}, r"boxes \(1, 3\)"),
        ({"scores": [0.5, 0.5]}, r"scores \(2,\)"),
        ({"mask": np.zeros((8, 8, 3), bool)}, r"mask \(8, 8, 3\)"),
        ({"mask": np.zeros((8, 8), np.uint8)}, "mask is uint8, bool was expected"),
        ({"boxes": [[0.5, 0, 0.1, 1]]}, "a box is inverted"),
        ({"boxes": [[0, 0, np.nan, 1]]}, "not a number"),
        ({"scores": [-1.0]}, "a score is negative"),
        ({"boxes": [[0, 0, 112, 224]]}, "a box reaches to 224, shares of the picture"),
    ],
)  # fmt: skip
def test_bad_inputs_say_what_is_wrong(change, words):
    good = {"boxes": [[0, 0, 1, 1]], "scores": [0.5], "mask": mask_of((0, 0, 2, 2))}
    with pytest.raises(InputError, match=words):
        box_scores(**{**good, **change})


def test_lists_of_different_lengths_are_refused():
    boxes, scores, masks, videos = many(6)
    with pytest.raises(InputError, match="6 lists of boxes, 6 of scores, 5 masks and 6 video ids"):
        score_all(boxes, scores, masks[1:], videos)
