"""Flows as commands name them: files and folders, releases, channels, and the flows that ship."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from flows_dsl import prebuilt
from flows_dsl.compiled import CompiledFlow
from flows_dsl.composing import compose_flows
from flows_dsl.loader import document as document_of
from flows_dsl.model import FlowDocument
from flows_dsl.release import pack, unpack
from orderloom.cli.flows.publish import read_written
from orderloom.cli.flows.releases import meant_release
from orderloom.readmodels.moving import release_flows
from orderloom.readmodels.releases import documents_of

SHIPPED = "prebuilt"
CHANNEL = "channel:"


def needs_database(words: Sequence[str]) -> bool:
    """Return whether any of *words* names something that was published."""
    return any(not is_path(word) and word != SHIPPED for word in words)


def is_path(word: str) -> bool:
    """Return whether *word* names a file or folder: one that exists, or what looks like one."""
    return Path(word).exists() or "/" in word or word.endswith((".yaml", ".yml", ".json"))


async def flows_named(conn: AsyncConnection | None, word: str) -> list[FlowDocument]:
    """
    Return the flows that *word* means: a path, ``channel:NAME``, ``prebuilt``, or a release's hash or its beginning.

    Layers in a path are applied to the flows beside them.

    Raises:
        ReleaseRefused: something in a path is not valid.
        NotFound: there is no such release or channel.
    """
    if word == SHIPPED:
        return prebuilt.documents()
    if is_path(word):
        written = read_written([Path(word)])
        flows = [one for one in written if one.kind == "flow"]
        composed = compose_flows(flows, [one for one in written if one.kind == "layer"])
        return [one.document for one in composed]
    assert conn is not None
    release = await _release(conn, word)
    # What a flow runs stands beside it in its resolved form, and in the release as a flow of its own.
    documents = (await documents_of(conn, release)).values()
    return [document_of({name: part for name, part in value.items() if name != "flows"}) for value in documents]


async def compiled_named(conn: AsyncConnection, word: str) -> list[CompiledFlow]:
    """
    Return the flows that *word* means, ready to run; of a release those that events start.

    Raises:
        ReleaseRefused: something in a path is not valid.
        NotFound: there is no such release or channel.
    """
    if word == SHIPPED or is_path(word):
        return [unpack(flow.body) for flow in pack(await flows_named(None, word)).flows]
    own = await release_flows(conn, await _release(conn, word), [])
    return [unpack(own.bodies[hash]) for hash in own.flows]


async def _release(conn: AsyncConnection, word: str) -> str:
    named = word.startswith(CHANNEL)
    return await meant_release(conn, None if named else word, word.removeprefix(CHANNEL) if named else None)
