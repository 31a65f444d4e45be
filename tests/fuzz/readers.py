"""Every reader of files that strangers may have made: a small whole file for each, and the call that reads it."""

import gzip
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image


class Reader(NamedTuple):
    """A reader under test.

    Attributes:
        name: Of the file in its folder.
        seed: Makes the whole file, and what must lie beside it.
        read: Reads the file; may raise our errors and no others.
    """

    name: str
    seed: Callable[[Path], bytes]
    read: Callable[[Path], Any]


def _layout(layout: str) -> Callable[[Path], Any]:
    def read(file: Path) -> Any:
        from dfworkbench.datasets.layouts import read_layout

        return read_layout(layout, file.parent.parent if file.parent.name == "splits" else file.parent, "x")

    return read


def _text(text: str, *beside: str, files: dict[str, str] | None = None) -> Callable[[Path], bytes]:
    def seed(folder: Path) -> bytes:
        for name, content in {**dict.fromkeys(beside, "x"), **(files or {})}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        return text.encode()

    return seed


def _table(kind: str, suffix: str) -> Callable[[Path], bytes]:
    from dfworkbench.datasets.tables import FACES, SCORES, VIDEOS

    rows: dict[str, Any] = {
        "video": VIDEOS.complete(
            [{"video_id": f"x/{i}.mp4", "dataset": "x", "path": f"{i}.mp4", "label": i % 2} for i in range(6)]
        ),
        "score": SCORES.complete(
            [
                {
                    "row_id": f"x/{i}.mp4",
                    "video_id": f"x/{i}.mp4",
                    "label": i % 2,
                    "fake_probability": i / 7,
                    "logit": 0.5,
                }
                for i in range(6)
            ]
        ),
        "face": pd.DataFrame(
            [
                {
                    name: f"x/{i}" if dtype == "str" else i / 9 if dtype == "float64" else i
                    for name, (dtype, _) in FACES.columns.items()
                }
                for i in range(6)
            ]
        ),
    }

    def seed(folder: Path) -> bytes:
        buffer = io.BytesIO()
        rows[kind].to_csv(buffer, index=False) if suffix == "csv" else rows[kind].to_parquet(buffer, index=False)
        return buffer.getvalue()

    return seed


def _read_table(kind: str) -> Callable[[Path], Any]:
    def read(file: Path) -> Any:
        from dfworkbench.datasets.tables import read_table

        return read_table(kind, file)

    return read


def _many_scores(file: Path) -> Any:
    from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide

    return read_wide(file, Reading(["p_*"]))


def _packed(text: str) -> Callable[[Path], bytes]:
    return lambda folder: gzip.compress(text.encode(), mtime=0)


def _scores(file: Path) -> Any:
    from dfworkbench.evaluation.exchange.interchange import read_scores

    return read_scores(file)


def _splits(file: Path) -> Any:
    from dfworkbench.datasets.splits import with_splits

    return with_splits(pd.DataFrame({"video_id": ["x/a"]}), file)


