import pytest

from dfworkbench.notebook.doctor import Doctor, Finding, check_versions, installed_versions

GOOD = {
    "torch": "2.14.1",
    "torchvision": "0.29.1",
    "opencv-python-headless": "5.0.0.93",
    "lightning-fabric": "2.6.6",
    "facenet-pytorch": "2.5.3",
}


def test_the_pinned_versions_are_healthy():
    assert check_versions(GOOD, "==2.14.1") == []


@pytest.mark.parametrize(
    ("change", "needs", "what", "cure"),
    [
        ({"torch": "2.14.1+cpu"}, "==2.14.1", "CPU-only build", "torch==2.14.1"),
        ({"torch": "2.13.0"}, "==2.14.1", "built for torch ==2.14.1", "torchvision==0.28.0"),
        ({"torchvision": "0.29.2"}, ">=2.14.0", "built for torch ==2.15.0", "torchvision==0.29.1"),
        ({"torch": "2.9.0"}, "==2.14.1", "built for torch ==2.14.1", "torch==2.14.1"),
        ({"torch": "2.9.0", "torchvision": "0.99"}, "==2.16.0", "built for torch ==2.16.0", "torch==2.16.0"),
        ({"opencv-python": "4.12.0"}, "==2.14.1", "both provide cv2", "pip uninstall -y opencv-python"),
        ({"lightning-fabric": "2.6.2"}, "==2.14.1", "compromised", ">=2.6.4"),
        ({"lightning": "2.6.3"}, "==2.14.1", "compromised", ">=2.6.4"),
        ({"facenet-pytorch": "2.6.0"}, "==2.14.1", "numpy < 2", "facenet-pytorch==2.5.3"),
    ],
)
def test_each_bad_pair_is_found_with_its_cure(change, needs, what, cure):
    findings = check_versions({**GOOD, **change}, needs)
    assert len(findings) == 1
    assert what in findings[0].what
    assert cure in findings[0].cure


def test_a_cpu_torch_beside_a_cpu_torchvision_is_a_pair():
    assert check_versions({**GOOD, "torch": "2.14.1+cpu", "torchvision": "0.29.1+cpu"}, "==2.14.1") == []


def test_cuda_build_beside_the_registry_torchvision_is_a_pair():
    assert check_versions({**GOOD, "torch": "2.14.1+cu130"}, "==2.14.1") == []


def test_text_and_html_name_findings_and_versions():
    doctor = Doctor({"Python": "3.11"}, [("torch", "==2.14.1", ">=2.6")], [Finding("a <b> clash", "pip install x")])
    assert not doctor.healthy
    assert "a <b> clash" in str(doctor)
    assert "fix: pip install x" in str(doctor)
    assert "a &lt;b&gt; clash" in doctor._repr_html_()


def test_versions_are_read_without_imports():
    assert "numpy" in installed_versions()
