"""What the API says of itself, as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from devices.api.answers import Problem

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 100},
    "description": "The same key and body, sent again within a day, make one thing and get one answer.",
}
ERRORS = {
    400: "The body is no JSON.",
    401: "Nobody is known by what was sent.",
    403: "They may not.",
    404: "There is no such thing, or it belongs to another team.",
    409: "It does not fit the state of things.",
    413: "The body is too large.",
    422: "What was sent is not valid.",
    429: "Too many requests.",
}


class Api(NinjaAPI):
    """Names operations by their functions, and tells every error that they can answer with."""

    _document: OpenAPISchema | None = None

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The document, made once: it says nothing of who asks."""
        if self._document is None:
            self._document = self._described(super().get_openapi_schema(**options))
        return self._document

    @staticmethod
    def _described(document: OpenAPISchema) -> OpenAPISchema:
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                _complete(path, method, operation)
        return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Adds a summary from the description, the key, and errors."""
    summary, _, rest = operation.get("description", "").partition("\n")
    operation["summary"], operation["description"] = summary.partition(".")[0], f"{summary}\n{rest}".strip()
    changes = method != "get"
    possible = [401, 403, 404, 429] + [400, 409, 413] * changes
    if changes or operation["parameters"]:
        possible.append(422)
    if method == "post" and "/agent/" not in path:
        operation["parameters"] = [*operation["parameters"], KEY]
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted(possible):
        operation["responses"].setdefault(status, {"description": ERRORS[status], "content": content})
