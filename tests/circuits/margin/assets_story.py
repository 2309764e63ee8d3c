"""A batch with collateral assets: supplied, borrowed against, traded, liquidated and redeemed, under every module."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from circuits.circuit import Circuit
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.portfolio import Instrument, Portfolio
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Statement
from circuits.margin.tiers import build_tiers
from tests.circuits.margin.paper import Paper
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.state import State, Step
from zkmargin.transactions import (
    Deposit,
    Form,
    Join,
    Liquidate,
    Open,
    Redeem,
    Supply,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)
from zkmargin.witness import build_assignment

FEE, INSURANCE = 0, 1
BTC, ETH, SOL = range(3)
P_BTC, P_ETH, P_SOL = 100 << 16, 10 << 16, 1 << 16
ETH_CAP, SOL_CAP = 20_000, 60_000
SHAPE = Shape(64, 32, 8, True, groups=128, scenarios=256)
HEAD, PERP, ETHER, SOLANA = 8, 9, 10, 11  # a cross account
PORTFOLIO, HEDGED, HEDGE = 16, 17, 18
MAKER, KEEPER, DEBTOR = 2, 3, 4  # a perpetual's other side; who takes assets and who owes, isolated accounts of one


def parameters(caps: bool = True) -> Parameters:
    """caps: without, the same markets are perpetuals."""
    perpetual = build_tiers([(0, 3277, 6554)], 1 << 60)
    # A tenth of the first 80,000 counts for nothing and a quarter of what is beyond; initially a fifth and a half
    haircut = build_tiers([(0, 6554, 13107), (80_000 << 16, 16384, 32768)], 1 << 50)
    addons = build_tiers([(0, 66, 131)], 1 << 60)
    markets = (
        Market("BTC-PERP", 1 << 24, perpetual, P_BTC, 0),
        Market("ETH", 0, haircut, P_ETH, 0, ETH_CAP if caps else None),
        Market("SOL", 0, haircut, P_SOL, 0, SOL_CAP if caps else None),
    )
    instruments = tuple(Instrument((-6554 * scale, 6554 * scale), addons, None) for scale in (1, 2, 3))
    return Parameters(markets, FEE, INSURANCE, 3277, 1 << 14, 655, 3277, 1000, Portfolio(2, 81920, instruments))


PARAMETERS = parameters()
FIRST = Tick(1060, ((P_BTC, 0), (P_ETH, 0), (P_SOL, 0)), ((), (), ()))
SECOND = Tick(1120, ((P_BTC, 1 << 28), (P_ETH * 3 // 4, 0), (P_SOL, 0)), ((), (), ()))

STEPS: dict[str, Transaction] = {
    "first tick": FIRST,
    "open": Open(MAKER, BTC, 0),
    "open_keeper": Open(KEEPER, ETH, 1),
    "deposit": Deposit(MAKER, 1_000_000, 2),
    "deposit_keeper": Deposit(KEEPER, 1_000_000, 3),
    "form": Form(HEAD, 4, 4),
    "join": Join(HEAD, BTC),
    "join_ether": Join(HEAD, ETH),
    "join_solana": Join(HEAD, SOL),
    "supply": Supply(ETHER, ETH, 10_000, 5),
    "supply_solana": Supply(SOLANA, SOL, 50_000, 6),
    "supply_alone": Supply(KEEPER, ETH, 500, 7),
    "trade_perpetual": Trade(PERP, MAKER, 100, 1, 10_000, 0, 0),
    "trade": Trade(ETHER, KEEPER, 200, 1, 2_000, 3, 4),
    "sell_out": Trade(KEEPER, ETHER, 300, -1, -3_000, 0, 0),
    "reduce": Trade(KEEPER, ETHER, 400, 1, 4_000, 0, 0),
    "withdraw": Withdraw(ETHER, 112_497, 8),  # all that the haircuts leave: the debt is in the quote
    "withdraw_refused": Withdraw(PERP, 1, 9),
    "redeem_refused": Redeem(SOLANA, SOL, 10, 10),
    "redeem_overdrawn": Redeem(SOLANA, SOL, 50_001, 11),
    "form_portfolio": Form(PORTFOLIO, 3, 12, "portfolio"),
    "join_hedged": Join(PORTFOLIO, ETH),
    "join_hedge": Join(PORTFOLIO, BTC),
    "supply_portfolio": Supply(HEDGED, ETH, 1_000, 13),
    "hedge": Trade(HEDGE, MAKER, 50, -1, -5_000, 0, 0),
    "redeem_portfolio": Redeem(HEDGED, ETH, 100, 14),
    "borrow_portfolio": Withdraw(HEDGE, 5_000, 15),
    "refuse_portfolio": Redeem(HEDGED, ETH, 890, 16),
    "overdrawn_portfolio": Redeem(HEDGED, ETH, 901, 17),
    "open_debtor": Open(DEBTOR, ETH, 18),
    "supply_debtor": Supply(DEBTOR, ETH, 100, 19),
    "borrow": Withdraw(DEBTOR, 790, 20),
    "second tick": SECOND,
    "liquidate": Liquidate(KEEPER, ETHER, 5_000, 37_000, 50),
    "closeout": Liquidate(KEEPER, DEBTOR, 100, 750, 0),  # it owes 40 more than it has
    "transfer": Transfer(KEEPER, SOLANA, 50_000),
    "redeem": Redeem(SOLANA, SOL, 10_000, 21),
    "redeem_alone": Redeem(KEEPER, ETH, 5_500, 22),
    "touch": Touch(ETHER),
}


@dataclass(frozen=True)
class Story:
    """places: of the named steps; paper: the honest columns."""

    circuit: Circuit
    statement: Statement
    batch: Batch
    places: dict[str, int]
    paper: Paper


def builder(shape: Shape = SHAPE) -> BatchBuilder:
    return BatchBuilder(State.genesis(PARAMETERS), PARAMETERS, shape)


def until(name: str, shape: Shape = SHAPE) -> BatchBuilder:
    """The story's batch before the named step."""
    made = builder(shape)
    for step, transaction in STEPS.items():
        if step == name:
            return made
        assert (refusal := made.add(transaction)) is None, f"{step}: {refusal}"
    raise KeyError(name)


