"""Makes the wheel by itself: to fetch what would make it takes longer."""

import zipfile

ABOUT = {
    "METADATA": "Metadata-Version: 2.1\nName: spectra\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
}


def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "spectra-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.write("spectra.py")
        for file, text in ABOUT.items():
            wheel.writestr(f"spectra-1.0.dist-info/{file}", text)
    return name
