"""A rollup of eight cells, batches for it, and a store filled without cryptography."""

from contextlib import closing
from pathlib import Path

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.statement import OracleRow, Statement
from circuits.margin.tiers import build_tiers
from prover.backend import get_backend
from prover.setup import insecure_srs
from zkmargin.files import write_transactions
from zkmargin.proving import layout_of
from zkmargin.rollup import create_rollup
from zkmargin.state import State
from zkmargin.store import Store, StoredBatch
from zkmargin.transactions import Deposit, Open, Tick, Touch, Trade, Transaction, Transfer

ROOT = Path(__file__).resolve().parents[2]
PRICE = 100 << 16
SHAPE = Shape(16, 8, 8, True)
MARKET = Market("COIN", 1000, build_tiers([(0, 655, 1311)], 1 << 66), PRICE, 0)
PARAMETERS = Parameters((MARKET,), 0, 1, 3000, 6000, 100, 1000, 0)

FIRST: list[Transaction] = [
    Tick(10, ((PRICE, 0),)),
    Open(2, 0, 0), Open(3, 0, 1), Deposit(2, 10**6, 2), Deposit(3, 10**6, 3), Transfer(2, 3, 10**7),
]  # fmt: skip
SECOND: list[Transaction] = [Tick(20, ((PRICE, 3),)), Trade(2, 3, 50, 1, 5000, 3, 2), Touch(5)]


def make_rollup(folder: Path) -> Path:
    """FOLDER/rollup, FOLDER/first.jsonl and FOLDER/second.jsonl; returns the folder."""
    backend = get_backend("cpu")
    srs = insecure_srs(backend, layout_of(PARAMETERS, SHAPE).powers, b"store")
    create_rollup(folder / "rollup", PARAMETERS, SHAPE, srs, backend)
    write_transactions(folder / "first.jsonl", FIRST)
    write_transactions(folder / "second.jsonl", SECOND)
    return folder


def cells_after(number: int) -> dict[int, int]:
    """The cells after batch `number` of `fill`: more of them, and other values, with each batch."""
    return {a: Cell(10**6 + 100 * number + a, 0, 0, 0, ACCOUNT).pack() for a in range(2, 40 + number)}


def state_after(number: int) -> State:
    """The state after batch `number` of `fill`."""
    return State(cells_after(number), ((PRICE, 0),), number + 1, number + 5, 7 * number, number + 1)


def add_batch(store: Store, number: int) -> None:
    """Batch `number` of many cells, with a refusal; the points are no commitments."""
    before = cells_after(number - 1) if number else {}
    after = cells_after(number)
    changes = tuple((address, before.get(address, 0), value) for address, value in after.items())
    rows = [(OracleRow(n, n + 4 if n else 0, 0, PRICE, 0),) for n in (number, number + 1)]
    old = (1, 2) if number else None
    statement = Statement(number, old, (1, 2), *rows, 7 * max(number - 1, 0), (), tuple(after.items()))
    batch = StoredBatch(number, b"{}\n" * 300, statement, changes, {"rows": 1}, None, False)
    store.add_batch(batch, f"digest {number}", [(3, "margin: too little")], state_after(number), (1, 2))


def filled(path: Path) -> Path:
    """A store with one batch, proven and verified, all in one file."""
    Store.create(path, '{"key": 1}', State.genesis(PARAMETERS))
    with closing(Store.open(path)) as store:
        add_batch(store, 0)
        store.add_proof(0, bytes(range(256)) * 8)
        store.mark_verified(0)
    return path
