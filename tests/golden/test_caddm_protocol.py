"""A12 d, e, g, h of the specification of CADDM: video scores, learning rates, landmarks of every frame, overfitting."""

import numpy as np
import pandas as pd
import pytest
import torch
from heads import Head, write_heads

from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.faces import FaceSettings, faces_in_file
from dfworkbench.methods.caddm.training import Caddm
from dfworkbench.models import build_detector
from dfworkbench.training import TrainSettings
from dfworkbench.training.rates import learning_rate
from dfworkbench.training.registry import build_method


def test_a12d_video_auc_is_that_of_the_means_of_frames():
    labels, videos = [0, 0, 1, 1, 0, 0, 1, 1], list("aabbccdd")
    values = [0.1, 0.4, 0.35, 0.8, 0.6, 0.5, 0.9, 0.2]
    rows = [
        {"row_id": f"{v}{i}", "video_id": v, "label": y, "track": 0, "frame": i, "fake_probability": p}
        for i, (v, y, p) in enumerate(zip(videos, labels, values, strict=True))
    ]
    found = evaluate(
        SCORES.complete(pd.DataFrame(rows)), levels=("frame", "video"), metrics=("auc",), judging=Judging(draws=0)
    )
    assert found.set_index("level")["value"].to_dict() == {"frame": pytest.approx(0.625), "video": pytest.approx(0.875)}


def test_a12e_published_learning_rates():
    settings = TrainSettings.published("caddm")
    rates = {epoch: learning_rate(settings, epoch * 7, settings.epochs * 7) for epoch in (0, 3, 4, 9, 10, 199)}
    assert rates == {0: 3.6e-4, 3: 3.6e-4, 4: 1e-4, 9: 1e-4, 10: 5e-5, 199: 5e-5}
    last_step_of_an_epoch = learning_rate(settings, 4 * 7 - 1, settings.epochs * 7)
    assert last_step_of_an_epoch == 3.6e-4
    assert (settings.weight_decay, settings.value_clip, settings.batch_size, settings.epochs) == (4e-3, 2.0, 128, 200)
    method = build_method("caddm", build_detector("caddm_resnet34"))
    own = method.settings
    assert (own.detection_weight, own.negatives, own.genuine_negatives, own.min_overlap) == (0.1, 2.0, 0, 0.5)
    groups = method.parameter_groups(3.6e-4, 4e-3)
    assert len(groups) == 1  # the published weight decay spares nothing
    assert groups[0]["weight_decay"] == 4e-3


def test_published_settings_can_be_changed_and_are_known_for_few_methods():
    changed = TrainSettings.published("caddm", detector="caddm_efficientnet_b4", epochs=3)
    assert (changed.detector, changed.epochs, changed.learning_rate) == ("caddm_efficientnet_b4", 3, 3.6e-4)
    with pytest.raises(Exception, match="published settings of the method 'binary': none are known"):
        TrainSettings.published("binary")


@pytest.mark.slow
def test_a12g_every_extracted_frame_has_its_own_number_and_landmarks(tmp_path):
    """The released code gives all frames of a video the landmarks of one."""
    path = write_heads(tmp_path / "a.mp4", [Head(70, 90, 0.5, speed=3)], frames=20)
    found = sorted(faces_in_file(path, FaceSettings(frames=4)).detections, key=lambda face: face.frame)
    assert [face.frame for face in found] == [0, 5, 10, 15]
    noses = np.array([face.landmarks[2] for face in found])
    moved = [4 * np.sin(at / 9) + 3 * at for at in (0, 5, 10, 15)]  # how `write_heads` moves a head
    assert np.allclose(noses[:, 0] - noses[0, 0], moved, atol=2)
    assert np.allclose(noses[:, 1], noses[0, 1], atol=2)


def test_a12h_twelve_samples_are_learnt_by_heart_in_25_steps():
    torch.manual_seed(0)
    method = Caddm(build_detector("caddm_resnet34")).train().to(memory_format=torch.channels_last)  # as the loop trains
    batch = twelve_samples()
    optimizer = torch.optim.AdamW(method.parameter_groups(3.6e-4, 4e-3))
    steps = []
    for _ in range(25):
        step = method(batch)
        optimizer.zero_grad()
        step.loss.backward()
        torch.nn.utils.clip_grad_value_(method.parameters(), 2.0)
        optimizer.step()
        steps.append(step)
        if step.loss < 0.05:
            break
    assert steps[0].parts["bce"].item() == pytest.approx(0.69, abs=0.25)
    assert steps[-1].loss < 0.05
    assert ((steps[-1].logit > 0).long() == batch["label"]).all()


def twelve_samples():
    """Random pictures; fakes differ from reals by a pattern, in a window or all over."""
    rng = np.random.default_rng(0)
    images = rng.normal(128, 30, size=(12, 3, 224, 224)) + rng.uniform(-40, 40, size=(12, 3, 1, 1))
    windows = np.full((12, 4), np.nan, np.float32)
    labels = np.arange(12) % 2
    board = 40 * ((np.indices((224, 224)) // 8).sum(axis=0) % 2)
    for i in np.flatnonzero(labels):
        x0, y0, x1, y1 = ((0, 0, 224, 224), (44, 88, 164, 168), (88, 0, 168, 40))[i % 3]
        images[i, :, y0:y1, x0:x1] += board[y0:y1, x0:x1]
        if i % 3:
            windows[i] = np.array([x0, y0, x1, y1]) / 224
    pixels = torch.from_numpy(np.clip(images, 0, 255).astype(np.uint8))
    return {"images": pixels, "label": torch.from_numpy(labels), "window": torch.from_numpy(windows)}
