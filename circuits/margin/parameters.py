"""What the key fixes: markets with their tiers, caps, fee and insurance cells, genesis; and the shape of the tables."""

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from circuits.margin.cadence import CLOCK_LIMIT, Cadence
from circuits.margin.cell import MARKET_MAX, POSITION_MAX
from circuits.margin.formulas import check_modules, check_supplies, read_module
from circuits.margin.modules import CROSS, PORTFOLIO, Module
from circuits.margin.portfolio import Portfolio
from circuits.margin.reading import at_path, exact_fields, read_list
from circuits.margin.tiers import (
    NOTIONAL_LIMIT,
    OPEN_LIMIT,
    ParameterError,
    Requirement,
    Tier,
    check_integer,
    check_tiers,
)

__all__ = ["Market", "ParameterError", "Parameters", "Requirement", "Shape", "Tier"]

PRICE_LIMIT = 1 << 48
INDEX_LIMIT = 1 << 63  # of the absolute value
TIME_LIMIT = 1 << 40
FUNDING_CAP_MAX = 1 << 32  # the whole price in one second
BAND_MAX = 1 << 14
FEE_CAP_MAX = (1 << 16) - 1
DOMAIN_MAX = 1 << 28  # points of the largest domain of BN254's scalar field
LIMB_BITS = (4, 8, 16)
PACKING_MAX = 16


@dataclass(frozen=True)
class Market:
    """A linear perpetual; or with a supply cap a collateral asset, whose tiers are its haircut.

    funding_cap: per second, over 2^32; price (16 fractional bits) and index (32): its oracle row at genesis.
    supply_cap: base units of an asset that all accounts may hold together, None for a perpetual.
    """

    name: str
    funding_cap: int
    tiers: tuple[Tier, ...]
    price: int
    index: int
    supply_cap: int | None = None

    def __post_init__(self) -> None:
        named = isinstance(self.name, str) and 0 < len(self.name) <= 32
        if not named or not (self.name.isascii() and self.name.isprintable()):
            raise ParameterError("name", f"1..32 printable ASCII characters are needed, not {self.name!r}")
        check_integer("funding_cap", self.funding_cap, 0, FUNDING_CAP_MAX)
        check_integer("price", self.price, 1, PRICE_LIMIT - 1)
        check_integer("index", self.index, 1 - INDEX_LIMIT, INDEX_LIMIT - 1)
        check_tiers(self.tiers)
        if self.supply_cap is not None:
            self._check_asset(self.supply_cap)

    def _check_asset(self, cap: int) -> None:
        """No funding; and no account leaves the tiers unless the price is 2^9 times what it was at genesis."""
        check_integer("supply_cap", cap, 1, POSITION_MAX)
        if self.funding_cap or self.index:
            raise ParameterError("funding_cap", "an asset has no funding")
        if cap * self.price > OPEN_LIMIT:
            raise ParameterError("supply_cap", f"{cap} are worth more than 2^70 at the price of genesis")

    @property
    def is_asset(self) -> bool:
        """Whether it is held and never owed."""
        return self.supply_cap is not None

    @cached_property
    def _lowers(self) -> tuple[int, ...]:
        return tuple(tier.lower for tier in self.tiers)

    def tier(self, notional: int) -> Tier:
        """The tier with lower <= notional < upper; ValueError outside [0, 2^79)."""
        if not 0 <= notional < NOTIONAL_LIMIT:
            raise ValueError(f"no tier holds a notional of {notional}")
        return self.tiers[bisect_right(self._lowers, notional) - 1]

    def requirement(self, notional: int, kind: Requirement) -> int:
        """The margin required for a notional (quote 2^-16), in quote 2^-32; ValueError outside [0, 2^79)."""
        return self.tier(notional).requirement(notional, kind)


