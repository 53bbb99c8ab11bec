"""Which events a filter lets pass."""

from collections.abc import Callable, Mapping
from typing import Protocol

from flows_dsl.canonical import canonical
from flows_dsl.compiled import EventMatch, same
from flows_dsl.expressions import ExpressionFailed, Template
from orderloom.contracts.messages import Event
from orderloom.domain.model import Json


class Sees(Protocol):
    """Gives expressions their variables."""

    def scope(self, input: Json, **more: Json) -> dict[str, Json]:
        """Return the variables, *more* among them."""
        ...


def acceptor(
    sees: Sees, wanted: EventMatch, input: Json, data: Json, expected: Mapping[str, Json]
) -> Callable[[Event], bool]:
    """
    Return what tells whether an event passes the filter *wanted*; an expression without a value lets none pass.

    Args:
        sees: what expressions see beside ``data`` and ``event``.
        input: of the task.
        data: what the event's data must hold, if the filter says so in values.
        expected: what each correlation must yield.
    """

    def named(event: Event) -> bool:
        return event.type == wanted.type and all(
            getattr(event, name, None) == value for name, value in wanted.attributes
        )

    def holds(event: Event) -> bool:
        if wanted.condition is None and not wanted.correlations:
            return True
        scope = sees.scope(input, data=event.data, event=event.model_dump(mode="json"))
        try:
            if wanted.condition is not None and not wanted.condition.holds(scope, event.data):
                return False
            return all(value_in(event, it.source, scope) == expected[it.name] for it in wanted.correlations)
        except ExpressionFailed:
            return False

    def accepts(event: Event) -> bool:
        return named(event) and (wanted.data is None or same(data, event.data)) and holds(event)

    return accepts


def value_in(event: Event, source: Template, scope: Mapping[str, Json]) -> Json:
    """
    Return what a correlation takes from *event*.

    Raises:
        ExpressionFailed: it yields nothing.
    """
    return canonical(source.evaluate(scope, event.data))
