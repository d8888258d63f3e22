# Says in JSON, cut into marked lines, what a deploy must know of a Django project. Needs nothing
# but Django (3.2 and later). Settings and apps may print what they like: only the marked lines count.
# With the argument `and-collect` it goes on as `manage.py collectstatic` if the checks are well and
# none of the further arguments is the digest of what there is to collect; with `collected` it only
# says that digest.
import json
import os
import sys

MARK = "@release-inspect:"
# A longer line of output would be cut.
PIECE = 2000


def is_reversible(operation):
    # SeparateDatabaseAndState answers for itself alone.
    inner = getattr(operation, "database_operations", [])
    return bool(operation.reversible) and all(is_reversible(one) for one in inner)


def about(migration):
    operations = migration.operations
    return {
        "app": migration.app_label,
        "name": migration.name,
        "operations": [str(operation.describe()) for operation in operations],
        "reversible": all(is_reversible(operation) for operation in operations),
    }


def migrations(errors):
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    if connection.vendor == "unknown" or not connection.settings_dict.get("ENGINE"):
        return [], []
    executor = MigrationExecutor(connection)
    loader = executor.loader
    loader.check_consistent_history(connection)
    for app, names in loader.detect_conflicts().items():
        errors.append("conflicting migrations in %s: %s; run makemigrations --merge" % (app, ", ".join(names)))
    if errors:
        return [], []
    leaves = loader.graph.leaf_nodes()
    in_order = [(m.app_label, m.name) for m, _ in executor.migration_plan(leaves, clean_start=True)]
    done = set(loader.applied_migrations)
    # What the database has and the code has not comes first: nothing here is on top of it.
    applied = sorted(done.difference(in_order)) + [key for key in in_order if key in done]
    return applied, [about(m) for m, _ in executor.migration_plan(leaves)]


def sqlite_files():
    from django.conf import settings

    names = [
        str(database.get("NAME") or "")
        for database in settings.DATABASES.values()
        if database.get("ENGINE", "").endswith(("sqlite3", "spatialite"))
    ]
    # A URI or a database in memory is no file that a release could lose.
    return [os.path.realpath(name) for name in names if name and not name.startswith(("file:", ":memory:"))]


# What other code makes of the files may depend on anything.
def is_known(cls):
    import sysconfig

    packages = os.path.realpath(sysconfig.get_path("purelib"))
    known = tuple(os.path.join(packages, name, "") for name in ("django", "whitenoise"))
    modules = [sys.modules[base.__module__] for base in cls.__mro__ if base is not object]
    return all(os.path.realpath(getattr(module, "__file__", "")).startswith(known) for module in modules)


# All that the collected files are made of, as a digest.
def fingerprint(settings, finders, classes):
    import hashlib

    digest = hashlib.blake2b(digest_size=20)

    def feed(value):
        digest.update(b"%d:" % len(value) + value)

    release = os.path.join("releases", os.environ["RELEASE_ID"])
    # The environment's own path is made of what is installed.
    for word in [os.path.realpath(sys.prefix)] + ["%s.%s" % (cls.__module__, cls.__qualname__) for cls in classes]:
        feed(word.encode())
    for name in dir(settings):
        if name == "DEBUG" or name.startswith(("STATIC", "STORAGES", "WHITENOISE", "FILE_UPLOAD")):
            value = "%s=%r" % (name, getattr(settings, name))
            feed(value.replace(os.getcwd(), "").replace(release, "").encode())
    from django.apps import apps

    ignored = list(set(apps.get_app_config("staticfiles").ignore_patterns))
    found = {}
    for finder in finders:
        for path, storage in finder.list(ignored):
            # The first of a name is the one that is collected.
            found.setdefault(os.path.join(getattr(storage, "prefix", None) or "", path), storage.path(path))
    for name in sorted(found):
        feed(name.encode())
        feed(b"%d" % os.path.getsize(found[name]))
        with open(found[name], "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                feed(block)
    return digest.hexdigest()


# That digest; None where nobody can tell.
def static_inputs(settings, collected):
    from django.apps import apps

    root = getattr(settings, "STATIC_ROOT", None)
    if not root or not apps.is_installed("django.contrib.staticfiles") or "RELEASE_ID" not in os.environ:
        return None
    from django.contrib.staticfiles.finders import get_finders
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.core.files.storage import FileSystemStorage
    from django.core.management import get_commands, load_command_class

    # What lies there already is part of the result. A hidden file only keeps the directory in git.
    if not collected and os.path.isdir(root) and any(not name.startswith(".") for name in os.listdir(root)):
        return None
    finders = list(get_finders())
    command = load_command_class(get_commands()["collectstatic"], "collectstatic")
    classes = [staticfiles_storage.__class__, command.__class__] + [finder.__class__ for finder in finders]
    is_local = isinstance(staticfiles_storage, FileSystemStorage)
    if not is_local or os.path.realpath(staticfiles_storage.location) != os.path.realpath(root):
        return None
    return fingerprint(settings, finders, classes) if all(map(is_known, classes)) else None


def inspect(collects, collected):
    import django
    from django.conf import settings

    django.setup()
    from django.core import checks

    found = [one for one in checks.run_checks() if one.level >= checks.ERROR and not one.is_silenced()]
    errors = [str(one) for one in found]
    applied, pending = ([], []) if errors else migrations(errors)
    root = getattr(settings, "STATIC_ROOT", None)
    inputs = None
    if (collects or collected) and not errors:
        try:
            inputs = static_inputs(settings, collected)
        except Exception as error:
            # Collecting fails at the same place, and says so.
            print("static files are not looked up in the cache: %s" % error)
    return {
        "static_root": str(root) if root else None,
        "static_place": os.path.realpath(str(root)) if root else None,
        "static_inputs": inputs,
        "sqlite": sqlite_files(),
        "applied": applied,
        "pending": pending,
        "checks": errors,
    }


def collect():
    import runpy

    from django.db import connections

    connections.close_all()
    sys.argv = ["manage.py", "collectstatic", "--noinput"]
    runpy.run_path("manage.py", run_name="__main__")


words = sys.argv[1:]
collects = words[:1] == ["and-collect"]
result = inspect(collects, words == ["collected"])
text = json.dumps(result)
sys.__stdout__.write("\n")
for begin in range(0, len(text), PIECE):
    sys.__stdout__.write(MARK + text[begin : begin + PIECE] + "\n")
sys.__stdout__.flush()
if collects and not result["checks"] and result["static_inputs"] not in words[1:]:
    collect()
