"""Audio files that calls are to send are read once before anything is sent, as the media worker will read them."""

from ..errors import ConfigurationError


def check_audio(media: str) -> None:
    """See that what `play:FILE` names can be sent; any other media is.

    Raises:
        ConfigurationError: the file cannot be read, is no audio that we know, or is too short or too long.
    """
    kind, _, file = media.partition(":")
    if kind != "play":
        return
    from media.sources import FileFrames, Format, SourceError  # only here: most runs need no numpy in this process

    try:
        FileFrames(most=0).frames(file, Format("PCMU", 8000, 160, 160))
    except SourceError as error:
        reason = str(error).partition(": ")[2]
        raise ConfigurationError(f"{reason}; give a WAV file of PCM or G.711, or raw payload") from error
