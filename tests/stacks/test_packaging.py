from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from local.aws.deploy import zip_folder
from stacks import packaging
from tests.stacks.synthesis import OUTPUT, ROOT, Assembly

OF_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the fingerprint is taken of, to change."""
    for name in ("lambdas", "statemachine"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copyfile(ROOT / "requirements.lock", tmp_path / "requirements.lock")
    return tmp_path


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only what the Lambda runtime brings."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in OF_THE_RUNTIME:
        spec = util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)
    return folder


def change(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


def test_what_every_function_carries_is_small(assembly: Assembly, tmp_path: Path) -> None:
    """The functions of the switchover load it before they can start; the parser is in a layer of those that parse."""
    zip_folder(assembly.asset, tmp_path / "asset.zip")
    assert (tmp_path / "asset.zip").stat().st_size < 5_000_000


def test_the_asset_holds_our_code_statements_certificates_and_schema(assembly: Assembly) -> None:
    lambdas = ROOT / "lambdas"
    ours = [path.relative_to(lambdas) for path in lambdas.glob("*/**/*") if path.suffix in {".py", ".sql", ".pem"}]
    assert ours
    for name in ours:
        assert (assembly.asset / name).read_bytes() == (lambdas / name).read_bytes()
    schema = (assembly.asset / "bluegreen" / "release-input.schema.json").read_text()
    assert schema == (ROOT / "statemachine" / "release-input.schema.json").read_text()


def test_the_asset_leaves_out_what_the_runtime_brings_and_what_no_function_runs(assembly: Assembly) -> None:
    names = {path.name for path in assembly.asset.iterdir()}
    assert not names & {"boto3", "botocore", "s3transfer", "urllib3", "bin", "requirements.txt"}
    assert not [name for name in names if name.startswith(("boto", "s3transfer-", "urllib3-"))]
    assert not list(assembly.asset.rglob("tests"))


def test_binary_modules_are_for_the_functions_platform_alone(assembly: Assembly) -> None:
    for path in assembly.asset.rglob("*.so"):
        assert path.name.endswith(".cpython-313-aarch64-linux-gnu.so")


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory, assembly: Assembly) -> Path:
    """What the layer holds, for this machine."""
    folder = tmp_path_factory.mktemp("layer")
    for path in (assembly.layer / "python").iterdir():
        if path.suffix != ".dist-info":
            spec = util.find_spec(path.name)
            assert spec is not None
            assert spec.submodule_search_locations
            (folder / path.name).symlink_to(next(iter(spec.submodule_search_locations)))
    return folder


def test_the_layer_holds_the_parser_for_the_functions_platform_and_the_asset_does_not(assembly: Assembly) -> None:
    library = assembly.layer / "python" / "postgast" / "libpg_query.so"
    machine = int.from_bytes(library.read_bytes()[18:20], "little")  # e_machine of an ELF file
    assert machine == 183, "EM_AARCH64"
    names = {path.name for path in (assembly.layer / "python").iterdir() if path.suffix != ".dist-info"}
    assert names == {"postgast", "google"}
    assert not names & {path.name for path in assembly.asset.iterdir()}
    assert not (assembly.asset / "bin").exists()


def test_only_the_functions_that_read_scripts_have_the_layer(assembly: Assembly) -> None:
    layered = {state for state, properties in assembly.functions.items() if "Layers" in properties}
    assert layered == {"CheckChanges", "ApplyChanges"}


def test_every_handler_imports_from_the_asset_the_runtime_and_its_layers_alone(
    assembly: Assembly, runtime: Path, parser: Path
) -> None:
    program = (
        "import importlib, pathlib, sys\n"
        "asset, runtime, parser = sys.argv[1:]\n"
        "sys.path[:] = [asset, *(path for path in sys.path if 'site-packages' not in path), runtime]\n"
        "for path in pathlib.Path(asset, 'handlers').glob('*.py'):\n"
        "    importlib.import_module(f'handlers.{path.stem}')\n"
        "assert sys.modules['pg8000'].__file__.startswith(asset), sys.modules['pg8000']\n"
        "assert sys.modules['boto3'].__file__.startswith(runtime), sys.modules['boto3']\n"
        "assert not {'postgast', 'google'} & set(sys.modules)\n"
        "sys.path.append(parser)\n"
        "from bluegreen.changes import parsing\n"
        "assert [each.kind for each in parsing.statements('SELECT 1')] == ['SelectStmt']\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-B", "-W", "error", "-c", program, str(assembly.asset), str(runtime), str(parser)],
        env={},  # a module may not need its environment at import
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_an_unchanged_tree_is_not_packaged_again(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(_root: Path, target: Path) -> None:
        raise AssertionError(f"packaged again, into {target}")

    monkeypatch.setattr(packaging, "build", unexpected)
    location = packaging.functions_code().bind(cdk.Stack(cdk.App(outdir=str(OUTPUT)))).s3_location
    assert location is not None
    assert location.object_key == f"{assembly.asset.name.removeprefix('asset.')}.zip"


def test_a_failure_of_pip_ends_the_synthesis_and_leaves_no_asset(tree: Path, tmp_path: Path) -> None:
    (tree / "lambdas" / "requirements.txt").write_text("pg8000 ==0.0.1\n")
    output = tmp_path / "output"
    with pytest.raises(Exception, match=r"pip could not install the functions' requirements:[\s\S]*pg8000"):
        packaging.functions_code(tree).bind(cdk.Stack(cdk.App(outdir=str(output))))
    assert not list(output.glob("asset.*[0-9a-f]"))


def test_the_fingerprint_follows_code_schema_and_versions(tree: Path) -> None:
    fingerprint = packaging._fingerprint
    seen = {fingerprint(tree)}
    for name in ("lambdas/handlers/entry.py", "statemachine/release-input.schema.json"):
        change(tree / name)
        seen.add(fingerprint(tree))
    lock = tree / "requirements.lock"
    lock.write_text(lock.read_text().replace("pg8000==", "pg8000==9"))
    seen.add(fingerprint(tree))
    assert len(seen) == 4


def test_the_fingerprint_does_not_follow_what_functions_do_not_depend_on(tree: Path) -> None:
    before = packaging._fingerprint(tree)
    lock = tree / "requirements.lock"
    lock.write_text(lock.read_text().replace("ruff==", "ruff==9"))
    (tree / "lambdas" / "bluegreen" / "__pycache__").mkdir(exist_ok=True)
    (tree / "lambdas" / "bluegreen" / "__pycache__" / "lsn.cpython-311.pyc").touch()
    assert packaging._fingerprint(tree) == before


def test_pins_hold_what_is_asked_for_and_what_that_requires() -> None:
    names = {pin.split("==")[0] for pin in packaging._pins(ROOT)}
    assert names >= {"aws-lambda-powertools", "pg8000", "scramp", "fastjsonschema"}
    assert not names & {"moto", "ruff", "aws-cdk-lib", "boto3", "aws-xray-sdk"}


def test_a_requirement_that_is_not_pinned_is_refused(tree: Path) -> None:
    requirements = tree / "lambdas" / "requirements.txt"
    requirements.write_text(requirements.read_text() + "left-pad\n")
    with pytest.raises(packaging.PackagingError, match="does not pin left-pad"):
        packaging._fingerprint(tree)


def test_a_file_that_has_to_ship_and_is_missing_is_named(tree: Path) -> None:
    (tree / "statemachine" / "release-input.schema.json").unlink()
    with pytest.raises(packaging.PackagingError, match=r"release-input\.schema\.json"):
        packaging._fingerprint(tree)


def test_the_certificates_are_roots_of_rds_and_there_are_some_for_the_example_region() -> None:
    context = ssl.create_default_context(cafile=str(ROOT / "lambdas" / "bluegreen" / "rds-ca-bundle.pem"))
    certificates: list[dict[str, Any]] = list(map(dict, context.get_ca_certs()))
    names = [dict(pair for part in each["subject"] for pair in part)["commonName"] for each in certificates]
    assert all(each["subject"] == each["issuer"] for each in certificates)
    assert all(name.startswith("Amazon RDS ") and " Root CA " in name for name in names)
    region = json.loads((ROOT / "cdk.json").read_text())["context"]["clusters"]["shop"]["region"]
    assert sum(region in name for name in names) == 3
