"""A page as a browser would understand it: elements, their text, and what the page can do."""

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser

_VOID = frozenset({"meta", "br", "hr", "img", "link", "input", "rect", "line", "circle", "path"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def find_all(self, tag: str | None = None, cls: str | None = None) -> list["Element"]:
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if (tag is None or child.tag == tag) and (cls is None or cls in child.classes):
                    found.append(child)
                found += child.find_all(tag, cls)
        return found

    def find(self, tag: str | None = None, cls: str | None = None) -> "Element":
        found = self.find_all(tag, cls)
        assert found, f"no <{tag} class={cls}>"
        return found[0]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(element)
        if tag not in _VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.here.tag == tag, f"</{tag}> closes <{self.here.tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment came into the page: {data[:80]}")


def read_html(page: str) -> Element:
    """The tree of ``page``; every element must be closed where it was opened."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    assert builder.here is builder.root, f"<{builder.here.tag}> is not closed"
    return builder.root


def assert_inert(root: Element, script: str = "") -> None:
    """The page runs no script but ``script``, loads and sends nothing; its links lead within it or to neighbours."""
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "nav", "section", "div", "p", "span"),
        *("h1", "h2", "h3", "a", "bdi", "strong", "code", "ul", "ol", "li", "dl", "dt", "dd", "figure", "figcaption"),
        *("svg", "g", "path", "rect", "line", "text", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("details", "summary"),
    }
    elements = root.find_all()
    assert [element.text for element in elements if element.tag == "script"] == ([script] if script else [])
    assert {element.tag for element in elements} - ({"script"} if script else set()) <= allowed
    for element in elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"<{element.tag} {name}>"
            assert name not in {"style", "src", "srcset", "srcdoc", "action", "formaction", "xlink:href"}
            assert name != "href" or value.startswith("#") or ":" not in value, value
    assert len(root.find_all("style")) == 1
    (policy,) = (
        meta.attributes["content"]
        for meta in root.find_all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    texts = {"style-src": root.find("style").text, **({"script-src": script} if script else {})}
    hashes = {name: f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for name, text in texts.items()}
    nothing = dict.fromkeys(("default-src", "base-uri", "form-action"), "'none'")
    assert rules == {**nothing, **hashes}


def assert_anchors(root: Element) -> None:
    """Ids are unique, and every link within the page has its target."""
    ids = [element.attributes["id"] for element in root.find_all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = {a.attributes["href"] for a in root.find_all("a")}
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    for element in root.find_all():
        if "aria-labelledby" in element.attributes:
            assert element.attributes["aria-labelledby"] in ids
