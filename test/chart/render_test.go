// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
)

// TestNames pins what others rely on by name: documents, dashboards, and KSIT.
func TestNames(t *testing.T) {
	common := []string{
		"APIService v1alpha1.ksit.io", "ClusterRole ksit-metrics-reader", "ClusterRole ksit-view", "ClusterRole ksit-edit",
		"ClusterRole ksit-admin", "ClusterRole ksit-target-user", "ClusterRole ksit-target-owner", "ClusterRole ksit-target-proxy",
		"Service ksit-apiserver", "Service ksit-controller-manager",
		"Secret ksit-ca", "Secret ksit-serving", "ResourceQuota ksit-priority", "FlowSchema ksit",
	}
	server := []string{"StatefulSet ksit-server", "ServiceAccount ksit-server"}
	ha := []string{
		"Deployment ksit-apiserver", "Deployment ksit-controller-manager", "ServiceAccount ksit-apiserver", "ServiceAccount ksit-controller-manager",
		"Lease ksit-controller-manager", "PodDisruptionBudget ksit-apiserver", "PodDisruptionBudget ksit-controller-manager", "FlowSchema ksit-leader-election",
	}
	for mode, want := range map[string]struct{ has, hasNot []string }{
		"server": {slices.Concat(common, server), ha},
		"ha":     {slices.Concat(common, ha), server},
	} {
		t.Run(mode, func(t *testing.T) {
			var got []string
			seen := sets.New[string]()
			for _, object := range render(t, "-f", cases(t)[mode]) {
				name := object.GetKind() + " " + object.GetName()
				got = append(got, name)
				if id := name + " " + object.GetNamespace(); seen.Has(id) {
					t.Errorf("%s is there twice", id)
				} else {
					seen.Insert(id)
				}
				if !strings.HasPrefix(object.GetName(), "ksit-") && !slices.Contains([]string{"ksit", "v1alpha1.ksit.io"}, object.GetName()) {
					t.Errorf("%s has another prefix", name)
				}
				if object.GetLabels()["app.kubernetes.io/name"] != "ksit" {
					t.Errorf("%s has the labels %v", name, object.GetLabels())
				}
			}
			for _, name := range want.has {
				if !slices.Contains(got, name) {
					t.Errorf("there is no %s", name)
				}
			}
			for _, name := range want.hasNot {
				if slices.Contains(got, name) {
					t.Errorf("%s is of the other mode", name)
				}
			}
		})
	}
}

// TestFlags makes sure that every argument is a flag of the command that gets it.
func TestFlags(t *testing.T) {
	for name, file := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, pod := range pods(t, render(t, "-f", file)) {
				args := pod.Spec.Containers[0].Args
				flags := known(t, args[0])
				seen := sets.New[string]()
				for _, arg := range args[1:] {
					flag, _, hasValue := strings.Cut(arg, "=")
					if !hasValue || !flags.Has(flag) {
						t.Errorf("%s: %s is no flag of ksit %s", pod.Name, arg, args[0])
					}
					if seen.Has(flag) && flag != "--allowed-sources" {
						t.Errorf("%s: %s is given twice", pod.Name, flag)
					}
					seen.Insert(flag)
				}
			}
		})
	}
}

// known reads the flags of a command from the list that the command's own test keeps.
func known(t *testing.T, command string) sets.Set[string] {
	t.Helper()
	content, err := os.ReadFile("../../pkg/cmd/testdata/" + command + ".flags")
	if err != nil {
		t.Fatal(err)
	}
	flags := sets.New[string]()
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		flags.Insert(name)
	}
	return flags
}

// pods returns every pod that the manifests have, or have templates of.
func pods(t testing.TB, all manifests) []corev1.Pod {
	t.Helper()
	var found []corev1.Pod
	for _, object := range all {
		var content map[string]any
		switch object.GetKind() {
		case "Pod":
			content = object.Object
		case "StatefulSet", "Deployment":
			content, _, _ = unstructured.NestedMap(object.Object, "spec", "template")
		default:
			continue
		}
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &pod); err != nil {
			t.Fatalf("%s: %v", object.GetName(), err)
		}
		pod.Name, pod.Namespace = object.GetName(), object.GetNamespace()
		found = append(found, pod)
	}
	if len(found) < 2 {
		t.Fatalf("there are %d pods, and at least KSIT's and that of the test should be", len(found))
	}
	return found
}

