"""`orderloom orders route-preview`: what an order's route would be, were something otherwise. It speaks to the API."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from flows_dsl.policies import read_policy
from orderloom.cli.calling_api import Api, AsJson, ask, client
from orderloom.cli.flows.files import Unreadable, text_of
from orderloom.domain.errors import InvalidInput
from orderloom.domain.model import Json, JsonObject


def route_preview(  # each an option of the command
    order: str,
    *,
    policy: Annotated[str | None, Parameter(help="A file, or a published policy: NAME or NAME:VERSION.")] = None,
    stock: Annotated[tuple[str, ...], Parameter(help="What would be available, as LOCATION:SKU=QUANTITY.")] = (),
    without: Annotated[tuple[str, ...], Parameter(help="A location that would send nothing.")] = (),
    attempt: Annotated[int | None, Parameter(help="Of what this routing attempt saw, instead of now.")] = None,
    trade_off: Annotated[int | None, Parameter(help="Also try every split limit from 0 to this.")] = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Say how an order would be routed now, and change nothing.

    Parameters
    ----------
    order: str
        The order's id.
    """
    given: dict[str, Json] = {
        "policy": None if policy is None else _policy(policy),
        "stock": _stock(stock),
        "without": [*without],
        "attempt": attempt,
        "trade_off": trade_off,
    }
    body = {name: value for name, value in given.items() if value not in (None, [], {})}
    with client(api) as http:
        found = ask(http, "POST", f"/v1/orders/{order}/routing-preview", json=body)
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return
    sys.stdout.writelines(f"{line}\n" for line in told(found))
    if found["trade_off"]:
        Console().print(_curve(found["trade_off"]))


def _policy(given: str) -> str | JsonObject:
    """Return the policy in the file *given*, or the name that it is."""
    if not Path(given).exists():
        return given
    try:
        policy, findings = read_policy(text_of(Path(given)))
    except Unreadable as error:
        raise InvalidInput(f"{given}:{error.finding}") from None
    if policy is None:
        raise InvalidInput(f"{given}:{findings[0]}")
    return policy.model_dump(mode="json")


def _stock(given: tuple[str, ...]) -> JsonObject:
    found: dict[str, dict[str, Json]] = {}
    for each in given:
        place, equals, quantity = each.rpartition("=")
        location, colon, sku = place.partition(":")
        if not (equals and colon and quantity.isdigit()):
            raise InvalidInput(f"--stock {each}: give LOCATION:SKU=QUANTITY, such as BER:MUG-BLUE=5.")
        found.setdefault(location, {})[sku] = int(quantity)
    return {location: dict(skus) for location, skus in found.items()}


def told(found: dict[str, Any]) -> Iterator[str]:
    """Give what a preview says, line by line: the route, what it comes to, who is kept out, what differs."""
    yield f"{found['order']}  {found['policy']}  {found['routing']['outcome']}"
    for part, fates in zip(found["routing"]["parts"], found["fates"], strict=True):
        yield from _part(part, fates)
    yield f"  {_sums(found['figures'])}"
    if not found["differs"]:
        yield f"the same as by {found['own_policy']} as things are; nothing was changed"
        return
    own = found["own"]
    yield f"by {found['own_policy']} as things are: {own['outcome']}  {', '.join(own['locations'])}"
    yield f"  {_sums(own)}"
    yield from (f"  {each['figure']}: {each['before']:g} → {each['after']:g}" for each in found["changes"])
    yield "nothing was changed"


def _part(part: dict[str, Any], fates: list[dict[str, Any]]) -> Iterator[str]:
    answer = part["answer"]
    yield f"  delivery group {part['delivery_group']}, {part['kind']}: {answer['outcome']}"
    for route in answer["routes"]:
        plan = ", ".join(f"{each['location'] or '-'}: {each['quantity']} {each['sku']}" for each in route["plan"])
        yield f"    {route['rank']}. {plan}"
    yield from (f"    short of {each['quantity']} {each['sku']}" for each in answer["short"])
    yield from (f"    not {each['location']}: {each['why']}" for each in fates if not each["eligible"])


def _sums(figures: dict[str, Any]) -> str:
    units = f"{figures['units']} units" + (f", {figures['missing']} wait on" if figures["missing"] else "")
    return (
        f"{units}, {figures['splits']} splits, {figures['km']:g} km, cost {figures['cost']}, {figures['grams']} g CO2e"
    )


def _curve(points: list[dict[str, Any]]) -> Table:
    table = Table("split limit", "outcome", "splits", "units", "km", "cost", "g CO2e", box=None)
    for point in points:
        each = point["figures"]
        values = (each["splits"], each["units"], f"{each['km']:g}", each["cost"], each["grams"])
        table.add_row(str(point["max_splits"]), each["outcome"], *map(str, values))
    return table
