"""Files of Beyond the Spectrum. None is at hand: they are made here with the entries that the specification lists, under the
authors' names."""

import json
import os

import numpy as np
import pytest
import torch
from wave_weights import fill_wave, ramp

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import CheckpointError, DataNotFoundError, ParameterError, UnknownNameError, WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.methods.caddm.weights import load_caddm
from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet
from dfworkbench.methods.resynthesis.rdn import Rdn
from dfworkbench.models import build_detector
from dfworkbench.models.vgg import VggTaps
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.released import load_released, save_released
from dfworkbench.training.registry import build_method

TINY = {"features": 8, "blocks": 2, "layers": 2}
#: What the original networks answer to `picture()` with weights of `fill_wave`: logits of fake and real (their class 0 and 1).
FAKE, REAL = 4377.49555446, 2174.07478031
COUNTS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


# -- the specification's tables of names -------------------------------------------------------------------------------


def conv(name, outputs, inputs, kernel):
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def norm(name, channels):
    entries = {f"{name}.{entry}": (channels,) for entry in ("weight", "bias", "running_mean", "running_var")}
    return entries | {f"{name}.num_batches_tracked": ()}


def sr_shapes(features=64, blocks=16, layers=8, scale=4):
    g = features
    shapes = conv("sfe1", g, 3, 3) | conv("sfe2", g, g, 3)
    for i in range(blocks):
        for j in range(layers):
            shapes |= conv(f"rdbs.{i}.layers.{j}.conv", g, g * (j + 1), 3)
        shapes |= conv(f"rdbs.{i}.lff", g, g * (layers + 1), 1)
    shapes |= conv("gff.0", g, g * blocks, 1) | conv("gff.1", g, g, 3)
    shapes |= conv("upscale.0", g * (9 if scale == 3 else 4), g, 3)
    if scale == 4:
        shapes |= conv("upscale.2", g * 4, g, 3)
    return shapes | conv("output", 3, g, 3)


def classifier_shapes(depth=50, channels=3):
    expansion, kernels = (1, (3, 3)) if depth < 50 else (4, (1, 3, 1))
    shapes = {"conv1.0.weight": (64, channels, 3, 3), **norm("conv1.1", 64), "conv1.3.weight": (64, 64, 3, 3)}
    shapes |= {**norm("conv1.4", 64), "conv1.6.weight": (128, 64, 3, 3), **norm("bn1", 128)}
    before = 128
    for stage, count in enumerate(COUNTS[depth], start=1):
        width = 32 * 2**stage
        for i in range(count):
            name, inputs = f"layer{stage}.{i}", before
            for number, kernel in enumerate(kernels, start=1):
                outputs = width * (expansion if number == 3 else 1)
                shapes[f"{name}.conv{number}.weight"] = (outputs, inputs, kernel, kernel)
                shapes |= norm(f"{name}.bn{number}", outputs)
                inputs = outputs
            if i == 0 and (before != inputs or stage < 3):  # stages 1 and 2 have stride 2
                shapes[f"{name}.downsample.0.weight"] = (inputs, before, 1, 1)
                shapes |= norm(f"{name}.downsample.1", inputs)
            before = inputs
    return shapes | {"fc.weight": (2, before), "fc.bias": (2,)}


