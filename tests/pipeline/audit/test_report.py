import io
from collections import Counter

from rich.console import Console

from artifactnet.pipeline.audit.report import MOST_ROWS, VerdictLine, print_verdicts, summary


def printed(lines: list[VerdictLine], total: int) -> str:
    console = Console(width=120, force_terminal=False, file=io.StringIO())
    print_verdicts(lines, total, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_clearest_cases_come_first_and_markup_is_text() -> None:
    text = printed(
        [
            VerdictLine("real", "real", 0.1, 0.0, None, 7),
            VerdictLine("[bold]x", "error", note="decode: [no]"),
            VerdictLine("ai-low", "ai", 0.8, 0.1, 0.05, 7),
            VerdictLine("ai-high", "ai", 0.9, 0.1, 0.02, 7),
        ],
        4,
    )
    order = [text.index(name) for name in ("ai-high", "ai-low", "real  ", "[bold]x")]
    assert order == sorted(order)
    assert "[no]" in text
    assert "0.050" in text


def test_long_catalogues_are_cut() -> None:
    lines = [VerdictLine(f"track-{n}", "ai", n / 100, 0.0) for n in range(60)]
    text = printed(lines, 900)
    assert text.count("track-") == MOST_ROWS
    assert f"{MOST_ROWS} of 900 tracks shown" in text


def test_terminal_commands_in_names_are_not_passed_on() -> None:
    text = printed([VerdictLine("\x1b]0;owned\x07", "ai", 0.9, 0.1, None, 7)], 1)
    assert "\x1b" not in text
    assert "owned" in text


def test_summary() -> None:
    assert summary(Counter(ai=2, error=1)) == "2 ai, 0 uncertain, 0 real, 1 error"
