"""Asks Django itself: builds the bookshop of this folder in SQLite and PostgreSQL, runs every query of
queries.json, and writes Django's answers to answers.json. Needs Debian's python3-django (3.2), and for the
second half python3-psycopg2 and a server at 127.0.0.1:5432.

    node tests/db/django/queries.ts && /usr/bin/python3 tests/db/django/answers.py

With --ask it answers queries from standard input, one a line, as fuzz.ts asks them.
"""
import datetime as dt
import decimal
import functools
import json
import operator
import os
import sys
import types
import uuid

import django
import pytz
from django.conf import settings

NAME = "sobaya_django_answers_%d" % os.getpid()
HERE = os.path.dirname(os.path.abspath(__file__))
DATABASES = {"sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
try:
    import psycopg2

    admin = psycopg2.connect(host="127.0.0.1", user="postgres", dbname="postgres")
    admin.autocommit = True
    admin.cursor().execute("DROP DATABASE IF EXISTS %s" % NAME)
    admin.cursor().execute("CREATE DATABASE %s" % NAME)
    DATABASES["postgresql"] = {
        "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "USER": "postgres",
        "NAME": NAME,
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


class Person(Base):
    name = models.CharField(max_length=100)
    friends = models.ManyToManyField("self")
    follows = models.ManyToManyField("self", symmetrical=False, related_name="followers")


class Club(Base):
    name = models.CharField(max_length=100)
    members = models.ManyToManyField(Person, through="Membership", through_fields=("club", "person"), related_name="clubs")


class Membership(Base):
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    club = models.ForeignKey(Club, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, null=True)
    joined = models.DateField(null=True)
    inviter = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="invited")

    class Meta(Base.Meta):
        abstract = False
        ordering = ["-joined", "id"]


class Event(Base):
    name = models.CharField(max_length=100)
    day = models.DateField(null=True)
    at = models.TimeField(null=True)
    start = models.DateTimeField(null=True)
    stop = models.DateTimeField(null=True)
    lasts = models.DurationField(null=True)
    amount = models.DecimalField(max_digits=12, decimal_places=3, null=True)
    big = models.BigIntegerField(null=True)
    small = models.SmallIntegerField()
    ratio = models.FloatField(null=True)
    flag = models.BooleanField(null=True)
    code = models.UUIDField(null=True)
    meta = models.JSONField(null=True)
    host = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="events")


class Place(Base):
    name = models.CharField(max_length=100)
    city = models.CharField(max_length=100, null=True)
    owner = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="places")


class Restaurant(Place):
    seats = models.IntegerField()
    chef = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="kitchens")


class Noodles(Restaurant):
    flour = models.CharField(max_length=50)


class Visit(Base):
    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="visits")
    restaurant = models.ForeignKey(Restaurant, null=True, on_delete=models.CASCADE, related_name="dinners")
    stars = models.IntegerField(null=True)


MODELS = {m.__name__: m for m in (Company, Author, Profile, Tag, Article, Comment, Node, Person, Club, Membership, Event, Place, Restaurant, Noodles, Visit)}
if "postgresql" in DATABASES:
    from django.contrib.postgres import aggregates as pg_aggregates, search as pg_search
    from django.contrib.postgres.fields import ArrayField

    class Shelf(Base):
        name = models.CharField(max_length=100)
        labels = ArrayField(models.CharField(max_length=50), null=True)
        numbers = ArrayField(models.IntegerField(), default=list)
        grid = ArrayField(ArrayField(models.IntegerField()), null=True)
        text = models.TextField()

    MODELS["Shelf"] = Shelf
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
        if key == "$time":
            return dt.time.fromisoformat(inner)
        if key == "$duration":
            return dt.timedelta(milliseconds=inner)
        if key == "$uuid":
            return uuid.UUID(inner)
        if key == "$big":
            return int(inner)
        if key == "$F":
            return models.F(inner)
        if key == "$Value":
            value = revive(inner)
            return models.Value(value, output_field=models.DurationField()) if isinstance(value, dt.timedelta) else models.Value(value)
        if key == "$Cast":
            return functions.Cast(revive(inner[0]), CASTS[inner[1]]())
        if key == "$Trunc":
            path, part, zone = inner
            return functions.Trunc(revive(path), part, tzinfo=pytz.timezone(zone) if zone else None)
        if key == "$Extract":
            path, part, zone = inner
            return functions.Extract(revive(path), part, tzinfo=pytz.timezone(zone) if zone else None)
        if key == "$Window":
            expression, partition, order, frame = inner
            options = {}
            if partition:
                options["partition_by"] = [models.F(p) for p in partition]
            if order:
                options["order_by"] = [models.F(o[1:]).desc() if o.startswith("-") else models.F(o).asc() for o in order]
            if frame:
                options["frame"] = (models.RowRange if frame[0] == "rows" else models.ValueRange)(start=frame[1], end=frame[2])
            return models.Window(expression=revive(expression), **options)
        if key == "$pgagg":
            name, path, *rest = inner
            options = {k: revive(v) for k, v in (rest[0] if rest else {}).items()}
            if "orderBy" in options:
                options["ordering"] = options.pop("orderBy")
            return getattr(pg_aggregates, name)(revive(path), **options)
        if key == "$SearchVector":
            fields, options = inner
            return pg_search.SearchVector(*fields, **options)
        if key == "$SearchQuery":
            text, options = inner
            options = dict(options)
            if "type" in options:
                options["search_type"] = options.pop("type")
            return pg_search.SearchQuery(text, **options)
        if key == "$SearchRank":
            return pg_search.SearchRank(revive(inner[0]), revive(inner[1]))
        if key == "$SearchHeadline":
            return pg_search.SearchHeadline(inner[0], revive(inner[1]), **inner[2])
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
            return {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod, "^": operator.pow, "&": lambda a, b: a.bitand(b), "|": lambda a, b: a.bitor(b)}[sign](revive(left), revive(right))
        if key == "$agg":
            name, path, *rest = inner
            options = {k: revive(v) for k, v in (rest[0] if rest else {}).items()}
            if "default" in options:
                default = options.pop("default")
                return functions.Coalesce(getattr(models, name)(revive(path), **options), models.Value(default) if not hasattr(default, "resolve_expression") else default)
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
        if key == "$ascNullsFirst":
            return models.F(inner).asc(nulls_first=True)
        if key == "$descNullsFirst":
            return models.F(inner).desc(nulls_first=True)
        if key == "$exprAsc":
            return revive(inner).asc()
        if key == "$exprDesc":
            return revive(inner).desc()
        if key == "$ascNullsLast":
            return models.F(inner).asc(nulls_last=True)
        if key == "$descNullsLast":
            return models.F(inner).desc(nulls_last=True)
    return {k: revive(v) for k, v in value.items()}


