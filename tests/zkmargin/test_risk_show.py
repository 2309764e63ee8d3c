"""`zkmargin risk show`: the machine's own figures, liquidation prices that the machine agrees with, and bad files."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.margin.cell import POSITION_MAX
from circuits.margin.parameters import Market, Parameters
from circuits.margin.portfolio import Instrument, Option, Portfolio
from circuits.margin.tiers import build_tiers
from tests.zkmargin.machines import CAP, SIMPLE, account, machine, parameters
from zkmargin.account_risk import Account, Liquidation
from zkmargin.bands import band
from zkmargin.cli import main
from zkmargin.machine import Refused
from zkmargin.risk_file import read_account
from zkmargin.transactions import Liquidate

PRICE = 100 << 16
ADDONS = build_tiers([(0, 66, 66)], CAP)
SCENARIOS = 16
SHOCKS = tuple(65536 * percent // 100 for percent in (-16, -14, -12, -10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 16))


def with_options() -> Parameters:
    option = Option(0, True, 110 << 16, 5000, 6554)
    instruments = (Instrument(SHOCKS, ADDONS, None), Instrument(SHOCKS[::-1], ADDONS, None))
    portfolio = Portfolio(SCENARIOS, 81920, (*instruments, Instrument((), ADDONS, option)))
    names = ("A", "B", "A-110-C")
    markets = tuple(Market(name, 0, SIMPLE, PRICE, 0) for name in names)
    return Parameters(markets, 0, 1, 3277, 3277, 655, 3277, 1000, portfolio)


CALLS = [shock * 50 for shock in SHOCKS]  # half of what the underlying does


def a_file(module: str, *positions: tuple[int, int, int]) -> dict[str, Any]:
    """Of (market, collateral, position)."""
    return {
        "module": module,
        "time": 2000,
        "rows": [[PRICE, 0], [PRICE, 0], [20 << 16, 0]],
        "scenarios": [[], [], list(CALLS)],
        "positions": [{"market": m, "collateral": c, "position": q, "index": 0} for m, c, q in positions],
    }


def written(folder: Path, data: dict[str, Any]) -> tuple[str, ...]:
    (folder / "portfolio.json").write_text(json.dumps(data))
    (folder / "risk.json").write_text(json.dumps({"parameters": with_options().to_json()}))
    return "--portfolio", str(folder / "portfolio.json"), "--parameters", str(folder / "risk.json")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["risk", "show", *map(str, arguments)])


def shown(folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    result = run(*written(folder, data), "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_isolated_by_hand(tmp_path: Path) -> None:
    """1000 units at 100, 93,750 owed: equity 6250 is just the maintenance of 1/16."""
    found = shown(tmp_path, a_file("isolated", (0, -93_750, 1000)))
    assert (found["equity"], found["maintenance"]) == (6250 << 16, 6250 << 32)
    assert (found["buffer"], found["standing"], found["initial"]) == (0, "below initial", 12_500 << 32)
    assert found["liquidation"] == [{"market": 0, "below": PRICE - 1, "above": None}]


def test_cross_sums(tmp_path: Path) -> None:
    """What one member owes another has; the same market twice moves as one."""
    found = shown(tmp_path, a_file("cross", (0, -100_000, 1000), (1, 150_000, -500), (0, 0, 500)))
    assert found["equity"] == (0 + 100_000 + 50_000) << 16
    assert found["maintenance"] == (100_000 + 50_000 + 50_000) << 28
    assert found["standing"] == "above initial" and len(found["liquidation"]) == 2


def test_a_portfolio_is_as_good_as_its_worst_scenario(tmp_path: Path) -> None:
    """Short calls against the underlying: a scenario for each loss, the worst of them in M, its add-ons beside."""
    found = shown(tmp_path, a_file("portfolio", (0, 1_000_000, 1000), (2, 0, -1000)))
    addons = 66 * ((1000 * PRICE) + (1000 * (20 << 16)))
    expected = [1000 * 655400, *(-1000 * (PRICE * s >> 16) + 1000 * c for s, c in zip(SHOCKS, CALLS, strict=True))]
    expected[0] = 1000 * -(-6554 * PRICE >> 16)
    assert found["losses"] == expected
    assert found["maintenance"] == addons + (max(expected) << 16)
    assert found["initial"] == addons + max(expected) * 81920


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-(1 << 40), 1 << 40), st.integers(-(1 << 34), 1 << 34).filter(bool), st.integers(1 << 12, (1 << 40) - 1)
)
def test_liquidation_prices_are_the_machines(collateral: int, position: int, price: int) -> None:
    """At the price that is told the machine liquidates, one unit nearer it refuses as healthy."""
    tiers = build_tiers([(0, 655, 1311), (1 << 50, 3277, 6554)], CAP)
    rules = parameters(tiers)
    made = machine({2: account(collateral, position)}, price, rules=rules)
    judged = Account(made.state, rules, 16, 2)
    if judged.risk().buffer < 0:
        assert judged.liquidation(0).below is None is judged.liquidation(0).above
        return
    ends = judged.liquidation(0)
    assert (ends.above if position > 0 else ends.below) is None
    for at, nearer in ((ends.below, 1), (ends.above, -1)):
        if at is not None:
            assert _code(rules, collateral, position, at) != "healthy"
            assert _code(rules, collateral, position, at + nearer) == "healthy"


def _code(rules: Parameters, collateral: int, position: int, price: int) -> str | None:
    made = machine({2: account(collateral, position), 3: account(1 << 62)}, price, rules=rules)
    cash = -(-position * price >> 16)
    try:
        made.apply(Liquidate(3, 2, abs(position), cash, 0))
    except Refused as refusal:
        return refusal.code
    return None


def test_a_portfolio_has_liquidation_prices_on_both_sides(tmp_path: Path) -> None:
    """Above, the charge on short calls grows by twice what the position gains; below, the position loses alone."""
    file = a_file("portfolio", (0, 51_100, 100), (2, 0, -2000))
    account = read_account(*map(Path, written(tmp_path, file)[1::2]))
    ends = account.liquidation(0)
    assert ends.below is not None and ends.above is not None and ends.below < PRICE < ends.above
    assert account.buffer_at(0, ends.below) < 0 <= account.buffer_at(0, ends.below + 1)
    assert account.buffer_at(0, ends.above) < 0 <= account.buffer_at(0, ends.above - 1)
    assert ends.distance(PRICE) == (ends.above - PRICE) / PRICE
    assert account.liquidation(2) == Liquidation(2, None, None)


SIZES = st.integers(-3000, 3000)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["cross", "portfolio"]), SIZES.filter(bool), SIZES, SIZES, st.integers(-400_000, 800_000), st.data()
)
def test_no_price_nearer_is_one_of_liquidation(
    module: str, first: int, second: int, options: int, collateral: int, data: st.DataObject
) -> None:
    """Between the two prices that are told the account meets its maintenance, though the worst scenario, the tiers and
    the sums of several cells change; at the prices it does not."""
    with TemporaryDirectory() as folder:
        file = a_file(module, (0, collateral, first), (1, 0, second), (2, 0, options), (0, 0, second))
        account = read_account(*map(Path, written(Path(folder), file)[1::2]))
    ends, now = account.liquidation(0), account.risk().buffer
    assert (now < 0) <= (ends.below is None is ends.above)
    if now < 0:
        return
    assert all(account.buffer_at(0, at) < 0 for at in (ends.below, ends.above) if at is not None)
    low = 1 if ends.below is None else ends.below + 1
    high = 4 * PRICE if ends.above is None else ends.above - 1
    prices = [low, high, *data.draw(st.lists(st.integers(low, high), min_size=8, max_size=8))]
    assert all(account.buffer_at(0, at) >= 0 for at in prices)


@pytest.mark.parametrize(
    ("distance", "name"),
    [
        (None, "no such price"),
        (2.0, "beyond 1"),
        (1.0, "within 1/1"),
        (0.25, "within 1/4"),
        (0.2, "within 1/4"),
        (0, "within 1/1024"),
    ],
)
def test_bands(distance: float | None, name: str) -> None:
    assert band(distance) == name


def test_the_table_and_the_plot(tmp_path: Path) -> None:
    arguments = written(tmp_path, a_file("portfolio", (0, 1_000_000, 1000), (2, 0, -1000)))
    result = run(*arguments, "--plot", tmp_path / "out.png")
    assert result.exit_code == 0, result.output
    for text in ("above initial", "A-110-C", "short charge", "worst"):
        assert text in result.output
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.pop("time"), "portfolio.time: missing"),
        (lambda d: d.update(more=1), "portfolio.more: unknown"),
        (lambda d: d.update(module="span"), "module: one of isolated, cross, portfolio"),
        (lambda d: d.update(module="isolated"), "positions: 2 are too few or too many"),
        (lambda d: d["rows"].pop(), "rows: 3 are needed"),
        (lambda d: d["rows"][0].__setitem__(0, 0), "rows[0][0]: 0 is outside"),
        (lambda d: d["scenarios"][2].pop(), "scenarios: market 2: 15 changes"),
        (lambda d: d["scenarios"][2].__setitem__(0, 1.5), "scenarios[2][0]: an integer is needed"),
        (lambda d: d["positions"][1].update(market=3), "positions[1].market: 3 is outside 0..2"),
        (lambda d: d["positions"][1].update(position=POSITION_MAX + 1), "positions[1].position"),
        (lambda d: d["positions"][0].pop("index"), "positions[0].index: missing"),
    ],
)
def test_bad_files_name_the_field(tmp_path: Path, change: Callable[[Any], object], named: str) -> None:
    data = a_file("portfolio", (0, 0, 1), (1, 0, 1))
    change(data)
    result = run(*written(tmp_path, data))
    assert result.exit_code == 2 and "portfolio.json: " in result.output and named in result.output, result.output


def test_usage(tmp_path: Path) -> None:
    assert run().exit_code == 2
    arguments = written(tmp_path, a_file("isolated", (0, 1, 0)))
    assert "go together" in run(*arguments[:2]).output
    assert "no position" in run(*arguments, "--plot", tmp_path / "a.png").output
    assert run(*arguments).exit_code == 0
    plotted = run(*written(tmp_path, a_file("portfolio", (2, 0, 100))), "--plot", tmp_path / "a.png")
    assert plotted.exit_code == 0  # where a scenario of the option would leave the prices, nothing is drawn
    huge = a_file("isolated", (0, 1, POSITION_MAX))
    assert "notional" in run(*written(tmp_path, huge)).output
