"""The network itself: which blocks it has (`data`), drawn as blocks, node by node, or in letters."""
