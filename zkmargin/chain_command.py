"""`zkmargin verify-chain`: batches that follow each other, and the keys between them."""

from pathlib import Path
from typing import Any

import click

from zkmargin.cli import DOES_NOT_HOLD, FOLDER, SEED, as_json, pinned_key, read_statement, show


@click.command("verify-chain")
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@click.option("--key-digest", "digests", multiple=True, help="64 hex digits; with some, every key is one of them.")
@click.option("--seed", "seeds", multiple=True, metavar="BATCH=HEX", help="What a beacon gave for a batch's sample.")
@click.option("--on-time", is_flag=True, help="In keys with a cadence: nobody was late, nor overdue in the samples.")
@click.option("--allow-insecure", is_flag=True, help="Accept keys under a setup whose secret is known.")
@as_json
def verify_chain(
    folders: tuple[Path, ...],
    digests: tuple[str, ...],
    seeds: tuple[str, ...],
    on_time: bool,
    allow_insecure: bool,
    as_json: bool,
) -> None:
    """Checks batches that follow each other, a folder of `prove --out` for each.

    Every proof, that each batch begins where the one before it ended, and that a key changes by an amendment with
    notice alone. A key is not made anew from its parameters here: pin those that you made, or trust who did.
    """
    from verifier.chain import verify_chain

    links = [_link(folder, digests) for folder in folders]
    verify_chain(links, allow_insecure, dict(map(_seed, seeds)))
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
    checks = [link.statement.checks for link in links]
    if on_time and None in checks:
        raise click.UsageError("--on-time: a key has no cadence")
    counts = [each.counts() for each in checks if each is not None]
    summed = {name: sum(count[name] for count in counts) for name in counts[0]} if counts else {}
    show(told | {"amendments": changes} | summed, as_json)
    if on_time and not all(each is not None and each.punctual for each in checks):
        raise SystemExit(DOES_NOT_HOLD)


def _seed(text: str) -> tuple[int, int]:
    batch, _, seed = text.partition("=")
    if not batch.isascii() or not batch.isdecimal():
        raise click.UsageError(f"--seed: BATCH=HEX is needed, not {text!r}")
    return int(batch), SEED.convert(seed, None, None)


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