def shapes_of(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def test_names_and_shapes_are_the_authors():
    assert (len(sr_shapes()), len(classifier_shapes())) == (302, 332)
    with torch.device("meta"):
        for scale in (2, 3, 4):
            assert shapes_of(Rdn(scale)) == sr_shapes(scale=scale)
        for depth in COUNTS:
            assert shapes_of(DeepStemResNet(depth, 512)) == classifier_shapes(depth, 512)


# -- files -------------------------------------------------------------------------------------------------------------


def hollow(shapes):
    """Right shapes, but stored as one number each."""
    return {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}


def wrapped(state, **more):
    """As the authors' code saves a classifier: the learning rate is a float64 of NumPy, taken from an array."""
    groups = [{"lr": np.cos(np.linspace(0, 1, 3))[1], "momentum": 0.9}]
    assert type(groups[0]["lr"]) is np.float64
    return {"epoch": 3, "arch": "resnet50", "state_dict": state, "optimizer": {"param_groups": groups}, **more}


def several_gpus(state):
    return {f"module.{key}": value for key, value in state.items()}


@pytest.fixture(scope="module")
def tiny_sr():
    return fill_wave(Rdn(**TINY)).float().state_dict()


@pytest.fixture(scope="module")
def classifier18():
    torch.manual_seed(0)
    return DeepStemResNet(18).state_dict()


@pytest.fixture
def folder(tmp_path):
    """Files of many MB are not left to the end of all tests."""
    yield tmp_path
    for file in [*tmp_path.rglob("*.tar"), *tmp_path.rglob("*.safetensors")]:
        file.unlink()


@pytest.fixture
def sr(folder, tiny_sr):
    """The file of a small re-synthesiser."""
    torch.save(tiny_sr, folder / "sr.pth")
    return folder / "sr.pth"


@pytest.fixture
def path(folder):
    return folder / "cls.pth.tar"


def picture(size=64):
    """Two of them, one ramp over both, in 0..1."""
    return ramp(2, 3, size, size).float()


def score(detector, images):
    with torch.inference_mode():
        return detector(images)


# -- what is read ------------------------------------------------------------------------------------------------------


LAYOUTS = {
    "bare": lambda state: state,
    "wrapped": lambda state: {"state_dict": state},
    "several GPUs": lambda state: {"state_dict": several_gpus(state), "epoch": 3},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_re_synthesisers(sr, layout, scale):
    torch.manual_seed(0)
    network = Rdn(scale, **TINY).eval()
    torch.save(LAYOUTS[layout](network.state_dict()), sr)
    loaded = load_released("resynthesis", sr, part="sr" if layout == "bare" else "")
    sr.write_bytes(b"")  # the network does not read the file any more
    assert (loaded.name, loaded.metadata["options"]) == ("rdn", {"size_px": 96, **TINY, "scale": scale})
    low = torch.rand(1, 3, 9, 8)
    assert torch.equal(score(loaded.detector.rdn, low), score(network, low))
    assert not loaded.detector.training
    assert all(p.requires_grad for p in loaded.detector.parameters())


def test_a_detector_gives_the_answer_of_the_original(sr, path):
    torch.save(wrapped(several_gpus(fill_wave(DeepStemResNet()).float().state_dict())), path)
    loaded = load_released("resynthesis", path, sr=str(sr), size_px=64)
    sr.write_bytes(b"")
    path.write_bytes(b"")  # the detector does not read the files any more
    assert (loaded.name, loaded.metadata["options"]) == ("resynthesis_pixel", {"size_px": 64, "depth": 50, **TINY})
    prediction = score(loaded.detector, picture())
    assert prediction.logit[0].item() == pytest.approx(FAKE - REAL, rel=1e-4)
    assert prediction.aux["class_logits"][0].tolist() == pytest.approx([REAL, FAKE], rel=1e-4)  # ours: real is 0
    assert not loaded.detector.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in loaded.detector.parameters())


def test_the_authors_class_1_is_real(sr, path, classifier18):
    certain = {"fc.weight": torch.zeros(2, 512), "fc.bias": torch.tensor([0.0, 5.0])}
    torch.save({"state_dict": classifier18 | certain}, path)
    detector = load_released("resynthesis", path, sr=str(sr), size_px=32).detector
    assert score(detector, picture(32)).logit.tolist() == [-5, -5]


def test_fed_as_its_authors_do(sr, path):
    torch.save(wrapped(hollow(classifier_shapes(18))), path)
    loaded = load_released("resynthesis", path, part="classifier", stage=0, sr=str(sr))
    assert loaded.input_spec == InputSpec(size_px=1024, alignment="whole", crop_scale=1.0, value_range=(0.0, 1.0))
    spec = loaded.input_spec
    assert (spec.channel_order, *spec.mean, *spec.std) == ("rgb", 0, 0, 0, 1, 1, 1)


@pytest.mark.parametrize("depth", COUNTS)
def test_depth_and_stage_follow_from_the_file(sr, path, depth):
    """Without reading `arch`, which a file may lack."""
    stage = {18: 2, 34: 1, 50: 0, 101: 0, 152: 0}[depth]
    torch.save({"state_dict": hollow(classifier_shapes(depth, (3, 64, 128)[stage]))}, path)
    vgg = sr.with_name("vgg19.pth")
    torch.save({f"features.{k.split('.', 1)[1]}": v for k, v in VggTaps(stages=2).state_dict().items()}, vgg)
    loaded = load_released("resynthesis", path, sr=str(sr), vgg_weights=str(vgg))
    assert loaded.name == f"resynthesis_{('pixel', 'stage1', 'stage2')[stage]}"
    assert loaded.metadata["options"]["depth"] == depth


@pytest.mark.parametrize("stage", [4, 5])
def test_512_channels(sr, path, stage):
    """Neither the file nor the number of channels tells stage 4 from 5."""
    torch.save(wrapped(hollow(classifier_shapes(18, 512))), path)
    with pytest.raises(
        ParameterError, match=r"512 channels, which stages 4 and 5 both have, .* Give stage\. .* of stage 5"
    ):
        load_released("resynthesis", path, sr=str(sr), vgg_weights="imagenet")
    with torch.device("meta"):
        names = VggTaps().state_dict()
    vgg = {f"features.{key.split('.', 1)[1]}": torch.tensor(0.5).expand(value.shape) for key, value in names.items()}
    torch.save(vgg, sr.with_name("vgg19.pth"))
    weights = str(sr.with_name("vgg19.pth"))
    loaded = load_released("resynthesis", path, stage=stage, sr=str(sr), vgg_weights=weights)
    assert loaded.name == f"resynthesis_stage{stage}"
    assert loaded.metadata["options"] == {"size_px": 1024, "depth": 18, **TINY, "vgg_weights": weights}
    frozen = [p for name, p in loaded.detector.named_parameters() if name.startswith("vgg.")]
    assert len(frozen) == {4: 18, 5: 26}[stage]
    assert all(bool((p == 0.5).all()) and not p.requires_grad for p in frozen)
    assert not any(tensor.is_meta for tensor in loaded.detector.state_dict().values())


def test_numpy_scalars_in_the_spelling_of_numpy_1(sr, path, tiny_sr):
    torch.save(wrapped(tiny_sr), path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert content.count(b"numpy._core.multiarray") == 1
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert load_released("resynthesis", path).name == "rdn"


# -- as runs of ours ---------------------------------------------------------------------------------------------------


def test_a_run_that_scores(toy, sr, path, classifier18):
    torch.save(wrapped(classifier18), path)
    options = {"sr": str(sr), "size_px": 32}
    made = save_released("resynthesis", path, "paper", workspace=toy, **options)
    loaded = load_detector("paper", workspace=toy)
    assert (loaded.name, loaded.input_spec.size_px) == ("resynthesis_pixel", 32)
    direct = load_released("resynthesis", path, **options)
    assert torch.equal(score(loaded.detector, picture(32)).logit, score(direct.detector, picture(32)).logit)
    assert json.loads((made / "provenance.json").read_text())["source"]["kind"] == "resynthesis"
    (made / "epoch_000.safetensors").unlink()


def test_a_run_that_training_begins_with(toy, sr, tiny_sr):
    assert cli.main(["import", "resynthesis", str(sr), "--name", "sr_paper", "-p", "part", "sr"]) == 0
    loaded = load_detector("sr_paper", workspace=toy)
    assert loaded.name == "rdn"
    assert torch.equal(loaded.detector.state_dict()["rdn.rdbs.1.lff.weight"], tiny_sr["rdbs.1.lff.weight"])
    detector = build_detector("resynthesis_pixel", depth=18, **TINY)
    build_method("resynthesis", detector, resynthesiser="sr_paper", allow_undertrained=True)
    assert torch.equal(detector.resynthesiser.sfe1.weight, tiny_sr["sfe1.weight"])


# -- what is refused ---------------------------------------------------------------------------------------------------


def refused(path, message, content=None, kind: type[WorkbenchError] = CheckpointError, **options):
    if content is not None:
        torch.save(content, path)
    with pytest.raises(kind, match=message):
        load_released("resynthesis", path, **options)


@pytest.mark.parametrize("key", sr_shapes(**TINY))
def test_a_re_synthesiser_with_a_key_removed(path, key):
    rest = {name: value for name, value in hollow(sr_shapes(**TINY)).items() if name != key}
    found = rf"features = 8, blocks = 2, layers = 2, scale = 4, with 1 differences: missing {key} \("
    refused(path, f"does not fit a re-synthesiser with {found}", {"state_dict": rest})


@pytest.mark.parametrize(
    "key",
    ["conv1.0.weight", "conv1.4.running_var", "layer3.1.bn2.num_batches_tracked", "layer4.0.conv1.weight", "fc.bias"],
)
def test_a_classifier_with_a_key_removed(sr, path, key):
    rest = {name: value for name, value in hollow(classifier_shapes(18)).items() if name != key}
    message = (
        rf"fit a classifier of stage 0; closest is a ResNet-18 for 3 channels, with 1 differences: missing {key} \("
    )
    refused(path, message, wrapped(rest), stage=0, sr=str(sr))


def test_what_does_not_fit_is_named(sr, path):
    state = hollow(classifier_shapes(50))
    message = r"1 differences: conv1\.0\.weight is \(64, 3, 3, 3\), expected \(64, 512, 3, 3\)"
    refused(path, message, wrapped(state), stage=5, sr=str(sr), vgg_weights="imagenet")
    refused(
        path,
        r"does not fit .* ResNet-50 .*1 differences: unexpected extra \(3,\)",
        state | {"extra": torch.zeros(3)},
        sr=str(sr),
    )
    refused(path, r"fc\.bias is \(1,\), expected \(2,\)", state | {"fc.bias": torch.zeros(1)}, sr=str(sr))
    refused(
        path,
        r"of any stage: its conv1\.0\.weight is \(64, 4, 3, 3\); expected \(64, C, 3, 3\)",
        hollow(classifier_shapes(50, 4)),
    )
    rest = {key: value for key, value in state.items() if key != "conv1.0.weight"}
    refused(path, r"of any stage: its conv1\.0\.weight is missing", rest)
    refused(
        path, "holds weight, bias, …; expected a re-synthesiser .* or a classifier", torch.nn.Linear(2, 2).state_dict()
    )
    wide = hollow(sr_shapes(**TINY)) | {"output.bias": torch.zeros(4)}
    refused(path, r"re-synthesiser .*, with 1 differences: output\.bias is \(4,\), expected \(3,\)", wide)
    refused(path, r"fit a re-synthesiser with features = 1, .*, with \d+ differences: missing sfe1", state, part="sr")
    nothing = {"sfe1.weight": torch.zeros(0, 3, 3, 3), "upscale.0.bias": torch.zeros(())}
    refused(path, r"\d+ differences: sfe1\.weight is \(0, 3, 3, 3\), expected \(1, 3, 3, 3\)", nothing)


def test_another_re_synthesiser(sr, path):
    torch.save(wrapped(hollow(classifier_shapes(18))), path)
    refused(
        path, r"scores nothing without it\. Give that file as sr\. .*sr_vgg_epoch_last\.pth with pixel_pggan_celeba"
    )
    refused(path, r"sr = .*cls\.pth\.tar does not fit a re-synthesiser .*missing sfe1", sr=str(path))
    torch.save(hollow(sr_shapes(**TINY, scale=2)), sr)
    refused(
        path, r"sr = .*sr\.pth makes pictures 2 times as large; detectors need 4 times\. .* authors pair", sr=str(sr)
    )
    rest = {key: value for key, value in hollow(sr_shapes(**TINY)).items() if key != "gff.1.bias"}
    torch.save(rest, sr)
    refused(path, r"sr = .*sr\.pth does not fit a re-synthesiser .*missing gff\.1\.bias \(8,\)", sr=str(sr))
    refused(
        path, r"none\.pth does not exist\. Get it .*SSAW14", kind=DataNotFoundError, sr=str(sr.with_name("none.pth"))
    )


def test_stages_without_vgg(sr, path):
    torch.save(wrapped(hollow(classifier_shapes(18, 256))), path)
    refused(
        path, r"stage 3, which compares features of VGG-19 .*random weights .*Give vgg_weights: imagenet", sr=str(sr)
    )
    refused(
        path,
        r"there is no file .*none\.pth\. Get .*vgg19-dcbb9e9d\.pth",
        sr=str(sr),
        vgg_weights=str(sr.with_name("none.pth")),
    )


def test_impossible_options(sr, path):
    torch.save(hollow(classifier_shapes(18)), path)
    for stage in (6, -1, "pixel", 0.5):
        refused(path, rf"stage = '?{stage}'?; expected 0 \(pixels\) to 5", kind=ParameterError, stage=stage, sr=str(sr))
    refused(path, r"size_px = 'large'", kind=ParameterError, size_px="large", sr=str(sr))
    refused(path, r"size_px = 1022; .*a multiple of 4", kind=ParameterError, size_px=1022, sr=str(sr))
    refused(sr, r"re-synthesiser, which takes no stage and no sr\. ", kind=ParameterError, stage=0, sr=str(path))
    refused(sr, "takes no vgg_weights", kind=ParameterError, vgg_weights="imagenet")
    refused(sr, r"no part of Beyond the Spectrum is called 'srs'.*'sr'", kind=UnknownNameError, part="srs")
    refused(sr, r"conv1\.0\.weight is missing", part="classifier", sr=str(sr))


class Bomb:
    def __reduce__(self):
        return os.system, ("echo never",)


class Eval:
    def __reduce__(self):
        return eval, ("print('never')",)


def test_code_is_refused(path, tiny_sr, capfd):
    refused(path, r"holds a pickled (posix|nt)\.system beside or instead of tensors", wrapped(tiny_sr, best=Bomb()))
    refused(path, r"holds a pickled \S*eval beside", wrapped(tiny_sr, best=Eval()))
    assert "never" not in capfd.readouterr().out


def test_nothing_else_of_numpy_is_let_in(path, tiny_sr):
    before = torch.serialization.get_safe_globals()
    refused(path, r"holds a pickled numpy\.\S+ beside", wrapped(tiny_sr, best=np.zeros(2)))
    refused(path, r"holds a pickled numpy\.dtypes\.Float32DType beside", wrapped(tiny_sr, best=np.float32(1)))
    assert set(torch.serialization.get_safe_globals()) == set(before)
    torch.save({"network": tiny_sr, "lr": np.float64(1)}, path)  # and not for other importers
    with pytest.raises(CheckpointError, match=r"holds a pickled numpy\.\S*scalar beside"):
        load_caddm(path)


def test_other_files(path, tmp_path):
    refused(
        tmp_path / "none.pth", r"none\.pth does not exist\. Get it .*SSAW14/BeyondtheSpectrum", kind=DataNotFoundError
    )
    path.write_bytes(b"hello")
    refused(path, "damaged or not written by torch.save")
    refused(path, "holds a dict with 'epoch'; expected", {"epoch": 3})
    refused(path, "holds a dict with nothing; expected", {"state_dict": {}})
