"""What locations of several groups can send together, and what is left of it for later parts of an order."""

from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.routing import Assignment, JointLimit
from orderloom.domain.situation import Left, Situation, joint_limits


def place(id: str, groups: str, **stock: int) -> LocationFacts:
    """Return a location in *groups*, written as their letters, with *stock*."""
    return LocationFacts(id=id, country="GB", groups=tuple(groups), stock=stock)


PLACES = (place("A", "on", X=6, Y=1), place("B", "on", X=6), place("C", "os", X=4))


def test_a_limit_is_what_a_group_lacks_of_what_its_locations_show() -> None:
    """Neither the channel's own group is a limit, nor one that has enough, nor one that is not counted at all."""
    left = {"o": {"X": 1}, "n": {"X": 6, "Y": 1}, "s": {"X": 4}}

    assert joint_limits(PLACES, left, "o") == {"n": {"X": 6}}
    assert joint_limits(PLACES, {"n": {"X": 12}}, "o") == {}
    assert joint_limits(PLACES, {}, "o") == {}


def test_what_one_part_takes_is_gone_for_the_next() -> None:
    """Five units from A leave one of the group's six, at A and B alike; another SKU and another group keep theirs."""
    left = Left(PLACES, {"n": {"X": 6}})
    before = left.limits(["X", "Y"], ["A", "B", "C"])

    left.take([Assignment(location="A", sku="X", quantity=5), Assignment(location="supplier", sku="X", quantity=9)])

    assert before == (JointLimit(group="n", locations=("A", "B"), most={"X": 6}),)
    assert [left.stock(name) for name in "ABC"] == [{"X": 1, "Y": 1}, {"X": 1}, {"X": 4}]
    assert left.limits(["X"], ["A", "B", "C"]) == (JointLimit(group="n", locations=("A", "B"), most={"X": 1}),)
    assert left.limits(["X"], ["B", "C"]) == ()
    assert left.limits(["Y"], ["A", "B", "C"]) == ()


def test_a_situation_of_before_there_were_limits_is_read() -> None:
    """What attempts stored without limits has none, and one without any is stored as before."""
    stored = {"now": "2026-03-02T09:00:00Z", "channel": "web", "value": 1, "parts": [], "destinations": {}}

    read = Situation.model_validate(stored)

    assert read.limits == {}
    assert read.model_dump(mode="json", exclude_defaults=True) == stored
