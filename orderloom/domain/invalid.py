"""What is wrong with a value from outside, as an error of ours."""

from pydantic import ValidationError

from orderloom.domain.errors import FieldProblem, InvalidInput


def invalid(error: ValidationError, subject: str) -> InvalidInput:
    """Return what is wrong with *subject* as an error of ours: pointers and reasons, no values."""
    problems = tuple(
        FieldProblem(
            pointer="".join(f"/{part}" for part in problem["loc"]), detail=problem["msg"], code=problem["type"]
        )
        for problem in error.errors(include_url=False, include_input=False)
    )
    return InvalidInput(f"{subject}: {problems[0].pointer} {problems[0].detail}", errors=problems)
