"""A batch: what the transactions of one proof did to the state, in their order."""

from dataclasses import dataclass, replace

from circuits.field import MODULUS
from circuits.margin.cadence import Checks
from circuits.margin.kinds import ASSET_KINDS, L1_CODES, REFUSALS
from circuits.margin.orders import OrderRow
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.scenarios import block_rows
from circuits.margin.statement import ASSET_UNIT, L1Row, OracleRow
from circuits.margin.totals import Sweep
from zkmargin.dues import checks_of
from zkmargin.fills import row_of
from zkmargin.machine import Machine
from zkmargin.rules import Refused, require
from zkmargin.solvency_rows import book_totals, unsettled
from zkmargin.state import RESCANNED, Leg, State, Step
from zkmargin.transactions import Tick, Transaction


@dataclass(frozen=True)
class Batch:
    """All that the statement and the witness of a batch are made of.

    last_oracle: rows of the last tick before it; ticks: its own, by tick and market. next_queue: the first L1 index it
    may consume. steps: in order, pads between ticks and a final collect included. diff: address -> change
    mod r of each changed cell, ascending. orders: those that are filled, and their signatures. refusals: (line,
    reason). old, new: all non-empty cells, packed. supplied: of each asset, what there was of it before. checks: in a
    key with a cadence, who was late.
    """

    number: int
    last_oracle: tuple[OracleRow, ...]
    ticks: tuple[OracleRow, ...]
    next_queue: int
    l1: tuple[L1Row, ...]
    steps: tuple[Step, ...]
    diff: dict[int, int]
    refusals: tuple[tuple[int, str], ...]
    old: dict[int, int]
    new: dict[int, int]
    chain: int = 0
    contract: int = 0
    scenarios: tuple[tuple[int, ...], ...] = ()
    sweep: Sweep | None = None
    orders: tuple[OrderRow, ...] = ()
    signatures: tuple[str, ...] = ()
    supplied: tuple[int, ...] = ()
    checks: Checks | None = None