def _torch(folder: Path, zipped: bool = True) -> bytes:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    buffer = io.BytesIO()
    torch.save({"network": net.state_dict(), "epoch": 3}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _tensors(file: Path) -> Any:
    from dfworkbench.media.foreign import read_tensors

    words = {"doing": "importing", "where_to_get": "Get it", "expected": "tensors"}
    return {name: value.sum() for name, value in read_tensors(file, entries=("network",), **words).items()}


def _numpy_pickle(folder: Path) -> bytes:
    return pickle.dumps({"a": np.arange(6, dtype=np.float32), "b": np.zeros((2, 3))}, protocol=2)


def _arrays(file: Path) -> Any:
    from dfworkbench.media.foreign import read_arrays

    return read_arrays(file, doing="reading", where_to_get="Get it", expected="arrays")


def _bench(folder: Path) -> bytes:
    images = [f"x/{i // 2}/{i}.png" for i in range(6)]
    return pickle.dumps({"pred": np.linspace(0, 1, 6), "label": np.arange(6) % 2, "image": images, "acc": 0.5})


def _keras(folder: Path) -> bytes:
    import h5py

    with h5py.File(folder / "whole.h5", "w") as file:
        for layer in (
            *(f"conv2d_{i}" for i in range(1, 5)),
            *(f"batch_normalization_{i}" for i in range(1, 5)),
            "dense_1",
        ):
            for name in ("kernel:0", "bias:0"):
                file[f"{layer}/{layer}/{name}"] = np.ones((3, 3, 2, 2) if name[0] == "k" else 2, np.float32)
    return (folder / "whole.h5").read_bytes()


def _mesonet(file: Path) -> Any:
    from dfworkbench.methods.mesonet.weights import load_mesonet

    return load_mesonet(file)


def _safetensors(folder: Path) -> bytes:
    from dfworkbench.models import build_detector
    from dfworkbench.runs.checkpoints import save_detector

    file = folder / "whole.safetensors"
    return save_detector(file, build_detector("mesonet4"), "mesonet4", {}, {"epoch": 1}).read_bytes()


def _detector(file: Path) -> Any:
    from dfworkbench.runs.checkpoints import load_detector

    return load_detector(file)


def _shared(folder: Path) -> bytes:
    from dfworkbench.core.workspace import Workspace
    from dfworkbench.runs.run import Run
    from dfworkbench.sharing import share

    run = _imported(folder)
    share(Run(run), folder / "whole.zip", workspace=Workspace(folder))
    return (folder / "whole.zip").read_bytes()


def _imported(folder: Path) -> Path:
    from dfworkbench.models import build_detector
    from dfworkbench.runs.checkpoints import load_detector, save_detector
    from dfworkbench.runs.writer import write_imported

    torch.manual_seed(0)
    file = save_detector(folder / "a.safetensors", build_detector("mesonet4", size_px=32), "mesonet4", {"size_px": 32})
    write_imported(folder / "run", load_detector(file), {})
    return folder / "run"


def _fetched(file: Path) -> Any:
    import shutil

    from dfworkbench.core.workspace import Workspace
    from dfworkbench.sharing import fetch

    try:
        return fetch(file, workspace=Workspace(file.parent / "there"))
    finally:
        shutil.rmtree(file.parent / "there", ignore_errors=True)


def _share_list(folder: Path) -> bytes:
    from dfworkbench.sharing.manifest import list_files

    return list_files(_imported(folder), "run", None).to_bytes()


def _manifest(file: Path) -> Any:
    from dfworkbench.sharing.manifest import read_manifest

    return read_manifest(file.read_bytes(), "x")


def _delta(folder: Path) -> bytes:
    from dfworkbench.runs.weight_delta import compare, content_hash, write_delta
    from dfworkbench.runs.weight_file import read_header

    base = folder / "run" / "epoch_000.safetensors"
    _imported(folder)
    same = compare(base, base)
    some = same.__class__(same.same[3:], same.same[:3], 0, 1)
    write_delta(folder / "d.safetensors", base, some, {"content": content_hash(base)}, read_header(base)[0])
    return (folder / "d.safetensors").read_bytes()


def _rebuilt(file: Path) -> Any:
    from dfworkbench.runs.weight_delta import rebuild

    rebuild(file.parent / "new.safetensors", file, file.parent / "run" / "epoch_000.safetensors")
    return True


def _resume(file: Path) -> Any:
    from dfworkbench.runs.writer import RunWriter

    return RunWriter(file.parent, "mesonet4", {}, "binary", {}, {}).resume()


def _picture(suffix: str) -> Callable[[Path], bytes]:
    def seed(folder: Path) -> bytes:
        picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        return cv2.imencode(suffix, cv2.GaussianBlur(picture, (5, 5), 0))[1].tobytes()

    return seed


def _own_png(folder: Path) -> bytes:
    from dfworkbench.media.pictures.images import encode_png

    return encode_png(np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8))


def _image(file: Path) -> Any:
    from dfworkbench.media.pictures.images import read_image

    return read_image(file)


def _photo(folder: Path) -> bytes:
    """A JPEG with EXIF data and, where c2pa-python is installed, signed content credentials."""
    try:
        from c2pa_signing import signed_jpeg

        signed = signed_jpeg(folder / "signed.jpg")
    except ImportError:
        signed = folder / "signed.jpg"
        Image.new("RGB", (64, 48), "grey").save(signed)
    exif = Image.Exif()
    exif[0x0110] = "camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0)})
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    data = signed.read_bytes()
    return data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2) + block + data[2:]


def _film(folder: Path) -> bytes:
    from dfworkbench.media import VideoWriter

    noise = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3)).astype(np.uint8)
    with VideoWriter(folder / "whole.mp4", 25, 64, 48, 30) as writer:
        for frame in noise:
            writer.write(frame)
    return (folder / "whole.mp4").read_bytes()


def _facts(file: Path) -> Any:
    from dfworkbench.media.container import container_facts

    return json.dumps(container_facts(file, private=True), allow_nan=False)


def _credentials(file: Path) -> Any:
    from dfworkbench.media.content_credentials import content_credentials

    return json.dumps(content_credentials(file).to_dict(), allow_nan=False)


def _case_log(folder: Path) -> bytes:
    from dfworkbench.evidence.record.folder import LOG, Record

    with Record.create(folder.parent / "cases", "a") as record:
        record.add("fit", slope=1.5)
        record.examined()
        record.seal()
    return (record.folder / LOG).read_bytes()


def _case(file: Path) -> Any:
    from dfworkbench.evidence.record.verify import verify_case

    return str(verify_case(file.parent))


