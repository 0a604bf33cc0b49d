"""What programs ask of the machine: there is a processor, and nothing to set."""

from __future__ import annotations

from typing import Any

__all__ = ["experimental", "list_logical_devices", "list_physical_devices", "run_functions_eagerly"]


class experimental:
    """What has moved here since."""

    @staticmethod
    def list_physical_devices(device_type: str | None = None) -> list[str]:
        """As `list_physical_devices`."""
        return list_physical_devices(device_type)

    @staticmethod
    def set_memory_growth(device: Any, enable: bool) -> None:
        """Nothing: memory is what arrays take."""


def list_physical_devices(device_type: str | None = None) -> list[str]:
    """The processor; no graphics card is used."""
    return ["/physical_device:CPU:0"] if device_type in (None, "CPU") else []


list_logical_devices = list_physical_devices


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Nothing: functions are never compiled."""
