"""A batch with every kind of transition on members of groups, under cross and under portfolio margin, with options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from circuits.circuit import Circuit
from circuits.margin.cell import ACCOUNT, SYSTEM, Cell, head_kind, member_kind
from circuits.margin.circuit import margin_circuit
from circuits.margin.modules import CROSS, PORTFOLIO, Module
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.portfolio import Instrument, Option, Portfolio
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Statement
from circuits.margin.tiers import build_tiers
from tests.circuits.margin.paper import Paper
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.machine import Machine
from zkmargin.risk import deleverage_cash
from zkmargin.state import State
from zkmargin.transactions import (
    Cover,
    Deleverage,
    Deposit,
    Form,
    Join,
    Leave,
    Liquidate,
    Open,
    Settle,
    Taken,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)
from zkmargin.witness import build_assignment

FEE, INSURANCE = 0, 1
BTC, ETH, CALL, PUT = range(4)
P_BTC, P_ETH, P_CALL, P_PUT = 100 << 16, 10 << 16, 5 << 16, 2 << 16
CALL_EXPIRY, PUT_EXPIRY = 1 << 30, 5000
SCENARIOS = 16
STEPS = (-16, -14, -12, -10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 16)
SHAPE = Shape(64, 64, 8, True, groups=256, scenarios=2048)
CROSS_ONLY = Shape(64, 64, 8, True, groups=256)


def shocks(share: int) -> tuple[int, ...]:
    """Hundredths of the price, as far as `share` hundredths of them reach."""
    return tuple(step * share * 65536 // 10_000 for step in STEPS)


def parameters() -> Parameters:
    tiers = build_tiers([(0, 3277, 6554), (1 << 50, 6554, 13108)], 1 << 60)
    addons = build_tiers([(0, 66, 131), (1 << 50, 131, 262)], 1 << 60)
    call, put = Option(BTC, True, 110 << 16, CALL_EXPIRY, 6554), Option(ETH, False, 12 << 16, PUT_EXPIRY, 6554)
    instruments = (
        Instrument(shocks(100), addons, None),
        Instrument(shocks(80), addons, None),
        Instrument((), addons, call),
        Instrument((), addons, put),
    )
    markets = (
        Market("BTC", 1 << 24, tiers, P_BTC, 0),
        Market("ETH", 1 << 24, tiers, P_ETH, 0),
        Market("BTC-CALL-110", 0, tiers, P_CALL, 0),
        Market("ETH-PUT-12", 0, tiers, P_PUT, 0),
    )
    return Parameters(markets, FEE, INSURANCE, 3277, 1 << 14, 655, 3277, 1000, Portfolio(SCENARIOS, 81920, instruments))


CALLS = tuple(max(step * 65536 // 4, -P_CALL) for step in STEPS)
PUTS = tuple(max(-step * 65536 // 20, -P_PUT) for step in STEPS)


def group(head: int, module: Module, room: int, *members: tuple[int, int, int]) -> dict[int, Cell]:
    """A head and members of (collateral, position, market)."""
    cells = {head: Cell(room, 1 + len(members), 0, 0, head_kind(module))}
    for offset, (collateral, position, market) in enumerate(members, 1):
        cells[head + offset] = Cell(collateral, position, 0, market, member_kind(offset))
    return cells


CELLS = {
    FEE: Cell(100, kind=SYSTEM),
    INSURANCE: Cell(10_000, kind=SYSTEM),
    2: Cell(5_000_000, 0, 0, BTC, ACCOUNT),
    3: Cell(5_000_000, 0, 0, ETH, ACCOUNT),
    4: Cell(5_000_000, 0, 0, CALL, ACCOUNT),
    5: Cell(5_000_000, 0, 0, PUT, ACCOUNT),
    6: Cell(300_000, -2000, 0, BTC, ACCOUNT),
    **group(8, CROSS, 4, (50_000, 0, BTC), (40_000, -100, ETH)),
    **group(12, PORTFOLIO, 6, (60_000, 500, BTC), (-10_000, -400, ETH), (3000, -50, CALL), (500, 40, PUT)),
    **group(20, CROSS, 4, (-97_000, 1000, BTC), (-900, 100, ETH)),  # below maintenance
    **group(24, CROSS, 4, (-101_000, 1000, BTC), (10, 0, ETH)),  # bankrupt
    **group(28, PORTFOLIO, 4, (-90_000, 1000, BTC), (30, 0, CALL)),  # below maintenance
    **group(32, PORTFOLIO, 4, (-101_000, 1000, BTC), (10, 0, PUT)),  # bankrupt
    **group(36, CROSS, 4, (-93_000, 1000, BTC), (0, 0, ETH)),  # between maintenance and initial margin
    **group(40, PORTFOLIO, 4, (-83_000, 1000, BTC), (0, 0, CALL)),  # the same
}

CELLS |= group(56, PORTFOLIO, 4, (80_100, -800, BTC), (-100_000, 10_000, ETH))  # below maintenance, a perfect hedge
for _market in (BTC, ETH, CALL, PUT):  # the other side of every position
    _held = sum(cell.position for cell in CELLS.values() if cell.holds_money and cell.market == _market)
    CELLS[44 + _market] = Cell(5_000_000, -_held, 0, _market, ACCOUNT)


def first_tick() -> Tick:
    rows = ((P_BTC, 0), (P_ETH, 0), (P_CALL, 0), (P_PUT, 0))
    return Tick(1060, rows, ((), (), CALLS, PUTS))


def second_tick() -> Tick:
    """The put has expired, two in the money; funding has moved, so that members owe a fraction of a unit."""
    rows = ((P_BTC, 1 << 30), (P_ETH, -(1 << 29)), (P_CALL, 0), (P_PUT, 0))
    return Tick(6000, rows, ((), (), CALLS, ()))


def story_steps(machine: Machine, formed: tuple[str, str]) -> list[tuple[str, Transaction]]:
    """Named transactions, all of them valid one after the other. formed: the modules of the new groups."""
    first: list[tuple[str, Transaction]] = [
        ("", first_tick()),
        ("form", Form(48, 4, 0, formed[0])),
        ("form_portfolio", Form(52, 4, 1, formed[1])),
        ("join", Join(48, BTC)),
        ("join_portfolio", Join(52, CALL)),
        ("join_again", Join(48, ETH)),
        ("leave", Leave(48)),
        ("open", Open(60, BTC, 2)),
        ("deposit", Deposit(9, 500, 3)),
        ("withdraw", Withdraw(9, 200, 4)),
        ("withdraw_portfolio", Withdraw(13, 300, 5)),
        ("refuse", Withdraw(9, 10_000_000, 6)),
        ("refuse_portfolio", Withdraw(13, 10_000_000, 7)),
        ("touch", Touch(10)),
        ("transfer", Transfer(9, 2, 25)),
        ("transfer_portfolio", Transfer(13, 9, 25)),
        ("trade", Trade(9, 2, 100, 1, 10_000, 3, 4)),
        ("trade_portfolio", Trade(15, 4, 20, -1, -100, 0, 0)),
        ("trade_groups", Trade(9, 13, 50, 1, 5_000, 1, 1)),
        ("reduce", Trade(37, 2, 100, -1, -10_000, 0, 0)),
        ("reduce_portfolio", Trade(41, 2, 100, -1, -10_000, 0, 0)),
        ("liquidate", Liquidate(2, 21, 500, 50_000, 0)),
        ("liquidate_portfolio", Liquidate(2, 29, 500, 50_000, 0)),
    ]
    if machine.state.vectors:
        first.append(("basket", Liquidate(2, 57, 400, -40_000, 0, then=(Taken(45, 58, 5000, 50_000, 0),))))
    bankrupt = [machine.context.judged(address) for address in (25, 33)] if machine.state.vectors else []
    for name, account in zip(("deleverage", "deleverage_portfolio"), bankrupt, strict=False):
        first.append((name, Deleverage(6, account.address, 500, deleverage_cash(account, 500))))
    return [
        *first,
        ("cover", Cover(26, 100)),
        ("cover_portfolio", Cover(34, 100)),
        ("", second_tick()),
        ("settle", Settle(16)),
        ("touch_funded", Touch(10)),
        ("trade_funded", Trade(13, 2, 10, 1, 1_000, 0, 0)),
        ("touch_portfolio", Touch(14)),
    ]


@dataclass(frozen=True)
class Story:
    """A batch with its circuit, and the place of each named step."""

    circuit: Circuit
    statement: Statement
    batch: Batch
    places: dict[str, int]
    paper: Paper


def judged_by(modules: Mapping[int, Module]) -> dict[int, Cell]:
    """The cells, with heads that state other modules."""
    return CELLS | {head: replace(CELLS[head], kind=head_kind(module)) for head, module in modules.items()}


@lru_cache(maxsize=2)
def tell(sweep: bool = False) -> Story:
    """The story; sweep: its batch ends with the solvency of the book."""
    return told(parameters(), CELLS, sweep, ("cross", "portfolio"))


def told(
    rules: Parameters,
    cells: Mapping[int, Cell],
    sweep: bool,
    formed: tuple[str, str],
    samples: int = 0,
    more: Sequence[tuple[str, Transaction]] = (),
) -> Story:
    """The story under these parameters, over these cells, with a sample of so many and more steps at its end."""
    shape = replace(SHAPE, sweep=sweep, samples=samples)
    state = State.genesis(rules)
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in cells.items()}
    builder = BatchBuilder(state, rules, shape)
    machine = Machine(State.genesis(rules), rules, SHAPE.cells, SHAPE.groups, SHAPE.scenarios)
    machine.state.cells = dict(state.cells)
    machine.apply(first_tick())
    places = {}
    for name, transaction in (*story_steps(machine, formed), *more):
        refusal = builder.add(transaction)
        assert refusal is None, f"{name} {transaction}: {refusal}"
        places[name] = len(builder.steps) - 1
    batch = builder.finish()
    places["collect"] = SHAPE.transitions - 1
    lists = batch.last_oracle, batch.ticks, 0, batch.l1, tuple(batch.diff.items())
    told = {"scenarios": batch.scenarios, "sweep": batch.sweep, "checks": batch.checks}
    statement = Statement(1, None, None, *lists, **told)  # type: ignore[arg-type]
    circuit = margin_circuit(rules, shape)
    assignment = build_assignment(circuit, rules, statement, batch.steps, batch.old, batch.new)
    paper = Paper(circuit, assignment, public_scalars(statement), public_terms(statement))
    return Story(circuit, statement, batch, places, paper)
