"""Modules of a venue's own in a key: what their formulas have to be, and how a circuit chooses among them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import chain, product
from typing import TYPE_CHECKING, Any

from circuits.circuit import Circuit
from circuits.expression import Expression, Scalars, evaluate, lift, query, total
from circuits.field import MODULUS
from circuits.margin.modules import BUILT_IN, PRICE_FRACTION, Module, Risk, named, requirement
from circuits.margin.reading import at_path
from circuits.margin.tiers import NOTIONAL_LIMIT, ParameterError, Requirement, Tier
from circuits.table import Table

if TYPE_CHECKING:
    from circuits.margin.parameters import Parameters, Shape

MODULES_MAX = 2  # of a venue's own; the law of a head's module has a factor for each
ID_MAX = 4095  # 12 bits of a head's kind
MULTIPLE_MAX = 16  # of the sum of requirements: E < 2^176 while notional is below 2^70 and collateral below 2^61
DEGREE_MAX = 5
WORST_MAX = 1 << 20  # 16 times the worst scenario
_SUMS = 2**61 - 1, 2**59 + 55, 2**47 + 5  # some amounts
_POINTS: list[tuple[int, int, int, int]] = [
    (-5, *_SUMS),
    *(((-1) ** k * k, k**4, k**16, k**64) for k in range(2, 66)),
]
"""Equity, sums of maintenance and initial margin, and a worst scenario: enough that no polynomial in these four but 0
vanishes at all of them, if it has no more factors than a law of the circuit leaves it (three)."""
Flags = Mapping[Module, Expression]
"""For each module of the venue's own, 1 where it judges the row's account."""


def read_module(data: object, path: str) -> Module:
    """A module from its name and parameters; ParameterError names what is missing, unknown or out of range."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise ParameterError(f"{path}.name", "the name of a module is needed")
    kind = named(data["name"])
    if kind is None:
        raise ParameterError(f"{path}.name", f"no module {data['name']!r} is registered or installed")
    return at_path(path, kind, {name: value for name, value in data.items() if name != "name"})


def check_modules(parameters: "Parameters") -> None:
    """ParameterError unless each module of the venue's own has a place in a circuit, and requires no less for more."""
    modules = parameters.modules
    if len(modules) > MODULES_MAX:
        raise ParameterError("modules", f"at most {MODULES_MAX} of your own, not {len(modules)}")
    if len({module.id for module in modules}) != len(modules):
        raise ParameterError("modules", "two of them have one id")
    for i, module in enumerate(modules):
        path = f"modules[{i}]"
        factor = 1 << 16 if parameters.portfolio is None else parameters.portfolio.initial_factor
        _check_form(path, module)
        if module.scans and parameters.portfolio is None:
            raise ParameterError(path, f"{module.name} asks for scenarios, and there is no portfolio")
        markets = parameters.portfolio_markets if module.scans else parameters.markets
        terms = {tier.terms(kind) for market in markets for tier in market.tiers for kind in ("maintenance", "initial")}
        _check_polynomials(path, module, factor, sorted(terms))
        for number, market in enumerate(markets):
            for short in (0, 1):
                check_requirement(f"{path}: market {number}", module, market.tiers, short)
        check_conclusion(path, module, factor)


def _check_form(path: str, module: Module) -> None:
    if not is_dataclass(module) or any(type(getattr(module, f.name)) is not int for f in fields(module)):
        raise ParameterError(path, "a module is a dataclass whose fields are integers")
    if module in BUILT_IN or not module.groups or not len(BUILT_IN) <= module.id <= ID_MAX:
        raise ParameterError(path, f"a module of groups with an id of {len(BUILT_IN)}..{ID_MAX} is needed")
    if not re.fullmatch("[a-z][a-z0-9_]{0,31}", module.name):
        raise ParameterError(path, f"{module.name!r} is no name of lower-case letters, digits and underscores")


