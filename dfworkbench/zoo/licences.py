"""Terms of use that a user must accept once before weights are fetched or imported."""

from typing import TYPE_CHECKING

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.workspace import Workspace
from dfworkbench.zoo.cache import card_folder, read_object, today, write_object

if TYPE_CHECKING:
    from dfworkbench.zoo.card import Card

LICENCE = "licence.json"


def is_accepted(card: "Card", workspace: Workspace | None = None) -> bool:
    """Whether a card has no terms, or its current terms were accepted."""
    return not card.accept or read_object(card_folder(card, workspace) / LICENCE).get("accepted") == card.accept


def require_accepted(card: "Card", accept: bool = False, workspace: Workspace | None = None) -> None:
    """Refuse weights whose terms were not accepted.

    Args:
        card: The card; always passes if it has no terms.
        accept: Whether the user accepts them now; remembered with date and text, so that it is needed only once.
        workspace: Workspace whose weights folder stores the acceptance.

    Raises:
        ParameterError: They were not accepted; the message contains them.
    """
    if is_accepted(card, workspace):
        return
    if not accept:
        raise ParameterError(
            f"using the weights of {card.title}: their terms were not accepted yet. Licence of the weights: "
            f"{card.licence_weights}. Expected that you confirm once: {card.accept!r} Run `dfworkbench zoo get {card.name} "
            f"--accept-licence {card.name}`, tick the box in notebook 03, or pass accept=True in Python."
        )
    record = {"card": card.name, "licence_weights": card.licence_weights, "accepted": card.accept, "date": today()}
    write_object(card_folder(card, workspace) / LICENCE, record)
