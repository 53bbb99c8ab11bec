"""Says of each field of a resolved flow where it comes from: file, line, column, layer."""

from collections.abc import Sequence

from flows_dsl.composing import Composed, compose_flows
from flows_dsl.located import leaves
from flows_dsl.resolved import Catalog, resolve
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.flows import Written
from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen, Json, JsonObject


class Explained(Frozen):
    """One field of a resolved flow."""

    pointer: str
    """JSON pointer into the resolved flow."""
    value: Json
    written: Json = None
    """What its author wrote, where publishing has made something else of it."""
    file: str
    line: int
    column: int
    layer: str | None = None
    """Label of the layer that it comes from; None for the flow's own file."""

    def __str__(self) -> str:
        """Return it as a line for people."""
        made = "" if self.written is None else f"  (written: {self.written})"
        whose = f"  [{self.layer}]" if self.layer else ""
        return f"{self.file}:{self.line}:{self.column}{whose}  {self.pointer} = {self.value}{made}"


def explain(
    name: str, flows: Sequence[Written], layers: Sequence[Written], catalog: Catalog = CORE_ACTIONS
) -> list[Explained]:
    """
    Return every field of the flow *name*, which is one of *flows*, with *layers* applied.

    Raises:
        NotFound: there is no such flow.
        ReleaseRefused: a flow or layer is not valid.
    """
    for composed in compose_flows(flows, layers, catalog):
        if composed.document.name == name:
            return _fields(composed, catalog)
    raise NotFound(f"There is no flow {name!r}; there are {', '.join(flow.name for flow in flows)}.", flow=name)


def _fields(composed: Composed, catalog: Catalog) -> list[Explained]:
    resolved = resolve(composed.document, catalog)
    found: list[Explained] = []
    for pointer, value, origin in leaves(composed.piece):
        made = _at(resolved, pointer)
        written = value if made != value else None
        place = {"file": origin.file, "line": origin.line, "column": origin.column, "layer": origin.layer}
        found.append(Explained.model_validate({"pointer": pointer, "value": made, "written": written} | place))
    return found


def _at(value: JsonObject, pointer: str) -> Json:
    here: Json = value
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here.get(name)
        elif isinstance(here, list) and name.isdigit() and int(name) < len(here):
            here = here[int(name)]
        else:
            return None
    return here
