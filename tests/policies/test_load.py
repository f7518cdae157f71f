"""Loading: what is read, what is refused and how that is said."""

import contextlib
import os
import random

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from visionrouter.policies import Policy, compile_policy, load_policy, preset_names
from visionrouter.schema.errors import PolicyError
from visionrouter.schema.route import ALWAYS, BY_LIMITS, Accept, Choice, Limit, Route

FULL = """\
# a policy that uses every key
schema_version: 1
name: street
description: Everything a policy can say.
licences: {deny: [AGPL-3.0, non-commercial]}
rules:
  - name: pedestrians-at-night
    description: Two must be asked before giving up.
    when: 'request.task == "detect" && request.tags["weather"] == "night"'
    route:
      try: [nanodet, {backend: nano, accept: {evidence: {code_residual: {max: 0.02}}}}]
      accept: always
      on_error: abstain
      otherwise: best_effort
      attempt_timeout_ms: 500
      reserve_ms: 100
      deadline_ms: 2000
default:
  route: {try: [any]}
"""


def write(folder, text, name="p.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_every_key_reaches_the_route(tmp_path):
    policy = load_policy(write(tmp_path, FULL))
    compiled = compile_policy(policy)
    assert compiled.rules[0].selected.route == Route(
        try_=(
            Choice("nanodet"),
            Choice("nano", Accept("evidence", {"code_residual": Limit(max=0.02)})),
        ),
        accept=ALWAYS,
        on_error="abstain",
        otherwise="best_effort",
        attempt_timeout_ms=500.0,
        reserve_ms=100.0,
        deadline_ms=2000.0,
    )
    assert compiled.default == Route((Choice("any"),), BY_LIMITS, "continue", "abstain")
    assert not compiled.licences.permits("AGPL-3.0-or-later")


def edit(old, new):
    assert old in FULL
    return FULL.replace(old, new)


MISTAKES = {
    "unknown key": (edit("otherwise:", "otherwize:"), ":14: rules[0].route.otherwize (rule", 'did you mean "otherwise"?'),
    "unknown value": (edit("best_effort", "best-effort"), ":14: rules[0].route.otherwise", 'did you mean "best_effort"?'),
    "unknown accept": (edit("accept: always", "accept: allways"), ":12: rules[0].route.accept", 'did you mean "always"?'),
    "key of a choice": (edit("backend: nano", "backnd: nano"), ":11: rules[0].route.try[1].backnd", 'did you mean "backend"?'),
    "unknown bound": (edit("max: 0.02", "mx: 0.02"), ":11: rules[0].route.try[1].accept.evidence.code_residual.mx", "is not a key here"),
    "empty interval": (edit("max: 0.02", "min: 1, max: 0"), "evidence.code_residual", "no number is from min 1.0 to max 0.0"),
    "no bound": (edit("{max: 0.02}", "{}"), "evidence.code_residual", "bounds nothing"),
    "no evidence": (edit("{code_residual: {max: 0.02}}", "{}"), "accept.evidence", "at least 1"),
    "a planned key": (edit("reserve_ms: 100", "retry_after: 100"), "retry_after", "is not a key here"),
    "no default": (FULL[: FULL.index("default:")], ":2: default", "is missing"),
    "default with when": (FULL + "  when: 'true'\n", ":20: default.when", "is not a key here (keys: route)"),
    "empty try": (edit("{try: [any]}", "{try: []}"), ":19: default.route.try", "at least 1"),
    "twice in try": (edit("{try: [any]}", "{try: [any, any]}"), "default.route", 'try names "any" twice'),
    "zero timeout": (edit("timeout_ms: 500", "timeout_ms: 0"), ":15: rules[0].route.attempt_timeout_ms", "greater than 0, got 0"),
    "infinite timeout": (edit("timeout_ms: 500", "timeout_ms: .inf"), "attempt_timeout_ms", "got inf"),
    "text for a number": (edit("timeout_ms: 500", "timeout_ms: 500ms"), "attempt_timeout_ms", 'got "500ms"'),
    "truth for a number": (edit("timeout_ms: 500", "timeout_ms: yes"), "attempt_timeout_ms", "got True"),
    "huge number": (edit("timeout_ms: 500", f"timeout_ms: 0x{'f' * 9000}"), "attempt_timeout_ms", "beyond 64 bits"),
    "a percentile of all": (edit("reserve_ms: 100", "hedge_after: p100"), "hedge_after", "p95"),
    "hedge without time": (edit("reserve_ms: 100", "hedge_after: 0"), "hedge_after", "greater than 0"),
    "hedge with a budget of all": (
        edit("reserve_ms: 100", "hedge_after: {wait: 20, budget: 1.5}"), "hedge_after.budget", "less than 1",
    ),
    "hedge where all are asked": (edit("reserve_ms: 100", "hedge_after: 5\n      merge: true"), "rules[0].route", "nobody to hedge"),
    "reserve of all": (edit("reserve_ms: 100", "reserve_share: 1"), "rules[0].route.reserve_share", "less than 1"),
    "reserve as a per cent": (edit("reserve_ms: 100", "reserve_share: 50%"), "reserve_share", 'got "50%"'),
    "two reserves": (
        edit("reserve_ms: 100", "reserve_ms: 100\n      reserve_share: 0.5"), "rules[0].route", "drop one of the two",
    ),
    "reserve over deadline": (edit("reserve_ms: 100", "reserve_ms: 2000"), "rules[0].route", "leaves nothing"),
    "future version": (edit("version: 1", "version: 2"), ":2: schema_version", "2 is not one of 1"),
    "bad name": (edit("name: street", "name: 'my street'"), ":3: name", "is not a name"),
    "rule called default": (edit("pedestrians-at-night", "default"), "policy", 'rule name "default" is the name of the last'),
    "condition": (edit("request.task", "request.tsk"), ":9: rules[0].when (rule 'pedestrians-at-night')", 'did you mean "task"?'),
    "condition quoted": (edit("request.task", "request.tsk"), "`request.tsk ==", "no field 'tsk'"),
    "condition not text": (edit("when: 'request", "when: true #"), ":9: rules[0].when", "valid string, got True"),
    "rules as mapping": (edit("  - name: ped", "    name: ped"), ":6: rules", "should be a list"),
    "route as text": (edit("{try: [any]}", "any"), ":19: default.route", 'a mapping of keys to values, got "any"'),
    "duplicate key": (edit("reserve_ms: 100", "try: [nano]"), "p.yaml:16", "'try' is given twice (first on line 11)"),
    "key not text": (edit("description: Every", "on: Every"), "p.yaml:4", "'on' is not text; put it in quotes"),
    "merge key": (edit("description: Every", "<<: {}\nd: Every"), "p.yaml:4", "merges with <<"),
    "object tag": (edit("{try: [any]}", "!!python/object:os.system {}"), "p.yaml:19", "only plain mappings and lists"),
    "scalar tag": (edit("[any]", "!!python/name:os.system x"), "p.yaml:19", "could not determine a constructor"),
    "broken YAML": (edit("{try: [any]}", "{try: [any"), "p.yaml:20", "not valid YAML"),
    "two documents": (FULL + "---\na: 1\n", "p.yaml:20", "found another document"),
    "empty": ("# nothing\n", "p.yaml", "is empty"),
    "a list": ("- 1\n", "p.yaml:1: policy", "a mapping of keys to values"),
    "deep": ("[" * 5000, "p.yaml:1", "nested deeper than 32"),
    "alias bomb": ("a: &a [1]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
                   "p.yaml", "grows without bound through its aliases"),
    "alias of itself": ("&a [*a]\n", "p.yaml:1", "grows without bound"),
    "too many values": ("[" + "1," * 30_000 + "]", "p.yaml:1", "more than 20,000"),
    "too big": ("#" * (1 << 20) + "\n" + FULL, "p.yaml", "over the cap of 1,048,576"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "where", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_error_that_says_where_and_what(tmp_path, text, where, said):
    with pytest.raises(PolicyError) as caught:
        load_policy(write(tmp_path, text))
    message = str(caught.value)
    assert str(tmp_path / "p.yaml") in message
    assert where in message
    assert said in message
    assert len(message) < 2000


def test_every_mistake_of_a_file_is_told_at_once(tmp_path):
    text = FULL.replace("best_effort", "besteffort").replace("[any]", "[]").replace("max: 0.02", "max: hot")
    with pytest.raises(PolicyError) as caught:
        load_policy(write(tmp_path, text))
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["11", "14", "19"]


def test_an_alias_of_a_value_is_fine(tmp_path):
    text = FULL.replace("default:\n  route: {try: [any]}", "default:\n  route: &r {try: [any]}").replace(
        "licences:", "x: 1\nlicences:"
    )
    with pytest.raises(PolicyError, match="x: is not a key"):
        load_policy(write(tmp_path, text))
    shared = "schema_version: 1\nname: p\nrules: [{name: a, when: 'true', route: &r {try: [any]}}]\ndefault: {route: *r}\n"
    policy = load_policy(write(tmp_path, shared))
    assert policy.rules[0].route == policy.default.route


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_named_as_its_file_and_loads(name):
    policy = load_policy(name)
    assert policy.name == name
    assert policy.description
    assert load_policy(policy) is policy


def test_presets_do_what_their_names_say():
    assert preset_names() == (
        "ab", "default", "generative-first", "safety-critical", "shadow", "specialist-only",
    )  # fmt: skip
    routes = {name: compile_policy(load_policy(name)).default for name in preset_names()}
    tried = {name: [choice.backend for choice in route.try_] for name, route in routes.items()}
    assert tried["default"] == tried["safety-critical"] == ["specialist", "generative"]
    assert tried["generative-first"] == ["generative", "specialist"]
    assert tried["specialist-only"] == ["specialist"]
    assert {name for name, route in routes.items() if route.otherwise == "abstain"} == {"safety-critical"}
    assert all(route.accept == BY_LIMITS for route in routes.values())
    reserves = {name: route.reserve_share for name, route in routes.items()}
    assert reserves.pop("generative-first") == 0.25
    assert set(reserves.values()) == {0.5}
    (split,), (beside,) = (load_policy(name).experiment for name in ("ab", "shadow"))
    assert ([arm.weight for arm in split.arms], split.shadow) == ([0.5, 0.5], 0)
    assert ([arm.weight for arm in beside.arms], beside.shadow) == ([1, 0], 0.1)
    assert routes["ab"] == routes["shadow"] == routes["default"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("safety-critcal", 'neither a preset nor a file; did you mean "safety-critical"?'),
        ("no/such.yaml", "neither a preset nor a file"),
        ("", "is not a file"),
        ("x\0y", "neither a preset nor a file"),
        ("x" * 5000, "cannot be read"),
        ("\ud800", "neither"),
    ],
)
def test_a_source_that_is_not_there_is_an_error(source, said):
    with pytest.raises(PolicyError) as caught:
        load_policy(source)
    assert said in str(caught.value)


def test_a_folder_a_pipe_and_foreign_text_are_errors(tmp_path):
    with pytest.raises(PolicyError, match="is not a file"):
        load_policy(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PolicyError, match="is not a file"):
        load_policy(tmp_path / "pipe")
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(PolicyError, match="not UTF-8 text"):
        load_policy(tmp_path / "latin.yaml")


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True).filter(lambda n: n != "default")
numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)
limits = st.one_of(
    st.fixed_dictionaries({"min": numbers}),
    st.fixed_dictionaries({"max": numbers}),
    st.tuples(numbers, numbers).map(lambda p: {"min": min(p), "max": max(p)}),
)
evidence = st.dictionaries(st.sampled_from(["score", "code_residual", "geo.angle"]), limits, min_size=1)
accepts = st.sampled_from(["limits", "always"]) | st.fixed_dictionaries({"evidence": evidence})
backends = st.sampled_from(["generative", "specialist", "any", "nano", "nanodet", "vendor/model-1.5"])
routes = st.fixed_dictionaries(
    {
        "try": st.lists(
            backends | st.fixed_dictionaries({"backend": backends}, optional={"accept": accepts}),
            min_size=1,
            max_size=4,
            unique_by=lambda c: c if isinstance(c, str) else c["backend"],
        )
    },
    optional={
        "accept": accepts,
        "on_error": st.sampled_from(["continue", "abstain"]),
        "otherwise": st.sampled_from(["abstain", "best_effort"]),
        "attempt_timeout_ms": st.integers(1, 10_000) | st.floats(0.5, 1e4),
        "deadline_ms": st.integers(501, 10_000),
    },
)
reserves = st.fixed_dictionaries({}, optional={"reserve_ms": st.integers(0, 500)}) | st.fixed_dictionaries(
    {"reserve_share": st.floats(0, 0.99)}
)
routes = st.tuples(routes, reserves).map(lambda parts: {**parts[0], **parts[1]})
whens = st.sampled_from(
    ["true", "image.width > 3", 'request.task == "pose"', '"a" in request.tags && !request.has_prompts']
)
policies = st.fixed_dictionaries(
    {"schema_version": st.just(1), "name": names, "default": st.fixed_dictionaries({"route": routes})},
    optional={
        "description": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
        "licences": st.fixed_dictionaries(
            {}, optional={"deny": st.lists(names), "allow": st.lists(names, min_size=1)}
        ),
        "rules": st.lists(
            st.fixed_dictionaries({"name": names, "when": whens, "route": routes}),
            unique_by=lambda r: r["name"],
            max_size=3,
        ),
    },
)


