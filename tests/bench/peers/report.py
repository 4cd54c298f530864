"""Makes tables of the results: the median over the rounds, with the lowest and the highest if they differ."""

import statistics

from .cases import CASES

BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"
# figure: the head of its column
COLUMNS = {
    "rate": "a second",
    "of_raw": "of raw",
    "confirm_p50_ms": "to confirm, ms: p50",
    "confirm_p99_ms": "p99",
    "deliver_p50_ms": "to deliver, ms: p50",
    "deliver_p99_ms": "p99",
    "cpu_seconds_per_million": "CPU s a million",
    "written_bytes_per_message": "bytes written a message",
    "resident_mb": "RSS, MB",
    "private_mb": "private, MB",
    "private_full_mb": "private, MB: full",
    "private_again_mb": "started again",
    "stop_s": "stop, s",
    "ready_after_stop_s": "ready after stop, s",
    "ready_after_kill_s": "ready after kill -9, s",
    "held_after_stop": "held after stop",
    "held_after_kill": "held after kill -9",
}
RAW = {"queue": "1,000 messages", "window1": "one message", "paced": "one message"}


def text(seen):
    parts = [head(seen["conditions"]), peers(seen)]
    for case, (_, _, title) in CASES.items():
        cells = [cell for cell in seen["cells"] if cell["case"] == case]
        if cells:
            parts.append(f"### {title}\n\n{table(case, cells)}\n{reference(case, cells)}")
    for failure in seen["failures"]:
        parts.append(f"Failed: {failure['peer']}, {failure['case']}, round {failure['round'] + 1}.\n")
    return "\n".join(parts)


def head(conditions):
    return (f"{conditions['date']}: {conditions['system']}, {conditions['machine']}, {conditions['memory_gb']} GB, "
            f"{conditions['file_system']}; load\nbefore the run {conditions['load_before']:.1f}; rounds: "
            f"{conditions['rounds']}, seconds a load: {conditions['seconds']}, held: {conditions['held']:,}.\n\n"
            f"```\n{conditions['command']}\n```\n")


def peers(seen):
    lines = ["| | version | its confirm says |", "|---|---|---|"]
    lines += [f"| {title} | {peer['version']} | {peer['promise']} |" for title, peer in seen["peers"].items()]
    lines += [f"\n{title} is left out: {why}." for title, why in seen["left_out"].items()]
    return "\n".join(lines) + "\n"


def table(case, cells):
    """Returns a table with one row for each peer, in the order of their first cells. Columns without a figure are left
    out."""
    for cell in cells:
        if "rate" in cell and case in ("queue", "window1", "log"):
            cell["of_raw"] = cell["rate"] / cell["raw_rate"]
    rows = {}
    for cell in cells:
        rows.setdefault(cell["peer"], []).append(cell)
    figures = [name for name in COLUMNS if any(cell.get(name) is not None for cell in cells)]
    if case == "paced":
        figures.remove("rate")
    lines = ["| | " + " | ".join(COLUMNS[name] for name in figures) + " |", "|---|" + "---:|" * len(figures)]
    for peer, of_peer in rows.items():
        values = [spread([cell[name] for cell in of_peer if cell.get(name) is not None]) for name in figures]
        lines.append(f"| {peer} | " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


def reference(case, cells):
    if case in ("fetch", "held"):
        return ""
    flush = spread([cell["raw_p50_ms"] for cell in cells])
    return (f"Raw, append + `fdatasync` of {RAW.get(case, 'a batch')} at a time, right before each cell: "
            f"{spread([cell['raw_rate'] for cell in cells])} messages a second, {flush} ms a flush (p50).\n")


def spread(values):
    if not values:
        return "-"
    median = number(statistics.median(values))
    if len(values) == 1 or number(min(values)) == number(max(values)):
        return median
    return f"{median} ({number(min(values))} - {number(max(values))})"


def number(value):
    """Formats a value with about three significant digits. Whole numbers, and values from 100 on, have no decimals."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 0.1 else 3}f}"


def write(path, measured):
    whole = path.read_text()
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")
