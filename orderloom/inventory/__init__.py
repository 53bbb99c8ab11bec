"""
What is asked of stock and routing that belongs to no order, each request done once.

Reservations, receipts, adjustments, counts, safety stock and feeds; what may be sold ahead, and routing policies.
"""
