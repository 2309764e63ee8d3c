"""Transactions from JSON Lines: what is read, and how what cannot be read is named."""

from pathlib import Path

import pytest

from tests.margin_worlds import World
from zkmargin.transactions import Deleverage, InputError, Tick, Trade, encode, parse, read_transactions

TRADE = b'{"type":"trade","a":2,"b":3,"size":18446744073709551616,"direction":-1,"cash":-5,"fee_a":0,"fee_b":1}'


def test_integers_beyond_64_bits() -> None:
    assert parse(TRADE) == Trade(2, 3, 1 << 64, -1, -5, 0, 1)
    line = b'{"type":"deleverage","a":1,"b":2,"size":1,"cash":-99999999999999999999999}'
    assert parse(line) == Deleverage(1, 2, 1, -99999999999999999999999)


def test_every_kind_round_trips() -> None:
    world = World(3)
    world.batch(60)
    for kind in ("tick", "open", "close", "deposit", "withdraw", "touch", "trade", "transfer", "liquidate"):
        transaction = world.transaction(kind)
        assert parse(encode(transaction)) == transaction and f'"type":"{kind}"'.encode() in encode(transaction)
    for kind in ("deleverage", "cover"):
        assert parse(encode(world.transaction(kind))).__class__.__name__.lower() == kind


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"", ""),
        (b"[]", ""),
        (b'{"type":"touch","cell":1', ""),
        (b'{"type":"touch","cell":1} {}', ""),
        (b'{"type":"touch","\xff":1}', ""),
        (b'{"cell":1}', "type"),
        (b'{"type":"collect"}', "type"),
        (b'{"type":"pad"}', "type"),
        (b'{"type":"touch"}', "cell"),
        (b'{"type":"touch","cell":1,"note":2}', "note"),
        (b'{"type":"touch","cell":"1"}', "cell"),
        (b'{"type":"touch","cell":1.0}', "cell"),
        (b'{"type":"touch","cell":true}', "cell"),
        (b'{"type":"touch","cell":null}', "cell"),
        (b'{"type":"touch","cell":' + b"9" * 5000 + b"}", "cell"),
        (b'{"type":"tick","time":1,"rows":[[1,2],[3]]}', "rows[1]"),
        (b'{"type":"tick","time":1,"rows":[[1,2],[3,"4"]]}', "rows[1][1]"),
        (TRADE.replace(b"-1,", b"2,", 1), "direction"),
    ],
)
def test_input_errors_name_file_line_and_field(tmp_path: Path, line: bytes, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(line, "day.jsonl", 7)
    error = caught.value
    assert (error.path, error.line, error.field) == ("day.jsonl", 7, field)
    assert str(error).startswith("day.jsonl, line 7" + (f", field {field}: " if field else ": ")) and error.message


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    path.write_bytes(b'{"type":"tick","time":5,"rows":[[1,-2]]}\n\n' + TRADE + b"\r\n" + b'{"type":"touch"}\n')
    lines = read_transactions(path)
    assert next(lines) == (1, Tick(5, ((1, -2),)))
    assert next(lines) == (3, parse(TRADE))
    with pytest.raises(InputError, match=r"day\.jsonl, line 4, field cell: .*missing"):
        next(lines)
    with pytest.raises(OSError, match="absent"):
        next(read_transactions(tmp_path / "absent"))
