"""Sets of sources as bit masks: bit *i* is source *i*."""

from collections.abc import Iterable, Iterator


def members(sources: int) -> Iterator[int]:
    """Yield the members of a set of sources, ascending."""
    while sources:
        bit = sources & -sources
        sources ^= bit
        yield bit.bit_length() - 1


def mask(sources: Iterable[int]) -> int:
    """Return the set of *sources*, each given once."""
    return sum(1 << source for source in sources)
