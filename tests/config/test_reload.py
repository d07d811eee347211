"""The watcher sees a change of content, however it came about, and nothing else."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import structlog.testing

from exporter.config.reload import ConfigWatcher, Reloader, ReloadState, watched_files
from exporter.config.settings import LogSettings, Settings, VaultServer, VaultSettings, WebSettings
from exporter.errors import ConfigError


def watcher(*files: Path) -> ConfigWatcher:
    return ConfigWatcher(lambda: [str(file) for file in files], lambda: None)


def test_same_content_is_no_change_whatever_the_times_say(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("a: 1")
    watch = watcher(file)
    os.utime(file, (1, 1))
    assert not watch.look()
    file.write_text("a: 1")
    assert not watch.look()


def test_new_content_is_a_change_once_even_with_the_old_times(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("a: 1")
    before = file.stat()
    watch = watcher(file)
    file.write_text("a: 2")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watch.look()
    assert not watch.look()


def test_a_swapped_configmap_is_a_change(tmp_path: Path) -> None:
    for version, content in (("v1", "a: 1"), ("v2", "a: 2")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "config.yaml").write_text(content)
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    watch = watcher(tmp_path / "config.yaml")

    (tmp_path / "..data_tmp").symlink_to("v2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert watch.look()


def test_a_file_that_vanishes_for_a_moment_is_no_change_but_one_that_stays_away_is(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("a: 1")
    watch = watcher(file)
    file.unlink()
    assert not watch.look()
    file.write_text("a: 1")
    assert not watch.look()

    file.unlink()
    assert not watch.look()
    assert watch.look()
    assert not watch.look()
    file.write_text("a: 1")
    assert watch.look()


def test_a_file_named_later_is_watched_from_then_on(tmp_path: Path) -> None:
    files = [tmp_path / "a"]
    files[0].write_text("1")
    watch = ConfigWatcher(lambda: [str(file) for file in files], lambda: None)
    files.append(tmp_path / "b")
    files[1].write_text("1")
    assert not watch.look()
    files[1].write_text("2")
    assert watch.look()


def test_the_thread_calls_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("a: 1")
    called = threading.Event()
    watch = ConfigWatcher(lambda: [str(file)], called.set, poll=0.01)
    assert not watch.alive()
    watch.start()
    assert watch.alive()
    file.write_text("a: 2")
    assert called.wait(30)
    watch.stop()
    assert not watch.alive()


def test_which_files_are_watched() -> None:
    settings = Settings(
        web=WebSettings(config_file="web.yaml"),
        vault=VaultSettings(servers=(VaultServer(name="a", ca_file="ca.pem"), VaultServer(name="b", ca_file="ca.pem"))),
    )
    assert watched_files(settings, "config.yaml") == ("config.yaml", "web.yaml", "ca.pem")
    assert watched_files(Settings()) == ()


def test_a_failed_reload_keeps_the_time_of_the_last_good_one() -> None:
    state = ReloadState(at=10.0)
    assert (state.successful, state.at) == (True, 10.0)
    state.failed()
    assert (state.successful, state.at) == (False, 10.0)
    state.succeeded(at=20.0)
    assert (state.successful, state.at) == (True, 20.0)


def test_a_good_configuration_is_taken_over_as_a_whole() -> None:
    taken: list[Settings] = []
    state = ReloadState(at=10.0)
    state.failed()
    new = Settings(log=LogSettings(level="debug"))
    with structlog.testing.capture_logs() as logged:
        assert Reloader(lambda: new, taken.append, state)("SIGHUP") == ""
    assert taken == [new]
    assert state.successful
    assert state.at > 10.0
    assert [(line["log_level"], line["reason"]) for line in logged] == [("info", "SIGHUP")]


@pytest.mark.parametrize("fails", ["source", "apply"])
def test_a_mistake_is_one_logged_sentence_and_changes_nothing(fails: str) -> None:
    def fail(*_):
        raise ConfigError("f.yaml, line 2: unknown key")

    taken: list[Settings] = []
    state = ReloadState(at=10.0)
    reload = Reloader(fail if fails == "source" else Settings, fail if fails == "apply" else taken.append, state)
    with structlog.testing.capture_logs() as logged:
        assert reload("SIGHUP") == "f.yaml, line 2: unknown key"
    assert taken == []
    assert (state.successful, state.at) == (False, 10.0)
    assert [(line["log_level"], line["error"]) for line in logged] == [("error", "f.yaml, line 2: unknown key")]
