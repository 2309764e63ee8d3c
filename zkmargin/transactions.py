"""Transactions as they arrive: one JSON object a line, strict about fields and types; values are the machine's matter.

Units: sizes in base units; cash, fees and amounts in quote units; prices with 16 and indices with 32 fractional bits;
time in seconds.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_FIELD = re.compile(r"field `([^`]*)`")


class InputError(ValueError):
    """A line of an input file is not a transaction; `field` is empty when the line as a whole is at fault."""

    def __init__(self, path: str | Path, line: int, field: str, message: str) -> None:
        super().__init__(f"{path}, line {line}{', field ' + field if field else ''}: {message}")
        self.path, self.line, self.field, self.message = path, line, field, message


class _Base(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag=str.lower
):
    """Frozen, tagged by its name in lower case."""


class Tick(_Base, frozen=True):
    """The next oracle tick: (price, index) of every market, in order; where there are options, what each scenario
    changes of each market's price, empty for those that are none."""

    time: int
    rows: tuple[tuple[int, int], ...]
    scenarios: tuple[tuple[int, ...], ...] = ()


class Open(_Base, frozen=True):
    """L1: the empty cell becomes an account of the market."""

    cell: int
    market: int
    queue: int


class Close(_Base, frozen=True):
    """L1: a flat account without collateral becomes the empty cell."""

    cell: int
    queue: int


class Deposit(_Base, frozen=True):
    """L1: to an account or the insurance cell."""

    cell: int
    amount: int
    queue: int


class Withdraw(_Base, frozen=True):
    """L1: from an account or the fee cell; the machine pays it, or proves why it is not paid."""

    cell: int
    amount: int
    queue: int


class Touch(_Base, frozen=True):
    """Settles the funding of an account."""

    cell: int


class Check(_Base, frozen=True):
    """One account or two are found above maintenance, in a rollup whose key has a cadence."""

    cells: tuple[int, ...]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the owner of a cell signed (`OrderRow` of circuits/margin/orders.py). signature: r, s and v in hexadecimal,
    for the contract; nobody else asks for it."""

    cell: int
    market: int
    sells: bool
    size: int
    limit: int
    fee: int
    expiry: int
    slot: int
    id: int
    signature: str = ""


class Trade(_Base, frozen=True):
    """a's position changes by direction * size and a pays cash; b's the other way; each pays its fee. orders: a's and
    b's, in a rollup whose key asks for them."""

    a: int
    b: int
    size: int
    direction: Literal[1, -1]
    cash: int
    fee_a: int
    fee_b: int
    orders: tuple[Order, ...] = ()


class Transfer(_Base, frozen=True):
    """Collateral from account a to account b, of any market."""

    a: int
    b: int
    amount: int


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Another position of a liquidation, as its own fields say it."""

    a: int
    b: int
    size: int
    cash: int
    fee: int
    orders: tuple[Order, ...] = ()


class Liquidate(_Base, frozen=True):
    """a takes `size` of the position of b, and pays cash for it (negative for a short); b pays the fee. orders: a's, in
    a rollup whose key asks for one. then: other positions of the same portfolio, all of them judged as one."""

    a: int
    b: int
    size: int
    cash: int
    fee: int
    orders: tuple[Order, ...] = ()
    then: tuple[Taken, ...] = ()


class Deleverage(_Base, frozen=True):
    """a, of the opposite side, and the bankrupt b reduce by `size` at the one cash amount that is b's share."""

    a: int
    b: int
    size: int
    cash: int


class Cover(_Base, frozen=True):
    """The insurance cell pays the deficit of an account, or a part of it."""

    cell: int
    amount: int


class Form(_Base, frozen=True):
    """L1: the empty cell becomes the head of a group of at most `room` cells, itself included, under a risk module:
    cross or portfolio."""

    cell: int
    room: int
    queue: int
    module: str = "cross"


class Settle(_Base, frozen=True):
    """The position of a cell in an expired option is paid at its settlement price."""

    cell: int


class Join(_Base, frozen=True):
    """The cell behind the last of a group becomes a member of it, of the market."""

    head: int
    market: int


class Leave(_Base, frozen=True):
    """The last member of a group, flat and without collateral, becomes the empty cell."""

    head: int


class Supply(_Base, frozen=True):
    """L1: units of a collateral asset, to a cell of its market."""

    cell: int
    market: int
    amount: int
    queue: int


class Redeem(_Base, frozen=True):
    """L1: units of a collateral asset, from a cell of its market; the machine pays them, or proves why not."""

    cell: int
    market: int
    amount: int
    queue: int


Transaction = (
    Tick | Open | Close | Deposit | Withdraw | Touch | Trade | Transfer | Liquidate | Deleverage | Cover
    | Form | Join | Leave | Settle | Supply | Redeem | Check
)  # fmt: skip

_decoder = msgspec.json.Decoder(Transaction)
_encoder = msgspec.json.Encoder()


def parse(line: bytes, path: str | Path = "transactions", number: int = 1) -> Transaction:
    """The transaction of one line; InputError naming file, line and field."""
    try:
        transaction: Transaction = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise InputError(path, number, *_explain(str(error))) from None
    except UnicodeDecodeError as error:
        raise InputError(path, number, "", f"not UTF-8: {error.reason}") from None
    return transaction


def read_transactions(path: str | Path) -> Iterator[tuple[int, Transaction]]:
    """(line number, transaction) of a JSON Lines file; empty lines are passed over. OSError where it cannot be read."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, parse(line, path, number)


def encode(transaction: Transaction) -> bytes:
    """The line of a transaction, without its end."""
    return _encoder.encode(transaction)


def _explain(message: str) -> tuple[str, str]:
    """(field, message): the path at the end of msgspec's message, and the field that it misses or does not know."""
    at, field = _PATH.search(message), _FIELD.search(message)
    parts = [match.group(1) for match in (at, field) if match is not None]
    return ".".join(part for part in parts if part), _PATH.sub("", message)