def shuffled(data, rng):
    """The same data with the keys of every mapping in another order."""
    if isinstance(data, dict):
        return {key: shuffled(data[key], rng) for key in rng.sample(sorted(data), len(data))}
    return [shuffled(item, rng) for item in data] if isinstance(data, list) else data


@settings(deadline=None, max_examples=60)
@given(policies, st.randoms(use_true_random=False))
def test_the_digest_survives_yaml_key_order_and_spelled_out_defaults(
    tmp_path_factory, data, rng: random.Random
):
    policy = load_policy(data)
    folder = tmp_path_factory.mktemp("p")
    for n, text in enumerate(
        [
            yaml.safe_dump(policy.canonical(), allow_unicode=True),
            yaml.safe_dump(shuffled(data, rng), sort_keys=False, default_flow_style=True),
            "# a comment\n"
            + yaml.safe_dump(policy.model_dump(mode="json", by_alias=True, exclude_none=True)),
        ]
    ):
        again = load_policy(write(folder, text, f"{n}.yaml"))
        assert again == policy
        assert again.digest == policy.digest
    assert compile_policy(again).default == compile_policy(policy).default


@settings(deadline=None, max_examples=40)
@given(policies, policies)
def test_different_policies_have_different_digests(first, second):
    a, b = load_policy(first), load_policy(second)
    assert (a.digest == b.digest) == (a == b)


