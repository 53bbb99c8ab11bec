"""Where the demo's locations and customers are."""

from orderloom.domain.model import Frozen


class City(Frozen):
    """A city and its position in degrees."""

    name: str
    country: str
    latitude: float
    longitude: float


CITIES: tuple[City, ...] = (
    City(name="Berlin", country="DE", latitude=52.52, longitude=13.41),
    City(name="Hamburg", country="DE", latitude=53.55, longitude=9.99),
    City(name="Munich", country="DE", latitude=48.14, longitude=11.58),
    City(name="Cologne", country="DE", latitude=50.94, longitude=6.96),
    City(name="Paris", country="FR", latitude=48.86, longitude=2.35),
    City(name="Lyon", country="FR", latitude=45.76, longitude=4.84),
    City(name="Lille", country="FR", latitude=50.63, longitude=3.06),
    City(name="Bordeaux", country="FR", latitude=44.84, longitude=-0.58),
    City(name="Amsterdam", country="NL", latitude=52.37, longitude=4.90),
    City(name="Rotterdam", country="NL", latitude=51.92, longitude=4.48),
    City(name="Eindhoven", country="NL", latitude=51.44, longitude=5.47),
    City(name="Groningen", country="NL", latitude=53.22, longitude=6.57),
)
"""Twelve cities in three countries; each has a location."""


def location_of(city: City) -> str:
    """Return the id of the location in *city*: ``DE-BERLIN``."""
    return f"{city.country}-{city.name.upper()}"
