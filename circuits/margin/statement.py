"""The public statement of a batch: what the proof is about, its bytes and its JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields

from circuits.margin.cadence import CHECK_WORDS, Checks
from circuits.margin.orders import ORDER_WORDS, OrderRow
from circuits.margin.totals import Sweep, Totals
from circuits.strict_json import loads

VERSION = 1
L1_KINDS = {"open": 1, "close": 2, "deposit": 3, "withdraw": 4, "supply": 5, "redeem": 6}
ASSET_UNIT = 16  # the kind of a row that supplies or redeems an asset has its market above this
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
    over the book after the batch. orders: where the key asks for them, those that the batch fills. supplied: of each
    asset, what there was of it before the batch. checks: where the key has a cadence, who was late.
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
    orders: tuple[OrderRow, ...] = ()
    supplied: tuple[int, ...] = ()
    checks: Checks | None = None
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
            + (self._encode_options() if any(self._options()) else b"")
        )

    def _options(self) -> tuple[object, ...]:
        return self.scenarios, self.sweep, self.orders, self.supplied, self.checks

    def _encode_options(self) -> bytes:
        """What stands behind the diff when there is anything."""
        rows = b"".join(_encode([len(row), *row]) for row in self.scenarios)
        swept = [0] if self.sweep is None else [1, *self.sweep.words()]
        options = [len(self.orders), *(word for row in self.orders for word in row.words())]
        if self.supplied or self.checks:
            options += [len(self.supplied), *self.supplied]
        options += self.checks.words() if self.checks else ()
        if not (self.orders or self.supplied or self.checks):
            options = []
        return _encode([len(self.scenarios)]) + rows + _encode([*swept, *options])

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
        scenarios, sweep, orders, supplied, checks = words.options()
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
            orders,
            supplied,
            checks,
            version,
        )
        if result.encode() != data:
            raise InvalidStatement("encoding: words are left over, or say nothing")
        return result

    def to_json(self) -> str:
        """Without `checks` where there are none."""
        told = asdict(self)
        return json.dumps(told if self.checks else {name: told[name] for name in told if name != "checks"}, indent=1)

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

    def options(
        self,
    ) -> tuple[tuple[tuple[int, ...], ...], Sweep | None, tuple[OrderRow, ...], tuple[int, ...], Checks | None]:
        """What stands behind the diff, if anything does."""
        if self.ended:
            return (), None, (), (), None
        scenarios = tuple(tuple(map(_signed, self.take(self.count(1)))) for _ in range(self.count(1)))
        sweep = self._sweep()
        orders = () if self.ended else tuple(OrderRow(*self.take(ORDER_WORDS)) for _ in range(self.count(ORDER_WORDS)))
        supplied = () if self.ended else tuple(self.take(self.count(1)))
        checks = None if self.ended else Checks(*self.take(CHECK_WORDS))
        return scenarios, sweep, orders, supplied, checks

    @property
    def ended(self) -> bool:
        return self.position == len(self.data)

    def _sweep(self) -> Sweep | None:
        [swept] = self.take(1)
        if not swept:
            return None
        totals = Totals(*map(_signed, self.take(len(fields(Totals)))))
        return Sweep(totals, tuple(map(_signed, self.take(self.count(1)))))


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
        data = {"checks": None} | data if isinstance(data, dict) else data
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
            orders=tuple(OrderRow(*self._row("orders", OrderRow, row)) for row in self._list("orders")),
            supplied=self._integers("supplied", self.data["supplied"]),
            checks=None if (told := self.data["checks"]) is None else Checks(*self._row("checks", Checks, told)),
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

    def _row(self, name: str, kind: type[OracleRow | L1Row | OrderRow | Totals | Checks], value: object) -> list[int]:
        names = [part.name for part in fields(kind)]
        if not isinstance(value, dict) or list(value) != names:
            raise InvalidStatement(f"{name}: a row needs {', '.join(names)}")
        return [self._integer(f"{name}.{key}", value[key]) for key in names]
