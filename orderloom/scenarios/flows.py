"""Puts the flows of a case in force: the prebuilt ones, with those replaced or left out that the case says."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from flows_dsl import prebuilt
from flows_dsl.findings import FlowRefused
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.release import pack
from orderloom.domain.errors import NotFound
from orderloom.persistence.flows import publish
from orderloom.scenarios.case import Case
from orderloom.scenarios.source import ScenarioInvalid

_VARIANTS = {"place-order-capturing": "place-order"}
"""Prebuilt flows that stand in for another one."""


async def put_in_force(conn: AsyncConnection, case: Case, now: datetime) -> str:
    """
    Publish the release of *case* and return its hash.

    Raises:
        ScenarioInvalid: a flow does not exist or is not valid.
    """
    try:
        release = pack(_documents(case))
    except FlowRefused as error:
        raise ScenarioInvalid(f"{case.file}: world.flows: {error.detail}") from None
    return (await publish(conn, release, now)).release


def _documents(case: Case) -> list[FlowDocument]:
    given = case.world.flows
    documents = {name: prebuilt.document(name) for name in prebuilt.DEFAULT_RELEASE if name not in given.without}
    for name in given.use:
        document = _document(case, name)
        documents[_VARIANTS.get(document.name, document.name)] = document
    return list(documents.values())


def _document(case: Case, name: str) -> FlowDocument:
    if "/" not in name and not name.endswith((".yaml", ".json")):
        try:
            return prebuilt.document(name)
        except NotFound as error:
            raise ScenarioInvalid(f"{case.file}: world.flows.use: {error.detail}") from None
    path = case.folder / name
    try:
        loaded = load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioInvalid(f"{case.file}: world.flows.use: {path}: {error.strerror}") from None
    if loaded.document is None or loaded.findings:
        raise FlowRefused(name, loaded.findings)
    return loaded.document