CASTS = {
    "text": models.TextField, "integer": models.IntegerField, "float": models.FloatField, "date": models.DateField,
    "decimal": lambda: models.DecimalField(max_digits=20, decimal_places=6),
}

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
        if name in ("dates", "datetimes"):
            field, kind, order, *zone = args
            result = getattr(result, name)(field, kind, order=order, **({"tzinfo": pytz.timezone(zone[0])} if zone else {}))
            continue
        if name == "valuesExpr":
            result = result.values(*args[0], **{k: revive(v) for k, v in args[1].items()})
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
    if isinstance(value, dt.time):
        return {"$time": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$duration": value / dt.timedelta(milliseconds=1)}
    if isinstance(value, uuid.UUID):
        return str(value)
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
            # What Django cannot know without an output_field, or without an app of its own.
            if "mixed types" in str(error) or "Unsupported lookup 'search'" in str(error):
                return {"fails": str(error).split(".")[0]}
            if isinstance(error, cls):
                return {"raises": name}
    except Exception as error:
        if connections[alias].vendor == "postgresql":
            connections[alias].close()
        return {"fails": type(error).__name__ + ": " + str(error)}


def build(alias):
    with connections[alias].schema_editor() as editor:
        for name, model in MODELS.items():
            if name != "Shelf" or alias == "postgresql":
                editor.create_model(model)
    data = json.load(open(os.path.join(HERE, "data.json")))
    for name, rows in data.items():
        if name == "Shelf" and alias != "postgresql":
            continue
        later = []
        for row in rows:
            many = {field: row.pop(field) for field in ("tags", "friends", "follows") if field in row}
            keys = {f.name for f in MODELS[name]._meta.fields if f.is_relation}
            instance = MODELS[name](**{("%s_id" % k if k in keys else k): revive(v) for k, v in row.items()})
            instance.save(using=alias, force_insert=True)
            later.append((instance, many))
        for instance, many in later:
            for field, wanted in many.items():
                getattr(instance, field).add(*wanted)


def main():
    queries = json.load(open(os.path.join(HERE, "queries.json")))
    answers = {}
    for alias in DATABASES:
        if alias == "default":
            continue
        connections["default"] = connections[alias]
        build(alias)
        for name, spec in queries.items():
            if spec[0] == "Shelf" and alias != "postgresql":
                continue
            answers.setdefault(name, {})[alias] = answer(spec, alias)
    lines = ["{"]
    names = list(answers)
    failed = []
    for index, name in enumerate(names):
        by = answers[name]
        same = len(by) == len(DATABASES) - 1 and len({json.dumps(v, sort_keys=True) for v in by.values()}) == 1
        value = {"both": next(iter(by.values()))} if same else by
        if any("fails" in v for v in by.values()):
            failed.append((name, by))
        lines.append("%s: %s%s" % (json.dumps(name), json.dumps(value, ensure_ascii=False), "," if index < len(names) - 1 else ""))
    lines.append("}")
    open(os.path.join(HERE, "answers.json"), "w").write("\n".join(lines) + "\n")
    for name, by in failed:
        print("Django itself fails:", name, by, file=sys.stderr)
    print(len(answers), "answers,", sum("both" not in v for v in map(lambda n: json.loads(json.dumps({"both": 1} if len({json.dumps(x, sort_keys=True) for x in answers[n].values()}) == 1 else {})), names)), "differ between databases")


def ask():
    for alias in DATABASES:
        if alias != "default":
            connections["default"] = connections[alias]
            build(alias)
    print("ready", flush=True)
    for line in sys.stdin:
        spec = json.loads(line)
        aliases = [a for a in DATABASES if a != "default" and (a == "postgresql" or spec[0] != "Shelf")]
        answers = {}
        for alias in aliases:
            connections[alias].force_debug_cursor = True
            answers[alias] = answer(spec, alias)
            log = connections[alias].queries_log
            answers[alias]["sql"] = log[-1]["sql"] if log else ""
        print(json.dumps(answers), flush=True)


ask() if "--ask" in sys.argv else main()
for connection in connections.all():
    connection.close()
if "postgresql" in DATABASES:
    admin.cursor().execute("DROP DATABASE %s WITH (FORCE)" % NAME)
