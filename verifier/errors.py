"""What the verifier raises."""


class InvalidProof(Exception):
    """The proof, or the statement it is for, is refused; the message names what failed."""


class InvalidKey(ValueError):
    """A verifying key whose parts do not fit together; the message names which."""
