"""The contracts that judge statements and proofs under a margin key: emitted code, the constants of `verifier.vy`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files

from eth_utils import keccak

from circuits.field import root_of_unity
from circuits.margin.assets import cap_of
from circuits.margin.circuit import EXPIRED_COLUMNS, ORACLE_COLUMNS
from circuits.margin.modules import CROSS
from circuits.margin.orders import ID_SHIFT, ORDER_TYPE, ORDER_WORDS
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Option
from circuits.margin.statement import encode_oracle
from circuits.margin.statement_rules import genesis_rows, most_room
from circuits.margin.totals import COUNTS, SIGNED, Totals
from verifier.errors import InvalidKey
from verifier.evm.evaluator import evaluator_codes
from verifier.evm.symbolic import Memory, traced
from verifier.evm.transcript import transcript_code
from verifier.key import VerifyingKey
from verifier.margin import decode_parameters

VALIDIUM_STATEMENT, ROLLUP_STATEMENT = 1 << 14, 1 << 16
"""Bytes of the longest statement, without published differences and orders, and with either. The rollup contract pays
for memory for the longest one with every batch."""
LONGEST_PROOF, LONGEST_ENTRIES = 1 << 15, 1 << 14
"""What the rollup contract has room for at least: a later key's proofs may be longer than the first one's."""
NOT_BUILT: dict[str, Callable[[Parameters, Shape], object]] = {
    "cadence: neither when accounts are due nor a seed for samples": lambda parameters, shape: parameters.cadence,
    "collateral assets beside a sweep: losses are shared of the quote currency alone": lambda parameters, shape: (
        parameters.assets and shape.sweep
    ),
}
"""What keys may ask for that the contracts refuse, and whether one does."""
ROLLUP = (
    "rollup.vy", "leaving.vy", "ledger.vy", "queue.vy", "attestations.vy", "cells.vy", "orders.vy", "words.vy",
)  # fmt: skip
WORD, ORACLE_ROW, MOST_SIGNERS, LEAST_TICKS = 32, 160, 16, 16
ROOM_BITS, MARKET_BITS, SHOCKS_IN_WORD = 16, 16, 8
VERIFY_ARGUMENTS = 4 + 4 * WORD
"""Bytes of a call of verify(bytes, bytes) around statement and proof."""


@dataclass(frozen=True)
class Contracts:
    """transcript, evaluators: runtime code. sources: of the Vyper modules, by file name; `verifier.vy` is the contract.

    Its constructor takes the address of the transcript and those of the evaluators.
    """

    transcript: bytes
    evaluators: tuple[bytes, ...]
    sources: dict[str, str]


def contracts_of(key: VerifyingKey, longest_statement: int | None = None) -> Contracts:
    """The contracts of a margin key; InvalidKey for one that they do not know, ValueError for another circuit's."""
    parameters, shape = _decoded(key)
    evaluators = tuple(evaluator_codes(key))
    verifier = traced(key, len(evaluators))
    _check_memory(verifier.memory, parameters, shape)
    transcript = transcript_code(verifier.steps)
    constants = {
        "DIGEST: bytes32": _bytes32(key.digest),
        "PROOF_BYTES: uint256": key.layout.size,
        "MAX_STATEMENT: uint256": longest_statement or room_for_statement(key),
        "TRANSCRIPT_CODE: bytes32": _bytes32(keccak(transcript)),
        "EVALUATORS: uint256": len(evaluators),
        f"EVALUATOR_CODES: bytes32[{len(evaluators)}]": _list(_bytes32(keccak(code)) for code in evaluators),
        "VALUES: uint256": 32 * verifier.memory.said,
        **_margin_constants(key, parameters, shape),
        **_sweep_constants(verifier.memory, parameters, shape),
        **_instrument_constants(verifier.memory, parameters, shape),
    }
    lines = [f"{name.replace(': ', ': constant(')}) = {value}" for name, value in constants.items()]
    modules = sources("verifier.vy", "words.vy") | {"key.vy": "\n".join(lines) + "\n"}
    with_instruments = parameters.has_options or shape.scenarios or parameters.assets
    [instruments] = sources("instruments.vy" if with_instruments else "no_instruments.vy").values()
    return Contracts(transcript, evaluators, modules | {"instruments.vy": instruments})


