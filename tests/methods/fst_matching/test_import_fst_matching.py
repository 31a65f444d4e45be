"""Files of FST-Matching, and pickles of arrays in general. No published file is at hand: all are written here, under the
authors' names, with the entries that the specification lists (section 7)."""

import io
import json
import os
import pickle
import pickletools
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision import models

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import CheckpointError, DataNotFoundError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.media.foreign import numpy_pickles, pickle_machine, read_arrays
from dfworkbench.methods.fst_matching.weights import ROLES
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.released import load_released

FED = InputSpec(size_px=224, crop_scale=1.0, alignment="five_points", channel_order="bgr", value_range=(0.0, 255.0))


# -- files ---------------------------------------------------------------------------------------------------------------


def value_of(key, shape):
    """Seeded by the name; of a size that lets answers neither vanish nor explode."""
    rs = np.random.RandomState(zlib.crc32(key.encode()))
    if key.endswith("running_var"):
        return rs.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) > 1:
        spread = np.sqrt(2 / np.prod(shape[1:])) / (1000 if shape[1] == 3 else 1)  # pictures are 0..255
        return (rs.standard_normal(shape) * spread).astype(np.float32)
    return (rs.uniform(0.5, 1.0, shape) if key.endswith(".weight") else rs.uniform(-0.1, 0.1, shape)).astype(np.float32)


def resnet_shapes(classes, prefix=""):
    with torch.device("meta"):
        state = models.resnet18(num_classes=classes).state_dict()
    return {f"{prefix}{key}": tuple(value.shape) for key, value in state.items() if "num_batches" not in key}


def fst_shapes(classes=1000):
    shapes = resnet_shapes(classes, "source_encoder.") | resnet_shapes(classes, "target_encoder.")
    for gate in ("source_se", "target_se"):
        shapes |= {f"{gate}.fc.0.weight": (32, 512), f"{gate}.fc.2.weight": (512, 32)}
    return shapes | {"fc.weight": (2, 1024), "fc.bias": (2,)}


def seeded(shapes):
    return OrderedDict((key, value_of(key, shape)) for key, shape in shapes.items())


def hollow(shapes):
    """Right shapes at once: for refusals, and where numbers do not matter."""
    return OrderedDict((key, np.zeros(shape, np.float32)) for key, shape in shapes.items())


def older(state):
    """Batch norms as older MegEngine writes them: (1, C, 1, 1)."""

    def is_norm(key):
        return ".bn" in f".{key}" or "downsample.1." in key

    return OrderedDict((key, v.reshape(1, -1, 1, 1) if is_norm(key) else v) for key, v in state.items())


@pytest.fixture
def path(tmp_path):
    """Files of 47 and 94 MB are not left to the end of all tests."""
    yield tmp_path / "res18.pkl"
    (tmp_path / "res18.pkl").unlink(missing_ok=True)


def write(path, content, protocol=pickle.HIGHEST_PROTOCOL):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


# -- forward passes from the specification (sections 2 and 3.1), without our networks --------------------------------------


def images(size=224):
    return torch.from_numpy(np.random.RandomState(0).uniform(0, 255, (1, 3, size, size)).astype(np.float32))


def tensor(state, key):
    return torch.from_numpy(state[key].copy())


def expected_resnet(state, x, prefix=""):
    """Pooled description and logits."""
    own = {key.removeprefix(prefix): tensor(state, key) for key in state if key.startswith(prefix)}
    net = models.resnet18(num_classes=len(own["fc.bias"]))
    missing = net.load_state_dict({key: value.flatten() if value.ndim == 4 and len(value) == 1 else value
                                   for key, value in own.items()}, strict=False)  # fmt: skip
    assert not missing.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    described = []
    net.avgpool.register_forward_hook(lambda module, given, _: described.append(F.avg_pool2d(given[0], 7).flatten(1)))
    with torch.no_grad():
        logits = net.eval()(x)
    return described[0], logits


