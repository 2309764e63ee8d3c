"""Tapes of several markets, merged into ticks."""

from pathlib import Path

import pytest

from zkmargin.tapes import read_ticks
from zkmargin.transactions import InputError

HOUR = 3_600_000


def trades(path: Path, *lines: tuple[int, int]) -> Path:
    """Of (milliseconds, price)."""
    told = [f"{time},{price},1,0" for time, price in lines]
    path.write_text("\n".join(["trade_time_ms,price,qty,buyer_is_maker", *told]) + "\n")
    return path


def bars(path: Path, *lines: tuple[str, int]) -> Path:
    path.write_text("\n".join(["time,close", *(f"2020-01-01T{time},{close}" for time, close in lines)]) + "\n")
    return path


def ticks(*paths: Path) -> list[tuple[int, ...]]:
    """Whole prices."""
    return [tuple(price >> 16 for price in tick) for tick in read_ticks(paths)]


def test_a_tick_is_a_change_while_both_run(tmp_path: Path) -> None:
    """From the later begin to the earlier end, in the order of milliseconds, each tick with every market; at the same
    time they move together."""
    one = trades(tmp_path / "1.csv", (1000, 10), (1500, 11), (2001, 11), (2003, 12), (5000, 13))
    other = trades(tmp_path / "2.csv", (1700, 50), (2002, 51), (2003, 50), (4000, 49))
    assert ticks(one, other) == [(11, 50), (11, 51), (12, 50), (12, 49)]
    assert ticks(one) == [(10,), (11,), (12,), (13,)]
    assert ticks(one, one) == [(10, 10), (11, 11), (12, 12), (13, 13)]


def test_the_first_captures_that_have_a_time_in_common(tmp_path: Path) -> None:
    one = trades(tmp_path / "1.csv", (1000, 10), (2000, 11), (3 * HOUR, 20), (3 * HOUR + 2000, 21), (9 * HOUR, 30))
    other = trades(tmp_path / "2.csv", (3 * HOUR + 1000, 50), (3 * HOUR + 9000, 51))
    assert ticks(one, other) == [(20, 50), (21, 50)]
    assert ticks(one) == [(10,), (11,)]


def test_trades_of_one_second_keep_the_order_of_the_file(tmp_path: Path) -> None:
    one = trades(tmp_path / "1.csv", (1900, 10), (1200, 11), (1500, 12))
    other = trades(tmp_path / "2.csv", (1000, 50), (1900, 51))
    assert ticks(one) == [(10,), (11,), (12,)]
    assert ticks(one, other) == [(10, 50), (11, 50), (12, 51)]


def test_bars_of_two_markets(tmp_path: Path) -> None:
    one = bars(tmp_path / "1.csv", ("00:00:00", 10), ("00:01:00", 11), ("00:02:00", 12))
    other = bars(tmp_path / "2.csv", ("00:01:00", 50), ("00:02:00", 50), ("00:03:00", 51))
    assert ticks(one, other) == [(11, 50), (12, 50)]


def test_tapes_without_a_common_time_are_named(tmp_path: Path) -> None:
    early, late = (
        bars(tmp_path / "a.csv", ("00:00:00", 10), ("00:01:00", 11)),
        bars(tmp_path / "b.csv", ("00:02:00", 1)),
    )
    for paths in ((early, late), (late, early)):
        with pytest.raises(InputError, match=r"a\.csv, line 3, field time: it ends before .*b\.csv begins"):
            read_ticks(paths)


@pytest.mark.parametrize(
    ("line", "field", "message"),
    [("7200000,-5,1,0", "price", "outside"), ("7199000,5,1,0", "trade_time_ms", "before the trade above it")],
)
def test_bad_lines_of_any_capture_of_any_tape_are_named(tmp_path: Path, line: str, field: str, message: str) -> None:
    good = trades(tmp_path / "good.csv", (1000, 10), (8 * HOUR, 10))
    bad = trades(tmp_path / "bad.csv", (1000, 10), (2 * HOUR, 10))
    bad.write_text(bad.read_text() + line + "\n")
    with pytest.raises(InputError, match=rf"bad\.csv, line 4, field {field}: .*{message}"):
        read_ticks([good, bad])


def test_prices_are_those_of_an_oracle(tmp_path: Path) -> None:
    path = trades(tmp_path / "1.csv", (1000, 10))
    path.write_text(path.read_text().replace(",10,", ",0.1,"))
    assert read_ticks([path]) == [(65536 // 10,)]
