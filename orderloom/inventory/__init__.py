"""Changes of stock that belong to no order: reservations, receipts, adjustments, counts and feeds."""
