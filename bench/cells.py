"""Committed cells of a circuit, by how large their values are."""

from circuits.circuit import Circuit
from circuits.table import Kind


def committed_cells(circuit: Circuit) -> dict[str, int]:
    """Cells of witness columns, of which limbs, flags and counts are small, and of bus columns, which are
    full-width."""
    counts = {"limb_cells": 0, "other_witness_cells": 0, "bus_cells": 0}
    for table in circuit.tables:
        limbs = {f"{name}_{i}" for name, r in table.registers.items() for i in range(r.bits // table.limb_bits)} & set(
            table.of_kind(Kind.WITNESS)
        )
        counts["limb_cells"] += table.size * len(limbs)
        counts["other_witness_cells"] += table.size * (len(table.of_kind(Kind.WITNESS)) - len(limbs))
        counts["bus_cells"] += table.size * len(table.of_kind(Kind.BUS))
    return counts
