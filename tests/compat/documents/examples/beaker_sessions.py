"""Beaker's document, section Sessions: its examples, with what they leave out put back (marked)."""

import sys

from beaker.middleware import SessionMiddleware


def simple_app(environ, start_response):
    # Get the session object from the environ
    session = environ["beaker.session"]

    # Check to see if a value is in the session
    user = "logged_in" in session

    # Set some other session variable
    session["user_id"] = 10

    start_response("200 OK", [("Content-type", "text/plain")])
    return ["User is logged in: %s" % user]


# Configure the SessionMiddleware
session_opts = {
    "session.type": "file",
    "session.cookie_expires": True,
    "session.data_dir": sys.argv[1],  # missing
}
wsgi_app = SessionMiddleware(simple_app, session_opts)


# missing: a browser
class Browser:
    cookie = ""

    def get(self, app):
        environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET"}
        if self.cookie:
            environ["HTTP_COOKIE"] = self.cookie
        headers = []
        body = app(environ, lambda status, sent, exc_info=None: headers.extend(sent))
        page = "".join(part if isinstance(part, str) else part.decode() for part in body)
        for name, value in headers:
            if name.lower() == "set-cookie":
                self.cookie = value.strip().partition(";")[0]
                if "expires=" in value:
                    self.cookie = ""
        return page


print(Browser().get(wsgi_app))


def site(*steps):
    """Return a site whose pages are what the document does with a session."""
    waiting = list(steps)

    def page(environ, start_response):
        session = environ["beaker.session"]
        said = waiting.pop(0)(session)
        start_response("200 OK", [])
        return [repr(said).encode()]

    return SessionMiddleware(page, session_opts)


def adding(session):
    session["name"] = "Fred Smith"
    session["somekey"] = "some value"
    session["user_id"] = 10
    session.save()


def getting(session):
    myvar = session["somekey"]
    logged_in = "user_id" in session
    return myvar, logged_in, session["name"]


def attributes(session):
    return (
        len(session.id),
        session.last_accessed is not None,
        sorted(name for name in session if name.endswith("_time")),
    )


def persisting(session):
    session["name"] = "Wilma Smith"
    session.save()
    session.persist()
    return session.get_by_id(session.id)["name"]


def invalidating(session):
    before = session.id
    session.invalidate()
    session["name"] = "Barney"
    session.save()
    return session.id != before


def deleting(session):
    session.delete()


steps = (adding, getting, attributes, persisting, invalidating)
app, browser = site(*steps, lambda s: s.get("somekey"), deleting, lambda s: "name" in s), Browser()
for _ in range(len(steps) + 3):
    print(browser.get(app))

# this would apply to WebOb and possibly others too
# werkzeug.wrappers in the document; its Response is a WSGI application too
from webob import Response


# this will work
def sessions_work(environ, start_response):
    environ["beaker.session"]["count"] += 1
    resp = Response("hello")
    environ["beaker.session"].save()
    return resp(environ, start_response)


# this will not work
def sessions_broken(environ, start_response):
    environ["beaker.session"]["count"] += 1
    resp = Response("hello")
    retval = resp(environ, start_response)
    environ["beaker.session"].save()
    return retval


def beginning(environ, start_response):  # missing: the first count
    environ["beaker.session"]["count"] = 0
    environ["beaker.session"].save()
    return Response("begun")(environ, start_response)


def asking(environ, start_response):  # missing
    return Response(str(environ["beaker.session"]["count"]))(environ, start_response)


browser = Browser()
for each in (beginning, sessions_work, sessions_work, asking, sessions_broken, asking):
    print(browser.get(SessionMiddleware(each, session_opts)))

# Auto-save
session_opts = {**session_opts, "session.auto": True}
browser = Browser()
app = site(lambda s: s.update(name="Fred") or "set", lambda s: s["name"])
print(browser.get(app), browser.get(app))
