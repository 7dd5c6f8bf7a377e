"""Django 3.2 over psycopg2: the six things of db-clients.ts. A round is asked for with a line and answered with a line of JSON."""
import json
import os
import sys
import time
import urllib.parse

import django
from django.conf import settings

url = urllib.parse.urlparse(os.environ["BENCH_URL"])
settings.configure(
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": url.hostname,
            "PORT": url.port or 5432,
            "USER": url.username,
            "PASSWORD": url.password or "",
            "NAME": url.path.lstrip("/"),
            "CONN_MAX_AGE": None,
        }
    },
)
django.setup()

from django.db import models, transaction  # noqa: E402
from django.db.models import F  # noqa: E402


class Author(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    email = models.TextField()
    age = models.IntegerField()
    bio = models.TextField(null=True)
    active = models.BooleanField()
    created = models.DateTimeField()

    class Meta:
        app_label = "bench"
        db_table = "author"


class Article(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.TextField()
    views = models.IntegerField()
    author = models.ForeignKey(Author, models.CASCADE, related_name="articles")

    class Meta:
        app_label = "bench"
        db_table = "article"


class Log(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.TextField()
    n = models.IntegerField()

    class Meta:
        app_label = "bench"
        db_table = "log"


def get(i):
    return Author.objects.get(pk=i)


def rows(i):
    return list(
        Article.objects.filter(views__gte=i % 4000, author__age__gte=20).select_related("author").order_by("views")[:50]
    )


def insert(i):
    return Log.objects.create(title="entry", n=i)


def bulk(n):
    return Log.objects.bulk_create([Log(title="entry %d" % i, n=n + i) for i in range(1000)])


def prefetch(i):
    return [list(a.articles.all()) for a in Author.objects.filter(pk__gte=i % 900).order_by("pk").prefetch_related("articles")[:20]]


def changed(i):
    with transaction.atomic():
        Author.objects.filter(pk=i).update(age=F("age") + 0)
        Log.objects.create(title="changed", n=i)


def cost(call, n):
    before = time.process_time()
    for i in range(n):
        call(1 + i % 1000)
    return (time.process_time() - before) / n * 1e6


assert len(rows(100)) == 50 and len(prefetch(1)) == 20
for line in sys.stdin:
    answer = {
        "get": cost(get, 300),
        "list": cost(rows, 40),
        "insert": cost(insert, 150),
        "bulk": cost(bulk, 2),
        "prefetch": cost(prefetch, 20),
        "transaction": cost(changed, 80),
    }
    print(json.dumps(answer), flush=True)
