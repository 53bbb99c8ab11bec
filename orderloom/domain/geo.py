"""Distances on the earth's surface."""

from typing import Annotated, cast

from geographiclib.geodesic import Geodesic  # pyright: ignore[reportMissingTypeStubs]
from pydantic import Field

from orderloom.domain.model import Frozen


class Position(Frozen):
    """A place on the earth (WGS 84), in degrees: north and east are positive."""

    latitude: Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]


def distance_km(start: Position, end: Position) -> float:
    """Return the length of the shortest path between two positions over the ellipsoid, in kilometres."""
    path = cast(
        "dict[str, float]",
        Geodesic.WGS84.Inverse(start.latitude, start.longitude, end.latitude, end.longitude, Geodesic.DISTANCE),  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    )
    return path["s12"] / 1000
