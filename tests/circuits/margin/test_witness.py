"""Columns of a batch: limbs of every width, padding, what is counted; and a step that does not fit is named."""

from dataclasses import replace

import pytest

from circuits.check import check
from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Shape
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Statement
from circuits.table import Kind
from prover.backend import Backend, get_backend
from tests.circuits.margin.forge import Forge
from tests.circuits.margin.story import CELLS, PARAMETERS, begin, sheet, steps, tell
from zkmargin.columns import WitnessError
from zkmargin.witness import build_assignment


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
        limbs = [columns["transitions"][f"{name}_{i}"] for i in range(register.bits // limb_bits)]
        for row in range(2):
            values[name, row] = sum(int(limb[row]) << i * limb_bits for i, limb in enumerate(limbs))
    assert values["exchanged", 0] == 9 and values["exchanged", 1] - (1 << 63) == 1000
    assert (values["fee", 0], values["fee", 1]) == (3, 0)
    assert values["collateral_after", 0] - (1 << 63) == 1_000_000 - 1003
    # D = TV'*2^16 - IM' of leg a; 10 units at 100 quote need a tenth of 1000 quote, and 4/65536 of that
    assert values["margin", 0] == ((1_000_000 - 1003 + 1000) << 32) - 6554 * (1000 << 16)


def test_every_limb_is_counted_once() -> None:
    shape = Shape(8, 16, 8, True)
    columns, circuit = built(traded(), shape), margin_circuit(PARAMETERS, shape)
    limbs = sum(term.channel == "range" for term in circuit.base_terms["transitions"])
    assert sum(map(int, columns["lookups"]["range_count"])) == limbs * 2 * shape.transitions
    assert sum(map(int, columns["lookups"]["oracle_count"])) == 2
    assert sum(map(int, columns["lookups"]["tier_count"])) == 2


def test_every_column_is_there() -> None:
    """Of the witness, the state and the statement; masks and the bus are the prover's."""
    shape = Shape(8, 16, 8, True)
    columns, circuit = built(traded(), shape), margin_circuit(PARAMETERS, shape)
    for table in circuit.tables:
        asked = set(table.of_kind(Kind.WITNESS, Kind.STATE, Kind.PUBLIC)) - {"bus_mask"}
        assert set(columns[table.name]) == asked
        assert {len(column) for column in columns[table.name].values()} == {table.size}


def test_collect_stands_in_the_last_pair() -> None:
    columns = sheet().transitions
    assert columns["collect"] == [0] * 62 + [1, 1]
    assert columns["tick"][2 * tell()["pad"] :] == [2] * (64 - 2 * tell()["pad"])


def test_operations_are_counted_on() -> None:
    columns, l1 = sheet().transitions, [step.queue is not None for step in steps().values()]
    counted = [sum(l1[: (row + 1) // 2]) for row in range(2 * len(l1) - 1)]
    assert columns["queue"][: 2 * len(l1) - 1] == counted and columns["queue"][-1] == sum(l1) > 5
    assert list(steps())[-1] == "collect"


def test_a_full_table_has_no_padding() -> None:
    forge = begin()
    for _ in range(4):
        forge.act("touch", 2)
    assert list(built(forge, Shape(4, 16, 8, True))["transitions"]["touch"]) == [1, 0] * 4
    forge.act("touch", 2)
    with pytest.raises(WitnessError, match="5 steps for a table of 4 transitions"):
        built(forge, Shape(4, 16, 8, True))


@pytest.mark.parametrize(
    ("register", "kind", "legs", "stated"),
    [
        ("margin", "transfer", (12, 2), {"size": 5000, "rule_a": "initial"}),
        ("band", "trade", (2, 3), {"size": 10, "cash": 1052, "rule_a": "initial", "rule_b": "initial"}),
        ("strict", "cover", (1, 9), {"size": 51}),  # on the row of leg b
        ("collateral_after", "touch", (2,), {"after_a": {"collateral": 1 << 63}}),
        ("exchanged", "transfer", (2, 3), {"size": 0, "rule_a": "initial"}),
    ],
)
@pytest.mark.parametrize("backend", [None, "cpu"])
def test_a_step_that_does_not_fit_is_named(
    register: str, kind: str, legs: tuple[int, ...], stated: dict, backend: str | None
) -> None:
    forge = begin()
    forge.act(kind, *legs, **stated)
    with pytest.raises(
        WitnessError, match=f"row {int(register == 'strict')}: register {register} of .* bits cannot hold"
    ):
        _built(forge, Shape(4, 16, 8, True), get_backend(backend) if backend else None)


def test_cells_are_read_where_they_were_last_written() -> None:
    forge = begin(CELLS | {8: Cell(5, kind=ACCOUNT)})
    for _ in range(3):
        forge.act("touch", 8)
    columns = built(forge, Shape(8, 16, 8, True))
    gaps = [int(gap) for gap in columns["transitions"]["gap_0"][:6:2]]
    assert gaps == [0, 0, 0] and int(columns["cells"]["last"][8]) == 3
    assert [int(flag) for flag in columns["cells"]["touched"]] == [int(row == 8) for row in range(16)]
    assert replace(CELLS[2]).pack() == columns["cells"]["new"][2]
