"""OpenAI's realtime models on the GA wire: their configuration.

Facts of the wire are from the types of the official SDK (`openai` 3.54.0) and the API reference of 2026,
unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from .errors import ProviderRefused, RefusalKind
from .model import check_secret, with_query
from .openai_protocol import OpenAIProtocol
from .openai_session import OpenAISession

__all__ = ["OpenAIRealtimeModel"]

_ENDPOINT = "wss://api.openai.com/v1/realtime"


@attrs.frozen(kw_only=True)
class OpenAIRealtimeModel(OpenAISession):
    """A realtime model of OpenAI, such as gpt-realtime.

    `voice` is a built-in voice (marin and cedar are recommended) or the id of a custom one, `voice_…`.
    `organization` and `project` say who pays where a key belongs to several. `transcription_model` writes
    down what the user says, in `transcription_language` (ISO 639-1) if that is known. `output_modality` is
    how the model replies; what is "text" comes as transcript events. `max_output_tokens` (1 to 4096) bounds a
    reply. `speed` is that of speech, 0.25 to 1.5. `noise_reduction` suits a near or a far microphone.
    `tool_choice` says whether the model may or must call tools. What is `None` takes OpenAI's default.

    `extra` are fields of the session object, for example
    `{"audio": {"input": {"turn_detection": {"idle_timeout_ms": 8000}}}}`; `tools` in it come after those of
    the agent.
    """

    provider: ClassVar[str] = "OpenAI"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    # Seen on real sessions in 2026, but for account_deactivated, billing_hard_limit_reached and
    # invalid_organization, which are of OpenAI's HTTP API.
    fatal_codes: ClassVar[Mapping[str, RefusalKind]] = {
        "account_deactivated": "authentication",
        "beta_api_shape_disabled": "protocol",
        "billing_hard_limit_reached": "quota",
        "insufficient_quota": "quota",
        "invalid_api_key": "authentication",
        "invalid_organization": "authentication",
        "model_not_found": "model",
    }

    voice: str | None = "marin"
    organization: str | None = None
    project: str | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for field, value in (("organization", self.organization), ("project", self.project)):
            if value is not None:
                check_secret(field, value, f"OPENAI_{field.upper()}")

    def endpoint(self) -> str:
        return with_query(self.url or _ENDPOINT, {"model": self.model_name})

    def headers(self) -> Sequence[tuple[str, str]]:
        headers = [("Authorization", f"Bearer {self.api_key}")]
        if self.organization is not None:
            headers.append(("OpenAI-Organization", self.organization))
        if self.project is not None:
            headers.append(("OpenAI-Project", self.project))
        return headers

    def protocol(self) -> OpenAIProtocol:
        return OpenAIProtocol(self, self.session)

    def closing(self, code: int | None, reason: str) -> ProviderRefused | None:
        refusal = super().closing(code, reason)
        if refusal is None and code == 4000:  # seen on real sessions in 2026: how the removed beta shape is refused
            return self.refused("beta_api_shape_disabled", reason)
        return refusal
