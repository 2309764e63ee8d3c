"""What a solvency proof says: of which state, at which oracle rows, and the sums over all cells."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields

from circuits.circuit import PublicTerm
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Portfolio
from circuits.margin.publics import oracle_columns, scenario_vectors, unsettled_terms
from circuits.margin.statement import InvalidStatement, OracleRow, Point, require
from circuits.margin.statement_rules import check_row, check_totals
from circuits.margin.totals import Totals
from circuits.strict_json import loads

VERSION = 1
WORD = 1 << 256


@dataclass(frozen=True)
class SolvencyStatement:
    """The book of the state committed in root, which `batch` batches led to, at one tick's oracle rows.

    chain, contract, scenarios: as in a batch's statement. unsettled: of each market, what its positions sum to, which
    is not zero for options that have expired, and for assets, of which it is what accounts hold.
    """

    batch: int
    root: Point
    oracle: tuple[OracleRow, ...]
    totals: Totals
    chain: int = 0
    contract: int = 0
    scenarios: tuple[tuple[int, ...], ...] = ()
    unsettled: tuple[int, ...] = ()
    version: int = VERSION

    def encode(self) -> bytes:
        """32-byte big-endian words, two's complement."""
        words = [self.version, self.chain, self.contract, self.batch, *(self.root or (0, 0)), len(self.oracle)]
        words += [word for row in self.oracle for word in (row.tick, row.time, row.market, row.price, row.index)]
        words += asdict(self.totals).values()
        words += [len(self.scenarios), *(word for row in self.scenarios for word in (len(row), *row))]
        words += [len(self.unsettled), *self.unsettled]
        return b"".join((word % WORD).to_bytes(32, "big") for word in words)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "SolvencyStatement":
        """Reads what `to_json` wrote; InvalidStatement names a missing, unknown or ill-typed field."""
        try:
            data = loads(text)
        except ValueError as error:
            raise InvalidStatement(f"not JSON: {error}") from error
        values = _exact("statement", [part.name for part in fields(cls)], data)
        root, oracle = values["root"], values["oracle"]
        if not isinstance(oracle, list):
            raise InvalidStatement("oracle: no list")
        point = None if root is None else _pair(root)
        rows = tuple(OracleRow(**_numbers("oracle", OracleRow, row)) for row in oracle)
        totals = Totals(**_numbers("totals", Totals, values["totals"]))
        rest = _integers("statement", {name: values[name] for name in ("batch", "chain", "contract", "version")})
        lists = {name: values[name] for name in ("scenarios", "unsettled")}
        if not isinstance(lists["scenarios"], list):
            raise InvalidStatement("scenarios: no list")
        scenarios = tuple(_list("scenarios", row) for row in lists["scenarios"])
        unsettled = _list("unsettled", lists["unsettled"])
        return cls(root=point, oracle=rows, totals=totals, scenarios=scenarios, unsettled=unsettled, **rest)

    def rounding(self, vault: int, assets: Collection[int] = ()) -> int:
        """`Totals.rounding`, less what options that have expired will still pay, or be paid, in quote * 2^-32. assets:
        the markets whose units are in vaults of their own."""
        listed = zip(self.unsettled, self.oracle, strict=False)
        worth = sum(left * row.price for left, row in listed if row.market not in assets)
        return self.totals.rounding(vault) - (worth << 16)


def check_solvency(statement: SolvencyStatement, parameters: Parameters, shape: Shape) -> None:
    """Raises InvalidStatement unless every rule that no circuit checks holds."""
    if statement.version != VERSION:
        raise InvalidStatement(f"version {statement.version}: this verifier knows version {VERSION}")
    for name, value, limit in (
        ("batch", statement.batch, 1 << 64),
        ("chain", statement.chain, 1 << 64),
        ("contract", statement.contract, 1 << 160),
    ):
        if not 0 <= value < limit:
            raise InvalidStatement(f"{name} {value} is out of range")
    if [row.market for row in statement.oracle] != list(range(len(parameters.markets))):
        raise InvalidStatement("the oracle rows do not list every market once, in order")
    if len({(row.tick, row.time) for row in statement.oracle}) != 1:
        raise InvalidStatement("the oracle rows are not of one tick")
    for row in statement.oracle:
        check_row(row)
    _check_portfolio(statement, parameters, shape)
    check_totals(statement.totals, statement.unsettled, parameters, shape, statement.oracle[0].time)


def _check_portfolio(statement: SolvencyStatement, parameters: Parameters, shape: Shape) -> None:
    """Scenarios where the key has portfolios."""
    if parameters.portfolio is None or not shape.scenarios:
        require(not statement.scenarios, "scenarios: the key has no portfolios")
    else:
        scenario_vectors(statement.oracle, statement.scenarios, parameters.portfolio)


def solvency_terms(statement: SolvencyStatement) -> list[PublicTerm]:
    return unsettled_terms(statement.unsettled)


def solvency_scalars(statement: SolvencyStatement) -> dict[str, int]:
    return {"tick": statement.oracle[0].tick, **asdict(statement.totals)}


def solvency_columns(
    statement: SolvencyStatement, portfolio: Portfolio | None = None
) -> dict[tuple[str, str], list[int]]:
    """The oracle rows as columns of the lookups table, and what a portfolio adds to them."""
    return oracle_columns(statement.oracle, statement.scenarios, portfolio)


def _exact(where: str, names: list[str], data: object) -> Mapping[str, object]:
    if not isinstance(data, dict) or set(data) != set(names):
        wrong = sorted(set(names) ^ set(data)) if isinstance(data, dict) else "no object"
        raise InvalidStatement(f"{where}: missing or unknown fields: {wrong}")
    return data


def _list(where: str, data: object) -> tuple[int, ...]:
    if not isinstance(data, list):
        raise InvalidStatement(f"{where}: no list")
    return tuple(_integers(where, {str(i): value for i, value in enumerate(data)}).values())


def _pair(data: object) -> tuple[int, int]:
    if not isinstance(data, list) or len(data) != 2:
        raise InvalidStatement("root: no pair")
    numbers = _integers("root", {"x": data[0], "y": data[1]})
    return numbers["x"], numbers["y"]


def _numbers(where: str, kind: type[OracleRow] | type[Totals], data: object) -> dict[str, int]:
    return _integers(where, _exact(where, [part.name for part in fields(kind)], data))


def _integers(where: str, values: Mapping[str, object]) -> dict[str, int]:
    result = {}
    for name, value in values.items():
        if type(value) is not int:
            raise InvalidStatement(f"{where}.{name}: {value!r} is no integer")
        result[name] = value
    return result
