"""What is not as it seems in a picture is said in the table of an extraction, in the score table and beside the score."""

import numpy as np
import pytest
from PIL import Image
from torch import nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.extraction.part import Job, extract_video
from dfworkbench.faces import FaceSettings, NoFaceError, faces_in_file
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

SIDE = 48
WHOLE = FaceSettings(whole=True)
FRAMES = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (SIDE, SIDE, 3), np.uint8)) for i in range(3)]
NOTICES = {
    "moving.webp": "only the first of its 3 pictures was read",
    "pages.tif": "only the first of its 3 pictures was read",
    "layer.png": "what is transparent is shown over white",
    "plain.png": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for name in ("moving.webp", "pages.tif"):
        FRAMES[0].save(root / name, save_all=True, append_images=FRAMES[1:])
    half = Image.fromarray(np.full((SIDE, SIDE), 128, np.uint8))
    Image.merge("RGBA", (*FRAMES[0].split(), half)).save(root / "layer.png")
    FRAMES[0].save(root / "plain.png")
    (root / "frames").mkdir()
    for number in range(4):
        Image.merge("RGBA", (*FRAMES[0].split(), half)).save(root / "frames" / f"{number}.png")
    return root


class Mean(nn.Module):
    input_spec = InputSpec(size_px=32, crop_scale=1.0, alignment="whole")

    def forward(self, images):
        return Prediction(images.flatten(1).mean(dim=1))


@pytest.mark.parametrize("name", NOTICES)
def test_an_extraction_says_it_in_the_video_table(folder, tmp_path, name):
    part = extract_video(Job(f"d/{name}", name, folder / name, tmp_path, "d", WHOLE), threads=1)
    assert (part.video["status"], part.video["reason"]) == ("ok", NOTICES[name])


def test_scores_say_it_in_their_table_and_beside_the_number(folder):
    network = Mean().eval()
    loaded = LoadedDetector(network, "mean", network.input_spec, {}, folder / "none")
    scored = score([folder / name for name in NOTICES], loaded, ScoreSettings(), progress=False)
    assert scored.summary.set_index(scored.summary["video_id"].str.split("/").str[-1])["reason"].to_dict() == NOTICES
    assert set(scored.table["status"]) == {"ok"}
    assert dict(zip(scored.table["video_id"].str.split("/").str[-1], scored.table["reason"], strict=True)) == NOTICES
    for file in scored:
        assert file.reason == ""
        assert NOTICES[file.path.name] in repr(file)
        assert NOTICES[file.path.name] in file._repr_html_()


def test_a_folder_of_frames_speaks_for_its_first_picture(folder):
    found = faces_in_file(folder / "frames", WHOLE)
    assert found.notice == "its first picture: what is transparent is shown over white"


@pytest.mark.parametrize(
    ("width", "height", "least"),
    [(3840, 2160, 60), (2160, 3840, 60), (4000, 3000, 62.5), (3000, 3000, 46.875), (1280, 720, 40), (256, 12288, 40),
     (12288, 256, 40), (1000, 16000, 20 * 16000 / 3 / 1280), (20000, 1, 40)],
)  # fmt: skip
def test_long_pictures_are_searched_by_their_area(width, height, least):
    assert FaceSettings(min_face_px=40).smallest_face_px(width, height) == pytest.approx(least)


@pytest.mark.parametrize(("size", "least"), [((1600, 1200), 44), ((1200, 1200), 40)])
def test_faces_that_are_too_small_to_be_looked_for_are_named(tmp_path, size, least):
    settings = FaceSettings(detect_long_side_px=728)
    Image.new("RGB", size, "grey").save(tmp_path / "large.png")
    with pytest.raises(NoFaceError) as caught:
        faces_in_file(tmp_path / "large.png", settings)
    said = caught.value.file.notice
    assert said.startswith(f"faces under {least} px were not looked for" if least > 40 else "")
    assert bool(said) == (least > 40)
