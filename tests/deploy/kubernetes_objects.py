#!/usr/bin/env python3
"""deploy/kubernetes: base and overlays render, every object fits the published schemas, and what
belongs together fits together. Starts no cluster. Run it with python_env.sh and requirements.txt of
this folder."""

import functools
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ["base", "overlays/edge", "overlays/scale-out"]
SCHEMAS = ["1.30", kubernetes_validate.latest_version()]  # the oldest that README.md promises
UNITS = {"": 1, "m": 1e-3, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def renderer():
    """The command that renders a kustomization, or None. kubectl before 1.22 lacks components."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl"):
        told = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True,
                              check=False).stdout
        version = re.search(r"v(\d+)\.(\d+)\.", told)
        if version and (int(version.group(1)), int(version.group(2))) >= (1, 22):
            return ["kubectl", "kustomize"]
    return None


@functools.cache
def objects(overlay):
    """The rendered objects; without a renderer the base's as they are written."""
    command = renderer()
    if command:
        done = subprocess.run([*command, str(FOLDER / overlay)], capture_output=True, text=True,
                              check=False)
        if done.returncode or "deprecated" in done.stderr:
            raise AssertionError(f"{overlay}: {done.stderr}")
        return list(yaml.safe_load_all(done.stdout))
    if overlay != "base":
        raise unittest.SkipTest("neither kustomize nor kubectl 1.22 or newer is installed")
    files = yaml.safe_load((FOLDER / "base/kustomization.yaml").read_text())["resources"]
    return [entry for file in files for entry in
            yaml.safe_load_all((FOLDER / "base" / file).read_text())]


def of_kind(overlay, kind):
    return [entry for entry in objects(overlay) if entry["kind"] == kind]


def number(quantity):
    """"512Mi" as a number."""
    digits, unit = re.fullmatch(r"([\d.]+)(\w*)", str(quantity)).groups()
    return float(digits) * UNITS[unit]


def container(deployment):
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return only


def flags(deployment):
    return dict(re.fullmatch(r"--(\w+)=(.*)", word).groups()
                for word in container(deployment)["args"])


def selects(labels, deployment):
    return labels.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def claims(deployment):
    """(claim, read only) of the volumes."""
    for volume in deployment["spec"]["template"]["spec"]["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            yield claim["claimName"], claim.get("readOnly", False)


def port_names(deployment):
    return {port["name"]: port["containerPort"] for port in container(deployment)["ports"]}


class KubernetesObjectsTest(unittest.TestCase):
    def each(self, kind):
        """(overlay, object) of all overlays; a skip where overlays cannot be rendered."""
        for overlay in OVERLAYS:
            found = of_kind(overlay, kind)
            self.assertTrue(found, f"{overlay} has no {kind}")
            for entry in found:
                yield overlay, entry

    def test_every_object_fits_the_schemas(self):
        for overlay in OVERLAYS:
            with self.subTest(overlay=overlay):
                for entry in objects(overlay):
                    for version in SCHEMAS:
                        try:
                            kubernetes_validate.validate(entry, version, strict=True)
                        except kubernetes_validate.SchemaNotFoundError:
                            self.assertEqual(entry["kind"], "PodMonitor")  # of the operator
                print(f"{overlay}: {', '.join(entry['kind'] for entry in objects(overlay))}")

    def test_a_misspelt_field_does_not_fit(self):
        (entry,) = of_kind("base", "PersistentVolumeClaim")
        wrong = {**entry, "spec": {**entry["spec"], "accessMode": ["ReadWriteOnce"]}}
        for version in SCHEMAS:
            with self.assertRaises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(wrong, version, strict=True)

    def test_pods_run_without_root_and_rights(self):
        for _, deployment in self.each("Deployment"):
            pod = deployment["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse(pod["automountServiceAccountToken"])
            for each in pod["containers"] + pod.get("initContainers", []):
                context = each["securityContext"]
                self.assertFalse(context["allowPrivilegeEscalation"])
                self.assertTrue(context["readOnlyRootFilesystem"])
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                self.assertEqual(set(each["resources"]), {"requests", "limits"})

    def test_ports_are_the_servers_own_and_probes_ask_grpc(self):
        defaults = dict(re.findall(r"(\w+)_listen = \"[^\"]*:(\d+)\"",
                                   (ROOT / "server/server.h").read_text()))
        for _, deployment in self.each("Deployment"):
            self.assertEqual(port_names(deployment),
                             {name: int(port) for name, port in defaults.items()})
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                self.assertEqual(container(deployment)[probe]["grpc"]["port"],
                                 port_names(deployment)["grpc"])

    def test_the_server_knows_every_flag(self):
        known = set(re.findall(r"ABSL_FLAG\([^,]+(?:<[^>]*>)?, (\w+),",
                               (ROOT / "server/main.cc").read_text()))
        for _, deployment in self.each("Deployment"):
            self.assertLessEqual(set(flags(deployment)), known)

    def test_the_store_is_on_a_volume(self):
        for _, deployment in self.each("Deployment"):
            mounts = [mount["mountPath"] for mount in container(deployment)["volumeMounts"]]
            self.assertIn(flags(deployment)["model_store"], mounts)

    def test_a_pod_is_killed_only_after_the_server_had_its_time(self):
        for _, deployment in self.each("Deployment"):
            pod = deployment["spec"]["template"]["spec"]
            needs = (container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"] +
                     float(flags(deployment)["grace_period_seconds"]) +
                     float(flags(deployment)["drain_seconds"]))
            self.assertGreater(pod["terminationGracePeriodSeconds"], needs)

    def test_an_upload_meets_its_own_limit_before_the_containers(self):
        for _, deployment in self.each("Deployment"):
            if int(flags(deployment).get("max_upload_bytes", 0)) == 1:
                continue  # takes no uploads
            memory = number(container(deployment)["resources"]["limits"]["memory"])
            self.assertLessEqual(int(flags(deployment)["job_memory_bytes"]), memory / 2)

    def test_each_volume_has_one_writer_and_never_two_at_once(self):
        for overlay in OVERLAYS:
            with self.subTest(overlay=overlay):
                writers = [(claim, deployment) for deployment in of_kind(overlay, "Deployment")
                           for claim, read_only in claims(deployment) if not read_only]
                names = [claim for claim, _ in writers]
                self.assertEqual(sorted(names), sorted(set(names)))
                scaled = [each["spec"]["scaleTargetRef"]["name"]
                          for each in of_kind(overlay, "HorizontalPodAutoscaler")]
                for _, deployment in writers:
                    self.assertEqual(deployment["spec"]["replicas"], 1)
                    self.assertEqual(deployment["spec"]["strategy"], {"type": "Recreate"})
                    self.assertNotIn(deployment["metadata"]["name"], scaled)
                known = {each["metadata"]["name"]: each["spec"]["accessModes"]
                         for each in of_kind(overlay, "PersistentVolumeClaim")}
                users = [claim for deployment in of_kind(overlay, "Deployment")
                         for claim, _ in claims(deployment)]
                for claim in users:
                    self.assertEqual(known[claim], ["ReadWriteMany" if users.count(claim) > 1
                                                    else "ReadWriteOnce"])

    def test_services_and_budgets_select_one_deployment_and_services_its_ports(self):
        for overlay, service in self.each("Service"):
            selected = [each for each in of_kind(overlay, "Deployment")
                        if selects(service["spec"]["selector"], each)]
            self.assertEqual(len(selected), 1, service["metadata"]["name"])
            for port in service["spec"]["ports"]:
                self.assertEqual(port["port"], port_names(selected[0])[port["targetPort"]])
        for overlay, budget in self.each("PodDisruptionBudget"):
            labels = budget["spec"]["selector"]["matchLabels"]
            selected = [each for each in of_kind(overlay, "Deployment") if selects(labels, each)]
            self.assertEqual(len(selected), 1, budget["metadata"]["name"])
            self.assertEqual(budget["spec"]["maxUnavailable"], 1)  # a node can always be drained

    def test_the_autoscaler_has_what_it_scales_and_measures(self):
        (scaler,) = of_kind("overlays/scale-out", "HorizontalPodAutoscaler")
        (target,) = [each for each in of_kind("overlays/scale-out", "Deployment")
                     if each["metadata"]["name"] == scaler["spec"]["scaleTargetRef"]["name"]]
        self.assertNotIn("replicas", target["spec"])
        metric = scaler["spec"]["metrics"][0]["containerResource"]
        self.assertEqual(metric["container"], container(target)["name"])
        self.assertIn(metric["name"], container(target)["resources"]["requests"])

    def test_metrics_get_the_job_that_rules_and_dashboard_ask_for(self):
        (monitor,) = of_kind("overlays/scale-out", "PodMonitor")
        for deployment in of_kind("overlays/scale-out", "Deployment"):
            self.assertTrue(selects(monitor["spec"]["selector"]["matchLabels"], deployment))
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            self.assertEqual(labels[monitor["spec"]["jobLabel"]], "fourfold")
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                self.assertIn(endpoint["port"], port_names(deployment))

    def test_the_network_policy_covers_every_pod_and_names_real_ports(self):
        for overlay in ("overlays/edge", "overlays/scale-out"):
            (policy,) = of_kind(overlay, "NetworkPolicy")
            for deployment in of_kind(overlay, "Deployment"):
                self.assertTrue(selects(policy["spec"]["podSelector"]["matchLabels"], deployment))
                for rule in policy["spec"]["ingress"]:
                    self.assertTrue(rule["from"])
                    for port in rule["ports"]:
                        self.assertIn(port["port"], port_names(deployment))

    def test_the_edge_overlay_fits_a_gateway(self):
        (deployment,) = of_kind("overlays/edge", "Deployment")
        limits = container(deployment)["resources"]["limits"]
        self.assertLessEqual(number(limits["memory"]), 1 << 30)
        self.assertLessEqual(number(limits["cpu"]), 2)


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    if program.result.wasSuccessful() and program.result.skipped:
        print("SKIPPED in part: neither kustomize nor kubectl 1.22 or newer is installed, so only "
              "the base was checked, as it is written")
        sys.exit(77)
    sys.exit(not program.result.wasSuccessful())
