"""Asks Django what makemigrations would write for every change of cases.json, and writes answers.json. Needs Debian's
python3-django (3.2).

    node tests/migrations/django/cases.ts && /usr/bin/python3 tests/migrations/django/answers.py
"""
import json
import os

import django
from django.conf import settings

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()

from django.db import models  # noqa: E402
from django.db.migrations.autodetector import MigrationAutodetector  # noqa: E402
from django.db.migrations.graph import MigrationGraph  # noqa: E402
from django.db.migrations.questioner import MigrationQuestioner  # noqa: E402
from django.db.migrations.state import ModelState, ProjectState  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def field(text):
    kind, *flags = text.split()
    kind, _, target = kind.partition(":")
    options = {}
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "null":
            options["null"] = True
        elif name == "unique":
            options["unique"] = True
        elif name == "index":
            options["db_index"] = True
        elif name == "default":
            options["default"] = 7
        elif name == "col":
            options["db_column"] = value
        elif name == "through":
            options["through"] = value
    if kind == "text":
        return models.CharField(max_length=int(target), **options)
    if kind == "int":
        return models.IntegerField(**options)
    if kind == "pk":
        if target == "big":
            return models.BigAutoField(primary_key=True)
        return models.IntegerField(primary_key=True) if target == "int" else models.CharField(max_length=9, primary_key=True)
    if kind == "m2m":
        return models.ManyToManyField(target, **options)
    key = models.OneToOneField if kind == "o2o" else models.ForeignKey
    return key(target, models.CASCADE, **options)


def state(given):
    made = ProjectState()
    for key, model in given.items():
        app, name = key.split(".")
        fields = [(field_name, field(text)) for field_name, text in model["fields"].items()]
        if not any(one.primary_key for _, one in fields):
            fields.insert(0, ("id", models.BigAutoField(primary_key=True)))
        options = {"indexes": [], "constraints": []}
        if "unique" in model:
            options["unique_together"] = {tuple(group) for group in model["unique"]}
        for index_name, names in model.get("indexes", {}).items():
            options["indexes"].append(models.Index(fields=names, name=index_name))
        for constraint, names in model.get("constraints", {}).items():
            options["constraints"].append(models.UniqueConstraint(fields=names, name=constraint))
        if "ordering" in model:
            options["ordering"] = model["ordering"]
        if "table" in model:
            options["db_table"] = model["table"]
        if "verbose" in model:
            options["verbose_name"] = model["verbose"]
        if "managed" in model:
            options["managed"] = False
        made.add_model(ModelState(app, name, fields, options))
    return made


class Questioner(MigrationQuestioner):
    def __init__(self, rename):
        super().__init__()
        self.rename = rename

    def ask_rename(self, *_):
        return self.rename

    def ask_rename_model(self, *_):
        return self.rename

    def ask_not_null_addition(self, *_):
        return 1

    def ask_not_null_alteration(self, *_):
        return 1

    def ask_initial(self, *_):
        return True


def described(operation):
    kind = type(operation).__name__
    if kind == "RenameModel":
        return "RenameModel %s %s" % (operation.old_name.lower(), operation.new_name.lower())
    if kind == "RenameField":
        return "RenameField %s %s %s" % (operation.model_name.lower(), operation.old_name, operation.new_name)
    model = getattr(operation, "model_name", None)
    if model is None:
        return "%s %s" % (kind, operation.name.lower())
    if kind in ("AddIndex", "AddConstraint"):
        part = operation.index if kind == "AddIndex" else operation.constraint
        return "%s %s %s" % (kind, model.lower(), part.name)
    return "%s %s %s" % (kind, model.lower(), operation.name)


answers = {}
with open(os.path.join(HERE, "cases.json")) as file:
    cases = json.load(file)
for case in cases:
    detector = MigrationAutodetector(state(case["from"]), state(case["to"]), Questioner(case["rename"]))
    changes = detector._detect_changes()
    changes = detector.arrange_for_graph(changes, MigrationGraph())
    answers[case["name"]] = {
        app: [[described(operation) for operation in migration.operations] for migration in migrations]
        for app, migrations in sorted(changes.items())
    }
with open(os.path.join(HERE, "answers.json"), "w") as file:
    json.dump(answers, file, indent=1)
    file.write("\n")
