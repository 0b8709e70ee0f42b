"""Elements of the page that is made in Python.

ElementTree escapes every text and attribute, so no string can become markup.
"""

from xml.etree.ElementTree import Element, SubElement, tostring

from apisnoop.coverage.share import Count, Share
from apisnoop.reports.wording import clean


def element(tag: str, *children: Element | str, **attributes: str) -> Element:
    """Make an element. Text is cleaned of control characters; `class_` stands for class, `_` in names for a hyphen."""
    made = Element(tag, {name.strip("_").replace("_", "-"): value for name, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + clean(child)
        else:
            last.tail = (last.tail or "") + clean(child)
    return made


def html_of(*elements: Element) -> str:
    """Write elements as HTML."""
    return "".join(tostring(made, encoding="unicode", method="html") for made in elements)


def bar(share: Share, count: Count) -> Element:
    """Draw a share: what is hit, what was answered with errors only (hatched), and the rest. Decoration only.

    An SVG, because the page's policy forbids inline styles.
    """
    hit, tried = share.hit(count), share.any
    svg = element("svg", class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
    _part(svg, "bar-none", 0, 100)
    if share.total:
        _part(svg, "bar-errors", 100 * hit / share.total, 100 * (tried - hit) / share.total)
        _part(svg, "bar-hit", 0, 100 * hit / share.total)
    return svg


def _part(svg: Element, name: str, start: float, width: float) -> None:
    if width:
        SubElement(svg, "rect", {"class": name, "x": f"{start:.3f}", "width": f"{width:.3f}", "height": "10"})
