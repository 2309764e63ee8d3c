"""What the prover raises."""


class ProverError(ValueError):
    """No proof can be made; the message names why."""


class SetupError(ProverError):
    """A structured reference string that cannot be read, trusted or used; the message names the file."""
