"""Parameters of the key: what is refused, by the name of its field, and tiers at their boundaries."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from circuits.margin.parameters import Market, ParameterError, Parameters, Shape, Tier
from circuits.margin.tiers import NOTIONAL_LIMIT, OPEN_LIMIT, build_tiers
from tests.margin_worlds import small_parameters

TIERS = build_tiers([(0, 655, 1311), (1000, 1311, 3277), (5000, 3277, 6554)], 20_000)
MARKET = Market("BTC", 1 << 20, TIERS, 1 << 16, 0)


def refuses(field: str, make: Callable[[], object]) -> None:
    with pytest.raises(ParameterError) as caught:
        make()
    assert caught.value.field == field, str(caught.value)


def with_tiers(*tiers: Tier) -> Market:
    return replace(MARKET, tiers=tiers)


def test_built_tiers() -> None:
    assert [(tier.lower, tier.upper, tier.open) for tier in TIERS] == [
        (0, 1000, True), (1000, 5000, True), (5000, 20_000, True), (20_000, NOTIONAL_LIMIT, False),
    ]  # fmt: skip
    assert TIERS[1].maintenance_deduction == 1000 * (1311 - 655)
    assert TIERS[3] == replace(TIERS[2], lower=20_000, upper=NOTIONAL_LIMIT, open=False)


@pytest.mark.parametrize("boundary", [1000, 5000, 20_000])
def test_requirements_around_a_boundary(boundary: int) -> None:
    """Below, at and above: the tier changes at the boundary, the requirement does not jump."""
    below, at, above = (MARKET.tier(boundary + step) for step in (-1, 0, 1))
    assert below.upper == at.lower == boundary and at is above
    for kind in ("maintenance", "initial"):
        assert below.requirement(boundary, kind) == at.requirement(boundary, kind)
        steps = [MARKET.requirement(boundary + step, kind) for step in (-1, 0, 1)]
        assert steps[1] - steps[0] == getattr(below, f"{kind}_rate")
        assert steps[2] - steps[1] == getattr(at, f"{kind}_rate")


def test_ends_of_the_tiers() -> None:
    assert MARKET.requirement(0, "initial") == 0 and MARKET.tier(NOTIONAL_LIMIT - 1) is TIERS[-1]
    for notional in (-1, NOTIONAL_LIMIT):
        with pytest.raises(ValueError, match="no tier"):
            MARKET.tier(notional)


def test_tier_fields() -> None:
    tier = TIERS[1]
    for field, values in {
        "lower": (-1, NOTIONAL_LIMIT, 1.0, True), "upper": (1000, NOTIONAL_LIMIT + 1), "open": (1, None),
        "maintenance_rate": (0, (1 << 16) + 1), "initial_rate": (0, (1 << 16) + 1),
        "maintenance_deduction": (-1,), "initial_deduction": (-1,),
    }.items():  # fmt: skip
        for value in values:
            refuses(field, lambda field=field, value=value: replace(tier, **{field: value}))  # type: ignore[misc]
    assert replace(tier, initial_rate=1 << 16).initial_rate == 1 << 16


def test_tiers_that_a_prover_could_choose_from() -> None:
    first, second, third, last = TIERS
    refuses("tiers", with_tiers)
    refuses("tiers[0]", lambda: with_tiers(second, third, last))
    refuses("tiers[2].upper", lambda: with_tiers(first, second, third))
    for lower in (999, 1001):
        refuses("tiers[1].lower", lambda lower=lower: with_tiers(first, replace(second, lower=lower), third, last))  # type: ignore[misc]
    refuses("tiers", lambda: with_tiers(first, second, third, replace(last, open=True)))
    refuses("tiers", lambda: with_tiers(replace(first, open=False), second, third, last))
    refuses("tiers[2].open", lambda: with_tiers(first, replace(second, open=False), third, last))
    for change in (-1, 1):
        for kind in ("maintenance", "initial"):
            field = f"{kind}_deduction"
            wrong = replace(third, **{field: getattr(third, field) + change})
            with pytest.raises(ParameterError):
                with_tiers(first, second, wrong, last)


def test_rates_do_not_fall() -> None:
    refuses("maintenance_deduction", lambda: build_tiers([(0, 656, 1311), (1000, 655, 3277)], 5000))
    refuses("initial_deduction", lambda: build_tiers([(0, 655, 1311), (9, 655, 1310)], 5000))
    refuses("tiers[0].initial_rate", lambda: build_tiers([(0, 655, 654)], 5000))
    refuses("tiers[2].initial_rate", lambda: build_tiers([(0, 655, 655), (9, 655, 656), (10, 2000, 656)], 5000))
    falls = Tier(1000, NOTIONAL_LIMIT, False, 654, 0, 2000, 0)
    refuses("tiers[1].maintenance_rate", lambda: with_tiers(replace(TIERS[0]), falls))
    build_tiers([(0, 655, 655)], 5000)


def test_open_limit() -> None:
    assert build_tiers([(0, 1, 1)], OPEN_LIMIT)[0].upper == 1 << 70
    refuses("cap", lambda: build_tiers([(0, 1, 1)], OPEN_LIMIT + 1))
    above = (Tier(0, OPEN_LIMIT + 1, True, 1, 0, 1, 0), Tier(OPEN_LIMIT + 1, NOTIONAL_LIMIT, False, 1, 0, 1, 0))
    refuses("tiers[0].open", lambda: with_tiers(*above))


def test_market_and_parameter_fields() -> None:
    for field, values in {
        "name": ("", "x" * 33, "\n", "µ", 7), "funding_cap": (-1, (1 << 32) + 1), "price": (0, 1 << 48),
        "index": (1 << 63, -(1 << 63)),
    }.items():  # fmt: skip
        for value in values:
            refuses(field, lambda field=field, value=value: replace(MARKET, **{field: value}))  # type: ignore[misc]
    rules = small_parameters()
    changes: list[tuple[str, Any]] = [
        ("markets", ()), ("markets", (MARKET, MARKET)), ("fee_cell", -1), ("insurance_cell", rules.fee_cell),
        ("trade_band", (1 << 14) + 1), ("liquidation_band", -1), ("trade_fee_cap", 1 << 16),
        ("liquidation_fee_cap", -1), ("genesis_time", 1 << 40),
    ]  # fmt: skip
    for field, value in changes:
        refuses(field, lambda field=field, value=value: replace(rules, **{field: value}))  # type: ignore[misc]
    assert replace(rules, trade_band=1 << 14, trade_fee_cap=65535).trade_band == 1 << 14


def test_shape() -> None:
    shape = Shape(32, 16, 4, True)
    assert Shape.from_json(json.loads(json.dumps(shape.to_json()))) == shape
    for field, values in {
        "transitions": (0, 1, 3, 1 << 28, True), "cells": (24, "16"), "limb_bits": (5, 32, True),
        "published_diff": (1,), "packing": (0, 17, True),
    }.items():  # fmt: skip
        for value in values:
            refuses(field, lambda field=field, value=value: replace(shape, **{field: value}))  # type: ignore[misc]
    refuses(
        "shape.transitions",
        lambda: Shape.from_json({"cells": 16, "limb_bits": 4, "published_diff": True, "packing": 1}),
    )


def test_json() -> None:
    rules = small_parameters()
    assert Parameters.from_json(json.loads(json.dumps(rules.to_json()))) == rules


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("parameters.extra", lambda data: data.update(extra=1)),
        ("parameters.trade_band", lambda data: data.pop("trade_band")),
        ("trade_band", lambda data: data.update(trade_band="3277")),
        ("markets", lambda data: data.update(markets={})),
        ("markets[1]", lambda data: data["markets"].__setitem__(1, 5)),
        ("markets[0].tiers", lambda data: data["markets"][0].update(tiers=None)),
        ("markets[0].tiers[1].open", lambda data: data["markets"][0]["tiers"][1].update(open=1)),
        ("markets[0].tiers[1].lower", lambda data: data["markets"][0]["tiers"][1].update(lower=5)),
        ("markets[0].tiers[2].upper", lambda data: data["markets"][0]["tiers"][2].pop("upper")),
        ("markets[1].price", lambda data: data["markets"][1].update(price=0)),
    ],
)
def test_json_that_is_refused(path: str, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(json.dumps(small_parameters().to_json()))
    change(data)
    refuses(path, lambda: Parameters.from_json(data))
