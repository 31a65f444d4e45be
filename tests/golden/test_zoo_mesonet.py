"""The published files of MesoNet and DeepfakeForensics-v1 by their cards: stated hashes, and stated log-odds of the two pictures.

Those of MesoNet were computed with our importer, whose outputs equal those of Keras's layers (tests/methods/mesonet); those of
DeepfakeForensics-v1 with our importer and with the authors' class, to the same digits.
"""

import os
from pathlib import Path

import pytest
import torch
from seeded_weights import two_pictures

from dfworkbench.core.provenance import file_hash
from dfworkbench.models.inputs import prepare
from dfworkbench.zoo.card import get_card
from dfworkbench.zoo.importing import load_card

FOLDER = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "weights"
LOG_ODDS = {
    ("mesonet", "Meso4_DF.h5"): (-3.361052, -1.601430),
    ("mesonet", "Meso4_F2F.h5"): (-6.267992, -1.018883),
    ("mesonet", "MesoInception_DF.h5"): (-82.132057, 20.384844),
    ("mesonet", "MesoInception_F2F.h5"): (-22.909958, -6.698957),
    ("dfforensics", "checkpoint-0.pth.tar"): (-61.439838, -32.756790),
    ("dfforensics", "checkpoint-24.pth.tar"): (3.725724, 0.959848),
    ("dfforensics", "checkpoint-39.pth.tar"): (7.230158, 4.511702),
}


@pytest.mark.parametrize(("card", "name"), LOG_ODDS)
def test_published_file_gives_the_stated_log_odds(card, name):
    file, path = get_card(card).file(name), FOLDER / card / name
    if not path.is_file():
        pytest.skip(f"DFWORKBENCH_TRIALS does not name a folder with weights/{card}/{name}: get {file.url}")
    assert path.stat().st_size == file.bytes
    assert file_hash(path) == file.sha256
    loaded = load_card(card, path)
    with torch.no_grad():
        pictures = two_pictures(loaded.input_spec.size_px)
        found = loaded.detector(prepare(pictures, loaded.input_spec).contiguous()).logit
    torch.testing.assert_close(found, torch.tensor(LOG_ODDS[card, name]), atol=1e-4, rtol=1e-6)
