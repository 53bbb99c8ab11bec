"""The catalog of actions: those that ship, and those that a deployment has added."""

from collections.abc import Iterable, Iterator
from typing import Any

from orderloom.contracts.contract import ActionContract
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen


class ActionTaken(OrderloomError):
    """There is an action of that name and major version already.

    Give the new one another name, or the next major version.
    """

    code = "action.taken"
    status = 409


class ActionCatalog:
    """The actions that flows may call: those that ship, and those that a deployment has added to them."""

    def __init__(self, contracts: Iterable[ActionContract[Any, Any]]) -> None:
        """Take the contracts in the order in which they are shown."""
        self._contracts: dict[str, ActionContract[Frozen, Frozen]] = {it.activity: it for it in contracts}

    def __iter__(self) -> Iterator[ActionContract[Frozen, Frozen]]:
        """Go through the contracts."""
        return iter(list(self._contracts.values()))

    def get(self, activity: str) -> ActionContract[Frozen, Frozen] | None:
        """Return the contract of the action ``name@major``, or None."""
        return self._contracts.get(activity)

    def add(self, contract: ActionContract[Any, Any]) -> None:
        """
        Add an action; adding the same contract once more changes nothing.

        Raises:
            ActionTaken: another one has its name and major version.
        """
        if self._contracts.setdefault(contract.activity, contract) is not contract:
            raise ActionTaken(f"There are two actions {contract.activity}.", action=contract.activity)
