"""The inequalities of the margin engine, in integers and without rounding; funding alone rounds, against the account.

Equity TV = c*2^16 + q*P is in quote * 2^-16, requirements are in quote * 2^-32: TV*2^16 and MM are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.margin.cell import COLLATERAL_MAX, COLLATERAL_MIN, POSITION_MAX, Cell
from circuits.margin.modules import FUNDING_FRACTION, ISOLATED, PRICE_FRACTION, Module, equity, taken
from circuits.margin.parameters import Market
from circuits.margin.portfolio import Vector
from circuits.margin.tiers import NOTIONAL_LIMIT, Requirement
from zkmargin.state import Base, Group, Leg, Rule

SIZE_MAX = 1 << 64
CASH_MIN, CASH_MAX = -(1 << 63), (1 << 63) - 1
FEE_LIMIT = 1 << 48
AMOUNT_LIMIT = 1 << 56  # of an L1 operation
DUST_BAND = 1 << 32  # one unit of quote: without it the last unit of a position could not be closed

# Widths of the circuit's registers (bits); docs/margin.md derives them.
MARGIN_BITS = 176  # D and E
STRICT_BITS = 112  # what holds strictly before, and what a cover leaves
PRODUCT_BITS = 128  # room inside a band and under a fee cap


class Refused(Exception):  # noqa: N818 (an outcome, not a fault)
    """A transaction that may not be applied; `code` is stable, the text explains. Nothing was changed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


def require(condition: bool, code: str, text: str) -> None:
    if not condition:
        raise Refused(code, text)


def require_register(name: str, value: int, bits: int) -> None:
    """0 <= value is checked where the rule is; here, that the circuit's register can hold it."""
    if value >> bits:
        raise Refused("register", f"{name} = {value} does not fit {bits} bits")


def funding_payment(position: int, index_change: int) -> int:
    """ceil(q*(I - i) / 2^32): what an account pays, in quote units; the ceiling is against the account."""
    return -(-position * index_change >> FUNDING_FRACTION)


@dataclass(frozen=True, slots=True)
class Scan:
    """What each scenario takes from a portfolio's other cells, in quote * 2^-16, and the vector of the leg's market.

    factor: over 2^16, what the initial requirement takes of the worst one.
    """

    losses: tuple[int, ...]
    vector: Vector
    factor: int

    def worst(self, position: int) -> int:
        """What the worst scenario takes when the leg's cell has this position."""
        own = taken(position, max(-position, 0), self.vector)
        return max(loss + more for loss, more in zip(self.losses, own, strict=True))


