"""What owners sign of an order (verifier/evm/orders.vy): typed data (EIP-712), with any wallet or with a key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from circuits.margin.orders import ORDER_TYPE
from zkmargin.fills import row_of
from zkmargin.transactions import InputError, Order

SIGNATURE = 96  # bytes of r, s and v, a word each


def read_order(path: Path) -> Order:
    """An order in JSON; InputError names the field that is missing, unknown or of another type."""
    try:
        order: Order = msgspec.json.decode(path.read_bytes(), type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(path, 1, "", str(error)) from None
    return order


def typed_data(order: Order, chain: int, contract: bytes) -> dict[str, Any]:
    """The order as wallets take it (eth_signTypedData_v4), for the rollup contract at this address of a chain."""
    kinds = [part.split(" ") for part in ORDER_TYPE[len("Order(") : -1].split(",")]
    row = row_of(order)
    message = {name: getattr(order if kind == "bool" else row, name) for kind, name in kinds}
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Order": [{"name": name, "type": kind} for kind, name in kinds],
        },
        "primaryType": "Order",
        "domain": {"name": "zkmargin", "version": "1", "chainId": chain, "verifyingContract": "0x" + contract.hex()},
        "message": message,
    }


def signed(order: Order, owner: LocalAccount, chain: int, contract: bytes) -> Order:
    """The order with its owner's signature."""
    signature = owner.sign_message(encode_typed_data(full_message=typed_data(order, chain, contract)))
    words = b"".join(word.to_bytes(32, "big") for word in (signature.r, signature.s, signature.v))
    return Order(**{name: getattr(order, name) for name in order.__struct_fields__} | {"signature": "0x" + words.hex()})


def signer_of(order: Order, chain: int, contract: bytes) -> str:
    """The address, with its checksum, of who signed; InputError where nobody can have."""
    r, s, v = _words(order.signature)
    message = encode_typed_data(full_message=typed_data(order, chain, contract))
    try:
        return str(Account.recover_message(message, vrs=(v, r, s)))
    except Exception as error:  # eth_keys and eth_account have several of their own
        raise InputError("orders", 1, "signature", f"nobody's: {error}") from error


def signatures_of(signatures: Iterable[str]) -> bytes:
    """Those of a batch's orders, as `submit_batch` takes them behind the oracles' entries; InputError names one that
    is none."""
    return b"".join(word.to_bytes(32, "big") for signature in signatures for word in _words(signature))


def _words(signature: str) -> tuple[int, int, int]:
    """r, s, v."""
    digits = signature.removeprefix("0x")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != SIGNATURE:
        raise InputError("orders", 1, "signature", f"{SIGNATURE} bytes in hexadecimal are needed, not {signature!r}")
    r, s, v = (int.from_bytes(data[i : i + 32], "big") for i in range(0, SIGNATURE, 32))
    return r, s, v
