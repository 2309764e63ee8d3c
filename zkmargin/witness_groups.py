"""The witness of groups: what a leg says of its own, and the rows of the pass over the others."""

from dataclasses import asdict

from circuits.margin.cell import Cell
from circuits.margin.formulas import flag_name
from circuits.margin.leg import NOTIONAL_BITS, SIGN_BIAS
from circuits.margin.modules import CROSS, FUNDING_FRACTION, ISOLATED, PRICE_FRACTION
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.recorder import Recorder, Values
from zkmargin.state import RESCANNED, Base, Group, Leg, Step
from zkmargin.witness_scenarios import scan

SUMS = ("equity", "maintenance", "initial")
_ZEROS = (
    "head", "member", "own", "address", "offset", "time", "tick", "magnitude", "negative", "position", "market",
    "length", "last", "kind", "gap", "price", "oracle_index", "funding_dust", "notional", "open_tier", "lower", "upper",
    "maintenance_rate", "maintenance_deduction", "initial_rate", "initial_deduction",
    "due", "due_after", "index_written", "untiered", "beyond",
    *(f"{name}_sum" for name in SUMS), "portfolio", "scanned", "short",
)  # fmt: skip
_UNUSED: Values = dict.fromkeys(_ZEROS, 0) | dict.fromkeys(("collateral", "index", "settled"), SIGN_BIAS)


def unused_pass(recorder: Recorder) -> Values:
    """The values of a row that no pass takes."""
    return _UNUSED | flags_of(None, recorder)


def flags_of(head: Cell | None, recorder: Recorder) -> Values:
    """Which module of the venue's own judges the group of this head."""
    judge = None if head is None else head.module.id
    return {flag_name(module): int(module.id == judge) for module in recorder.parameters.modules}


def grouped(leg: Leg | None, place: int, step: Step, recorder: Recorder) -> Values:
    """The columns of the transitions table that only a key with groups has; records the pass, if the leg needs one, and
    of a portfolio what the scenarios do to it."""
    rest, worst, member, portfolio = dict.fromkeys((*SUMS, "beyond"), 0), (0, 0), False, False
    if leg is not None:
        member = leg.before.is_member or leg.after.is_member
        if leg.group is not None:
            portfolio = leg.group.is_portfolio
            rest = _pass(leg.group, leg.address, place, step.tick, leg.due or (0, 0), recorder)
        if leg.group is not None and portfolio:
            rule = step.rule_a if leg is step.a else step.rule_b
            worst = scan(leg.group, leg, place, step.tick, step.kind in RESCANNED, rule, recorder)
    head = next((cell for cell in (leg.before, leg.after) if cell.is_head), None) if leg is not None else None
    nothing = CROSS.id if recorder.parameters.modules else 0
    group = None if leg is None or leg.group is None else leg.group.cells[0]
    return flags_of(group, recorder) | {
        "member": int(member),
        "offset": max(leg.before.offset, leg.after.offset) if leg is not None and member else 0,
        "linked": int(leg is not None and leg.group is not None),
        "kind": 0 if leg is None else leg.before.kind_digit,
        "kind_after": 0 if leg is None else leg.after.kind_digit,
        **{f"rest_{name}": value for name, value in rest.items()},
        "module": nothing if head is None else head.module.id,
        "worst": worst[0],
        "worst_after": worst[1],
        "scanned": int(portfolio),
        "rescanned": int(portfolio and step.kind in RESCANNED),
        **_basket(step, leg),
        "short": 0 if leg is None else max(-leg.before.position, 0),
        "short_after": 0 if leg is None else max(-leg.after.position, 0),
    }


def _basket(step: Step, leg: Leg | None) -> Values:
    """What a victim is judged by, and on the first row behind one with more to come, that this was so."""
    victim = step.kind == "liquidate" and leg is step.b
    told = victim or step.continues
    base = step.base if told and step.base is not None else Base(0, 0, 0, 0)
    return {
        "more": int(step.more if victim else step.continues),
        "victim": int(victim),
        "closing": int(victim and not step.more),
        **{f"base_{name}": value for name, value in asdict(base).items()},
    }


def _pass(group: Group, own: int, place: int, tick: int, due: tuple[int, int], recorder: Recorder) -> Values:
    """Appends the rows of a pass to the record; the sums over all members but the leg's own. due: when the group is,
    before and after."""
    sums, portfolio, beyond = dict.fromkeys(SUMS, 0), group.is_portfolio, 0
    module = recorder.parameters.module(group.cells[0].module.id)
    unused = _UNUSED | flags_of(group.cells[0], recorder) | {"due": due[0], "due_after": due[1]}
    for offset, cell in enumerate(group.cells):
        address = group.head + offset
        row = unused | {"address": address, "offset": offset, "time": place + 1, "tick": tick, "kind": cell.kind}
        row |= {"length": len(group.cells), "last": int(offset == len(group.cells) - 1), "portfolio": int(portfolio)}
        row |= {"head": int(offset == 0), "member": int(offset > 0), "own": int(address == own)}
        if address != own:
            row |= {"collateral": cell.collateral + SIGN_BIAS, "magnitude": abs(cell.position)}
            row |= {"negative": int(cell.position < 0), "position": cell.position, "market": cell.market}
            row |= {"index": cell.index_digit + SIGN_BIAS, "gap": recorder.access(address, place)}
            row |= {"index_written": due[1] if not offset and recorder.parameters.cadence else cell.index}
            row |= {"short": max(-cell.position, 0)}
        if offset and address != own:
            listed = recorder.look_up(tick, cell.market)
            owed = cell.position * (listed.index - cell.index)
            pay = -(-owed >> FUNDING_FRACTION)
            settled, notional = cell.collateral - pay, abs(cell.position) * listed.price
            row |= {"price": listed.price, "oracle_index": listed.index, "notional": notional}
            row |= {"settled": settled + SIGN_BIAS, "funding_dust": (pay << FUNDING_FRACTION) - owed}
            row |= {"scanned": int(portfolio)}
            sums["equity"] += (settled << PRICE_FRACTION) + cell.position * listed.price
            if notional < NOTIONAL_LIMIT:
                lower, upper, *maintenance = recorder.maintenance(cell.market, notional, portfolio)
                (_, _, *initial), is_open = recorder.initial(cell.market, notional, portfolio)
                row |= {"lower": lower, "upper": upper, "open_tier": int(is_open)}
                for name, (rate, deduction) in (("maintenance", maintenance), ("initial", initial)):
                    row |= {f"{name}_rate": rate, f"{name}_deduction": deduction}
                    sums[name] += module.requirement(rate, deduction, notional, int(cell.position < 0))
            else:
                beyond = 1
                row |= {"untiered": 1, "lower": notional - NOTIONAL_LIMIT >> NOTIONAL_BITS}
        row |= {f"{name}_sum": value for name, value in sums.items()} | {"beyond": beyond}
        recorder.passes.append(row)
    return sums | {"beyond": beyond}


def required(values: Values, leg: Leg | None, recorder: Recorder) -> Values:
    """What the leg's cell requires before and after, in a key with modules of the venue's own; values: its row."""
    parameters = recorder.parameters
    if not parameters.modules:
        return {}
    group = None if leg is None else leg.group
    module = ISOLATED if group is None else parameters.module(group.cells[0].module.id)
    found = {}
    for when, sign in (("before", ""), ("after", "_after")):
        rate, deduction = values[f"tier_{when}_rate"], values[f"tier_{when}_deduction"]
        found[f"required_{when}"] = module.requirement(
            rate, deduction, values[f"notional{sign}"], values[f"negative{sign}"]
        )
    return found
