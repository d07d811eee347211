"""Secret → the ExternalSecrets whose target it is."""

from __future__ import annotations

from collections.abc import Sequence


class Targets:
    """By namespace and Secret: nearly always one ExternalSecret, so a bare name, else a tuple of names."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str | tuple[str, ...]]] = {}

    def of(self, namespace: str, secret: str) -> Sequence[str]:
        """Names of the ExternalSecrets that have this Secret as target."""
        names = self._names.get(namespace, {}).get(secret, ())
        return (names,) if isinstance(names, str) else names

    def change(self, namespace: str, name: str, before: str, after: str) -> None:
        """The target of an ExternalSecret is now `after`, "" for none."""
        if before == after:
            return
        if before:
            self._unlink(namespace, before, name)
        if after:
            others = self.of(namespace, after)
            self._names.setdefault(namespace, {})[after] = (*others, name) if others else name

    def _unlink(self, namespace: str, secret: str, name: str) -> None:
        targets = self._names.get(namespace, {})
        left = tuple(other for other in self.of(namespace, secret) if other != name)
        if left:
            targets[secret] = left[0] if len(left) == 1 else left
        elif targets.pop(secret, None) is not None and not targets:
            del self._names[namespace]