def _npz(folder: Path) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, landmarks=np.ones((3, 81, 2)))
    return buffer.getvalue()


def _npy(folder: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 68, 2)))
    return buffer.getvalue()


def _dense(file: Path) -> Any:
    from dfworkbench.datasets.dense_landmarks import read_dense
    from dfworkbench.datasets.tables import BOX_COLUMNS

    faces = pd.DataFrame([{"video_id": "x/a", "frame": 0, **dict.fromkeys(BOX_COLUMNS, 1.0)}])
    videos = pd.DataFrame([{"video_id": "x/a", "path": "a", "landmarks_path": file.name}])
    return read_dense(file.parent, videos, faces)


def _protocol_text(folder: Path) -> bytes:
    from dfworkbench.evaluation.judging.protocol import Protocol

    made = Protocol(dataset="x", split_hash="0" * 64, videos=3)
    return json.dumps({"sha256": made.sha256, "protocol": made.model_dump(mode="json")}).encode()


def _protocol(file: Path) -> Any:
    from dfworkbench.evaluation.judging.protocol import Protocol

    return Protocol.load(file)


def _calibrator(file: Path) -> Any:
    from dfworkbench.evaluation.judging.calibration import Calibrator

    return Calibrator.load(file)


def _settings(file: Path) -> Any:
    from dfworkbench.training.settings import TrainSettings

    return TrainSettings.read(file)


def _best(file: Path) -> Any:
    from dfworkbench.runs.run import find_checkpoint

    (file.parent / "epoch_001.safetensors").touch()
    return find_checkpoint(file.parent)


def _notebook_text(folder: Path) -> bytes:
    import nbformat

    cell = nbformat.v4.new_code_cell(
        'name: str = "x"  # of the run\nepochs: int = 3', metadata={"tags": ["parameters"]}
    )
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()


def _notebook(file: Path) -> Any:
    from dfworkbench.notebook.parameters import read_notebook, read_parameters

    return read_parameters(read_notebook(file))


def _map(folder: Path) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer, values=np.ones((2, 2)), standard_error=np.ones((2, 2)), record=np.array(json.dumps({"settings": {}}))
    )
    return buffer.getvalue()


def _load_map(file: Path) -> Any:
    from dfworkbench.explain.shapley.map_files import load_map

    return load_map(file)


_WIDE = "path,label,source,p_one,p_two,ms\na.png,0,cam,0.5,,1\nb.png,1,gan,0.75,0.2,2\nc,fake,gan,,0.1,3\n"
_DFDC = '{"a.mp4":{"label":"REAL","split":"train"},"b.mp4":{"label":"FAKE","split":"test","original":"a.mp4"}}'
_PREVIEW = (
    '{"method_A/1/a.mp4":{"label":"fake","set":"train","target_id":1,"swapped_id":2},'
    '"c.mp4":{"label":"real","set":"test","target_id":3}}'
)
_LDM = (
    '{"./r/1/f_0":{"label":0,"landmark":[[1,2],[3,4]]},"./f/1_2/f_0":{"label":1,"landmark":[[1,2]],"source_path":"./r/1/f_0"},'
    '"f/3_4/f_1":{"det_label":1,"source_label":"035","target_label":36}}'
)
_LISTS = "1,FF++/manipulated_sequences/Deepfakes/c23/frames/071_054.mp4,92\n1,x/b.mp4,3\n"
_SOUND = "train_mp4,label,original,split,audio_altered\nb.mp4,FAKE,a.mp4,train,True\nc.mp4,FAKE,a.mp4,train,False\n"
_BENCH = (
    '{"FF-DF":{"FF-real":{"train":{"c23":{"000":{"label":"FF-real","frames":["a/frames/000/0.png","a/frames/000/1.png"]}}}},'
    '"FF-DF":{"test":{"c23":{"000_001":{"label":"FF-DF","frames":["a\\\\frames\\\\000_001\\\\0.png","a\\\\frames\\\\000_001\\\\1.png"]}}}}},'
    '"x":{"y":{"val":{"id0_id1_0000":{"label":"CelebDFv2_fake","frames":"b.mp4"}},"test":{"90170":{"label":"x_real","frames":[]}}}}}'
)
_FF = "original_sequences/youtube/c23/videos/000.mp4", "manipulated_sequences/Deepfakes/c23/videos/000_001.mp4"

