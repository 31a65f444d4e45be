"""Re-synthesis on a toy where it must work: fakes with a checkerboard that averaging 4 x 4 pixels takes away (check A14).

Of the original's toy everything is as it was (32 px, 100 + 100 training and 50 + 50 test pictures, 600 steps of stage 1, a depth of
18) but the pictures' random numbers.
"""

import numpy as np
import pytest
import torch

from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.training.registry import build_method

GEOMETRY = {"size_px": 32, "features": 8, "blocks": 2, "layers": 2}


def pictures(rng: np.random.Generator, count: int, *, fake: bool) -> torch.Tensor:
    """Four slow waves of random colours, with noise of 2 grey levels; fakes with a checkerboard of 6 levels on top."""
    rows, columns = np.indices((32, 32)) / 32
    images = np.zeros((count, 32, 32, 3))
    for image in images:
        for _ in range(4):
            fx, fy = rng.uniform(0.3, 1.5, 2) * rng.choice([-1, 1], 2)
            wave = np.sin(2 * np.pi * (fx * columns + fy * rows + rng.random()))
            image += wave[..., None] * rng.uniform(-1, 1, 3)
    low, high = images.min(axis=(1, 2, 3), keepdims=True), images.max(axis=(1, 2, 3), keepdims=True)
    images = 20 + 215 * (images - low) / (high - low) + rng.normal(0, 2, images.shape)
    images = np.clip(np.rint(images), 0, 255)
    if fake:
        images = np.clip(images + 6 * (-1.0) ** np.indices((32, 32)).sum(axis=0)[..., None], 0, 255)
    return torch.from_numpy(images.astype(np.uint8)).permute(0, 3, 1, 2)


def batch_of(images: torch.Tensor, label: torch.Tensor, rows: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"images": images[rows], "label": label[rows], "row": rows}


@pytest.mark.slow
def test_a_checkerboard_that_re_synthesis_cannot_bring_back():
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    real, fake = (pictures(rng, 150, fake=kind) for kind in (False, True))
    train, test = torch.cat([real[:100], fake[:100]]), torch.cat([real[100:], fake[100:]])
    train_label, test_label = torch.arange(200) // 100, torch.arange(100) // 50

    torch.manual_seed(0)
    stage1 = build_method("super_resolution", build_detector("rdn", **GEOMETRY)).train()
    optimizer = torch.optim.Adam(stage1.parameter_groups(2e-3, 0.0))
    losses = []
    for _ in range(600):
        rows = torch.randperm(100, generator=generator)[:8]
        step = stage1(batch_of(train, train_label, rows))
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        losses.append(step.loss.item())
    assert np.mean(losses[-50:]) < 0.1 * losses[0]

    detector = build_detector("resynthesis_pixel", depth=18, **GEOMETRY)
    detector.resynthesiser.load_state_dict(stage1.detector.rdn.state_dict())
    stage2 = build_method("resynthesis", detector)  # no trial: the re-synthesiser is trained
    ready = prepare(test, detector.input_spec)
    with torch.inference_mode():
        residual = detector.residual(ready, 0).mean(dim=(1, 2, 3))
    by_residual = metric_of("auc", test_label.numpy(), residual.numpy())
    assert by_residual >= 0.95

    optimizer = torch.optim.SGD(stage2.parameter_groups(1e-2, 1e-4), momentum=0.9)
    accuracies = []
    for _ in range(10):
        stage2.train()
        for rows in torch.randperm(200, generator=generator).split(20):
            optimizer.zero_grad()
            stage2(batch_of(train, train_label, rows)).loss.backward()
            optimizer.step()
        with torch.inference_mode():
            logit = stage2.eval()(batch_of(test, test_label, torch.arange(100))).logit
        accuracies.append(float(((logit > 0).long() == test_label).double().mean()))
        if accuracies[-1] >= 0.95:
            break
    assert accuracies[-1] >= 0.95, accuracies
