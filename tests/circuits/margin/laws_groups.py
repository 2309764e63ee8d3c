"""A tamper for every law that groups, portfolios and options add to the circuit, with all the laws that it breaks."""

from collections.abc import Callable

from circuits.field import MODULUS, inverse
from circuits.margin.modules import taken
from tests.circuits.margin.groups_story import SCENARIOS, tell
from tests.circuits.margin.paper import Paper

Tamper = Callable[[Paper], object]
GROUP_TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}
HALF = inverse(2)
G, S, T = "groups", "scenarios", "transitions"
SUMS = tuple(f"scenarios.sum_{i}" for i in range(SCENARIOS + 1))
BASES = tuple(f"transitions.base_{name}" for name in ("equity", "maintenance", "worst", "group"))
ALSO: dict[str, tuple[str, ...]] = {
    "bus.own": (
        "bus.memory",
        "bus.sums",
    ),
    "groups.above": ("bus.tier",),
    "groups.address_follows": ("bus.own",),
    "groups.below": ("bus.tier",),
    "groups.follows": (
        "bus.memory",
        "bus.oracle",
        "bus.tier",
        "groups.address_follows",
        "groups.below",
        "groups.kind",
        "groups.last",
        "groups.offset_follows",
    ),
    "groups.head_boolean": (
        "bus.memory",
        "groups.kind",
        "groups.last",
    ),
    "groups.head_length": ("groups.whole_group",),
    "groups.head_offset": (
        "bus.own",
        "bus.sums",
        "groups.kind",
        "groups.whole_group",
    ),
    "groups.last": ("bus.sums",),
    "groups.last_boolean": (
        "bus.sums",
        "groups.last",
        "groups.whole_group",
    ),
    "groups.member_boolean": (
        "bus.memory",
        "bus.oracle",
        "bus.tier",
        "groups.address_follows",
        "groups.below",
        "groups.follows",
        "groups.kind",
        "groups.last",
        "groups.offset_follows",
    ),
    "groups.offset_follows": (
        "bus.own",
        "groups.kind",
    ),
    "groups.one_role": (
        "bus.memory",
        "groups.follows",
        "groups.head_length",
        "groups.head_offset",
        "groups.kind",
    ),
    "groups.own_boolean": (
        "bus.memory",
        "bus.oracle",
        "bus.own",
        "bus.tier",
        "groups.below",
        "groups.own_member",
    ),
    "groups.own_member": (
        "bus.memory",
        "bus.oracle",
        "bus.own",
        "bus.tier",
        "groups.funding",
    ),
    "groups.portfolio_follows": (
        "bus.sums",
        "bus.tier",
        "groups.scanned",
    ),
    "groups.scanned": ("bus.position",),
    "groups.time_follows": ("bus.own",),
    "groups.whole_group": (
        "bus.memory",
        "bus.sums",
        "groups.equity_sum",
        "groups.initial_sum",
        "groups.kind",
        "groups.maintenance_sum",
    ),
    "scenarios.change_boolean": (
        "bus.change",
        "bus.vector",
        "scenarios.changed",
        "scenarios.goes_on",
        "scenarios.last",
        "scenarios.one_role",
    ),
    "scenarios.ends_turned": (
        "bus.position",
        "bus.vector",
        "bus.worst",
    ),
    "scenarios.goes_on": (
        "scenarios.found_one",
        "scenarios.last",
        "scenarios.whole_turn",
    ),
    "scenarios.last": ("bus.worst",),
    "scenarios.last_boolean": (
        "bus.worst",
        "scenarios.ends_turned",
        "scenarios.last",
    ),
    "scenarios.one_change": (
        "bus.change",
        "bus.vector",
        "scenarios.changed",
        "scenarios.found",
        "scenarios.judged",
        "scenarios.turn_begins",
        "scenarios.whole_turn",
        *SUMS,
    ),
    "scenarios.one_role": (
        "scenarios.found_one",
        "scenarios.goes_on",
        "scenarios.group_same",
        "scenarios.slack",
        "scenarios.tick_same",
        "scenarios.time_same",
        "scenarios.whole_turn",
    ),
    "scenarios.position_boolean": (
        "bus.position",
        "bus.vector",
        "scenarios.goes_on",
        "scenarios.last",
        "scenarios.one_role",
        "scenarios.positions_first",
    ),
    "scenarios.positions_first": (
        "bus.change",
        "bus.position",
        "bus.worst",
    ),
    "scenarios.start_adds": (
        "scenarios.goes_on",
        "scenarios.positions_first",
    ),
    "scenarios.start_boolean": (
        "scenarios.goes_on",
        "scenarios.positions_first",
        "scenarios.start_adds",
    ),
    "scenarios.turn_begins": ("scenarios.whole_turn",),
    "scenarios.turn_boolean": (
        "scenarios.found_one",
        "scenarios.goes_on",
        "scenarios.last",
        "scenarios.one_role",
        "scenarios.whole_turn",
    ),
    "scenarios.twin_boolean": (
        "bus.position",
        "bus.vector",
        "scenarios.twin_position",
    ),
    "scenarios.twin_position": (
        "bus.position",
        "bus.vector",
    ),
    "scenarios.whole_turn": ("scenarios.turn_begins",),
    "transitions.form_boolean": (
        "bus.l1",
        "bus.memory",
        "transitions.form_room",
        "transitions.kind_after",
        "transitions.margin",
        "transitions.module",
        "transitions.one_kind",
        "transitions.position_moves",
        "transitions.queue_next",
    ),
    "transitions.form_room": ("bus.l1",),
    "transitions.join_boolean": (
        "bus.memory",
        "bus.oracle",
        "transitions.join_pair",
        "transitions.kind",
        "transitions.kind_after",
        "transitions.market_change",
        "transitions.moved_member",
        "transitions.one_kind",
    ),
    "transitions.join_pair": (
        "bus.memory",
        "transitions.kind",
        "transitions.kind_after",
        "transitions.position_moves",
    ),
    "transitions.join_place": (
        "transitions.kind_after",
        "transitions.moved_head",
    ),
    "transitions.leave_boolean": (
        "bus.memory",
        "transitions.kind",
        "transitions.kind_after",
        "transitions.leave_pair",
        "transitions.moved_member",
        "transitions.one_kind",
    ),
    "transitions.leave_pair": (
        "bus.memory",
        "transitions.kind",
        "transitions.kind_after",
        "transitions.position_moves",
    ),
    "transitions.leave_place": (
        "transitions.kind",
        "transitions.moved_head",
    ),
    "transitions.linked": (
        "bus.own",
        "bus.sums",
        "transitions.rest_equity",
        "transitions.rest_initial",
        "transitions.rest_maintenance",
    ),
    "transitions.member_boolean": (
        "transitions.kind",
        "transitions.kind_after",
        "transitions.member_kind",
    ),
    "transitions.member_kind": (
        "transitions.kind",
        "transitions.kind_after",
    ),
    "transitions.module": (
        "transitions.form_room",
        "transitions.kind_after",
    ),
    "transitions.moved_head": ("bus.memory",),
    "transitions.moved_member": (
        "transitions.kind",
        "transitions.kind_after",
    ),
    "groups.untiered_boolean": (
        "bus.tier",
        "groups.above",
        "groups.below",
        "groups.untiered_counted",
    ),
    "groups.untiered_counted": (
        "bus.tier",
        "groups.above",
    ),
    "transitions.beyond_refused": (
        "groups.above",
        "groups.initial_sum",
        "groups.maintenance_sum",
    ),
    "transitions.rest_beyond": ("transitions.beyond_refused",),
    "transitions.victim": ("transitions.closing",),
    "transitions.more_boolean": (
        *BASES,
        "transitions.margin",
        "transitions.relief",
    ),
    "transitions.more_victim": (
        "transitions.more_liquidates",
        "transitions.more_portfolio",
        "transitions.one_portfolio",
    ),
    "transitions.more_portfolio": (
        *BASES,
        "transitions.one_portfolio",
    ),
    "transitions.more_goes_on": (
        "transitions.base_maintenance",
        "transitions.base_worst",
    ),
    "transitions.more_liquidates": (
        "transitions.more_portfolio",
        "transitions.one_portfolio",
    ),
    "transitions.more_tick": (
        "bus.oracle",
        "transitions.tick_step",
    ),
    "transitions.more_ends": (
        "transitions.more_liquidates",
        "transitions.more_portfolio",
        "transitions.more_tick",
        "transitions.more_victim",
    ),
    "transitions.one_portfolio": ("transitions.base_group",),
    "transitions.relief": (
        "bus.worst",
        "transitions.margin",
    ),
    "transitions.rescanned": ("bus.change",),
    "transitions.scanned": (
        "bus.position",
        "bus.worst",
    ),
    "transitions.scanned_boolean": (
        "bus.position",
        "bus.worst",
        "transitions.scanned",
    ),
    "transitions.settle_boolean": (
        "bus.expired",
        "bus.memory",
        "bus.oracle",
        "transitions.kind",
        "transitions.kind_after",
        "transitions.one_kind",
    ),
    "transitions.settlement": ("bus.memory",),
    "transitions.settles_no_funding": (
        "bus.memory",
        "transitions.funding",
    ),
}
"""What a tamper cannot help breaking beside its law, where there is such."""
FIRST_TURN, LAST_TURN = 2, 18  # rows of the block of `withdraw_portfolio`, behind four positions
FREE_PASS, FREE_SCAN, PAD = 200, 1500, 2 * 40  # rows that nothing uses


