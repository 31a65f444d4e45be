"""Training by re-synthesis: what moves, what stays, what is refused, and the three stages one after the other."""

import pytest
import torch
from torch.nn.utils import parameters_to_vector
from toy import make_workspace

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, ParameterError
from dfworkbench.datasets.tables import BOX_COLUMNS, read_table, write_table
from dfworkbench.methods.resynthesis.rdn import box_down
from dfworkbench.methods.resynthesis.reconstruction_loss import reconstruction_loss
from dfworkbench.methods.resynthesis.super_resolution import psnr_db
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.models.vgg import VggTaps
from dfworkbench.runs.checkpoints import load_detector, save_detector
from dfworkbench.training import TrainSettings, train
from dfworkbench.training.registry import build_method

GEOMETRY = {"features": 8, "blocks": 2, "layers": 2}
SMALL = {"size_px": 32, "depth": 18, **GEOMETRY}


def detector_of(name: str = "resynthesis_pixel", **options):
    torch.manual_seed(0)
    return build_detector(name, **SMALL | options)


def trial(name: str = "resynthesis_pixel", **options):
    return build_method("resynthesis", detector_of(name), allow_undertrained=True, **options).train()


def rdn(**options):
    torch.manual_seed(0)
    return build_detector("rdn", **{"size_px": 32, **GEOMETRY} | options)


def batch_of(labels: list[int], seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (len(labels), 3, 32, 32), generator=generator, dtype=torch.uint8)
    return {"images": images, "label": torch.tensor(labels), "row": torch.arange(len(labels))}


def vector(module: torch.nn.Module) -> torch.Tensor:
    return parameters_to_vector(module.parameters()).detach().clone()


def steps(method, count: int, rate: float = 1e-3) -> None:
    optimizer = torch.optim.SGD(method.parameter_groups(rate, 0.0), momentum=0.9)
    for seed in range(count):
        torch.manual_seed(seed)
        optimizer.zero_grad()
        method(batch_of([0, 1, 0, 1], seed)).loss.backward()
        optimizer.step()


# -- stage 1 -----------------------------------------------------------------------------------------------------------


def test_stage_1_learns_pictures_and_measures_them():
    method = build_method("super_resolution", rdn()).train()
    assert method.real_only
    optimizer = torch.optim.Adam(method.parameter_groups(2e-3, 0.0))
    batch = batch_of([0, 0])
    first = method(batch)
    assert (first.logit, set(first.parts), set(first.shares)) == (None, {"l1"}, {"psnr_db"})
    assert torch.equal(first.loss, first.parts["l1"])
    for _ in range(30):
        optimizer.zero_grad()
        step = method(batch)
        step.loss.backward()
        optimizer.step()
    assert step.loss < first.loss
    assert step.shares["psnr_db"] > first.shares["psnr_db"]
    assert set(method.eval()(batch).shares) == {"psnr_db", "bicubic_psnr_db"}


def test_psnr():
    target = torch.full((2, 3, 8, 8), 0.5)
    made = target + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    assert float(psnr_db(made, target)) == pytest.approx((20 + 40) / 2, abs=1e-4)
    assert float(psnr_db(target, target)) == 100
    assert float(psnr_db(torch.full((1, 3, 4, 4), 7.0), torch.ones(1, 3, 4, 4))) == 100  # stored, 7 would be 1


def test_tasks_are_for_training_alone():
    method = build_method("super_resolution", rdn(), tasks=["denoising", "colourisation", "completion"])
    batch = batch_of([0] * 8)
    with torch.inference_mode():
        assert len({float(method.train()(batch).loss) for _ in range(4)}) > 1
        assert len({float(method.eval()(batch).loss) for _ in range(4)}) == 1


def test_features_of_a_file(tmp_path):
    """The published weight, with a file that looks like torchvision's."""
    torch.manual_seed(1)
    taps = VggTaps()
    torch.save({f"features.{k.partition('.')[2]}": v for k, v in taps.state_dict().items()}, tmp_path / "vgg19.pth")
    options = {"perceptual_weight": 0.2, "vgg_weights": str(tmp_path / "vgg19.pth")}
    method = build_method("super_resolution", rdn(), **options).train()
    batch = batch_of([0, 0])
    step = method(batch)
    pictures = prepare(batch["images"], method.detector.input_spec)
    expected = reconstruction_loss(method.detector(pictures), pictures, taps, "mse")
    assert float(step.loss.detach()) == pytest.approx(float((expected["l1"] + 0.2 * expected["perceptual"]).detach()))
    step.loss.backward()
    assert all(p.grad is None for p in method.vgg.parameters())
    assert len(method.parameter_groups(1e-4, 0.0)[0]["params"]) == len(list(method.detector.parameters()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"perceptual_weight": 0.2}, r"random weights say nothing.*vgg_weights=imagenet"),
        ({"perceptual_weight": -1.0}, r"perceptual_weight = -1\.0: .*greater than or equal to 0"),
        ({"tasks": "colorization"}, r"'colorization': .*'colourisation'"),
    ],
)
def test_stage_1_refuses(options, message):
    with pytest.raises(ParameterError, match=message):
        build_method("super_resolution", rdn(), **options)


