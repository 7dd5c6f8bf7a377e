"""Asks Django 3.2 itself, and writes questions and answers to answers.json.

    /usr/bin/python3 tests/http/django/answers.py

Needs Debian's python3-django. bank.test.ts asks Sobaya the same; what is meant to differ is in different.ts.
"""
import datetime as dt
import itertools
import json
import os
import sys
import types

import django
from django.conf import settings

HERE = os.path.dirname(os.path.abspath(__file__))
settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["soba.example", ".kyoto.example", "[::1]", "127.0.0.1"],
    ROOT_URLCONF="urlconf_of_nothing",
    SECRET_KEY="only for asking",
    CSRF_TRUSTED_ORIGINS=["partner.example", ".friends.example"],
    USE_TZ=True,
    DEFAULT_CHARSET="utf-8",
)
sys.modules["urlconf_of_nothing"] = types.ModuleType("urlconf_of_nothing")
sys.modules["urlconf_of_nothing"].urlpatterns = []
django.setup()

from django.core.exceptions import DisallowedHost, SuspiciousOperation  # noqa: E402
from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator  # noqa: E402
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, parse_cookie  # noqa: E402
from django.http.multipartparser import MultiPartParser  # noqa: E402
from django.middleware.csrf import CsrfViewMiddleware, get_token  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.urls import NoReverseMatch, Resolver404, include, path, re_path, register_converter  # noqa: E402
from django.urls.resolvers import RegexPattern, URLResolver  # noqa: E402
from django.utils.cache import get_conditional_response, patch_vary_headers  # noqa: E402
from django.utils.http import http_date, parse_http_date_safe, url_has_allowed_host_and_scheme  # noqa: E402
from django.utils.translation.trans_real import parse_accept_lang_header  # noqa: E402

bank = {}


def ask(topic, question, answer):
    bank.setdefault(topic, []).append([question, answer])


# ---- query strings
for text in [
    "", "a", "a=", "=a", "=", "&", "&&a=1&&", "a=1", "a=1&a=2", "a=1&b=2&a=3", "a=b=c", "a==b", "a+b=c+d", "a%20b=c%20d", "a%2Bb=c%2Bd",
    "%61=%62", "a=%E3%81%9D%E3%81%B0", "a=そば", "a=%ff", "a=%e3%81", "a=%", "a=%4", "a=%zz", "a=%C0%80", "a=1;b=2", "a=1&amp;b=2",
    "a[]=1&a[]=2", "a[b]=c", "__proto__=1", "constructor=x", "a=1#b", "a=%26&b=%3D", "a=%00", "a=\t", "a=%0d%0ax: y", "?a=1", "a= 1 ",
    "a=%F0%9F%8D%9C", "a=%ED%A0%80", "A=1&a=2", "%3Da=1", "a%3D=1", "a&b&c", "+=+", "%2B", "a=1&b", "a=%u0041",
]:
    query = QueryDict(text)
    ask("query", text, [[name, value] for name, values in query.lists() for value in values])

# ---- cookies
for text in [
    "", "a=b", "a=b; c=d", "a=b;c=d", "a=b;;c=d", ";a=b", " a = b ", "a", "=b", "a=", "a=b=c", 'a="b"', 'a="b c"', 'a="b;c"', 'a="b', "a=b c",
    "a=b, c=d", "a=1; a=2", "a=%20", "a=\u00e9", "a b=c", "a=b; Path=/; c=d", "$Version=1; a=b", "__Host-a=b", "A=1; a=2", 'a="\\"b"', "a=b;\tc=d",
    "a=b;c", "a==", "a=b; =c; d=e", 'a=""', "a=\"\\054\"", "csrftoken=x; sessionid=y", "a:b=c", "a/b=c", "[a]=b", "a=[b]", "a={}", "a=b\\c",
]:
    ask("cookies", text, sorted(parse_cookie(text).items()))

# ---- dates
for text in [
    "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun Nov 16 08:49:37 1994", "", "0", "784111777",
    "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt",
    "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT; length=3", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
    "Wednesday, 09-Nov-94 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun,06 Nov 1994 08:49:37 GMT", "Tue, 29 Feb 2000 00:00:00 GMT", "Tue, 30 Feb 2000 00:00:00 GMT",
    "Sun Nov 6 08:49:37 1994", "Sunday, 06-Nov-1994 08:49:37 GMT", "Sat, 30 Jun 2012 23:59:60 GMT",
]:
    ask("dates", text, parse_http_date_safe(text))
