"""One account's side of a transition: what is read from its cell, funding, its margin tiers, and what is written."""

from dataclasses import dataclass

from circuits.expression import Expression, lift, query
from circuits.margin import modules
from circuits.margin.cell import (
    COLLATERAL_BITS,
    INDEX_BITS,
    MARKET_BITS,
    POSITION_BITS,
    packed,
)
from circuits.margin.formulas import Flags, chosen, required_of
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION
from circuits.table import Table

SIGN_BIAS = 1 << 63  # a signed 64-bit digit x is range-checked as x + 2^63
NOTIONAL_BITS = 80  # a tier's bounds: notional < 2^79, and 2^79 itself is the last tier's upper bound
TIME_BITS = 32
TIER_PARTS = ("lower", "upper", "rate", "deduction")


@dataclass(frozen=True)
class Side:
    """The columns of one half (before or after) of a leg: digits of the cell and the notional at the oracle's price."""

    collateral: Expression
    magnitude: Expression
    position: Expression
    index: Expression
    notional: Expression

    def equity(self, collateral: Expression, price: Expression) -> Expression:
        """TV = c*2^16 + q*P, in quote * 2^-16."""
        return modules.equity(collateral, self.position, price)


@dataclass(frozen=True)
class Tier:
    """A row of the tier table that the prover points at."""

    lower: Expression
    upper: Expression
    rate: Expression
    deduction: Expression

    def requirement(self, notional: Expression) -> Expression:
        """rate*n - deduction, in quote * 2^-32: exact, no rounding."""
        return modules.requirement(self.rate, self.deduction, notional)


@dataclass(frozen=True)
class Rest:
    """What the other members of the leg's group are worth and require: nothing, where the account is one cell.

    scanned: 1 for a portfolio, whose requirements hold the worst scenario of all its cells, the leg's own included:
    `maintenance` that before the transition, the other two that after it.
    """

    equity: Expression
    maintenance: Expression
    maintenance_after: Expression
    initial: Expression
    scanned: Expression
    own: "Own | None" = None


@dataclass(frozen=True)
class Own:
    """Of a key with modules of the venue's own: which one judges the account, and what it makes of the sums.

    maintenance, initial: of the other cells; worst, worst_after: of all of them; factor: the portfolio's.
    """

    flags: Flags
    maintenance: Expression
    initial: Expression
    worst: Expression
    worst_after: Expression
    factor: int

    def maintained(self, usual: Expression, required: Expression, worst: Expression) -> Expression:
        """M, where the leg's cell requires so much."""
        total = required + self.maintenance
        return chosen(self.flags, usual, lambda module: module.conclude(0, total, 0, worst, self.factor).maintenance)

    def initially(self, usual: Expression, required: Expression) -> Expression:
        """I after."""
        total, worst = required + self.initial, self.worst_after
        return chosen(self.flags, usual, lambda module: module.conclude(0, 0, total, worst, self.factor).initial)


NO_REST = Rest(lift(0), lift(0), lift(0), lift(0), lift(0))


@dataclass(frozen=True)
class Leg:
    """Expressions of the leg in a row of the transitions table; amounts are of its account, all cells of it."""

    address: Expression
    market: Expression
    before: Side
    after: Side
    settled_collateral: Expression
    tier_before: Tier
    tier_after: Tier
    initial: Expression
    reducing: Expression
    rest: Rest

    @property
    def position_change(self) -> Expression:
        return self.after.position - self.before.position

    def equity_before(self, price: Expression) -> Expression:
        """TV of the funded account, before cash and fee."""
        return self.before.equity(self.settled_collateral, price) + self.rest.equity

    def equity_after(self, price: Expression) -> Expression:
        return self.after.equity(self.after.collateral, price) + self.rest.equity

    def required(self, when: str) -> Expression:
        """What the cell requires, of the kind of the tier that was looked up: with modules of the venue's own a column,
        so that what follows stays of degree 5."""
        if self.rest.own is not None:
            return query(f"required_{when}")
        tier, side = (self.tier_before, self.before) if when == "before" else (self.tier_after, self.after)
        return tier.requirement(side.notional)

    def maintenance_before(self) -> Expression:
        required, own = self.required("before"), self.rest.own
        usual = required + self.rest.maintenance
        return usual if own is None else own.maintained(usual, required, own.worst)

    def maintenance_after(self) -> Expression:
        """MM', where the tier after is one of maintenance."""
        required, own = self.required("after"), self.rest.own
        usual = required + self.rest.maintenance_after
        return usual if own is None else own.maintained(usual, required, own.worst_after)

    def initial_after(self) -> Expression:
        """IM', where the tier after is one of initial margin."""
        required, own = self.required("after"), self.rest.own
        usual = required + self.rest.initial
        return usual if own is None else own.initially(usual, required)

    def initial_room(self, price: Expression) -> Expression:
        """D = TV'*2^16 - IM': not negative under rule (A)."""
        return self.equity_after(price) * (1 << PRICE_FRACTION) - self.initial_after()

    def share_kept(self, price: Expression) -> Expression:
        """E = TV'*MM - TV*MM': not negative when equity falls by no larger share than the requirement, rule (B)."""
        return (
            self.equity_after(price) * self.maintenance_before() - self.equity_before(price) * self.maintenance_after()
        )


