"""What the server's addresses take and give, as OpenAPI 3.1 describes it."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.serve.answering import Answerer
from pellucid.serve.reading import MAX_PICTURES
from pellucid.serve.wording import said


def description(answerer: Answerer, *, token: bool, lang: str) -> dict[str, Any]:
    """The document. token: whether a request must carry one. lang: of its sentences."""
    model, say = answerer.model, partial(said, lang=lang)
    file = {"type": "string", "format": "binary", "description": say("A picture file, as it is.")}
    base64 = {"type": "string", "description": say("A picture file in base64; data:image/...;base64,... too.")}
    bodies = {
        "image/*": file,
        "application/octet-stream": file,
        "multipart/form-data": {
            "type": "object",
            "additionalProperties": file,
            "description": say("A form with picture files, under any names."),
        },
        "application/json": {
            "type": "object",
            "description": say('Picture files in base64: {"pictures": ["...", ...]}, or {"picture": "..."}.'),
            "properties": {
                "picture": base64,
                "pictures": {"type": "array", "items": base64, "maxItems": MAX_PICTURES},
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
            "description": say("A network that tells {count} classes apart.", count=answerer.num_classes),
        },
        **({"security": [{"token": []}]} if token else {}),
        "paths": {
            "/predict": {
                "post": {
                    "summary": say("The most probable classes of up to {count} pictures", count=MAX_PICTURES),
                    "parameters": [
                        {
                            "name": "top",
                            "in": "query",
                            "description": say("Classes in each answer."),
                            "schema": {"type": "integer", "minimum": 1, "default": answerer.top},
                        }
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {kind: {"schema": schema} for kind, schema in bodies.items()},
                    },
                    "responses": {
                        "200": _response(say("An answer for each picture, in order."), "Answers"),
                        **{str(status): _response(say(text), "Problem") for status, text in problems.items()},
                    },
                }
            },
            "/health": {
                "get": {
                    "summary": say("Whether it answers, and what it is"),
                    "responses": {"200": {"description": say("It does.")}},
                }
            },
            "/metrics": {
                "get": {
                    "summary": say("Counts and times, for Prometheus"),
                    "responses": {"200": {"description": say("Text."), "content": {"text/plain": {}}}},
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
                    "description": say("Of one picture: predictions, or the problem with it."),
                    "properties": {
                        "picture": {"type": "string", "description": say("What the sender called it.")},
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
