"""Set-cover problems in the format of the OR-Library's files scp*.txt (Beasley 1990)."""

from dataclasses import dataclass
from pathlib import Path

from orderloom.domain.routing import FEWEST_SPLITS, Candidate, Cost, RoutingQuestion

PER_LINE = 12
"""Numbers in a line of the published files."""


@dataclass(frozen=True)
class SetCover:
    """Choose columns at the least cost so that every row is covered."""

    costs: tuple[int, ...]
    """By column."""
    rows: tuple[tuple[int, ...], ...]
    """By row, the columns that cover it, from 0."""

    def question(self, *, costly: bool = True) -> RoutingQuestion:
        """Return the same as a question: a row is a SKU, a column a location; not *costly*: the fewest columns."""
        return RoutingQuestion(
            demand={f"R{row:04}": 1 for row in range(len(self.rows))},
            locations=tuple(
                Candidate(
                    location=f"C{column:04}",
                    stock={f"R{row:04}": 1 for row, columns in enumerate(self.rows) if column in columns},
                    costs=(Cost(opening=cost),),
                )
                for column, cost in enumerate(self.costs)
            ),
            objectives=("cost",) if costly else (FEWEST_SPLITS,),
            alternatives=1,
        )


def read(path: Path) -> SetCover:
    """
    Return the problem in *path*: rows and columns, the costs, and for each row how many columns and which, from 1.

    Raises:
        ValueError: it ends too early, or does not end where it should.
    """
    numbers = iter([int(word) for word in path.read_text().split()])
    try:
        rows, columns = next(numbers), next(numbers)
        costs = tuple(next(numbers) for _ in range(columns))
        covers = tuple(tuple(next(numbers) - 1 for _ in range(next(numbers))) for _ in range(rows))
    except (StopIteration, RuntimeError):
        raise ValueError(f"{path} ends too early") from None
    if (left := len(list(numbers))) > 0:
        raise ValueError(f"{path} has {left} numbers too many")
    return SetCover(costs, covers)


def write(problem: SetCover, path: Path) -> None:
    """Write *problem* to *path* as the published files are written."""
    blocks = [
        [len(problem.rows), len(problem.costs)],
        list(problem.costs),
        *(part for columns in problem.rows for part in ([len(columns)], [column + 1 for column in columns])),
    ]
    lines = [block[at : at + PER_LINE] for block in blocks for at in range(0, len(block), PER_LINE)]
    path.write_text("".join(f" {' '.join(map(str, line))} \n" for line in lines))