def breaks(name: str) -> Callable[[Tamper], Tamper]:
    """Registers a tamper for a law."""

    def register(tamper: Tamper) -> Tamper:
        assert name not in GROUP_TAMPERS, name
        GROUP_TAMPERS[name] = tamper, frozenset((name, *ALSO.get(name, ())))
        return tamper

    return register


def add(name: str, tamper: Tamper) -> None:
    breaks(name)(tamper)


def leg(step: str, second: int = 0) -> int:
    """The row of a leg of a named step."""
    return 2 * tell().places[step] + second


def rows_of(table: str, step: str) -> list[int]:
    """The rows of a step's pass, or of its block of scenarios, in their order."""
    paper, time = tell().paper, tell().places[step] + 1
    used = ("head", "member") if table == G else ("position", "turn", "change")
    columns = [paper.columns[table][name] for name in used]
    found = zip(paper.columns[table]["time"], *columns, strict=True)
    return [row for row, (at, *roles) in enumerate(found) if at == time and any(roles)]


def a_pass(place: int, step: str = "withdraw") -> int:
    return rows_of(G, step)[place]


def a_scan(place: int, step: str = "withdraw_portfolio") -> int:
    return rows_of(S, step)[place]


def follow_sums(paper: Paper, **more: int) -> None:
    """The leg is told other sums than those of the pass."""
    paper.add(G, a_pass(2), **{f"{name}_sum": value for name, value in more.items()})
    paper.add(T, leg("withdraw"), **{f"rest_{name}": value for name, value in more.items()})


