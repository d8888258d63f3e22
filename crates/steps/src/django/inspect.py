# Says in one line of JSON what a deploy must know of a Django project. Needs nothing but Django
# (3.2 and later). Settings and apps may print what they like: only the marked line counts.
# With the argument `and-collect` it goes on as `manage.py collectstatic` if the checks are well.
import json
import sys

MARK = "@release-inspect:"


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
    import os

    from django.conf import settings

    names = [
        str(database.get("NAME") or "")
        for database in settings.DATABASES.values()
        if database.get("ENGINE", "").endswith(("sqlite3", "spatialite"))
    ]
    # A URI or a database in memory is no file that a release could lose.
    return [os.path.realpath(name) for name in names if name and not name.startswith(("file:", ":memory:"))]


def inspect():
    import django
    from django.conf import settings

    django.setup()
    from django.core import checks

    found = [one for one in checks.run_checks() if one.level >= checks.ERROR and not one.is_silenced()]
    errors = [str(one) for one in found]
    applied, pending = ([], []) if errors else migrations(errors)
    root = getattr(settings, "STATIC_ROOT", None)
    return {
        "static_root": str(root) if root else None,
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


result = inspect()
sys.__stdout__.write("\n" + MARK + json.dumps(result) + "\n")
sys.__stdout__.flush()
if "and-collect" in sys.argv[1:] and not result["checks"]:
    collect()
