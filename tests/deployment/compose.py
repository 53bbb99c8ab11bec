"""`docker-compose.yml` as Compose reads it: merged, and with its variables put in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"

SECRETS = {
    "POSTGRES_PASSWORD": "p0",
    "ORDERS_PASSWORD": "o0",
    "TEMPORAL_PASSWORD": "t0",
    "ORDERLOOM_MASTER_KEY": bytes(range(32)).hex(),
}
"""What somebody who deploys must set."""
VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<kind>[?-])(?P<rest>[^}]*)\}")
ROLES = ("api", "gateway", "relay", "worker")
"""The processes of Orderloom that go on until they are stopped."""


def raw() -> dict[str, Any]:
    """Return the file with its merges done and its variables left in."""
    return YAML(typ="safe", pure=True).load(FILE.read_text())


def compose(given: Mapping[str, str] = SECRETS) -> dict[str, Any]:
    """Return the file with *given* in the place of its variables."""

    def put_in(value: Any) -> Any:
        match value:
            case str():
                return VARIABLE.sub(lambda found: _value(found, given), value)
            case dict():
                return {key: put_in(inner) for key, inner in value.items()}
            case list():
                return [put_in(inner) for inner in value]
            case _:
                return value

    return put_in(raw())


def _value(found: re.Match[str], given: Mapping[str, str]) -> str:
    if set_to := given.get(found["name"]):
        return set_to
    assert found["kind"] == "-", found["rest"]
    return found["rest"]


def services() -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    return compose()["services"]


def ours() -> dict[str, dict[str, Any]]:
    """Return the services that run Orderloom."""
    return {name: service for name, service in services().items() if service["image"].startswith("orderloom:")}


def seconds(duration: str) -> float:
    """Return a duration such as ``1m30s`` in seconds."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", duration))
