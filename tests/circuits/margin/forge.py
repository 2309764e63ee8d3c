"""A prover without a conscience: steps that no rule was asked about, columns that no register refused.

    forge = Forge(parameters, shape, cells)          # any state; one tick at the genesis rows is there
    forge.act("trade", 2, 3, size=5, cash=500, rule_a="initial", rule_b="initial")
    case = forge.case()                              # statement and assignment, whatever they are worth
    failures(case)                                   # names of the violated laws

What follows from a step (funding, balances, notionals, tiers, memory, lookups) is filled in honestly: what fails is
what was forged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from circuits import check as checker
from circuits.circuit import Assignment, Circuit
from circuits.expression import Expression
from circuits.field import MODULUS
from circuits.margin.cell import ACCOUNT, EMPTY_CELL, SYSTEM, Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.kinds import L1_CODES
from circuits.margin.modules import FUNDING_FRACTION
from circuits.margin.parameters import Market, Parameters, Shape, Tier
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import InvalidStatement, L1Row, OracleRow, Statement
from circuits.margin.statement_rules import check_statement
from circuits.margin.tiers import NOTIONAL_LIMIT
from circuits.program import Compiled, compile_program
from circuits.table import Table
from zkmargin import columns, witness
from zkmargin.state import Leg, Step

SETTLED_A = {"open", "deposit", "withdraw", "refuse", "touch", "trade", "transfer", "liquidate", "deleverage"}
SETTLED_B = {"trade", "liquidate", "deleverage", "cover"}
L1_SIGN = {"deposit": 1, "withdraw": -1}


class _AnyNotional(Market):
    """A market whose last tier takes every notional, so that a witness can be written where no tier holds."""

    @classmethod
    def of(cls, market: Market) -> "_AnyNotional":
        return cls(*(getattr(market, field.name) for field in fields(Market)))

    def tier(self, notional: int) -> Tier:
        return super().tier(min(notional, NOTIONAL_LIMIT - 1))


@dataclass
class Case:
    """A statement and an assignment for it; both may lie."""

    parameters: Parameters
    shape: Shape
    statement: Statement
    assignment: Assignment

    @property
    def circuit(self) -> Circuit:
        return circuit_of(self.parameters, self.shape)


@lru_cache(maxsize=8)
def circuit_of(parameters: Parameters, shape: Shape) -> Circuit:
    return margin_circuit(parameters, shape)


@lru_cache(maxsize=64)
def _compiled(roots: tuple[Expression, ...]) -> Compiled:
    """Hundreds of batches are checked against a few circuits."""
    return compile_program(roots)


def failures(case: Case) -> set[str]:
    """Names of the violated laws; `statement` when an arbiter refuses the statement itself."""
    with patch.object(checker, "compile_program", lambda roots: _compiled(tuple(roots))):
        found = checker.check(
            case.circuit, case.assignment, public_scalars(case.statement), public_terms(case.statement)
        )
    names = {failure.constraint for failure in found}
    try:
        check_statement(case.statement, case.parameters, case.shape)
    except InvalidStatement:
        names.add("statement")
    return names


@dataclass
class Forge:
    """Cells are given and kept as digits; `ticks` starts at tick 1, the rows before it are those of genesis."""

    parameters: Parameters
    shape: Shape
    cells: dict[int, Cell] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    l1: list[L1Row] = field(default_factory=list)
    next_queue: int = 0

    def __post_init__(self) -> None:
        self.old = dict(self.cells)
        genesis = [(market.price, market.index) for market in self.parameters.markets]
        time = self.parameters.genesis_time
        self.last_oracle = self._rows(0, time, genesis)
        self.oracle = self._rows(1, time, genesis)

    @staticmethod
    def _rows(tick: int, time: int, listed: Sequence[tuple[int, int]]) -> list[OracleRow]:
        return [OracleRow(tick, time, market, *row) for market, row in enumerate(listed)]

    def tick(self, elapsed: int, *listed: tuple[int, int]) -> None:
        """The next oracle tick: (price, index) of every market."""
        last = self.oracle[-1]
        self.oracle += self._rows(last.tick + 1, last.time + elapsed, listed)

    def act(self, kind: str, a: int | None = None, b: int | None = None, **stated: Any) -> Step:
        """Appends a step; what is not stated follows from its kind. `after_a`, `after_b` override a leg's outcome."""
        changed = {suffix: stated.pop(f"after_{suffix}", {}) for suffix in "ab"}
        if kind in ("transfer", "cover"):
            stated.setdefault("cash", stated["size"])
        if kind in ("trade", "liquidate", "deleverage"):
            stated.setdefault("delta", stated["size"])
        if kind in L1_CODES:
            stated.setdefault("queue", self.next_queue + len(self.l1))
        step = Step(kind, stated.pop("tick", self.oracle[-1].tick), **stated)
        legs = {suffix: self._leg(step, suffix, address, changed[suffix]) for suffix, address in (("a", a), ("b", b))}
        step = replace(step, **legs)
        self._append(step)
        return step

    def take(self, step: Step) -> None:
        """Appends a step that someone else made."""
        for leg in (step.a, step.b):
            if leg is not None:
                self.cells[leg.address] = leg.after
        self._append(step)

    def _append(self, step: Step) -> None:
        if step.kind in L1_CODES and step.queue is not None and step.a is not None:
            done = step.kind not in ("refuse", "refuse_close")
            self.l1.append(L1Row(step.queue, L1_CODES[step.kind], step.a.address, step.amount, int(done)))
        self.steps.append(step)

    def _leg(self, step: Step, suffix: str, address: int | None, changed: Mapping[str, int]) -> Leg | None:
        if address is None:
            return None
        before = self.cells.get(address, EMPTY_CELL)
        settled = step.kind in (SETTLED_A if suffix == "a" else SETTLED_B) and not step.system
        market = step.amount - 1 if step.kind == "open" else before.market
        index = self._index(step.tick, market) if settled else before.index
        pay = -(-before.position * (index - before.index) >> FUNDING_FRACTION)
        sign = 1 if suffix == "a" else -1
        received = -sign * step.cash - (step.fee_a if suffix == "a" else step.fee_b)
        if suffix == "a":
            received += L1_SIGN.get(step.kind, 0) * step.amount
        if step.kind == "collect":
            received = self._fees("trade" if suffix == "a" else "liquidate")
        system = step.system or step.kind == "collect" or (step.kind == "cover" and suffix == "a")
        kind = SYSTEM if system else ACCOUNT
        after = Cell(before.collateral - pay + received, before.position + sign * step.delta, index, market, kind)
        after = replace(EMPTY_CELL if step.kind == "close" else after, **changed)
        self.cells[address] = after
        return Leg(address, before, after, settled)

    def _index(self, tick: int, market: int) -> int:
        return next(row.index for row in self.oracle if (row.tick, row.market) == (tick, market))

    def _fees(self, kind: str) -> int:
        return sum(step.fee_a + step.fee_b for step in self.steps if step.kind == kind)

    def collect(self, **stated: Any) -> Step:
        """The honest last row."""
        fee, insurance = self.parameters.fee_cell, self.parameters.insurance_cell
        fresh = {f"fresh_{leg}": cell not in self.cells for leg, cell in (("a", fee), ("b", insurance))}
        tick = self.steps[-1].tick if self.steps else self.oracle[0].tick
        return self.act("collect", fee, insurance, **({"tick": tick} | fresh | stated))

    def case(self) -> Case:
        """The statement that these steps call for, and the columns of the steps."""
        old, new = _packed(self.old), _packed(self.cells)
        diff = difference(
            [old.get(cell, 0) for cell in range(self.shape.cells)],
            [new.get(cell, 0) for cell in range(self.shape.cells)],
        )
        lists = tuple(self.last_oracle), tuple(self.oracle), self.next_queue, tuple(self.l1)
        statement = Statement(1, None, None, *lists, diff)
        case = Case(self.parameters, self.shape, statement, {})
        parameters = replace(self.parameters, markets=tuple(map(_AnyNotional.of, self.parameters.markets)))
        with patch.object(columns, "_limbs", low_limbs):
            case.assignment = witness.build_assignment(case.circuit, parameters, statement, self.steps, old, new)
        return case


def difference(old: Sequence[int], new: Sequence[int]) -> tuple[tuple[int, int], ...]:
    changes = enumerate(zip(old, new, strict=True))
    return tuple((address, (after - before) % MODULUS) for address, (before, after) in changes if before != after)


def _packed(cells: Mapping[int, Cell]) -> dict[int, int]:
    return {address: cell.pack() for address, cell in cells.items()}


def low_limbs(table: Table, name: str, values: Sequence[int]) -> dict[str, Sequence[int]]:
    """Limbs of the low bits of what a register was asked to hold."""
    bits, width = table.registers[name].bits, table.limb_bits
    return {f"{name}_{i}": [value >> i * width & (1 << width) - 1 for value in values] for i in range(bits // width)}