def expected_fst(state, x):
    """Logits of real and fake, of the carrier and of the donor."""
    rests, people = {}, {}
    for side in ("source", "target"):
        described, _ = expected_resnet(state, x, f"{side}_encoder.")
        hidden = F.relu(described @ tensor(state, f"{side}_se.fc.0.weight").T)
        gate = torch.sigmoid(hidden @ tensor(state, f"{side}_se.fc.2.weight").T)
        rests[side] = described * (1 - gate)
        weight, bias = tensor(state, f"{side}_encoder.fc.weight"), tensor(state, f"{side}_encoder.fc.bias")
        people[side] = (described * gate) @ weight.T + bias
    joint = torch.cat([rests["target"], rests["source"]], dim=1)
    return joint @ tensor(state, "fc.weight").T + tensor(state, "fc.bias"), people["source"], people["target"]


def assert_alike(found, expected):
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert expected.abs().max() > 1e-3


def answers(detector, x):
    with torch.no_grad():
        return detector(x)


# -- networks ------------------------------------------------------------------------------------------------------------


def test_encoder_gives_what_the_original_does(path):
    state = older(seeded(resnet_shapes(1000)))
    assert len(state) == 102
    loaded = load_released("fst_matching", write(path, state, 2), role="source")
    assert (loaded.name, loaded.metadata["options"]) == ("identity_resnet18", {"authors_input": True, "classes": 1000})
    assert loaded.input_spec == FED
    assert not loaded.detector.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in loaded.detector.parameters())
    tracked = [value for key, value in loaded.detector.state_dict().items() if key.endswith("num_batches_tracked")]
    assert len(tracked) == 20
    assert {(value.dtype, value.item()) for value in tracked} == {(torch.int64, 0)}
    path.write_bytes(b"")  # the detector does not read the file any more
    found = answers(loaded.detector, images())
    assert_alike(found.aux["identity_logits"], expected_resnet(state, images())[1])
    assert found.logit.isnan().all()


def test_detector_answers_with_the_log_odds_of_class_1(toy, path):
    state = seeded(resnet_shapes(2))
    assert cli.main(["import", "fst_matching", str(write(path, state)), "-p", "role", "detection"]) == 0
    loaded = load_detector("fst_matching_res18", workspace=toy)
    assert loaded.input_spec == FED
    _, expected = expected_resnet(state, images())
    found = answers(loaded.detector, images())
    assert_alike(found.aux["class_logits"], expected)
    assert 0.01 < expected.softmax(1)[0, 1] < 0.99
    assert_alike(found.logit.sigmoid(), expected.softmax(1)[:, 1])
    assert loaded.metadata["options"] == {
        "alignment": "five_points", "authors_input": True, "crop_scale": 1.0, "two_logits": True,
    }  # fmt: skip
    record = json.loads((toy.checkpoints / "fst_matching_res18" / "provenance.json").read_text())
    assert record["source"]["options"] == {"role": "detection"}
    (toy.checkpoints / "fst_matching_res18" / "epoch_000.safetensors").unlink()


def test_fst_matching_gives_what_the_original_does(path):
    state = seeded(fst_shapes())
    assert len(state) == 210
    loaded = load_released("fst_matching", write(path, state))
    assert (loaded.name, loaded.metadata["options"]) == ("fst_matching", {"authors_input": True, "classes": 1000})
    assert loaded.input_spec == FED
    assert sum(p.numel() for p in loaded.detector.parameters()) == 23_446_610
    classes, carriers, donors = expected_fst(state, images())
    found = answers(loaded.detector, images())
    assert_alike(found.aux["class_logits"], classes)
    assert_alike(found.aux["carrier_logits"], carriers)
    assert_alike(found.aux["donor_logits"], donors)
    torch.testing.assert_close(found.logit, classes[:, 1] - classes[:, 0])


@pytest.mark.parametrize(
    ("shapes", "role", "name", "classes"),
    [
        (resnet_shapes(1000), "", "identity_resnet18", 1000),
        (resnet_shapes(7), "target", "identity_resnet18", 7),
        (resnet_shapes(7), "carrier", "identity_resnet18", 7),
        (resnet_shapes(2), "donor", "identity_resnet18", 2),
        (resnet_shapes(2), "", "resnet18", None),
        (fst_shapes(5), "fst_matching", "fst_matching", 5),
    ],
)
def test_network_follows_from_role_or_shapes(path, shapes, role, name, classes):
    loaded = load_released("fst_matching", write(path, hollow(shapes)), **({"role": role} if role else {}))
    assert (loaded.name, loaded.metadata["options"].get("classes")) == (name, classes)
    assert name == ROLES[role or {"identity_resnet18": "source", "resnet18": "detection"}[name]]


