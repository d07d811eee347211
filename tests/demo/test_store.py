"""Pages of the store against a model: what was there at a version is what a list at that version shows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.demo.entries import Stored
from exporter.demo.kinds import BY_PLURAL
from exporter.demo.store import Page, ResourceStore, Versions

SECRET = BY_PLURAL["secrets"]
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
NAMESPACES = st.sampled_from(["x", "x-1", "y"])
WRITES = st.lists(st.tuples(st.booleans(), NAMESPACES, NAMES), max_size=30)


def write(store: ResourceStore, versions: Versions, steps: list[tuple[bool, str, str]]) -> dict[str, int]:
    """Put or remove; returns key → version of what is there afterwards."""
    for put, namespace, name in steps:
        if put:
            metadata = {"namespace": namespace, "name": name}
            store.put(Stored(SECRET, {"kind": "Secret", "metadata": metadata}, versions.next()))
        else:
            store.remove(f"{namespace}/{name}")
    return {entry.key: entry.version for entry in store.all()}


@settings(max_examples=300, deadline=None)
@given(
    before=WRITES,
    after=WRITES,
    limit=st.integers(min_value=1, max_value=4),
    namespace=st.sampled_from(["", "x", "x-1", "z"]),
    selected=st.booleans(),
)
def test_pages_show_the_state_at_their_version(
    before: list[tuple[bool, str, str]],
    after: list[tuple[bool, str, str]],
    limit: int,
    namespace: str,
    selected: bool,
) -> None:
    versions = Versions()
    store = ResourceStore(SECRET, versions, history=1000)
    then = write(store, versions, before)
    at = versions.current
    steps = iter(after)
    expected = [key for key in sorted(then) if not namespace or key.startswith(f"{namespace}/")]
    if selected:
        expected = [key for key in expected if key[-1] in "ace"]
    found: list[tuple[str, int]] = []
    start = ""
    while True:
        keep = (lambda entry: entry.key[-1] in "ace") if selected else None
        page: Page = store.page(namespace, start, limit, at, keep)
        found += [(entry.key, entry.version) for entry in page.entries]
        if not selected:
            assert page.remaining == len(expected) - len(found)
        if not page.more:
            break
        assert len(page.entries) == limit
        start = page.last_key + "\x00"
        write(store, versions, [step for _, step in zip(range(3), steps, strict=False)])
    assert found == [(key, then[key]) for key in expected]


def test_a_position_survives_trimming_only_as_far_as_history_reaches() -> None:
    versions = Versions()
    store = ResourceStore(SECRET, versions, history=10)
    write(store, versions, [(True, "x", "a")] * 100)
    kept = versions.current - 5
    position = store.position(kept)
    changes, position, version = store.after(position)
    assert [change.version for change in changes] == list(range(kept + 1, versions.current + 1))
    assert (position, version) == (store.position_now(), versions.current)