class BatchBuilder:
    """Applies transactions to `state` one by one, and keeps what fits the tables of `shape`.

    The state is changed in place: who gives up a builder gives up the state with it. seed: of the sample, in a key with
    a cadence.
    """

    def __init__(self, state: State, parameters: Parameters, shape: Shape, seed: int = 0) -> None:
        sizes = (shape.cells, shape.groups, shape.scenarios, shape.slots, shape.sweep)
        self.machine = Machine(state, parameters, *sizes)
        self.shape, self.state, self.seed = shape, state, seed
        self.old = dict(state.cells)
        self.last_oracle, self.next_queue = state.oracle_rows(), state.queue
        self.supplied = tuple(state.supplied(market) for market in parameters.assets)
        self.steps: list[Step] = []
        self.ticks: list[OracleRow] = []
        self.scenarios: list[tuple[int, ...]] = []
        self.l1: list[L1Row] = []
        self.refusals: list[tuple[int, str]] = []
        self.row_tick = state.tick  # of the last step, so far the tick before the batch
        self.passed = self.scanned = 0  # rows of the tables of groups and scenarios
        self.orders: dict[OrderRow, tuple[int, str]] = {}  # of one fill -> how many there are, signature

    def add(self, transaction: Transaction, line: int = 0) -> Refused | None:
        """Applies a transaction; one that is refused is noted with its line, returned, and changes nothing."""
        try:
            self._apply(transaction)
        except Refused as refusal:
            self.refusals.append((line, str(refusal)))
            return refusal
        return None

    def finish(self) -> Batch:
        """The batch, with fees collected; Refused (code no-tick) when it has no tick. The builder is done with."""
        require(bool(self.ticks), "no-tick", "a batch has at least one tick")
        state = self.state
        if state.trade_fees or state.liquidation_fees:
            self._take(self.machine.collect(self.row_tick))
        changed = sorted(cell for cell in self._touched() if self._value(cell) != self.old.get(cell, 0))
        batch = Batch(
            state.batch,
            self.last_oracle,
            tuple(self.ticks),
            self.next_queue,
            tuple(self.l1),
            tuple(self.steps),
            {cell: (self._value(cell) - self.old.get(cell, 0)) % MODULUS for cell in changed},
            tuple(self.refusals),
            self.old,
            dict(state.cells),
            state.chain,
            state.contract,
            tuple(self.scenarios),
            self._sweep() if self.shape.sweep else None,
            tuple(replace(row, fills=count) for row, (count, _) in self.orders.items()),
            tuple(signature for _, signature in self.orders.values()),
            self.supplied,
            self._checks(),
        )
        state.batch += 1
        return batch

    def _apply(self, transaction: Transaction) -> None:
        if isinstance(transaction, Tick):
            self._require_room(len(self.ticks) + len(transaction.rows), "oracle rows")
            expiry = min((row.expiry for row in self.orders), default=transaction.time)
            require(transaction.time <= expiry, "expired", f"orders of the batch are good until {expiry} at the latest")
            self.machine.apply(transaction)
            self.ticks += self.state.oracle_rows()
            if self.shape.scenarios:
                self.scenarios += transaction.scenarios or ((),) * len(transaction.rows)
            return
        require(bool(self.ticks), "no-tick", "a batch begins with a tick")
        steps = self.machine.steps(transaction)
        # The tick moves by at most 1 from step to step, and the last place is kept for `collect`.
        pads = range(self.row_tick + 1, steps[0].tick)
        place = len(self.steps) + len(pads) + len(steps)
        require(place < self.shape.transitions, "full", f"the batch has no room for transition {place}")
        rows = len(self.l1) + sum(step.queue is not None for step in steps)
        self._require_room(rows, "L1 rows")
        groups = [leg.group for step in steps for leg in step.legs if leg.group is not None]
        passed = self.passed + sum(len(group.cells) for group in groups)
        require(passed <= self.shape.groups, "full", f"the batch has no room to pass {passed} cells of groups")
        scanned = self.scanned + sum(self._rows_scanned(step) for step in steps)
        require(scanned <= self.shape.scenarios, "full", f"the batch has no room for {scanned} rows of scenarios")
        fills = sum(count for count, _ in self.orders.values()) + sum(len(step.fills) for step in steps)
        require(fills <= self.shape.orders, "full", f"the batch has no room for {fills} fills of orders")
        self.steps += [Step("pad", tick) for tick in pads]
        self.row_tick, self.passed, self.scanned = steps[0].tick, passed, scanned
        for step in steps:
            self._take(step)

    def _require_room(self, count: int, what: str) -> None:
        require(count <= 1 << self.shape.limb_bits, "full", f"the batch has no room for {count} {what}")

    def _sweep(self) -> Sweep:
        """The book after the batch, at its last tick; Refused where it has no proof."""
        state, parameters = self.state, self.machine.context.parameters
        scanned = self.scanned + sum(
            self._block(cell.position - 1)
            for _, cell in state.occupied()
            if cell.is_head and cell.module.scans and cell.position > 1
        )
        require(scanned <= self.shape.scenarios, "full", f"the sweep needs {scanned} rows of scenarios")
        totals = book_totals(state.cells, parameters, state.oracle_rows(), state.vectors)
        return Sweep(totals, unsettled(state.cells, parameters))

    def _checks(self) -> Checks | None:
        if not self.shape.samples:
            return None
        sizes = (self.shape.samples, self.shape.cells)
        return checks_of(self.seed, self.steps, self.old, *sizes, self.last_oracle[0].time)

    def _rows_scanned(self, step: Step) -> int:
        """Of the scenarios' table, by the portfolios among its legs."""
        changes = step.kind in RESCANNED
        rules = ((step.a, step.rule_a), (step.b, step.rule_b))
        groups = [(leg.group, rule) for leg, rule in rules if leg is not None and leg.group is not None]
        judged = [(len(group.cells) - 1, rule == "reducing") for group, rule in groups if group.is_portfolio]
        return sum(self._block(positions, changes, reducing) for positions, reducing in judged)

    def _block(self, positions: int, changes: bool = False, reducing: bool = False) -> int:
        portfolio = self.machine.context.parameters.portfolio
        return block_rows(positions, portfolio.scenarios, changes, reducing) if portfolio is not None else 0

    def _take(self, step: Step) -> None:
        self.state.write(step)
        self.steps.append(step)
        if step.queue is not None and step.a is not None:
            self.l1.append(l1_row(step, step.queue, step.a))
        for order in (fill.order for fill in step.fills):
            count, signature = self.orders.get(row_of(order), (0, order.signature))
            self.orders[row_of(order)] = count + 1, signature

    def _touched(self) -> set[int]:
        return {address for step in self.steps for address, _ in step.written}

    def _value(self, cell: int) -> int:
        return self.state.cells.get(cell, 0)


def l1_row(step: Step, queue: int, leg: Leg) -> L1Row:
    """The L1 operation that a step consumes: of an asset it says which one."""
    kind = L1_CODES[step.kind] + ASSET_UNIT * (leg.after.market if step.kind in ASSET_KINDS else 0)
    return L1Row(queue, kind, leg.address, step.amount, int(step.kind not in REFUSALS))


def build_batch(
    state: State, parameters: Parameters, shape: Shape, transactions: list[tuple[int, Transaction]], seed: int = 0
) -> Batch:
    """The batch of numbered transactions, those refused left out; Refused (code no-tick) when it has no tick. seed: of
    the sample, in a key with a cadence."""
    builder = BatchBuilder(state, parameters, shape, seed)
    for line, transaction in transactions:
        builder.add(transaction, line)
    return builder.finish()