def test_encoder_as_a_run_is_not_offered_for_scoring(toy, path, capsys):
    write(path, hollow(resnet_shapes(3)))
    assert cli.main(["import", "fst_matching", str(path), "--name", "who", "-p", "role", "target"]) == 0
    assert capsys.readouterr().out == f"imported: {toy.checkpoints / 'who'} (identity_resnet18)\n"
    assert load_detector("who").metadata["options"]["classes"] == 3


def refused(path, message, content=None, **options):
    if content is not None:
        write(path, content)
    with pytest.raises(CheckpointError, match=message):
        load_released("fst_matching", path, **options)


def test_other_networks_are_explained(path):
    small = hollow(resnet_shapes(4))
    refused(path, r"does not fit the role 'detection', resnet18, with 2 differences: fc\.weight is \(4, 512\), expected "
            r"\(2, 512\); fc\.bias .*leave out role=", small, role="detection")  # fmt: skip
    refused(path, r"'fst_matching', fst_matching, with \d+ differences: fc\.weight is \(4, 512\), expected \(2, 1024\)",
            role="fst_matching")  # fmt: skip
    any_role = r"does not fit any role; closest is identity_resnet18, with 1 differences: "
    rest = OrderedDict(small)
    del rest["layer4.1.bn2.running_var"]
    refused(path, any_role + r"missing layer4\.1\.bn2\.running_var \(512,\)", rest)
    refused(path, any_role + r"unexpected extra \(3,\)", small | {"extra": np.zeros(3)})
    refused(path, any_role + r"bn1\.bias is \(64, 1\), expected \(64,\)", small | {"bn1.bias": np.zeros((64, 1))})
    refused(path, any_role + r"fc\.bias is \(1, 4, 1, 1\), expected", small | {"fc.bias": np.zeros((1, 4, 1, 1))})
    refused(path, any_role + r"conv1\.weight has type int8", small | {"conv1.weight": np.zeros((64, 3, 7, 7), np.int8)})
    deeper = {
        key: np.zeros(tuple(v.shape), np.float32) for key, v in models.resnet34(num_classes=4).state_dict().items()
    }
    refused(path, r"closest is identity_resnet18, with \d+ differences: unexpected ", deeper)
    refused(path, r"closest is identity_resnet18, with 103 differences: missing conv1\.weight", {"a": np.zeros(3)})


def test_unknown_roles_and_missing_files(tmp_path):
    with pytest.raises(UnknownNameError, match=r"no role of a network of FST-Matching is called 'detect'.*'detection'"):
        load_released("fst_matching", tmp_path / "none.pkl", role="detect")
    with pytest.raises(
        DataNotFoundError, match=r"none\.pkl does not exist\. Get .*Google Drive .*megvii-research/FST-Mat"
    ):
        load_released("fst_matching", tmp_path / "none.pkl")


# -- pickles of arrays -----------------------------------------------------------------------------------------------------


def read(path):
    return read_arrays(path, doing="reading", where_to_get="Get it", expected="arrays")


def not_read(path, message, content=None):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read(path)
    assert len(str(caught.value)) < 1000


def several():
    rs = np.random.RandomState(1)
    return OrderedDict(
        {
            "conv1.weight": rs.standard_normal((4, 3, 2, 2)).astype(np.float32),
            "by columns": np.asfortranarray(rs.standard_normal((3, 5))),
            "mixed axes": rs.standard_normal((2, 3, 4)).transpose(1, 0, 2),
            "strided": rs.standard_normal((6, 6))[::2, ::3],
            "half": rs.standard_normal(3).astype(np.float16),
            "big endian": np.arange(5, dtype=">i4"),
            "one number": np.array(7, np.uint8),
            "yes": np.array([True, False]),
            "scalar": np.float32(2.5),
        }
    )


