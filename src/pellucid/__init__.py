"""Pellucid: convolutional networks you can see through."""
