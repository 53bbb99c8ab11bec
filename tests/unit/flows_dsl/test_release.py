"""Publishing: hashes, bodies, subscriptions."""

from base64 import b85decode
from hashlib import sha256
from zlib import decompress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows_dsl import prebuilt
from flows_dsl.findings import FlowRefused
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.release import BodyDamaged, FlowTooLarge, pack, pack_flow, unpack
from orderloom.domain.errors import NotFound

PLAIN = """\
# A remark.
document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}
schedule: {on: {any: [{with: {type: b}}, {with: {type: a}}]}}
do:
  - it: {call: create-reservation}
"""
LAID_OUT = """\
do: [{it: {call: create-reservation@1}}]
schedule:
  on:
    any:
      - with: {type: b}
      - with: {type: a}
document:
  version: 1.0.0
  name: mine
  namespace: shop
  dsl: '1.0.3'
"""


def _document(text: str) -> FlowDocument:
    document = load(text).document
    assert document is not None
    return document


def test_the_hash_is_of_what_the_flow_does() -> None:
    """Layout, remarks and an unlocked major do not change the hash; another argument does."""
    plain, laid_out = pack_flow(_document(PLAIN)), pack_flow(_document(LAID_OUT))
    other = pack_flow(_document(PLAIN.replace("create", "release")))

    assert plain == laid_out
    assert plain.hash != other.hash
    assert len(plain.hash) == 32
    assert plain.document["do"] == [{"it": {"call": "create-reservation@1"}}]


def test_a_body_is_all_that_is_needed_to_run() -> None:
    """The body unpacks to the same flow, with the same hash, compiled once."""
    packed = pack_flow(prebuilt.document("place-order"))

    flow = unpack(packed.body)

    assert (flow.hash, flow.label, flow.starts_on) == (packed.hash, "place-order:1.0.0", ("order.placed",))
    assert unpack(packed.body) is flow
    assert b"#" not in decompress(b85decode(packed.body))


def test_the_default_release_is_small_and_complete() -> None:
    """All bodies together are under 8 KB; each event type starts its flows in the order of the release."""
    release = pack(prebuilt.documents())
    hashes = {flow.name: flow.hash for flow in release.flows}

    assert sum(len(flow.body) for flow in release.flows) < 4_096
    assert release.pin.subscriptions == {
        "order.placed": [hashes["place-order"]],
        "order.released": [hashes["fulfilment"]],
        "order.routing.requested": [hashes["fulfilment"]],
        "fulfillment.rejected": [hashes["fulfilment"]],
        "fulfillment.digital": [hashes["deliver-digital"]],
        "fulfillment.shipped": [hashes["invoice-and-ensure-funds"], hashes["fulfill-reservation"]],
        "order.cancel.requested": [hashes["cancel-items"]],
        "order.return.requested": [hashes["return-items"]],
        "exception.occurred": [hashes["process-exception"]],
    }


def test_a_release_is_addressed_by_its_flows() -> None:
    """The same flows make the same release; the capturing variant makes another."""
    default, again = pack(prebuilt.documents()), pack(prebuilt.documents())
    capturing = pack(prebuilt.documents(prebuilt.CAPTURING_RELEASE))

    assert default == again
    assert default.pin.release != capturing.pin.release


def test_what_is_not_valid_is_not_packed() -> None:
    """Packing checks first, and tells all findings."""
    with pytest.raises(FlowRefused) as refused:
        pack([_document(PLAIN.replace("create-reservation", "create-reservaton"))])

    assert [it.code for it in refused.value.findings] == ["action.unknown"]
    assert refused.value.problem().errors[0].pointer == "/do/0/it/call"


def test_a_flow_over_the_cap_is_not_packed() -> None:
    """A body has at most 8 KB, however the flow is written."""
    noise = (sha256(str(at).encode()).hexdigest() for at in range(190))
    tasks = "".join(f"  - t{at}: {{set: {{x: {text!r}}}}}\n" for at, text in enumerate(noise))

    with pytest.raises(FlowTooLarge):
        pack_flow(_document(PLAIN.replace("  - it: {call: create-reservation}\n", tasks)))


@pytest.mark.parametrize("body", ["", "no body", "0" * 40])
def test_a_damaged_body_is_refused(body: str) -> None:
    """What is no body is a typed error."""
    with pytest.raises(BodyDamaged):
        unpack(body)


@given(st.integers(1, 500))
@settings(max_examples=30, deadline=None)
def test_a_body_that_is_cut_is_refused(cut: int) -> None:
    """No part of a body is taken for the whole."""
    body = pack_flow(prebuilt.document("place-order")).body

    with pytest.raises(BodyDamaged):
        unpack(body[:-cut])


def test_flows_that_do_not_ship_are_not_found() -> None:
    """An unknown name is an error that lists what there is."""
    with pytest.raises(NotFound, match="place-order"):
        prebuilt.document("../secrets")
