"""Known answers of the media: closed forms, limits and published figures, measured on the reference backend."""

from collections.abc import Callable, Iterator

from physnn.testing.answers.answer import Answer, at_least, at_most, close

Check = Callable[[], Iterator[Answer]]

ANSWERS: dict[str, Check] = {}
"""Subject -> what yields its comparisons."""

__all__ = ["ANSWERS", "Answer", "Check", "at_least", "at_most", "close"]
