"""Flows and releases in the form in which they are published and enter history."""

from datetime import timedelta
from typing import Literal

from orderloom.contracts.messages import ReleasePin
from orderloom.domain.model import Frozen, JsonObject


class PackedFlow(Frozen):
    """A checked flow: immutable, addressed by the hash of its resolved document."""

    hash: str
    name: str
    version: str
    document: JsonObject
    """The resolved form: actions locked to their majors."""
    body: str
    """Base85 of the deflated canonical JSON of ``document``."""


class Written(Frozen):
    """What an author wrote, a flow or a layer, with the text that people see."""

    kind: Literal["flow", "layer"]
    name: str
    version: str
    digest: str
    """Of its meaning: remarks and layout do not count."""
    file: str
    text: str

    @property
    def label(self) -> str:
        """Return its name and version, as people know it."""
        return f"{self.name}:{self.version}"


class SourcedFlow(Frozen):
    """A flow of a release, and the label of the flow that it was made of."""

    hash: str
    source: str


class ReleaseSources(Frozen):
    """What a release was made of: enough to make it again, and to say where each field comes from."""

    flows: tuple[SourcedFlow, ...]
    """In the order of the release."""
    layers: tuple[str, ...] = ()
    """Labels of the layers, in the order in which they were applied."""
    brand: str | None = None
    longest_wait: timedelta | None = None
    """What the timeout of a listen may be at most; None: 90 days."""


class PackedRelease(Frozen):
    """Checked flows that are in force together, in their order."""

    pin: ReleasePin
    flows: tuple[PackedFlow, ...]
    sources: ReleaseSources | None = None
    written: tuple[Written, ...] = ()
    """The flows and layers that it was made of, where they are known."""
