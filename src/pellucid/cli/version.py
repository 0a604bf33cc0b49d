"""The installed version."""

from __future__ import annotations


def installed_version() -> str:
    """The version of the installed package, or a remark that it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pellucid")
    except PackageNotFoundError:
        return "(run from its source folder, not installed)"
