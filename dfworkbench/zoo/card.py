"""Cards: files, licence, network, input, rule over frames and figures of a published detector, as data that are read without torch.

`cards/*.toml` hold them. A file is one card, or a family: the keys at its top are shared by its `[[cards]]`, which may overrule
them (tables key by key, all else whole).
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
    """A file of a release, as its authors published it."""

    name: str
    """File name."""
    url: str
    """Address of the file, or of the page it is fetched from by hand."""
    bytes: int | None = None
    """Size; None where nobody states it."""
    about_bytes: int | None = None
    """Size, roughly, where only that is stated; shown, and compared with nothing."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """SHA-256; None where nobody states it: the first download records it."""
    says: str = ""
    """Who states size, hash or revision; empty where nobody states any."""
    by_hand: bool = False
    """Whether no program can fetch it: a drive page, or an account is needed."""
    part: str = ""
    """What the file holds of a detector that comes in several files, such as "backbone"; empty if it holds all of it."""


class CardVideo(_Frozen):
    """How the authors come from frames to the score of a video."""

    frames: int = 32
    """Frames of a video that are scored."""
    rule: Literal["mean", "mean_logit", "confident"] = "mean"
    """Over the frames."""
    people: Literal["maximum", "frame_maximum", "largest", "most_confident", "pooled", "none"] = "largest"
    """Over the faces of a frame: "frame_maximum" is the largest score of each frame, "pooled" takes the faces of all frames as
    one list, "largest" and "most_confident" score one face only, and "none" the whole picture."""
    no_face: float | None = None
    """Fake probability that they give a video without a face; None where nothing is stated, or no face is looked for."""


class Figure(_Frozen):
    """A figure of the authors, or of others where `source` says so; none of them was measured with dfworkbench."""

    data: str
    level: str
    measure: str
    value: float
    source: str


class CardNetwork(_Frozen):
    """The network of a release, and how the names in its file become those of `PublishedDetector`."""

    container: Literal["safetensors", "torch"]
    """Format of the file."""
    entries: tuple[str, ...] = ()
    """Names under which a torch file may hold the tensors; without any of them it is a bare dict."""
    strip: tuple[str, ...] = ()
    """Beginnings taken off every name that has them, in this order."""
    head: str
    """Name of the last linear layer in the file, after `strip`."""
    batch_norm: str = ""
    """Name of the batch norm before the head, after `strip`."""
    schemes: tuple[str, ...] = ()
    """Spellings of the trunk's names, keys of `names.SCHEMES`."""
    renames: tuple[tuple[str, str], ...] = ()
    """Regular expressions and replacements, in this order, before those of `schemes`."""
    ignore: tuple[str, ...] = ()
    """Regular expressions of whole names, after `strip`, that may be there and are not used."""
    zeros: tuple[str, ...] = ()
    """Entries of the trunk that are zero where the file lacks them."""
    fold: Literal["none", "svd_residual"] = "none"
    """Arithmetic that makes one weight out of several entries."""
    library: Literal["timm", "efficientnet", "meso"] = "timm"
    """What builds the trunk, see `zoo.trunks`."""
    trunk: str
    """Name of the trunk in that library."""
    trunk_options: dict[str, Any] = {}
    """Options of the trunk."""
    pooling: Literal["trunk", "mean", "token", "mean_tokens"] = "trunk"
    """How the trunk's output becomes one vector, see `PublishedDetector`."""
    before_head: Literal["none", "l2", "batch_norm"] = "none"
    """What happens to that vector before the head."""
    head_words: dict[str, Literal["none", "l2", "batch_norm"]] = {}
    """What `before_head` is by the word for the head in config.json, where that file is beside the weights."""
    logits: int = 2
    """Number of logits."""
    fake: int | tuple[int, ...] = 1
    """Index of the fake class, or of several; of one logit its sign, +1 or -1."""


def _input_spec(value: Any) -> Any:
    return InputSpec.from_dict(value) if isinstance(value, Mapping) else value


class Card(_Frozen):
    """A published detector."""

    name: str
    """Short name, which is also that of the run it is imported as."""
    title: str
    """Authors' name for it, with venue and year."""
    paper: str
    """Address of the paper."""
    code: str
    """Address of the authors' repository."""
    licence_code: str
    """Licence of their code, as stated."""
    licence_weights: str
    """Licence of the weights, as stated."""
    accept: str = ""
    """What a user must agree to before the weights are fetched; empty for free licences."""
    trained_on: str
    """Data that the authors trained it on."""
    files: tuple[CardFile, ...] = ()
    """Files to choose from, or parts; empty where the user names a repository."""
    network: CardNetwork | None = None
    """The network; None where `importer` reads the file."""
    importer: str = ""
    """Kind of `runs.released`, or "hf_image_classifier"."""
    importer_options: dict[str, Any] = {}
    """Options of that importer."""
    input: Annotated[InstanceOf[InputSpec], BeforeValidator(_input_spec)] = InputSpec()
    """What the network must be fed; of cards with an `importer`, that importer says."""
    video: CardVideo = CardVideo()
    """The authors' rule over frames and people."""
    detector: str = ""
    """Face detector of the authors."""
    figures: tuple[Figure, ...] = ()
    """Figures of the authors."""
    caveats: tuple[str, ...] = ()
    """What a reader of its scores must know."""
    rank: int = Field(exclude=True)
    """Place in the list: licence, accuracy on unseen data and size."""

    def file(self, name: str = "") -> CardFile:
        """The file of this name, by default the first.

        Raises:
            UnknownNameError: There is no such file, or the card names none.
        """
        if not name and self.files:
            return self.files[0]
        return {file.name: file for file in self.files}[
            require_name(f"file of the card {self.name!r}", name, (file.name for file in self.files))
        ]


@cache
def list_cards() -> tuple[Card, ...]:
    """All cards, the most useful first: by licence, accuracy on data that it was not trained on, and size."""
    cards: list[Card] = []
    for file in sorted(resources.files("dfworkbench.zoo").joinpath("cards").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            cards += [Card.model_validate(values) for values in _members(tomllib.loads(file.read_text("utf-8")))]
    return tuple(sorted(cards, key=lambda card: card.rank))


def get_card(name: str) -> Card:
    """The card of this name.

    Raises:
        UnknownNameError: There is none; names the closest.
    """
    cards = {card.name: card for card in list_cards()}
    return cards[require_name("published detector", name, cards)]


def _members(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards of a file, each with what its family shares."""
    members = values.pop("cards", [{}])
    return [_merged(values, member) for member in members]


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(shared)
    for key, value in own.items():
        before = both.get(key)
        both[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both
