"""The rollup contract has room for the proofs, statements and entries of the key that it is made for."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from circuits.margin.parameters import Parameters
from prover.backend import get_backend
from prover.setup import insecure_srs
from tests.circuits.margin.assets_story import parameters as assets
from tests.circuits.margin.groups_story import parameters as options
from tests.circuits.margin.venue_modules import Directional, Stressed
from tests.evm.test_rollup_contract import SHAPE, rules
from verifier.evm.contracts import contracts_of, rollup_sources, room_for_statement
from verifier.evm.evaluator import LIMIT
from verifier.key import VerifyingKey
from zkmargin.evm.compile import compile_contract, compile_rollup
from zkmargin.evm.deploy import verify_calldata
from zkmargin.proving import layout_of, margin_key

MOST_SIGNERS = 16


def key_of(markets: int, packing: int) -> VerifyingKey:
    made = rules()
    parameters = replace(made, markets=tuple(replace(made.markets[0], name=f"M{i}") for i in range(markets)))
    shape, backend = replace(SHAPE, packing=packing), get_backend("cpu")
    srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"room")
    return margin_key(parameters, shape, srs, backend).verifying


@pytest.mark.parametrize(("markets", "packing"), [(1, 1), (1, 8), (40, 8)])
def test_room(markets: int, packing: int) -> None:
    key = key_of(markets, packing)
    limits = rollup_sources(key)["limits.vy"]
    room = {name: int(value) for name, value in re.findall(r"^(\w+): constant\(uint256\) = (\d+)$", limits, re.M)}
    longest = room_for_statement(key)
    assert len(verify_calldata(bytes(longest), bytes(key.layout.size))) <= room["LONGEST_CALL"]
    fixed, row = 32 * (8 + 1 + 1 + 2 + 2), 160  # header, lengths
    assert fixed + 2 * markets * row <= longest
    assert room["LONGEST_ENTRIES"] >= MOST_SIGNERS * (96 + 64 * markets)


def with_options() -> tuple[Parameters, bool]:
    return options(), True


def with_assets() -> tuple[Parameters, bool]:
    return assets(), False


@cache
def key_with_everything(rules_of: Callable[[], tuple[Parameters, bool]]) -> VerifyingKey:
    """That the contracts know together: of options and a sweep, and of assets."""
    made, sweep = rules_of()
    tables = {"groups": 64, "scenarios": 256, "sweep": sweep, "orders": 16, "slots": 64}
    shape, backend = replace(SHAPE, cells=256, **tables), get_backend("cpu")  # type: ignore[arg-type]
    made = replace(made, modules=(Directional(300, 2), Stressed(70_000)))
    srs = insecure_srs(backend, layout_of(made, shape).powers, b"room")
    return margin_key(made, shape, srs, backend).verifying


@pytest.mark.parametrize("rules_of", [with_options, with_assets])
def test_contracts_fit_the_chain(rules_of: Callable[[], tuple[Parameters, bool]]) -> None:
    """EIP-170"""
    key = key_with_everything(rules_of)
    assert compile_contract("verifier.vy", contracts_of(key).sources).runtime_size <= LIMIT
    assert all(compiled.runtime_size <= LIMIT for compiled in compile_rollup(rollup_sources(key)))


def test_code_of_another_contract_finds_the_storage_of_the_rollup() -> None:
    """leaving.vy is run on it: it has the variables of `ledger`, and no others, where rollup.vy has them."""
    rollup, leaving = compile_rollup(rollup_sources(key_with_everything(with_assets)))
    assert list(leaving.storage) == ["ledger"] and leaving.storage["ledger"] == rollup.storage["ledger"]
    assert rollup.storage["ledger"]["verifier"]["slot"] == 0
