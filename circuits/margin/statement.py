"""The public statement of a batch: what the proof is about, and what an arbiter checks of it in plain integers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby, pairwise

from circuits.circuit import PublicTerm
from circuits.field import MODULUS
from circuits.margin.circuit import ORACLE_COLUMNS
from circuits.margin.parameters import Parameters, Shape
from circuits.strict_json import loads

VERSION = 1
L1_KINDS = {"open": 1, "close": 2, "deposit": 3, "withdraw": 4}
REFUSABLE = (L1_KINDS["close"], L1_KINDS["withdraw"])
AMOUNT_LIMIT, TIME_LIMIT, PRICE_LIMIT, INDEX_LIMIT = 1 << 56, 1 << 40, 1 << 48, 1 << 63
WORD = 1 << 256

Point = tuple[int, int] | None
"""A G1 point in affine coordinates; None is the point at infinity, the root of the empty state."""


class InvalidStatement(ValueError):  # noqa: N818 (as InvalidProof)
    """The statement breaks a rule that no circuit checks; the message says which."""


@dataclass(frozen=True, order=True)
class OracleRow:
    """Price (quote per base unit, 16 fractional bits) and funding index (32) of a market at a tick; time in seconds."""

    tick: int
    time: int
    market: int
    price: int
    index: int


@dataclass(frozen=True)
class L1Row:
    """An operation of the contract's queue and what became of it: outcome 1 done, 0 refused (of REFUSABLE alone)."""

    queue: int
    kind: int
    cell: int
    amount: int
    outcome: int


@dataclass(frozen=True)
class Statement:
    """All that is public about a batch (design: every list with its length, absorbed before any challenge).

    chain, contract: EIP-155 chain id and contract address, zero off chain. last_oracle: rows of the last tick before
    this batch. next_queue: index of the first unconsumed L1 operation. diff: change of each changed cell mod r,
    ascending, or None when the key keeps it unpublished.
    """

    batch: int
    old: Point
    new: Point
    last_oracle: tuple[OracleRow, ...]
    oracle: tuple[OracleRow, ...]
    next_queue: int
    l1: tuple[L1Row, ...]
    diff: tuple[tuple[int, int], ...] | None
    chain: int = 0
    contract: int = 0
    version: int = field(default=VERSION)

    def encode(self) -> bytes:
        """32-byte big-endian words, two's complement; each list behind its length."""
        states = (*(self.old or (0, 0)), *(self.new or (0, 0)))
        queue = [word for r in self.l1 for word in (r.queue, r.kind, r.cell, r.amount, r.outcome)]
        diff = self.diff or ()
        return (
            _encode([self.version, self.chain, self.contract, self.batch, *states])
            + b"".join(_encode([len(rows)]) + encode_oracle(rows) for rows in (self.last_oracle, self.oracle))
            + _encode([self.next_queue, len(self.l1), *queue])
            + _encode([int(self.diff is not None), len(diff), *(word for entry in diff for word in entry)])
        )

    @classmethod
    def decode(cls, data: bytes) -> "Statement":
        """The statement that `encode` writes as these bytes; InvalidStatement when there is none."""
        words = _Words(data)
        version, chain, contract, batch = words.take(4)
        old, new = words.point(), words.point()
        last_oracle, oracle = words.oracle(), words.oracle()
        [next_queue] = words.take(1)
        l1 = tuple(L1Row(*words.take(5)) for _ in range(words.count(5)))
        [published] = words.take(1)
        diff = tuple((cell, delta) for cell, delta in (words.take(2) for _ in range(words.count(2))))
        result = cls(
            batch, old, new, last_oracle, oracle, next_queue, l1, diff if published else None, chain, contract, version
        )
        if result.encode() != data:
            raise InvalidStatement("encoding: words are left over, or say nothing")
        return result

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Statement":
        """Reads what `to_json` wrote; InvalidStatement names a missing, unknown or ill-typed field."""
        return _Reader(text).statement()


def encode_oracle(rows: Iterable[OracleRow]) -> bytes:
    """Five words a row."""
    return _encode(word for r in rows for word in (r.tick, r.time, r.market, r.price, r.index))


def _encode(words: Iterable[int]) -> bytes:
    return b"".join((word % WORD).to_bytes(32, "big") for word in words)


