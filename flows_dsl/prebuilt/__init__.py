"""The flows that ship: files that a platform team copies and changes."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from flows_dsl.findings import FlowRefused
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from orderloom.domain.errors import NotFound

DEFAULT_RELEASE = (
    "place-order",
    "fulfilment",
    "invoice-and-ensure-funds",
    "fulfill-reservation",
    "deliver-digital",
    "cancel-items",
    "return-items",
    "process-exception",
)
"""The flows of a channel that has not chosen others, in the order in which one event starts them."""

CAPTURING_RELEASE = ("place-order-capturing", *DEFAULT_RELEASE[1:])
"""As the default, but the whole amount is captured when the order is placed."""


def names() -> list[str]:
    """Return the names of all flows that ship."""
    found = [entry.name for entry in files(__package__).iterdir() if entry.name.endswith(".yaml")]
    return sorted(name.removesuffix(".yaml") for name in found if not name.endswith(".test.yaml"))


def text(name: str) -> str:
    """
    Return the file of the flow *name*.

    Raises:
        NotFound: no such flow ships.
    """
    if name not in names():
        raise NotFound(f"No flow {name!r} ships; there are {', '.join(names())}.", name=name)
    return files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")


@cache
def document(name: str) -> FlowDocument:
    """
    Return the flow *name*; it is read once per process.

    Raises:
        NotFound: no such flow ships.
    """
    loaded = load(text(name))
    if loaded.document is None or loaded.findings:
        raise FlowRefused(name, loaded.findings)
    return loaded.document


def documents(wanted: Iterable[str] = DEFAULT_RELEASE) -> list[FlowDocument]:
    """Return the flows named, in that order."""
    return [document(name) for name in wanted]