def rollup_sources(key: VerifyingKey, longest_statement: int | None = None) -> dict[str, str]:
    """The Vyper modules of `rollup.vy`, the rollup contract, for keys with these markets, cells and system cells."""
    parameters, shape = _decoded(key)
    statement, markets = longest_statement or room_for_statement(key), len(parameters.markets)
    proof = max(LONGEST_PROOF, VERIFY_ARGUMENTS + key.layout.size)
    entries_of_a_tick = MOST_SIGNERS * WORD * (3 + 2 * markets)
    signatures = WORD * 3 * min(shape.orders, statement // (WORD * ORDER_WORDS))
    totals = [field.name for field in fields(Totals)]
    largest, swept = _largest_groups(parameters, shape), _swept_modules(parameters, shape)
    constants = {
        "MARKETS": markets,
        "ACCOUNTS": shape.accounts,
        "ASSET_COUNT": len(parameters.assets),
        "MOST_ROOM": max(largest) >> ROOM_BITS,
        "ORDERS": shape.orders,
        "SCANNED": int(shape.scenarios > 0),
        "SCENARIOS": 1 if parameters.portfolio is None else parameters.portfolio.scenarios,
        "ATTESTED": int(attests_scenarios(parameters, shape)),
        "SCAN_ROWS": shape.scenarios if swept else 0,
        "SWEPT": WORD * (1 + len(totals) + _unsettled(parameters)) if shape.sweep else 0,
        "EQUITY": WORD * totals.index("equity"),
        "FEES": WORD * totals.index("fees"),
        "DEPOSIT_LIMIT": 1 << (48 if shape.sweep else 56),
        "VAULT_LIMIT": 1 << (53 if shape.sweep else 61),
        "FEE_CELL": parameters.fee_cell,
        "INSURANCE_CELL": parameters.insurance_cell,
        "LONGEST_CALL": statement + proof,
        "LONGEST_ENTRIES": max(LONGEST_ENTRIES, entries_of_a_tick) + signatures,
    }
    limits = "".join(f"{name}: constant(uint256) = {value}\n" for name, value in constants.items())
    assets = [market | cap_of(parameters, market) << MARKET_BITS for market in parameters.assets] or [0]
    lists = {"LARGEST_GROUPS": largest, "ASSETS": assets, "SWEPT_MODULES": swept or [0]}
    for name, value in (item for listed in lists.items() for item in _list_of(*listed).items()):
        limits += f"{name.replace(': ', ': constant(')}) = {value}\n"
    limits += f"ORDER_TYPE: constant(bytes32) = {_bytes32(keccak(text=ORDER_TYPE))}\n"
    [module] = sources("assets.vy" if parameters.assets else "no_assets.vy").values()
    return {**sources(*ROLLUP), "limits.vy": limits, "assets.vy": module}


def _decoded(key: VerifyingKey) -> tuple[Parameters, Shape]:
    parameters, shape = decode_parameters(key.parameters)
    for what, is_asked_for in NOT_BUILT.items():
        if is_asked_for(parameters, shape):
            raise InvalidKey(f"the contracts know no {what}")
    return parameters, shape


def sources(*names: str) -> dict[str, str]:
    """The Vyper files of this package."""
    return {name: files("verifier.evm").joinpath(name).read_text() for name in names}


def attests_scenarios(parameters: Parameters, shape: Shape) -> bool:
    """Whether oracles say what scenarios change, so that they have to sign it."""
    return parameters.has_options and shape.scenarios > 0


def room_for_statement(key: VerifyingKey) -> int:
    """The bytes of a statement for which the contracts have room where nothing else is asked for; several ticks fit."""
    parameters, shape = decode_parameters(key.parameters)
    ticks = LEAST_TICKS * (ORACLE_ROW * len(parameters.markets) + _bytes_of_scenarios(parameters, shape))
    return max(ROLLUP_STATEMENT if key.published_diff or shape.orders else VALIDIUM_STATEMENT, 2 * ticks)


def _bytes_of_scenarios(parameters: Parameters, shape: Shape) -> int:
    """Of a tick, at most."""
    if parameters.portfolio is None or not shape.scenarios:
        return 0
    options = sum(instrument.option is not None for instrument in parameters.portfolio.instruments)
    return WORD * (len(parameters.markets) + options * parameters.portfolio.scenarios)


def _unsettled(parameters: Parameters) -> int:
    """How many numbers a sweep tells of what the positions of a market sum to."""
    return len(parameters.markets) if parameters.has_options else 0


def _margin_constants(key: VerifyingKey, parameters: Parameters, shape: Shape) -> dict[str, object]:
    markets = parameters.markets
    return {
        "MARKETS: uint256": len(markets),
        f"FUNDING_CAPS: uint256[{len(markets)}]": _list(market.funding_cap for market in markets),
        "GENESIS: bytes32": _bytes32(keccak(encode_oracle(genesis_rows(parameters)))),
        "MOST_ROWS: uint256": 1 << shape.limb_bits,
        "ROWS_ROOT: uint256": root_of_unity(key.circuit.table("lookups").size),
        "CELLS: uint256": shape.cells,
        "ACCOUNTS: uint256": shape.accounts,
        "ORDERS: uint256": shape.orders,
        "ID_SHIFT: uint256": ID_SHIFT,
        "CELLS_ROOT: uint256": root_of_unity(shape.cells),
        "FEE_CELL: uint256": parameters.fee_cell,
        "INSURANCE_CELL: uint256": parameters.insurance_cell,
        "QUEUE_TAG: uint256": key.circuit.channels.index("l1") + 1,
        **_list_of("LARGEST_GROUPS", _largest_groups(parameters, shape)),
        "ORDER_TAG: uint256": key.circuit.channels.index("order") + 1 if shape.orders else 0,
        "POSITIONS_TAG: uint256": key.circuit.channels.index("positions") + 1 if shape.sweep else 0,
        "PUBLISHED: bool": key.published_diff,
        "TAU_G2: uint256[4]": _list(part for c_0, c_1 in key.tau_g2 for part in (c_1, c_0)),
    }


def _sweep_constants(memory: Memory, parameters: Parameters, shape: Shape) -> dict[str, object]:
    """Where among the scalars, and among the words of states, what a sweep says has its place."""
    names = [field.name for field in fields(Totals)]
    places = {name: memory.scalars.index(name) if shape.sweep else 0 for name in (*names, "tick")}
    return {
        "SCALARS: uint256": len(memory.scalars),
        "FIRST_TICK: uint256": memory.scalars.index("first_tick"),
        "NEXT_QUEUE: uint256": memory.scalars.index("next_queue"),
        "TICK: uint256": places["tick"],
        "TOTALS: uint256": len(names),
        "UNSETTLED: uint256": _unsettled(parameters),
        "COUNTS: uint256": len(COUNTS),
        "SIGNED: uint256": len(SIGNED),
        f"PLACES: uint256[{len(names)}]": _list(places[name] for name in names),
        "SWEEP: uint256": int(shape.sweep),
        "STATES: uint256": 2 * len(memory.states),
        "CONTENT: uint256": 2 * (len(memory.states) - 1),
    }


def _instrument_constants(memory: Memory, parameters: Parameters, shape: Shape) -> dict[str, object]:
    """Where the columns of scenarios and of expired options begin, 0 where the key has none, and what both follow from:
    shocks of 32 bits, 2^31 added, and each option in a word."""
    [columns] = memory.columns
    places = {column: place for place, (_, column, _) in enumerate(columns)}
    count, shocks, options = 1, [0], [0]  # what a key without has no use for
    if shape.scenarios and parameters.portfolio is not None:
        count, instruments = parameters.portfolio.scenarios, parameters.portfolio.instruments
        shocks = [word for instrument in instruments for word in _shock_words(instrument.shocks, count)]
    if parameters.portfolio is not None:
        options = [_option_word(instrument.option) for instrument in parameters.portfolio.instruments]
    caps = [cap_of(parameters, market) for market in range(len(parameters.markets))] if parameters.assets else [0]
    return {
        "ASSETS: uint256": len(parameters.assets),
        "CAP_WORDS: uint256": len(caps),
        **_list_of("CAPS", caps),
        "COLUMNS: uint256": len(columns),
        "VECTOR: uint256": places.get("vector_listed", 0),
        "EXPIRED: uint256": places.get("expired_listed", 0),
        "SCENARIOS: uint256": count,
        "SHOCK_WORDS: uint256": len(shocks),
        "OPTION_WORDS: uint256": len(options),
        **_list_of("SHOCKS", shocks),
        **_list_of("OPTIONS", options),
    }


def _shock_words(shocks: Sequence[int], count: int) -> list[int]:
    """So many, those of an option nothing."""
    biased = [shock + (1 << 31) for shock in shocks] or [0] * count
    return [
        sum(shock << 32 * place for place, shock in enumerate(biased[first : first + SHOCKS_IN_WORD]))
        for first in range(0, count, SHOCKS_IN_WORD)
    ]


def _option_word(option: Option | None) -> int:
    """Not zero, since a strike is not."""
    if option is None:
        return 0
    high = option.short_rate << 88 | option.underlying << 105 | int(option.call) << 121
    return option.strike | option.expiry << 48 | high


def _vector_columns(parameters: Parameters, shape: Shape) -> list[str]:
    if not shape.scenarios or parameters.portfolio is None:
        return []
    return [f"vector_{name}" for name in ("listed", "tick", "market", *range(parameters.portfolio.scenarios + 1))]


def _largest_groups(parameters: Parameters, shape: Shape) -> list[int]:
    """The largest amount by which a group may be opened, of each module of the key; [0] where it has no groups."""
    modules = parameters.group_modules(shape.scenarios > 0) if shape.groups else ()
    portfolio, rows = parameters.portfolio, (shape.groups, shape.scenarios, shape.sweep)
    return [
        most_room(portfolio if module.scans else None, *rows) << ROOM_BITS | module.id - CROSS.id for module in modules
    ] or [0]


def _swept_modules(parameters: Parameters, shape: Shape) -> list[int]:
    """What the amounts say by which groups are opened that take rows of the scenarios' table in every sweep."""
    modules = parameters.group_modules(shape.scenarios > 0) if shape.groups and shape.sweep else ()
    return [module.id - CROSS.id for module in modules if module.scans]


def _check_memory(memory: Memory, parameters: Parameters, shape: Shape) -> None:
    """What `verifier.vy` says is what the evaluators read."""
    names = [*(f"oracle_{name}" for name in ORACLE_COLUMNS), *_vector_columns(parameters, shape)]
    names += [f"expired_{name}" for name in EXPIRED_COLUMNS] if parameters.has_options else []
    columns = [[("lookups", name, 0) for name in names]]
    totals = {"tick", *(field.name for field in fields(Totals))} if shape.sweep else set()
    states = [("cells", "old"), ("cells", "new"), *([("book", "content")] if shape.sweep else [])]
    scalars = sorted({"first_tick", "next_queue"} | totals)
    if memory.columns != columns or memory.scalars != scalars or memory.states != states:
        raise ValueError("the contract knows the statements of margin circuits alone")


def _list_of(name: str, numbers: Sequence[int]) -> dict[str, object]:
    """A constant that is a list of integers."""
    return {f"{name}: uint256[{len(numbers)}]": _list(numbers)}


def _bytes32(digest: bytes) -> str:
    return "0x" + digest.hex()


def _list(items: Iterable[object]) -> str:
    return f"[{', '.join(map(str, items))}]"