@cache
def tell(sweep: bool = False) -> Story:
    """The story; sweep: its batch ends with the solvency of the book."""
    shape = replace(SHAPE, sweep=sweep)
    made, places = builder(shape), {}
    for name, transaction in STEPS.items():
        assert (refusal := made.add(transaction)) is None, f"{name}: {refusal}"
        places[name] = len(made.steps) - 1
    batch = made.finish()
    statement = stated(batch)
    return Story(margin_circuit(PARAMETERS, shape), statement, batch, places, paper_of(batch, statement, shape))


def stated(batch: Batch) -> Statement:
    lists = batch.last_oracle, batch.ticks, batch.next_queue, batch.l1, tuple(batch.diff.items())
    told = {"scenarios": batch.scenarios, "sweep": batch.sweep, "supplied": batch.supplied}
    return Statement(batch.number, None, None, *lists, **told)  # type: ignore[arg-type]


def paper_of(batch: Batch, statement: Statement, shape: Shape = SHAPE) -> Paper:
    circuit = margin_circuit(PARAMETERS, shape)
    assignment = build_assignment(circuit, PARAMETERS, statement, batch.steps, batch.old, batch.new)
    return Paper(circuit, assignment, public_scalars(statement), public_terms(statement))


def taken(made: BatchBuilder, steps: Sequence[Step]) -> Batch:
    """The batch with these steps behind its own, whoever made them."""
    for step in steps:
        made.row_tick = step.tick
        made._take(step)
    return made.finish()
