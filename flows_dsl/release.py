"""Packs checked flows for publishing, and unpacks what history holds. Nothing but the body is needed to run one."""

from base64 import b85decode, b85encode
from collections.abc import Sequence
from functools import lru_cache
from zlib import compress, decompressobj

from flows_dsl.canonical import canonical_json
from flows_dsl.check import check
from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_text, starting_types
from flows_dsl.findings import FlowRefused, errors
from flows_dsl.interpreter import INTERPRETER_VERSION
from flows_dsl.model import FlowDocument
from flows_dsl.resolved import Catalog, digest, resolve
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.flows import PackedFlow, PackedRelease
from orderloom.contracts.messages import ReleasePin
from orderloom.domain.errors import OrderloomError

MAX_BODY = 8 * 1024
"""Characters of one flow's body."""

MAX_TEXT = 256 * 1024


class FlowTooLarge(OrderloomError):
    """The flow is too large to be carried in an order's history.

    Split it: a flow can emit an event that starts another one.
    """

    code = "flow.too_large"
    status = 422


class BodyDamaged(OrderloomError):
    """This is no body of a flow.

    Publish the flow again; a body is never edited by hand.
    """

    code = "flow.body_damaged"
    status = 500


def pack_flow(
    document: FlowDocument, catalog: Catalog = CORE_ACTIONS, flows: Sequence[FlowDocument] = ()
) -> PackedFlow:
    """
    Check *document* and return it as it is published, with those of *flows* that it runs.

    Raises:
        FlowRefused: the check found something.
        FlowTooLarge: its body is over the cap.
    """
    if findings := errors(check(document, catalog=catalog, flows=flows)):
        raise FlowRefused(document.name, findings)
    resolved = resolve(document, catalog, flows)
    body = b85encode(compress(canonical_json(resolved).encode(), 9)).decode()
    if len(body) > MAX_BODY:
        detail = f"{document.name}: its body has {len(body)} characters; at most {MAX_BODY} are allowed."
        raise FlowTooLarge(detail, name=document.name, characters=len(body))
    head = document.document
    return PackedFlow(hash=digest(resolved), name=head.name, version=head.version, document=resolved, body=body)


def pack(documents: Sequence[FlowDocument], catalog: Catalog = CORE_ACTIONS) -> PackedRelease:
    """
    Check all *documents* and return them as one release; their order is that in which an event starts them.

    Raises:
        FlowRefused: one of them is not valid.
    """
    flows = tuple(pack_flow(document, catalog, documents) for document in documents)
    subscriptions: dict[str, list[str]] = {}
    for document, packed in zip(documents, flows, strict=True):
        for type_ in starting_types(document):
            subscriptions.setdefault(type_, []).append(packed.hash)
    address = digest([INTERPRETER_VERSION, [packed.hash for packed in flows], subscriptions])
    pin = ReleasePin(release=address, subscriptions=subscriptions, interpreter=INTERPRETER_VERSION)
    return PackedRelease(pin=pin, flows=flows)


@lru_cache(maxsize=512)
def unpack(body: str) -> CompiledFlow:
    """
    Return the flow in *body*, ready to run; each body is compiled once per process.

    Raises:
        BodyDamaged: it holds no flow.
    """
    try:
        inflater = decompressobj()
        text = inflater.decompress(b85decode(body), MAX_TEXT)
    except Exception as error:
        raise BodyDamaged("The body of a flow cannot be read.") from error
    if not inflater.eof:
        raise BodyDamaged("The body of a flow is cut off or too large.")
    return compile_text(text.decode())