for seconds in [0, 1, 784111777, 951782400, 4102444800]:
    ask("dates written", seconds, http_date(seconds))

# ---- preconditions
etags = [None, '"a"', 'W/"a"']
modified = [None, 784111777]
headers = {
    "HTTP_IF_MATCH": [None, '"a"', 'W/"a"', '"b"', "*", '"b", "a"'],
    "HTTP_IF_NONE_MATCH": [None, '"a"', 'W/"a"', '"b"', "*", '"b", W/"a"'],
    "HTTP_IF_UNMODIFIED_SINCE": [None, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"],
    "HTTP_IF_MODIFIED_SINCE": [None, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"],
}
factory = RequestFactory()
for method in ["GET", "HEAD", "PUT"]:
    for etag, last in itertools.product(etags, modified):
        for values in itertools.product(*headers.values()):
            given = {name: value for name, value in zip(headers, values) if value is not None}
            # At most two headers at once: the order of precedence shows in pairs.
            if len(given) > 2 or not given:
                continue
            request = factory.generic(method, "/", **given)
            response = get_conditional_response(request, etag=etag, last_modified=last, response=HttpResponse("x"))
            shown = {name[5:].replace("_", "-").lower(): value for name, value in given.items()}
            ask("preconditions", [method, etag, last, shown], response.status_code)

# ---- hosts
for host in [
    "soba.example", "SOBA.EXAMPLE", "soba.example.", "soba.example:80", "soba.example:", "soba.example:x", "soba.example:99999", "soba.example:999999", "x.soba.example", "kyoto.example",
    "a.kyoto.example", "a.b.kyoto.example", "xkyoto.example", "[::1]", "[::1]:8000", "::1", "[::2]", "127.0.0.1", "127.0.0.1:8000", "127.0.0.1.evil.example", "", " ", "soba.example evil",
    "soba.example/evil", "soba.example@evil", "evil@soba.example", "soba.example#", "soba.example?", "soba.example\\evil", "soba.example,evil", "soba_example", "soba..example", ".soba.example",
    "-soba.example", "[soba.example]", "soba.example\n", "s\u00f6ba.example", "%73oba.example", "evil.example", "kyoto.example.", "a.kyoto.example.:80", "soba.example..",
]:
    request = HttpRequest()
    request.META = {"HTTP_HOST": host, "SERVER_NAME": "x", "SERVER_PORT": "80"}
    try:
        ask("hosts", host, request.get_host())
    except DisallowedHost:
        ask("hosts", host, None)

# ---- targets of redirects
for url in [
    "", None, "/", "/a", "a", "a/b", "?a=1", "#a", "//soba.example", "//evil.example", "///evil.example", "////evil.example", "http://soba.example", "https://soba.example/a", "http://evil.example",
    "http:soba.example", "http:evil.example", "http:/soba.example", "http:///evil.example", "ftp://soba.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "\\\\evil.example",
    "/\\evil.example", "\\/evil.example", "http:\\\\evil.example", "http://soba.example@evil.example", "http://evil.example\\@soba.example", "http://evil.example#soba.example", "http://soba.example.evil.example",
    "http://soba.example:80", "http://soba.example:x", "/a\nb", "\n/a", "\x08//evil.example", " //evil.example", "http://[::1", "http://2001:cdba:0:0:0:0:3257:9652]/", "http://2001:cdba::3257:9652]/",
    "/view/?param=http://evil.example", "/view?param=//evil.example", "HTTP://SOBA.EXAMPLE/", "http://soba.example?", "http:\\\\\\soba.example", "http:\\\\:soba.example", "https:evil.example",
    "//soba.example/\\evil", "/orders/1/?a=b#c", "/そば/", "a:b", "./a", "../a", "/a:b", "?next=//evil.example", "urn:x", "//", "/%2fevil.example", "/%5cevil.example", "mailto:a@soba.example", "\t//evil.example", "/\t/evil.example",
]:
    ask("targets", url, url_has_allowed_host_and_scheme(url, allowed_hosts={"soba.example"}))

# ---- redirects to where
for url in ["/a", "http://a.example/", "https://a.example/", "ftp://a.example/", "javascript:alert(1)", "data:x", "file:///a", "mailto:a@b.example", "/a b", "/そば/", "/a%20b", "/a?b=c d", "//evil.example", "/a#b c", "HTTP://a.example/", "/100%", "/a[b]"]:
    try:
        ask("redirects", url, HttpResponseRedirect(url)["Location"])
    except SuspiciousOperation:
        ask("redirects", url, None)

# ---- names of uploads
parser = MultiPartParser({"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": 1}, None, [], "utf-8")
for name in [
    "a.txt", "/etc/passwd", "../../a.txt", "..\\..\\a.txt", "C:\\a\\b.txt", "a/b/c.txt", "..", ".", "", "a", ".htaccess", "a b.txt", "a\x00b.txt", "a\nb.txt", "a/", "a\\", "a/..", "../", "そば.txt", "&quot;a&quot;.txt",
    "a&#x2F;b.txt", "&#46;&#46;/a.txt", "con", "a:b.txt", "..a", "a..", "/", "\\", "a\tb", "&lt;a&gt;", "..&#x2F;..&#x2F;a.txt", "%2e%2e%2fa.txt",
]:
    ask("filenames", name, parser.sanitize_file_name(name))

# ---- Content-Disposition
for attachment in [True, False]:
    for name in ["a.txt", "a b.txt", 'a"b.txt', "a\\b.txt", "そば.txt", "é.txt", "a;b.txt", "a'b.txt", "a%20b.txt", "a*b.txt", "a,b.txt", "100%.txt"]:
        import io

        file = io.BytesIO(b"x")
        response = FileResponse(file, as_attachment=attachment, filename=name)
        ask("disposition", [attachment, name], response.get("Content-Disposition"))

# ---- Accept
for accept, types_ in [
    ("", ["text/html"]), ("*/*", ["text/html", "a/b"]), ("text/*", ["text/html", "text/plain", "image/png"]), ("text/html", ["text/html", "text/plain"]), ("text/html;q=0.5, */*;q=0.1", ["image/png"]),
    ("text/html; charset=utf-8", ["text/html"]), ("application/json, text/html", ["application/json", "text/xml"]), ("TEXT/HTML", ["text/html"]), ("garbage", ["text/html"]), (",,", ["text/html"]), ("text/html;q=0", ["text/html"]),
]:
    for one in types_:
        request = factory.get("/", HTTP_ACCEPT=accept)
        ask("accepts", [accept, one], request.accepts(one))
for text in [
    "", "ja", "ja,en", "en;q=0.5,ja", "de;q=1.0,ja;q=0.9,*;q=0.1", "en-GB,en;q=0.8", "ja;q=x", "ja;q=2", "ja;q=0", "*", "ja,*;q=0.5", "en-gb;q=1.0;q=0.2", "ja;q=0.1234", "ja; q=0.5 , en", "zh-Hant-TW", "a-b-c-d-e-f", "x" * 600,
]:
    ask("languages", text, [list(one) for one in parse_accept_lang_header(text)])

# ---- Vary
for now, more in [
    (None, ["Cookie"]), ("Cookie", ["Cookie"]), ("cookie", ["Cookie"]), ("Accept-Encoding", ["Cookie"]), ("Cookie, Accept-Encoding", ["Accept-Encoding", "Origin"]), ("*", ["Cookie"]), ("Cookie", ["*"]), ("Cookie,  Origin", ["Accept"]),
]:
    response = HttpResponse()
    if now is not None:
        response["Vary"] = now
    patch_vary_headers(response, more)
    ask("vary", [now, more], response["Vary"])

# ---- CSRF
middleware = CsrfViewMiddleware(lambda request: HttpResponse())


def view(request):
    return HttpResponse()


def decide(method, secure, origin, referer, cookie, token, host):
    # A token that fits the secret of the cookie, as another page of the site has shown it.
    seed = factory.get("/")
    masked = get_token(seed)
    extra = {"HTTP_HOST": host}
    if origin is not None:
        extra["HTTP_ORIGIN"] = origin
    if referer is not None:
        extra["HTTP_REFERER"] = referer
    data = {}
    if token == "field":
        data["csrfmiddlewaretoken"] = masked
    elif token == "header":
        extra["HTTP_X_CSRFTOKEN"] = masked
    elif token == "wrong":
        data["csrfmiddlewaretoken"] = get_token(factory.get("/"))
    elif token == "garbage":
        data["csrfmiddlewaretoken"] = "garbage"
    if method == "POST":
        request = factory.post("/", data, secure=secure, **extra)
    else:
        request = factory.generic(method, "/", secure=secure, **extra)
    if cookie:
        request.COOKIES["csrftoken"] = seed.META["CSRF_COOKIE"]
    middleware.process_request(request)
    response = middleware.process_view(request, view, (), {})
    return response is None


for method, secure in [("GET", False), ("POST", False), ("POST", True), ("PUT", False), ("DELETE", True), ("HEAD", True), ("OPTIONS", False), ("TRACE", False), ("PATCH", False)]:
    # Django 3.2 knows nothing of Origin: only the Referer of https requests.
    for referer in [None, "https://soba.example/form/", "http://soba.example/form/", "https://evil.example/", "https://soba.example.evil.example/", "garbage", "https://partner.example/", "https://a.friends.example/", "https://friends.example/", "https://", "//soba.example"]:
        if referer is not None and not secure:
            continue
        for cookie, token in [(True, "field"), (True, "header"), (True, "wrong"), (True, "garbage"), (True, None), (False, "field"), (False, None)]:
            if method != "POST" and token in ("field", "wrong", "garbage"):
                continue
            ask("csrf", [method, secure, referer, cookie, token], decide(method, secure, None, referer, cookie, token, "soba.example"))

# ---- pages
for count, per in [(0, 10), (1, 10), (10, 10), (11, 10), (25, 10), (3, 1)]:
    pages = Paginator(list(range(count)), per)
    for number in ["1", "2", "3", "4", "0", "-1", "x", "", "1.0", "1.5", "01", " 1", "1e0", "0x1", "99999999999999999999", None, "+1"]:
        try:
            page = pages.page(number)
            ask("pages", [count, per, number], [list(page), page.number, pages.num_pages, page.has_next(), page.has_previous()])
        except (EmptyPage, PageNotAnInteger) as error:
            ask("pages", [count, per, number], type(error).__name__)

# ---- routes
class FourDigitYear:
    regex = "[0-9]{4}"

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return "%04d" % value


register_converter(FourDigitYear, "yyyy")


def named(name):
    def function(request, **kwargs):
        return HttpResponse(name)

    function.__name__ = name
    return function


shop = [
    path("", named("shop_home"), name="home"),
    path("<slug:dish>/", named("shop_dish"), name="dish"),
    path("<slug:dish>/<int:size>/", named("shop_size"), name="size"),
]
routes = [
    path("", named("home"), name="home"),
    path("orders/", named("orders"), name="orders"),
    path("orders/new/", named("order_new"), name="order-new"),
    path("orders/<int:id>/", named("order"), name="order"),
    path("orders/<str:code>/", named("order_code"), name="order-code"),
    path("articles/<yyyy:year>/", named("year"), name="year"),
    path("articles/<yyyy:year>/<int:month>/", named("month"), name="month"),
    path("articles/<int:year>/<int:month>/<slug:slug>/", named("article"), name="article"),
    path("files/<path:name>", named("file"), name="file"),
    path("things/<uuid:id>/", named("thing"), name="thing"),
    path("range/<int:from>-<int:to>/", named("range"), name="range"),
    path("tag/<slug:tag>.html", named("tag"), name="tag"),
    path("dots.in+path/(x)/", named("special"), name="special"),
    path("そば/<str:name>/", named("soba"), name="soba"),
    path("no-slash", named("no_slash"), name="no-slash"),
    path("shops/<int:shop>/", include((shop, "shop"), namespace="shop")),
    re_path(r"^old/(?P<year>[0-9]{4})/$", named("old"), name="old"),
    re_path(r"^pages?/(?P<page>\d+)?$", named("page"), name="page"),
    re_path(r"^either/(?:a|b)/$", named("either"), name="either"),
    path("last/<path:rest>/edit/", named("rest_edit"), name="rest-edit"),
    path("last/<path:rest>", named("rest"), name="rest"),
]
resolver = URLResolver(RegexPattern(r"^/"), routes)
paths = [
    "/", "", "/orders", "/orders/", "/orders/new/", "/orders/7/", "/orders/07/", "/orders/x7/", "/orders/7", "/orders/7/x/", "/orders//", "/orders/-1/", "/orders/1.5/", "/orders/そば/", "/orders/a b/", "/orders/%37/",
    "/articles/2026/", "/articles/26/", "/articles/20260/", "/articles/2026/11/", "/articles/2026/11/soba/", "/articles/2026/11/soba udon/", "/articles/2026/11/そば/", "/articles/26/11/soba/",
    "/files/", "/files/a", "/files/a/b/c.txt", "/files//a", "/files/../a", "/files/a/", "/things/9b2f6f0e-0000-4000-8000-00000000000a/", "/things/9B2F6F0E-0000-4000-8000-00000000000A/", "/things/9b2f6f0e/",
    "/range/1-5/", "/range/1-/", "/range/-5/", "/range/1-5-6/", "/tag/soba.html", "/tag/soba.htm", "/tag/soba-udon.html", "/tag/a.b.html", "/dots.in+path/(x)/", "/dotsxin+path/(x)/", "/そば/天ぷら/", "/そば//",
    "/no-slash", "/no-slash/", "/shops/3/", "/shops/3/soba/", "/shops/3/soba/2/", "/shops/3", "/shops/x/", "/shops/3/soba", "/old/2026/", "/old/26/", "/old/2026", "/page/", "/page/3", "/pages/3", "/pages/", "/pages/x",
    "/either/a/", "/either/c/", "/last/a/b/edit/", "/last/a/b", "/last/edit/", "/last//edit/", "/last/", "//", "//orders/", "/orders/7/\n", "/orders/7\n/", "/\x00", "/ORDERS/", "/orders/9007199254740993/", "/orders/٣/",
    "/no-slash\n", "/files/a\nb", "/old/2026/\n",
]
for one in paths:
    try:
        match = resolver.resolve(one)
        ask("resolve", one, [":".join([*match.namespaces, match.url_name]), {name: str(value) for name, value in match.kwargs.items() if value is not None}])
    except Resolver404:
        ask("resolve", one, None)

module = types.ModuleType("urlconf_of_routes")
module.urlpatterns = routes
sys.modules["urlconf_of_routes"] = module
from django.urls import reverse  # noqa: E402

for name, kwargs in [
    ("home", {}), ("orders", {}), ("order", {"id": 7}), ("order", {"id": "7"}), ("order", {"id": -1}), ("order", {"id": "x"}), ("order", {}), ("order", {"id": 7, "x": 1}), ("order-code", {"code": "a b"}),
    ("order-code", {"code": "a/b"}), ("order-code", {"code": "そば"}), ("order-code", {"code": "a%b"}), ("order-code", {"code": "a?b#c"}), ("order-code", {"code": "a&b=c;d,e:f@g+h$i!j*k'l(m)n~"}), ("year", {"year": 2026}), ("year", {"year": 26}),
    ("article", {"year": 2026, "month": 11, "slug": "soba"}), ("article", {"year": 2026, "month": 11, "slug": "soba udon"}), ("file", {"name": "a/b c.txt"}), ("file", {"name": "/etc/passwd"}), ("file", {"name": "../a"}),
    ("thing", {"id": "9b2f6f0e-0000-4000-8000-00000000000a"}), ("range", {"from": 1, "to": 5}), ("tag", {"tag": "soba"}), ("special", {}), ("soba", {"name": "天ぷら"}), ("no-slash", {}), ("shop:home", {"shop": 3}), ("shop:dish", {"shop": 3, "dish": "kake"}),
    ("shop:size", {"shop": 3, "dish": "kake", "size": 2}), ("shop:size", {"shop": 3, "dish": "kake"}), ("either", {}), ("nothing", {}), ("nothing:home", {}), ("rest-edit", {"rest": "a/b"}), ("order-code", {"code": ""}), ("order-code", {"code": "<script>\"'"}),
    ("order-code", {"code": "[a]{b}|^`\\"}),
]:
    try:
        ask("reverse", [name, kwargs], reverse(name, urlconf="urlconf_of_routes", kwargs=kwargs))
    except (NoReverseMatch, ValueError):
        ask("reverse", [name, kwargs], None)

with open(os.path.join(HERE, "answers.json"), "w") as file:
    lines = [f"{json.dumps(topic)}: [\n" + ",\n".join("  " + json.dumps(pair, ensure_ascii=True) for pair in pairs) + "\n]" for topic, pairs in bank.items()]
    file.write("{\n" + ",\n".join(lines) + "\n}\n")
print({topic: len(pairs) for topic, pairs in bank.items()})