def _check_polynomials(path: str, module: Module, factor: int, terms: Sequence[tuple[int, int]]) -> None:
    """What circuits are told by the formulas is what integers are: a branch would be taken once for all rows.

    terms: rates and deductions of all tiers.
    """
    cell = query("rate"), query("deduction"), query("notional"), query("short")
    account = query("equity"), query("maintenance"), query("initial"), query("worst")
    try:
        risk = module.conclude(*account, factor)
        roots = [lift(root) for root in (module.requirement(*cell), risk.equity, risk.maintenance, risk.initial)]
    except TypeError as error:
        raise ParameterError(path, f"a formula is more than sums, differences and products: {error}") from error
    sums = chain(product((-5, 0), (0, _SUMS[0]), (0, _SUMS[1]), (0, _SUMS[2])), _POINTS)
    points = [((*either, *more), _POINTS[0]) for either, more in product(terms, product((0, 1, 1 << 40), (0, 1)))]
    for of_cell, of_account in chain(points, (((3277, 99, 1, 1), each) for each in sums)):
        values = dict(zip([*cell, *account], (*of_cell, *of_account), strict=True))
        told = evaluate(roots, Scalars(values.__getitem__))
        exact = module.conclude(*of_account, factor)
        amounts = module.requirement(*of_cell), exact.equity, exact.maintenance, exact.initial
        if any(type(amount) is not int for amount in amounts):
            raise ParameterError(path, "a formula makes of integers what is none")
        if any((one - other) % MODULUS for one, other in zip(told, amounts, strict=True)):
            raise ParameterError(path, "a formula says of expressions what it does not say of integers")


def check_requirement(path: str, module: Module, tiers: Sequence[Tier], short: int) -> None:
    """Of one cell, at the ends of every tier: nothing for nothing and something for something, rising ever more
    steeply, no jump, no more than the notional, and no more for maintenance than initially. ParameterError.

    So a position that is reduced never requires more, and none is free: rule (B) is built on both. Of an account that
    requires nothing it would let all equity leave, and who owes something could not be deleveraged; a cadence would
    never ask for its check.
    """

    def at(tier: Tier, notional: int, kind: Requirement) -> Any:
        return module.requirement(*tier.terms(kind), notional, short)

    for kind in ("maintenance", "initial"):
        before = steepest = 0
        for tier in tiers:
            origin, low, high = (at(tier, n, kind) for n in (0, tier.lower, tier.upper))
            slope = at(tier, 1, kind) - origin
            if type(low) is not int or any(at(tier, n, kind) != origin + n * slope for n in (2, 3, 4, 5, *_ends(tier))):
                raise ParameterError(path, f"the {kind} requirement is not linear in the notional")
            if low != before or slope < steepest:
                raise ParameterError(path, f"the {kind} requirement jumps or rises less steeply at {tier.lower}")
            if slope < 1:
                raise ParameterError(path, f"the {kind} requirement is nothing for a position")
            if high > tier.upper << 16:
                raise ParameterError(path, f"the {kind} requirement exceeds a notional of {tier.upper}")
            before, steepest = high, slope
    if any(at(tier, n, "initial") < at(tier, n, "maintenance") for tier in tiers for n in _ends(tier)[:2]):
        raise ParameterError(path, "less initial than maintenance margin")


def _ends(tier: Tier) -> tuple[int, int, int]:
    return tier.lower, tier.upper, tier.lower + 2 * tier.upper


def check_conclusion(path: str, module: Module, factor: int) -> None:
    """Of the account: equity as it is; maintenance of the sums of maintenance and the worst scenario, initial of those
    of initial margin, linear, each at least once and at most MULTIPLE_MAX times. ParameterError.

    Linear: a law of the circuit has no degree left for more. factor: the portfolio's, over 2^16.
    """
    nothing, own, first = (module.conclude(*sums, 0, factor) for sums in ((7, 0, 0), (7, 1, 0), (7, 0, 1)))
    worst = module.conclude(7, 0, 0, 1, factor)
    if any(risk.equity != 7 for risk in (nothing, own, first, worst)):
        raise ParameterError(path, "equity is the sum over the cells, and no module's to change")
    if nothing.maintenance or nothing.initial or first.maintenance or own.initial:
        raise ParameterError(path, "a requirement is of the sums of its own kind, and nothing without any")
    if not 1 <= own.maintenance <= first.initial <= MULTIPLE_MAX:
        raise ParameterError(path, f"requirements count 1..{MULTIPLE_MAX} times, initial ones no less than maintenance")
    if not 0 <= worst.maintenance <= worst.initial <= WORST_MAX:
        raise ParameterError(path, f"the worst scenario counts 0..{WORST_MAX}, initially no less than for maintenance")
    for equity, of_maintenance, of_initial, of_worst in _POINTS:
        found = module.conclude(equity, of_maintenance, of_initial, of_worst, factor)
        maintenance = of_maintenance * own.maintenance + of_worst * worst.maintenance
        initial = of_initial * first.initial + of_worst * worst.initial
        if found != Risk(equity, maintenance, initial):
            raise ParameterError(path, "requirements are not linear in the sums")
        sums = equity, of_maintenance, of_initial, 0
        if module.conclude(*sums, 0) != module.conclude(*sums, factor):
            raise ParameterError(path, "the portfolio's factor is of the worst scenario, and of nothing else")


