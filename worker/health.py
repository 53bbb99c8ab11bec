"""Whether a worker takes work."""

from temporalio.worker import Worker

from orderloom.bootstrap.health import Probe


def polling(worker: Worker) -> Probe:
    """Return what asks whether *worker* has started and not stopped."""

    async def ask() -> None:
        if not worker.is_running:
            raise ConnectionError(f"the worker of {worker.task_queue} does not poll")

    return ask
