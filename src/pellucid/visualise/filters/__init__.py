"""Kernels of convolutions: as one array of greys or colours (`data`), and drawn (`figure`)."""
