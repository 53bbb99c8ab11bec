"""Logs: one JSON object a line, or text for people, with the order named where one is at work."""

import logging
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any

import structlog
from temporalio import activity, workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from orderloom.contracts.queues import order_of
from orderloom.settings import Settings

SDK = LoggingConfig(
    TelemetryFilter(core_level="WARN", other_level="ERROR"),
    forwarding=LogForwardingConfig(logging.getLogger("temporalio.core")),
)
"""Lets what the SDK's core has to say become lines like all others."""


def set_up(settings: Settings) -> None:
    """Send this process's logs, its libraries' included, to stderr as the settings say."""
    Runtime.set_default(_runtime(), error_if_already_set=False)
    # The order is in every line, and no line is longer for it.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _name_order,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())


@cache
def _runtime() -> Runtime:
    return Runtime(telemetry=TelemetryConfig(logging=SDK))


def bind_order(order_id: str) -> None:
    """Name the order in every log line of the current task; inside workflows and activities nobody needs to."""
    structlog.contextvars.bind_contextvars(order=order_id)


type _Line = MutableMapping[str, Any]


def _name_order(_logger: Any, _method: str, line: _Line) -> _Line:
    """Name the order, and the activity, whose work the line was written in: looked up when there is a line."""
    if activity.in_activity():
        line.setdefault("activity", activity.info().activity_type)
    found = _workflow_id(line.get("_record"))
    if found is not None and (order := order_of(found)) is not None:
        line.setdefault("order", order)
    return line


def _workflow_id(record: logging.LogRecord | None) -> str | None:
    """Return the workflow that the line is about: the one that runs here, or the one that the SDK names."""
    if activity.in_activity():
        return activity.info().workflow_id
    if workflow.in_workflow():
        return workflow.info().workflow_id
    told = getattr(record, "temporal_workflow", None) or getattr(getattr(record, "temporal_log", None), "fields", {})
    return told.get("workflow_id")
