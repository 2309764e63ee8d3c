"""Trade files as exchanges publish them, and minute bars: untrusted text in, typed trades out."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from zkmargin.transactions import InputError

TRADE_COLUMNS = ("trade_time_ms", "price", "qty", "buyer_is_maker")
BAR_COLUMNS = ("time", "close")
LIMIT = Decimal(1 << 48)
PRICES = Decimal(1) / (1 << 16), Decimal(1 << 32)  # what an oracle's row can hold, as quote per coin
CAPTURE_GAP = 3600  # seconds without a trade that separate two captures in one file


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as printed: seconds since 1970, quote per coin, coins, and whether the buyer took."""

    time: int
    price: Decimal
    quantity: Decimal
    buyer_took: bool


def read_trades(path: Path) -> list[Trade]:
    """The first capture of a file with TRADE_COLUMNS (Binance's futures stream), plain or gzipped.

    InputError names file, line and field for what is missing, no number, not positive, or before the line above it.
    """
    trades: list[Trade] = []
    for _, _, trade in numbered_trades(path):
        if trades and trade.time - trades[-1].time > CAPTURE_GAP:
            break
        trades.append(trade)
    return trades


def numbered_trades(path: Path) -> Iterator[tuple[int, int, Trade]]:
    """(line, milliseconds since 1970, trade) of all captures of a file; errors as `read_trades`."""
    last = None
    for line, row in _rows(path, TRADE_COLUMNS):
        if row["buyer_is_maker"] not in ("0", "1"):
            raise InputError(path, line, "buyer_is_maker", f"{row['buyer_is_maker']!r} is neither 0 nor 1")
        milliseconds = int(_number(path, line, row, "trade_time_ms"))
        time = milliseconds // 1000
        if last is not None and time < last:
            raise InputError(path, line, "trade_time_ms", "before the trade above it")
        last = time
        price, quantity = _price(path, line, row, "price"), _number(path, line, row, "qty")
        yield line, milliseconds, Trade(time, price, quantity, row["buyer_is_maker"] == "0")
    if last is None:
        raise InputError(path, 1, "", "no trades")


def read_bars(path: Path) -> list[tuple[int, Decimal]]:
    """(seconds since 1970, close) of each bar of a file with BAR_COLUMNS, plain or gzipped; errors as `read_trades`.

    Times are ISO 8601, in UTC where they name no zone.
    """
    return [(time, close) for _, time, close in numbered_bars(path)]


def numbered_bars(path: Path) -> Iterator[tuple[int, int, Decimal]]:
    """(line, seconds since 1970, close) of each bar of a file; errors as `read_bars`."""
    last = None
    for line, row in _rows(path, BAR_COLUMNS):
        time = _seconds(path, line, row["time"])
        if last is not None and time < last:
            raise InputError(path, line, "time", "before the bar above it")
        last = time
        yield line, time, _price(path, line, row, "close")
    if last is None:
        raise InputError(path, 1, "", "no bars")


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) below the header line; the compression is told by the first bytes."""
    line = 1
    try:
        with path.open("rb") as probe:
            zipped = probe.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", newline="") if zipped else path.open(newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(path, 1, missing[0], "no such column")
            for row in reader:
                line = reader.line_num
                if any(row[name] is None for name in columns):
                    raise InputError(path, line, "", "fewer fields than the header")
                yield line, row
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, line + 1, "", f"damaged or truncated: {error}") from error


def _seconds(path: Path, line: int, text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(path, line, "time", f"{text!r} is no time") from None
    seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    if seconds < 0:
        raise InputError(path, line, "time", f"{text} is before 1970")
    return seconds


def _number(path: Path, line: int, row: dict[str, str], field: str) -> Decimal:
    try:
        value = Decimal(row[field])
    except InvalidOperation:
        raise InputError(path, line, field, f"{row[field]!r} is no number") from None
    if not value.is_finite() or value <= 0 or value >= LIMIT:
        raise InputError(path, line, field, f"{row[field]} is outside (0, 2^48)")
    return value


def _price(path: Path, line: int, row: dict[str, str], field: str) -> Decimal:
    price, (least, limit) = _number(path, line, row, field), PRICES
    if not least <= price < limit:
        raise InputError(path, line, field, f"{row[field]} is outside 2^-16 .. 2^32, the prices of an oracle")
    return price