def test_the_digest_is_pinned():
    """Ledgers and certificates keep digests for years: one that changes without a new schema_version is a defect."""
    assert load_policy("default").digest == load_policy(load_policy("default").canonical()).digest
    data = yaml.safe_load(FULL)
    assert load_policy(data).digest == "798f70e03b70040f8a5656404042a2225fd60bdaccc237f3699a68f3b425e0a1"


def test_a_policy_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_policy("default").name = "other"


TEXTS = [
    "schema_version",
    "name",
    "rules",
    "default",
    "route",
    "try",
    "when",
    "accept",
    "evidence",
    "max",
    "deny",
    "licences",
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TEXTS)
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda t: t.encode("utf-8", "surrogatepass")))
@example(b"!!map foo")
@example(b"? [a]\n: b")
@example(b"!!str [a]: b")
@example(b"a: !!int x")
@example(b"a: !!timestamp 9999-99-99")
@example(b"\xff\xfe")
@example(b"a: *b")
@example(b"%YAML 9.9\n---\na")
@example(b"a: !!binary x")
def test_any_bytes_are_a_policy_or_a_policy_error(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "garbage.yaml"
    path.write_bytes(raw)
    with pytest.raises(PolicyError):
        load_policy(path)


@settings(deadline=None, max_examples=150)
@given(documents)
def test_any_document_is_a_policy_or_a_policy_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "document.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8", errors="surrogatepass")
    with pytest.raises(PolicyError):
        load_policy(path)


@settings(deadline=None, max_examples=150)
@given(policies, st.data())
def test_a_valid_policy_with_one_value_replaced_loads_or_is_a_policy_error(data, draw):
    places = list(_places(data))
    holder, key = draw.draw(st.sampled_from(places))
    holder[key] = draw.draw(documents)
    with contextlib.suppress(PolicyError):
        assert isinstance(load_policy(data), Policy)


def _places(data):
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield data, key
        yield from _places(value)