# -- stages 2 and 3 ----------------------------------------------------------------------------------------------------


def test_an_untrained_resynthesiser_and_random_features_are_refused():
    with pytest.raises(
        ParameterError, match=r"below 15 dB.*resynthesiser=RUN.*allow_undertrained=true.*not evidence about the method"
    ):
        build_method("resynthesis", detector_of())
    detector = detector_of("resynthesis_stage1")
    learn_smooth_pictures(detector.resynthesiser)
    with pytest.raises(ParameterError, match=r"VGG-19 has random weights.*detector_options vgg_weights=imagenet"):
        build_method("resynthesis", detector)
    with torch.no_grad():
        detector.vgg.slice1.get_parameter("0.bias").add_(0.1)  # as if read from a file
    build_method("resynthesis", detector)
    with pytest.raises(ParameterError, match=r"random weights.*method_options vgg_weights=imagenet"):
        build_method("resynthesis", detector, joint=True, perceptual=True)


def learn_smooth_pictures(network) -> None:
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        corners = torch.rand((8, 3, 2, 2), generator=generator)
        pictures = torch.nn.functional.interpolate(corners, size=(32, 32), mode="bicubic", align_corners=True)
        optimizer.zero_grad()
        (network(box_down(pictures)) - pictures).abs().mean().backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"joint": True, "task": "colorization"}, r"task = 'colorization': .*'none', 'denoising'"),
        ({"task": "denoising"}, r"only stage 3 has; set joint=true"),
        ({"perceptual": True}, r"only stage 3 has"),
        ({"compat": "original"}, r"compat = 'original': .*'released'"),
        ({"resynthesiser_rate": 0.0}, r"resynthesiser_rate = 0\.0: .*greater than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        trial(**options)


def test_the_resynthesiser_of_stage_1_is_taken_over(tmp_path):
    network, options = rdn(), {"size_px": 32, **GEOMETRY}
    with torch.no_grad():
        network.rdn.output.bias.add_(0.3)
    path = save_detector(tmp_path / "stage1.safetensors", network, "rdn", options)
    method = trial(resynthesiser=str(path))
    assert torch.equal(vector(method.detector.resynthesiser), vector(network.rdn))
    assert method.resynthesiser_file == path
    assert trial().resynthesiser_file is None


def test_other_networks_than_that_of_stage_1_are_refused(tmp_path):
    wide = {"size_px": 32, **GEOMETRY, "features": 12}
    path = save_detector(tmp_path / "wide.safetensors", rdn(features=12), "rdn", wide)
    with pytest.raises(
        CheckpointError, match=r"Build the detector with detector_options features=12 blocks=2 layers=2"
    ):
        trial(resynthesiser=str(path))
    path = save_detector(tmp_path / "x2.safetensors", rdn(scale=2), "rdn", {"size_px": 32, **GEOMETRY, "scale": 2})
    with pytest.raises(CheckpointError, match=r"scale=2.*scale must be 4"):
        trial(resynthesiser=str(path))
    path = save_detector(tmp_path / "detector.safetensors", detector_of(), "resynthesis_pixel", SMALL)
    with pytest.raises(CheckpointError, match=r"holds the detector 'resynthesis_pixel'.*detector = 'rdn'"):
        trial(resynthesiser=str(path))
    with pytest.raises(DataNotFoundError, match="'nowhere': it is not a file"):
        trial(resynthesiser="nowhere")


def test_stage_2_moves_the_classifier_and_stage_3_the_resynthesiser_too():
    fixed, joint = trial(), trial(joint=True, task="denoising")
    before = vector(fixed.detector.resynthesiser), vector(fixed.detector.classifiers)
    assert torch.equal(before[0], vector(joint.detector.resynthesiser))
    steps(fixed, 3)
    assert torch.equal(vector(fixed.detector.resynthesiser), before[0])
    assert not torch.equal(vector(fixed.detector.classifiers), before[1])
    steps(joint, 3)
    assert not torch.equal(vector(joint.detector.resynthesiser), before[0])


def test_learning_rates_of_both_networks():
    method = trial(joint=True, resynthesiser_rate=1e-5)
    classifiers, resynthesiser = method.parameter_groups(2e-4, 5e-3)
    assert (classifiers["lr"], resynthesiser["lr"]) == (2e-4, 1e-5)
    assert {id(p) for p in resynthesiser["params"]} == {id(p) for p in method.detector.resynthesiser.parameters()}
    assert len(trial(joint=True, compat="released").parameter_groups(1e-2, 1e-4)) == 1


def test_fakes_do_not_count_in_the_reconstruction():
    method = trial(joint=True, task="colourisation")
    batch, other = batch_of([0, 1, 0, 1]), batch_of([0, 1, 0, 1], seed=9)
    other["images"][[0, 2]] = batch["images"][[0, 2]]
    found = set()
    for seed in range(6):
        parts = []
        for each in (batch, other):
            torch.manual_seed(seed)
            parts.append(method(each).parts)
        assert torch.equal(parts[0]["l1"], parts[1]["l1"])
        assert not torch.equal(parts[0]["bce"], parts[1]["bce"])
        found.add(float(parts[0]["l1"].detach()))
    assert len(found) > 2  # several batches were degraded, one was not


def test_the_reconstruction_of_clean_reals():
    method, batch = trial(joint=True, reconstruction_weight=3.0), batch_of([1, 0, 1])
    step = method(batch)
    pictures = prepare(batch["images"], method.detector.input_spec)[1:2]
    expected = (method.detector.resynthesise(pictures) - pictures).abs().mean()
    assert torch.allclose(step.parts["l1"], expected)
    assert torch.allclose(step.loss, step.parts["bce"] + 3 * step.parts["l1"])
    assert set(method(batch_of([1, 1])).parts) == {"bce"}
    assert set(method.eval()(batch).parts) == {"bce"}


def test_every_classifier_of_the_fused_detector_learns_by_itself():
    method = trial("resynthesis_fused")
    batch = batch_of([0, 1, 1])
    step = method(batch)
    aux = method.predict(batch).aux
    each = [torch.nn.functional.cross_entropy(aux[f"{name}_logits"], batch["label"]) for name in ("pixel", "stage5")]
    assert torch.allclose(step.loss, sum(each), rtol=1e-5)
    weights = list(method.detector.classifiers["pixel"].parameters())
    found, alone = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights, retain_graph=True)])
        for loss in (step.loss, each[0])
    )
    assert (found - alone).norm() < 1e-3 * alone.norm()  # the other classifier and the mean of both add nothing


