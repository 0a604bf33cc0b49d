"""How well classes are told apart, drawn (`figure`); the numbers are those of `pellucid.metrics`."""
