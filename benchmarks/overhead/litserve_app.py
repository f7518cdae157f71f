"""A LitServe server with one fake model behind three paths: called as it is, and through a router in two ways.

python -m visionrouter.benchmarks.overhead.litserve_app PORT
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from visionrouter.benchmarks.overhead.workload import ASKED, IMAGE, fake, router
from visionrouter.schema.payload import Detections
from visionrouter.schema.request import Query


class Plain(litserve.LitAPI):  # type: ignore[misc]
    """The model's own `predict`."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.model = fake(inline=False)
        self.query = Query(ASKED.task, IMAGE, ASKED.targets)

    def predict(self, _: Any) -> object:
        return self.model.predict([self.query])[0].payload

    def encode_response(self, found: Detections) -> dict[str, object]:
        return {"boxes": found.boxes.tolist(), "scores": found.scores.tolist(), "labels": found.labels}


class Routed(Plain):
    """The same model behind a router: on its worker thread, as real models are, or inline."""

    inline = False

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.router = router(fake(inline=self.inline))

    def predict(self, _: Any) -> object:
        return self.router.run(IMAGE, ASKED).payload


class Inline(Routed):
    inline = True


def main() -> None:
    apis = [Plain(api_path="/plain"), Routed(api_path="/routed"), Inline(api_path="/inline")]
    server = litserve.LitServer(apis, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="error", generate_client_file=False)


if __name__ == "__main__":
    main()
