"""What an arbiter checks of a statement in integers: each rule at its edge."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from circuits.field import MODULUS
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import ParameterError
from circuits.margin.publics import public_terms
from circuits.margin.statement import InvalidStatement, L1Row, OracleRow, Statement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.story import INSURANCE_CELL, PARAMETERS, PRICE, SHAPE, sheet

TOLD = sheet().case().statement
CAP = PARAMETERS.markets[0].funding_cap
Change = Callable[[Statement], Statement]


def at_tick(tick: int, **changes: int) -> Change:
    """Changes the rows of a tick: time in all of them, the rest in that of market 0."""

    def change(statement: Statement) -> Statement:
        everywhere = {name: value for name, value in changes.items() if name == "time"}
        rows = [
            replace(row, **(changes if row.market == 0 else everywhere)) if row.tick == tick else row
            for row in statement.last_oracle + statement.oracle
        ]
        return replace(statement, last_oracle=tuple(rows[:2]), oracle=tuple(rows[2:]))

    return change


def with_l1(place: int = 0, **changes: int) -> Change:
    def change(statement: Statement) -> Statement:
        rows = list(statement.l1)
        rows[place] = replace(rows[place], **changes)
        return replace(statement, l1=tuple(rows))

    return change


def stated(**changes: object) -> Change:
    return lambda statement: replace(statement, **changes)  # type: ignore[arg-type]


def reordered(statement: Statement) -> Statement:
    first, second, *others = statement.oracle
    return replace(statement, oracle=(second, first, *others))


def numbered(first: int) -> Change:
    """The same ticks, numbered from `first` on."""

    def renumber(rows: tuple[OracleRow, ...]) -> tuple[OracleRow, ...]:
        return tuple(replace(row, tick=row.tick + first) for row in rows)

    return lambda s: replace(s, last_oracle=renumber(s.last_oracle), oracle=renumber(s.oracle))


MOVED = CAP * PRICE * 60 >> 16  # the most that the index moves in the story's 60 seconds

ACCEPTED: list[Change] = [
    stated(),
    stated(l1=()),
    stated(diff=()),
    stated(diff=((0, 0), (15, MODULUS - 1))),
    stated(batch=(1 << 64) - 1, chain=(1 << 64) - 1, contract=(1 << 160) - 1),
    at_tick(2, index=MOVED),
    at_tick(2, index=-MOVED),
    at_tick(2, price=(1 << 48) - 1),
    at_tick(2, time=(1 << 40) - 1),
    with_l1(2, amount=(1 << 56) - 1),
    with_l1(2, amount=1),
    with_l1(2, cell=15),
    with_l1(2, kind=4, outcome=0),
    numbered((1 << 40) - 3),
]

REFUSED: list[tuple[str, Change]] = [
    ("version", stated(version=2)),
    ("batch", stated(batch=-1)),
    ("batch", stated(batch=1 << 64)),
    ("chain", stated(chain=1 << 64)),
    ("next_queue", stated(next_queue=-1)),
    ("contract", stated(contract=1 << 160)),
    ("no oracle tick", stated(oracle=())),
    ("oracle rows for a table", stated(oracle=TOLD.oracle * 65)),
    ("does not list every market", reordered),
    ("does not list every market", stated(oracle=TOLD.oracle[:-1])),
    ("does not list every market", stated(oracle=TOLD.last_oracle + TOLD.oracle)),
    ("not one tick", stated(last_oracle=())),
    ("not one tick", stated(last_oracle=TOLD.last_oracle + TOLD.oracle[:2], oracle=TOLD.oracle[2:])),
    ("several times", lambda s: replace(s, oracle=(replace(s.oracle[0], time=1001), *s.oracle[1:]))),
    ("time goes back", at_tick(2, time=999)),
    ("outside 40 bits", at_tick(2, time=1 << 40)),
    ("outside 40 bits", numbered((1 << 40) - 2)),
    ("outside 40 bits", numbered(-1)),
    ("price", at_tick(2, price=0)),
    ("price", at_tick(2, price=1 << 48)),
    ("outside 63 bits", at_tick(2, index=1 << 63)),
    ("beyond its cap", at_tick(2, index=MOVED + 1)),
    ("beyond its cap", at_tick(2, index=-MOVED - 1)),
    ("beyond its cap", at_tick(1, index=1)),
    ("does not follow", lambda s: replace(s, oracle=s.oracle[2:])),
    ("next index is", with_l1(0, queue=1)),
    ("next index is", stated(next_queue=1)),
    ("next index is", lambda s: replace(s, l1=(s.l1[0], *s.l1))),
    ("no such kind", with_l1(2, kind=0)),
    ("no such kind", with_l1(2, kind=5)),
    ("outcome", with_l1(2, outcome=0)),
    ("outcome", with_l1(2, kind=4, outcome=2)),
    ("outside 1..2^56-1", with_l1(2, amount=0)),
    ("outside 1..2^56-1", with_l1(2, amount=1 << 56)),
    ("no cell", with_l1(2, cell=16)),
    ("no cell", with_l1(2, cell=-1)),
    ("opens a system cell", with_l1(0, cell=INSURANCE_CELL)),
    ("no such market", with_l1(0, amount=3)),
    ("to be published", stated(diff=None)),
    ("increase strictly", stated(diff=((3, 1), (3, 1)))),
    ("increase strictly", stated(diff=((3, 1), (2, 1)))),
    ("outside the state", stated(diff=((16, 1),))),
    ("outside the state", stated(diff=((-1, 1),))),
    ("not reduced", stated(diff=((3, MODULUS),))),
    ("not reduced", stated(diff=((3, -1),))),
]


@pytest.mark.parametrize("change", ACCEPTED)
def test_accepted(change: Change) -> None:
    check_statement(change(TOLD), PARAMETERS, SHAPE)


@pytest.mark.parametrize(("reason", "change"), REFUSED)
def test_refused(reason: str, change: Change) -> None:
    with pytest.raises(InvalidStatement, match=reason.replace("^", r"\^")):
        check_statement(change(TOLD), PARAMETERS, SHAPE)


def test_every_statement_has_its_own_bytes() -> None:
    changed = [change(TOLD) for change in ACCEPTED] + [change(TOLD) for _, change in REFUSED]
    sides = [replace(TOLD, old=(1, 2)), replace(TOLD, new=(1, 2))]
    assert len({s.encode() for s in changed + sides}) == len(set(changed + sides))


@pytest.mark.parametrize("change", ACCEPTED)
def test_bytes_return_the_statement(change: Change) -> None:
    assert Statement.decode(change(TOLD).encode()) == change(TOLD)


def test_bytes_that_are_no_statement() -> None:
    data = TOLD.encode()
    for wrong in (b"", data[:-1], data[:-32], data + bytes(32), data[:256] + b"\xff" * 32 + data[288:]):
        with pytest.raises(InvalidStatement, match="encoding:"):
            Statement.decode(wrong)
    unpublished = replace(TOLD, diff=None).encode()
    assert Statement.decode(unpublished).diff is None
    with pytest.raises(InvalidStatement, match="encoding:"):
        Statement.decode(unpublished[:-32] + (1).to_bytes(32, "big") + bytes(64))


def test_json_returns_the_statement() -> None:
    for statement in (TOLD, replace(TOLD, old=(1, 2), diff=None), replace(TOLD, l1=())):
        assert Statement.from_json(statement.to_json()) == statement


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, "9" * 5000, '{"batch": 1}', "NaN"])
def test_what_is_no_statement(text: str) -> None:
    with pytest.raises(InvalidStatement):
        Statement.from_json(text)


ILL_TYPED: dict[str, list[object]] = {
    "batch": [True, 1.0, "1", None],
    "old": [[1], [1, True], 0],
    "oracle": [{}, [[]], [{"tick": 1}], None],
    "l1": [[{"queue": 0}], None],
    "diff": [[[1, 2, 3]], 0],
    "more": [0],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ILL_TYPED.items() for value in values])
def test_ill_typed_fields(name: str, value: object) -> None:
    data = json.loads(TOLD.to_json()) | {name: value}
    with pytest.raises(InvalidStatement):
        Statement.from_json(json.dumps(data))


def test_each_l1_row_is_sent_once() -> None:
    terms = public_terms(TOLD)
    assert [(term.channel, term.multiplicity) for term in terms] == [("l1", 1)] * len(TOLD.l1)
    assert terms[0].fields == (0, 1, 8, 1, 1) and TOLD.l1[0] == L1Row(0, 1, 8, 1, 1)


@pytest.mark.parametrize(
    ("field", "parameters", "shape"),
    [
        ("fee_cell", replace(PARAMETERS, fee_cell=16), SHAPE),
        ("insurance_cell", replace(PARAMETERS, insurance_cell=16), SHAPE),
        ("tiers", PARAMETERS, replace(SHAPE, limb_bits=4)),
    ],
)
def test_parameters_that_do_not_fit_the_tables(field: str, parameters: object, shape: object) -> None:
    if field == "tiers":
        market = PARAMETERS.markets[1]
        parameters = replace(PARAMETERS, markets=(market, replace(market, name="B")))
    with pytest.raises(ParameterError, match=field):
        margin_circuit(parameters, shape)  # type: ignore[arg-type]
