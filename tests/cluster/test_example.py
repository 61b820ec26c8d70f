import json
import platform
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from ecgtune.cluster.example import example


def test_the_launchers_example_meets_rays_own_schema():
    text = example("launcher")
    content = yaml.safe_load(text)
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(content, json.loads(schema.read_text()))
    assert content["provider"]["type"] == "local"
    for commands in (content["head_start_ray_commands"], content["worker_start_ray_commands"]):
        assert "RAY_AUTH_MODE=token" in commands[-1]
        assert "PATH=~/ecgtune-env/bin:$PATH" in commands[-1]
    assert "--address=$RAY_HEAD_IP:6379" in content["worker_start_ray_commands"][-1]


def test_kuberays_example_has_token_shared_folder_and_image_in_every_pod():
    content = yaml.safe_load(example("kuberay"))
    assert (content["apiVersion"], content["kind"]) == ("ray.io/v1", "RayCluster")
    pods = [content["spec"]["headGroupSpec"], *content["spec"]["workerGroupSpecs"]]
    assert len(pods) == 2
    for pod in pods:
        (container,) = pod["template"]["spec"]["containers"]
        env = {each["name"]: each for each in container["env"]}
        assert env["RAY_AUTH_MODE"]["value"] == "token"
        assert "secretKeyRef" in env["RAY_AUTH_TOKEN"]["valueFrom"]
        assert container["volumeMounts"][0]["name"] == pod["template"]["spec"]["volumes"][0]["name"]
        assert container["image"]


@pytest.mark.parametrize("kind", ["launcher", "kuberay"])
def test_examples_name_the_versions_that_run_here_and_what_to_edit(kind):
    text = example(kind)
    assert f"ray[default,tune]=={version('ray')}" in text
    assert platform.python_version() in text
    assert f"'torch=={version('torch').split('+')[0]}'" in text
    assert text.count("EDIT") >= 4
    assert "${" not in text


def test_the_command_prints_it(run_cli):
    assert run_cli("cluster", "example").stdout == example("launcher")
    assert run_cli("cluster", "example", "--kuberay").stdout == example("kuberay")
