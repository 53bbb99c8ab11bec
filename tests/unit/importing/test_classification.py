"""What each row of a file of invoices becomes; over the example day, and over rows made for one rule each."""

from datetime import date
from pathlib import Path

import pytest

from orderloom.importing.classify import Cancellation, Classifier, Cover, Item, Refused, Sale, Split
from orderloom.importing.mapping import MappingInvalid, load_mapping
from orderloom.importing.rows import ImportUnreadable, fingerprint, read_rows

DAY = Path(__file__).parents[3] / "examples" / "online-retail" / "2011-07-01.csv"
MAPPING = load_mapping("online-retail")
HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def classified(path: Path) -> tuple[list[Item], Split]:
    classifier = Classifier(MAPPING)
    return list(classifier.classify(read_rows(path, MAPPING))), classifier.split


def written(folder: Path, *rows: str) -> Path:
    path = folder / "file.csv"
    path.write_text("\n".join([HEADING, *rows]) + "\n", encoding="utf-8")
    return path


def test_every_row_of_the_example_day_is_in_exactly_one_place() -> None:
    """The split of the example day is exact, and adds up to the rows read."""
    items, split = classified(DAY)

    assert split == Split(
        read=737,
        orders=689,
        changes=15,
        exceptions=25,
        refused=8,
        invoices=52,
        placed=34,
        reasons={"price_not_positive": 3, "quantity_not_positive": 5},
    )
    assert split.balanced
    sales = [item for item in items if isinstance(item, Sale)]
    cancellations = [item for item in items if isinstance(item, Cancellation)]
    assert sum(len(sale.lines) for sale in sales) == 689
    assert sum(len(cancellation.rows) for cancellation in cancellations) == 15
    assert sum(len(cancellation.uncovered) for cancellation in cancellations) == 25
    rows = [
        *(line.row for sale in sales for line in sale.lines),
        *(row.row for cancellation in cancellations for row in (*cancellation.rows, *cancellation.uncovered)),
        *(item.row for item in items if isinstance(item, Refused)),
    ]
    assert sorted(rows) == list(range(1, 738))


def test_no_sale_is_covered_beyond_what_was_sold() -> None:
    """The covers of a sold line never add up to more than its quantity."""
    items, _ = classified(DAY)
    left = {(sale.invoice, line.id): line.quantity for sale in items if isinstance(sale, Sale) for line in sale.lines}

    for item in items:
        if isinstance(item, Cancellation):
            for cover in (cover for row in item.rows for cover in row.covers):
                left[cover.invoice, cover.line] -= cover.quantity

    assert min(left.values()) >= 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param("1,20685,DOORMAT,-10,2011-07-01 09:00:00,7.08,1.0,France", "quantity_not_positive", id="negative"),
        pytest.param("1,20685,DOORMAT,0,2011-07-01 09:00:00,7.08,1.0,France", "quantity_not_positive", id="zero"),
        pytest.param("1,20685,DOORMAT,-1,2011-07-01 09:00:00,0.0,1.0,France", "quantity_not_positive", id="both"),
        pytest.param("1,20685,DOORMAT,10,2011-07-01 09:00:00,0.0,1.0,France", "price_not_positive", id="no price"),
        pytest.param("1,PADS,PADS,1,2011-07-01 09:00:00,0.001,1.0,France", "price_decimals", id="a tenth of a penny"),
        pytest.param("A1,B,Adjust bad debt,1,2011-07-01 09:00:00,5.00,,France", "adjustment", id="adjustment"),
        pytest.param(
            "C1,20685,DOORMAT,1,2011-07-01 09:00:00,7.08,1.0,France", "quantity_not_negative", id="C, positive"
        ),
        pytest.param("1,20685,DOORMAT,ten,2011-07-01 09:00:00,7.08,1.0,France", "unreadable", id="no number"),
        pytest.param("1,20685,DOORMAT,10,yesterday,7.08,1.0,France", "unreadable", id="no date"),
        pytest.param(
            "1,20685,DOORMAT,1000001,2011-07-01 09:00:00,7.08,1.0,France", "quantity_too_large", id="too many"
        ),
    ],
)
def test_a_row_that_cannot_be_part_of_an_order_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    """The row is refused with its reason, and makes no order."""
    items, split = classified(written(tmp_path, row))

    assert [item.reason for item in items if isinstance(item, Refused)] == [reason]
    assert split == Split(read=1, refused=1, invoices=1, reasons={reason: 1})


def test_a_refused_row_does_not_take_its_invoice_with_it(tmp_path: Path) -> None:
    """The other rows are an order; their line ids still say where they stand in the invoice."""
    items, split = classified(
        written(
            tmp_path,
            "1,20685,DOORMAT,10,2011-07-01 09:00:00,7.08,17850.0,EIRE",
            "1,20685,DOORMAT,-1,2011-07-01 09:00:00,7.08,17850.0,EIRE",
            "1,20685,DOORMAT,2,2011-07-01 09:01:00,7.08,17850.0,EIRE",
            "1,POST,POSTAGE,3,2011-07-01 09:01:00,18.5,17850.0,EIRE",
            "1,BANK CHARGES,Bank Charges,1,2011-07-01 09:01:00,15.0,17850.0,EIRE",
        )
    )

    (sale,) = [item for item in items if isinstance(item, Sale)]
    assert [(line.id, line.kind, line.sku, line.quantity, line.unit_price) for line in sale.lines] == [
        ("1", "product", "20685", 10, 708),
        ("3", "product", "20685", 2, 708),
        ("4", "delivery", "POST", 3, 1850),
        ("5", "fee", "BANK CHARGES", 1, 1500),
    ]
    assert (sale.customer, sale.country) == ("17850", "IE")
    assert (split.orders, split.refused, split.placed) == (4, 1, 1)


