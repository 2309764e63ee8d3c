"""One batch after the other: that each proof holds, and that each batch goes on where the one before it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from circuits.margin.assets import supplied_after
from circuits.margin.cadence import derived_seed
from circuits.margin.statement import InvalidStatement, Statement, require
from circuits.margin.succession import Amendment, check_succession, last_rows
from circuits.margin.tiers import ParameterError
from verifier.key import VerifyingKey
from verifier.margin import MarginStatement, decode_parameters
from verifier.verify import verify


@dataclass(frozen=True)
class Link:
    """A batch. amendment: of the first one under another key than the one before it."""

    key: VerifyingKey
    statement: Statement
    proof: bytes
    amendment: Amendment | None = None


def verify_chain(links: Sequence[Link], allow_insecure: bool = False, seeds: Mapping[int, int] | None = None) -> None:
    """Returns when every proof shows its statement and the batches follow each other, whoever made the keys between
    them; InvalidProof or InvalidStatement names the batch otherwise.

    What no proof says is when an amendment was announced: that is what its `announced` claims, and what whoever reads
    it has seen for himself. Where the first batch begins is for the caller to know. seeds: by batch, what a beacon gave
    for the samples of a cadence; of other batches they are derived from the state.
    """
    for link in links:
        check_seed(link.statement, seeds or {})
    for before, after in pairwise(links):
        _check_link(before, after)
    for link in links:
        verify(link.key, MarginStatement.under(link.key, link.statement), link.proof, allow_insecure)


def check_seed(statement: Statement, seeds: Mapping[int, int]) -> None:
    """InvalidStatement unless the sample is of what a beacon gave for the batch, or else of the derived seed."""
    if statement.checks is not None:
        seed = seeds.get(statement.batch, derived_seed(statement.old, statement.batch))
        require(statement.checks.seed == seed, f"batch {statement.batch}: its sample is of another seed")


def _check_link(before: Link, after: Link) -> None:
    told, now = before.statement, after.statement
    name = f"batch {now.batch}"
    parameters, _ = decode_parameters(after.key.parameters)
    old, _ = decode_parameters(before.key.parameters)
    require(now.batch == told.batch + 1, f"{name} does not follow batch {told.batch}")
    require((now.chain, now.contract) == (told.chain, told.contract), f"{name}: of another contract")
    require(now.old == told.new, f"{name} starts from another state than batch {told.batch} ends with")
    require(now.next_queue == told.next_queue + len(told.l1), f"{name} starts with another L1 operation")
    for statement in (told, now):
        require(len(statement.oracle) >= len(old.markets), f"batch {statement.batch} has no oracle tick")
    rows = last_rows(told.oracle[-len(old.markets) :], parameters)
    require(now.last_oracle == rows, f"{name} starts from other oracle rows than batch {told.batch} ends with")
    require(len(told.supplied) == len(old.assets), f"batch {told.batch}: supplied: an amount for each asset is needed")
    supplied = supplied_after(told.supplied, told.l1, old)
    added = (0,) * (len(parameters.assets) - len(old.assets))
    require(now.supplied == supplied + added, f"{name}: other assets are supplied than after batch {told.batch}")
    if before.key.digest == after.key.digest:
        require(after.amendment is None, f"{name}: an amendment, and the key is the one before")
    else:
        _check_amendment(before, after, name)


def _check_amendment(before: Link, after: Link, name: str) -> None:
    amendment, old, new = after.amendment, before.key, after.key
    if amendment is None:
        raise InvalidStatement(f"{name}: another key, and no amendment")
    setup = (old.srs_kind, old.srs_digest, old.tau_g2)
    require((new.srs_kind, new.srs_digest, new.tau_g2) == setup, f"{name}: the key is over another setup")
    rules, time = decode_parameters(old.parameters), before.statement.oracle[-1].time
    try:
        amendment.check_notice(rules[0])
        check_succession(rules, decode_parameters(new.parameters), amendment.start)
    except ParameterError as error:
        raise InvalidStatement(f"{name}: {error}") from error
    require(amendment.announced <= time, f"{name}: its amendment was announced at {amendment.announced}, after {time}")
    require(time < amendment.start, f"{name}: the batch before has a tick of {time}, under an amendment by then")
    first = after.statement.oracle[0].time
    require(first >= amendment.start, f"{name} begins at {first}, its amendment counts from {amendment.start}")
