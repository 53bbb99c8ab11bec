"""What Temporal says of an order that cannot go on."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client

from orderloom.contracts.queues import workflow_id


async def describe(client: Client, order: str) -> DescribeWorkflowExecutionResponse:
    """Return what Temporal knows of the order's workflow."""
    execution = WorkflowExecution(workflow_id=workflow_id(order))
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    )


async def failing(client: Client, order: str) -> int:
    """Return the attempt that the order's workflow task is at, if it is not the first; else 0."""
    attempt = (await describe(client, order)).pending_workflow_task.attempt
    return attempt if attempt > 1 else 0
