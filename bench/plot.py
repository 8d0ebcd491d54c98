"""Plots as SVG: lines over a logarithmic x axis, the y axis from zero."""

import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 72, 150, 36, 44
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b8860b")


def short(number):
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.3g}"


def step_of(greatest):
    """A round distance of at most five lines up to the greatest value."""
    raw = greatest / 4
    power = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)


def svg(title, x_name, y_name, lines):
    """lines: {name: [(x > 0, y)]}"""
    points = [point for line in lines.values() for point in line]
    least, most = (math.log10(edge(x for x, _ in points)) for edge in (min, max))
    most = most if most > least else least + 1
    step = step_of(max(y for _, y in points) or 1)
    top = step * math.ceil(max(y for _, y in points) / step) or step
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def at(x, y):
        return (LEFT + (math.log10(x) - least) / (most - least) * (right - LEFT), bottom - y / top * (bottom - TOP))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="20" font-size="14">{html.escape(title)}</text>']
    y = 0.0
    while y <= top * 1.001:
        height = at(10 ** least, y)[1]
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{short(y)}</text>')
        y += step
    for x in sorted({x for x, _ in points}):
        place = at(x, 0)[0]
        out.append(f'<text x="{place:.1f}" y="{bottom + 16}" text-anchor="middle">{short(x)}</text>')
    out.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(x_name)}</text>')
    out.append(f'<text x="8" y="{TOP - 2}">{html.escape(y_name)}</text>')
    for i, (name, line) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        places = [at(*point) for point in sorted(line)]
        out.append('<polyline fill="none" stroke-width="2" stroke="%s" points="%s"/>' %
                   (colour, " ".join(f"{x:.1f},{y:.1f}" for x, y in places)))
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        out.append(f'<text x="{right + 8}" y="{TOP + 14 + 18 * i}" fill="{colour}">{html.escape(name)}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"