def test_classes_can_be_balanced():
    method = trial()
    batch = batch_of([0, 1, 1, 1])
    plain = method(batch).loss
    method.balance_classes([0, 1, 1, 1])
    assert not torch.allclose(method(batch).loss, plain)


# -- all stages through training ---------------------------------------------------------------------------------------

RUN = TrainSettings(
    dataset="toy", detector="resynthesis_pixel", size_px=32, epochs=2, batch_size=8, learning_rate=1e-3, balance="none",
    schedule="constant", frames_per_video=1, threads=1, device="cpu", name="stage2",
    detector_options={"depth": 18, "features": 8, "blocks": 2, "layers": 2},
    method_options={"resynthesiser": "stage1", "allow_undertrained": True},
)  # fmt: skip


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """The toy set as whole pictures."""
    workspace = make_workspace(tmp_path, frames=1)
    path = workspace.labels / "toy/faces.parquet"
    faces = read_table("face", path)
    faces[list(BOX_COLUMNS)] = [100.0, 50.0, 164.0, 114.0]
    write_table("face", faces, path)
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    return workspace


def run(settings, workspace):
    return list(train(settings, workspace, progress=False))


def test_three_stages(pictures):
    geometry = {"features": 8, "blocks": 2, "layers": 2}
    stage1 = RUN.replace(detector="rdn", name="stage1", epochs=1, detector_options=geometry, method_options={})
    epochs = run(stage1, pictures)
    assert {"loss", "psnr_db", "bicubic_psnr_db"} == set(epochs[-1].val)
    run(RUN.replace(epochs=1), pictures)
    first = load_detector("stage1", workspace=pictures).detector.rdn
    assert torch.equal(vector(first), vector(load_detector("stage2", workspace=pictures).detector.resynthesiser))
    joint = RUN.replace(
        start_from="stage2",
        name="stage3",
        method_options={"joint": True, "task": "denoising", "allow_undertrained": True},
    )
    epochs = run(joint, pictures)
    assert {"loss", "bce", "l1", "accuracy"} <= set(epochs[-1].train)
    last = load_detector("stage3", workspace=pictures).detector
    assert not torch.equal(vector(first), vector(last.resynthesiser))

    run(joint.replace(name="again", epochs=1), pictures)
    run(joint.replace(name="again"), pictures)  # goes on where it stopped
    states = [load_detector(name, workspace=pictures, epoch=2).detector.state_dict() for name in ("stage3", "again")]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
