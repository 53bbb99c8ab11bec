"""Units that are sold ahead: the counters follow what transactions move."""

from collections import Counter

from activities.unit import Unit
from orderloom.persistence.sell_ahead import change_ahead


async def count_ahead(*units: Unit) -> None:
    """Count what *units* of one transaction change of what is sold ahead: together, as counters have one order."""
    changes: Counter[tuple[str, str]] = Counter()
    for unit in units:
        for sku, quantity in unit.sold_ahead.items():
            changes[unit.order.channel_id, sku] += quantity
    if any(changes.values()):
        await change_ahead(await units[0].connection(), changes)
        for unit in units:
            unit.contended = True
