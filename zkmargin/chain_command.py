"""`zkmargin verify-chain`: batches that follow each other, and the keys between them."""

from pathlib import Path
from typing import Any

import click

from zkmargin.cli import FOLDER, as_json, pinned_key, read_statement, show


@click.command("verify-chain")
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@click.option("--key-digest", "digests", multiple=True, help="64 hex digits; with some, every key is one of them.")
@click.option("--allow-insecure", is_flag=True, help="Accept keys under a setup whose secret is known.")
@as_json
def verify_chain(folders: tuple[Path, ...], digests: tuple[str, ...], allow_insecure: bool, as_json: bool) -> None:
    """Checks batches that follow each other, a folder of `prove --out` for each.

    Every proof, that each batch begins where the one before it ended, and that a key changes by an amendment with
    notice alone. A key is not made anew from its parameters here: pin those that you made, or trust who did.
    """
    from verifier.chain import verify_chain

    links = [_link(folder, digests) for folder in folders]
    verify_chain(links, allow_insecure)
    keys = [link.key.digest.hex() for link in links]
    changes = [
        {"batch": link.statement.batch, "key": key, **link.amendment.to_json()}
        for link, key in zip(
            links[1:], keys[1:], strict=True
        )  # what the first one's says of the key before is unchecked
        if link.amendment is not None
    ]
    numbers = [link.statement.batch for link in links]
    told = {"verdict": "accepted", "batches": numbers, "key": keys[0], "setup": links[0].key.srs_kind}
    show(told | {"amendments": changes}, as_json)


def _link(folder: Path, digests: tuple[str, ...]) -> Any:
    """A batch from a folder of `prove --out`; what is wrong with a file names it."""
    from circuits.margin.succession import Amendment
    from circuits.margin.tiers import ParameterError
    from circuits.strict_json import loads
    from verifier.chain import Link
    from verifier.margin import load_key

    key, path = pinned_key(folder / "key.json", digests, load_key), folder / "amendment.json"
    statement, proof = read_statement(folder / "statement.json"), (folder / "proof.bin").read_bytes()
    try:
        amendment = Amendment.from_json(loads(path.read_text())) if path.exists() else None
    except ValueError as error:
        raise ParameterError(str(path), str(error)) from error
    return Link(key, statement, proof, amendment)
