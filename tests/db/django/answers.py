"""Asks Django itself: builds the bookshop of this folder in SQLite and PostgreSQL, runs every query of
queries.json, and writes Django's answers to answers.json. Needs Debian's python3-django (3.2), and for the
second half python3-psycopg2 and a server at 127.0.0.1:5432.

    node tests/db/django/queries.ts && /usr/bin/python3 tests/db/django/answers.py
"""
import datetime as dt
import decimal
import functools
import json
import operator
import os
import sys
import types

import django
from django.conf import settings

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASES = {"sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
try:
    import psycopg2

    admin = psycopg2.connect(host="127.0.0.1", user="postgres", dbname="postgres")
    admin.autocommit = True
    admin.cursor().execute("DROP DATABASE IF EXISTS sobaya_django_answers")
    admin.cursor().execute("CREATE DATABASE sobaya_django_answers")
    DATABASES["postgresql"] = {
        "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "USER": "postgres",
        "NAME": "sobaya_django_answers",
    }
except Exception as error:  # no server, no driver: SQLite's answers only
    print("no PostgreSQL:", error, file=sys.stderr)
DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
app = types.ModuleType("shop")
app.__path__ = [HERE]
app.__file__ = os.path.join(HERE, "__init__.py")
sys.modules["shop"] = app
settings.configure(DATABASES=DATABASES, USE_TZ=True, TIME_ZONE="UTC", INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()

from django.core.exceptions import FieldError, MultipleObjectsReturned, ObjectDoesNotExist  # noqa: E402
from django.db import connections, models  # noqa: E402
from django.db.models import functions  # noqa: E402


class Base(models.Model):
    class Meta:
        abstract = True
        app_label = "shop"


class Company(Base):
    name = models.CharField(max_length=100)
    city = models.CharField(max_length=100, null=True)
    founded = models.DateField(null=True)


class Author(Base):
    name = models.CharField(max_length=100)
    email = models.CharField(max_length=100, unique=True)
    age = models.IntegerField()
    bio = models.TextField(null=True)
    active = models.BooleanField(default=True)
    company = models.ForeignKey(Company, null=True, on_delete=models.SET_NULL, related_name="staff")


class Profile(Base):
    author = models.OneToOneField(Author, on_delete=models.CASCADE, related_name="profile")
    site = models.CharField(max_length=100)
    karma = models.IntegerField(null=True)


class Tag(Base):
    name = models.CharField(max_length=50)


class Article(Base):
    title = models.CharField(max_length=200)
    body = models.TextField()
    views = models.IntegerField(default=0)
    score = models.FloatField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    published = models.DateTimeField(null=True)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="articles")
    editor = models.ForeignKey(Author, null=True, on_delete=models.SET_NULL, related_name="edited")
    tags = models.ManyToManyField(Tag, related_name="articles")


class Comment(Base):
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(Author, null=True, on_delete=models.SET_NULL, related_name="comments")
    text = models.TextField()
    stars = models.IntegerField(null=True)


class Node(Base):
    name = models.CharField(max_length=50)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="kids")


MODELS = {m.__name__: m for m in (Company, Author, Profile, Tag, Article, Comment, Node)}
ERRORS = {
    FieldError: "FieldError", ObjectDoesNotExist: "DoesNotExist", MultipleObjectsReturned: "MultipleObjectsReturned",
}


