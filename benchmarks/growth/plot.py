"""Draw panels of lines on logarithmic axes: `python plot.py PICTURE.svg < PANELS.json`."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

# One colour and mark for each kind of library, whatever the panel: ours in blues, the published SDK in reds.
LOOKS = {
    "this project, send_many": ("#1f5fbf", "o", "-"),
    "this project, asynchronous send_many": ("#56a0e8", "s", "--"),
    "this project, send": ("#123a75", "D", "-"),
    "this project": ("#123a75", "D", "-"),
    "this project on aiohttp": ("#1f8a70", "P", "-"),
    "published SDK, batch": ("#e08a1e", "^", "--"),
    "published SDK, send": ("#c0392b", "v", "-"),
    "published SDK": ("#c0392b", "v", "-"),
    "MailBridge": ("#8e44ad", "X", "-"),
    "httpx by hand": ("#8a6d3b", "<", ":"),
    "aiohttp by hand": ("#7f8c8d", ">", ":"),
    "a socket by hand": ("#444444", ".", ":"),
}


def size(characters: float, _: object = None) -> str:
    """Return a size as it is labelled."""
    return f"{characters / 1024**2:g} MiB" if characters >= 1024**2 else f"{characters / 1024:g} KiB"


def plain(figure: float, _: object = None) -> str:
    """Return a figure without a power of ten."""
    return f"{figure:,g}"


def short(number: int) -> str:
    """Return a number as it fits below an axis."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:g}{name}"
    return str(number)


def main(picture: str, panels: list[dict[str, Any]]) -> None:
    """Draw."""
    import_module("matplotlib").use("svg")
    plt: Any = import_module("matplotlib.pyplot")
    ticker: Any = import_module("matplotlib.ticker")
    # With a fixed salt the same figures make the same file.
    plt.rcParams.update({"font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "poststack", "axes.titlesize": 11})
    figure, axes = plt.subplots(2, 2, figsize=(12, 9), layout="constrained", facecolor="white")
    for axis, panel in zip(axes.flat, panels, strict=True):
        for name, points in panel["lines"].items():
            colour, mark, style = LOOKS[name]
            axis.plot(*zip(*points, strict=True), color=colour, marker=mark, linestyle=style, markersize=6, label=name)
        if panel["limit"]:
            axis.axhline(panel["limit"], color="#222222", linewidth=1, linestyle=(0, (1, 3)))
            axis.annotate(
                f"goal: at most {panel['limit']:g} {panel['y']}",
                (0.99, panel["limit"]), xycoords=("axes fraction", "data"),
                xytext=(0, -12), textcoords="offset points", ha="right", fontsize=9,
            )  # fmt: skip
        axis.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"], xscale="log", yscale="log")
        low, high = axis.get_ylim()
        # A few labels at least, and not too many.
        axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high / low < 500 else (1,), numticks=20))
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))
        marked = sorted({point for points in panel["lines"].values() for point, _ in points})
        axis.set_xticks(marked, [size(one) if "size" in panel["x"] else short(one) for one in marked])
        axis.minorticks_off()
        axis.grid(color="#dddddd")
        axis.legend(fontsize=9, framealpha=0.9)
    figure.savefig(picture, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
