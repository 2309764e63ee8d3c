"""`zkmargin watch` over files and rollups."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.zkmargin.stores import make_rollup
from zkmargin.bands import WATCHED
from zkmargin.cli import main
from zkmargin.made_book import made_book
from zkmargin.price_model import model_trades
from zkmargin.rollup import Rollup
from zkmargin.tapes import read_ticks
from zkmargin.watch_state import WatchedState
from zkmargin.watching import Report, Watching

DATA = Path(__file__).parents[2].parent / "shared" / "data"
MARCH_2020 = DATA / "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz"
TRADES, OTHER_TRADES = (DATA / f"binance_um_{name}usdt_trades.csv.gz" for name in ("btc", "eth"))
real_data = pytest.mark.skipif(not MARCH_2020.is_file(), reason="the market data folder ../shared/data is not here")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["watch", *map(str, arguments)])


def write_bars(path: Path, prices: list[int]) -> Path:
    """A bar a minute of 12 March 2020."""
    lines = [f"2020-03-12T{i // 60:02}:{i % 60:02}:00,{price}" for i, price in enumerate(prices)]
    path.write_text("\n".join(["time,close", *lines]) + "\n")
    return path


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A fall by a tenth and back, in steps of a thousandth."""
    return write_bars(tmp_path / "bars.csv", [30_000 - 30 * min(i, 200 - i) for i in range(200)])


@pytest.fixture
def other_bars(tmp_path: Path) -> Path:
    """A rise by a fifth, while others fall and come back."""
    return write_bars(tmp_path / "others.csv", [2000 + 2 * i for i in range(200)])


def test_a_fall_is_followed_and_nobody_is_missed(bars: Path, tmp_path: Path) -> None:
    told = tmp_path / "ticks.csv"
    result = run(bars, "--accounts", 5000, "--full-every", 1, "--csv", told, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.output)
    assert data["ticks"] == data["full scans compared"] == 200 and data["missed"] == 0
    assert data["found"] > 500 and data["checks"] * 10 < data["checks of full scans"]
    rows = list(csv.DictReader(told.open()))
    assert len(rows) == 200 and sum(int(row["found"]) for row in rows) == data["found"]


def test_trades_are_a_tape_as_well(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    lines = [f"{t.time * 1000},{t.price},{t.quantity},{int(not t.buyer_took)}" for t in model_trades(300, "watch")]
    path.write_text("\n".join(["trade_time_ms,price,qty,buyer_is_maker", *lines]) + "\n")
    assert all(a != b for a, b in pairwise(read_ticks([path])))
    result = run(path, "--accounts", 200, "--ticks", 20)
    assert result.exit_code == 0 and "missed" in result.output


@pytest.mark.parametrize(
    ("text", "field"), [("time,close\n2020-01-01T00:00:00,-5\n", "close"), ("price\n5\n", "trade_time_ms")]
)
def test_bad_tapes_are_named(tmp_path: Path, text: str, field: str) -> None:
    path = tmp_path / "tape.csv"
    path.write_text(text)
    result = run(path)
    assert result.exit_code == 2 and f"{path}, line" in result.output and field in result.output


def test_a_made_book_is_the_same_for_the_same_seed() -> None:
    one, again, other = (made_book(50, 100 << 16, seed) for seed in (1, 1, 2))
    assert (one.collateral == again.collateral).all() and not (one.collateral == other.collateral).all()


def test_a_report_of_one_tick_divides_by_nothing() -> None:
    nobody = np.zeros(len(WATCHED), np.int64)
    report = Report(5, [Watching(0, (1,), 0, 0, None, 0.0, None)], [nobody, nobody], nobody, nobody)
    assert report.summary()["times less"] == 5.0
    assert {band["ticks a check"] for band in report.by_band()} == {None}


def test_groups_and_accounts_over_several_markets(bars: Path, other_bars: Path, tmp_path: Path) -> None:
    told = tmp_path / "ticks.csv"
    arguments = "--accounts", 600, "--groups", 60, "--full-every", 1, "--csv", told, "--json"
    result = run(bars, other_bars, *arguments)
    assert result.exit_code == 0, result.output
    data = json.loads(result.output)
    assert data["accounts"] == 660 and data["full scans compared"] == data["ticks"] == 200 and data["missed"] == 0
    assert data["found"] > 60 and data["checks"] * 10 < data["checks of full scans"]
    rows = list(csv.DictReader(told.open()))
    assert {row["price_0"] for row in rows} > {str(30_000 << 16)} and rows[-1]["price_1"] == str(2398 << 16)
    assert all(a != b for a, b in pairwise((row["price_0"], row["price_1"]) for row in rows))


def test_bands_sum_to_the_book_and_their_checks_to_all_later_ones(bars: Path, other_bars: Path) -> None:
    arguments = "--accounts", 500, "--groups", 20, "--json"
    data = json.loads(run(bars, other_bars, *arguments).output)
    assert [band["distance"] for band in data["bands"]] == list(WATCHED)
    for when in ("at the start", "at the end"):
        assert sum(band[when] for band in data["bands"]) == 520
    assert sum(band["checks"] for band in data["bands"]) == data["checks"] - 520
    often = [band["checks"] / (band["at the start"] or 1) for band in data["bands"]]
    assert min(often[1:4]) > max(often[8:12]) and data["bands"][3]["ticks a check"] > 1
    assert "ticks a check" in run(bars, *arguments[:4]).output


def test_someone_who_is_missed_fails_the_command(bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedState, "tick", lambda _: [])
    result = run(bars, "--accounts", 500, "--ticks", 60, "--full-every", 10)
    assert result.exit_code == 1 and "were missed" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--accounts", 0], "a book of no --accounts and no --groups"),
        (["--market", 1], "--market is of a rollup"),
        (["--rollup", "there", "--groups", 5], "--groups is of a made book"),
    ],
)
def test_options_that_do_not_go_together(bars: Path, arguments: list[object], message: str) -> None:
    result = run(bars, *arguments)
    assert result.exit_code == 2 and message in result.output


@real_data
@pytest.mark.parametrize(
    "arguments",
    [[MARCH_2020, "--accounts", 20_000], [TRADES, "--accounts", 20_000], [TRADES, OTHER_TRADES, "--groups", 50]],
    ids=["bars of March 2020", "trades", "trades of two markets"],
)
def test_real_tapes_need_a_tenth_of_the_checks_at_most(arguments: list[object]) -> None:
    result = run(*arguments, "--ticks", 2000, "--full-every", 20, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.output)
    assert data["missed"] == 0 and data["full scans compared"] == 100 and data["times less"] >= 10


def test_the_accounts_of_a_rollup_are_watched(tmp_path: Path, bars: Path) -> None:
    folder = make_rollup(tmp_path)
    rollup = Rollup(folder / "rollup", "cpu")
    rollup.apply_file(folder / "first.jsonl")
    result = run(bars, "--rollup", folder / "rollup", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["accounts"] == 2 and json.loads(result.output)["missed"] == 0
    other = run(bars, "--rollup", folder / "rollup", "--market", 3)
    assert other.exit_code == 2 and "there is no market 3: the rollup has 1 markets" in other.output
    twice = run(bars, bars, "--rollup", folder / "rollup", "--market", 0)
    assert twice.exit_code == 2 and "2 tapes need as many different --market" in twice.output