def follow_worst(paper: Paper, more: int) -> None:
    """Another worst scenario, in the block and in the leg."""
    for row in range(a_scan(FIRST_TURN), a_scan(LAST_TURN) + 1):
        paper.add(S, row, worst=more, before=more)
    paper.add(T, leg("withdraw_portfolio"), worst=more, worst_after=more)


def rescan(paper: Paper, step: str, second: int = 0) -> None:
    """The sums, the worst of each turn, and what the leg is told follow from the positions and vectors in a block."""
    block, sums, turned = rows_of(S, step), [0] * (SCENARIOS + 1), False
    worst = before = found = 0
    for row in block:
        turns = bool(paper.read(S, row, "turn"))
        if not turns:
            worst = 0
            for twin in ("", "_twin"):
                sums = [a + b for a, b in zip(sums, taken_by(paper, row, twin), strict=True)]
        elif not turned:
            worst, found = max(sums), 0
        sums = [*sums[1:], sums[0]] if turns else sums
        hit = int(turns and not found and sums[-1] == worst)
        found = found | hit if turns else 0
        before = before if paper.read(S, row, "changed") else worst
        more = {f"sum_{i}": value for i, value in enumerate(sums)}
        paper.write(S, row, worst=worst, before=before, hit=hit, found=found, **more)
        turned = turns
    paper.write(T, leg(step, second), worst=before, worst_after=worst)


