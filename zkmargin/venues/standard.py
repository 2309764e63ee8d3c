"""Margin of options by rule, each short by itself, in the manner of Derive's standard manager.

The parameters below are what its published cases follow. An expiry requires the less of two things: the rule for each
short option, and the most that its positions together can lose at expiry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from zkmargin.venues.options import OptionPosition

MAINTENANCE_SPOT, MAINTENANCE_MARK = 0.075, 0.075
INITIAL_SPOT, LEAST_INITIAL_SPOT, INITIAL_OVER_MAINTENANCE = 0.15, 0.1, 1.05
UNPAIRED_MAINTENANCE, UNPAIRED_INITIAL = 1.1, 1.2  # of the forward, for each call short beyond those owned
PERPETUAL_MAINTENANCE, PERPETUAL_INITIAL = 0.05, 0.065
BASE_SHARE = 0.1
PEG, PEG_FACTOR = 0.98, 1.2
LEAST_CONFIDENCE, ORACLE_FACTOR = 0.55, 0.4


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

    def option_margins(self, initial: bool) -> float:
        """What options are worth as margin: negative what they require, summed over expiries."""
        by_expiry = groupby(sorted(self.options, key=lambda option: option.expiry), key=lambda option: option.expiry)
        total = 0.0
        for _, group in by_expiry:
            options = list(group)
            alone = sum(short_margin(option, self.spot, initial) for option in options if option.amount < 0)
            total += min(max(alone, most_lost(options, initial)), 0.0)
        return total

    def perpetual_margin(self, initial: bool) -> float:
        rate = PERPETUAL_INITIAL if initial else PERPETUAL_MAINTENANCE
        return -rate * abs(self.perpetuals) * self.perpetual_price

    def base_margin(self) -> float:
        return BASE_SHARE * self.base * self.spot

    def oracle_contingency(self) -> float:
        """On short options, perpetuals and the asset, where the oracle is unsure of their prices."""

        def doubt(*confidences: float) -> float:
            least = min(confidences)
            return 1 - least if least < LEAST_CONFIDENCE else 0.0

        unsure = sum(
            max(-option.amount, 0.0) * self.spot * doubt(self.spot_confidence, option.confidence)
            for option in self.options
        )
        unsure += abs(self.perpetuals) * self.perpetual_price * doubt(self.perpetual_confidence)
        unsure += self.base * self.spot * doubt(self.spot_confidence)
        return -ORACLE_FACTOR * unsure

    def shorts(self) -> float:
        """Notional of short options and of perpetuals, on which a lost peg is charged."""
        options = sum(max(-option.amount, 0.0) for option in self.options)
        return options * self.spot + abs(self.perpetuals) * self.perpetual_price


def short_margin(option: OptionPosition, spot: float, initial: bool) -> float:
    """Of a short position by itself, its mark included; negative."""
    size, mark = -option.amount, -option.value()
    maintenance = MAINTENANCE_SPOT * spot * size
    if not option.call:
        maintenance = max(maintenance, MAINTENANCE_MARK * mark)
    if not initial:
        return -(mark + maintenance)
    outside = max(option.strike - spot if option.call else spot - option.strike, 0.0) / spot
    required = max(INITIAL_SPOT - outside, LEAST_INITIAL_SPOT) * spot * size + mark
    return -(required if option.call else max(required, INITIAL_OVER_MAINTENANCE * (mark + maintenance)))


def most_lost(options: Sequence[OptionPosition], initial: bool) -> float:
    """The least that options of one expiry can be worth then: at a strike, at zero, or beyond the last strike, where
    calls short beyond those owned are held to lose a multiple of the forward."""
    at_expiry = min(sum(option.payoff(price) for option in options) for price in [0.0, *(o.strike for o in options)])
    calls = sum(option.amount for option in options if option.call)
    return at_expiry + min(calls, 0.0) * options[0].forward * (UNPAIRED_INITIAL if initial else UNPAIRED_MAINTENANCE)


def standard_margin(cash: float, markets: Sequence[StandardMarket], stable_price: float, initial: bool) -> float:
    """Value less requirement over all markets: healthy where it is not negative."""
    total = cash
    for market in markets:
        total += market.gains + market.option_margins(initial) + market.perpetual_margin(initial) + market.base_margin()
        if initial:
            total += market.oracle_contingency() - PEG_FACTOR * max(PEG - stable_price, 0.0) * market.shorts()
    return total