@dataclass(frozen=True)
class Parameters:
    """The rules of one rollup. Bands and fee caps are over 2^16, cells are addresses, genesis_time is in seconds.

    portfolio: what groups with portfolio margin are judged by, where there are any. modules: of the venue's own.
    notice: seconds between the announcement of other parameters and their first tick, at least. cadence: how often
    accounts are checked, where that is proven.
    """

    markets: tuple[Market, ...]
    fee_cell: int
    insurance_cell: int
    trade_band: int
    liquidation_band: int
    trade_fee_cap: int
    liquidation_fee_cap: int
    genesis_time: int
    portfolio: Portfolio | None = None
    modules: tuple[Module, ...] = ()
    notice: int = 0
    cadence: Cadence | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.markets) <= MARKET_MAX + 1:
            raise ParameterError("markets", f"1..{MARKET_MAX + 1} markets are needed, not {len(self.markets)}")
        if len({market.name for market in self.markets}) != len(self.markets):
            raise ParameterError("markets", "two markets have one name")
        check_integer("fee_cell", self.fee_cell, 0, DOMAIN_MAX - 1)
        check_integer("insurance_cell", self.insurance_cell, 0, DOMAIN_MAX - 1)
        if self.fee_cell == self.insurance_cell:
            raise ParameterError("insurance_cell", "the fee cell and the insurance cell are two cells")
        check_integer("trade_band", self.trade_band, 0, BAND_MAX)
        check_integer("liquidation_band", self.liquidation_band, 0, BAND_MAX)
        check_integer("trade_fee_cap", self.trade_fee_cap, 0, FEE_CAP_MAX)
        check_integer("liquidation_fee_cap", self.liquidation_fee_cap, 0, FEE_CAP_MAX)
        check_integer("genesis_time", self.genesis_time, 0, TIME_LIMIT - 1)
        check_integer("notice", self.notice, 0, TIME_LIMIT - 1)
        if self.portfolio is not None:
            self._check_portfolio(self.portfolio)
        check_modules(self)
        if self.cadence is not None:
            check_integer("genesis_time", self.genesis_time, 0, CLOCK_LIMIT - 1)
            check_supplies(self)

    @cached_property
    def renewal(self) -> int:
        """For how many seconds whoever has met the initial margin needs no check: those of the band that it implies,
        of the nearest one where modules of a venue's own may ask for anything. 0 in a key without a cadence."""
        if self.cadence is None:
            return 0
        if self.modules:
            return self.cadence.bands[0].interval
        # Both requirements are linear within a tier, and what all cells keep, sums of them keep
        tiers = [tier for market in (*self.markets, *self.portfolio_markets) for tier in market.tiers]
        ends = [(tier, notional) for tier in tiers for notional in (tier.lower, tier.upper)]
        pairs = [(tier.requirement(n, "maintenance"), tier.requirement(n, "initial")) for tier, n in ends]
        if self.portfolio is not None:
            pairs.append((1 << 16, self.portfolio.initial_factor))
        return self.cadence.implied(pairs).interval

    @property
    def has_options(self) -> bool:
        return self.portfolio is not None and self.portfolio.has_options

    @cached_property
    def assets(self) -> tuple[int, ...]:
        """The markets that are collateral assets."""
        return tuple(number for number, market in enumerate(self.markets) if market.is_asset)

    @cached_property
    def portfolio_markets(self) -> tuple[Market, ...]:
        """The markets with the add-ons of a portfolio as tiers; the markets as they are without one."""
        if self.portfolio is None:
            return self.markets
        pairs = zip(self.markets, self.portfolio.instruments, strict=True)
        return tuple(replace(market, tiers=instrument.addons) for market, instrument in pairs)

    def group_modules(self, scenarios: bool) -> tuple[Module, ...]:
        """What groups may be judged by. scenarios: the key has a table for them."""
        known = (CROSS, PORTFOLIO, *self.modules)
        return tuple(module for module in known if scenarios or not module.scans)

    def module(self, module_id: int) -> Module:
        """The module of a group's head; KeyError where these parameters have none of this id."""
        return {module.id: module for module in (CROSS, PORTFOLIO, *self.modules)}[module_id]

    def _check_portfolio(self, portfolio: Portfolio) -> None:
        """An instrument a market; options have no funding, an underlying that is none, and expire after genesis."""
        if len(portfolio.instruments) != len(self.markets):
            raise ParameterError("portfolio.instruments", f"one for each of {len(self.markets)} markets is needed")
        for i, (instrument, market) in enumerate(zip(portfolio.instruments, self.markets, strict=True)):
            option, name = instrument.option, f"portfolio.instruments[{i}].option"
            if option is None:
                continue
            check_integer(f"{name}.underlying", option.underlying, 0, len(self.markets) - 1)
            check_integer(f"{name}.expiry", option.expiry, self.genesis_time + 1, TIME_LIMIT - 1)
            if portfolio.instruments[option.underlying].option is not None:
                raise ParameterError(f"{name}.underlying", f"market {option.underlying} is an option itself")
            if market.funding_cap or market.index:
                raise ParameterError(f"markets[{i}].funding_cap", "an option has no funding")
            if market.is_asset:
                raise ParameterError(f"markets[{i}].supply_cap", "an option is no asset")

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and integers (some beyond 64 bits); without a portfolio where there is none, and
        without the supply caps of markets that are no assets."""
        result = _told(_told(json.loads(json.dumps(asdict(self))), "portfolio"), "cadence")
        own = [{"name": module.name, **told} for module, told in zip(self.modules, result.pop("modules"), strict=True)]
        result |= {"modules": own} if own else {}
        if not self.notice:
            del result["notice"]
        return result | {"markets": [_told(market, "supply_cap") for market in result["markets"]]}

    @classmethod
    def from_json(cls, data: object) -> "Parameters":
        """The inverse of to_json; ParameterError names what is missing, unknown or out of range."""
        optional: dict[str, object] = {"portfolio": None, "modules": [], "notice": 0, "cadence": None}
        values = exact_fields(cls, optional | data if isinstance(data, dict) else data, "parameters")
        if values["portfolio"] is not None:
            values["portfolio"] = Portfolio.from_json(values["portfolio"])
        if values["cadence"] is not None:
            values["cadence"] = Cadence.from_json(values["cadence"])
        markets = [_market(item, f"markets[{i}]") for i, item in enumerate(read_list(values["markets"], "markets"))]
        own = [read_module(item, f"modules[{i}]") for i, item in enumerate(read_list(values["modules"], "modules"))]
        return cls(**(values | {"markets": tuple(markets), "modules": tuple(own)}))


OPTIONS = ("groups", "scenarios", "sweep", "orders", "slots", "samples")
"""Fields of a shape that are 0 or false where the key does without."""


@dataclass(frozen=True)
class Shape:
    """Sizes, powers of two: transitions of a batch, each a pair of rows of its table, and cells of the state; width of
    limbs; is the diff published.

    packing: how many columns share a commitment of the proof: with 1 a proof is made fastest, with more it is smaller
    and cheaper to verify. groups: rows of the table that passes groups of cells, 0 where every account is one cell.
    scenarios: rows of the table that judges portfolios, 0 where there are none. sweep: does a batch prove the solvency
    of the book that it leaves. orders: rows of the table of fills where every voluntary leg fills a
    signed order, 0 where orders are not asked for; slots: cells at the end of the state that count fills. samples:
    cells that are looked at for overdue accounts, where the parameters have a cadence.
    """

    transitions: int
    cells: int
    limb_bits: int
    published_diff: bool
    packing: int = 1
    groups: int = 0
    scenarios: int = 0
    sweep: bool = False
    orders: int = 0
    slots: int = 0
    samples: int = 0

    @property
    def accounts(self) -> int:
        """Cells that accounts and the system may have: all but the slots of orders."""
        return self.cells - self.slots

    def __post_init__(self) -> None:
        for name, least, most in (
            ("transitions", 2, DOMAIN_MAX // 2),
            ("cells", 2, DOMAIN_MAX),
            ("groups", 0, DOMAIN_MAX),
            ("scenarios", 0, DOMAIN_MAX),
            ("orders", 0, DOMAIN_MAX),
            ("samples", 0, DOMAIN_MAX),
        ):
            size = getattr(self, name)
            check_integer(name, size, least, most)
            if size & (size - 1) or size == 1:
                raise ParameterError(name, f"{size} is not a power of two, 2 or more")
        if type(self.limb_bits) is not int or self.limb_bits not in LIMB_BITS:
            raise ParameterError("limb_bits", f"one of {LIMB_BITS} is needed, not {self.limb_bits!r}")
        if type(self.published_diff) is not bool:
            raise ParameterError("published_diff", f"true or false is needed, not {self.published_diff!r}")
        if type(self.sweep) is not bool:
            raise ParameterError("sweep", f"true or false is needed, not {self.sweep!r}")
        check_integer("packing", self.packing, 1, PACKING_MAX)
        check_integer("slots", self.slots, int(self.orders > 0), self.cells - 2 if self.orders else 0)

    def to_json(self) -> dict[str, Any]:
        """Without the options that are off: a key without them says nothing of them."""
        return {name: value for name, value in asdict(self).items() if value or name not in OPTIONS}

    @classmethod
    def from_json(cls, data: object) -> "Shape":
        """The inverse of to_json; ParameterError names what is missing, unknown or out of range."""
        given = dict.fromkeys(OPTIONS, 0) | {"sweep": False} | data if isinstance(data, dict) else data
        return cls(**exact_fields(cls, given, "shape"))


def _told(data: dict[str, Any], option: str) -> dict[str, Any]:
    """Without the option, where it is None."""
    return {name: value for name, value in data.items() if name != option or value is not None}


def _market(data: object, path: str) -> Market:
    values = exact_fields(Market, {"supply_cap": None} | data if isinstance(data, dict) else data, path)
    tiers = [
        at_path(f"{path}.tiers[{i}]", Tier, item) for i, item in enumerate(read_list(values["tiers"], f"{path}.tiers"))
    ]
    return at_path(path, Market, values | {"tiers": tuple(tiers)})
