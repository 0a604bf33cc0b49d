"""What is counted of a server, in Prometheus's text form."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Meters:
    """Requests by status, how long they took, pictures, batches and what waits; for any thread."""

    def __init__(self, waiting: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "pellucid_requests", "Requests for answers, by HTTP status.", ["status"], registry=registry
        )
        self.seconds = Histogram(
            "pellucid_request_seconds", "From a request to its answer.", buckets=SECONDS, registry=registry
        )
        self.pictures = Counter("pellucid_pictures", "Pictures answered for.", registry=registry)
        self.unread = Counter("pellucid_pictures_unread", "Pictures that could not be read.", registry=registry)
        self.batch = Histogram(
            "pellucid_batch_pictures", "Pictures computed together.", buckets=SIZES, registry=registry
        )
        Gauge("pellucid_pictures_waiting", "Pictures that wait to be computed.", registry=registry).set_function(
            waiting
        )

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)
