"""Margin of options by rule, each short by itself, as options venues publish it.

An expiry requires the less of two things: the rule for each
short option, and the most that its positions together can lose at expiry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf

from zkmargin.venues.options import OptionPosition


@dataclass(frozen=True)
class StandardRules:
    """Shares: `spot` of the underlying's price, `mark` of the option's, others of what they name.

    initial_over_maintenance: what the initial margin of a put is at least, over its maintenance. unpaired: of the
    forward, for each call short beyond those owned; None where what positions lose together is not looked at.
    """

    maintenance_spot: float
    maintenance_mark: float  # of puts
    initial_spot: float
    least_initial_spot: float
    initial_over_maintenance: float
    unpaired_maintenance: float | None
    unpaired_initial: float | None
    perpetual_maintenance: float = 0.0
    perpetual_initial: float = 0.0
    base_share: float = 0.0
    peg: float = 0.0
    peg_factor: float = 0.0
    least_confidence: float = 0.0
    oracle_factor: float = 0.0


DERIVE = StandardRules(0.075, 0.075, 0.15, 0.1, 1.05, 1.1, 1.2, 0.05, 0.065, 0.1, 0.98, 1.2, 0.55, 0.4)
"""What the 28 published cases follow."""
DERIBIT = StandardRules(0.075, 0.075, 0.15, 0.1, 1.0, None, None)
"""The published rule of an option by itself, in quote; the venue states it in the underlying."""


@dataclass(frozen=True)
class StandardMarket:
    """An underlying and what an account has of it: options, perpetuals and the asset itself. gains: of perpetuals and
    funding, not settled."""

    options: Sequence[OptionPosition]
    perpetuals: float
    base: float
    spot: float
    perpetual_price: float
    gains: float = 0.0
    spot_confidence: float = 1.0
    perpetual_confidence: float = 1.0
    rules: StandardRules = DERIVE

    def option_margins(self, initial: bool) -> float:
        """What options are worth as margin: negative what they require, summed over expiries."""
        by_expiry = groupby(sorted(self.options, key=lambda option: option.expiry), key=lambda option: option.expiry)
        total = 0.0
        for _, group in by_expiry:
            options = list(group)
            alone = sum(short_margin(self.rules, option, self.spot, initial) for option in options if option.amount < 0)
            total += min(max(alone, most_lost(self.rules, options, initial)), 0.0)
        return total

    def perpetual_margin(self, initial: bool) -> float:
        rate = self.rules.perpetual_initial if initial else self.rules.perpetual_maintenance
        return -rate * abs(self.perpetuals) * self.perpetual_price

    def base_margin(self) -> float:
        return self.rules.base_share * self.base * self.spot

    def oracle_contingency(self) -> float:
        """On short options, perpetuals and the asset, where the oracle is unsure of their prices."""

        def doubt(*confidences: float) -> float:
            least = min(confidences)
            return 1 - least if least < self.rules.least_confidence else 0.0

        unsure = sum(
            max(-option.amount, 0.0) * self.spot * doubt(self.spot_confidence, option.confidence)
            for option in self.options
        )
        unsure += abs(self.perpetuals) * self.perpetual_price * doubt(self.perpetual_confidence)
        unsure += self.base * self.spot * doubt(self.spot_confidence)
        return -self.rules.oracle_factor * unsure

    def shorts(self) -> float:
        """Notional of short options and of perpetuals, on which a lost peg is charged."""
        options = sum(max(-option.amount, 0.0) for option in self.options)
        return options * self.spot + abs(self.perpetuals) * self.perpetual_price


def short_margin(rules: StandardRules, option: OptionPosition, spot: float, initial: bool) -> float:
    """Of a short position by itself, its mark included; negative."""
    size, mark = -option.amount, -option.value()
    maintenance = rules.maintenance_spot * spot * size
    if not option.call:
        maintenance = max(maintenance, rules.maintenance_mark * mark)
    if not initial:
        return -(mark + maintenance)
    outside = max(option.strike - spot if option.call else spot - option.strike, 0.0) / spot
    required = max(rules.initial_spot - outside, rules.least_initial_spot) * spot * size + mark
    return -(required if option.call else max(required, rules.initial_over_maintenance * (mark + maintenance)))


def most_lost(rules: StandardRules, options: Sequence[OptionPosition], initial: bool) -> float:
    """The least that options of one expiry can be worth then: at a strike, at zero, or beyond the last strike, where
    calls short beyond those owned are held to lose a multiple of the forward; without
    bound where the rules do not look at it."""
    unpaired = rules.unpaired_initial if initial else rules.unpaired_maintenance
    if unpaired is None:
        return -inf
    at_expiry = min(sum(option.payoff(price) for option in options) for price in [0.0, *(o.strike for o in options)])
    calls = sum(option.amount for option in options if option.call)
    return at_expiry + min(calls, 0.0) * options[0].forward * unpaired


def standard_margin(cash: float, markets: Sequence[StandardMarket], stable_price: float, initial: bool) -> float:
    """Value less requirement over all markets: healthy where it is not negative."""
    total = cash
    for market in markets:
        total += market.gains + market.option_margins(initial) + market.perpetual_margin(initial) + market.base_margin()
        if initial:
            lost = max(market.rules.peg - stable_price, 0.0) * market.rules.peg_factor
            total += market.oracle_contingency() - lost * market.shorts()
    return total
