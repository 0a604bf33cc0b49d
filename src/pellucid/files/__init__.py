"""Files, also from strangers: read within bounds that are known beforehand, and written whole or not at all."""
