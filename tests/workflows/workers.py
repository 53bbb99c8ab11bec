"""Workers in processes of their own, which tests kill."""

from pathlib import Path

from orderloom.bootstrap.processes import Process
from orderloom.bootstrap.servers import environment
from orderloom.settings import Settings
from orderloom.stack import Stack


def worker_process(stack: Stack, settings: Settings, directory: Path, name: str = "") -> Process:
    """Return a worker of *stack* that is not started: for orders, calls to the outside, and waves."""
    given = {
        **environment(stack.addresses, directory),
        "ORDERLOOM_GATEWAY_URL": stack.gateway_url,
        "ORDERLOOM_MASTER_KEY": str(settings.master_key),
        "TEMPORAL_NAMESPACE": settings.temporal_namespace,
    }
    return Process("worker", directory=directory, environment=given, name=name)
