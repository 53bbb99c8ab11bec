"""Imports: orders from files of other systems, through the same place-order command and flows as any. Streams."""
