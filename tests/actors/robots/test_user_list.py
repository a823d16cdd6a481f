"""The users of a registrar and proxy are read again: new passwords, users that have gone, and a list with a fault."""

from pathlib import Path

import pytest

from sipswarm.actors.config import ServerConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.robots.domains import Domains
from sipswarm.actors.robots.user_list import UserList


def domains_of(users: str) -> Domains:
    return Domains(ServerConfig(realm="example.org", users=users), lambda host: False, [5060])


def test_what_is_asked_about_users_follows_the_list(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("user,password\nalice,one\nbob,two\n")
    domains = domains_of(str(path))
    knows, password_of = domains.knows, domains.password_of
    assert knows is not None
    assert ([knows(each) for each in ("alice", "bob", "carol")], password_of("alice")) == ([True, True, False], "one")
    path.write_text("user,password\nalice,new\ncarol,three\n")
    assert password_of("alice") == "one"
    domains.reload()
    assert ([knows(each) for each in ("alice", "bob", "carol")], password_of("alice")) == ([True, False, True], "new")
    path.write_text("user\nalice\n")
    with pytest.raises(ConfigurationError, match="there is no column password"):
        domains.reload()
    assert password_of("carol") == "three"


def test_without_a_list_everybody_is_a_user_and_nothing_is_read() -> None:
    domains = domains_of("")
    domains.reload()
    assert (domains.knows, domains.password_of("alice")) == (None, None)


def test_each_reload_is_reported_and_one_with_a_fault_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "users.csv"
    path.write_text("user,password\nalice,one\n")
    domains = domains_of(str(path))
    swept: list[str | None] = []
    reported: list[str] = []

    def forget_strangers() -> int:
        swept.append(domains.password_of("alice"))
        return 1

    users = UserList(domains, forget_strangers, reported.append)
    path.write_text("user,password\nalice,two\n")
    users.reload()
    assert (swept, reported) == (["two"], [""])
    path.unlink()
    users.reload()
    assert (swept, len(reported), domains.password_of("alice")) == (["two"], 2, "two")
    assert "No such file" in reported[1]
    assert "the users before stay" in caplog.text
