"""What batches cost on L1, for people and programs."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from zkmargin.evm.local import LocalL1, Spent
from zkmargin.store import StoredBatch


def report(chain: LocalL1, spent: Sequence[tuple[Spent, StoredBatch]]) -> dict[str, Any]:
    """Gas of each batch and of the deployment, and what the contracts hold after the last one."""
    return {
        "fork": chain.chain.fork,
        "deployment": chain.deployment,
        "batches": [
            {
                "batch": gas.batch,
                "L1 rows": len(batch.statement.l1),
                "oracle rows": len(batch.statement.oracle),
                "orders": len(batch.statement.orders),
                "changed cells": len(batch.changes),
                "position changes": batch.summary["position changes"],
                "gas of requests": gas.requests,
                "gas of the batch": gas.submission,
            }
            for gas, batch in spent
        ],
        "vault": chain.rollup.call("vault"),
        "factor": chain.rollup.call("factor") / (1 << 32),
        "root": [hex(chain.rollup.call("root", i)) for i in range(2)],
    }


def gas_table(told: dict[str, Any]) -> Table:
    """One row a batch."""
    table = Table(title=f"Gas on L1 ({told['fork']}); deployment {sum(told['deployment'].values()):,}")
    for name in told["batches"][0]:
        table.add_column(name, justify="right")
    table.add_column("gas a change", justify="right")
    for batch in told["batches"]:
        changes = batch["position changes"]
        each = f"{batch['gas of the batch'] / changes:,.1f}" if changes else "-"
        table.add_row(*(f"{value:,}" for value in batch.values()), each)
    return table
