"""What a student might put wherever text is theirs to choose."""

from hypothesis import strategies as st

ATTACKS = (
    "<script>alert(1)</script>",
    "</script></style></title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% include 'base.html' %}",
    "]]><x/><!--",
    "&lt;b&gt; &amp; &#60;",
    "javascript:alert(1)",
    "[link](javascript:alert(1)) ![i](https://evil.example/i.png)",
    "https://evil.example www.evil.example a@evil.example",
    "`` ` ``` | cell | <b>",
    "@everyone #1 *bold* _it_ ~~no~~ $x$",
    "::error::pwned",
    "##[error]pwned",
    "line\n::set-output name=x::y\r::stop-commands::z",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "abc\u202egnp.exe\u2066\u2069\u200f\u200b\u2028\u2029\x85",
    "[red]markup[/red] [link=https://evil.example]x[/link] :boom:",
    "e" + "\u0301" * 200,
    "\x00\x0b\x0c\ufffe\uffff\ud800",
    "x" * 5000,
)

PIECES = ("`", "|", ":", "::", "##[", "<", "@a", "#1", "\\", "\n", "*", "a", " ")

hostile_text = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(st.characters(), max_size=60),
    st.lists(st.sampled_from(ATTACKS), min_size=2, max_size=3).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
)
