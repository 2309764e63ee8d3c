"""`zkmargin watch` over files and rollups."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.zkmargin.stores import make_rollup
from zkmargin.cli import main
from zkmargin.price_model import model_trades
from zkmargin.rollup import Rollup
from zkmargin.watching import made_book, read_rows, summary

DATA = Path(__file__).parents[2].parent / "shared" / "data"
MARCH_2020 = DATA / "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz"
TRADES = DATA / "binance_um_btcusdt_trades.csv.gz"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["watch", *map(str, arguments)])


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A fall by a tenth and back, in steps of a thousandth."""
    prices = [30_000 - 30 * min(i, 200 - i) for i in range(200)]
    lines = [f"2020-03-12T{i // 60:02}:{i % 60:02}:00,{price}" for i, price in enumerate(prices)]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(["time,close", *lines]) + "\n")
    return path


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
    rows = read_rows(path)
    assert all(a != b for a, b in pairwise(rows))
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


def test_a_summary_of_one_tick_divides_by_nothing() -> None:
    from zkmargin.watching import Watching

    assert summary([Watching(0, 1, 0, 0, None, 0.0, None)], 5)["times less"] == 5.0


@pytest.mark.skipif(not MARCH_2020.is_file(), reason="the shared data is not here")
@pytest.mark.parametrize("tape", [MARCH_2020, TRADES], ids=["bars of March 2020", "trades"])
def test_real_tapes_need_a_tenth_of_the_checks_at_most(tape: Path) -> None:
    result = run(tape, "--accounts", 20_000, "--ticks", 2000, "--full-every", 20, "--json")
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
    assert other.exit_code == 2 and "the rollup has 1 markets" in other.output
