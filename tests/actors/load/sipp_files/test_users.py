"""Users of a load: each is in one worker, has one call at a time, and keeps its variables."""

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.sipp_files.users import Users
from sipswarm.actors.sipp.variables import Layout, Variables

LAYOUT = Layout((), ("calls",))


def test_each_user_belongs_to_one_worker_and_has_one_call_at_a_time() -> None:
    workers = [Users(5, first, 2, LAYOUT) for first in range(2)]
    taken = [[each.take() for _ in range(3)] for each in workers]
    assert taken == [[0, 2, 4], [1, 3, None]]
    workers[0].give_back(4)
    workers[0].give_back(0)
    assert [workers[0].take(), workers[0].take(), workers[0].take()] == [4, 0, None]


def test_the_calls_of_a_user_share_its_variables() -> None:
    users = Users(2, 0, 1, LAYOUT)
    Variables(LAYOUT, user=users.values(0))["calls"] = 1.0
    assert Variables(LAYOUT, user=users.values(0)).number("calls") == 1.0
    assert Variables(LAYOUT, user=users.values(1))["calls"] is None


def test_a_worker_without_a_user_is_an_error_that_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"2 rows of USER for 3 call workers.*--call-workers 1"):
        Users(2, 2, 3, LAYOUT)
