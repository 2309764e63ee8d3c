"""What the verifier raises."""


class InvalidProof(Exception):  # noqa: N818
    """The proof, or the statement it is for, is refused; the message names what failed."""


class InvalidKey(ValueError):  # noqa: N818
    """A verifying key whose parts do not fit together; the message names which."""
