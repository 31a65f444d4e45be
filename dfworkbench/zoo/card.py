"""Cards: files, licence, network, input, aggregation rule and results of a published detector, as data readable without torch.

They are stored in `cards/*.toml`. A file is one card, or a family: the keys at its top are shared by its `[[cards]]`, which may
override them (tables key by key, everything else as a whole).
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import require_name


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CardFile(_Frozen):
    """A file of a release, as published by its authors."""

    name: str
    """File name."""
    url: str
    """Address of the file, or of the page it is fetched from by hand."""
    bytes: int | None = None
    """Size in bytes; None if not stated."""
    about_bytes: int | None = None
    """Approximate size, if only that is stated; shown, but not checked."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """SHA-256; None if not stated: then the first download records it."""
    says: str = ""
    """Who states size, hash or revision; empty if not stated."""
    by_hand: bool = False
    """Whether it cannot be fetched by a program: a drive page, or an account is needed."""
    part: str = ""
    """The part of the detector in this file, such as "backbone", if there are several files; empty if it contains everything."""


class CardVideo(_Frozen):
    """How the authors aggregate frames into the score of a video."""

    frames: int = 32
    """Number of frames of a video that are scored."""
    rule: Literal["mean", "mean_logit", "confident"] = "mean"
    """Aggregation over the frames."""
    people: Literal["maximum", "frame_maximum", "largest", "most_confident", "pooled", "none"] = "largest"
    """Over the faces of a frame: "frame_maximum" takes the largest score of each frame, "pooled" treats the faces of all frames as
    one list, "largest" and "most_confident" score one face only, and "none" the whole picture."""
    no_face: float | None = None
    """Fake probability for a video without a face; None if not stated, or if no face is searched for."""


class Figure(_Frozen):
    """A result reported by the authors, or by others if `source` says so; none of them was measured with dfworkbench."""

    data: str
    level: str
    measure: str
    value: float
    source: str


class CardNetwork(_Frozen):
    """The network of a release, and how names in its file map to those of `PublishedDetector`."""

    container: Literal["safetensors", "torch"]
    """Format of the file."""
    entries: tuple[str, ...] = ()
    """Keys under which a torch file may store the tensors; without any, the file is a bare dict."""
    strip: tuple[str, ...] = ()
    """Prefixes removed from every name that has them, in this order."""
    head: str
    """Name of the last linear layer in the file, after `strip`."""
    batch_norm: str = ""
    """Name of the batch norm before the head, after `strip`."""
    schemes: tuple[str, ...] = ()
    """Naming schemes of the trunk, keys of `names.SCHEMES`."""
    renames: tuple[tuple[str, str], ...] = ()
    """Regular expressions and replacements, in this order, before those of `schemes`."""
    ignore: tuple[str, ...] = ()
    """Regular expressions of whole names, after `strip`, of entries that may be present but are not used."""
    zeros: tuple[str, ...] = ()
    """Entries of the trunk that are zero if missing from the file."""
    fold: Literal["none", "svd_residual"] = "none"
    """Arithmetic that combines several entries into one weight."""
    library: Literal["timm", "efficientnet", "meso"] = "timm"
    """Library that builds the trunk, see `zoo.trunks`."""
    trunk: str
    """Name of the trunk in that library."""
    trunk_options: dict[str, Any] = {}
    """Options of the trunk."""
    pooling: Literal["trunk", "mean", "token", "mean_tokens"] = "trunk"
    """How the trunk's output becomes one vector, see `PublishedDetector`."""
    before_head: Literal["none", "l2", "batch_norm"] = "none"
    """Operation on that vector before the head."""
    head_words: dict[str, Literal["none", "l2", "batch_norm"]] = {}
    """`before_head` by the name of the head in config.json, if that file is beside the weights."""
    logits: int = 2
    """Number of logits."""
    fake: int | tuple[int, ...] = 1
    """Index of the fake class, or of several; for a single logit its sign, +1 or -1."""


def _input_spec(value: Any) -> Any:
    return InputSpec.from_dict(value) if isinstance(value, Mapping) else value


class Card(_Frozen):
    """A published detector."""

    name: str
    """Short name, also the name of the run it is imported as."""
    title: str
    """The authors' name for it, with venue and year."""
    paper: str
    """Address of the paper."""
    code: str
    """Address of the authors' repository."""
    licence_code: str
    """Licence of their code, as stated."""
    licence_weights: str
    """Licence of the weights, as stated."""
    accept: str = ""
    """Terms a user must accept before the weights are fetched; empty for free licences."""
    trained_on: str
    """Training data of the authors."""
    files: tuple[CardFile, ...] = ()
    """Files to choose from, or parts; empty if the user supplies a repository."""
    network: CardNetwork | None = None
    """The network; None if `importer` reads the file."""
    importer: str = ""
    """Kind of `runs.released`, or "hf_image_classifier"."""
    importer_options: dict[str, Any] = {}
    """Options of that importer."""
    input: Annotated[InstanceOf[InputSpec], BeforeValidator(_input_spec)] = InputSpec()
    """Input of the network; for cards with an `importer`, determined by the importer."""
    video: CardVideo = CardVideo()
    """The authors' rule for aggregating frames and people."""
    detector: str = ""
    """Face detector used by the authors."""
    figures: tuple[Figure, ...] = ()
    """Results reported by the authors."""
    caveats: tuple[str, ...] = ()
    """What users of its scores must know."""
    rank: int = Field(exclude=True)
    """Rank in the list: by licence, accuracy on unseen data and size."""

    def file(self, name: str = "") -> CardFile:
        """The file of this name; the first one by default.

        Raises:
            UnknownNameError: There is no such file, or the card lists none.
        """
        if not name and self.files:
            return self.files[0]
        return {file.name: file for file in self.files}[
            require_name(f"file of the card {self.name!r}", name, (file.name for file in self.files))
        ]


@cache
def list_cards() -> tuple[Card, ...]:
    """All cards, the most useful first: by licence, accuracy on unseen data, and size."""
    cards: list[Card] = []
    for file in sorted(resources.files("dfworkbench.zoo").joinpath("cards").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            cards += [Card.model_validate(values) for values in _members(tomllib.loads(file.read_text("utf-8")))]
    return tuple(sorted(cards, key=lambda card: card.rank))


def get_card(name: str) -> Card:
    """The card of this name.

    Raises:
        UnknownNameError: There is no such card; the message names the closest.
    """
    cards = {card.name: card for card in list_cards()}
    return cards[require_name("published detector", name, cards)]


def _members(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards in a file, each including what its family shares."""
    members = values.pop("cards", [{}])
    return [_merged(values, member) for member in members]


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(shared)
    for key, value in own.items():
        before = both.get(key)
        both[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both
