"""Leniencies: the faults of peers that are read all the same, by name.

A fault that costs its message is an error (`errors`), one that does not is a leniency. Messages and session
descriptions use the same names, which are counted and documented by their values. How a SIP header is mended stands in
`message.mending`; a description mends its lines where it reads them.
"""

from enum import Enum


class Leniency(Enum):
    """A fault of a peer that does not cost its message."""

    AGREEING_HEADERS = "agreeing_headers"
    """A header that stands once by RFC 3261 7.3.1 is there again with the same value; in a response, and of
    Max-Forwards in any message, the first holds."""
    DOUBLED_PARAMETER = "doubled_parameter"
    """A parameter is there twice with one value, such as `;tag=1;tag=1`."""
    CONTRADICTING_PARAMETER = "contradicting_parameter"
    """A parameter is there twice with two values; in a response the first holds."""
    EMPTY_PARAMETER = "empty_parameter"
    """A semicolon at the end, or two in a row, with nothing behind it."""
    EMPTY_VALUE = "empty_value"
    """A parameter has an equals sign and no value, such as `;rport=`; it counts as one without the sign."""
    UNREADABLE_PARAMETER = "unreadable_parameter"
    """A header parameter that is no name and value is left out."""
    UNQUOTED_NAME = "unquoted_name"
    """A display name holds what needs quotes and has none, or is quoted in part."""
    BLANKS_IN_BRACKETS = "blanks_in_brackets"
    """Blanks between an angle bracket and its URI."""
    EMPTY_USER = "empty_user"
    """A URI has an at sign and no user in front of it."""
    UNESCAPED_AT = "unescaped_at"
    """An at sign in the parameters or headers of a URI is not written as %40."""
    UNQUOTED_LIST = "unquoted_list"
    """A list in an authentication parameter has no quotes, such as `qop=auth,auth-int`."""
    UNREADABLE_ELEMENT = "unreadable_element"
    """One value of a list header cannot be read; the others count."""
    UNREADABLE_FIELD = "unreadable_field"
    """A field that the transaction does not need cannot be read and counts as absent."""
    UNREADABLE_LINE = "unreadable_line"
    """A line among the headers of a response is no header and is left out."""
    LONG_LINE = "long_line"
    """A line of a response is longer than any we take; its reason phrase is cut, a header is left out."""
    MANY_HEADERS = "many_headers"
    """A response has more headers than we take; the last ones are left out."""
    BARE_LINE_ENDS = "bare_line_ends"
    """The start line and all headers end with LF alone; only in datagrams."""
    WRONG_LENGTH = "wrong_length"
    """The Content-Length of a response is not that of its body; what came is the body."""
    NO_CONTACT = "no_contact"
    """An INVITE or its 2xx has no Contact that names a URI; requests go to the URI that was called, or to From."""
    EARLY_ANSWER = "early_answer"
    """A 2xx has no answer, and the description of an unreliable 1xx of its dialog is taken for it."""
    SDP_LINE = "sdp_line"
    """A line of a description is empty or not of the form x=… and is left out."""
    SDP_BLANKS = "sdp_blanks"
    """White space behind a flag such as `a=sendonly`, or a bare CR."""
    SDP_ORIGIN = "sdp_origin"
    """The o= line has a name with blanks, a version that is no number, or another number of fields."""
    SDP_CONNECTION = "sdp_connection"
    """A c= line cannot be read; the media lines that it is for count as refused."""
    SDP_MEDIA_LINE = "sdp_media_line"
    """An m= line has no formats, or cannot be read; it counts as refused."""
    SDP_END = "sdp_end"
    """A NUL, and what follows it, stands behind the description."""


Used = dict[Leniency, None]
"""The leniencies that a mend took, in order, each once."""
