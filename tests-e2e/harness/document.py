"""/openapi.json as a judge of answers: status, media type and body have to be documented, and a body has no member beside those documented."""

from __future__ import annotations

import copy
import re
from urllib.parse import urlsplit

import requests


def _strict(value):
    """Objects may have no members but those that their schema names."""
    if isinstance(value, dict):
        for member in value.values():
            _strict(member)
        if isinstance(value.get("properties"), dict) and value.get("type") == "object":
            value.setdefault("additionalProperties", False)
    elif isinstance(value, list):
        for member in value:
            _strict(member)


class Document:
    def __init__(self, document: dict):
        self.json = document
        self._components = copy.deepcopy(document["components"])
        _strict(self._components)
        self._paths = []
        for path, item in document["paths"].items():
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))
            literals = sum(not part.startswith("{") for part in path.split("/"))
            # The paths whose last element stands for several.
            if path.startswith(("/media/", "/ui/{")):
                pattern = f"/{path.split('/')[1]}/.*"
            self._paths.append((literals, re.compile(pattern + "/?"), path, item))
        self._paths.sort(key=lambda entry: -entry[0])

    def operation(self, method: str, url: str) -> tuple[str, dict] | None:
        """The name and description of the operation that a request meant; None for a path or method that does not exist."""
        path = urlsplit(url).path
        path = path[4:] if path.startswith("/api/") else path
        method = "get" if method == "HEAD" else method.lower()
        for _, pattern, name, item in self._paths:
            if pattern.fullmatch(path):
                return (f"{method.upper()} {name}", item[method]) if method in item else None
        return None

    def problems(self, answer: requests.Response) -> list[str]:
        """What of an answer is not as documented."""
        from jsonschema import Draft202012Validator

        found = self.operation(answer.request.method, answer.request.url)
        if found is None:
            return [] if answer.status_code in (400, 404, 405) else [f"{answer.request.method} {answer.request.url} is not documented"]
        name, operation = found
        described = operation["responses"].get(str(answer.status_code))
        if described is None:
            return [f"{name}: status {answer.status_code} is not documented: {answer.text[:200]}"]
        if "$ref" in described:
            described = self.json["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
        for header, description in described.get("headers", {}).items():
            if description.get("required") and header not in answer.headers:
                return [f"{name} {answer.status_code}: header {header} is missing"]
        content = described.get("content", {})
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if not content:
            return [f"{name} {answer.status_code}: a body that is not documented"] if answer.content else []
        if answer.request.method == "HEAD":
            return []
        if kind not in content:
            return [f"{name} {answer.status_code}: {kind} is not documented"]
        if kind != "application/json":
            return []
        schema = copy.deepcopy(content[kind]["schema"])
        _strict(schema)
        validator = Draft202012Validator({**schema, "components": self._components})
        return [
            f"{name} {answer.status_code}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in validator.iter_errors(answer.json())
        ]
