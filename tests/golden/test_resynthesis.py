"""Networks of re-synthesis against the figures of the original modules (acceptance checks A1 to A6), in double precision."""

import pytest
import torch
from torch.nn import functional
from wave_weights import fill_const, fill_wave, ramp

from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet
from dfworkbench.methods.resynthesis.rdn import Rdn, box_down
from dfworkbench.models import build_detector
from dfworkbench.models.vgg import VggTaps

TINY = {"features": 8, "blocks": 2, "layers": 2}


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def near(value, expected, tolerance=1e-9):
    """Relative to the printed digits."""
    if isinstance(value, torch.Tensor):
        value = value.flatten().tolist()
        expected = torch.as_tensor(expected, dtype=torch.float64).flatten().tolist()
        value = value if len(expected) > 1 else value[0]
        expected = expected if len(expected) > 1 else expected[0]
    assert value == pytest.approx(expected, rel=tolerance)


def count(module):
    return sum(p.numel() for p in module.parameters())


def shell(kind, **options):
    """Shapes without numbers."""
    with torch.device("meta"):
        return kind(**options)


def outputs(network, names, *inputs):
    """What modules of a network gave, by name, with its answer under ""."""
    found = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: found.update({name: out}))
    found[""] = network(*inputs)
    return found


# -- A1: sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "expected"), [(2, 22_123_395), (3, 22_308_035), (4, 22_271_107)])
def test_a1_parameters_of_the_rdn(scale, expected):
    assert count(shell(Rdn, scale=scale)) == expected


def test_a1_parts_of_the_rdn():
    rdn = shell(Rdn)
    parts = {"sfe1": 1_792, "sfe2": 36_928, "rdbs": 21_832_704, "gff": 102_528, "upscale": 295_424, "output": 1_731}
    assert {name: count(part) for name, part in rdn.named_children()} == parts
    assert [count(layer) for layer in rdn.rdbs[0].layers] == [36_928 + 36_864 * number for number in range(8)]
    assert count(rdn.rdbs[0].lff) == 36_928
    assert count(shell(Rdn, **TINY)) == 10_307


def test_a1_names_of_the_rdn():
    names = [f"sfe{number}" for number in (1, 2)] + [f"gff.{number}" for number in (0, 1)]
    names += ["upscale.0", "upscale.2", "output"]
    for block in range(16):
        names += [f"rdbs.{block}.lff", *(f"rdbs.{block}.layers.{layer}.conv" for layer in range(8))]
    expected = {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}
    assert len(expected) == 302
    assert set(shell(Rdn).state_dict()) == expected


def test_a1_vgg():
    vgg = shell(VggTaps)
    assert count(vgg) == 12_944_960
    assert [count(part) for part in vgg.children()] == [1_792, 110_784, 442_752, 2_950_400, 9_439_232]
    numbers = {1: [0], 2: [2, 5], 3: [7, 10], 4: [12, 14, 16, 19], 5: [21, 23, 25, 28]}
    expected = {f"slice{k}.{n}.{kind}" for k, found in numbers.items() for n in found for kind in ("weight", "bias")}
    assert len(expected) == 26
    assert set(vgg.state_dict()) == expected
    assert not any(p.requires_grad for p in vgg.parameters())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"channels": 3}, 23_635_906), ({"channels": 64}, 23_671_042), ({"channels": 128}, 23_707_906),
        ({"channels": 256}, 23_781_634), ({"channels": 512}, 23_929_090), ({"dilated": True}, 23_635_906),
        ({"depth": 18}, 11_326_018), ({"depth": 34}, 21_434_178), ({"depth": 101}, 42_628_034),
        ({"depth": 152}, 58_271_682),
    ],
)  # fmt: skip
def test_a1_parameters_of_the_classifier(options, expected):
    assert count(shell(DeepStemResNet, **options)) == expected


def test_a1_parts_and_names_of_the_classifier():
    net = shell(DeepStemResNet)
    parts = {"conv1": 112_576, "bn1": 256, "relu": 0, "maxpool": 0, "fc": 4_098}
    parts |= {"layer1": 236_288, "layer2": 1_219_584, "layer3": 7_098_368, "layer4": 14_964_736}
    assert {name: count(part) for name, part in net.named_children()} == parts
    expected = {"conv1.0.weight", "conv1.3.weight", "conv1.6.weight", "fc.weight", "fc.bias"}
    norms = ["conv1.1", "conv1.4", "bn1"]
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        expected.add(f"layer{stage}.0.downsample.0.weight")
        norms.append(f"layer{stage}.0.downsample.1")
        for block in range(blocks):
            expected |= {f"layer{stage}.{block}.conv{number}.weight" for number in (1, 2, 3)}
            norms += [f"layer{stage}.{block}.bn{number}" for number in (1, 2, 3)]
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected |= {f"{norm}.{kind}" for norm in norms for kind in kinds}
    assert len(expected) == 332
    assert set(net.state_dict()) == expected
    assert sum(value.numel() for value in net.buffers()) == 53_559


