"""The service's description for people: one page without a script, so that nothing has to be fetched from elsewhere.

html = page(app.openapi(), info)
"""

from html import escape
from string import Template
from typing import Any

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Duet: run $run</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; overflow-wrap: anywhere; }
  code, pre { font: 14px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
  h2 { margin-top: 2rem; }
  button, input { font: inherit; }
</style>
<h1>Duet: run $run</h1>
<p>$summary The same description for programs is at <a href="openapi.json"><code>/openapi.json</code></a>.</p>
<h2>Try it</h2>
<form action="predict" method="post" enctype="multipart/form-data">
  <label>Images <input type="file" name="images" accept="image/*" multiple required></label>
  <button>Predict</button>
</form>
<h2>The network</h2>
<table>$info</table>
$operations
</html>
""")


def page(schema: dict[str, Any], info: dict[str, Any]) -> str:
    """Return the page as HTML: an OpenAPI description, and what is served."""
    operations = [
        _operation(method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    return _PAGE.substitute(
        run=escape(info["run"]),
        summary=escape(schema["info"]["summary"]),
        info="".join(_row(name.replace("_", " "), _text(value)) for name, value in info.items()),
        operations="".join(operations),
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    kinds = operation.get("requestBody", {}).get("content", {})
    body = f"<p>Takes {', '.join(f'<code>{escape(kind)}</code>' for kind in kinds)}.</p>" if kinds else ""
    answers = "".join(_row(code, answer["description"]) for code, answer in operation["responses"].items())
    description = escape(operation.get("description", ""))
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}. {description}</p>{body}<table>{answers}</table>"
    )


def _row(name: str, text: str) -> str:
    return f"<tr><th scope=row>{escape(name)}</th><td>{escape(text)}</td></tr>"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
