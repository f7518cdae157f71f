"""The page of backends says what the registry holds."""

from pathlib import Path

from visionrouter.backends.catalogue import document
from visionrouter.backends.registry import names

PAGE = Path(__file__).parents[2] / "docs" / "backends.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == document(), (
        "python -m visionrouter.backends.catalogue > docs/backends.md"
    )


def test_every_backend_has_a_row() -> None:
    page = document()
    assert all(f"| `{name}` |" in page for name in names())
