"""Histories that the code of earlier days wrote are replayed by the code of today, in the sandbox, without a server."""

from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from orderloom.bootstrap.temporal_client import data_converter
from orderloom.telemetry.traces import Traces
from tests.replay.record import HISTORIES, POOLS
from tests.workflows.shop import secrets_in
from worker.order_worker import workflow_runner
from workflows.order import OrderWorkflow
from workflows.routing_pool import RoutingPoolWorkflow

RECORDED = sorted(HISTORIES.glob("*.json"))
OF_POOLS = [path for path in RECORDED if path.name.startswith(POOLS)]
OF_ORDERS = [path for path in RECORDED if path not in OF_POOLS]


def _history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("order:100001", path.read_text())


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in RECORDED])
@pytest.mark.parametrize("sandboxed", [True, False], ids=["sandboxed", "plain"])
async def test_a_recorded_history_replays(path: Path, sandboxed: bool) -> None:
    """Every run that was recorded makes the same decisions again."""
    replayer = Replayer(
        workflows=[OrderWorkflow, RoutingPoolWorkflow],
        workflow_runner=workflow_runner(sandboxed=sandboxed),
        data_converter=data_converter,
        build_id="replay",
    )

    result = await replayer.replay_workflow(_history(path), raise_on_replay_failure=False)

    assert result.replay_failure is None


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in RECORDED])
async def test_a_history_without_traces_replays_with_them(path: Path) -> None:
    """Traces may be switched on while orders run: the sandbox lets them, the decisions stay, and no span is made."""
    exporter = InMemorySpanExporter()
    traced = Traces(exporter)
    replayer = Replayer(
        workflows=[OrderWorkflow, RoutingPoolWorkflow],
        workflow_runner=workflow_runner(sandboxed=True),
        interceptors=[traced.interceptor],
        data_converter=data_converter,
        build_id="replay",
    )

    result = await replayer.replay_workflow(_history(path), raise_on_replay_failure=False)
    await traced.close()

    assert result.replay_failure is None
    assert exporter.get_finished_spans() == ()


def test_the_recorded_histories_are_all_there() -> None:
    """Each story has its history, and the one of short runs several; four are kept of what orders did in other days."""
    stories = Counter(path.stem.rpartition("-")[0] for path in RECORDED)

    assert set(stories) == {
        "standard",
        "alone-standard",
        "alone-remorseful",
        "outside-standard",
        "outside-authorised-by-us",
        "watched",
        "authorised-by-us",
        "faulty",
        "moved",
        "remorseful",
        "decided",
        "undone",
        "waved",
        "pool-waved",
    }
    assert min(stories["watched"], stories["decided"], stories["undone"], stories["moved"], stories["pool-waved"]) >= 2
    assert stories["standard"] == 1


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in OF_ORDERS])
def test_no_personal_data_was_recorded(path: Path) -> None:
    """Neither names nor addresses of the customer are in any history."""
    assert secrets_in(_history(path)) == []


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in OF_POOLS])
def test_no_order_is_in_the_history_of_a_pool(path: Path) -> None:
    """Which orders a wave takes is in PostgreSQL: a history names the pool and counts, and does not grow with them."""
    raw = b"".join(event.SerializeToString() for event in _history(path).events)

    assert b"central" in raw, "payloads are not readable: nothing could be found in them"
    assert b"100001" not in raw
