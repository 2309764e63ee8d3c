"""The public statement of a batch: what the proof is about, its bytes and its JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from circuits.circuit import PublicTerm
from circuits.margin.circuit import EXPIRED_COLUMNS, ORACLE_COLUMNS
from circuits.margin.portfolio import Portfolio, Vector
from circuits.margin.totals import Sweep, Totals
from circuits.strict_json import loads

VERSION = 1
L1_KINDS = {"open": 1, "close": 2, "deposit": 3, "withdraw": 4}
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
    ascending, or None when the key keeps it unpublished. scenarios: where the key has portfolios, for each oracle row
    what the oracle says of its market's scenarios (`Portfolio.vectors`). sweep: where the key asks for one, the sums
    over the book after the batch.
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
    scenarios: tuple[tuple[int, ...], ...] = ()
    sweep: Sweep | None = None
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
            + (self._encode_options() if self.scenarios or self.sweep else b"")
        )

    def _encode_options(self) -> bytes:
        """What stands behind the diff when there is anything."""
        rows = b"".join(_encode([len(row), *row]) for row in self.scenarios)
        swept = [0] if self.sweep is None else [1, *self.sweep.words()]
        return _encode([len(self.scenarios)]) + rows + _encode(swept)

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
        scenarios, sweep = words.options()
        result = cls(
            batch,
            old,
            new,
            last_oracle,
            oracle,
            next_queue,
            l1,
            diff if published else None,
            chain,
            contract,
            scenarios,
            sweep,
            version,
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


def require(condition: bool, message: str) -> None:
    """InvalidStatement where the condition does not hold."""
    if not condition:
        raise InvalidStatement(message)


def encode_oracle(rows: Iterable[OracleRow]) -> bytes:
    """Five words a row."""
    return _encode(word for r in rows for word in (r.tick, r.time, r.market, r.price, r.index))


def _encode(words: Iterable[int]) -> bytes:
    return b"".join((word % WORD).to_bytes(32, "big") for word in words)


def public_columns(statement: Statement, portfolio: Portfolio | None = None) -> dict[tuple[str, str], list[int]]:
    """The oracle rows as columns of the lookups table, and what a portfolio adds to them."""
    return oracle_columns(statement.oracle, statement.scenarios, portfolio)


def oracle_columns(
    oracle: Sequence[OracleRow], scenarios: Sequence[tuple[int, ...]], portfolio: Portfolio | None
) -> dict[tuple[str, str], list[int]]:
    """The oracle rows as columns of the lookups table, from row 0 on; with a portfolio, where the key judges any, their
    scenario vectors, and the expired options."""
    columns = _public("oracle", ORACLE_COLUMNS, [(1, r.tick, r.market, r.price, r.index) for r in oracle])
    if portfolio is None:
        return columns
    if scenarios:
        found = zip(oracle, scenario_vectors(oracle, scenarios, portfolio), strict=True)
        names = ("listed", "tick", "market", *map(str, range(portfolio.scenarios + 1)))
        columns |= _public("vector", names, [(1, row.tick, row.market, *vector) for row, vector in found])
    if portfolio.has_options:
        expired = [row for row in oracle if portfolio.expired(row.market, row.time)]
        columns |= _public("expired", EXPIRED_COLUMNS, [(1, row.tick, row.market) for row in expired])
    return columns


def _public(name: str, parts: Sequence[str], rows: Sequence[tuple[int, ...]]) -> dict[tuple[str, str], list[int]]:
    columns = {part: [row[i] for row in rows] for i, part in enumerate(parts)}
    return {("lookups", f"{name}_{part}"): values for part, values in columns.items()}


def scenario_vectors(
    oracle: Sequence[OracleRow], scenarios: Sequence[tuple[int, ...]], portfolio: Portfolio
) -> list[Vector]:
    """The scenario vector of each oracle row; InvalidStatement where the oracle may not say what it says."""
    require(len(scenarios) == len(oracle), "scenarios: a row for each oracle row is needed")
    markets = len(portfolio.instruments)
    result: list[Vector] = []
    for first in range(0, len(oracle), markets):
        rows = oracle[first : first + markets]
        given = scenarios[first : first + markets]
        try:
            result += portfolio.vectors([row.price for row in rows], rows[0].time, given)
        except ValueError as error:
            raise InvalidStatement(f"scenarios, tick {rows[0].tick}, {error}") from error
    return result


def public_terms(statement: Statement) -> list[PublicTerm]:
    """Each L1 row is sent exactly once; a sweep answers for what options have left."""
    terms = [PublicTerm("l1", 1, (r.queue, r.kind, r.cell, r.amount, r.outcome)) for r in statement.l1]
    return terms if statement.sweep is None else terms + unsettled_terms(statement.sweep.unsettled)


def unsettled_terms(unsettled: Sequence[int]) -> list[PublicTerm]:
    """What is left of each market answers the positions of a book."""
    return [PublicTerm("positions", -left, (market,)) for market, left in enumerate(unsettled) if left]


def public_scalars(statement: Statement) -> dict[str, int]:
    """Where ticks and the queue begin; of a sweep, its tick and its sums."""
    scalars = {"first_tick": statement.oracle[0].tick, "next_queue": statement.next_queue}
    if statement.sweep is not None:
        scalars |= {"tick": statement.oracle[-1].tick, **asdict(statement.sweep.totals)}
    return scalars


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
        require(32 * width * count <= len(self.data) - self.position, "encoding: a list is longer than the statement")
        return count

    def point(self) -> Point:
        x, y = self.take(2)
        return (x, y) if x or y else None

    def oracle(self) -> tuple[OracleRow, ...]:
        rows = (self.take(5) for _ in range(self.count(5)))
        return tuple(OracleRow(tick, time, market, price, _signed(index)) for tick, time, market, price, index in rows)

    def options(self) -> tuple[tuple[tuple[int, ...], ...], Sweep | None]:
        """What stands behind the diff, if anything does."""
        if self.position == len(self.data):
            return (), None
        scenarios = tuple(tuple(map(_signed, self.take(self.count(1)))) for _ in range(self.count(1)))
        [swept] = self.take(1)
        if not swept:
            return scenarios, None
        totals = Totals(*map(_signed, self.take(len(fields(Totals)))))
        return scenarios, Sweep(totals, tuple(map(_signed, self.take(self.count(1)))))


def _signed(word: int) -> int:
    return word - WORD if word >> 255 else word


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
            scenarios=tuple(self._integers("scenarios", row) for row in self._list("scenarios")),
            sweep=self._sweep(),
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

    def _sweep(self) -> Sweep | None:
        data = self.data["sweep"]
        if data is None:
            return None
        if not isinstance(data, dict) or set(data) != {"totals", "unsettled"}:
            raise InvalidStatement("sweep: totals and unsettled are needed")
        totals = Totals(*self._row("sweep.totals", Totals, data["totals"]))
        return Sweep(totals, self._integers("sweep.unsettled", data["unsettled"]))

    def _integers(self, name: str, value: object) -> tuple[int, ...]:
        if not isinstance(value, list):
            raise InvalidStatement(f"{name}: {value!r} is no list")
        return tuple(self._integer(name, item) for item in value)

    def _pair(self, name: str, value: object) -> tuple[int, int]:
        if not isinstance(value, list) or len(value) != 2:
            raise InvalidStatement(f"{name}: {value!r} is no pair")
        return self._integer(name, value[0]), self._integer(name, value[1])

    def _row(self, name: str, kind: type[OracleRow] | type[L1Row] | type[Totals], value: object) -> list[int]:
        names = [part.name for part in fields(kind)]
        if not isinstance(value, dict) or list(value) != names:
            raise InvalidStatement(f"{name}: a row needs {', '.join(names)}")
        return [self._integer(f"{name}.{key}", value[key]) for key in names]
