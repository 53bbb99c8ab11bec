"""What a process says of itself: logs, and, when they are switched on, metrics and traces."""
