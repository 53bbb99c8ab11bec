"""The order worker: order workflows, and the local activities that are their transactions."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orderloom.bootstrap.builds import build_id, versioned
from orderloom.contracts.queues import ORDERS
from orderloom.settings import Settings
from worker.payload_visits import spare_visits
from workflows.order import OrderWorkflow

OURS = ("orderloom", "flows_dsl", "workflows", "cel_expr_python", "jq", "jsonschema")
"""Modules that workflow code shares with the process: pure, which import contracts hold."""
GRACE = timedelta(seconds=15)
"""How long activities that run may go on when the worker is told to stop: a transaction takes 5 s at most, a call to a
gateway 12 s. What is not done then is tried again by another worker."""


def workflow_runner(*, sandboxed: bool) -> WorkflowRunner:
    """Return what runs workflow code, in Temporal's sandbox or not."""
    if not sandboxed:
        return UnsandboxedWorkflowRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*OURS))


def order_worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    settings: Settings,
    workflows: Sequence[type] = (OrderWorkflow,),
) -> Worker:
    """Return a worker for queue ``orders`` with *activities* (``activities.serving.activities``)."""
    spare_visits()
    deployment = _deployment(settings)
    return Worker(
        client,
        task_queue=ORDERS,
        workflows=workflows,
        activities=activities,
        workflow_runner=workflow_runner(sandboxed=settings.sandbox),
        max_cached_workflows=settings.workflow_cache,
        max_concurrent_workflow_tasks=_tasks_at_once(settings),
        # An activity beyond the pool would only wait for a connection while its timeout runs.
        max_concurrent_local_activities=settings.pool_size,
        max_concurrent_activities=1,
        graceful_shutdown_timeout=GRACE,
        # A versioned worker's build is its version's; the SDK takes no other.
        build_id=build_id(settings) if deployment is None else None,
        deployment_config=deployment,
    )


def _tasks_at_once(settings: Settings) -> int:
    """
    Return how many workflow tasks the worker holds.

    A task holds its slot while its transactions run, one after the other, and its timeout runs with it: what the pool
    cannot carry had better wait in the queue. Without a cache each task evicts the others, with the transactions they
    wait for: then one at a time.
    """
    return max(2, settings.pool_size // 2) if settings.workflow_cache else 1


def asking_at_once(settings: Settings) -> int:
    """Return how many of a worker's tasks may wait for gateways: half of them, for slow ones must not hold all."""
    return max(1, _tasks_at_once(settings) // 2)


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    if settings.deployment is None or not versioned(settings):
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=settings.deployment, build_id=build_id(settings)),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
