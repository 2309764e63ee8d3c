"""What the prover raises."""


class ProverError(ValueError):
    """No proof can be made; the message names why."""