# -- A2, A3: the re-synthesiser ----------------------------------------------------------------------------------------


def test_a2_const():
    out = fill_const(Rdn(**TINY), 0.01)(ramp(1, 3, 6, 5))
    assert out.shape == (1, 3, 24, 20)
    near(torch.stack([out.sum(), out.min(), out.max()]), [85.4396947201, 0.0177241387271, 0.0884517919571])
    near(out.flatten()[[0, 1, 720]], [0.0177241387271, 0.0232445907384, 0.0335625320032])


def test_a2_wave():
    names = ["sfe1", "sfe2", "rdbs.0.layers", "rdbs.0", "rdbs.1", "gff.0", "gff.1", "upscale.1", "upscale.3"]
    found = outputs(fill_wave(Rdn(**TINY)), names, ramp(1, 3, 6, 5))
    out = found.pop("")
    assert out.shape == (1, 3, 24, 20)
    near(out.sum(), -92.8515605283)
    near(torch.stack([out.abs().mean(), out.min(), out.max()]), [9.4303731042, -46.7265380743, 56.8615534944])
    near(
        out.flatten()[[0, 1, 480, 720, 1439]],
        [0.763790769352, 1.42231884206, 0.619770770788, -8.31981953176, 0.514897185197],
    )
    sums = [
        -33.5523065528, -58.7925483385, 1039.96526221, -34.1987907169, -12.6158991426, -25.8961569678, 8.52104440533,
        28.3423727886, 484.98046214,
    ]  # fmt: skip
    near(torch.stack([found[name].sum() for name in names]), sums)
    means = [0.286907819775, 0.857992323463, 1.8120499558, 2.55944322725, 5.03396434138]
    near(torch.stack([found[name].abs().mean() for name in names[:5]]), means)


@pytest.mark.parametrize(("scale", "expected"), [(2, -43.9763871458), (3, 1.22248971548)])
def test_a2_other_scales(scale, expected):
    out = fill_wave(Rdn(scale, **TINY))(ramp(1, 3, 6, 5))
    assert out.shape == (1, 3, 6 * scale, 5 * scale)
    near(out.sum(), expected)


def test_a3_full_size():
    rdn, picture = Rdn().double(), ramp(1, 3, 8, 8)
    out = fill_const(rdn, 0.001)(picture)
    near(torch.stack([out.sum(), out.min(), out.max()]), [6443243.00581, 101.279738255, 4273.55066704])
    near(fill_const(rdn, 0.01)(picture).sum(), 1.86844041809e105)
    names = ["sfe1", "sfe2", "rdbs.0", "rdbs.1", "rdbs.15", "gff", "upscale"]
    found = outputs(fill_wave(rdn), names, picture)
    out = found[""]
    assert out.shape == (1, 3, 32, 32)
    near(
        torch.stack([out.sum(), out.abs().mean(), out.min(), out.max()]),
        [3.48946337736, 0.0383995389698, -0.268603736224, 0.275848410981],
    )
    near(out.flatten()[[0, 1, 3071]], [0.00181944233723, -0.0011632616047, 0.00410605245475])
    sums = [
        -200.132214006, -7.96994075598, -0.843242985934, 0.909932681726, 110.902140916, 0.494353012163, -7.85594005852
    ]  # fmt: skip
    near(torch.stack([found[name].sum() for name in names]), sums)


def test_a3_zero_weights_give_the_output_bias():
    rdn = fill_const(Rdn(**TINY), 0.0)
    colour = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    rdn.output.bias.copy_(colour)
    assert torch.equal(rdn(ramp(1, 3, 8, 8)), colour.view(1, 3, 1, 1).expand(1, 3, 32, 32))


# -- A4: the classifier ------------------------------------------------------------------------------------------------


