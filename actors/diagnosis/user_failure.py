"""The failure of a function that the user gave, which is never reported as one of this program. Pure data."""


class UserCodeFailed(Exception):
    """A function of the user raised an exception, which is the `__cause__` of this one.

    Args:
        what: the function, such as "the callback cb_final".
        where: its file and line, as "FILE:LINE"; empty when they are not known.
    """

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} failed at {where}" if where else f"{what} failed")
        self.what = what
        self.where = where

    def within(self, name: str) -> str:
        """Return the text with the name of the call or other object that the function was called for."""
        return f"{self.what} of {name} failed{f' at {self.where}' if self.where else ''}"


def user_error(error: BaseException) -> BaseException:
    """Return the exception of the user's function; any other error itself."""
    if isinstance(error, UserCodeFailed) and error.__cause__ is not None:
        return error.__cause__
    return error
