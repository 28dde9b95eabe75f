"""Tables for people, as Markdown."""

from statistics import median

from driver.bars import Refused, path

PARTS = ("vestibule", "postgresql", "redis", "model", "client", "others")

COLUMNS = {
    "saturated": [
        ("CPU µs/token", "cpu_us_per_token", "{:.1f}"),
        ("tokens/s", "tokens_per_second", "{:,.0f}"),
        ("server busy", "server_busy", "{:.0%}"),
        ("others", "others_busy", "{:.0%}"),
        ("rig busy", "rig_busy", "{:.0%}"),
        ("user instr./token", "user_instructions_per_token", "{:,.0f}"),
    ],
    "paced": [
        ("CPU µs/token", "cpu_us_per_token", "{:.1f}"),
        ("token p50 µs", "token_us.p50", "{:,.0f}"),
        ("token p99 µs", "token_us.p99", "{:,.0f}"),
        ("first token p50 µs", "first_token_us.p50", "{:,.0f}"),
        ("user instr./token", "user_instructions_per_token", "{:,.0f}"),
    ],
    "turns": [
        ("turns/s", "requests_per_second", "{:,.0f}"),
        ("CPU µs/turn", "cpu_us_per_request", "{:,.0f}"),
        ("turn p50 µs", "whole_us.p50", "{:,.0f}"),
        ("turn p99 µs", "whole_us.p99", "{:,.0f}"),
        ("rig busy", "rig_busy", "{:.0%}"),
    ],
    "requests": [
        ("me/s", "me.requests_per_second", "{:,.0f}"),
        ("me CPU µs", "me.cpu_us_per_request", "{:.1f}"),
        ("JSON/s", "json.requests_per_second", "{:,.0f}"),
        ("JSON CPU µs", "json.cpu_us_per_request", "{:.1f}"),
        ("healthz/s", "healthz.requests_per_second", "{:,.0f}"),
        ("healthz CPU µs", "healthz.cpu_us_per_request", "{:.1f}"),
        ("rig busy", "rig_busy", "{:.0%}"),
    ],
    "authentication": [
        (f"{name} CPU µs", f"{key}.cpu_us_per_request", "{:.1f}")
        for name, key in (
            ("warm JWT", "warm"),
            ("cold JWT", "cold"),
            ("forged JWT", "forged"),
            ("the same again", "forged_again"),
            ("secret", "secret"),
            ("mint", "mint"),
            ("mint, one person", "mint_one"),
            ("refresh", "refresh"),
        )
    ],
    "flood": [
        ("unknown keys", "unknown_keys", "{:,.0f}"),
        ("fetches", "key_fetches", "{:.0f}"),
        ("others before p50 µs", "before.whole_us.p50", "{:,.0f}"),
        ("p99 µs", "before.whole_us.p99", "{:,.0f}"),
        ("during p50 µs", "during.whole_us.p50", "{:,.0f}"),
        ("p99 µs", "during.whole_us.p99", "{:,.0f}"),
    ],
    "long-thread": [
        ("peak MiB", "peak_mib", "{:.0f}"),
        ("others' lists idle p50 µs", "before.whole_us.p50", "{:,.0f}"),
        ("p99 µs", "before.whole_us.p99", "{:,.0f}"),
        ("meanwhile p50 µs", "during.whole_us.p50", "{:,.0f}"),
        ("p99 µs", "during.whole_us.p99", "{:,.0f}"),
    ],
    "readers": [("KiB/reader", "kib_per_reader", "{:.1f}"), ("readers", "completed", "{:.0f}")],
    "storm": [
        ("first token p50 µs", "first_token_us.p50", "{:,.0f}"),
        ("p99 µs", "first_token_us.p99", "{:,.0f}"),
        ("tokens", "tokens", "{:,.0f}"),
        ("KiB before", "pss_before_kib", "{:,.0f}"),
        ("KiB after", "pss_after_kib", "{:,.0f}"),
        ("rig busy", "rig_busy", "{:.0%}"),
    ],
    "neighbours": [
        ("alone p50 µs", "before.token_us.p50", "{:,.0f}"),
        ("p99 µs", "before.token_us.p99", "{:,.0f}"),
        ("beside them p50 µs", "during.token_us.p50", "{:,.0f}"),
        ("p99 µs", "during.token_us.p99", "{:,.0f}"),
    ],
    "kept-alive": [
        ("first token p50 µs", "first_token_us.p50", "{:,.0f}"),
        ("first token max µs", "first_token_us.max", "{:,.0f}"),
    ],
    "hold": [
        ("KiB/stream", "kib_per_stream", "{:.1f}"),
        ("CPU µs/stream", "cpu_us_per_stream", "{:,.0f}"),
        ("upstream left", "upstream_left", "{:.0f}"),
        ("descriptors left", "descriptors_left", "{:.0f}"),
        ("first token p99 µs", "first_token_us.p99", "{:,.0f}"),
    ],
    "slow": [
        ("token p50 µs", "token_us.p50", "{:,.0f}"),
        ("token p99 µs", "token_us.p99", "{:,.0f}"),
        ("server busy", "server_busy", "{:.0%}"),
        ("rig busy", "rig_busy", "{:.0%}"),
    ],
    "instructions": [
        ("user instr./token", "user_instructions_per_token", "{:,.0f}"),
        ("user instr./turn, beside its tokens", "user_instructions_per_turn", "{:,.0f}"),
    ],
    "turns-postgresql": [
        ("turns/s", "requests_per_second", "{:,.0f}"),
        ("CPU µs/turn", "cpu_us_per_request", "{:,.0f}"),
        ("PostgreSQL's", "postgresql_cpu_us_per_request", "{:,.0f}"),
        ("both", "whole_cpu_us_per_request", "{:,.0f}"),
        ("turn p50 µs", "whole_us.p50", "{:,.0f}"),
        ("turn p99 µs", "whole_us.p99", "{:,.0f}"),
        ("server busy", "server_busy", "{:.0%}"),
        ("rig's core busy", "rig_core_busy", "{:.0%}"),
        ("others", "others_busy", "{:.0%}"),
    ],
    "pages": [("filled in s", "fill_seconds", "{:.0f}"), ("others", "others_busy", "{:.0%}")],
    "pages, in steps": [
        (f"{part} {quantile} µs", f"{part}.whole_us.{quantile}", "{:,.0f}")
        for part in ("first", "middle")
        for quantile in ("p50", "p99")
    ],
    "sizing": [
        ("carried a second, of each", "rate", "{:,.0f}"),
        ("most reached", "reached", "{:,.0f}"),
        ("read p50 µs", "at_rate.read.whole_us.p50", "{:,.0f}"),
        ("p99 µs", "at_rate.read.whole_us.p99", "{:,.0f}"),
        ("first event p50 µs", "at_rate.begun.first_event_us.p50", "{:,.0f}"),
        ("p99 µs", "at_rate.begun.first_event_us.p99", "{:,.0f}"),
        ("errors", "failed", "{:.0f}"),
        *((f"cores: {part}", f"at_rate.cores.{part}", "{:.2f}") for part in PARTS),
    ],
    "sizing, in steps": [
        ("reads/s", "reads_per_second", "{:,.0f}"),
        ("runs/s", "runs_per_second", "{:,.0f}"),
        ("read p50 µs", "read.whole_us.p50", "{:,.0f}"),
        ("p99 µs", "read.whole_us.p99", "{:,.0f}"),
        ("first event p50 µs", "begun.first_event_us.p50", "{:,.0f}"),
        ("p99 µs", "begun.first_event_us.p99", "{:,.0f}"),
        ("sent late p99 µs", "begun.late_us.p99", "{:,.0f}"),
        ("errors", "failed", "{:.0f}"),
        *((f"cores: {part}", f"cores.{part}", "{:.2f}") for part in PARTS),
    ],
    "nodes": [
        ("one node, CPU µs/turn", "one.cpu_us", "{:,.0f}"),
        ("with half as many", "half.cpu_us", "{:,.0f}"),
        ("two", "two.cpu_us", "{:,.0f}"),
        ("ratio", "shared", "{:.2f}"),
        *((f"one: {part}", f"one.{part}", "{:,.0f}") for part in PARTS[:3]),
        *((f"two: {part}", f"two.{part}", "{:,.0f}") for part in PARTS[:3]),
        ("turn read at home, CPU µs", "turns_read.home.cpu_us", "{:,.0f}"),
        ("elsewhere", "turns_read.elsewhere.cpu_us", "{:,.0f}"),
        ("ratio", "turns_read.ratio", "{:.2f}"),
        ("token read at home, CPU µs", "tokens_read.home.cpu_us", "{:.1f}"),
        ("elsewhere", "tokens_read.elsewhere.cpu_us", "{:.1f}"),
        ("ratio", "tokens_read.ratio", "{:.2f}"),
        *((f"home: {part}", f"tokens_read.home.{part}", "{:.1f}") for part in PARTS[:3]),
        *((f"elsewhere: {part}", f"tokens_read.elsewhere.{part}", "{:.1f}") for part in PARTS[:3]),
    ],
    "smoke-authentication": [("failed", "failed", "{:.0f}")],
    "smoke": [("streams", "completed", "{:.0f}"), ("tokens", "tokens", "{:.0f}")],
}


