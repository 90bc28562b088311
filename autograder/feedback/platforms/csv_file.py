"""A CSV file of a platform, changed in some cells and otherwise kept: separator, byte order mark, order."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from autograder.feedback.platforms import PlatformFileError

_MARK = "\ufeff"
_SEPARATORS = ",;\t"


@dataclass
class CsvFile:
    """The rows of a CSV file, the first with the headings.

    Attributes:
        path: the file that was read.
        rows: the cells; each row has at least as many as the headings.
    """

    path: Path
    rows: list[list[str]]
    _separator: str
    _mark: str

    @classmethod
    def read(cls, path: Path) -> "CsvFile":
        """Read a file with the separator that its headings use.

        Raises:
            PlatformFileError: the file cannot be read, or has no row besides the headings.
        """
        try:
            text = path.read_bytes().decode()
            mark = _MARK if text.startswith(_MARK) else ""
            text = text.removeprefix(mark)
            separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise PlatformFileError(
                f"{path} cannot be read as a CSV file in UTF-8: {error}; download it again"
            ) from None
        if len(rows) < 2:
            raise PlatformFileError(f"{path} lists no student; download it again")
        rows = [row + [""] * (len(rows[0]) - len(row)) for row in rows]
        return cls(path, rows, separator, mark)

    @property
    def headings(self) -> list[str]:
        """The headings without blanks around them."""
        return [heading.strip() for heading in self.rows[0]]

    def column(self, *names: str) -> int | None:
        """The index of the first heading among ``names``; None if the file has none of them."""
        return next((self.headings.index(name) for name in names if name in self.headings), None)

    def encoded(self) -> bytes:
        """The file as bytes."""
        text = io.StringIO()
        csv.writer(text, delimiter=self._separator, lineterminator="\n").writerows(self.rows)
        return (self._mark + text.getvalue()).encode()
