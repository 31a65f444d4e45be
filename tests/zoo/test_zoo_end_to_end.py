"""From the address on a card to a score: fetched from a loopback mirror, hashed, imported, scored, with its caveats."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from authors_files import dfb_meso4, prefixed, timm_shapes
from PIL import Image
from safetensors.torch import save_file
from seeded_weights import seeded_file
from weight_server import WeightServer

from dfworkbench import __main__ as cli
from dfworkbench import zoo
from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.provenance import file_hash
from dfworkbench.runs.run import Run
from dfworkbench.zoo.cache import read_record, record_path, target_path
from dfworkbench.zoo.card_runs import import_file, run_of

pytestmark = pytest.mark.usefixtures("home")
TRIALS = Path(os.environ.get("DFWORKBENCH_TRIALS", ""))
MESONET = TRIALS / "weights" / "mesonet"
CLIP = TRIALS / "media" / "clips" / "d0.mp4"


def offer(mirror: WeightServer, card: str, file: str, content: bytes) -> None:
    url = zoo.get_card(card).file(file).url
    mirror.files["/" + url.partition("://")[2]] = content


def test_seeded_weights_of_two_cards(mirror, home, tmp_path, capsys):
    trunk = timm_shapes("vit_small_patch16_224", num_classes=1)
    save_file(seeded_file(prefixed(trunk, "vit.")), tmp_path / "commfor.safetensors")
    torch.save(seeded_file(prefixed(dfb_meso4(), "backbone.")), tmp_path / "meso4.pth")
    offer(mirror, "commfor_224", "", (tmp_path / "commfor.safetensors").read_bytes())
    offer(mirror, "dfb_meso4", "", (tmp_path / "meso4.pth").read_bytes())
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for seed in range(2):
        noise = np.random.RandomState(seed).randint(0, 256, (300, 400, 3), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / f"{seed}.png")

    words = ["zoo", "score", "commfor_224,dfb_meso4", str(pictures), "--get"]
    assert cli.main(words) == 2
    assert "--accept-licence dfb_meso4" in capsys.readouterr().err
    assert not mirror.asked  # terms are looked at before anything is fetched
    assert cli.main([*words, "--accept-licence", "dfb_meso4"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "commfor_224: 2 of 2 files scored" in said
    assert "dfb_meso4: 0 of 2 files scored" in said  # noise shows no face
    for card in map(zoo.get_card, ("commfor_224", "dfb_meso4")):
        assert f"licence of the weights of {card.name}: {card.licence_weights}" in said
        assert card.caveats[0] in said
        source = Run(home / "checkpoints" / card.name).provenance["source"]
        assert source["card"]["name"] == card.name
    asked = len(mirror.asked)

    shutil.rmtree(home / "weights")  # the runs are what is used afterwards
    scored = zoo.score(["commfor_224"], pictures, progress=False)
    assert len(scored) == 1
    assert all(file.ok for file in scored[0])
    assert len(mirror.asked) == asked


@pytest.mark.trials
@pytest.mark.skipif(
    not MESONET.is_dir() or not CLIP.is_file(), reason="DFWORKBENCH_TRIALS has no weights/mesonet or no media/clips"
)
def test_mesonet_as_published_on_a_real_clip(mirror, home, capsys):
    files = ("Meso4_DF.h5", "MesoInception_DF.h5")
    for name in files:
        offer(mirror, "mesonet", name, (MESONET / name).read_bytes())
        assert cli.main(["zoo", "get", f"mesonet:{name}"]) == 0
        path = home / "weights" / "mesonet" / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == zoo.get_card("mesonet").file(name).sha256
    names = ",".join(f"mesonet:{name}" for name in files)
    assert cli.main(["zoo", "score", names, str(CLIP), "--frames", "8"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("d0.mp4: fake probability") == 2
    assert said.count("Apache-2.0") >= 2
    for name in files:
        assert f"mesonet_{Path(name).stem}" in said
    for caveat in zoo.get_card("mesonet").caveats:
        assert caveat in said
    assert cli.main(["zoo", "import", "mesonet", str(MESONET / "Meso4_F2F.h5")]) == 0
    assert (home / "checkpoints" / "mesonet_Meso4_F2F").is_dir()


@pytest.mark.trials
@pytest.mark.skipif(not MESONET.is_dir(), reason="DFWORKBENCH_TRIALS has no weights/mesonet")
def test_another_file_under_a_published_name_is_refused(tmp_path, capsys):
    other = tmp_path / "Meso4_DF.h5"
    other.write_bytes((MESONET / "Meso4_F2F.h5").read_bytes())
    assert cli.main(["zoo", "import", "mesonet", str(other)]) == 2
    assert zoo.get_card("mesonet").file("Meso4_DF.h5").sha256 in capsys.readouterr().err


def test_hash_of_a_file_that_was_brought_is_recorded_once_it_fits(home, tmp_path):
    card = zoo.get_card("dfb_meso4")
    target = target_path(card, card.file())
    target.parent.mkdir(parents=True)
    for bring, use in (
        (tmp_path / target.name, lambda path: import_file(card, path, accept=True)),
        (target, lambda path: run_of(card)),
    ):
        bring.write_text("<html>not found</html>" * 20)
        with pytest.raises(CheckpointError):
            use(bring)
        assert not read_record(target)
        torch.save(seeded_file(prefixed(dfb_meso4(), "backbone.")), bring)
        shutil.rmtree(use(bring))
        assert read_record(target)["sha256"] == file_hash(bring)
        record_path(target).unlink()