def check_supplies(parameters: "Parameters") -> None:
    """ParameterError unless who has collateral and assets alone is above maintenance at every price, and stays so in
    whatever does not date him anew: supplies, which ask nobody, and sales, which take no more than they pay.

    So it may be an account that is never due. (But for shocks, which are rounded to 2^-16 of a price.)
    """
    if not parameters.assets:
        return
    if 2 * parameters.trade_fee_cap + parameters.trade_band > 1 << PRICE_FRACTION:
        message = "under a cadence, an asset's sale has to pay its fee: twice the cap and the band are at most 2^16"
        raise ParameterError("trade_fee_cap", message)
    for module in parameters.group_modules(parameters.portfolio is not None):
        for market in parameters.assets:
            if _most_required(parameters, module, market) > NOTIONAL_LIMIT << PRICE_FRACTION:
                message = f"under a cadence, no asset requires more than it is worth, as it may by {module.name}"
                raise ParameterError(f"markets[{market}]", message)


def _most_required(parameters: "Parameters", module: Module, market: int) -> int:
    """Maintenance of an account that holds as much of an asset as tiers do; of less, it is no larger share."""
    markets, worst, factor = parameters.markets, 0, 1 << PRICE_FRACTION
    if module.scans and parameters.portfolio is not None:
        markets, factor = parameters.portfolio_markets, parameters.portfolio.initial_factor
        shocks = parameters.portfolio.instruments[market].shocks
        worst = max(0, *(-shock for shock in shocks)) * NOTIONAL_LIMIT >> PRICE_FRACTION
    required = module.requirement(*markets[market].tiers[-1].terms("maintenance"), NOTIONAL_LIMIT, 0)
    return int(module.conclude(0, required, 0, worst, factor).maintenance)


def fitting(circuit: Circuit, parameters: "Parameters", shape: "Shape") -> Circuit:
    """The circuit, if it has what its modules need and their formulas no more factors than a law; ParameterError."""
    if parameters.modules and not shape.groups:
        raise ParameterError("modules", "they judge groups, and the shape has no table for groups")
    for module in parameters.modules:
        if module.scans and not shape.scenarios:
            raise ParameterError("modules", f"{module.name} asks for scenarios, and the shape has no table for them")
    if parameters.modules and max(circuit.degrees.values()) > DEGREE_MAX:
        raise ParameterError("modules", f"a formula makes a law of degree {max(circuit.degrees.values())}")
    return circuit


def add_flags(table: Table, modules: Sequence[Module], portfolio: Expression) -> Flags:
    """A selector for each module, at most one of them 1, that asks for scenarios where its module does."""
    flags = {module: table.boolean(flag_name(module)) for module in modules}
    if len(flags) > 1:
        some = total(list(flags.values()))
        table.require("one_module", some * (some - 1))
    for module, flag in flags.items():
        if module.scans or portfolio.constant is None:
            table.require(f"{flag_name(module)}_scans", flag * (portfolio - int(module.scans)))
    return flags


def flag_name(module: Module) -> str:
    return f"is_{module.name}"


def module_id(portfolio: Expression, flags: Flags) -> Expression:
    """What the head of the row's group states, `cross` where nothing else is said."""
    extra = [flag * (module.id - 1 - int(module.scans)) for module, flag in flags.items()]
    return total([1 + portfolio, *extra])


def chosen(flags: Flags, usual: Expression, of: Callable[[Module], Any]) -> Expression:
    """What the row's module makes of it: as usual, where it is none of the venue's own."""
    return total([usual, *(flag * (of(module) - usual) for module, flag in flags.items())])


def required_of(flags: Flags, rate: Expression, deduction: Expression, notional: Expression, short: Expression) -> Any:
    """What the row's module requires of a cell."""
    usual = requirement(rate, deduction, notional)
    return chosen(flags, usual, lambda module: module.requirement(rate, deduction, notional, short))
