"""Persons: whose key seals what, and their data at rest. Nothing here is readable without the vault."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import JsonObject
from orderloom.persistence.digest import canonical
from orderloom.persistence.ids import uuid7
from orderloom.persistence.vault import Purpose, Vault

STATUTORY_FIELDS = ("name",)
"""What documents must keep of a customer beside the addresses they were sent to."""


async def new_person(vault: Vault, now: datetime) -> str:
    """Make the keys of a person whom nobody knows yet, and return the person's id, which is also the keys'."""
    person_id = uuid7(now)
    await vault.create_person_keys(person_id, now)
    return person_id


def lookup(vault: Vault, channel: str, person: JsonObject) -> bytes | None:
    """
    Return the keyed hash that a returning customer of *channel* is found by: of the reference, else of the e-mail.

    None when neither is given: such a customer is always a new one.
    """
    for field in ("reference", "email"):
        value = person.get(field)
        if isinstance(value, str) and value.strip():
            return vault.keyed_hash(f"{channel}\n{field}\n{value.strip().lower() if field == 'email' else value}")
    return None


ONE_AT_A_TIME = "pg_advisory_xact_lock(('x' || encode(substr(CAST(:mark AS bytea), 1, 8), 'hex'))::bit(64)::bigint)"
"""
Lets orders of the customer with the keyed hash ``:mark`` through one at a time, until the transaction ends.

Else two first orders at once would both find nobody and both add a row. Of a null nobody waits.
"""


async def find_person(conn: AsyncConnection, channel: str, mark: bytes) -> str | None:
    """
    Return the id of the customer of *channel* with this keyed hash; None for one who is new.

    Asked by a statement after ``ONE_AT_A_TIME``, it sees the row of a first order that came at the same moment.
    """
    return await conn.scalar(_FIND, {"channel": channel, "lookup": mark})


_FIND = text("SELECT id FROM persons WHERE channel_id = :channel AND lookup = :lookup").bindparams(
    bindparam("lookup", type_=LargeBinary)
)


async def person_row(
    vault: Vault, *, person_id: str, channel: str, customer: JsonObject, now: datetime
) -> dict[str, Any]:
    """Return a person's row of ``persons``."""
    sealed = await _sealed(vault, person_id, customer, {name: customer.get(name) for name in STATUTORY_FIELDS})
    mark = lookup(vault, channel, customer)
    return {"id": person_id, "channel_id": channel, "lookup": mark, "created_at": now, **sealed}


async def recipient_rows(
    vault: Vault, *, order_id: str, person_id: str, addresses: Mapping[str, JsonObject]
) -> list[dict[str, Any]]:
    """Return the rows of ``recipients`` that say where an order's delivery groups go, by group id."""
    return [
        {
            "order_id": order_id,
            "delivery_group_id": group,
            "person_id": person_id,
            **await _sealed(vault, person_id, address, address),
        }
        for group, address in addresses.items()
    ]


async def _sealed(vault: Vault, person_id: str, service: JsonObject, statutory: JsonObject) -> dict[str, bytes]:
    return {
        "service": await vault.seal(person_id, canonical(service)),
        "statutory": await vault.seal(person_id, canonical(statutory), Purpose.STATUTORY),
    }
