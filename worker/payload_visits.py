"""
Spares Temporal's worker its way through payloads that nothing would change.

For a codec and for a store outside, it visits every payload of a workflow task three times each way. With neither, each
payload comes out as it went in, for a fifteenth of a worker's time. Temporal has no option that turns this off.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from temporalio.bridge import worker as bridge
from temporalio.converter import DataConverter
from temporalio.converter._extstore import StorageOperationMetrics  # pyright: ignore[reportPrivateUsage]

type Visit = Callable[..., Awaitable[StorageOperationMetrics]]
"""Takes a task or its completion, and how payloads are converted; tells what was moved from or to a store outside."""


def _if_needed(visit: Visit) -> Visit:
    @wraps(visit)
    async def visited(message: Any, data_converter: DataConverter, **how: Any) -> StorageOperationMetrics:
        if data_converter.payload_codec is None and data_converter.external_storage is None:
            return StorageOperationMetrics()
        return await visit(message, data_converter, **how)

    return visited


DECODE, ENCODE = _if_needed(bridge.decode_activation), _if_needed(bridge.encode_completion)


def spare_visits() -> None:
    """Have the workers of this process visit payloads only where that is needed."""
    bridge.decode_activation, bridge.encode_completion = DECODE, ENCODE
