"""Flask without what this service does not use, for many small requests.

A tablet's sync is a handful of requests that each take a fraction of a millisecond, so what the
framework does around every view is a good part of what a sync costs. Nothing is done differently
here, some things are done once: which hooks an endpoint has, and where a path leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Response, request
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface, SessionMixin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask import Request
    from werkzeug.routing import Rule

REMEMBERED_PATHS = 4096

_BODILESS = frozenset((204, 304))


class _Hooks(NamedTuple):
    """What runs around the views of one endpoint."""

    before: bool
    after: tuple[Callable[[Response], Response], ...]
    teardown: bool


class _NoSessions(SessionInterface):
    """Flask's own sessions are not used: who asks is proven anew by each request."""

    _session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """There is none to save."""


class WholeResponse(Response):
    """An answer that is made already, its length among its headers. Nothing waits for its end."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        whole = environ["REQUEST_METHOD"] != "HEAD" and self.status_code not in _BODILESS
        if whole and not self.is_streamed and "Location" not in self.headers:
            start_response(self.status, self.headers.to_wsgi_list())
            return self.response  # type: ignore[return-value]  # set_data leaves bytes
        return super().__call__(environ, start_response)


class _Context(RequestContext):
    app: LeanFlask

    def match_request(self) -> None:
        known, key = self.app.paths, self.app.path_key(self.request)
        found = known.get(key)
        if found is not None:
            self.request.url_rule, self.request.view_args = found[0], dict(found[1])
            return
        super().match_request()
        rule = self.request.url_rule
        if rule is not None:
            if len(known) >= REMEMBERED_PATHS:
                known.clear()
            known[key] = (rule, dict(self.request.view_args or {}))


class LeanFlask(Flask):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session_interface = _NoSessions()
        self.paths: dict[tuple[str, str], tuple[Rule, dict[str, Any]]] = {}
        """Where a method and a path led before."""
        self._hooks: dict[str | None, _Hooks] = {}

    def path_key(self, request: Request) -> tuple[str, str]:
        """What of a request decides where it leads."""
        return request.method, request.path

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        return _Context(self, environ)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view here is a coroutine, and looking for one costs each request several times."""
        return func

    def preprocess_request(self) -> Any:
        return super().preprocess_request() if self._hooks_of_request().before else None

    def process_response(self, response: Response) -> Response:
        """Without `after_this_request`, which nothing here uses."""
        for hook in self._hooks_of_request().after:
            response = hook(response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        if self._hooks_of_request().teardown:
            super().do_teardown_request(exc)

    def _hooks_of_request(self) -> _Hooks:
        endpoint = request.endpoint
        hooks = self._hooks.get(endpoint)
        if hooks is None:
            hooks = self._hooks[endpoint] = self._find_hooks(request.blueprints)
        return hooks

    def _find_hooks(self, blueprints: list[str]) -> _Hooks:
        names = (*blueprints, None)
        after: Mapping[str | None, Sequence[Any]] = self.after_request_funcs
        preparing = (self.url_value_preprocessors, self.before_request_funcs)
        return _Hooks(
            before=any(hooks.get(name) for hooks in preparing for name in names),
            after=tuple(chain.from_iterable(reversed(after.get(name, ())) for name in names)),
            teardown=any(self.teardown_request_funcs.get(name) for name in names),
        )
