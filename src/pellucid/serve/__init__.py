"""A trained network at an address: who sends a picture gets the names and probabilities of its classes.

`answering` reads pictures and answers for them, `batching` brings together those that wait, `reading` takes them out of
a request, `app` has the addresses, `openapi` describes them, `meters` counts, and `launch` starts it all. `page/` is
what a browser shows.

    app = pellucid.serve.make_app(model)     # an ASGI application, for any server; `pellucid serve RUN` has its own

Starlette and what it needs are imported when an application is made: `pip install 'pellucid[serve]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["make_app"]

TOP, BATCH = 5, 32
"""Classes in an answer, and pictures that are computed together at most."""


def make_app(model: Any, *, token: str | None = None, top: int = TOP, batch_size: int = BATCH) -> ASGIApp:
    """An ASGI application that answers for pictures as `pellucid serve` does.

    model: a Model; its weights are read as they are now. token: what a request must carry (`Authorization: Bearer
    TOKEN`, or ?token=TOKEN); None: nothing. top: classes in an answer, unless the request says ?top=K. batch_size:
    pictures that are computed together at most.
    Errors: ConfigError where the extra `serve` is not installed, for a network that takes no pictures or gives no
    classes, and for sizes below 1.
    """
    from pellucid.serve.launch import expect_installed

    expect_installed()
    from pellucid.serve import app
    from pellucid.serve.answering import Answerer

    return app.make_app(Answerer(model, top=top, batch_size=batch_size), token=token)
