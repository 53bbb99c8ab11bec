"""Connections to Temporal, and how values travel over them: as JSON, by pydantic, without building a schema twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any, Self

from pydantic import TypeAdapter
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    SerializationContext,
)
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression

CONNECT_WITHIN = timedelta(seconds=5)


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:  # a type hint can be anything
    return TypeAdapter(hint)


class _JsonConverter(PydanticJSONPlainPayloadConverter):
    """Temporal makes one converter for each workflow run; the adapters are the process's, not the run's."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        return _adapter(Any if type_hint is None else type_hint).validate_json(payload.data)


_CONVERTERS = tuple(
    _JsonConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
    for converter in DefaultPayloadConverter.default_encoding_payload_converters
)
"""They hold no state, and Temporal asks for new ones with every command of a workflow."""


class _PayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)


@dataclass(frozen=True)
class _DataConverter(DataConverter):
    """Converts a value in the same way wherever it goes; Temporal asks several times for each payload."""

    def with_context(self, context: SerializationContext) -> Self:  # noqa: ARG002  # it makes no difference
        return self


data_converter = _DataConverter(payload_converter_class=_PayloadConverter)
"""Every client and worker of Orderloom uses it."""


async def connect(
    address: str,
    *,
    namespace: str = "default",
    tls: bool = False,
    api_key: str | None = None,
    lazy: bool = False,
    runtime: Runtime | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """
    Connect to the Temporal server at *address* (``host:port``); *lazy* waits with it until the first call.

    *interceptors* watch the client and its workers.

    Raises:
        RuntimeError: it does not answer.
    """
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=data_converter,
        tls=tls or None,
        api_key=api_key,
        lazy=lazy,
        runtime=runtime,
        interceptors=interceptors,
        connect_timeout=CONNECT_WITHIN,
        grpc_compression=GrpcCompression.NONE if _is_loopback(address) else GrpcCompression.GZIP,
    )


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
