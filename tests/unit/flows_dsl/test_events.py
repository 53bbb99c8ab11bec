"""The types of events: what the check knows of their data is what the journal holds."""

import ast
from pathlib import Path

import activities
from orderloom.contracts.events import EVENTS

SPREAD = {
    "event.unexpected",
    "flow.compensated",
    "fulfillment.merged",
    "fulfillment.moved",
    "fulfillment.split",
    "payment.declined",
}
"""Types whose data is partly made elsewhere: what is written out must be known, more may come."""


def _journaled() -> list[tuple[str, set[str]]]:
    """Return each type that an activity journals with the names of its data, where both are written out."""
    found: list[tuple[str, set[str]]] = []
    for file in sorted(Path(activities.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="journal"), args=[ast.Constant(value=str(type_)), ast.Dict(keys=keys), *_]
                ):
                    found.append((type_, {str(key.value) for key in keys if isinstance(key, ast.Constant)}))
                case _:
                    pass
    return found


def test_what_is_journaled_is_known() -> None:
    """Each payload that an activity writes has exactly the fields that the type's model has."""
    journaled = _journaled()

    assert len(journaled) > 20
    for type_, names in journaled:
        fields = set(EVENTS[type_].model_fields)
        if type_ in SPREAD:
            assert names < fields, type_
        else:
            assert names == fields, type_
