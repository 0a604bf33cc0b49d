"""What the server's addresses take and give, as OpenAPI 3.1 describes it."""

from __future__ import annotations

from typing import Any

from pellucid.serve.answering import Answerer
from pellucid.serve.reading import MAX_PICTURES

FILE = {"type": "string", "format": "binary", "description": "A picture file, as it is."}
BASE64 = {"type": "string", "description": "A picture file in base64; data:image/...;base64,... too."}


def description(answerer: Answerer, *, token: bool) -> dict[str, Any]:
    """The document. token: whether a request must carry one."""
    model = answerer.model
    bodies = {
        "image/*": FILE,
        "application/octet-stream": FILE,
        "multipart/form-data": {
            "type": "object",
            "additionalProperties": FILE,
            "description": "A form with picture files, under any names.",
        },
        "application/json": {
            "type": "object",
            "description": 'Picture files in base64: {"pictures": ["...", ...]}, or {"picture": "..."}.',
            "properties": {
                "picture": BASE64,
                "pictures": {"type": "array", "items": BASE64, "maxItems": MAX_PICTURES},
            },
        },
    }
    problems = {
        400: "There is no picture, or the form or JSON cannot be read.",
        403: "The token is missing or wrong, or another site's page sent this.",
        408: "The pictures took too long to arrive.",
        413: "Too many pictures, or too large ones.",
        415: "Neither a picture, nor a form, nor JSON.",
        422: "None of the pictures could be read.",
        503: "Too much waits; try again in a second.",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"pellucid serve: {model.name}",
            "version": "1",
            "description": f"A network that tells {answerer.num_classes} classes apart.",
        },
        **({"security": [{"token": []}]} if token else {}),
        "paths": {
            "/predict": {
                "post": {
                    "summary": f"The most probable classes of up to {MAX_PICTURES} pictures",
                    "parameters": [
                        {
                            "name": "top",
                            "in": "query",
                            "description": "Classes in each answer.",
                            "schema": {"type": "integer", "minimum": 1, "default": answerer.top},
                        }
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {kind: {"schema": schema} for kind, schema in bodies.items()},
                    },
                    "responses": {
                        "200": _response("An answer for each picture, in order.", "Answers"),
                        **{str(status): _response(text, "Problem") for status, text in problems.items()},
                    },
                }
            },
            "/health": {
                "get": {
                    "summary": "Whether it answers, and what it is",
                    "responses": {"200": {"description": "It does."}},
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Counts and times, for Prometheus",
                    "responses": {"200": {"description": "Text.", "content": {"text/plain": {}}}},
                }
            },
        },
        "components": {
            **({"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if token else {}),
            "schemas": {
                "Answers": {
                    "type": "object",
                    "required": ["model", "answers"],
                    "properties": {
                        "model": {"type": "string"},
                        "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
                    },
                },
                "Answer": {
                    "type": "object",
                    "description": "Of one picture: predictions, or the problem with it.",
                    "properties": {
                        "picture": {"type": "string", "description": "What the sender called it."},
                        "predictions": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["class", "probability"],
                                "properties": {
                                    "class": {"type": "string"},
                                    "probability": {"type": "number", "minimum": 0, "maximum": 1},
                                },
                            },
                        },
                        "problem": {"type": "string"},
                    },
                },
                "Problem": {
                    "type": "object",
                    "required": ["problem"],
                    "properties": {"problem": {"type": "string"}},
                },
            },
        },
    }


def _response(text: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}
