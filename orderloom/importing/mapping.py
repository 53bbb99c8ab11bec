"""The mapping of a file of orders: which column means what, and the rules of the house it came from."""

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, Identifier
from orderloom.domain.money import Currency

SHIPPED = Path(__file__).parent / "mappings"
"""The mappings that come with Orderloom, one file each."""


class MappingInvalid(OrderloomError):
    """The mapping of the import is not valid.

    Correct the keys that are named; docs/how-to/import-orders.md explains each.
    """

    code = "import.mapping_invalid"
    status = 422


class Columns(Frozen):
    """The names of the file's columns."""

    invoice: str
    sku: str
    name: str
    quantity: str
    at: str
    price: str
    customer: str
    country: str


class Warehouse(Frozen):
    """The one location that everything is sent from; it is stocked for the file before the import starts."""

    id: Identifier
    name: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    latitude: float
    longitude: float


class Mapping(Frozen):
    """How a file of invoices becomes orders."""

    mapping: Identifier
    """Its name; also the source of what it imports."""
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    columns: Columns
    date: str
    """Format of the date as `strptime` reads it. Dates are taken as UTC."""
    currency: Currency
    channel: Identifier
    warehouse: Warehouse
    cancellation_prefix: str
    """Invoices whose number begins so cancel earlier ones."""
    adjustment_prefix: str
    """Invoices whose number begins so are bookkeeping, no orders."""
    charges: dict[str, Literal["delivery", "fee"]]
    """Codes in the SKU column that are no stock, and what they are instead."""
    customer_suffix: str = ""
    """Taken off the end of a customer's number."""
    ships_at: time
    """When a day's orders leave the warehouse, UTC."""
    countries: dict[str, Annotated[str, Field(pattern=r"^[A-Z]{2}$")]]
    """Country as the file writes it to ISO 3166 alpha-2."""

    def instant(self, text: str) -> datetime:
        """Return the instant that *text* stands for. Raises ValueError when it does not follow the format."""
        return datetime.strptime(text, self.date).replace(tzinfo=UTC)


def load_mapping(name_or_path: str) -> Mapping:
    """
    Return the mapping in a file, or the one of that name that comes with Orderloom.

    Raises:
        MappingInvalid: there is no such file or mapping, or it is not valid.
    """
    shipped = SHIPPED / f"{name_or_path}.yaml"
    path = shipped if shipped.is_file() else Path(name_or_path)
    try:
        content = cast("object", YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))  # pyright: ignore[reportUnknownMemberType]
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise MappingInvalid(f"{path}: {error.strerror}; mappings that come with Orderloom: {known}") from None
    except YAMLError as error:
        raise MappingInvalid(f"{path}: {error}") from None
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise MappingInvalid("\n".join(f"{path}: {problem}" for problem in problems)) from None
