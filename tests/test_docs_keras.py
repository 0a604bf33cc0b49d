"""docs/keras.md: what it says is refused is."""

from __future__ import annotations


def test_what_the_page_says_is_refused_is() -> None:
    from pellucid.keras.refused import REFUSED

    assert {"ConvLSTM2D", "Conv3D"} <= REFUSED["layers"].keys()
    assert "custom_gradient" in REFUSED["tensorflow"]
