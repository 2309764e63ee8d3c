"""The kinds of transitions as selectors, and the sums of them that several rules share."""

from dataclasses import dataclass

from circuits.expression import Expression, lift, query, total
from circuits.margin.parameters import Parameters, Shape
from circuits.table import Table

SINGLE_KINDS = ("open", "close", "refuse_close", "deposit", "withdraw", "refuse", "touch")
PAIR_KINDS = ("trade", "transfer", "liquidate", "deleverage", "cover", "collect")
KINDS = SINGLE_KINDS + PAIR_KINDS
GROUP_PAIR_KINDS = ("join", "leave")
GROUP_KINDS = ("form", *GROUP_PAIR_KINDS)
OPTION_KINDS = ("settle",)
ASSET_KINDS = ("supply", "redeem", "refuse_redeem")
CADENCE_KINDS = ("check",)  # a leg by itself, on either row of a pair
OPTIONAL_KINDS = GROUP_KINDS + OPTION_KINDS + ASSET_KINDS + CADENCE_KINDS
EVERY_KIND = KINDS + OPTIONAL_KINDS
REFUSALS = ("refuse", "refuse_close", "refuse_redeem")
L1_CODES = {
    "open": 1, "form": 1, "close": 2, "refuse_close": 2, "deposit": 3, "withdraw": 4, "refuse": 4,
    "supply": 5, "redeem": 6, "refuse_redeem": 6,
}  # fmt: skip


def kinds_of(parameters: Parameters, shape: Shape) -> tuple[str, ...]:
    """The kinds that a key has: those of groups, options, assets and a cadence where it has them."""
    groups = GROUP_KINDS if shape.groups else ()
    options = OPTION_KINDS if parameters.has_options else ()
    assets = ASSET_KINDS if parameters.assets else ()
    return KINDS + groups + options + assets + (() if parameters.cadence is None else CADENCE_KINDS)


@dataclass(frozen=True)
class Row:
    """Selectors, and their sums that several rules share; all of degree 1 but for `settled`.

    system: the leg's cell is a system cell; member: it belongs to a group. first, second: which row of the pair.
    """

    kind: dict[str, Expression]
    system: Expression
    member: Expression

    @property
    def second(self) -> Expression:
        return query("second")

    @property
    def first(self) -> Expression:
        return 1 - self.second

    def of(self, *names: str) -> Expression:
        return total([self.kind[name] for name in names])

    @property
    def active(self) -> Expression:
        return self.of(*EVERY_KIND)

    @property
    def head(self) -> Expression:
        """The leg's cell is the head of a group."""
        return self.kind["form"] + self.second * self.of(*GROUP_PAIR_KINDS)

    @property
    def alone(self) -> Expression:
        """The leg's cell is an account by itself."""
        return self.active - self.system - self.member - self.head

    @property
    def emptied(self) -> Expression:
        return self.kind["close"] + self.first * self.kind["leave"]

    @property
    def opened(self) -> Expression:
        return self.kind["open"] + self.first * self.kind["join"]

    @property
    def refused(self) -> Expression:
        return self.of(*REFUSALS)

    @property
    def l1(self) -> Expression:
        return self.of("open", "close", "deposit", "withdraw", "form", "supply", "redeem") + self.refused

    @property
    def redeems(self) -> Expression:
        """Asks for a part of an asset, and gets it or not."""
        return self.of("redeem", "refuse_redeem")

    @property
    def positions_change(self) -> Expression:
        return self.of("trade", "liquidate", "deleverage")

    @property
    def moves_cash(self) -> Expression:
        return self.positions_change + self.of("transfer", "cover")

    @property
    def settled(self) -> Expression:
        """Every account, but one that is closed or receives a transfer."""
        unsettled = self.second * (self.kind["transfer"] + self.kind["join"])
        return self.active - self.system - self.of("close", "refuse_close", "form", "leave") - unsettled


def add_kinds(table: Table, parameters: Parameters, shape: Shape) -> Row:
    """At most one kind a row; both rows of a pair have the same one, or the first alone one without a leg b. Kinds
    that the key does without are the constant 0."""
    present = kinds_of(parameters, shape)
    kinds = {name: table.boolean(name) for name in KINDS}
    system = table.boolean("system")
    kinds |= {name: table.boolean(name) if name in present else lift(0) for name in OPTIONAL_KINDS}
    row = Row(kinds, system, table.boolean("member") if shape.groups else lift(0))
    table.require("one_kind", row.active * (row.active - 1))
    table.require("single_kind", row.second * row.of(*SINGLE_KINDS, "form", "settle", *ASSET_KINDS))
    for name in present:
        if name in PAIR_KINDS + GROUP_PAIR_KINDS:
            column = row.kind[name]
            table.require(f"{name}_pair", row.first * (column.at(1) - column))
    return row
