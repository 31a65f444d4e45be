"""Published detectors (model zoo): a card per release, weights fetched and checked, and scoring like our own detectors.

The names below are imported lazily: cards can be read without torch.
"""

from typing import TYPE_CHECKING

from dfworkbench.core.lazy_names import lazy_names

if TYPE_CHECKING:
    from dfworkbench.zoo.card import get_card as get_card
    from dfworkbench.zoo.card import list_cards as list_cards
    from dfworkbench.zoo.fetching import get as get
    from dfworkbench.zoo.importing import import_card as import_card
    from dfworkbench.zoo.scoring import check as check
    from dfworkbench.zoo.scoring import score as score

_HOMES = {
    "check": "dfworkbench.zoo.scoring",
    "get": "dfworkbench.zoo.fetching",
    "get_card": "dfworkbench.zoo.card",
    "import_card": "dfworkbench.zoo.importing",
    "list_cards": "dfworkbench.zoo.card",
    "score": "dfworkbench.zoo.scoring",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
