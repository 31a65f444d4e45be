"""Features of a generated person (`Identity`), drawn from a seed.

Lengths are in face units: the chin lies at y = 1, the line of the eyes at y = 0, the skull ends at about y = -1.05; x runs
to the right of the picture. Colours are sRGB, 0..1.
"""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

SKIN_RAMP = np.array(
    [
        [0.95, 0.81, 0.73],
        [0.91, 0.73, 0.63],
        [0.84, 0.64, 0.51],
        [0.71, 0.50, 0.37],
        [0.55, 0.37, 0.26],
        [0.41, 0.27, 0.20],
    ]
)
HAIR_COLOURS: dict[str, Colour] = {
    "black": (0.10, 0.085, 0.08), "dark brown": (0.19, 0.13, 0.095), "brown": (0.31, 0.205, 0.135),
    "chestnut": (0.37, 0.20, 0.12), "dark blond": (0.50, 0.38, 0.24), "blond": (0.70, 0.56, 0.36),
    "red": (0.52, 0.25, 0.12), "grey": (0.56, 0.55, 0.54),
}  # fmt: skip
IRIS_COLOURS: list[Colour] = [
    (0.25, 0.14, 0.07), (0.33, 0.20, 0.10), (0.42, 0.31, 0.16), (0.36, 0.42, 0.28), (0.33, 0.45, 0.58), (0.42, 0.48, 0.52),
]  # fmt: skip
HAIR_STYLES = ("buzz", "short", "side part", "curly", "long", "long parted", "bob", "tied back")


@dataclass(frozen=True)
class Identity:
    """Parameters of one generated person.

    Attributes:
        seed: Seed of every texture of this person.
        masculine: 0..1; jaw, brow ridge, beard and lips follow it.
        age: 0 (twenty) to 1 (seventy); wrinkles, folds, under-eye shade.
        melanin: 0..1, position on the skin ramp.
        beard: 0 (none) to 1 (full); below 0.3 it is stubble.
    """

    seed: int
    masculine: float
    age: float
    melanin: float
    skin: Colour
    lip: Colour
    hair: Colour
    brow: Colour
    iris: Colour
    # shape
    cheek_width: float
    jaw_width: float
    chin_width: float
    forehead_width: float
    face_length: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_y: float
    brow_thickness: float
    brow_arch: float
    brow_length: float
    nose_length: float
    nose_width: float
    nose_height: float
    nose_hook: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    cheekbone: float
    # surface
    freckles: float
    redness: float
    pores: float
    beard: float
    gloss: float
    # hair
    hair_style: str
    hairline: float
    hair_volume: float
    hair_wave: float
    hair_part: float
    # accessories
    glasses: str
    glasses_colour: Colour
    cloth: Colour
    cloth_style: str


