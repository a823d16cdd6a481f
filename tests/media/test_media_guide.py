"""The guide docs/media.md: its code runs, and does what the guide says."""

import re
from pathlib import Path
from typing import Any

from sipswarm.media.messages import DigitsSent, DtmfReceived, StreamClosed

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "media.md"


def test_the_guides_call_carries_audio_and_digits() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code, str(GUIDE), "exec"), names)
    said = names["said"]
    assert "".join(event.event for event in said if isinstance(event, DtmfReceived)) == "159#"
    assert [event.status for event in said if isinstance(event, DigitsSent)] == ["OK"]
    finals = [event.statistics for event in said if isinstance(event, StreamClosed)]
    assert [final.packets_lost for final in finals] == [0, 0]
    assert min(final.mos for final in finals) > 4
