"""Names as strangers give them to classes, runs, tags and files: each is to be shown as it is written."""

HOSTILE_NAMES = (
    '<a href="https://evil.example">cat</a>',
    "<b>bold</b><br>broken",
    "<script>window.ran=1</script>",
    "&lt;i&gt; &amp; &#8203;",
    "https://evil.example/cat",
    "www.evil.example",
    "mailto:cat@evil.example",
    "cat@evil.example",
    "[cat](https://evil.example)",
    "![cat](https://evil.example/cat.png)",
    "# Heading",
    "1. list",
    "**bold** _italic_ ~~gone~~",
    "`code` $x^2$ $$y$$",
    ":material/delete: :red[red] :smile:",
    "a -> b <- c --- d",
    "back\\slash \\* \\n",
    "=HYPERLINK(1)",
    "%{x} {{cat}} ${cat}",
    "\"quoted\" 'cat' | cat",
)
"""Of one line and without characters that are no text: those are refused where data come in."""

HOSTILE_CONTROLS = (
    "\x1b]0;owned\x07cat",
    "\x1b[2Jcat",
    "cat\rdog",
    "cat\ndog",
    "\u202etac",
    "\x9b31mcat",
    "cat\u2028dog",
)
"""What would command a terminal, or reorder its line."""