def in_numpy_1(content):
    """The same pickle with the module names of NumPy 1; `optimize` counts the lengths of frames anew."""
    for module in (b"multiarray", b"numeric"):
        new, old = b"numpy._core." + module, b"numpy.core." + module
        content = content.replace(bytes([len(new)]) + new, bytes([len(old)]) + old).replace(new, old)
    assert b"numpy._core" not in content
    assert b"numpy.core" in content
    return pickletools.optimize(content)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("numpy", [1, 2])
@pytest.mark.parametrize("ordered", [True, False])
def test_every_protocol_and_spelling(path, protocol, numpy, ordered):
    expected = several() if ordered else dict(several())
    content = pickle.dumps(expected, protocol)
    path.write_bytes(in_numpy_1(content) if numpy == 1 else content)
    found = read(path)
    assert list(found) == list(expected)
    for key, value in expected.items():
        native = np.asarray(value, value.dtype.newbyteorder("="))
        np.testing.assert_array_equal(found[key], native, strict=True)
        assert not found[key].flags.writeable


class Bomb:
    """Runs something while it is unpickled."""

    def __init__(self, function, *values):
        self.how = function, values

    def __reduce__(self):
        return self.how


class Sleeper:
    """A class of another program."""


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "values", "named"),
    [
        (os.system, ("touch {}",), r"(posix|nt)\.system"),
        (eval, ("open({!r}, 'w')",), r"(builtins|__builtin__)\.eval"),
        (open, ("{}", "w"), r"(_?io)\.open"),
        (Path.touch, (Path("{}"),), r"\S+"),
        (np.save, ("{}", 1), r"numpy(\.lib\S*)?\.save"),
    ],
)
def test_code_is_refused_and_not_run(path, tmp_path, protocol, function, values, named):
    made = tmp_path / "made.npy"
    given = tuple(type(value)(str(value).format(str(made))) if value != 1 else 1 for value in values)
    for content in (
        Bomb(function, *given),
        {"fc.bias": Bomb(function, *given)},
        {"a": np.zeros(2), "b": [Bomb(function, *given)]},
    ):
        write(path, content, protocol)
        not_read(
            path, rf"holds a pickled {named} beside or instead of arrays, and unpickling that could run any program"
        )
        assert not made.exists()


def test_bombs_of_this_test_do_explode(path, tmp_path):
    write(path, Bomb(os.system, f"touch {tmp_path / 'made'}"))
    pickle.loads(path.read_bytes())
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"cnumpy._core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__reduce__\x93.",
        b"ccollections\nOrderedDict.fromkeys\n.",
        b"c_codecs\ndecode\n.",
        b"(icollections\nCounter\n.",
        b"cbuiltins\nbytes\n(I9\ntR.",
    ],
)
def test_names_beside_the_known_ones(path, content):
    not_read(path, r"holds a pickled \S+ beside or instead of arrays", content)


def test_known_names_do_only_what_numpy_does_with_them(path):
    damaged = "is damaged"
    for content in (
        b"cnumpy\nndarray\n(I9\ntR.",  # no array of another shape without bytes
        b"c_codecs\nencode\n(Vabc\nVutf-16\ntR.",
        b"ccollections\nOrderedDict\n((lp0\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(V1\nV2\nV3\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(V1\nV2\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n}b.",  # a state for a function
        b"cnumpy.core.multiarray\n_reconstruct\n(N}V__defaults__\n(tstb.",
        b"cnumpy\ndtype\n(Vf4\ntR(I3\ntb.",
    ):
        not_read(path, damaged, content)
    not_read(path, r"the name 'a' has a value of type list", pickle.dumps({"a": [1]}))
    not_read(path, r"the name 'a' has a value of type Stand", b"}(Va\ncnumpy\ndtype\nu.")
    assert read(write(path, several()))


