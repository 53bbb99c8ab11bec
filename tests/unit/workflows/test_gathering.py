"""Events that start a flow together."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.loader import load
from orderloom.contracts.messages import Event
from orderloom.domain.model import Json
from workflows.gathering import Gathering
from workflows.state import Start

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FLOW = """
document: {dsl: 1.0.3, namespace: shop, name: both, version: 1.0.0, metadata: {collectsFor: PT1H}}
evaluate: {language: cel}
schedule:
  on:
    all:
      - with: {type: packed}
        correlate: {parcel: {from: data.parcel}}
      - with: {type: paid}
        correlate: {parcel: {from: data.parcel}}
do: [{it: {set: {}}}]
"""


def _flow(text: str = FLOW) -> CompiledFlow:
    document = load(text).document
    assert document is not None
    return compile_flow(document)


class Desk:
    """A gathering, its deadlines, and what it gave up."""

    def __init__(self) -> None:
        self.dues: dict[datetime, asyncio.Future[None]] = {}
        self.given_up: list[int] = []
        self.flow = _flow()
        self.gathering = Gathering(self._due, self._give_up)

    def _due(self, instant: datetime) -> asyncio.Future[None]:
        return self.dues.setdefault(instant, asyncio.get_running_loop().create_future())

    def _give_up(self, starts: Iterable[Start]) -> None:
        self.given_up += [start.event.seq for start in starts]

    def add(self, seq: int, type: str, **data: Json) -> list[int] | None:
        """Add an event; return the numbers of all that start an instance."""
        time = BEGAN + timedelta(minutes=seq)
        event = Event(seq=seq, id=f"e{seq}", source="web", type=type, time=time, data=data)
        complete = self.gathering.add(Start(flow=self.flow.hash, event=event), self.flow)
        return None if complete is None else [complete.event.seq, *(it.seq for it in complete.gathered)]

    def waiting(self) -> list[int]:
        """Return the numbers of the events that wait."""
        return [start.event.seq for start in self.gathering.waiting()]


async def test_a_set_is_complete_when_all_have_come() -> None:
    """The last one names the instance; its input is in the order of the filters, whatever came first."""
    desk = Desk()

    assert desk.add(1, "paid", parcel="a") is None
    assert desk.waiting() == [1]
    assert desk.add(2, "packed", parcel="a") == [2, 2, 1]
    assert (desk.waiting(), desk.given_up) == ([], [])


async def test_one_set_for_each_value() -> None:
    """Events of other parcels begin sets of their own; of two of one kind the second begins the next set."""
    desk = Desk()

    assert [desk.add(seq, "paid", parcel=parcel) for seq, parcel in enumerate("aba", 1)] == [None] * 3
    assert desk.add(4, "packed", parcel="b") == [4, 4, 2]
    assert desk.add(5, "packed", parcel="a") == [5, 5, 1]
    assert desk.waiting() == [3]


async def test_a_set_that_is_not_complete_in_time_is_given_up() -> None:
    """An hour after its first event; what comes later begins anew."""
    desk = Desk()
    desk.add(1, "paid", parcel="a")
    await asyncio.sleep(0)
    [(due, future)] = desk.dues.items()

    assert due == BEGAN + timedelta(minutes=61)
    future.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (desk.waiting(), desk.given_up) == ([], [1])
    assert desk.add(2, "packed", parcel="a") is None


async def test_an_event_without_the_value_starts_nothing() -> None:
    """It is given up at once, and no set begins."""
    desk = Desk()

    assert desk.add(1, "paid") is None
    assert (desk.waiting(), desk.given_up) == ([], [1])
