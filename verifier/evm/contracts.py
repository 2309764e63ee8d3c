"""The contracts that judge statements and proofs under a margin key: emitted code, the constants of `verifier.vy`."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib.resources import files

from eth_utils import keccak

from circuits.field import root_of_unity
from circuits.margin.circuit import ORACLE_COLUMNS
from circuits.margin.orders import ID_SHIFT, ORDER_TYPE, ORDER_WORDS
from circuits.margin.parameters import Parameters, Shape
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
ROLLUP = ("rollup.vy", "leaving.vy", "ledger.vy", "attestations.vy", "cells.vy", "orders.vy", "words.vy")
WORD, ORACLE_ROW, MOST_SIGNERS, LEAST_TICKS = 32, 160, 16, 16
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
    _check_memory(verifier.memory, shape)
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
        **_sweep_constants(verifier.memory, shape),
    }
    lines = [f"{name.replace(': ', ': constant(')}) = {value}" for name, value in constants.items()]
    return Contracts(transcript, evaluators, {**sources("verifier.vy", "words.vy"), "key.vy": "\n".join(lines) + "\n"})


def rollup_sources(key: VerifyingKey, longest_statement: int | None = None) -> dict[str, str]:
    """The Vyper modules of `rollup.vy`, the rollup contract, for keys with these markets, cells and system cells."""
    parameters, shape = _decoded(key)
    statement, markets = longest_statement or room_for_statement(key), len(parameters.markets)
    proof = max(LONGEST_PROOF, VERIFY_ARGUMENTS + key.layout.size)
    entries_of_a_tick = MOST_SIGNERS * WORD * (3 + 2 * markets)
    signatures = WORD * 3 * min(shape.orders, statement // (WORD * ORDER_WORDS))
    totals = [field.name for field in fields(Totals)]
    constants = {
        "MARKETS": markets,
        "ACCOUNTS": shape.accounts,
        "MOST_ROOM": most_room(None, shape.groups, 0),
        "ORDERS": shape.orders,
        "SWEPT": WORD * (1 + len(totals)) if shape.sweep else 0,
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
    limits += f"ORDER_TYPE: constant(bytes32) = {_bytes32(keccak(text=ORDER_TYPE))}\n"
    return {**sources(*ROLLUP), "limits.vy": limits}


def _decoded(key: VerifyingKey) -> tuple[Parameters, Shape]:
    parameters, shape = decode_parameters(key.parameters)
    if parameters.modules:
        raise InvalidKey("the contracts know no modules of a venue's own")
    if shape.scenarios:
        raise InvalidKey("the contracts know no portfolios: they read no scenarios")
    if parameters.assets:
        raise InvalidKey("the contracts know no collateral assets: they hold and pay the quote currency alone")
    if parameters.has_options:
        raise InvalidKey("the contracts know no options: neither what settles them nor what they leave")
    return parameters, shape


def sources(*names: str) -> dict[str, str]:
    """The Vyper files of this package."""
    return {name: files("verifier.evm").joinpath(name).read_text() for name in names}


def room_for_statement(key: VerifyingKey) -> int:
    """The bytes of a statement for which the contracts have room where nothing else is asked for; several ticks fit."""
    parameters, shape = decode_parameters(key.parameters)
    ticks = LEAST_TICKS * ORACLE_ROW * len(parameters.markets)
    return max(ROLLUP_STATEMENT if key.published_diff or shape.orders else VALIDIUM_STATEMENT, 2 * ticks)


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
        "MOST_ROOM: uint256": most_room(None, shape.groups, 0),
        "ORDER_TAG: uint256": key.circuit.channels.index("order") + 1 if shape.orders else 0,
        "PUBLISHED: bool": key.published_diff,
        "TAU_G2: uint256[4]": _list(part for c_0, c_1 in key.tau_g2 for part in (c_1, c_0)),
    }


def _sweep_constants(memory: Memory, shape: Shape) -> dict[str, object]:
    """Where among the scalars, and among the words of states, what a sweep says has its place."""
    names = [field.name for field in fields(Totals)]
    places = {name: memory.scalars.index(name) if shape.sweep else 0 for name in (*names, "tick")}
    return {
        "SCALARS: uint256": len(memory.scalars),
        "FIRST_TICK: uint256": memory.scalars.index("first_tick"),
        "NEXT_QUEUE: uint256": memory.scalars.index("next_queue"),
        "TICK: uint256": places["tick"],
        "TOTALS: uint256": len(names),
        "COUNTS: uint256": len(COUNTS),
        "SIGNED: uint256": len(SIGNED),
        f"PLACES: uint256[{len(names)}]": _list(places[name] for name in names),
        "SWEEP: uint256": int(shape.sweep),
        "STATES: uint256": 2 * len(memory.states),
        "CONTENT: uint256": 2 * (len(memory.states) - 1),
    }


def _check_memory(memory: Memory, shape: Shape) -> None:
    """What `verifier.vy` says is what the evaluators read."""
    columns = [[("lookups", f"oracle_{name}", 0) for name in ORACLE_COLUMNS]]
    totals = {"tick", *(field.name for field in fields(Totals))} if shape.sweep else set()
    states = [("cells", "old"), ("cells", "new"), *([("book", "content")] if shape.sweep else [])]
    scalars = sorted({"first_tick", "next_queue"} | totals)
    if memory.columns != columns or memory.scalars != scalars or memory.states != states:
        raise ValueError("the contract knows the statements of margin circuits alone")


def _bytes32(digest: bytes) -> str:
    return "0x" + digest.hex()


def _list(items: Iterable[object]) -> str:
    return f"[{', '.join(map(str, items))}]"
