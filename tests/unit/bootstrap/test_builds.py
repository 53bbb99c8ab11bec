"""Builds of workers."""

from temporalio.common import TypedSearchAttributes

from orderloom.bootstrap.builds import BUILD_IDS, build_id, noted
from orderloom.settings import Settings


def test_what_is_noted_names_the_workers_build() -> None:
    """A workflow is noted as unversioned, and with the build that workers of the same settings name."""
    settings = Settings(build_id="2026.11")

    assert build_id(settings) == "2026.11"
    assert noted(settings)[BUILD_IDS] == ["unversioned", "unversioned:2026.11"]


def test_nothing_is_noted_of_versioned_workflows() -> None:
    """Which build of a deployment gets a workflow is not known before it has one."""
    settings = Settings(deployment="orders", build_id="2026.11")

    assert noted(settings) == TypedSearchAttributes.empty