def test_a4_three_channels():
    net = fill_wave(DeepStemResNet())
    names = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    found = outputs(net, names, ramp(2, 3, 64, 64))
    near(found[""], [[36.05649558342, 18.43202909255], [113.74644815613, 56.99856989781]])
    sums = [-76.4664632342, 12666.6901563, 4762.64309763, 6144.78891314, 79992.6986868, 375734.224077]
    near(torch.stack([found[name].sum() for name in names]), sums)
    near(net.train()(ramp(2, 3, 64, 64)), [[2.95257807065, 2.07172342605], [3.92214732337, 2.61496677531]])


@pytest.mark.parametrize("dilated", [False, True])
def test_a4_512_channels(dilated):
    """Maps of one cell do not notice dilation."""
    logits = fill_wave(DeepStemResNet(channels=512, dilated=dilated))(ramp(2, 512, 16, 16))
    near(logits, [[12.48832005615, 6.76901563587], [35.26150500410, 18.24953316260]])


def test_a4_dilated():
    logits = fill_wave(DeepStemResNet(dilated=True))(ramp(2, 3, 64, 64))
    near(logits, [[10.48432629254, 5.75701402711], [33.63552538219, 17.43534559867]])


def test_a4_const():
    logits = fill_const(DeepStemResNet(), 0.01)(ramp(2, 3, 64, 64))
    near(logits, [[1.0277218449467] * 2, [1.0277218450846] * 2])


def test_a4_depth_18():
    logits = fill_wave(DeepStemResNet(18))(ramp(2, 3, 64, 64))
    near(logits, [[641395.3438068, 614384.9934724], [2540592.331852, 2433602.950069]])


def test_a4_cost_and_sizes_of_maps():
    """Overall stride 32 and the strides 2, 2, 1, 1 of the stages."""
    with torch.device("meta"):
        net = DeepStemResNet().eval()
        found = outputs(net, ["conv1", "maxpool", *(f"layer{n}" for n in range(1, 5))], torch.zeros(1, 3, 1024, 1024))
        deep = outputs(DeepStemResNet(channels=512), ["conv1", "maxpool", "layer4"], torch.zeros(1, 512, 64, 64))
    assert [out.shape[-1] for name, out in found.items() if name] == [256, 128, 64, 32, 32, 32]
    assert [out.shape[-1] for name, out in deep.items() if name] == [16, 8, 2]


# -- A5: features ------------------------------------------------------------------------------------------------------


def test_a5_vgg():
    vgg = VggTaps()
    shapes = [tuple(tap.shape[1:]) for tap in vgg(torch.zeros(1, 3, 64, 64))]
    assert shapes == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4)]
    taps = fill_wave(vgg)(ramp(1, 3, 32, 32))
    near(
        torch.stack([tap.sum() for tap in taps]),
        [1818.02255983, 18452.0729974, 464965.524296, 8475711.72641, 29277369.874],
    )
    assert all(tap.min() >= 0 for tap in taps)
    taps = fill_const(vgg, 0.01)(ramp(1, 3, 32, 32))
    sums = [9137.92, 145554.564446, 8686014.91452, 826163935973, 2.77599829757e17]
    near(torch.stack([tap.sum() for tap in taps]), sums)


# -- A6: small pictures and residuals ----------------------------------------------------------------------------------


def test_a6_small_pictures():
    picture = 255 * ramp(2, 3, 64, 64)
    low = box_down(picture)
    near(low[0, 0, 0, :3], [1.011698880976602, 1.053204476093591, 1.0947100712105797], 1e-14)
    near(low.sum(), 195840.0)
    assert torch.equal(low, functional.avg_pool2d(picture, 4))
    phases = sum(picture[..., y::4, x::4] for y in range(4) for x in range(4)) / 16
    assert torch.allclose(low, phases, rtol=1e-14, atol=0)


def test_a6_residuals():
    detector = fill_wave(build_detector("resynthesis_fused", size_px=64, features=8, blocks=2, layers=2))
    picture = ramp(2, 3, 64, 64)
    resynthesis = detector.resynthesise(picture)
    residuals = [detector.residual(picture, stage, resynthesis) for stage in range(6)]
    means = [7.28795943960, 9.12964965003, 133.947760768, 2408.61470010, 107674.950274, 2121853.45236]
    near(torch.stack([residual.mean() for residual in residuals]), means)
    pixel, stage5 = detector.classifiers["pixel"], detector.classifiers["stage5"]
    near(pixel(residuals[0]), [[4377.49555446, 2174.07478031], [17529.6224764, 8704.54619593]])
    near(stage5(residuals[5]), [[14122867.7065, 7111284.67195], [49491199.3334, 24920298.7281]])
