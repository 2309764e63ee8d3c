"""A rollup in a folder: apply batches, check, prove and verify them. Every step is kept as soon as it is done, and
done once."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from circuits.check import Failure
from circuits.field import MODULUS
from circuits.margin.cadence import derived_seed
from circuits.margin.cell import unpack
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import Statement
from circuits.margin.succession import Amendment, last_rows
from prover.backend import Backend, get_backend
from prover.key import ProvingKey
from prover.rounds import Progress
from prover.setup import SRS, load_srs, save_srs
from verifier import InvalidKey, VerifyingKey, verify
from verifier.key import INSECURE
from verifier.margin import MarginStatement
from zkmargin.batch import Batch, build_batch
from zkmargin.history import History, Lines, Rules
from zkmargin.proving import batch_assignment, batch_statement, check_batch, commit_cells, margin_key, prove_batch
from zkmargin.rules import Refused
from zkmargin.state import State
from zkmargin.store import Checkpoint, Store, StoredBatch, StoreError
from zkmargin.transactions import InputError, parse

STORE, SETUP = "rollup.sqlite", "setup.npz"


def create_rollup(
    folder: Path,
    parameters: Parameters,
    shape: Shape,
    srs: SRS,
    backend: Backend,
    chain: int = 0,
    contract: int = 0,
) -> VerifyingKey:
    """A new rollup with an empty state, of a contract on a chain or of none; SetupError when the SRS is too small,
    StoreError when the folder has a rollup."""
    if (folder / STORE).exists():
        raise StoreError(f"{folder / STORE}: there is a rollup already")
    key = margin_key(parameters, shape, srs, backend).verifying
    folder.mkdir(parents=True, exist_ok=True)
    save_srs(srs, folder / SETUP)
    Store.create(folder / STORE, json.dumps(key.to_json()), State.genesis(parameters, chain, contract))
    return key


class Rollup:
    """A rollup that exists. Setup and keys are loaded when they are first needed."""

    def __init__(self, folder: Path, backend: str = "auto", checkpoint: Checkpoint = lambda _: None) -> None:
        self.store = Store.open(folder / STORE, checkpoint)
        self.folder, self._backend_name, self._checkpoint = folder, backend, checkpoint
        self._proving_keys: dict[bytes, ProvingKey] = {}
        self.history = self._read_history()

    def _read_history(self) -> History:
        try:
            return History(self.store)
        except InvalidKey as error:
            raise StoreError(f"{self.store.path}: damaged: {error}") from error

    @property
    def key(self) -> VerifyingKey:
        """Of the last batch, as parameters and shape are."""
        return self.history.present.key

    @property
    def parameters(self) -> Parameters:
        return self.history.present.parameters

    @property
    def shape(self) -> Shape:
        return self.history.present.shape

    def apply_file(self, path: Path, seed: int | None = None) -> dict[str, Any]:
        """Applies a file of transactions as the next batch, or finds the batch that it was applied as. seed: of the
        sample, in a key with a cadence; without one it is derived from the state.

        InputError for a malformed line, or a file without a tick; then nothing is changed.
        """
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if (known := self.store.find_input(digest)) is None:
            state, commitment = self.store.state()
            try:
                known = self._apply(path, data, digest, state, commitment, seed)
            except StoreError:
                if (known := self.store.find_input(digest)) is None:  # else another process was first with this file
                    raise
        stored = self.store.batch(known)
        refusals = [f"line {line}: {reason}" for line, reason in self.store.refusals(known)]
        return {"batch": known, **stored.summary, "refusals": refusals}

    def announce(self, amendment: Amendment, parameters: Parameters, shape: Shape) -> VerifyingKey:
        """Makes the key of other parameters, which count from `amendment.start` on; StoreError while others are to
        come, or when a batch was applied since."""
        key = self._make_key(parameters, shape).verifying
        self.store.announce(amendment, json.dumps(key.to_json()))
        self.history = self._read_history()
        return key

    def rebuild(self, number: int) -> tuple[Batch, Statement]:
        """A batch again from its stored input; StoreError when that does not give the stored statement."""
        stored = self.store.batch(number)
        told = stored.statement
        rows = tuple((row.price, row.index) for row in told.last_oracle)
        first = told.last_oracle[0]
        cells = self.store.cells_before(number)
        state = State(
            cells, rows, first.tick, first.time, told.next_queue, number, chain=told.chain, contract=told.contract
        )
        try:
            name, seed = Path(f"batch {number}"), told.checks.seed if told.checks else 0
            batch = self._made(name, self._parse(name, stored.input), state, self.history.of(number), seed)
        except InputError as error:
            raise StoreError(f"{self.store.path}: damaged, or of another program: {error}") from error
        if (batch.ticks, batch.l1, batch.checks) != (told.oracle, told.l1, told.checks) or batch.diff != _differences(
            stored
        ):
            raise StoreError(f"{self.store.path}: damaged, batch {number} is not what its input gives")
        return batch, told

    def last_scenarios(self) -> tuple[tuple[int, ...], ...]:
        """What the oracle said of scenarios at the last tick: nothing where the key has none; before the first batch,
        when nobody holds anything, that they change nothing."""
        portfolio, (state, _) = self.parameters.portfolio, self.store.state()
        if portfolio is None or not self.shape.scenarios:
            return ()
        if state.batch:
            return self.store.batch(state.batch - 1).statement.scenarios[-len(self.parameters.markets) :]
        return tuple(() if each.option is None else (0,) * portfolio.scenarios for each in portfolio.instruments)

    def signatures(self, number: int) -> tuple[str, ...]:
        """Of the orders that a batch fills, in their order."""
        return self.rebuild(number)[0].signatures if self.store.batch(number).statement.orders else ()

    def check(self, number: int) -> list[Failure]:
        """Every violated law of a batch."""
        batch, statement = self.rebuild(number)
        rules = self.history.of(number)
        circuit = margin_circuit(rules.parameters, rules.shape)
        return check_batch(circuit, statement, batch_assignment(circuit, rules.parameters, statement, batch))

    def prove(self, number: int, progress: Progress | None = None) -> dict[str, Any]:
        """Proves a batch and keeps the proof; a batch that has one keeps it."""
        stored = self.store.batch(number)
        proof = stored.proof
        if proof is None:
            batch, statement = self.rebuild(number)
            rules = self.history.of(number)
            key = self.proving_key(rules)
            self._require_stated(batch, statement, key, rules.shape)
            assignment = batch_assignment(key.circuit, rules.parameters, statement, batch, key.srs.backend)
            self._checkpoint("witness built")
            proof = prove_batch(key, statement, assignment, key.srs.backend, progress)
            self._checkpoint("proven")
            self.store.add_proof(number, proof)
        return {"batch": number, "proof bytes": len(proof), "new proof": stored.proof is None}

    def verify(self, number: int) -> None:
        """Verifies the stored proof under the rollup's own key and notes the verdict; InvalidProof, StoreError when
        there is none."""
        stored = self.store.batch(number)
        if stored.proof is None:
            raise StoreError(f"{self.store.path}: batch {number} has no proof")
        rules = self.history.of(number)
        statement = MarginStatement(stored.statement, rules.parameters, rules.shape)
        verify(rules.key, statement, stored.proof, rules.key.srs_kind == INSECURE)
        self.store.mark_verified(number)

    def describe(self) -> dict[str, Any]:
        """Key, sizes, state and batches."""
        state, commitment = self.store.state()
        return {
            "key": self.key.digest.hex(),
            **self._amendments(),
            "setup": self.key.srs_kind,
            **asdict(self.shape),
            "proof bytes": self.key.layout.size,
            "markets": [market.name for market in self.parameters.markets],
            "chain": state.chain,
            "contract": f"0x{state.contract:040x}",
            "last tick": state.tick,
            "next L1 operation": state.queue,
            "cells in use": len(state.cells),
            **self._supplied(state),
            "root": "infinity" if commitment is None else [hex(c) for c in commitment],
            "batches": [
                {"batch": n, "proven": proven, "verified": verified} for n, proven, verified in self.store.batches()
            ],
        }

    def _amendments(self) -> dict[str, Any]:
        """By which keys this one came about, and what is to come; nothing, where nothing has changed."""
        rules = [*self.history.rules[1:], *([] if self.history.to_come is None else [self.history.to_come])]
        told = [
            {"key": each.key.digest.hex(), **each.amendment.to_json(), "first batch": each.first_batch}
            for each in rules
            if each.amendment is not None
        ]
        return {"amendments": told} if told else {}

    def _supplied(self, state: State) -> dict[str, Any]:
        """Base units of each asset, in a key that has some."""
        names = {self.parameters.markets[market].name: market for market in self.parameters.assets}
        return {"supplied": {name: state.supplied(market) for name, market in names.items()}} if names else {}

    def describe_cell(self, address: int) -> dict[str, Any]:
        """The digits of a cell."""
        if not 0 <= address < self.shape.cells:
            raise StoreError(f"there is no cell {address}: the state has {self.shape.cells}")
        return {"cell": address, **asdict(unpack(self.store.state()[0].cells.get(address, 0)))}

    def proving_key(self, rules: Rules | None = None) -> ProvingKey:
        """The proving key of the present rules, or of others; checked to be the one of the rollup."""
        rules = rules or self.history.present
        if rules.key.digest not in self._proving_keys:
            key = self._make_key(rules.parameters, rules.shape)
            if key.verifying.digest != rules.key.digest:
                raise StoreError(f"{self.folder / SETUP}: not the setup that the rollup's key was made under")
            self._proving_keys = {rules.key.digest: key}
        return self._proving_keys[rules.key.digest]

    def _make_key(self, parameters: Parameters, shape: Shape) -> ProvingKey:
        backend = get_backend(self._backend_name)
        return margin_key(parameters, shape, load_srs(backend, self.folder / SETUP), backend)

    def _require_stated(self, batch: Batch, statement: Statement, key: ProvingKey, shape: Shape) -> None:
        """A proof is made of the cells that the statement commits to; made of others it would be kept, and refused."""
        inside = all(0 <= address < shape.cells for address in batch.old)
        srs, backend = key.srs, key.srs.backend
        old = commit_cells(srs, backend, shape.cells, batch.old) if inside else None
        if not inside or batch_statement(batch, old, srs, backend, shape) != statement:
            raise StoreError(f"{self.store.path}: damaged, other cells than batch {statement.batch} starts from")

    def _apply(
        self,
        path: Path,
        data: bytes,
        digest: str,
        state: State,
        commitment: tuple[int, int] | None,
        seed: int | None,
    ) -> int:
        lines = self._parse(path, data)
        if self.store.amendments() != self.history.stored:
            self.history = self._read_history()
        history = self.history
        rules, amended = history.for_next(path, lines)
        if amended:
            state.rows = tuple((row.price, row.index) for row in last_rows(state.oracle_rows(), rules.parameters))
        seed = derived_seed(commitment, state.batch) if seed is None else seed
        batch = self._made(path, lines, state, rules, seed)
        self._checkpoint("built")
        key = self.proving_key(rules)
        statement = batch_statement(batch, commitment, key.srs, key.srs.backend, rules.shape)
        changes = tuple((cell, batch.old.get(cell, 0), batch.new.get(cell, 0)) for cell in batch.diff)
        stored = StoredBatch(batch.number, data, statement, changes, summarise(batch), None, False)
        self._checkpoint("committed")
        self.store.add_batch(stored, digest, batch.refusals, state, statement.new, history.stored, amended)
        self.history = self._read_history() if amended else history
        return batch.number

    @staticmethod
    def _parse(path: Path, data: bytes) -> Lines:
        lines = enumerate(data.splitlines(), 1)
        return [(number, parse(line, path, number)) for number, line in lines if line.strip()]

    @staticmethod
    def _made(path: Path, lines: Lines, state: State, rules: Rules, seed: int) -> Batch:
        try:
            return build_batch(state, rules.parameters, rules.shape, lines, seed)
        except Refused as refusal:
            raise InputError(path, 1, "", str(refusal)) from refusal


def summarise(batch: Batch) -> dict[str, int]:
    """Counts for people: transitions, position changes, kinds of transitions, refusals."""
    kinds = [step.kind for step in batch.steps]
    changes = sum(2 for kind in kinds if kind in ("trade", "liquidate", "deleverage"))
    named = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    told = {"transitions": len(kinds), "position changes": changes, **named, "refused": len(batch.refusals)}
    return told | ({} if batch.checks is None else batch.checks.counts())


def _differences(stored: StoredBatch) -> dict[int, int]:
    return {cell: (new - old) % MODULUS for cell, old, new in stored.changes}