def columns(scenario: str):
    return COLUMNS.get(scenario) or COLUMNS[scenario.split("-")[0]]


def line(cells) -> str:
    return "| " + " | ".join(cells) + " |"


def cell(rows, metric: str, form: str) -> str:
    """The median, and the range when there was more than one round."""
    values = []
    for row in rows:
        try:
            values.append(path(row, metric))
        except Refused:
            continue
    if not values:
        return "–"
    text = form.format(median(values))
    if len(values) > 1:
        text += f" ({form.format(min(values))}–{form.format(max(values))})"
    return text


def tables(rows) -> str:
    """One table for each scenario: the median of the rounds, with the least and the greatest."""
    lines = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == scenario]
        shown = [
            column for column in columns(scenario) if any(cell([row], *column[1:]) != "–" for row in mine)
        ]
        lines += ["", f"### {scenario}", ""]
        lines += [line(["server", *(name for name, *_ in shown)]), line(["---"] * (len(shown) + 1))]
        for server in dict.fromkeys(row["server"] for row in mine):
            valid = [row for row in mine if row["server"] == server and not row["faults"]]
            cells = [cell(valid, metric, form) for _, metric, form in shown]
            lines.append(line([server, *cells]))
        lines += steps(mine)
    return "\n".join(lines)


def steps(rows) -> list[str]:
    """The parts of a load that grew step by step."""
    found = [(row["server"], step) for row in rows for step in row.get("steps", ())]
    if not found:
        return []
    name = f"{rows[0]['scenario']}, in steps"
    shown = COLUMNS[name]
    lines = ["", f"### {name}", "", line(["server", "step", *(title for title, *_ in shown)])]
    lines.append(line(["---"] * (len(shown) + 2)))
    for server, label in dict.fromkeys((server, step["step"]) for server, step in found):
        mine = [step for of, step in found if (of, step["step"]) == (server, label)]
        lines.append(line([server, label, *(cell(mine, metric, form) for _, metric, form in shown)]))
    return lines


def verdicts(judged) -> str:
    """The bars with their ratios and spreads, and beside them what the limit line reaches."""
    lines = ["", "### Bars", ""]
    lines += [line(["bar", "measured", "spread", "limit", "", "the limit line"]), line(["---"] * 6)]
    for verdict, best in judged:
        unit = verdict["unit"]
        limit = f"{'≤' if verdict['at_most'] else '≥'} {verdict['limit']:g}{unit}"
        if "median" in verdict:
            number = "{:,.2f}" if abs(verdict["median"]) < 10 else "{:,.1f}"
            measured = number.format(verdict["median"]) + unit
            spread = f"{number.format(verdict['least'])}–{number.format(verdict['greatest'])}"
            mark = "holds" if verdict["holds"] else "**missed**"
        else:
            measured, spread, mark = "refused", "; ".join(sorted(set(verdict["refusals"]))), ""
        beside = f"{best['median']:,.2f}{unit}" if best and "median" in best else "–"
        lines.append(line([verdict["bar"], measured, spread, limit, mark, beside]))
    return "\n".join(lines)
