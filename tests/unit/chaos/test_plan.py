"""What a run is to break is decided by its seed, and a run that broke too little has failed."""

from collections import Counter

from orderloom.chaos.kills import Kill
from orderloom.chaos.plan import ALONE, TOGETHER, Plan
from orderloom.chaos.report import ENOUGH, UNFINISHED, WAVES, Act, Report, Strike


def _blows(plan: Plan) -> list[str]:
    return [f"{part.name}: {blow}" for part in plan.parts for blow in part.blows]


def test_the_same_seed_plans_the_same_blows() -> None:
    """Victims and absences are those of the seed; another seed has others."""
    assert _blows(Plan(1, 300)) == _blows(Plan(1, 300))
    assert _blows(Plan(1, 300)) != _blows(Plan(2, 300))


def test_every_kind_of_kill_strikes_often_enough() -> None:
    """In the short form five times each; together at least two at once, and once all of them."""
    kills = [blow for part in Plan(1, 300).parts for blow in part.blows if isinstance(blow, Kill)]
    struck = Counter(kill.kind for kill in kills)
    together = [kill for kill in kills if kill.kind == TOGETHER]

    assert {kind: struck[kind] for kind in (*ALONE, TOGETHER)} == dict.fromkeys((*ALONE, TOGETHER), ENOUGH)
    assert all(len(set(kill.victims)) == len(kill.victims) >= 2 for kill in together)
    assert set(together[-1].victims) == set(ALONE)
    assert all(kill.victims == (kill.kind,) for kill in kills if kill.kind in ALONE)


def test_acts_have_the_orders_that_were_asked_for() -> None:
    """At least as many, and enough in each act of kills; the long form has an act for each kind."""
    short, long = Plan(1, 300), Plan(1, 2_000)

    assert (len(short.parts), short.orders) == (5, 302)
    assert (len(long.parts), long.orders) == (11, 2_002)
    assert min(part.orders for part in short.parts[:3]) > UNFINISHED
    assert all(part.keep <= part.orders for part in (*short.parts, *long.parts))


def _report(unfinished: int, strikes: int, waves: int = WAVES) -> Report:
    struck = [
        Strike(kind="API", detail="killed API", at=0.0, unfinished=unfinished, back=1.0, waves=frozenset(range(waves)))
        for _ in range(strikes)
    ]
    return Report(seed=1, kills=("API",), acts=[Act(name="API", orders=30, strikes=struck)])


def test_too_few_strikes_are_a_failure() -> None:
    """A strike counts while enough orders are unfinished, and there must be enough of those."""
    assert _report(UNFINISHED, ENOUGH).passed
    assert _report(UNFINISHED, ENOUGH - 1).failures == ["API struck 4 times while 20 orders were unfinished, not 5"]
    assert _report(UNFINISHED - 1, ENOUGH).failures == ["API struck 0 times while 20 orders were unfinished, not 5"]


def test_too_few_waves_struck_are_a_failure() -> None:
    """A wave counts once, however many kills it meets, and what strikes it without killing does not count."""
    report = _report(UNFINISHED, ENOUGH, waves=WAVES - 1)
    hindered = Strike(kind="gateway", detail="", at=0.0, unfinished=0, back=0.0, waves=frozenset({100}))
    report.acts.append(Act(name="gateway", orders=1, strikes=[hindered]))

    assert report.waves_struck == WAVES - 1
    assert report.failures == ["waves struck by kills: 1, not 2"]
    assert _report(UNFINISHED, ENOUGH, waves=WAVES).failures == []


def test_whatever_an_act_found_is_a_failure() -> None:
    """It is named with its act."""
    report = _report(UNFINISHED, ENOUGH)
    report.acts[0].failures.append("1 flows under way")

    assert report.failures == ["API: 1 flows under way"]