// TestMountsAreThere makes sure that what arguments and the environment name below
// /etc/ksit is mounted.
func TestMountsAreThere(t *testing.T) {
	for name, file := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, pod := range pods(t, render(t, "-f", file)) {
				container := pod.Spec.Containers[0]
				wanted := slices.Clone(container.Args)
				for _, variable := range container.Env {
					wanted = append(wanted, variable.Name+"="+variable.Value)
				}
				for _, arg := range wanted {
					_, value, _ := strings.Cut(arg, "=")
					if strings.HasPrefix(value, "/") && !slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
						return value == m.MountPath || strings.HasPrefix(value, m.MountPath+"/")
					}) && value != "/registry" && value != "/ksit" {
						t.Errorf("%s: nothing is mounted for %s", pod.Name, arg)
					}
				}
			}
		})
	}
}

// TestLeastRights makes sure that no rule is for everything, that Secrets are never
// listed or written but by name, and that nothing KSIT runs as may create one.
func TestLeastRights(t *testing.T) {
	for _, mode := range []string{"server", "ha"} {
		t.Run(mode, func(t *testing.T) {
			for _, object := range render(t, "-f", cases(t)[mode]) {
				if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
					continue
				}
				var role rbacv1.ClusterRole
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
					t.Fatal(err)
				}
				for _, rule := range role.Rules {
					for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs} {
						if slices.Contains(list, "*") {
							t.Errorf("%s: %v", role.Name, rule)
						}
					}
					if slices.Contains(rule.Resources, "secrets") && len(rule.ResourceNames) == 0 && !slices.Equal(rule.Verbs, []string{"get"}) {
						t.Errorf("%s may %v Secrets of any name", role.Name, rule.Verbs)
					}
					if slices.Contains(rule.Verbs, "create") && len(rule.ResourceNames) > 0 {
						t.Errorf("%s: a create has no name yet: %v", role.Name, rule)
					}
				}
			}
		})
	}
}

// TestUpgradeWithoutLoss pins what lets a rolling upgrade of the API lose nothing.
func TestUpgradeWithoutLoss(t *testing.T) {
	all := render(t, "-f", cases(t)["ha"])
	for _, name := range []string{"ksit-apiserver", "ksit-controller-manager"} {
		strategy, _, _ := unstructured.NestedMap(all.find(t, "Deployment", name).Object, "spec", "strategy", "rollingUpdate")
		if diff := cmp.Diff(map[string]any{"maxUnavailable": int64(0), "maxSurge": int64(1)}, strategy); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, pod := range pods(t, all) {
		if pod.Name != "ksit-apiserver" {
			continue
		}
		// The delay, the longest request, and watches.
		if grace := *pod.Spec.TerminationGracePeriodSeconds; grace < 15+60+10 {
			t.Errorf("it is killed after %d s", grace)
		}
		for _, flag := range []string{"--shutdown-delay-duration=15s", "--shutdown-send-retry-after=true", "--shutdown-watch-termination-grace-period=10s", "--goaway-chance=0.001"} {
			if !slices.Contains(pod.Spec.Containers[0].Args, flag) {
				t.Errorf("%s is not given", flag)
			}
		}
	}
}

// TestFilesChangePods makes sure that what is read when KSIT starts is read anew.
func TestFilesChangePods(t *testing.T) {
	checksum := func(args ...string) string {
		value, _, _ := unstructured.NestedString(render(t, args...).find(t, "StatefulSet", "ksit-server").Object,
			"spec", "template", "metadata", "annotations", "checksum/config")
		return value
	}
	rewrite := []string{"--set", "rewrites.images[0].from=quay.io", "--set", "rewrites.images[0].to="}
	one, other := checksum(append(slices.Clone(rewrite[:3]), rewrite[3]+"a.example.com")...), checksum(append(slices.Clone(rewrite[:3]), rewrite[3]+"b.example.com")...)
	if one == "" || one == other {
		t.Errorf("the checksums are %q and %q", one, other)
	}
	if none := checksum(); none != "" {
		t.Errorf("there is a checksum of nothing: %q", none)
	}
}

// TestNamespacesOfTenants narrows where KSIT may get Secrets.
func TestNamespacesOfTenants(t *testing.T) {
	all := render(t, "--set", "rbac.namespaces={ksit-system,team-a}")
	for _, name := range []string{"ksit-live-host", "ksit-controllers-host"} {
		if all.lookup("ClusterRoleBinding", name) != nil {
			t.Errorf("%s is bound in all namespaces", name)
		}
		var bound []string
		for _, object := range all {
			if object.GetKind() == "RoleBinding" && object.GetName() == name {
				bound = append(bound, object.GetNamespace())
			}
		}
		if diff := cmp.Diff([]string{"ksit-system", "team-a"}, bound); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