def revive(value):
    """A value of data.json or queries.json as a Python object."""
    if isinstance(value, list):
        return [revive(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, inner), = value.items()
        if key == "$datetime":
            return dt.datetime.fromisoformat(inner.replace("Z", "+00:00"))
        if key == "$date":
            return dt.date.fromisoformat(inner)
        if key == "$decimal":
            return decimal.Decimal(inner)
        if key == "$F":
            return models.F(inner)
        if key == "$Value":
            return models.Value(revive(inner))
        if key == "$OuterRef":
            return models.OuterRef(inner)
        if key == "$q":
            return models.Q(**{k: revive(v) for k, v in inner.items()})
        if key == "$and":
            return functools.reduce(operator.and_, [revive(q) for q in inner])
        if key == "$or":
            return functools.reduce(operator.or_, [revive(q) for q in inner])
        if key == "$not":
            return ~revive(inner)
        if key == "$op":
            sign, left, right = inner
            return {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod}[sign](revive(left), revive(right))
        if key == "$agg":
            name, path, *rest = inner
            options = {k: revive(v) for k, v in (rest[0] if rest else {}).items()}
            return getattr(models, name)(revive(path), **options)
        if key == "$fn":
            name, *args = inner
            return getattr(functions, name)(*[revive(a) for a in args])
        if key == "$Exists":
            return models.Exists(queryset(inner, None))
        if key == "$Subquery":
            return models.Subquery(queryset(inner, None))
        if key == "$queryset":
            return queryset(inner, None)
        if key == "$Case":
            whens, default = inner
            return models.Case(*[models.When(revive(c), then=revive(v)) for c, v in whens], default=revive(default))
        if key == "$pk":
            model, pk = inner
            return MODELS[model].objects.get(pk=pk)
        if key == "$desc":
            return models.F(inner).desc()
        if key == "$ascNullsLast":
            return models.F(inner).asc(nulls_last=True)
        if key == "$descNullsLast":
            return models.F(inner).desc(nulls_last=True)
    return {k: revive(v) for k, v in value.items()}


SNAKE = {
    "orderBy": "order_by", "valuesList": "values_list", "selectRelated": "select_related", "prefetchRelated": "prefetch_related",
}


def queryset(spec, alias):
    model, *calls = spec
    result = MODELS[model].objects.all()
    if alias is not None:
        result = result.using(alias)
    for name, *args in calls:
        if name == "slice":
            result = result[args[0]:args[1]]
            continue
        if name in ("filter", "exclude", "get"):
            positional = [revive(a) for a in args if len(a) == 1 and next(iter(a)).startswith("$")]
            named = {}
            for a in args:
                if not (len(a) == 1 and next(iter(a)).startswith("$")):
                    named.update({k: revive(v) for k, v in a.items()})
            result = getattr(result, name)(*positional, **named)
        elif name in ("annotate", "alias", "aggregate", "update"):
            result = getattr(result, name)(**{k: revive(v) for k, v in args[0].items()})
        elif name == "flat":
            result = result.values_list(args[0], flat=True)
        elif name in ("union", "intersection", "difference"):
            result = getattr(result, name)(*[queryset(a, alias) for a in args])
        else:
            result = getattr(result, SNAKE.get(name, name))(*[revive(a) for a in args])
    return result


def plain(value):
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, dt.datetime):
        return {"$datetime": value.astimezone(dt.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"$decimal": format(value.normalize(), "f")}
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def answer(spec, alias):
    connections["default"] = connections[alias]
    try:
        result = queryset(spec, alias)
        if isinstance(result, models.QuerySet):
            result = list(result)
        return {"is": plain(result)}
    except tuple(ERRORS) as error:
        for cls, name in ERRORS.items():
            if isinstance(error, cls):
                return {"raises": name}
    except Exception as error:
        return {"fails": type(error).__name__ + ": " + str(error)}


def build(alias):
    with connections[alias].schema_editor() as editor:
        for model in MODELS.values():
            editor.create_model(model)
    data = json.load(open(os.path.join(HERE, "data.json")))
    for name, rows in data.items():
        for row in rows:
            tags = row.pop("tags", None)
            instance = MODELS[name](**{("%s_id" % k if k in ("company", "author", "article", "editor", "parent") else k): revive(v) for k, v in row.items()})
            instance.save(using=alias, force_insert=True)
            if tags is not None:
                instance.tags.set(tags)


def main():
    queries = json.load(open(os.path.join(HERE, "queries.json")))
    answers = {}
    for alias in DATABASES:
        if alias == "default":
            continue
        connections["default"] = connections[alias]
        build(alias)
        for name, spec in queries.items():
            answers.setdefault(name, {})[alias] = answer(spec, alias)
    lines = ["{"]
    names = list(answers)
    failed = []
    for index, name in enumerate(names):
        by = answers[name]
        same = len({json.dumps(v, sort_keys=True) for v in by.values()}) == 1
        value = {"both": next(iter(by.values()))} if same else by
        if any("fails" in v for v in by.values()):
            failed.append((name, by))
        lines.append("%s: %s%s" % (json.dumps(name), json.dumps(value, ensure_ascii=False), "," if index < len(names) - 1 else ""))
    lines.append("}")
    open(os.path.join(HERE, "answers.json"), "w").write("\n".join(lines) + "\n")
    for name, by in failed:
        print("Django itself fails:", name, by, file=sys.stderr)
    print(len(answers), "answers,", sum("both" not in v for v in map(lambda n: json.loads(json.dumps({"both": 1} if len({json.dumps(x, sort_keys=True) for x in answers[n].values()}) == 1 else {})), names)), "differ between databases")


main()
for connection in connections.all():
    connection.close()
if "postgresql" in DATABASES:
    admin.cursor().execute("DROP DATABASE sobaya_django_answers WITH (FORCE)")
