"""The one line that an error comes to: libraries bring pages.

Enters: an exception. Leaves: text for the end of a message of ours.
"""


def first_line(error: BaseException) -> str:
    """The first line of what ``error`` says; what it is where it says nothing."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), repr(error))
