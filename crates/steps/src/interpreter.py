# Says in one line of JSON what this interpreter is. Each deploy asks, so nothing is loaded that takes long.
import importlib
import json
import os
import sys
import sysconfig
import types

# What ensurepip works with, and needs for no version: to load it takes longer than all the rest.
IDLE = ("importlib.resources", "subprocess", "tempfile")


def bundled_pip():
    import ensurepip

    return ensurepip.version()


def pip():
    added = [name for name in IDLE if name not in sys.modules]
    sys.modules.update((name, types.ModuleType(name)) for name in added)
    importlib.resources = sys.modules["importlib.resources"]
    try:
        return bundled_pip()
    except AttributeError:
        # Python 3.13 needs it after all.
        for name in added + ["ensurepip"]:
            sys.modules.pop(name, None)
        del importlib.resources
        return bundled_pip()
    except ImportError:
        return None


print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": sys.version.split()[0],
    "build": sys.version,
    "platform": sysconfig.get_platform(),
    "pip": pip(),
}))
