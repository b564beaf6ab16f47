"""OpenAI's realtime models on Azure: their configuration.

Facts of the wire are from Azure's documentation and recordings of 2026, and from the official SDK (`openai` 3.54.0),
whose Azure client connects to the preview URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import attrs

from realtime_actors.events import Configure

from .errors import InvalidModel, RefusalKind
from .model import Capabilities, check_name, check_number, check_secret, with_query
from .openai_beta_protocol import OpenAIBetaProtocol
from .openai_protocol import OpenAIProtocol
from .openai_session import OpenAISession

__all__ = ["AzureOpenAIRealtimeModel"]

_RESOURCE = re.compile(r"[A-Za-z0-9-]+")
_HOST = re.compile(r"https://([A-Za-z0-9.-]+(?::\d+)?)/?(?:openai(?:/v1)?/?)?")
_TOKEN = re.compile(r"eyJ[\w-]*\.[\w.-]+")


@attrs.frozen(kw_only=True)
class AzureOpenAIRealtimeModel(OpenAISession):
    """A deployment of one of OpenAI's realtime models on Azure.

    `model_name` is the name of the deployment. `resource` is the name of the Azure resource or its endpoint,
    `https://<name>.openai.azure.com` (often in AZURE_OPENAI_ENDPOINT); `url` is a whole WebSocket URL instead.
    Without `api_version` the GA wire is spoken (`/openai/v1/realtime`); with one, such as "2025-04-01-preview", the
    preview's (`/openai/realtime`), as it is when `url` has an `api-version`.

    Either `api_key`, or `entra_token`: a token of Microsoft Entra ID (for the scope
    `https://ai.azure.com/.default`), or a function that returns one. The function is called for every new socket
    and must return at once, because tokens expire: keep a fresh one at hand.

    `voice` is as with OpenAI. `transcription_model`, which writes down what the user says, must itself be a
    deployment on the resource: else each turn of speech brings a `ModelError`, and the reply comes all the same.
    `temperature` (0.6 to 1.2) is for the preview only. The other settings are those of `OpenAIRealtimeModel`; what is
    `None` takes the deployment's default. `extra` are fields of the session object, which is flat in the preview.
    """

    provider: ClassVar[str] = "Azure OpenAI"
    key_variable: ClassVar[str] = "AZURE_OPENAI_API_KEY"
    # The first as seen on recordings of 2026, the others as OpenAI's.
    fatal_codes: ClassVar[Mapping[str, RefusalKind]] = {
        "DeploymentNotFound": "model",
        "insufficient_quota": "quota",
        "invalid_api_key": "authentication",
        "model_not_found": "model",
    }

    api_key: str = attrs.field(default="", repr=False)
    entra_token: str | Callable[[], str] | None = attrs.field(default=None, repr=False)
    resource: str | None = None
    api_version: str | None = None
    transcription_model: str = "whisper-1"
    temperature: float | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.resource is not None:
            _host(self.resource)
        elif self.url is None:
            raise InvalidModel("resource must name the Azure resource or its endpoint: see AZURE_OPENAI_ENDPOINT")
        if self.api_version is not None:
            check_name("api_version", self.api_version)
        check_number("temperature", self.temperature, 0.6, 1.2)
        if self.temperature is not None and not self.is_preview:
            raise InvalidModel("temperature is known to the preview only: leave it out, or give an api_version")

    def _check_credentials(self) -> None:
        if (self.api_key != "") == (self.entra_token is not None):
            raise InvalidModel("api_key or entra_token must be given, and not both of them")
        if self.entra_token is None:
            check_secret("api_key", self.api_key, self.key_variable)
        elif not callable(self.entra_token):
            check_secret("entra_token", self.entra_token, "azure-identity")

    @property
    def is_preview(self) -> bool:
        """Whether the wire is the preview's, which is OpenAI's beta."""
        return self.api_version is not None or "api-version" in parse_qs(urlsplit(self.url or "").query)

    @property
    def capabilities(self) -> Capabilities:
        # The beta wire is of a time before pictures: its types have no place for them.
        return attrs.evolve(super().capabilities, images=not self.is_preview)

    def endpoint(self) -> str:
        if self.is_preview:
            url = self.url or f"wss://{_host(self.resource)}/openai/realtime"
            version = {} if self.api_version is None else {"api-version": self.api_version}
            return with_query(url, {**version, "deployment": self.model_name})
        return with_query(self.url or f"wss://{_host(self.resource)}/openai/v1/realtime", {"model": self.model_name})

    def headers(self) -> Sequence[tuple[str, str]]:
        if self.entra_token is None:
            return [("api-key", self.api_key)]
        token = self.entra_token() if callable(self.entra_token) else self.entra_token
        check_secret("entra_token", token, "azure-identity")
        return [("Authorization", f"Bearer {token}")]

    def protocol(self) -> OpenAIProtocol:
        if self.is_preview:
            return OpenAIBetaProtocol(self, self.beta_session)
        return OpenAIProtocol(self, self.session)

    def beta_session(self, configure: Configure) -> dict[str, Any]:
        session = super().beta_session(configure)
        return session if self.temperature is None else {"temperature": self.temperature, **session}

    def quoted(self, text: str) -> str:
        text = _TOKEN.sub("(the token)", text)
        if isinstance(self.entra_token, str) and len(self.entra_token) >= 8:
            text = text.replace(self.entra_token, "(the token)")
        return super().quoted(text)


def _host(resource: object) -> str:
    """The host of a resource that is given by its name or its endpoint."""
    if isinstance(resource, str):
        if _RESOURCE.fullmatch(resource):
            return f"{resource}.openai.azure.com"
        endpoint = _HOST.fullmatch(resource)
        if endpoint is not None:
            return endpoint[1]
    raise InvalidModel(
        "resource must be the name of an Azure resource, or its endpoint such as https://<name>.openai.azure.com"
    )
