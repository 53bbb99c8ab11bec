"""Moving orders to another release: where their instances stand, and what becomes of them."""

from typing import Literal

from orderloom.contracts.messages import Applied, Context, Delivery, Event, Receipt, ReleasePin
from orderloom.domain.model import Frozen, Message, TrustedObject

RELEASE_REQUESTED = "order.release.requested"
"""Type of the command that moves an order."""
RELEASE_CHANGED = "order.release.changed"
"""Type of the journal's entry about it."""
MOVE = "move"
"""Local activity: ``MoveOrder`` to ``Moved``."""
WHEREABOUTS = "whereabouts"
"""Query of the order workflow: a list of ``Whereabouts``."""


def instance_id(event: str, flow: str, moves: int) -> str:
    """
    Return the id of a flow's instance.

    An instance that was moved is another one for the idempotency keys: what stood at a path in the flow before is not
    what stands there now, and that it may be moved back is why the moves are counted.
    """
    return f"{event}@{flow}" + (f"^{moves}" if moves else "")


class Whereabouts(Message):
    """An instance of a flow and where it stands; without state it has not begun."""

    flow: str
    """Hash of the flow."""
    event: Event
    """What started it."""
    depth: int = 1
    moves: int = 0
    """How often it was moved to another release."""
    state: TrustedObject | None = None
    """``flows_dsl.frames.InstanceState``."""
    consumed: list[int] = []
    """Numbers of the events that its listens took."""
    gathered: list[Event] = []
    """All events that started it, if it took several."""

    @property
    def instance(self) -> str:
        """Return the instance's id."""
        return instance_id(self.event.id, self.flow, self.moves)


class ChangeRelease(Frozen):
    """The command's body."""

    release: str


class MoveOrder(Message):
    """Put a quiet order on another release, with all its instances, or refuse it."""

    context: Context
    delivery: Delivery
    whereabouts: list[Whereabouts]
    listening: list[str]
    """Event types that its listens wait for."""


class Moved(Message):
    """What became of it. ``pin`` is None when the order stays as it is."""

    receipt: Receipt
    applied: Applied | None = None
    pin: ReleasePin | None = None
    whereabouts: list[Whereabouts] = []
    """All instances as they go on."""


class MovedTask(Frozen):
    """Where an instance stands, before and after."""

    flow: str
    """Label of the flow it is an instance of."""
    to: str
    """Label of the flow it becomes an instance of."""
    task: str | None
    """The task it stands at, by the names on the way to it; None when it stands at none."""


class MovePreview(Frozen):
    """What moving an order would come to."""

    order: str
    outcome: Literal["moves", "unchanged", "refused"]
    release: str
    """The release that the order is on."""
    instances: list[MovedTask] = []
    reason: str | None = None
    """Why it would be refused."""
