"""What each layer of a request costs by itself."""

from __future__ import annotations

from collections.abc import Callable

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.benchmarks.overhead.timing import Timing, repeated
from visionrouter.confidence.gate import judge
from visionrouter.engine.breaker import Breaker
from visionrouter.engine.contract import check_prediction
from visionrouter.engine.worker import Worker
from visionrouter.policies import compile_policy, load_policy
from visionrouter.schema.decision import Decision, Outcome, Reason
from visionrouter.schema.image import Image
from visionrouter.schema.request import Query, Request
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Instruction, Task

_RULES = {
    "schema_version": 1,
    "name": "five",
    "rules": [
        {"name": f"r{i}", "when": f'request.tags["camera"] == "{i}"', "route": {"try": ["any"]}}
        for i in range(5)
    ],
    "default": {"route": {"try": ["any"]}},
}


def layers(image: Image, asked: Instruction, answer: Answer, n: int, repeats: int) -> list[Timing]:
    """A row for each layer a request passes, in its order."""
    request = Request(image, asked, tags={"camera": "9"})
    query = Query(asked.task, image, asked.targets)
    (prediction,) = FakeBackend(script=answer).predict([query])
    plain, five = compile_policy(load_policy("default")), compile_policy(load_policy(_RULES))
    limits, breaker = {"score": Limit(min=0.5)}, Breaker()
    worker = Worker(FakeBackend(script=answer, inline=False, remember=False))
    decision = _decision(request)

    def guarded() -> None:
        breaker.allow()
        breaker.success(1.0)

    def hop() -> object:
        return worker.submit(query).future.result()

    calls: dict[str, Callable[[], object]] = {
        "request": lambda: Request(image, asked, tags=request.tags),
        "policy, default": lambda: plain.select(request, request.context),
        "policy, five CEL rules": lambda: five.select(request, request.context),
        "query": lambda: Query(asked.task, image, asked.targets),
        "breaker, allow and success": guarded,
        "queue hop and back, with the backend's call": hop,
        "output contract": lambda: check_prediction(query, prediction),
        "verdict": lambda: judge(prediction, limits),
        "decision": lambda: _decision(request),
        "result": lambda: Result(
            request.id,
            Task.DETECT,
            Outcome.ACCEPTED,
            decision,
            image.size,
            prediction.payload,
            sources=("fake",),
        ),
    }
    try:
        return repeated(calls, n, repeats)
    finally:
        worker.close()


def _decision(request: Request) -> Decision:
    return Decision(
        request_id=request.id,
        task=Task.DETECT,
        instruction=request.instruction.text,
        outcome=Outcome.ACCEPTED,
        reason=Reason.WITHIN_LIMITS,
        policy="default",
        policy_hash="",
        rule="default",
        tags=request.tags,
    )