def taken_by(paper: Paper, row: int, twin: str) -> list[int]:
    """What the scenarios take from a position of a row."""
    size, short = (_signed(paper.read(S, row, f"{name}{twin}")) for name in ("size", "short"))
    return taken(size, short, [_signed(paper.read(S, row, f"vector{twin}_{i}")) for i in range(SCENARIOS + 1)])


def _signed(value: int) -> int:
    return value - MODULUS if value > MODULUS // 2 else value


for name in ("portfolio", "open_tier", "negative"):
    add(f"groups.{name}_boolean", lambda p, n=name: p.write(G, FREE_PASS, **{n: HALF}))
add("groups.head_boolean", lambda p: p.write(G, FREE_PASS, head=HALF))
add("groups.member_boolean", lambda p: p.write(G, FREE_PASS, member=HALF))
add("groups.own_boolean", lambda p: p.write(G, FREE_PASS, own=HALF))
add("groups.last_boolean", lambda p: p.write(G, FREE_PASS, last=HALF))
for name in ("equity", "maintenance", "initial"):
    add(f"groups.{name}_sum", lambda p, n=name: follow_sums(p, **{n: 1}))
for name in ("address", "offset", "time", "tick", "length"):
    add(f"groups.{name}_follows", lambda p, n=name: p.add(G, a_pass(1), **{n: 1}))
add("groups.kind", lambda p: p.add(G, FREE_PASS, kind=1))
add("groups.position", lambda p: p.add(G, FREE_PASS, position=1))
add("groups.notional", lambda p: p.add(G, FREE_PASS, notional=1))
add("groups.short", lambda p: p.add(G, FREE_PASS, short=1))


@breaks("groups.one_role")
def a_member_that_is_a_head_as_well(p: Paper) -> None:
    p.write(G, a_pass(1), head=1)


@breaks("groups.own_member")
def a_head_that_nobody_reads(p: Paper) -> None:
    """Its length would be anything."""
    p.write(G, a_pass(0), own=1)


@breaks("groups.follows")
def a_member_of_no_group(p: Paper) -> None:
    p.write(G, FREE_PASS, member=1)


@breaks("groups.head_offset")
def a_group_that_begins_later(p: Paper) -> None:
    for place in range(3):
        p.add(G, a_pass(place), offset=1)


@breaks("groups.head_length")
def a_group_that_is_said_to_be_longer(p: Paper) -> None:
    for place in range(3):
        p.add(G, a_pass(place), length=1)


@breaks("groups.whole_group")
def the_last_member_left_out(p: Paper) -> None:
    """Whatever it owes."""
    p.write(G, a_pass(2), member=0, last=0)
    p.write(G, a_pass(1), last=1)


@breaks("groups.last")
def a_pass_without_an_end(p: Paper) -> None:
    p.write(G, a_pass(2), last=0)


@breaks("groups.funding")
def a_member_that_owes_no_funding(p: Paper) -> None:
    p.add(G, a_pass(2), settled=1)
    follow_sums(p, equity=1 << 16)


@breaks("groups.above")
def a_tier_above_the_notional(p: Paper) -> None:
    p.add(G, a_pass(2), lower=1 << 50)


@breaks("groups.below")
def a_tier_below_the_notional(p: Paper) -> None:
    p.write(G, a_pass(2), upper=1)


