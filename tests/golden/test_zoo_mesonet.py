"""The four published files of MesoNet by their card: stated hashes, and stated log-odds of the two pictures.

The log-odds were computed with our importer, whose outputs equal those of Keras's layers (tests/methods/mesonet).
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

FOLDER = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "weights" / "mesonet"
LOG_ODDS = {
    "Meso4_DF.h5": (-3.361052, -1.601430),
    "Meso4_F2F.h5": (-6.267992, -1.018883),
    "MesoInception_DF.h5": (-82.132057, 20.384844),
    "MesoInception_F2F.h5": (-22.909958, -6.698957),
}


@pytest.mark.parametrize("name", LOG_ODDS)
def test_published_file_gives_the_stated_log_odds(name):
    file = get_card("mesonet").file(name)
    if not (FOLDER / name).is_file():
        pytest.skip(f"DFWORKBENCH_TRIALS does not name a folder with weights/mesonet/{name}: get {file.url}")
    assert (FOLDER / name).stat().st_size == file.bytes
    assert file_hash(FOLDER / name) == file.sha256
    loaded = load_card("mesonet", FOLDER / name)
    with torch.no_grad():
        found = loaded.detector(prepare(two_pictures(256), loaded.input_spec).contiguous()).logit
    torch.testing.assert_close(found, torch.tensor(LOG_ODDS[name]), atol=1e-3, rtol=1e-5)
