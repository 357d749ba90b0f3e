"""A measured figure, and the line that tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit` of what `name` says; `goal` is what the project wants, in words."""

    name: str
    value: float
    unit: str
    goal: str = ""

    def line(self) -> str:
        return f"  {self.name:<58} {self.value:>10.3f} {self.unit:<12} {self.goal}"