SOLD = (
    "1,20685,DOORMAT,10,2011-07-01 09:00:00,7.08,1.0,France",
    "2,20685,DOORMAT,4,2011-07-02 09:00:00,7.08,1.0,France",
    "3,20685,DOORMAT,50,2011-07-02 09:00:00,7.08,2.0,France",
)


@pytest.mark.parametrize(
    ("quantity", "covers"),
    [
        pytest.param(3, (Cover(invoice="2", line="1", quantity=3),), id="the latest sale first"),
        pytest.param(9, (Cover(invoice="1", line="1", quantity=9),), id="the latest that has enough"),
        pytest.param(
            12,
            (Cover(invoice="2", line="1", quantity=4), Cover(invoice="1", line="1", quantity=8)),
            id="several when none has enough",
        ),
    ],
)
def test_a_cancellation_is_covered_by_the_customers_latest_sales(
    tmp_path: Path, quantity: int, covers: tuple[Cover, ...]
) -> None:
    """Only sales of the same SKU to the same customer count; one that covers all of it comes before several."""
    cancelled = f"C4,20685,DOORMAT,-{quantity},2011-07-02 10:00:00,7.08,1.0,France"

    items, split = classified(written(tmp_path, *SOLD, cancelled))

    (cancellation,) = [item for item in items if isinstance(item, Cancellation)]
    assert [row.covers for row in cancellation.rows] == [covers]
    assert cancellation.same_day == frozenset({"2"} & {cover.invoice for cover in covers})
    assert (split.changes, split.exceptions) == (1, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param("C4,20685,DOORMAT,-15,2011-07-02 10:00:00,7.08,1.0,France", "nothing_covers", id="more than sold"),
        pytest.param("C4,20686,OTHER,-1,2011-07-02 10:00:00,7.08,1.0,France", "nothing_covers", id="another SKU"),
        pytest.param(
            "C4,20685,DOORMAT,-1,2011-07-02 10:00:00,7.08,3.0,France", "nothing_covers", id="another customer"
        ),
        pytest.param("C4,20685,DOORMAT,-1,2011-07-02 10:00:00,7.08,,France", "no_customer", id="nobody"),
        pytest.param("C4,POST,POSTAGE,-1,2011-07-02 10:00:00,7.08,1.0,France", "charge", id="a charge"),
    ],
)
def test_what_nothing_covers_becomes_an_exception_and_takes_nothing(tmp_path: Path, row: str, reason: str) -> None:
    """It is an exception in full, and the sale can still be cancelled by a later row."""
    later = "C5,20685,DOORMAT,-10,2011-07-03 10:00:00,7.08,1.0,France"

    items, split = classified(written(tmp_path, *SOLD, row, later))

    first, second = [item for item in items if isinstance(item, Cancellation)]
    assert [uncovered.reason for uncovered in first.uncovered] == [reason]
    assert first.rows == ()
    assert second.rows[0].covers == (Cover(invoice="1", line="1", quantity=10),)
    assert (split.changes, split.exceptions) == (1, 1)


def test_a_quantity_is_covered_once(tmp_path: Path) -> None:
    """What one row has taken, the next one cannot take again."""
    rows = [f"C{number},20685,DOORMAT,-8,2011-07-02 10:00:00,7.08,1.0,France" for number in (4, 5)]

    _, split = classified(written(tmp_path, *SOLD, *rows))

    assert (split.changes, split.exceptions) == (1, 1)


def test_rows_of_an_invoice_that_come_back_later_are_refused(tmp_path: Path) -> None:
    """An invoice is one order: rows that do not follow its others would change an order that is placed."""
    items, split = classified(written(tmp_path, SOLD[0], SOLD[1], SOLD[0]))

    assert [item.reason for item in items if isinstance(item, Refused)] == ["invoice_continued"]
    assert (split.orders, split.refused, split.invoices) == (2, 1, 2)


def test_dates_limit_what_is_read(tmp_path: Path) -> None:
    """Both ends belong to it; what is outside was not read at all."""
    path = written(tmp_path, *SOLD)

    rows = list(read_rows(path, MAPPING, since=date(2011, 7, 2), until=date(2011, 7, 2)))

    assert [row.number for row in rows] == [2, 3]


def test_a_file_without_the_columns_of_the_mapping_is_refused(tmp_path: Path) -> None:
    """The error names the columns."""
    path = tmp_path / "other.csv"
    path.write_text("InvoiceNo,StockCode,Quantity\n1,2,3\n", encoding="utf-8")

    with pytest.raises(ImportUnreadable) as refused:
        list(read_rows(path, MAPPING))

    assert refused.value.facts["columns"] == ["Country", "CustomerID", "Description", "InvoiceDate", "UnitPrice"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Neither reading nor fingerprinting ends in a traceback of the operating system's."""
    with pytest.raises(ImportUnreadable):
        list(read_rows(tmp_path / "none.csv", MAPPING))
    with pytest.raises(ImportUnreadable):
        fingerprint(tmp_path / "none.csv")


def test_a_mapping_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """Unknown names list the shipped mappings; wrong keys are named."""
    path = tmp_path / "mine.yaml"
    path.write_text("mapping: mine\ncurrency: pounds\n", encoding="utf-8")

    with pytest.raises(MappingInvalid, match="online-retail"):
        load_mapping("nowhere")
    with pytest.raises(MappingInvalid, match="currency: String should match"):
        load_mapping(str(path))
