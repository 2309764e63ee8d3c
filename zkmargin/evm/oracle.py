"""What oracles sign (verifier/evm/attestations.vy), and the entries of a batch."""

from collections.abc import Sequence
from itertools import groupby

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from circuits.margin.statement import OracleRow

DOMAIN = keccak(b"zkmargin oracle rows 1")


def signed_rows(time: int, rows: Sequence[OracleRow], chain: int, contract: bytes) -> tuple[bytes, bytes]:
    """What a signer says of a time, and the digest that he signs: of domain, time, price and index of each market."""
    domain = keccak(encode(["bytes32", "uint256", "address"], [DOMAIN, chain, contract]))
    said = b"".join(encode(["uint256", "int256"], [row.price, row.index]) for row in rows)
    return said, keccak(domain + time.to_bytes(32, "big") + said)


def entry(signer: LocalAccount, time: int, rows: Sequence[OracleRow], chain: int, contract: bytes) -> bytes:
    """r, s, v and what was said."""
    said, digest = signed_rows(time, rows, chain, contract)
    signature = Account.unsafe_sign_hash(digest, signer.key)
    return encode(["uint256"] * 3, [signature.r, signature.s, signature.v]) + said


def entries(rows: Sequence[OracleRow], signers: Sequence[LocalAccount], chain: int, contract: bytes) -> bytes:
    """Those of all ticks, by signers who saw exactly these rows."""
    ordered = sorted(signers, key=lambda signer: int(signer.address, 16))
    ticks = [list(tick) for _, tick in groupby(rows, key=lambda row: row.tick)]
    return b"".join(entry(signer, tick[0].time, tick, chain, contract) for tick in ticks for signer in ordered)
