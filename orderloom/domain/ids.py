"""Ids of what belongs to an order: the order's id, a letter, and a number that counts within the order."""


def fulfillment_order_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th fulfillment order, such as ``100001-F1``."""
    return f"{order_id}-F{number}"


def invoice_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th invoice, such as ``100001-I1``."""
    return f"{order_id}-I{number}"


def credit_memo_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th credit memo, such as ``100001-M1``."""
    return f"{order_id}-M{number}"


def change_order_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th change order, such as ``100001-C1``."""
    return f"{order_id}-C{number}"


def payment_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th payment, such as ``100001-P1``."""
    return f"{order_id}-P{number}"


def exception_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th process exception, such as ``100001-X1``."""
    return f"{order_id}-X{number}"


def intent_id(order_id: str, number: int) -> str:
    """Return the id of the order's *number*-th payment intent, such as ``100001-T1``."""
    return f"{order_id}-T{number}"


def order_of(id: str) -> str:
    """Return the order's id within the id of something that belongs to it; an order's own id is returned as it is."""
    order_id, _, _ = id.rpartition("-")
    return order_id or id


def number_of(id: str) -> int:
    """Return the number within the id of something that belongs to an order: 3 for ``100001-F3``."""
    _, _, name = id.rpartition("-")
    return int(name[1:])


def oldest_first(id: str) -> tuple[int, str]:
    """Return a sort key that puts the ids of one kind of an order in the order of their numbers: F9 before F10."""
    return len(id), id
