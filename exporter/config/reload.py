"""Reading the configuration again while the exporter runs: when it was tried last, and a watcher of the files it is made of."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from exporter.config.settings import Settings
from exporter.errors import ExporterError

log = structlog.stdlib.get_logger(__name__)

POLL_SECONDS = 5.0
"""How often files are looked at: a kubelet takes up to a minute to bring a changed ConfigMap, so this adds little."""


class ReloadState:
    """How the last load of the configuration ended; safe to read from any thread.

    `successful` is the value of eso_exporter_config_last_reload_successful; `at` (Unix seconds) is when a load last
    succeeded, the first load at start included.
    """

    def __init__(self, at: float | None = None) -> None:
        self.successful = True
        self.at = time.time() if at is None else at

    def succeeded(self, at: float | None = None) -> None:
        """A load went well; `at` is now unless given."""
        self.at = time.time() if at is None else at
        self.successful = True

    def failed(self) -> None:
        """A load failed and the old configuration stays."""
        self.successful = False


class Reloader:
    """Reads the configuration anew and has it taken over; a mistake keeps what was and is told in one logged sentence.

    `source` reads all sources again, `apply` takes the settings over as a whole; both raise ExporterError (ConfigError) for
    what cannot work. May be called from any thread, one call at a time does its work.
    """

    def __init__(self, source: Callable[[], Settings], apply: Callable[[Settings], None], state: ReloadState) -> None:
        self._source = source
        self._apply = apply
        self._state = state
        self._lock = threading.Lock()

    def __call__(self, reason: str) -> str:
        """Reload because of `reason`; returns "" or the sentence that tells why the old configuration stays."""
        with self._lock:
            try:
                self._apply(self._source())
            except ExporterError as error:
                self._state.failed()
                log.error("the new configuration is not good, the old one stays", reason=reason, error=str(error))
                return str(error)
            self._state.succeeded()
            log.info("the configuration was read again", reason=reason)
            return ""


def watched_files(settings: Settings, config_file: str = "") -> tuple[str, ...]:
    """Every file whose change asks for a reload: the configuration file and those that its settings name."""
    named = [config_file, settings.web.config_file, *(server.ca_file for server in settings.vault.servers)]
    # A token or password is read for each request; what makes a TLS context is not.
    named += [settings.alertmanager.ca_file, settings.alertmanager.cert_file, settings.alertmanager.key_file]
    return tuple(dict.fromkeys(name for name in named if name))


class ConfigWatcher:
    """A thread that calls `changed` when the content of one of the files becomes another.

    Contents are compared, not times: a ConfigMap is swapped by a symbolic link and may keep its times. A file that cannot be
    read counts as changed when the next look finds it so again, since an editor may make it vanish for a moment.

    `files` is asked at each turn, since a reload may name other files; `changed` must not raise.
    """

    def __init__(
        self, files: Callable[[], Iterable[str]], changed: Callable[[], None], poll: float = POLL_SECONDS
    ) -> None:
        self._files = files
        self._changed = changed
        self._poll = poll
        self._stop = threading.Event()
        self._known = {name: _digest(name) for name in files()}
        self._missing: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="config-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch; changes since the watcher was made count."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def look(self) -> bool:
        """Compare now; True when something changed. A file seen for the first time is no change."""
        found = {name: _digest(name) for name in self._files()}
        gone = {name for name, digest in found.items() if digest is None and self._known.get(name) is not None}
        for name in gone - self._missing:
            found[name] = self._known[name]
        self._missing = gone
        changed = [name for name, digest in found.items() if name in self._known and digest != self._known[name]]
        self._known = found
        for name in changed:
            log.info("a configuration file changed", file=name)
        return bool(changed)

    def _run(self) -> None:
        while not self._stop.wait(self._poll):
            if self.look():
                self._changed()


def _digest(name: str) -> str | None:
    """A hash of a file's content, or None when it cannot be read."""
    try:
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except OSError:
        return None
