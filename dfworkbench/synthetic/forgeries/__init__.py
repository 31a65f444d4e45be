"""The five forgeries of FaceForensics++, each with its own mechanism.

Each takes the carrier's clip, the donor's clip, a random generator and `ForgerySettings`, and returns a `Forged`.
"""

from collections.abc import Callable

import numpy as np

from dfworkbench.core.names import FORGERY_KINDS, require_name
from dfworkbench.synthetic.clip import Clip
from dfworkbench.synthetic.forgeries.blend import Forged
from dfworkbench.synthetic.forgeries.deepfakes import forge_deepfakes
from dfworkbench.synthetic.forgeries.face2face import forge_face2face
from dfworkbench.synthetic.forgeries.faceshifter import forge_faceshifter
from dfworkbench.synthetic.forgeries.faceswap import forge_faceswap
from dfworkbench.synthetic.forgeries.grain import add_grain
from dfworkbench.synthetic.forgeries.neuraltextures import forge_neuraltextures
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

Forge = Callable[[Clip, Clip, np.random.Generator, ForgerySettings], Forged]

FORGERIES: dict[str, Forge] = {
    "Deepfakes": forge_deepfakes,
    "Face2Face": forge_face2face,
    "FaceShifter": forge_faceshifter,
    "FaceSwap": forge_faceswap,
    "NeuralTextures": forge_neuraltextures,
}


def forge(kind: str, carrier: Clip, donor: Clip, seed: int, settings: ForgerySettings | None = None) -> Forged:
    """Forge a clip by one of the five kinds; all randomness follows from `seed` and the two identities."""
    method = FORGERIES[require_name("forgery kind", kind, FORGERIES)]
    people = carrier.person.head.identity.seed, donor.person.head.identity.seed
    rng = np.random.default_rng((seed, FORGERY_KINDS.index(kind), *people, 107))
    settings = settings or ForgerySettings()
    forged = method(carrier, donor, rng, settings)
    add_grain(forged, carrier.frames, rng, settings.grain)
    return forged


__all__ = ["FORGERIES", "Forged", "ForgerySettings", "forge"]
