"""The first reading of a file: how its rows will be used, and what the warehouse must have before the import starts."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from orderloom.domain.model import Frozen
from orderloom.importing.classify import Classifier, Item, Sale, Split
from orderloom.importing.mapping import Mapping
from orderloom.importing.rows import fingerprint, read_rows


class Goods(Frozen):
    """A SKU of the file: its name, and all that is sold of it."""

    sku: str
    name: str
    quantity: int


class Survey(Frozen):
    """What a file holds."""

    id: str
    """What the import is known by: the same file, mapping and dates have the same."""
    split: Split
    goods: tuple[Goods, ...]
    """By SKU."""
    starts_at: datetime | None
    """The first sale; None when there is none."""


class Selection(Frozen):
    """A file, or some days of it."""

    path: Path
    since: date | None = None
    until: date | None = None

    def items(self, classifier: Classifier, mapping: Mapping) -> Iterable[Item]:
        """Read and classify the rows."""
        return classifier.classify(read_rows(self.path, mapping, since=self.since, until=self.until))

    def id(self, mapping: Mapping) -> str:
        """Return what the import is known by."""
        days = "".join(f".{day:%Y%m%d}" if day else ".all" for day in (self.since, self.until))
        return f"{mapping.mapping}.{fingerprint(self.path)[:16]}{days}"


def survey(selection: Selection, mapping: Mapping) -> Survey:
    """
    Read the file once, keeping sums only.

    Raises:
        ImportUnreadable: the file cannot be read.
    """
    classifier = Classifier(mapping)
    names: dict[str, str] = {}
    sold: dict[str, int] = {}
    starts_at: datetime | None = None
    for item in selection.items(classifier, mapping):
        if not isinstance(item, Sale):
            continue
        starts_at = starts_at or item.at
        for line in item.lines:
            if line.kind == "product":
                sold[line.sku] = sold.get(line.sku, 0) + line.quantity
                names.setdefault(line.sku, line.name)
    goods = tuple(Goods(sku=sku, name=names[sku] or sku, quantity=quantity) for sku, quantity in sorted(sold.items()))
    return Survey(id=selection.id(mapping), split=classifier.split, goods=goods, starts_at=starts_at)