def draw_identity(seed: int) -> Identity:
    """Draw the person of `seed`; the same seed gives the same person everywhere."""
    rng = np.random.default_rng((seed, 101))
    uniform, normal = rng.uniform, rng.normal
    masculine = float(np.clip(rng.choice([0.12, 0.88]) + normal(0, 0.1), 0, 1))
    man, age = masculine > 0.5, float(rng.beta(1.3, 2.2))
    melanin = float(rng.beta(1.1, 1.7))
    skin = _skin(rng, melanin)
    hair = _hair_colour(rng, melanin, age)
    light_eyes = melanin < 0.35 and hair[0] > 0.15
    style = str(rng.choice(["buzz", "short", "side part", "curly", "tied back"] if man else HAIR_STYLES[2:],
                           p=[0.18, 0.36, 0.28, 0.14, 0.04] if man else [0.08, 0.12, 0.26, 0.26, 0.14, 0.14]))  # fmt: skip
    beard = float(rng.choice([0.0, 0.15, 0.28, 0.75, 1.0], p=[0.4, 0.2, 0.15, 0.12, 0.13])) if man else 0.0
    lip = np.array(skin) * (0.90, 0.62, 0.62) * uniform(0.9, 1.02)
    lip = lip if man else lip * (1.02, uniform(0.78, 1.0), uniform(0.82, 1.0))
    return Identity(
        seed=seed, masculine=masculine, age=age, melanin=melanin, skin=skin, lip=_colour(lip), hair=hair,
        brow=_colour(np.array(hair) * (0.75 if hair[0] > 0.3 else 0.95)),
        iris=IRIS_COLOURS[int(rng.integers(2 if light_eyes else 0, 6) if light_eyes else rng.integers(0, 3))],
        cheek_width=0.71 + 0.02 * masculine + normal(0, 0.022), jaw_width=0.515 + 0.06 * masculine + normal(0, 0.028),
        chin_width=0.30 + 0.07 * masculine + normal(0, 0.03), forehead_width=0.60 + normal(0, 0.02),
        face_length=1.0 + 0.02 * masculine + normal(0, 0.025),
        eye_x=0.312 + normal(0, 0.011), eye_y=normal(0, 0.018), eye_width=0.152 + normal(0, 0.009) - 0.006 * masculine,
        eye_height=uniform(0.36, 0.52) - 0.05 * masculine, eye_tilt=normal(0.05, 0.05),
        brow_y=-0.205 + 0.03 * masculine + normal(0, 0.017), brow_thickness=0.022 + 0.013 * masculine + normal(0, 0.004),
        brow_arch=uniform(0.01, 0.055) * (1.3 - 0.8 * masculine), brow_length=0.205 + normal(0, 0.012),
        nose_length=0.40 + normal(0, 0.022), nose_width=0.120 + 0.016 * masculine + 0.02 * melanin + normal(0, 0.010),
        nose_height=0.265 + normal(0, 0.028), nose_hook=normal(0, 0.012),
        mouth_y=0.635 + normal(0, 0.018), mouth_width=0.245 + normal(0, 0.017),
        upper_lip=0.052 - 0.010 * masculine + 0.018 * melanin + normal(0, 0.006),
        lower_lip=0.072 - 0.010 * masculine + 0.016 * melanin + normal(0, 0.007), cheekbone=uniform(0.02, 0.07),
        freckles=float(max(0.0, normal(-0.3, 0.6)) if melanin < 0.35 else 0.0), redness=uniform(0.2, 1.0),
        pores=uniform(0.6, 1.2) + 0.3 * age, beard=beard, gloss=uniform(0.5, 1.2),
        hair_style=style, hairline=-0.65 - 0.04 * masculine + normal(0, 0.035) - (0.05 * age if man else 0.0),
        hair_volume=uniform(0.7, 1.3), hair_wave=max(0.0, normal(0.25, 0.4)),
        hair_part=float(rng.choice([-1, 1]) * uniform(0.05, 0.32)),
        glasses=str(rng.choice(["", "round", "square"], p=[0.8, 0.1, 0.1])),
        glasses_colour=((0.07, 0.06, 0.06), (0.22, 0.13, 0.08), (0.45, 0.42, 0.38))[int(rng.integers(3))],
        cloth=_cloth(rng), cloth_style=str(rng.choice(["crew", "v-neck", "shirt", "jacket"])),
    )  # fmt: skip


def _colour(values: np.ndarray) -> Colour:
    r, g, b = (float(v) for v in np.clip(values, 0, 1))
    return r, g, b


def _skin(rng: np.random.Generator, melanin: float) -> Colour:
    place = melanin * (len(SKIN_RAMP) - 1)
    base = np.array([np.interp(place, range(len(SKIN_RAMP)), SKIN_RAMP[:, c]) for c in range(3)])
    return _colour(base * (1 + rng.normal(0, [0.02, 0.025, 0.035])))


def _hair_colour(rng: np.random.Generator, melanin: float, age: float) -> Colour:
    if age > 0.55 and rng.random() < 0.7:
        return HAIR_COLOURS["grey"]
    names = list(HAIR_COLOURS)[:7]
    fair = np.array([0.08, 0.2, 0.24, 0.14, 0.14, 0.14, 0.06])
    dark = np.array([0.66, 0.24, 0.10, 0.0, 0.0, 0.0, 0.0])
    chance = fair if melanin < 0.4 else dark
    colour = np.array(HAIR_COLOURS[str(rng.choice(names, p=chance / chance.sum()))])
    return _colour(colour * rng.uniform(0.85, 1.2))


def _cloth(rng: np.random.Generator) -> Colour:
    import colorsys

    return colorsys.hsv_to_rgb(rng.random(), float(rng.beta(1.5, 3)), rng.uniform(0.12, 0.85))
