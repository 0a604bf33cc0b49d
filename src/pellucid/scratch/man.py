"""Chapter 1's class, which shows what a class is."""

from __future__ import annotations

__all__ = ["Man"]


class Man:
    """Somebody with a name, who says so. What is printed is the book's, letter by letter."""

    def __init__(self, name: str) -> None:
        self.name = name
        print("Initilized!")

    def hello(self) -> None:
        print(f"Hello {self.name}!")

    def goodbye(self) -> None:
        print(f"Good-bye {self.name}!")