def check_statement(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    """Raises InvalidStatement unless every rule that both arbiters check in integers holds."""
    if statement.version != VERSION:
        raise InvalidStatement(f"version {statement.version}: this verifier knows version {VERSION}")
    for name, value in (("batch", statement.batch), ("chain", statement.chain), ("next_queue", statement.next_queue)):
        _require(0 <= value < 1 << 64, f"{name} {value} is outside 64 bits")
    _require(0 <= statement.contract < 1 << 160, "contract is no address")
    _check_genesis(statement, parameters)
    _check_oracle(statement, parameters, shape)
    _check_l1(statement, parameters, shape)
    _check_diff(statement, shape)


def public_columns(statement: Statement) -> dict[tuple[str, str], list[int]]:
    """The oracle rows as columns of the lookups table, from row 0 on."""
    rows = [(1, r.tick, r.market, r.price, r.index) for r in statement.oracle]
    columns = zip(*rows, strict=True)
    return {("lookups", f"oracle_{name}"): list(values) for name, values in zip(ORACLE_COLUMNS, columns, strict=True)}


def public_terms(statement: Statement) -> list[PublicTerm]:
    """Each L1 row is sent exactly once."""
    return [PublicTerm("l1", 1, (r.queue, r.kind, r.cell, r.amount, r.outcome)) for r in statement.l1]


def public_scalars(statement: Statement) -> dict[str, int]:
    return {"first_tick": statement.oracle[0].tick, "next_queue": statement.next_queue}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidStatement(message)


def _check_genesis(statement: Statement, parameters: Parameters) -> None:
    """Batch 0 starts where the key says; where a later one starts, the arbiter knows from the batch before."""
    if statement.batch == 0:
        _require(statement.old is None, "batch 0 starts from the empty state")
        _require(statement.last_oracle == genesis_rows(parameters), "batch 0 starts from the oracle rows of the key")
        _require(statement.next_queue == 0, "batch 0 starts with L1 operation 0")


def genesis_rows(parameters: Parameters) -> tuple[OracleRow, ...]:
    """Tick 0: the prices and indices that the key fixes."""
    rows = enumerate(parameters.markets)
    return tuple(OracleRow(0, parameters.genesis_time, i, market.price, market.index) for i, market in rows)


def _check_oracle(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    rows, markets = statement.oracle, len(parameters.markets)
    _require(bool(rows), "no oracle tick")
    _require(len(rows) <= 1 << shape.limb_bits, f"{len(rows)} oracle rows for a table of {1 << shape.limb_bits}")
    ticks = [list(group) for _, group in groupby(statement.last_oracle + rows, key=lambda row: row.tick)]
    for group in ticks:
        tick = group[0].tick
        _require(
            [row.market for row in group] == list(range(markets)),
            f"tick {tick} does not list every market once, in order",
        )
        _require(len({row.time for row in group}) == 1, f"tick {tick} has several times")
        for row in group:
            check_row(row)
    _require(len(statement.last_oracle) == markets, "the last oracle rows are not one tick")
    for before, after in pairwise(ticks):
        _check_step(before, after, parameters)


def check_row(row: OracleRow) -> None:
    """InvalidStatement unless tick, time, price and index are in their ranges."""
    name = f"tick {row.tick}, market {row.market}"
    _require(0 <= row.tick < TIME_LIMIT, f"tick {row.tick} is outside 40 bits")
    _require(0 <= row.time < TIME_LIMIT, f"{name}: time {row.time} is outside 40 bits")
    _require(1 <= row.price < PRICE_LIMIT, f"{name}: price {row.price} is outside 1..2^48-1")
    _require(abs(row.index) < INDEX_LIMIT, f"{name}: index {row.index} is outside 63 bits")


def _check_step(before: Sequence[OracleRow], after: Sequence[OracleRow], parameters: Parameters) -> None:
    tick, elapsed = after[0].tick, after[0].time - before[0].time
    _require(tick == before[0].tick + 1, f"tick {tick} does not follow tick {before[0].tick}")
    _require(elapsed >= 0, f"tick {tick}: time goes back")
    for old, new, market in zip(before, after, parameters.markets, strict=True):
        moved = abs(new.index - old.index) << 16
        cap = market.funding_cap * new.price * elapsed
        _require(moved <= cap, f"tick {tick}, market {new.market}: the funding index moves beyond its cap")


def _check_l1(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    system = {parameters.fee_cell, parameters.insurance_cell}
    for position, row in enumerate(statement.l1):
        name = f"L1 row {row.queue}"
        _require(
            row.queue == statement.next_queue + position,
            f"{name}: the queue's next index is {statement.next_queue + position}",
        )
        _require(row.kind in L1_KINDS.values(), f"{name}: no such kind {row.kind}")
        _require(
            row.outcome == 1 or (row.outcome == 0 and row.kind in REFUSABLE),
            f"{name}: outcome {row.outcome}",
        )
        _require(1 <= row.amount < AMOUNT_LIMIT, f"{name}: amount {row.amount} is outside 1..2^56-1")
        _require(0 <= row.cell < shape.cells, f"{name}: no cell {row.cell}")
        _require(row.kind != L1_KINDS["open"] or row.cell not in system, f"{name}: opens a system cell")
        _require(row.kind != L1_KINDS["close"] or row.amount == 1, f"{name}: the amount of a close is 1")
        _require(row.kind != L1_KINDS["open"] or row.amount <= len(parameters.markets), f"{name}: no such market")


def _check_diff(statement: Statement, shape: Shape) -> None:
    _require(
        (statement.diff is not None) == shape.published_diff,
        "the key asks for the diff of the state to be " + ("" if shape.published_diff else "un") + "published",
    )
    diff = statement.diff or ()
    cells = [cell for cell, _ in diff]
    _require(all(a < b for a, b in pairwise(cells)), "diff indices do not increase strictly")
    _require(all(0 <= cell < shape.cells for cell in cells), "diff names a cell outside the state")
    _require(all(0 <= delta < MODULUS for _, delta in diff), "a diff is not reduced mod r")


class _Words:
    """Reads an encoded statement word by word."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int) -> list[int]:
        end = self.position + 32 * count
        if end > len(self.data):
            raise InvalidStatement("encoding: it ends early")
        words = [int.from_bytes(self.data[at : at + 32], "big") for at in range(self.position, end, 32)]
        self.position = end
        return words

    def count(self, width: int) -> int:
        """The length of a list of items of so many words, none of them missing."""
        [count] = self.take(1)
        _require(32 * width * count <= len(self.data) - self.position, "encoding: a list is longer than the statement")
        return count

    def point(self) -> Point:
        x, y = self.take(2)
        return (x, y) if x or y else None

    def oracle(self) -> tuple[OracleRow, ...]:
        rows = (self.take(5) for _ in range(self.count(5)))
        return tuple(
            OracleRow(tick, time, market, price, index - WORD if index >> 255 else index)
            for tick, time, market, price, index in rows
        )


class _Reader:
    """Strict reading of a statement's JSON."""

    def __init__(self, text: str) -> None:
        try:
            data = loads(text)
        except ValueError as error:
            raise InvalidStatement(f"not JSON: {error}") from error
        names = set(Statement.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) != names:
            wrong = sorted(names ^ set(data)) if isinstance(data, dict) else "no object"
            raise InvalidStatement(f"missing or unknown fields: {wrong}")
        self.data: Mapping[str, object] = data

    def statement(self) -> Statement:
        return Statement(
            batch=self._integer("batch", self.data["batch"]),
            old=self._point("old"),
            new=self._point("new"),
            last_oracle=self._oracle("last_oracle"),
            oracle=self._oracle("oracle"),
            next_queue=self._integer("next_queue", self.data["next_queue"]),
            l1=tuple(L1Row(*self._row("l1", L1Row, row)) for row in self._list("l1")),
            diff=None if self.data["diff"] is None else tuple(self._pair("diff", row) for row in self._list("diff")),
            chain=self._integer("chain", self.data["chain"]),
            contract=self._integer("contract", self.data["contract"]),
            version=self._integer("version", self.data["version"]),
        )

    def _point(self, name: str) -> Point:
        return None if self.data[name] is None else self._pair(name, self.data[name])

    def _oracle(self, name: str) -> tuple[OracleRow, ...]:
        return tuple(OracleRow(*self._row(name, OracleRow, row)) for row in self._list(name))

    def _integer(self, name: str, value: object) -> int:
        if type(value) is not int:
            raise InvalidStatement(f"{name}: {value!r} is no integer")
        return value

    def _list(self, name: str) -> list[object]:
        value = self.data[name]
        if not isinstance(value, list):
            raise InvalidStatement(f"{name}: no list")
        return value

    def _pair(self, name: str, value: object) -> tuple[int, int]:
        if not isinstance(value, list) or len(value) != 2:
            raise InvalidStatement(f"{name}: {value!r} is no pair")
        return self._integer(name, value[0]), self._integer(name, value[1])

    def _row(self, name: str, kind: type[OracleRow] | type[L1Row], value: object) -> list[int]:
        names = [part.name for part in fields(kind)]
        if not isinstance(value, dict) or list(value) != names:
            raise InvalidStatement(f"{name}: a row needs {', '.join(names)}")
        return [self._integer(f"{name}.{key}", value[key]) for key in names]
