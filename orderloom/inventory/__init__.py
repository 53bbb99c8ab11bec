"""Changes of stock that belong to no order: reservations, receipts, adjustments, counts, safety stock and feeds."""
