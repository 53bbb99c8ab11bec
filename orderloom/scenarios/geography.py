"""Puts locations on the globe: where the file says, or as far north of the default delivery as it says."""

from typing import cast

from geographiclib.geodesic import Geodesic  # pyright: ignore[reportMissingTypeStubs]

from orderloom.scenarios.world import Location

KILOMETRES = {"km": 1.0, "mi": 1.609344}


def position(location: Location) -> tuple[float, float] | None:
    """Return latitude and longitude of *location*, None where it has none."""
    if location.at is not None:
        return location.at
    if location.distance is None:
        return None
    number, unit = location.distance[:-2].strip(), location.distance[-2:]
    metres = float(number) * KILOMETRES[unit] * 1000
    direct = Geodesic.WGS84.Direct  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    reached = cast("dict[str, float]", direct(0.0, 0.0, 0.0, metres))
    return reached["lat2"], reached["lon2"]
