"""Pyramid: what the settings of an .ini file ask for, and what is said of wrong ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationConflictError
from pyramid.response import Response
from pyramid.view import view_config, view_defaults

from holdfast import Cookie, Header, KeyRing, regions
from holdfast.errors import ConfigError, LimitExceeded, StoreUnavailable
from holdfast.ext.pyramid import Holdfast
from holdfast.limit import Limiter
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Visitor
from holdfast.web.keys import by_session, by_user

SECRET = "k" * 10 + "Zq3x81vNw0aPdYtRu5LmHe"
WEB = ("holdfast.session.url", "memory://")


def made(**settings: Any) -> Holdfast:
    """Return what the settings make; `__` is a dot."""
    spelt = {f"holdfast.{key.replace('__', '.')}": value for key, value in settings.items()}
    config = Configurator(settings=spelt)
    config.include("holdfast.ext.pyramid")
    config.commit()
    found: Holdfast = config.registry.holdfast
    return found


def sessions(**settings: Any) -> Any:
    return made(**{f"session__{key}": value for key, value in settings.items()}).sessions


def limits(**settings: Any) -> Any:
    return made(**{f"limit__{key}": value for key, value in settings.items()}).limits


@pytest.fixture(autouse=True)
def no_regions() -> Iterator[None]:
    yield
    regions.close()


# Sessions


def test_without_settings_there_is_nothing() -> None:
    assert made() == Holdfast()
    made().close()


def test_texts_become_what_sessions_take(tmp_path: Path) -> None:
    found = sessions(
        url=f"sqlite:///{tmp_path}/s.db",
        idle_timeout="5m",
        lifetime="3600",
        max_sessions="3",
        when_full="refuse",
        keep_client="address, agent",
        rotate_every="none",
        check_user=f"{__name__}.is_welcome",
        on_store_error="anonymous",
        secrets=SECRET,
        prefix="shop",
    )
    settings = found._home.settings
    assert (settings.times.idle_timeout, settings.times.lifetime) == (300.0, 3600.0)
    assert settings.max_sessions == 3
    assert not settings.evicts
    assert found.keeps_client == ("address", "agent")
    assert settings.check_user is is_welcome
    assert settings.anonymous
    assert settings.seal is not None
    assert settings.prefix == "shop:"


def is_welcome(user: object) -> bool:
    return user != "mallory"


def test_the_cookie_has_its_own_settings() -> None:
    found = sessions(
        url="memory://", cookie__name="shop", cookie__path="/a", cookie__same_site="Strict",
        cookie__persistent="yes", cookie__max_chunks="2",
    )  # fmt: skip
    assert found.transport == Cookie(
        "shop", path="/a", same_site="Strict", persistent=True, max_chunks=2
    )
    assert sessions(url="memory://").transport == Cookie()


def test_the_token_may_travel_in_a_header() -> None:
    assert sessions(url="memory://", header="X-Shop").transport == Header("X-Shop")


def test_sessions_may_be_in_the_cookie() -> None:
    found = sessions(in_cookie="true", secrets=SECRET, lifetime="1h", revocations="memory://")
    assert found.store is None
    assert isinstance(found.revocations, MemoryStore)


def test_secrets_stand_in_a_file_or_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "session.keys"
    KeyRing.in_file(path).rotate()
    monkeypatch.setenv("SHOP_SECRETS", SECRET)
    for settings in ({"secrets_file": str(path)}, {"secrets_env": "SHOP_SECRETS"}):
        one, two = (sessions(in_cookie="true", **settings) for _ in range(2))
        session = one.load(None)
        session["a"] = 1
        assert dict(two.load(one.commit(session).token)) == {"a": 1}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lifetime": "1h"}, "holdfast.session.url: say where"),
        ({"in_cookie": "yes", "url": "memory://"}, "holdfast.session.url: say where"),
        ({"in_cookie": "perhaps"}, "holdfast.session.in_cookie: 'perhaps': write true or false"),
        ({"in_cookie": "yes"}, "holdfast.session.secrets: "),
        ({"in_cookie": "yes", "secrets": SECRET, "max_sessions": "1"},
         "holdfast.session.max_sessions: unknown option max_sessions"),
        ({"url": "memorie://"}, "holdfast.session.url: "),
        ({"url": ""}, "holdfast.session.url: there is nothing"),
        ({"url": "memory://", "idel_timeout": "5m"},
         "holdfast.session.idel_timeout: unknown option idel_timeout, did you mean idle_timeout"),
        ({"url": "memory://", "idle_timeout": "soon"}, "holdfast.session.idle_timeout='soon'"),
        ({"url": "memory://", "max_sessions": "some"}, "holdfast.session.max_sessions: 'some'"),
        ({"url": "memory://", "max_sessions": "0"}, "holdfast.session.max_sessions=0"),
        ({"url": "memory://", "when_full": "cry"}, "holdfast.session.when_full: 'cry'"),
        ({"url": "memory://", "check_user": "no.such"}, "holdfast.session.check_user='no.such'"),
        ({"url": "memory://", "cookie.name": "a b"}, "holdfast.session.cookie.*: "),
        ({"url": "memory://", "cookie.nam": "a"}, "holdfast.session.cookie.nam: unknown option"),
        ({"url": "memory://", "cookie.name": "a", "header": "X-A"}, "holdfast.session.header: "),
        ({"url": "memory://", "header": "Cookie"}, "holdfast.session.header: "),
        ({"url": "memory://", "secrets": SECRET, "secrets_env": "A"},
         "holdfast.session.secrets_env: holdfast.session.secrets is there"),
        ({"url": "memory://", "secrets_env": "NO_SUCH_VARIABLE"}, "holdfast.session.secrets_env: "),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(settings: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sessions(**{key.replace(".", "__"): value for key, value in settings.items()})
    assert str(caught.value).startswith(says)


def test_what_the_application_configures_itself_wins() -> None:
    config = Configurator(settings=dict([WEB]))
    config.include("holdfast.ext.pyramid")
    factory = object()
    config.set_session_factory(factory)
    config.commit()
    twice = Configurator(settings=dict([WEB]))
    twice.set_session_factory(factory)
    twice.set_session_factory(object())
    with pytest.raises(ConfigurationConflictError):
        twice.commit()


# Caches


def test_request_cache_is_the_default_region() -> None:
    settings = {
        "holdfast.cache.regions": "short_term",
        "holdfast.cache.default.ttl": "5m",
        "holdfast.cache.short_term.ttl": "1m",
    }
    made_of: list[str] = []

    def view(request: Any) -> Response:
        def create() -> str:
            made_of.append("x")
            return "tea"

        assert request.cache.get_or_create("k", create) == "tea"
        return Response(str(regions["default"].get("k")))

    with Configurator(settings=settings) as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(view)
        visitor = Visitor(config.make_wsgi_app(), "wsgi")
    assert [visitor.get().body for _ in range(2)] == [b"tea"] * 2
    assert made_of == ["x"]


def test_a_cache_nobody_asked_for_is_not_there() -> None:
    def view(request: Any) -> Response:
        return Response(str(hasattr(request, "cache")))

    with Configurator() as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(view)
        visitor = Visitor(config.make_wsgi_app(), "wsgi")
    assert visitor.get().body == b"False"


def test_a_cache_without_a_default_region_says_what_to_write() -> None:
    settings = {"holdfast.cache.regions": "short_term"}
    with Configurator(settings=settings) as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(lambda request: Response(str(request.cache)))
        visitor = Visitor(config.make_wsgi_app(), "wsgi")
    with pytest.raises(ConfigError, match="unknown region default; there are short_term"):
        visitor.get()


def test_it_may_be_included_by_the_settings_themselves() -> None:
    settings = {"pyramid.includes": "holdfast.ext.pyramid", "holdfast.session.url": "memory://"}
    config = Configurator(settings=settings)
    config.commit()
    assert config.registry.holdfast.sessions.store.name == "memory"


def test_a_wrong_cache_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"holdfast\.cache\.default\.tll"):
        made(cache__default__tll="5m")


# Limits


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rates": "5/minute"}, "holdfast.limit.url: say where to count"),
        ({"url": "memory://", "rates": "often"}, "holdfast.limit.rates='often'"),
        ({"url": "memory://", "rate": "5/minute"}, "holdfast.limit.rate: unknown option rate"),
        ({"url": "memory://", "key": "no.such"}, "holdfast.limit.key='no.such'"),
        ({"url": "memory://", "trusted_proxies": "here"}, "holdfast.limit.trusted_proxies='here'"),
        ({"url": "memory://", "on_error": "cry"}, "holdfast.limit.on_error: 'cry'"),
        ({"url": "no"}, "holdfast.limit.url: "),
    ],
)
def test_a_wrong_limit_is_named(settings: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        limits(**settings)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(("text", "function"), [("session", by_session), ("user", by_user)])
def test_a_key_is_a_word_or_a_dotted_name(text: str, function: object) -> None:
    assert limits(url="memory://", key=text).key.func is function
    assert limits(url="memory://", key=f"{__name__}.by_day").key is by_day
    assert limits(url="memory://", key="header: X-Key").key is not None


def by_day(_request: object) -> str:
    return "today"


@view_config(name="decorated", limit="1/hour")  # type: ignore[untyped-decorator]
def decorated(_request: Any) -> Response:
    return Response("decorated")


@view_defaults(limit="1/hour")
class Pages:
    """Views of a class, which have the limit of the class."""

    def __init__(self, request: Any) -> None:
        self.request = request

    @view_config(name="first")  # type: ignore[untyped-decorator]
    def first(self) -> Response:
        return Response("first")

    @view_config(name="second", limit="2/hour")  # type: ignore[untyped-decorator]
    def second(self) -> Response:
        return Response("second")


def limited(**settings: str) -> Any:
    """Return a site of views with limits and without."""
    spelt = {f"holdfast.limit.{key}": value for key, value in settings.items()}
    with Configurator(settings=dict([WEB]) | spelt) as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(lambda _: Response("free"))
        config.add_view(lambda _: Response("two"), name="two", limit="2/hour")
        config.add_view(lambda _: Response("other"), name="other", limit="2/hour")
        config.add_view(login, name="login")
        config.scan(__name__)
        return config.make_wsgi_app()


def login(request: Any) -> Response:
    request.session.login(request.GET["user"])
    return Response("hello")


def test_the_whole_application_is_limited() -> None:
    visitor = Visitor(limited(url="memory://", rates="2/hour"), "wsgi")
    answers = [visitor.get(path) for path in ("/", "/nowhere", "/")]
    assert [answer.status for answer in answers] == [200, 404, 429]
    assert [answer.all("x-ratelimit-remaining") for answer in answers] == [["1"], ["0"], ["0"]]
    assert answers[1].all("ratelimit-policy") == ['"2/3600s";q=2;w=3600']
    assert int(answers[2].all("retry-after")[0]) > 1000
    assert answers[2].all("content-type") == ["application/problem+json"]
    assert answers[2].all("cache-control") == ["no-store"]


def test_a_view_has_a_limit_of_its_own() -> None:
    visitor = Visitor(limited(url="memory://"), "wsgi")
    assert [visitor.get("/two").status for _ in range(3)] == [200, 200, 429]
    assert visitor.get("/other").all("x-ratelimit-remaining") == ["1"]
    assert [visitor.get("/decorated").status for _ in range(2)] == [200, 429]
    assert visitor.get("/").all("x-ratelimit-remaining") == []


def test_views_of_a_class_have_limits_too() -> None:
    visitor = Visitor(limited(url="memory://"), "wsgi")
    assert [visitor.get("/first").status for _ in range(2)] == [200, 429]
    assert [visitor.get("/second").status for _ in range(3)] == [200, 200, 429]


def test_both_limits_show_and_the_stricter_one_counts() -> None:
    visitor = Visitor(limited(url="memory://", rates="10/hour"), "wsgi")
    answer = visitor.get("/two")
    assert answer.all("x-ratelimit-remaining") == ["1"]
    assert len(answer.all("ratelimit")) == 2


def test_users_are_counted_by_user_and_strangers_by_address() -> None:
    app = limited(url="memory://", key="user")
    ada, bob, stranger = (Visitor(app, "wsgi") for _ in range(3))
    ada.get("/login?user=ada")
    bob.get("/login?user=bob")
    assert [ada.get("/two").status for _ in range(3)] == [200, 200, 429]
    assert bob.get("/two").status == 200
    assert [stranger.get("/two").status for _ in range(3)] == [200, 200, 429]


def test_a_forwarded_address_counts_where_a_proxy_is_trusted() -> None:
    app = limited(url="memory://", trusted_proxies="203.0.113.0/24")
    visitor = Visitor(app, "wsgi")
    for number in range(3):
        answer = visitor.get("/decorated", headers=[("X-Forwarded-For", f"198.51.100.{number}")])
        assert answer.status == 200


def test_the_application_may_refuse_in_its_own_words() -> None:
    with Configurator(settings={"holdfast.limit.url": "memory://"}) as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(lambda _: Response("x"), limit="1/hour")
        config.add_exception_view(
            lambda error, _: Response(f"wait {error.decision.limit}", status=429),
            context=LimitExceeded,
        )
        visitor = Visitor(config.make_wsgi_app(), "wsgi")
    assert [visitor.get().body for _ in range(2)] == [b"x", b"wait 1"]


def test_a_limit_of_a_view_needs_a_place_to_count() -> None:
    with Configurator() as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(lambda _: Response("x"), limit="1/hour")
        visitor = Visitor(config.make_wsgi_app(), "wsgi")
    with pytest.raises(ConfigError, match=r"holdfast\.limit\.url"):
        visitor.get()


def test_a_limit_that_is_no_rate_is_told_when_the_application_is_made() -> None:
    with Configurator(settings={"holdfast.limit.url": "memory://"}) as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(lambda _: Response("x"), limit="often")
        with pytest.raises(Exception, match="often"):
            config.commit()


def test_a_store_that_is_down_denies_where_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Configurator(
        settings={"holdfast.limit.url": "memory://", "holdfast.limit.on_error": "deny"}
    ) as config:
        config.include("holdfast.ext.pyramid")
        config.add_view(lambda _: Response("x"), limit="1/hour")
        visitor = Visitor(config.make_wsgi_app(), "wsgi")
        limiter: Limiter = config.registry.holdfast.limits.limiter

    def down(*_: Any) -> None:
        raise StoreUnavailable("memory")

    monkeypatch.setattr(limiter, "_apply", down)
    assert visitor.get().status == 503
