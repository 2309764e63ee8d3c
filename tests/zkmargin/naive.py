"""The margin rules once more, naively: fractions of whole quote and base units, straight from docs/margin.md.

Shares no code with the machine; of the parameters it reads the numbers alone. Slow, and meant to be read.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

from circuits.margin.parameters import Parameters

RATE = Fraction(1, 2**16)
NO_TIER = Fraction(2**79, 2**16)


class Rejected(Exception):  # noqa: N818 (an outcome, not a fault)
    """The naive model does not allow the transaction."""


def demand(condition: bool, why: str) -> None:
    if not condition:
        raise Rejected(why)


@dataclass(frozen=True)
class Holding:
    """c and q are integers by nature; the index is in quote units per base unit."""

    c: int
    q: int
    i: Fraction
    market: int
    kind: str

    def value(self) -> int:
        """The packed cell."""
        kind = {"account": 1, "system": 2}[self.kind]
        return self.c + 2**64 * self.q + 2**130 * int(self.i * 2**32) + 2**194 * self.market + 2**210 * kind


class Naive:
    """apply(transaction) returns the name of what happened, with the rules met, or raises Rejected."""

    def __init__(self, parameters: Parameters, size: int) -> None:
        self.p, self.size = parameters, size
        self.cells: dict[int, Holding] = {}
        self.prices = [Fraction(m.price, 2**16) for m in parameters.markets]
        self.indices = [Fraction(m.index, 2**32) for m in parameters.markets]
        self.time, self.queue, self.trade_fees, self.liquidation_fees = parameters.genesis_time, 0, 0, 0

    def apply(self, transaction: Any) -> tuple[str, ...]:
        result: tuple[str, ...] = getattr(self, type(transaction).__name__.lower())(transaction)
        if hasattr(transaction, "queue"):
            self.queue += 1
        return result

    def values(self) -> dict[int, int]:
        return {address: holding.value() for address, holding in self.cells.items()}

    # -- ticks and the L1 queue

    def tick(self, t: Any) -> tuple[str, ...]:
        demand(len(t.rows) == len(self.prices) and self.time <= t.time < 2**40, "shape or time")
        for m, (price, index) in enumerate(t.rows):
            demand(1 <= price < 2**48 and -(2**63) < index < 2**63, "range")
            rate = Fraction(self.p.markets[m].funding_cap, 2**32)
            moved = abs(Fraction(index, 2**32) - self.indices[m])
            demand(moved <= rate * Fraction(price, 2**16) * (t.time - self.time), "funding cap")
        self.prices = [Fraction(price, 2**16) for price, _ in t.rows]
        self.indices = [Fraction(index, 2**32) for _, index in t.rows]
        self.time = t.time
        return ("tick",)

    def open(self, t: Any) -> tuple[str, ...]:
        self._next(t)
        demand(t.cell not in (self.p.fee_cell, self.p.insurance_cell), "system cell")
        demand(0 <= t.cell < self.size and t.cell not in self.cells and 0 <= t.market < len(self.prices), "open")
        self.cells[t.cell] = Holding(0, 0, self.indices[t.market], t.market, "account")
        return ("open",)

    def close(self, t: Any) -> tuple[str, ...]:
        self._next(t)
        holding = self._account(t.cell)
        if holding.c or holding.q:
            return ("refuse_close",)
        del self.cells[t.cell]
        return ("close",)

    def deposit(self, t: Any) -> tuple[str, ...]:
        self._next(t)
        demand(1 <= t.amount < 2**56, "amount")
        if t.cell == self.p.insurance_cell:
            holding = self._system(t.cell)
            demand(holding.c + t.amount + self.liquidation_fees < 2**63, "collect")
            self._put({t.cell: replace(holding, c=holding.c + t.amount)})
        else:
            holding = self._funded(t.cell)
            self._put({t.cell: replace(holding, c=holding.c + t.amount)})
        return ("deposit",)

    def withdraw(self, t: Any) -> tuple[str, ...]:
        self._next(t)
        demand(1 <= t.amount < 2**56, "amount")
        if t.cell == self.p.fee_cell:
            holding = self._system(t.cell)
            if holding.c < t.amount:
                self._put({t.cell: holding})
                return ("refuse",)
            self._put({t.cell: replace(holding, c=holding.c - t.amount)})
            return ("withdraw",)
        holding = self._funded(t.cell)
        paid = replace(holding, c=holding.c - t.amount)
        if self._notional(holding) >= NO_TIER or self._equity(paid) < self._margin(paid, "initial"):
            self._put({t.cell: holding})
            return ("refuse",)
        self._put({t.cell: paid})
        return ("withdraw", "initial")

    def supply(self, t: Any) -> tuple[str, ...]:
        holding = self._asset(t)
        held = sum(other.q for other in self.cells.values() if other.market == t.market)
        demand(held + t.amount <= self.p.markets[t.market].supply_cap, "cap")
        self._put({t.cell: replace(holding, q=holding.q + t.amount)})
        return ("supply",)

    def redeem(self, t: Any) -> tuple[str, ...]:
        holding = self._asset(t)
        paid = replace(holding, q=holding.q - t.amount)
        if paid.q < 0 or self._notional(paid) >= NO_TIER or self._equity(paid) < self._margin(paid, "initial"):
            self._put({t.cell: holding})
            return ("refuse_redeem",)
        self._put({t.cell: paid})
        return ("redeem", "initial")

    def touch(self, t: Any) -> tuple[str, ...]:
        self._put({t.cell: self._funded(t.cell)})
        return ("touch",)

    # -- two cells

    def trade(self, t: Any) -> tuple[str, ...]:
        a, b = self._pair(t)
        price, worth = self.prices[a.market], t.size * self.prices[a.market]
        delta = t.direction * t.size
        demand(abs(t.cash - delta * price) <= self.p.trade_band * RATE * worth + 1, "band")
        demand(max(t.fee_a, t.fee_b) <= self.p.trade_fee_cap * RATE * worth, "fee cap")
        demand(min(t.fee_a, t.fee_b) >= 0 and max(t.fee_a, t.fee_b) < 2**48, "fee range")
        a2 = replace(a, q=a.q + delta, c=a.c - t.cash - t.fee_a)
        b2 = replace(b, q=b.q - delta, c=b.c + t.cash - t.fee_b)
        rules = self._rule(a, a2, t.size), self._rule(b, b2, t.size)
        fees = self.trade_fees + t.fee_a + t.fee_b
        demand(self._system(self.p.fee_cell).c + fees < 2**63, "collect")
        self._put({t.a: a2, t.b: b2})
        self.trade_fees = fees
        return ("trade", *rules)

    def transfer(self, t: Any) -> tuple[str, ...]:
        demand(t.a != t.b and 1 <= t.amount < 2**63, "transfer")
        a, b = self._funded(t.a), self._account(t.b)
        a2, b2 = replace(a, c=a.c - t.amount), replace(b, c=b.c + t.amount)
        demand(self._equity(a2) >= self._margin(a2, "initial"), "initial margin")
        self._put({t.a: a2, t.b: b2})
        return ("transfer", "initial")

    def liquidate(self, t: Any) -> tuple[str, ...]:
        a, b = self._pair(t)
        price, worth = self.prices[a.market], t.size * self.prices[a.market]
        demand(self._equity(b) < self._margin(b, "maintenance"), "healthy")
        delta = t.size if b.q > 0 else -t.size
        demand(t.size <= abs(b.q), "size")
        demand(abs(t.cash - delta * price) <= self.p.liquidation_band * RATE * worth + 1, "band")
        demand(0 <= t.fee < 2**48 and t.fee <= self.p.liquidation_fee_cap * RATE * worth, "fee")
        a2 = replace(a, q=a.q + delta, c=a.c - t.cash)
        b2 = replace(b, q=b.q - delta, c=b.c + t.cash - t.fee)
        rule = self._rule(a, a2, t.size)
        bankrupt_asset = self.p.markets[b.market].supply_cap is not None and self._equity(b) < 0
        if not (bankrupt_asset and self._equity(b2) >= self._equity(b)):
            self._reducing(b, b2, t.size)
        fees = self.liquidation_fees + t.fee
        demand(self._system(self.p.insurance_cell).c + fees < 2**63, "collect")
        self._put({t.a: a2, t.b: b2})
        self.liquidation_fees = fees
        return ("liquidate", rule, "reducing")

    def deleverage(self, t: Any) -> tuple[str, ...]:
        a, b = self._pair(t)
        demand(self._equity(b) < 0 and a.q * b.q < 0 and t.size <= min(abs(a.q), abs(b.q)), "deleverage")
        delta = t.size if b.q > 0 else -t.size
        a2 = replace(a, q=a.q + delta, c=a.c - t.cash)
        b2 = replace(b, q=b.q - delta, c=b.c + t.cash)
        # The least whole amount at which the bankrupt account loses no larger share of its equity than of its margin.
        keep = self._equity(b) * self._margin(b2, "maintenance") / self._margin(b, "maintenance")
        demand(t.cash == ceil(keep - b2.q * self.prices[b.market]) - b.c, "not the unique quote")
        rule = self._rule(a, a2, t.size)
        self._put({t.a: a2, t.b: b2})
        return ("deleverage", rule, "reducing")

    def cover(self, t: Any) -> tuple[str, ...]:
        address = self.p.insurance_cell
        demand(t.cell != address and 1 <= t.amount < 2**63, "amount")
        b, insurance = self._funded(t.cell), self._system(address)
        demand(t.amount <= insurance.c, "insurance")
        b2 = replace(b, c=b.c + t.amount)
        demand(self._equity(b) < 0 and t.amount <= ceil(-self._equity(b)), "deficit")
        demand((1 - Fraction(1, 2**16) - self._equity(b2)) * 2**16 < 2**112, "register")
        self._put({address: replace(insurance, c=insurance.c - t.amount), t.cell: b2})
        return ("cover",)

    def collect(self) -> None:
        """The end of a batch."""
        if self.trade_fees or self.liquidation_fees:
            fee, insurance = self._system(self.p.fee_cell), self._system(self.p.insurance_cell)
            fee = replace(fee, c=fee.c + self.trade_fees)
            insurance = replace(insurance, c=insurance.c + self.liquidation_fees)
            self._put({self.p.fee_cell: fee, self.p.insurance_cell: insurance})
        self.trade_fees = self.liquidation_fees = 0

    # -- what the rules are made of

    def _next(self, t: Any) -> None:
        demand(t.queue == self.queue, "queue")

    def _account(self, address: int) -> Holding:
        holding = self.cells.get(address)
        demand(0 <= address < self.size and holding is not None and holding.kind == "account", "no account")
        assert holding is not None
        return holding

    def _system(self, address: int) -> Holding:
        return self.cells.get(address, Holding(0, 0, Fraction(0), 0, "system"))

    def _funded(self, address: int) -> Holding:
        """Pays the funding since the account's index, rounded up to a whole unit."""
        holding = self._account(address)
        index = self.indices[holding.market]
        return replace(holding, c=holding.c - ceil(holding.q * (index - holding.i)), i=index)

    def _pair(self, t: Any) -> tuple[Holding, Holding]:
        demand(t.a != t.b and 1 <= t.size <= 2**64 and -(2**63) <= t.cash < 2**63, "range")
        a, b = self._funded(t.a), self._funded(t.b)
        demand(a.market == b.market, "two markets")
        return a, b

    def _put(self, changed: dict[int, Holding]) -> None:
        for holding in changed.values():
            demand(-(2**63) <= holding.c < 2**63 and abs(holding.q) < 2**64, "bit budget")
        self.cells |= changed

    def _equity(self, holding: Holding) -> Fraction:
        return holding.c + holding.q * self.prices[holding.market]

    def _notional(self, holding: Holding) -> Fraction:
        return abs(holding.q) * self.prices[holding.market]

    def _tier(self, holding: Holding) -> Any:
        notional = self._notional(holding) * 2**16
        found = [t for t in self.p.markets[holding.market].tiers if t.lower <= notional < t.upper]
        demand(len(found) == 1, "no tier")
        return found[0]

    def _margin(self, holding: Holding, kind: str) -> Fraction:
        tier = self._tier(holding)
        rate, deduction = getattr(tier, f"{kind}_rate"), getattr(tier, f"{kind}_deduction")
        margin: Fraction = self._notional(holding) * RATE * rate - Fraction(deduction, 2**32)
        return margin

    def _asset(self, t: Any) -> Holding:
        self._next(t)
        demand(1 <= t.amount < 2**56, "amount")
        holding = self._funded(t.cell)
        demand(holding.market == t.market and self.p.markets[t.market].supply_cap is not None, "no such asset")
        return holding

    def _rule(self, before: Holding, after: Holding, size: int) -> str:
        demand(after.q >= 0 or self.p.markets[after.market].supply_cap is None, "an asset that is owed")
        if self._equity(after) >= self._margin(after, "initial") and self._tier(after).open:
            return "initial"
        self._reducing(before, after, size)
        return "reducing"

    def _reducing(self, before: Holding, after: Holding, size: int) -> None:
        """Smaller on the same side, and the equity that is left is at least the margin's share of it."""
        demand(abs(after.q) == abs(before.q) - size, "does not reduce")
        kept = self._equity(after) * self._margin(before, "maintenance")
        kept -= self._equity(before) * self._margin(after, "maintenance")
        demand(0 <= kept * 2**48 < 2**176, "share or register")
