"""Flows and releases in the form in which they are published and enter history."""

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


class PackedRelease(Frozen):
    """Checked flows that are in force together, in their order."""

    pin: ReleasePin
    flows: tuple[PackedFlow, ...]
