"""An account in a file, to be judged without a rollup: what a quant writes down."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuits.margin.cell import ACCOUNT, GROUP_MAX, INDEX_MAX, INDEX_MIN, Cell, head_kind, member_kind
from circuits.margin.modules import ISOLATED
from circuits.margin.parameters import PRICE_LIMIT, TIME_LIMIT, ParameterError, Parameters
from circuits.margin.reading import exact_fields, read_list
from circuits.margin.tiers import check_integer
from circuits.strict_json import loads
from zkmargin.account_risk import Account
from zkmargin.rules import CASH_MAX, CASH_MIN, SIZE_MAX
from zkmargin.state import State


@dataclass(frozen=True)
class _Position:
    market: int
    collateral: int
    position: int
    index: int


@dataclass(frozen=True)
class _File:
    module: str
    time: int
    rows: object
    scenarios: object
    positions: object


def read_account(path: Path, parameters_path: Path) -> Account:
    """The account of a portfolio file under the parameters of another; ParameterError names file and field.

    `module`: isolated (one position), cross, portfolio or one that the parameters add. `time`: seconds. `rows`: [price,
    index] of each market. `scenarios`: of each market what each scenario changes of a unit, empty for linear and
    expired ones; [] without a portfolio. `positions`: objects with market, collateral, position, index (funding last
    settled).
    """
    try:
        parameters = _parameters(parameters_path)
    except ParameterError as error:
        raise _at(parameters_path, error) from None
    try:
        return _account(exact_fields(_File, _json(path), "portfolio"), parameters)
    except ParameterError as error:
        raise _at(path, error) from None


def _parameters(path: Path) -> Parameters:
    """The field `parameters` of a file, which may have a `shape` as well."""
    data = _json(path)
    if not isinstance(data, dict) or "parameters" not in data:
        raise ParameterError("parameters", "missing")
    return Parameters.from_json(data["parameters"])


def _account(values: dict[str, Any], parameters: Parameters) -> Account:
    markets = len(parameters.markets)
    check_integer("time", values["time"], 0, TIME_LIMIT - 1)
    rows = [_row(row, f"rows[{i}]") for i, row in enumerate(read_list(values["rows"], "rows"))]
    if len(rows) != markets:
        raise ParameterError("rows", f"{markets} are needed, one a market, not {len(rows)}")
    modules = {module.name: module for module in (ISOLATED, *parameters.group_modules(True))}
    if values["module"] not in modules:
        raise ParameterError("module", f"one of {', '.join(modules)} is needed, not {values['module']!r}")
    module = modules[values["module"]]
    listed = read_list(values["positions"], "positions")
    positions = [_position(item, f"positions[{i}]", parameters) for i, item in enumerate(listed)]
    if not 0 < len(positions) < (GROUP_MAX if module.groups else 2):
        raise ParameterError(
            "positions", f"{len(positions)} are too few or too many for an account that is {module.name}"
        )
    scenarios = _scenarios(values["scenarios"], parameters, values["time"], [price for price, _ in rows])
    if module.scans and not scenarios:
        raise ParameterError("module", "these parameters have no portfolio")
    # Behind the system cells, so that no cell of the group is one.
    first = max(parameters.fee_cell, parameters.insurance_cell) + 1
    cells = [Cell(p.collateral, p.position, p.index, p.market, ACCOUNT) for p in positions]
    if module.groups:
        head = Cell(GROUP_MAX, len(positions) + 1, 0, 0, head_kind(module))
        members = enumerate(positions, 1)
        cells = [head] + [Cell(p.collateral, p.position, p.index, p.market, member_kind(i)) for i, p in members]
    packed = {first + i: cell.pack() for i, cell in enumerate(cells)}
    state = State(packed, tuple(rows), 0, values["time"])
    return Account(state, parameters, first + len(cells), first, scenarios)


def _scenarios(data: object, parameters: Parameters, time: int, prices: list[int]) -> tuple[tuple[int, ...], ...]:
    listed = read_list(data, "scenarios")
    if parameters.portfolio is None:
        if listed:
            raise ParameterError("scenarios", "these parameters have no portfolio")
        return ()
    changes = [read_list(item, f"scenarios[{i}]") for i, item in enumerate(listed)]
    for i, items in enumerate(changes):
        for k, change in enumerate(items):
            check_integer(f"scenarios[{i}][{k}]", change, -PRICE_LIMIT, PRICE_LIMIT)
    scenarios = tuple(map(tuple, changes))
    try:
        parameters.portfolio.vectors(prices, time, scenarios)
    except ValueError as error:
        raise ParameterError("scenarios", str(error)) from error
    return scenarios


def _row(data: object, path: str) -> tuple[int, int]:
    values = read_list(data, path)
    if len(values) != 2:
        raise ParameterError(path, "a price and an index are needed")
    check_integer(f"{path}[0]", values[0], 1, PRICE_LIMIT - 1)
    check_integer(f"{path}[1]", values[1], INDEX_MIN, INDEX_MAX)
    return values[0], values[1]


def _position(data: object, path: str, parameters: Parameters) -> _Position:
    values = exact_fields(_Position, data, path)
    for name, low, high in (
        ("market", 0, len(parameters.markets) - 1),
        ("collateral", CASH_MIN, CASH_MAX),
        ("position", 1 - SIZE_MAX, SIZE_MAX - 1),
        ("index", INDEX_MIN, INDEX_MAX),
    ):
        check_integer(f"{path}.{name}", values[name], low, high)
    if parameters.markets[values["market"]].is_asset:  # held and never owed, without funding
        check_integer(f"{path}.position", values["position"], 0, SIZE_MAX - 1)
        check_integer(f"{path}.index", values["index"], 0, 0)
    return _Position(**values)


def _json(path: Path) -> Any:
    try:
        return loads(path.read_text())
    except ValueError as error:
        raise ParameterError("JSON", str(error)) from error


def _at(path: Path, error: ParameterError) -> ParameterError:
    return ParameterError(f"{path}: {error.field}", str(error).removeprefix(f"{error.field}: "))
