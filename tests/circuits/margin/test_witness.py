"""Columns of a batch: limbs of every width, padding, what is counted; and a step that does not fit is named."""

from dataclasses import replace

import pytest

from circuits.check import check
from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Shape
from circuits.margin.statement import Statement, public_scalars, public_terms
from circuits.table import Kind
from prover.backend import Backend, get_backend
from tests.circuits.margin.forge import Forge
from tests.circuits.margin.story import CELLS, PARAMETERS, begin, sheet, steps, tell
from zkmargin.witness import WitnessError, build_assignment


def built(forge: Forge, shape: Shape) -> dict:
    """The prover's own columns of a forge's steps, the same by rows and by columns; WitnessError when they do not
    fit."""
    by_rows, by_columns = (_built(forge, shape, backend) for backend in (None, get_backend("cpu")))
    for table, columns in by_rows.items():
        assert set(columns) == set(by_columns[table])
        for name, column in columns.items():
            assert [*map(int, column)] == [*map(int, by_columns[table][name])], f"{table}.{name}"
    return by_columns


def _built(forge: Forge, shape: Shape, backend: Backend | None) -> dict:
    circuit = margin_circuit(PARAMETERS, shape)
    lists = tuple(forge.last_oracle), tuple(forge.oracle), forge.next_queue, tuple(forge.l1)
    statement = Statement(1, None, None, *lists, ())
    old, new = ({address: cell.pack() for address, cell in cells.items()} for cells in (forge.old, forge.cells))
    columns = build_assignment(circuit, PARAMETERS, statement, forge.steps, old, new, backend)
    assert check(circuit, columns, public_scalars(statement), public_terms(statement)) == []
    return columns


def traded() -> Forge:
    forge = begin()
    forge.act("trade", 2, 3, size=10, cash=1000, fee_a=3, rule_a="initial", rule_b="initial")
    forge.collect()
    return forge


@pytest.mark.parametrize("limb_bits", [8, 16])
def test_limbs_of_any_width_make_up_the_same_integers(limb_bits: int) -> None:
    shape = Shape(8, 16, limb_bits, True)
    columns, table = built(traded(), shape), margin_circuit(PARAMETERS, shape).table("transitions")
    values = {}
    for name, register in table.registers.items():
        limbs = [columns["transitions"][f"{name}_{i}"][0] for i in range(register.bits // limb_bits)]
        values[name] = sum(int(limb) << i * limb_bits for i, limb in enumerate(limbs))
    assert values["cash"] - (1 << 63) == 1000 and values["size"] == 9 and values["fee_a"] == 3
    assert values["collateral_after_a"] - (1 << 63) == 1_000_000 - 1003
    # D = TV'*2^16 - IM' of leg a; 10 units at 100 quote need a tenth of 1000 quote, and 4/65536 of that
    assert values["margin_a"] == ((1_000_000 - 1003 + 1000) << 32) - 6554 * (1000 << 16)


def test_every_limb_is_counted_once() -> None:
    shape = Shape(8, 16, 8, True)
    columns, circuit = built(traded(), shape), margin_circuit(PARAMETERS, shape)
    limbs = sum(term.channel == "range" for term in circuit.base_terms["transitions"])
    assert sum(map(int, columns["lookups"]["range_count"])) == limbs * shape.rows
    assert sum(map(int, columns["lookups"]["oracle_count"])) == 1
    assert sum(map(int, columns["lookups"]["tier_count"])) == 2


def test_every_column_is_there() -> None:
    """Of the witness, the state and the statement; masks and the bus are the prover's."""
    shape = Shape(8, 16, 8, True)
    columns, circuit = built(traded(), shape), margin_circuit(PARAMETERS, shape)
    for table in circuit.tables:
        asked = set(table.of_kind(Kind.WITNESS, Kind.STATE, Kind.PUBLIC)) - {"bus_mask"}
        assert set(columns[table.name]) == asked
        assert {len(column) for column in columns[table.name].values()} == {table.size}


def test_collect_stands_in_the_last_row() -> None:
    columns = sheet().transitions
    assert columns["collect"] == [0] * 31 + [1]
    assert columns["tick"][tell()["pad"] :] == [2] * (32 - tell()["pad"])
    assert list(steps())[-1] == "collect"


def test_a_full_table_has_no_padding() -> None:
    forge = begin()
    for _ in range(4):
        forge.act("touch", 2)
    assert list(built(forge, Shape(4, 16, 8, True))["transitions"]["touch"]) == [1] * 4
    forge.act("touch", 2)
    with pytest.raises(WitnessError, match="5 steps for a table of 4 rows"):
        built(forge, Shape(4, 16, 8, True))


@pytest.mark.parametrize(
    ("register", "kind", "legs", "stated"),
    [
        ("margin_a", "transfer", (12, 2), {"size": 5000, "rule_a": "initial"}),
        ("band_above", "trade", (2, 3), {"size": 10, "cash": 1052, "rule_a": "initial", "rule_b": "initial"}),
        ("strict", "cover", (1, 9), {"size": 51}),
        ("collateral_after_a", "touch", (2,), {"after_a": {"collateral": 1 << 63}}),
        ("size", "transfer", (2, 3), {"size": 0, "rule_a": "initial"}),
    ],
)
@pytest.mark.parametrize("backend", [None, "cpu"])
def test_a_step_that_does_not_fit_is_named(
    register: str, kind: str, legs: tuple[int, ...], stated: dict, backend: str | None
) -> None:
    forge = begin()
    forge.act(kind, *legs, **stated)
    with pytest.raises(WitnessError, match=f"row 0: register {register} of .* bits cannot hold"):
        _built(forge, Shape(4, 16, 8, True), get_backend(backend) if backend else None)


def test_cells_are_read_where_they_were_last_written() -> None:
    forge = begin(CELLS | {8: Cell(5, kind=ACCOUNT)})
    for _ in range(3):
        forge.act("touch", 8)
    columns = built(forge, Shape(8, 16, 8, True))
    gaps = [int(gap) for gap in columns["transitions"]["gap_a_0"][:3]]
    assert gaps == [0, 0, 0] and int(columns["cells"]["last"][8]) == 3
    assert [int(flag) for flag in columns["cells"]["touched"]] == [int(row == 8) for row in range(16)]
    assert replace(CELLS[2]).pack() == columns["cells"]["new"][2]
