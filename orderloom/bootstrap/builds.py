"""Builds of workers: what they call themselves, and what Temporal's list of workflows says of them."""

from importlib.metadata import version

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from orderloom.settings import Settings

BUILD_IDS = SearchAttributeKey.for_keyword_list("BuildIds")
"""Where the server notes which builds have worked on a workflow."""


def build_id(settings: Settings) -> str:
    """Return the build that workers name in histories. Left out, the SDK would hash every module at each start."""
    return settings.build_id or f"orderloom-{version('orderloom')}"


def versioned(settings: Settings) -> bool:
    """Return whether workers belong to a deployment, whose builds the server tells apart."""
    return settings.deployment is not None and settings.build_id is not None


def noted(settings: Settings) -> TypedSearchAttributes:
    """
    Return what the server notes of a workflow after its first task, to be noted as it starts.

    It enters every workflow into its list when it starts, and again when a build is noted for the first time. Said
    beforehand, there is nothing left to note. Which build a versioned workflow gets only the server knows.
    """
    if versioned(settings):
        return TypedSearchAttributes.empty
    return TypedSearchAttributes([SearchAttributePair(BUILD_IDS, ["unversioned", f"unversioned:{build_id(settings)}"])])
