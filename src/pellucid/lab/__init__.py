"""The lab: one page where a network learns before one's eyes, and every number can be taken apart.

`session` trains, in a thread of its own, through the ordinary trainer; `views` and `dissections` say what there is to
see of it, and `painter` makes that; `hub` brings it to whoever looks, in messages that `protocol` describes; `app`
serves it, `security` says to whom, and `launch` starts it all. `page/` is what the browser runs: a module a feature.

    lab = pellucid.lab.show(model, (images, labels))     # in a notebook: the page itself; lab.url elsewhere

Starlette and uvicorn are imported when it starts, not before: `pip install 'pellucid[lab]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from pellucid.lab.launch import Lab

__all__ = ["show"]


def show(
    model: Any = None,
    data: Any = None,
    *,
    lang: str | None = None,
    port: int = 0,
    folder: str | Path | None = None,
    height: int = 760,
) -> Lab:
    """Open the lab on a network, in the background: in a notebook the page is shown below the cell.

    model: a Model, the name of one in the zoo, a run or a model file; None for simple-convnet. It is trained in place.
    data: a Dataset, a pair (images, labels) of which a part is held out, a name or a folder; None for what the model
    was trained on, else the digits. folder: where the network is kept while it learns; None: nowhere. height: of the
    page in a notebook, in pixels. port: 0 for a free one. lang: of the page, "en" or "ko"; None for the
    browser's.
    Errors: ConfigError where the extra `lab` is not installed; as `train_run` for model and data.
    """
    from pellucid.lab.launch import start

    return start(model, data, lang=lang, port=port, folder=folder, height=height)
