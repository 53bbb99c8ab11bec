"""Distances on the earth's surface."""

from functools import lru_cache
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
    return _distance(start.latitude, start.longitude, end.latitude, end.longitude)


@lru_cache(maxsize=16_384)
def _distance(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return what is the same whenever an order goes to the same place: locations stay where they are."""
    path = cast(
        "dict[str, float]",
        Geodesic.WGS84.Inverse(latitude, longitude, to_latitude, to_longitude, Geodesic.DISTANCE),  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    )
    return path["s12"] / 1000
