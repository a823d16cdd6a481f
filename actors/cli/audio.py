"""Audio files that calls are to send are read once before anything is sent, as the media worker will read them."""

from collections.abc import Sequence

from ..errors import ConfigurationError
from ..handle.demand import check_source, named_codecs


def check_audio(media: str, codecs: Sequence[str] = ()) -> None:
    """See that what `play:FILE` names can be sent, and a tone in each of the codecs, by name; any other media is.

    Raises:
        ConfigurationError: the file cannot be read, is no audio, or is too short or long; with what it is and the fix.
            Or the tone is too high.
    """
    kind, _, file = media.partition(":")
    if kind == "tone" and file:
        check_source(("tone", int(file)), named_codecs(codecs))
    if kind != "play":
        return
    from sipswarm.media.refusal import Refusal
    from sipswarm.media.sources import (  # only here: most runs need no numpy in this process
        FileFrames,
        Format,
        SourceError,
    )

    try:
        FileFrames(most=0).frames(file, Format("PCMU", 8000, 160, 160))
    except SourceError as error:
        fix = "; give an audio file that you may read" if error.cause is Refusal.NO_FILE else ""
        raise ConfigurationError(error.detail + fix) from error