READERS: dict[str, Reader] = {
    "dfdc": Reader("metadata.json", _text(_DFDC, "a.mp4", "b.mp4"), _layout("dfdc")),
    "dfdc_sound": Reader(
        "metadata_audio_altered.csv", _text(_SOUND, "a.mp4", "b.mp4", files={"metadata.json": _DFDC}), _layout("dfdc")
    ),
    "dfdc_preview": Reader("dataset.json", _text(_PREVIEW, "method_A/1/a.mp4", "c.mp4"), _layout("dfdc")),
    "ldm": Reader("ldm.json", _text(_LDM, "r/1/f_0.png", "f/1_2/f_0.png", "f/3_4/f_1.png"), _layout("ldm")),
    "list_files": Reader("train_fake.txt", _text(_LISTS, "x/b.mp4/1.png"), _layout("list_files")),
    "picture_lists": Reader(
        "train_real.txt", _text("./a/1.png\na/2.png\n", "a/1.png", "a/2.png"), _layout("picture_lists")
    ),
    "celebdf": Reader(
        "List_of_testing_videos.txt",
        _text("1 YouTube-real/00170.mp4\n0 Celeb-real/id0_0000.mp4\n", "Celeb-real/id0_0000.mp4"),
        _layout("celebdf"),
    ),
    "faceforensics": Reader(
        "splits/train.json",
        _text('[["000","001"],["002","003"]]', *(f"../{name}" for name in _FF)),
        _layout("faceforensics"),
    ),
    "youtube_clips": Reader(
        "conversion_dict.json",
        _text('{"000":"ab_CD-12345 0","001":"ab_CD-12345 1","002":"x 0"}', *_FF),
        _layout("faceforensics"),
    ),
    "bench_set": Reader("set.json", _text(_BENCH, "a/frames/000/0.png", "b.mp4"), _layout("deepfakebench")),
    "generated_images": Reader(
        "groups.csv",
        _text("path,group\nreal/a.png,p1\nfake/g/b.png,p2\n", "real/a.png", "fake/g/b.png"),
        _layout("generated_images"),
    ),
    "video_csv": Reader("videos.csv", _table("video", "csv"), _read_table("video")),
    "video_parquet": Reader("videos.parquet", _table("video", "parquet"), _read_table("video")),
    "face_parquet": Reader("faces.parquet", _table("face", "parquet"), _read_table("face")),
    "score_csv": Reader(
        "scores.csv", _text("path,label,score,frame\na.png,0,0.5,1\nb.png,1,0.75,2\nc,fake,,\n"), _scores
    ),
    "wide_scores": Reader("wide.csv", _text(_WIDE), _many_scores),
    "wide_scores_gz": Reader("wide.csv.gz", _packed(_WIDE), _many_scores),
    "own_score_csv": Reader("scores.csv", _table("score", "csv"), _scores),
    "score_parquet": Reader("scores.parquet", _table("score", "parquet"), _scores),
    "deepfakebench": Reader("metric_dict_best.pickle", _bench, _scores),
    "splits_csv": Reader("splits.csv", _text("video_id,group,split\nx/a,1,train\nx/b,2,test\n"), _splits),
    "torch_zip": Reader("w.pth", _torch, _tensors),
    "torch_old": Reader("w.pth", lambda folder: _torch(folder, zipped=False), _tensors),
    "resume": Reader("resume.pt", _torch, _resume),
    "numpy_pickle": Reader("w.pkl", _numpy_pickle, _arrays),
    "hdf5": Reader("w.h5", _keras, _mesonet),
    "safetensors": Reader("w.safetensors", _safetensors, _detector),
    "shared_zip": Reader("run.zip", _shared, _fetched),
    "shared_list": Reader("share.json", _share_list, _manifest),
    "delta": Reader("delta.safetensors", _delta, _rebuilt),
    **{
        f"picture{suffix}": Reader(f"a{suffix}", _picture(suffix), _image)
        for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp", ".gif")
    },
    "picture_own": Reader("a.png", _own_png, _image),
    "facts_jpg": Reader("a.jpg", _photo, _facts),
    "facts_png": Reader("a.png", _own_png, _facts),
    "facts_mp4": Reader("a.mp4", _film, _facts),
    "credentials": Reader("a.jpg", _photo, _credentials),
    "case": Reader("log.jsonl", _case_log, _case),
    "landmarks_npz": Reader("a.npz", _npz, _dense),
    "landmarks_npy": Reader("a.npy", _npy, _dense),
    "landmarks_json": Reader("ldm.json", _text(_LDM, "a/f_0.png"), _dense),
    "map": Reader("a.npz", _map, _load_map),
    "protocol": Reader("p.json", _protocol_text, _protocol),
    "calibrator": Reader("c.json", _text('{"kind":"platt","level":"video","slope":1.0,"offset":0.0}'), _calibrator),
    "settings": Reader("s.json", _text('{"dataset":"x","epochs":3,"learning_rate":0.001,"kinds":["a"]}'), _settings),
    "best": Reader("best.json", _text('{"epoch":1,"file":"epoch_001.safetensors","val":{}}'), _best),
    "notebook": Reader("n.ipynb", _notebook_text, _notebook),
}
