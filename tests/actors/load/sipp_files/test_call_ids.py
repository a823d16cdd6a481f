"""Call-IDs of `-cid_str`."""

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.sipp_files.call_ids import check_form, filled


@pytest.mark.parametrize(
    ("form", "found"),
    [("%u-%p@%s", "7-42@192.0.2.1"), ("own///%u", "own///7"), ("100%%-%u%u", "100%-77"), ("%s%p%u", "192.0.2.1427")],
)
def test_places_are_filled_in(form: str, found: str) -> None:
    check_form(form)
    assert filled(form, 7, 42, "192.0.2.1") == found


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("", "write 1 to 128 characters"),
        ("a %u", "without blanks"),
        ("%u\r\nX: y", "without blanks"),
        ("%u" * 65, "1 to 128"),
        ("%x-%u", "%x is unknown; write %u, %p, %s or %%"),
        ("%u-%", "% is unknown"),
        ("%%u", "all calls would have one Call-ID"),
        ("%p@%s", "all calls would have one Call-ID"),
    ],
)
def test_a_form_that_cannot_be_says_what_to_write(form: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_form(form)
