"""``catch.retry``: as attempts of a single call that the runner makes, or as a loop with waits in the flow."""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Literal

from flows_dsl.compiled import RetryLoop
from flows_dsl.durations import duration
from flows_dsl.expressions import Condition, Language, Template, unwrap
from flows_dsl.model import CallTask, TryTask
from flows_dsl.parts import RetryPolicy
from flows_dsl.runner import Retry
from orderloom.domain.model import Json, JsonObject

LONGEST_DELAY = 60.0
"""Seconds. A call is tried again by the runner only if no delay is longer; else the flow waits by itself."""


def policy_of(retry: RetryPolicy | str | None, declared: Mapping[str, RetryPolicy]) -> RetryPolicy | None:
    """Return the policy itself, also when it is given by its name under ``use.retries``."""
    return declared[retry] if isinstance(retry, str) else retry


def retry_of_call(task: TryTask, policy: RetryPolicy | None) -> Retry | None:
    """
    Return the attempts that the runner makes, when all that is tried is one call and any error is tried again.

    With a filter, a condition or jitter it is the flow that must look at each error, so the flow loops instead.
    """
    catch = task.catch
    tried = [it for item in task.try_ for it in item.values()]
    if policy is None or len(tried) != 1 or not isinstance(tried[0], CallTask) or tried[0].if_ or catch.errors:
        return None
    if any((catch.when, catch.except_when, policy.when, policy.except_when, policy.jitter)):
        return None
    growth, settings = _growth(policy)
    limit = policy.limit
    if (
        growth == "linear"
        or limit is None
        or limit.duration is not None
        or not limit.attempt
        or not limit.attempt.count
    ):
        return None
    if isinstance(policy.delay, str) and unwrap(policy.delay) is not None:
        return None
    delay = duration(policy.delay).total_seconds() if policy.delay is not None else 1.0
    longest = _seconds(settings.get("maxDelay"), LONGEST_DELAY)
    factor = 1.0 if growth == "constant" else _factor(settings)
    if delay > LONGEST_DELAY or longest > LONGEST_DELAY:
        return None
    return Retry(attempts=limit.attempt.count + 1, delay=delay, factor=factor, limit=max(delay, longest))


def retry_loop(policy: RetryPolicy, language: Language, names: tuple[str, ...]) -> RetryLoop:
    """Return the policy as a loop that the flow makes by itself."""
    growth, settings = _growth(policy)
    limit = policy.limit
    increment, longest = settings.get("increment"), settings.get("maxDelay")
    return RetryLoop(
        when=Condition(policy.when, language, names) if policy.when else None,
        except_when=Condition(policy.except_when, language, names) if policy.except_when else None,
        delay=Template("PT1S" if policy.delay is None else policy.delay, language, names),
        growth=growth,
        factor=_factor(settings),
        increment=None if increment is None else duration(increment),
        longest=None if longest is None else duration(longest),
        count=limit.attempt.count if limit and limit.attempt else None,
        within=duration(limit.duration) if limit and limit.duration is not None else None,
        jitter=(duration(policy.jitter.from_), duration(policy.jitter.to)) if policy.jitter else None,
    )


def delay_before(loop: RetryLoop, first: timedelta, attempt: int) -> timedelta:
    """Return how long to wait before try number *attempt* after the first one; *first* is the delay of the first."""
    delay = first
    if loop.growth == "linear":
        delay = first + (loop.increment if loop.increment is not None else first) * (attempt - 1)
    if loop.growth == "exponential":
        seconds = first.total_seconds() * min(loop.factor ** min(attempt - 1, 64), 1e9)
        delay = timedelta(seconds=min(seconds, 86_400.0 * 365))
    return delay if loop.longest is None else min(delay, loop.longest)


def jitter_of(loop: RetryLoop, key: str) -> timedelta:
    """
    Return what is added to the delay of the try with this *key*: the same in every replay, spread evenly over keys.

    It is whole milliseconds.
    """
    if loop.jitter is None:
        return timedelta(0)
    least, most = (it // timedelta(milliseconds=1) for it in loop.jitter)
    drawn = int.from_bytes(sha256(key.encode()).digest()[:8])
    return timedelta(milliseconds=least + drawn % (most - least + 1))


def _growth(policy: RetryPolicy) -> tuple[Literal["constant", "linear", "exponential"], JsonObject]:
    backoff = policy.backoff
    if backoff and backoff.exponential is not None:
        return "exponential", backoff.exponential
    if backoff and backoff.linear is not None:
        return "linear", backoff.linear
    return "constant", (backoff.constant if backoff else None) or {}


def _factor(settings: JsonObject) -> float:
    factor = settings.get("factor", 2)
    return float(factor) if isinstance(factor, int | float) and factor >= 1 else 2.0


def _seconds(value: Json, default: float) -> float:
    return default if value is None else duration(value).total_seconds()