@dataclass(frozen=True, slots=True)
class Rest:
    """What the other members of a group are worth and require: equity in quote * 2^-16, the others * 2^-32; beyond: one
    of them has a notional that no tier holds, and requires nobody knows what; scan: of a portfolio."""

    equity: int = 0
    maintenance: int = 0
    initial: int = 0
    beyond: bool = False
    scan: Scan | None = None

    @classmethod
    def of(cls, members: "Sequence[Settled]") -> "Rest":
        """Refused (code group) when one of them has left the bit budget."""
        for member in members:
            fits = COLLATERAL_MIN <= member.collateral <= COLLATERAL_MAX
            require(fits, "group", f"cell {member.address} is outside the budget of a group's member")
        tiered = [member for member in members if member.notional < NOTIONAL_LIMIT]
        return cls(
            sum(member.equity for member in members),
            sum(member.required(member.before.position, "maintenance") for member in tiered),
            sum(member.required(member.before.position, "initial") for member in tiered),
            len(tiered) < len(members),
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """An account's cell whose funding is settled at the current row of its market, before anything else happens to it.

    module: what the account is judged by. group, rest: its other cells, where it has some; equity and requirements are
    the whole account's.
    """

    address: int
    before: Cell
    collateral: int
    market: Market
    price: int
    index: int
    module: Module = ISOLATED
    group: Group | None = None
    rest: Rest = Rest()

    @classmethod
    def of(
        cls, address: int, before: Cell, market: Market, price: int, index: int, module: Module = ISOLATED
    ) -> "Settled":
        paid = funding_payment(before.position, index - before.index)
        return cls(address, before, before.collateral - paid, market, price, index, module)

    @property
    def equity(self) -> int:
        return self.rest.equity + int(equity(self.collateral, self.before.position, self.price))

    @property
    def notional(self) -> int:
        return abs(self.before.position) * self.price

    def maintenance(self) -> int:
        """MM before; Refused when the notional has no tier."""
        require_tier(self.notional)
        return self.requirement(self.before.position, "maintenance")

    def requirement(self, position: int, kind: Requirement) -> int:
        """Of the whole account, once the cell has this position of a notional that has a tier."""
        own, rest = self.required(position, kind), self.rest
        worst, factor = (0, 0) if rest.scan is None else (rest.scan.worst(position), rest.scan.factor)
        risk = self.module.conclude(rest.equity, rest.maintenance + own, rest.initial + own, worst, factor)
        return int(risk.maintenance if kind == "maintenance" else risk.initial)

    def required(self, position: int, kind: Requirement) -> int:
        """Of this cell alone, by its module."""
        notional = abs(position) * self.price
        return int(self.module.requirement(*self.market.tier(notional).terms(kind), notional, int(position < 0)))

    def equity_after(self, after: Cell) -> int:
        """TV' once the cell is `after`."""
        return self.rest.equity + int(equity(after.collateral, after.position, self.price))

    def moved(self, collateral: int, position: int = 0) -> Leg:
        """The leg that changes both by these amounts; Refused when the result leaves the bit budget."""
        collateral, position = self.collateral + collateral, self.before.position + position
        require_budget(collateral, position)
        after = Cell(collateral, position, self.index, self.before.market, self.before.kind)
        return Leg(self.address, self.before, after, True, self.group)


def require_budget(collateral: int, position: int = 0) -> None:
    """c in [-2^63, 2^63) and |q| < 2^64, for whatever is written."""
    require(COLLATERAL_MIN <= collateral <= COLLATERAL_MAX, "collateral", f"{collateral} leaves 64 signed bits")
    require(-POSITION_MAX <= position <= POSITION_MAX, "position", f"{position} leaves 64 bits")


def require_tier(notional: int) -> None:
    require(notional < NOTIONAL_LIMIT, "notional", f"{notional} is beyond the last tier")


def initial_room(account: Settled, after: Cell) -> int:
    """D = TV'*2^16 - IM': not negative under rule (A). Refused when the notional after has no tier."""
    notional = abs(after.position) * account.price
    require_tier(notional)
    return (account.equity_after(after) << PRICE_FRACTION) - account.requirement(after.position, "initial")


def share_kept(account: Settled, after: Cell, base: Base | None = None) -> int:
    """E = TV'*MM - TV*MM': not negative when equity falls by no larger share than the requirement. base: what was
    before, where the account is something else by now."""
    notional = abs(after.position) * account.price
    require_tier(notional)
    required_after = account.requirement(after.position, "maintenance")
    base = base or base_of(account)
    return account.equity_after(after) * base.maintenance - base.equity * required_after


def reduces(account: Settled, after: Cell, size: int) -> bool:
    """|q'| = |q| - size: the same side, or flat."""
    return abs(after.position) == abs(account.before.position) - size


def margin_rule(account: Settled, after: Cell, size: int) -> Rule:
    """What lets a position change: (A) initial margin in an open tier, or (B) reducing; Refused for neither."""
    room = initial_room(account, after)
    shorts = account.market.is_asset and after.position < 0
    require(not shorts, "short", f"cell {account.address} would owe an asset")
    if room >= 0 and account.market.tier(abs(after.position) * account.price).open:
        require_register("D", room, MARGIN_BITS)
        return "initial"
    if not reduces(account, after, size):
        require(room < 0, "cap", f"cell {account.address} would grow beyond the cap on notional")
        raise Refused("margin", f"cell {account.address} would be below its initial margin")
    require_reducing(account, after)
    return "reducing"


def base_of(account: Settled) -> Base:
    """What the account is judged by now; Refused when its notional has no tier."""
    scan, group = account.rest.scan, account.group
    worst = 0 if scan is None else scan.worst(account.before.position)
    head = account.address if group is None else group.head
    return Base(account.equity, account.maintenance(), worst, head)


def require_reducing(account: Settled, after: Cell, base: Base | None = None) -> None:
    """0 <= E < 2^176; of a portfolio, no worse a scenario than before. base: what was before, where the account is
    something else by now."""
    base = base or base_of(account)
    require_relief(account, after, base)
    kept = share_kept(account, after, base)
    require(kept >= 0, "margin", f"cell {account.address} loses a larger share of its equity than of its requirement")
    require_register("E", kept, MARGIN_BITS)


def closes_out(account: Settled, after: Cell) -> bool:
    """Whether an account without equity sells an asset for no less than it is worth, where that is no better than its
    share; Refused where the rest of a portfolio needs what is sold."""
    if not account.market.is_asset or account.equity >= 0 or share_kept(account, after) >= 0:
        return False
    if account.equity_after(after) < account.equity:
        return False
    require_relief(account, after)
    return True


def require_relief(account: Settled, after: Cell, base: Base | None = None) -> None:
    """Less of one position may be less of a hedge."""
    scan = account.rest.scan
    relieved = scan is None or scan.worst(after.position) <= (base or base_of(account)).worst
    require(relieved, "margin", f"cell {account.address} would have a worse scenario than before")


def require_size(size: int) -> None:
    require(1 <= size <= SIZE_MAX, "size", f"{size} is outside 1..2^64")


def require_cash(cash: int) -> None:
    require(CASH_MIN <= cash <= CASH_MAX, "cash", f"{cash} leaves 64 signed bits")


def require_fee(fee: int, cap: int, size: int, price: int) -> None:
    """fee*2^32 <= cap*size*P."""
    require(0 <= fee < FEE_LIMIT, "fee", f"{fee} is outside 0..2^48-1")
    room = cap * size * price - (fee << 2 * PRICE_FRACTION)
    require(room >= 0, "fee-cap", f"a fee of {fee} is above its cap")
    require_register("fee room", room, PRODUCT_BITS)


def require_band(band: int, delta: int, cash: int, price: int) -> None:
    """|cash*2^16 - delta*P|*2^16 <= band*size*P + 2^32."""
    off = abs((cash << PRICE_FRACTION) - delta * price) << PRICE_FRACTION
    bound = band * abs(delta) * price + DUST_BAND
    require(off <= bound, "band", f"{cash} for {delta} is too far from the oracle's price")
    require_register("band room", bound + off, PRODUCT_BITS)
