"""What oracles sign (verifier/evm/attestations.vy), and the entries of a batch."""

from collections.abc import Sequence
from itertools import groupby

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from circuits.margin.statement import OracleRow

DOMAIN = keccak(b"zkmargin oracle rows 1")


Scenarios = Sequence[tuple[int, ...]]


def signed_rows(
    time: int, rows: Sequence[OracleRow], chain: int, contract: bytes, scenarios: Scenarios | None = None
) -> tuple[bytes, bytes]:
    """What a signer says of a time, and the digest that he signs: of domain, time, price and index of each market, and
    where the key has scenarios of options of what they change."""
    domain = keccak(encode(["bytes32", "uint256", "address"], [DOMAIN, chain, contract]))
    said = b"".join(encode(["uint256", "int256"], [row.price, row.index]) for row in rows)
    digest = keccak(domain + time.to_bytes(32, "big") + said)
    return said, digest if scenarios is None else keccak(digest + _hash(scenarios))


def _hash(scenarios: Scenarios) -> bytes:
    """Of what is said of each market's scenarios, if anything is."""
    result = bytes(32)
    for market, changes in enumerate(scenarios):
        if changes:
            result = keccak(result + market.to_bytes(32, "big") + encode(["int256"] * len(changes), changes))
    return result


def entry(
    signer: LocalAccount,
    time: int,
    rows: Sequence[OracleRow],
    chain: int,
    contract: bytes,
    scenarios: Scenarios | None = None,
) -> bytes:
    """r, s, v and what was said of prices and indices."""
    said, digest = signed_rows(time, rows, chain, contract, scenarios)
    signature = Account.unsafe_sign_hash(digest, signer.key)
    return encode(["uint256"] * 3, [signature.r, signature.s, signature.v]) + said


def entries(
    rows: Sequence[OracleRow],
    signers: Sequence[LocalAccount],
    chain: int,
    contract: bytes,
    scenarios: Scenarios | None = None,
) -> bytes:
    """Those of all ticks, by signers who saw exactly these rows, and these scenarios where they are signed."""
    ordered = sorted(signers, key=lambda signer: int(signer.address, 16))
    told: list[bytes] = []
    for _, places in groupby(range(len(rows)), key=lambda place: rows[place].tick):
        first, *others = places
        tick = slice(first, first + 1 + len(others))
        changes = None if scenarios is None else scenarios[tick]
        told += [entry(signer, rows[first].time, rows[tick], chain, contract, changes) for signer in ordered]
    return b"".join(told)
