"""Log lines: JSON where no person looks, and the order in each."""

import asyncio
import logging

import structlog

from orderloom.telemetry.logs import bind_order
from tests.telemetry import captured_lines


def test_lines_are_json_where_no_person_looks() -> None:
    """Written to something that is no terminal, each line is one object with event, level and time."""
    with captured_lines() as lines:
        structlog.get_logger().warning("stock moved", sku="mug")

    (line,) = lines.read_all()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stock moved", "level": "warning", "sku": "mug"}


def test_lines_of_libraries_are_like_our_own() -> None:
    """A library's line is JSON too, with its text filled in and its traceback inside the one line."""
    with captured_lines() as lines:
        try:
            int("three")
        except ValueError:
            logging.getLogger("library").exception("lost %d", 3)

    (line,) = lines.read_all()
    assert (line["event"], line["level"]) == ("lost 3", "error")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'three'")


def test_what_is_below_the_level_is_not_written() -> None:
    """At the default level an info line of ours or of a library leaves nothing."""
    with captured_lines() as lines:
        structlog.get_logger().info("nothing of note")
        logging.getLogger("library").info("nothing of note")

    assert lines.read_all() == []


async def test_an_order_is_named_in_its_own_task_only() -> None:
    """Two tasks at once each name their order, also for libraries; nobody else does."""

    async def work(order: str) -> None:
        bind_order(order)
        await asyncio.sleep(0)
        structlog.get_logger().warning("ours")
        logging.getLogger("library").warning("theirs")

    with captured_lines() as lines:
        await asyncio.gather(work("100001"), work("100002"))
        structlog.get_logger().warning("nobody's")

    assert [(line["event"], line.get("order")) for line in lines.read_all()] == [
        ("ours", "100001"),
        ("theirs", "100001"),
        ("ours", "100002"),
        ("theirs", "100002"),
        ("nobody's", None),
    ]


def test_a_line_of_the_sdk_about_a_workflow_names_its_order() -> None:
    """Written outside the workflow, it carries the workflow's id; another workflow's line names no order."""
    with captured_lines() as lines:
        for name in ("order:100001", "floor-7"):
            logging.getLogger("temporalio").warning("failed", extra={"temporal_workflow": {"workflow_id": name}})

    assert [line.get("order") for line in lines.read_all()] == ["100001", None]
