"""Payloads that Temporal's worker need not visit."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.bridge._visitor import PayloadVisitor
from temporalio.bridge.proto.activity_result import ActivityResolution, Success
from temporalio.bridge.proto.workflow_activation import (
    InitializeWorkflow,
    ResolveActivity,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import ScheduleLocalActivity, WorkflowCommand
from temporalio.bridge.proto.workflow_completion import Success as Completed
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.worker import Replayer

from orderloom.bootstrap.temporal_client import data_converter
from worker.order_worker import workflow_runner
from worker.payload_visits import DECODE, ENCODE, spare_visits
from workflows.order import OrderWorkflow

HISTORY = Path(__file__).parents[2] / "replay" / "histories" / "standard-1.json"
HOW: list[dict[str, Any]] = [
    {"decode_headers": True, "storage_concurrency_limit": 1},
    {"encode_headers": True, "storage_concurrency_limit": 1},
]


def _payload(text: str) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


def _task() -> WorkflowActivation:
    done = ActivityResolution(completed=Success(result=_payload('"done"')))
    return WorkflowActivation(
        jobs=[
            WorkflowActivationJob(initialize_workflow=InitializeWorkflow(arguments=[_payload("1"), _payload("2")])),
            WorkflowActivationJob(resolve_activity=ResolveActivity(seq=1, result=done)),
        ]
    )


def _completion() -> WorkflowActivationCompletion:
    asked = ScheduleLocalActivity(seq=1, arguments=[_payload('{"order": "1"}')])
    return WorkflowActivationCompletion(successful=Completed(commands=[WorkflowCommand(schedule_local_activity=asked)]))


async def test_what_is_left_out_would_change_nothing() -> None:
    """Temporal's own way through the payloads, with our converter, leaves a task and its completion as they are."""
    task, completion = _task(), _completion()

    decoded = await vars(DECODE)["__wrapped__"](task, data_converter, **HOW[0])
    encoded = await vars(ENCODE)["__wrapped__"](completion, data_converter, **HOW[1])

    assert (task, completion) == (_task(), _completion())
    assert decoded == encoded == await DECODE(task, data_converter, **HOW[0])


async def test_no_payload_is_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker goes through an order's history without a visit; before, each of its tasks had six."""
    visits: list[object] = []

    async def visit(_self: PayloadVisitor, _functions: object, root: object) -> None:
        visits.append(root)

    monkeypatch.setattr(PayloadVisitor, "visit", visit)
    spare_visits()

    replayer = Replayer(
        workflows=[OrderWorkflow],
        workflow_runner=workflow_runner(sandboxed=False),
        data_converter=data_converter,
        build_id="replay",
    )
    await replayer.replay_workflow(WorkflowHistory.from_json("order/1", HISTORY.read_text()))

    assert visits == []


class _Marking(PayloadCodec):
    async def encode(self, payloads: Any) -> list[Payload]:
        return [_payload(f"encoded {payload.data.decode()}") for payload in payloads]

    async def decode(self, payloads: Any) -> list[Payload]:
        return [_payload(f"decoded {payload.data.decode()}") for payload in payloads]


async def test_a_codec_sees_every_payload() -> None:
    """Where there is a codec, nothing is left out."""
    task, completion = _task(), _completion()
    coded = DataConverter(payload_codec=_Marking())

    await DECODE(task, coded, **HOW[0])
    await ENCODE(completion, coded, **HOW[1])

    assert [it.data for it in task.jobs[0].initialize_workflow.arguments] == [b"decoded 1", b"decoded 2"]
    assert task.jobs[1].resolve_activity.result.completed.result.data == b'decoded "done"'
    asked = completion.successful.commands[0].schedule_local_activity
    assert [it.data for it in asked.arguments] == [b'encoded {"order": "1"}']
