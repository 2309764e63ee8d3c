"""Tapes and the price model."""

import gzip
import time
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import stdev

import pytest

from zkmargin.demo import make_batches, read_tapes
from zkmargin.population import oracle_price
from zkmargin.price_model import model_trades
from zkmargin.tape import read_bars, read_trades
from zkmargin.transactions import InputError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
HEADER = "symbol,recv_ns,trade_time_ms,trade_id,price,qty,buyer_is_maker,order_type"
LINE = "BTCUSDT,1,1680652700452,7,28145.10,0.002,1,MARKET"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the market data folder ../shared/data is not here")


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_a_trade_is_read_exactly(tmp_path: Path) -> None:
    (trade,) = read_trades(write(tmp_path / "t.csv", LINE))
    assert (trade.time, trade.price, trade.quantity, trade.buyer_took) == (
        1680652700,
        Decimal("28145.10"),
        Decimal("0.002"),
        False,
    )
    zipped = tmp_path / "t.csv.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    assert read_trades(zipped) == [trade]


@pytest.mark.parametrize("price", ["0.0000152587890625", "4294967295.9999"])
def test_prices_at_the_edge_of_the_oracle(tmp_path: Path, price: str) -> None:
    (trade,) = read_trades(write(tmp_path / "t.csv", LINE.replace("28145.10", price)))
    assert 1 <= oracle_price(trade.price) < 1 << 48


def test_a_gap_of_an_hour_ends_the_capture(tmp_path: Path) -> None:
    later = LINE.replace("1680652700452", "1680656301452")
    assert len(read_trades(write(tmp_path / "t.csv", LINE, LINE, later))) == 2


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (LINE.replace("28145.10", "x"), "price"),
        (LINE.replace("28145.10", "-1"), "price"),
        (LINE.replace("28145.10", "NaN"), "price"),
        (LINE.replace("28145.10", "0.0000152"), "price"),
        (LINE.replace("28145.10", "4294967296"), "price"),
        (LINE.replace("0.002", "0"), "qty"),
        (LINE.replace("0.002", "281474976710656"), "qty"),
        (LINE.replace(",1,MARKET", ",2,MARKET"), "buyer_is_maker"),
        (LINE.replace("1680652700452", "1680652600452"), "trade_time_ms"),
        ("BTCUSDT,1,1680652700452", ""),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, field: str) -> None:
    path = write(tmp_path / "t.csv", LINE, line)
    with pytest.raises(InputError, match=r"t\.csv, line 3") as caught:
        read_trades(path)
    assert caught.value.field == field


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,close\n")
    with pytest.raises(InputError, match="field trade_time_ms: no such column"):
        read_trades(path)
    with pytest.raises(InputError, match="no bars"):
        read_bars(path)
    path.write_text("time,close\nyesterday,5\n")
    with pytest.raises(InputError, match="line 2, field time"):
        read_bars(path)
    whole = gzip.compress(write(path, *[LINE] * 500).read_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged or truncated"):
        read_trades(path)


def bars(path: Path, *times: str) -> Path:
    path.write_text("\n".join(["time,close", *(f"{time},5000.5" for time in times)]) + "\n")
    return path


def test_bars_are_in_utc_unless_they_say_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    path = bars(tmp_path / "b.csv", "2020-03-12T00:00:00", "2020-03-12T00:01:00Z", "2020-03-12T02:02:00+02:00")
    try:
        start = 1583971200
        assert read_bars(path) == [(start + 60 * i, Decimal("5000.5")) for i in range(3)]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("written", "message"),
    [("2020-03-11T23:59:59Z", "before the bar above it"), ("noon", "is no time"), ("1969-12-31T00:00:00Z", "1970")],
)
def test_bad_bars_are_named(tmp_path: Path, written: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"b\.csv, line 3, field time: .*{message}"):
        read_bars(bars(tmp_path / "b.csv", "2020-03-12T00:00:00Z", written))


def test_the_price_model_is_what_its_seed_says() -> None:
    trades = model_trades(2500, "a")
    assert trades == model_trades(2500, "a") != model_trades(2500, "b")
    prices = [float(trade.price) for trade in trades]
    assert 0.87 < prices[1500] / prices[1375] < 0.89  # the crash
    assert 1.03 < prices[1750] / prices[1500] < 1.07  # less than half of it won back
    assert all(0 < trade.quantity < Decimal("4.096") for trade in trades)
    assert all(one.time <= two.time for one, two in pairwise(trades))


def test_the_price_model_is_the_same_on_every_machine() -> None:
    printed = "\n".join(f"{t.time} {t.price} {t.quantity} {t.buyer_took}" for t in model_trades(2500, "zkmargin"))
    assert sha256(printed.encode()).hexdigest()[:16] == "c10a58cb7c2925e6"


def test_steps_of_the_price_model_have_the_stated_deviation() -> None:
    prices = [float(trade.price) for trade in model_trades(2500, "a")][:1375]
    assert stdev(log(two / one) for one, two in pairwise(prices)) == pytest.approx(1e-4, rel=0.1)


@real_data
def test_a_day_without_bars_is_named() -> None:
    bars = DATA / "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz"
    with pytest.raises(InputError, match="no bar of 1999-01-01"):
        make_batches([], bars, "1999-01-01", 64, 128, 8, 1, "test")


def test_tapes_follow_each_other(tmp_path: Path) -> None:
    early, late = (
        write(tmp_path / "a.csv", LINE),
        write(tmp_path / "b.csv", LINE.replace("1680652700452", "1680652800452")),
    )
    assert len(read_tapes([early, late])) == 2
    with pytest.raises(InputError, match=r"a\.csv, line 2, field trade_time_ms"):
        read_tapes([late, early])
