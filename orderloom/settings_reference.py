"""
Prints ``docs/reference/settings.md``: every setting with its default, from the code itself.

``python -m orderloom.settings_reference > docs/reference/settings.md`` writes it anew; a test compares.
"""

import sys
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from orderloom.settings import Settings

_HEAD = """# Settings

<!-- Printed by `python -m orderloom.settings_reference`: change the code, not this file. -->

Every process reads the same environment variables and takes what concerns it, so all may have the same ones. Without
addresses, `orderloom up` starts servers of its own; `worker`, `relay`, `api`, `gateway` and `migrate` need them. An
empty variable is an unset one. A port of 0 is any free one. What a whole deployment sets stands in
`docker-compose.yml`: [deploy](../how-to/deploy.md).

| variable | values | default | what it sets |
|---|---|---|---|"""

_SCHEMA: dict[str, dict[str, Any]] = Settings.model_json_schema(by_alias=False)["properties"]


def variables() -> dict[str, FieldInfo]:
    """Return every setting by its environment variable."""
    return {f"ORDERLOOM_{name.upper()}": field for name, field in Settings.model_fields.items()}


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_row(variable, field) for variable, field in variables().items()), ""])


def _row(variable: str, field: FieldInfo) -> str:
    names = ", also ".join(f"`{name}`" for name in (variable, *_plain(field)))
    default = "" if field.default is None else f"`{_written(field.default)}`"
    return f"| {names} | {_values(variable)} | {default} | {' '.join((field.description or '').split())} |"


def _plain(field: FieldInfo) -> list[str]:
    """Return the names without prefix that the setting has too."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else []
    return [str(name).upper() for name in choices if not str(name).startswith("orderloom_")]


def _values(variable: str) -> str:
    """Return what may be given, where it is not just any text."""
    schema = _SCHEMA[variable.removeprefix("ORDERLOOM_").lower()]
    kinds: list[dict[str, Any]] = [schema, *schema.get("anyOf", ())]
    for kind in kinds:
        if kind.get("type") == "boolean":
            return "`true` `false`"
        if "enum" in kind:
            return " ".join(f"`{value}`" for value in kind["enum"])
        if kind.get("type") == "integer":
            return f"{kind['minimum']} to {kind['maximum']}" if "maximum" in kind else f"{kind['minimum']} or more"
    return ""


def _written(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


if __name__ == "__main__":
    sys.stdout.write(reference())