add("groups.beyond", lambda p: p.add(G, FREE_PASS, beyond=1))
add("transitions.rest_beyond", lambda p: p.write(T, PAD, rest_beyond=1))


@breaks("groups.untiered_boolean")
def half_of_a_member_without_a_tier(p: Paper) -> None:
    p.write(G, FREE_PASS, untiered=HALF, beyond=HALF)


@breaks("groups.untiered_counted")
def a_cell_of_no_group_without_a_tier(p: Paper) -> None:
    p.write(G, FREE_PASS, untiered=1, beyond=1)


@breaks("transitions.beyond_refused")
def a_withdrawal_from_a_group_beyond_the_tiers(p: Paper) -> None:
    """Of a member that is said to have no tier."""
    p.write(G, a_pass(2), untiered=1, beyond=1)
    p.write(T, leg("withdraw"), rest_beyond=1)


@breaks("groups.scanned")
def a_cross_group_before_the_scenarios(p: Paper) -> None:
    p.write(G, a_pass(2), scanned=1)


@breaks("groups.portfolio_follows")
def a_member_judged_by_another_module(p: Paper) -> None:
    p.write(G, a_pass(2), portfolio=1)


for name in ("position", "twin", "change", "turn", "start", "last", "hit"):
    add(f"scenarios.{name}_boolean", lambda p, n=name: p.write(S, FREE_SCAN, **{n: HALF}))
for name in ("time", "group", "tick"):
    add(f"scenarios.{name}_same", lambda p, n=name: p.add(S, a_scan(6), **{n: 1}))
for entry in range(SCENARIOS + 1):
    add(f"scenarios.sum_{entry}", lambda p, n=entry: p.add(S, FREE_SCAN, **{f"sum_{n}": 1}))
for name in ("changed", "judged", "found", "before"):
    add(f"scenarios.{name}", lambda p, n=name: p.add(S, FREE_SCAN, **{n: 1}))
add("scenarios.turn_goes_on", lambda p: p.add(S, a_scan(9), entry=1))
add("scenarios.same_worst", lambda p: p.add(S, a_scan(10), worst=1, before=1))


@breaks("scenarios.one_role")
def a_position_that_turns_the_register(p: Paper) -> None:
    p.write(S, a_scan(0), turn=1)


@breaks("scenarios.start_adds")
def a_block_that_begins_with_nothing(p: Paper) -> None:
    p.write(S, FREE_SCAN, start=1)


@breaks("scenarios.goes_on")
def a_turn_of_no_block(p: Paper) -> None:
    p.write(S, FREE_SCAN, turn=1)


@breaks("scenarios.turn_begins")
def a_turn_that_leaves_out_its_first_scenario(p: Paper) -> None:
    for place in range(FIRST_TURN, LAST_TURN + 1):
        p.add(S, a_scan(place), entry=1)


@breaks("scenarios.whole_turn")
def a_turn_that_ends_before_the_last_scenario(p: Paper) -> None:
    for place in range(FIRST_TURN, LAST_TURN + 1):
        p.add(S, a_scan(place), entry=-1)


@breaks("scenarios.twin_position")
def a_twin_of_a_change(p: Paper) -> None:
    """A second position that is added when it is too late to be judged by what was before."""
    p.write(S, rows_of(S, "trade_portfolio")[2], twin=1)


@breaks("scenarios.positions_first")
def a_position_after_the_turn(p: Paper) -> None:
    """It takes part in what is judged after the trade alone."""
    rows = rows_of(S, "reduce_portfolio")[18:]
    p.write(S, rows[0], position=1, change=0)
    for row in rows:
        p.write(S, row, changed=0, judged=0, before=p.read(S, row, "worst"))


@breaks("scenarios.one_change")
def two_changes(p: Paper) -> None:
    p.write(S, a_scan(30, "reduce_portfolio"), turn=0, change=1)


@breaks("scenarios.last")
def a_block_without_an_end(p: Paper) -> None:
    p.write(S, a_scan(LAST_TURN), last=0)


