"""Fortunes in Django 3.2: the ORM over psycopg2, Django's own templates, for gunicorn (`wsgi`) and uvicorn (`asgi`).

Connections are kept, the template is compiled once, and there is no middleware: what a careful user would run.
"""
import os
import sys
import types
import urllib.parse

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

url = urllib.parse.urlparse(os.environ["FORTUNES_URL"])
app = types.ModuleType("fortunes_app")
app.__path__ = [os.path.dirname(os.path.abspath(__file__))]
app.__file__ = os.path.join(app.__path__[0], "__init__.py")
sys.modules["fortunes_app"] = app
settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for measuring",
    INSTALLED_APPS=["fortunes_app"],
    MIDDLEWARE=[],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": url.hostname,
            "PORT": url.port or 5432,
            "USER": url.username,
            "PASSWORD": url.password or "",
            "NAME": url.path.lstrip("/"),
            "CONN_MAX_AGE": 600,
        }
    },
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {
                            "base.html": "<!DOCTYPE html><html><head><title>{% block title %}{% endblock %}</title></head><body>{% block main %}{% endblock %}</body></html>",
                            "fortunes.html": "{% extends 'base.html' %}{% block title %}Fortunes{% endblock %}{% block main %}<table><tr><th>id</th><th>message</th></tr>{% for fortune in fortunes %}<tr><td>{{ fortune.id }}</td><td>{{ fortune.message }}</td></tr>{% endfor %}</table>{% endblock %}",
                        },
                    )
                ]
            },
        }
    ],
)
django.setup()

from django.db import models  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402


class Fortune(models.Model):
    id = models.BigIntegerField(primary_key=True)
    message = models.TextField()

    class Meta:
        app_label = "fortunes_app"
        db_table = os.environ["FORTUNES_TABLE"]
        managed = False


def fortunes(request):
    rows = list(Fortune.objects.all())
    rows.append(Fortune(id=0, message="Additional fortune added at request time."))
    rows.sort(key=lambda row: row.message)
    return render(request, "fortunes.html", {"fortunes": rows})


urlpatterns = [path("", fortunes)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
