"""A shop that an .ini file of PasteDeploy puts under Beaker's filters, and a visitor.

python paste_shop.py DATA COOKIE NAME...: what each application of the file says, and the cookie
"""

import json
import sys
from pathlib import Path
from typing import Any

from paste.deploy import loadapp  # type: ignore[import-untyped]
from webtest import TestApp


def shop(_config: Any, **_settings: Any) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        session = environ["beaker.session"]
        session["visits"] = session.get("visits", 0) + 1
        session.save()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(session["visits"]).encode()]

    return application


def main(data: str, cookie: str, *names: str) -> None:
    pages = []
    for name in names:
        ini = Path(__file__).with_name("paste.ini")
        browser = TestApp(loadapp(f"config:{ini}", name=name, global_conf={"data": data}))
        if cookie:
            browser.set_cookie("shop", cookie)
        pages.append(browser.get("/").text)
        cookie = browser.cookies["shop"].strip('"')
    print(json.dumps([cookie, *pages]))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