@breaks("scenarios.ends_turned")
def a_block_that_judges_nothing(p: Paper) -> None:
    p.write(S, FREE_SCAN, position=1, start=1, last=1)


@breaks("scenarios.slack")
def the_second_worst_scenario(p: Paper) -> None:
    """One sum is beyond what is said to be the worst."""
    rows = range(a_scan(FIRST_TURN), a_scan(LAST_TURN) + 1)
    judged = [p.read(S, row, "sum_16") for row in rows]
    signed = [value - MODULUS if value > MODULUS // 2 else value for value in judged]
    worst, second = sorted(set(signed), reverse=True)[:2]
    follow_worst(p, second - worst)
    for row, value in zip(rows, signed, strict=True):
        p.write(S, row, hit=int(value == second), found=int(second in signed[: row - rows[0] + 1]))


@breaks("scenarios.hit")
def worse_than_any_scenario(p: Paper) -> None:
    """Who is to be refused, or liquidated."""
    follow_worst(p, 1)


@breaks("scenarios.found_one")
def no_scenario_is_the_worst(p: Paper) -> None:
    follow_worst(p, 1)
    for row in range(a_scan(FIRST_TURN), a_scan(LAST_TURN) + 1):
        p.write(S, row, hit=0, found=0)


for name in ("form", "join", "leave", "settle", "member", "scanned"):
    add(f"transitions.{name}_boolean", lambda p, n=name: p.write(T, PAD, **{n: HALF}))
for name in ("kind", "kind_after", "short", "short_after", "rest_equity", "rest_maintenance", "rest_initial"):
    add(f"transitions.{name}", lambda p, n=name: p.add(T, PAD, **{n: 1}))
for name, column in (("unscanned", "worst"), ("unscanned_after", "worst_after"), ("rescanned", "rescanned")):
    add(f"transitions.{name}", lambda p, n=column: p.add(T, PAD, **{n: 1}))
add("transitions.scanned", lambda p: p.write(T, PAD, scanned=1))


@breaks("transitions.join_pair")
def a_member_that_its_head_does_not_count(p: Paper) -> None:
    p.write(T, leg("join", 1), join=0)


@breaks("transitions.leave_pair")
def a_head_that_counts_who_has_left(p: Paper) -> None:
    p.write(T, leg("leave", 1), leave=0)


@breaks("transitions.form_room")
def more_room_than_was_asked_for(p: Paper) -> None:
    p.add(T, leg("form"), amount=1)


@breaks("transitions.module")
def a_module_that_is_none(p: Paper) -> None:
    p.write(T, leg("form"), module=3)


@breaks("transitions.join_place")
def a_member_farther_behind(p: Paper) -> None:
    p.add(T, leg("join"), offset=1)


@breaks("transitions.leave_place")
def another_than_the_last_leaves(p: Paper) -> None:
    p.add(T, leg("leave"), offset=1)


@breaks("transitions.moved_head")
def a_member_of_another_head(p: Paper) -> None:
    p.add(T, leg("join"), address=1)


@breaks("transitions.moved_member")
def an_account_joins_as_an_account(p: Paper) -> None:
    p.write(T, leg("join"), member=0)


@breaks("transitions.member_kind")
def a_member_that_is_opened_alone(p: Paper) -> None:
    p.write(T, leg("open"), member=1)


@breaks("transitions.linked")
def a_member_judged_alone(p: Paper) -> None:
    p.write(T, leg("withdraw"), linked=0)


@breaks("transitions.relief")
def a_worse_scenario_after_reducing(p: Paper) -> None:
    p.add(T, leg("reduce_portfolio"), worst=-(1 << 40))


def basket(pair: int, second: int = 0) -> int:
    """A row of the liquidation of a hedge: of its first pair of rows, or its second."""
    return leg("basket", second) - 2 * (1 - pair)


for name, column in (("victim", "victim"), ("closing", "closing")):
    add(f"transitions.{name}", lambda p, n=column: p.add(T, PAD, **{n: 1}))


@breaks("transitions.more_boolean")
def half_of_more(p: Paper) -> None:
    p.write(T, basket(0, 1), more=HALF, closing=HALF)
    p.write(T, basket(1), more=HALF)


@breaks("transitions.more_victim")
def a_trade_with_more_to_come(p: Paper) -> None:
    """Nobody asks its rule by then."""
    row = leg("trade_groups", 1)
    p.write(T, row, more=1)
    p.write(T, row + 1, more=1)


@breaks("transitions.more_portfolio")
def a_group_under_cross_margin_with_more_to_come(p: Paper) -> None:
    p.write(T, leg("liquidate", 1), more=1, closing=0)
    p.write(T, leg("liquidate", 1) + 1, more=1)


@breaks("transitions.more_goes_on")
def a_basket_that_is_forgotten(p: Paper) -> None:
    """Its last part is judged by what the first has left."""
    p.write(T, basket(1), more=0, **dict.fromkeys(("base_equity", "base_maintenance", "base_worst", "base_group"), 0))


@breaks("transitions.more_liquidates")
def a_basket_that_ends_without_being_judged(p: Paper) -> None:
    """Behind the last part comes a cover."""
    row = basket(1, 1)
    p.write(T, row, more=1, closing=0)
    base = {name: p.read(T, row, name) for name in ("base_equity", "base_maintenance", "base_worst", "base_group")}
    p.write(T, row + 1, more=1, **base)


@breaks("transitions.more_tick")
def a_basket_over_two_ticks(p: Paper) -> None:
    p.add(T, basket(1), tick=1)


@breaks("transitions.more_ends")
def a_basket_that_goes_on_after_the_last_row(p: Paper) -> None:
    p.write(T, len(p.columns[T]["more"]) - 1, more=1)
    p.write(T, 0, more=1)


for name in ("equity", "maintenance", "worst", "group"):
    add(f"transitions.base_{name}", lambda p, n=name: p.add(T, basket(0, 1), **{f"base_{n}": 1}))


@breaks("transitions.one_portfolio")
def the_rest_of_a_basket_from_another_portfolio(p: Paper) -> None:
    """What is judged is richer than who pays."""
    for row in (basket(0, 1), basket(1)):
        p.add(T, row, base_group=4)
    p.add(T, basket(1, 1), base_group=4)


@breaks("transitions.settlement")
def more_than_the_settlement_price(p: Paper) -> None:
    p.add(T, leg("settle"), settlement=1, collateral_after=1)


@breaks("transitions.settles_no_funding")
def funding_with_the_settlement(p: Paper) -> None:
    p.add(T, leg("settle"), settled_collateral=1, collateral_after=1)


@breaks("bus.own")
def a_pass_of_another_group(p: Paper) -> None:
    """The leg's own cell is not in it."""
    for place in range(3):
        p.add(G, a_pass(place), address=12)


@breaks("bus.sums")
def sums_of_another_pass(p: Paper) -> None:
    p.add(T, leg("withdraw"), rest_equity=1 << 20)


@breaks("bus.position")
def a_hedge_that_is_not_there(p: Paper) -> None:
    p.add(S, a_scan(0), size=-100)
    rescan(p, "withdraw_portfolio")


@breaks("bus.change")
def a_smaller_change(p: Paper) -> None:
    p.add(S, a_scan(2, "trade_portfolio"), size=1)
    rescan(p, "trade_portfolio")


@breaks("bus.worst")
def a_smaller_worst_than_the_blocks(p: Paper) -> None:
    p.add(T, leg("withdraw_portfolio"), worst=-1, worst_after=-1)


@breaks("bus.vector")
def a_scenario_that_the_oracle_did_not_publish(p: Paper) -> None:
    p.add(S, a_scan(0), vector_3=1)
    rescan(p, "withdraw_portfolio")


@breaks("bus.expired")
def an_option_settled_before_its_expiry(p: Paper) -> None:
    expired = p.columns["lookups"]["expired_listed"]
    expired[:] = [0] * len(expired)