def add_leg(table: Table, rest: Rest) -> Leg:
    """Adds the columns of a leg, with the range checks that make their digits unique."""
    return Leg(
        table.witness("address"),
        table.register("market", MARKET_BITS),
        _side(table, "", table.register("index", INDEX_BITS) - SIGN_BIAS),
        _side(table, "_after", table.witness("index_after")),
        table.witness("settled_collateral"),
        _tier(table, "tier_before"),
        _tier(table, "tier_after"),
        table.boolean("initial"),
        table.boolean("reducing"),
        rest,
    )


def _side(table: Table, when: str, index: Expression) -> Side:
    collateral = table.register(f"collateral{when}", COLLATERAL_BITS) - SIGN_BIAS
    magnitude = table.register(f"magnitude{when}", POSITION_BITS)
    negative = table.boolean(f"negative{when}")
    position = table.witness(f"position{when}")
    table.require(f"position{when}", position - (1 - 2 * negative) * magnitude)
    notional = table.witness(f"notional{when}")
    table.require(f"notional{when}", notional - magnitude * query("price"))
    return Side(collateral, magnitude, position, index, notional)


def _tier(table: Table, name: str) -> Tier:
    return Tier(*[table.witness(f"{name}_{part}") for part in TIER_PARTS])


def add_requirements(table: Table, leg: Leg) -> None:
    """What the leg's cell requires before and after, by its module: nothing without modules of the venue's own."""
    if leg.rest.own is None:
        return
    for when, tier, side, sign in (
        ("before", leg.tier_before, leg.before, "negative"),
        ("after", leg.tier_after, leg.after, "negative_after"),
    ):
        column = table.witness(f"required_{when}")
        required = required_of(leg.rest.own.flags, tier.rate, tier.deduction, side.notional, query(sign))
        table.require(f"required_{when}", column - required)


def add_funding(table: Table, leg: Leg, settled: Expression, index: Expression) -> None:
    """pay*2^32 = q*(I - i) + d with 0 <= d < 2^32: the account pays the ceiling, and its index moves to I.

    The settled collateral has no limbs: c' - cash - fee bounds it by 2^66, and |q*(I - i)| < 2^130, so the equation
    holds in integers.
    """
    dust = table.register("funding_dust", FUNDING_FRACTION)
    pay = leg.before.collateral - leg.settled_collateral
    owed = settled * leg.before.position * (index - leg.before.index)
    table.require("funding", pay * (1 << FUNDING_FRACTION) - owed - dust)


def add_memory(
    table: Table,
    leg: Leg,
    active: Expression,
    time: Expression,
    kinds: tuple[Expression, Expression],
    market_after: Expression,
    position_after: Expression,
) -> None:
    """Reads the cell at an earlier time and writes it at the transition's time, both under one multiplicity.

    kinds: the cell's kind before and after. position_after: what is written, where that is not what the rules judge.
    Both legs of a transition have its one time, so a cell cannot be in it
    twice.
    """
    gap = table.register("gap", TIME_BITS)
    before = packed(leg.before.collateral, leg.before.position, leg.before.index, leg.market, kinds[0])
    after = packed(leg.after.collateral, position_after, leg.after.index, market_after, kinds[1])
    table.receive("read", "memory", active, leg.address, before, time - 1 - gap)
    table.send("write", "memory", active, leg.address, after, time)


def add_tier_lookup(table: Table, leg: Leg, when: str, used: Expression, requirement: Expression) -> None:
    """The tier of the leg's market with lower <= n < upper, both sides checked: a cheaper tier fails one of them.

    requirement: 0 maintenance, 1 initial, 2 initial of a tier in which positions may be opened; 6 such a one of an
    asset, 7 maintenance of an asset; 3 more of add-ons.
    """
    tier, side = (leg.tier_before, leg.before) if when == "before" else (leg.tier_after, leg.after)
    name = f"tier_{when}"
    table.send(name, "tier", used, leg.market, requirement, tier.lower, tier.upper, tier.rate, tier.deduction)
    table.register(f"{name}_above", NOTIONAL_BITS, used * (side.notional - tier.lower))
    table.register(f"{name}_below", NOTIONAL_BITS, used * (tier.upper - 1 - side.notional))
