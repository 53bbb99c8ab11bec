"""Checks and packs flows that run others."""

import pytest

from flows_dsl.check import check
from flows_dsl.findings import FlowRefused
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.release import pack, unpack

HEAD = "document: {{dsl: 1.0.3, namespace: shop, name: {name}, version: {version}}}\nevaluate: {{language: cel}}\n"
STARTS = "schedule: {on: {one: {with: {type: order.placed}}}}\n"
RUN = "do: [{it: {run: {workflow: {namespace: shop, name: NAME}}}}]\n"


def _flow(name: str, body: str, *, version: str = "1.0.0", starts: bool = True) -> FlowDocument:
    loaded = load(HEAD.format(name=name, version=version) + (STARTS if starts else "") + body)
    assert loaded.document is not None, loaded.findings
    return loaded.document


def _runs(name: str, other: str, **how: bool) -> FlowDocument:
    return _flow(name, RUN.replace("NAME", other), **how)  # type: ignore[arg-type]


def test_what_is_run_is_part_of_what_runs_it() -> None:
    """The hash of a flow covers the flows that it runs: another body there is another flow here."""
    inner, changed = (_flow("inner", f"do: [{{it: {{set: {{n: {n}}}}}}}]\n", starts=False) for n in (1, 2))
    outer = _runs("outer", "inner")

    first, second = pack([outer, inner]), pack([outer, changed])

    assert first.flows[0].hash != second.flows[0].hash
    assert unpack(first.flows[0].body).inner["shop/inner:1.0.0"].hash == first.flows[1].hash
    assert first.pin.subscriptions == {"order.placed": [first.flows[0].hash]}


def test_the_highest_version_is_the_latest() -> None:
    """Without a version the highest one is run, a release after what led to it."""
    versions = ["1.9.0", "1.10.0", "1.10.0-rc.1"]
    inner = [_flow("inner", "do: [{it: {set: {}}}]\n", version=version, starts=False) for version in versions]

    packed = pack([_runs("outer", "inner"), *inner])

    assert list(unpack(packed.flows[0].body).inner) == ["shop/inner:1.10.0"]


def test_a_flow_that_nobody_starts_or_runs_is_told() -> None:
    """Without an event it needs another flow that runs it."""
    inner = _flow("inner", "do: [{it: {set: {}}}]\n", starts=False)

    assert [it.code for it in check(inner)] == ["schedule.missing"]
    assert check(inner, flows=[inner, _runs("outer", "inner")]) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flow_that_runs_itself_is_refused(length: int) -> None:
    """In one step or in several: the flows of the circle are refused, and nothing is packed."""
    names = [f"f{at}" for at in range(length)]
    flows = [_runs(name, names[(at + 1) % length]) for at, name in enumerate(names)]

    for flow in flows:
        assert [it.code for it in check(flow, flows=flows)] == ["run.recursion"]
    with pytest.raises(FlowRefused):
        pack(flows)


def test_a_circle_further_on_is_refused_too() -> None:
    """A flow that runs a circle could not be packed either: it is told where it runs into it."""
    circle = [_runs("a", "b"), _runs("b", "a")]
    before = _runs("before", "a")

    assert [it.code for it in check(before, flows=[before, *circle])] == ["run.recursion"]