def test_arrays_of_other_types(path):
    for array, kind in (
        (np.array([{}, 1], object), "Python objects"),
        (np.array([Sleeper()], object), "Python objects"),
        (np.array(["text"]), "type 'U4'"),
        (np.array(["2020"], "datetime64[D]"), "type 'M8'"),
        (np.zeros(2, [("x", "f4")]), "type 'V4'"),
        (np.zeros(2, complex), "type 'c16'"),
    ):
        for protocol in (0, 2, 4, 5):
            not_read(
                path, rf"holds (an array of {kind}|a pickled \S+Sleeper)", pickle.dumps({"fc.bias": array}, protocol)
            )
    for content, kind in (
        (Sleeper(), r"test_import_fst_matching\.Sleeper"),
        (several()["half"].view(np.recarray), "numpy"),
    ):
        not_read(path, rf"holds a pickled \S*{kind}", pickle.dumps({"a": content}))


def test_other_contents(path):
    for content, message in (
        ([np.zeros(2)], "holds a pickled list"),
        (np.zeros(2), "holds a pickled _Array"),
        ({}, "holds an empty dict"),
        ({"epoch": 3}, "the name 'epoch' has a value of type int"),
        ({"state_dict": several()}, "the name 'state_dict' has a value of type dict"),
        ({3: np.zeros(2)}, "the name of type int has a value of type array"),
    ):
        not_read(path, message + r".*\. Expected arrays, and nothing else", pickle.dumps(content))


def test_damaged_files(path):
    whole = pickle.dumps(several())
    for content in (b"", b"hello", b"<!DOCTYPE html><html>", bytes(1000), whole[: len(whole) // 2], whole[:-1]):
        not_read(path, r"is damaged .*it begins with b.*Get it again", content)
    torch.save({"fc.bias": torch.zeros(2)}, path)
    not_read(path, r"begins with b'PK")
    torch.save({"fc.bias": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    not_read(path, "holds a pickled int")
    for place in range(3, len(whole), 97):  # one flipped byte: an array of other numbers, or a message
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            read(path)
        except CheckpointError:
            continue


def test_files_that_ask_for_more_memory_than_they_have_bytes(path, monkeypatch):
    def array(shape, data=b"1234"):
        state = b"(I1\n" + shape + b"cnumpy\ndtype\n(Vf4\ntRI00\nc_codecs\nencode\n(V" + data + b"\nVlatin1\ntRtb"
        return b"}(Va\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR" + state + b"u."

    assert read(path_with(path, array(b"(I1\nt")))["a"].shape == (1,)
    for shape in (b"(I1000000000000\nt", b"(I-1\nt", b"(I-1\nI-1\nt", b"(I0\nI99999999999999\nt", b"(I2\nt", b"V\n"):
        not_read(path, "is damaged", array(shape))
    for content in (
        b"\x80\x05\x96" + (1 << 36).to_bytes(8, "little"),
        b"\x80\x05\x8e" + (1 << 40).to_bytes(8, "little"),
    ):
        not_read(path, "is damaged", content + b"abc.")
    not_read(path, r"the number 2,147,483,647 after 2 instructions", b"\x80\x04}r\xff\xff\xff\x7f.")
    again = b"c_codecs\nencode\np0\n(V" + b"x" * 1000 + b"\nVlatin1\ntp1\nR0" + b"g0\ng1\nR0" * 10 + b"}."
    not_read(path, "bytes that NumPy would not write so", again)
    not_read(path, "of another program", b"\x80\x04}\x82\x01.")
    monkeypatch.setattr(pickle_machine, "MOST_INSTRUCTIONS", 100)
    not_read(path, "more than 100 pickle instructions", b"]" * 200 + b".")
    monkeypatch.setattr(numpy_pickles, "LARGEST_BYTES", 100)
    not_read(path, r"holds 201 bytes, more than 100. Expected arrays")


def path_with(path, content):
    path.write_bytes(content)
    return path


def test_what_is_read_is_what_pickle_reads(path):
    """Numbers of a file with shared parts: the same types, shapes and bytes stand once in a pickle."""
    part = np.arange(6, dtype=np.float32)
    state = OrderedDict(a=part, b=part, c=part.reshape(2, 3), d=np.zeros((2, 3), np.float32))
    for protocol in range(6):
        found = read(write(path, state, protocol))
        expected = pickle.load(io.BytesIO(path.read_bytes()))
        assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in expected.items()}
