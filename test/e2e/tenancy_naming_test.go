// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// on is a manifest of an Integration of team a on targets.
func (w *tenants) on(name string, targets ...string) string {
	return generic(w.a, name, "podinfo-lite", "1.0.0", targets, "")
}

func (w *tenants) onPlatform(name, target string) string { return w.on(name, w.platform+"/"+target) }

// dryApply asks what apply would say, which admission does not tell from apply.
func dryApply(t *testing.T, kubeconfig, manifest string) (bool, string) {
	t.Helper()
	return try(t, kubeconfig, manifest, "apply", "--dry-run=server", "-f", "-")
}

// saying has an answer that is no also say why.
func saying(t *testing.T, so bool, answer string, words ...string) (bool, string) {
	t.Helper()
	if !so && !hasAll(answer, words) {
		t.Errorf("refused without saying %q: %s", words, answer)
	}
	return so, answer
}

// namingProofs are for lines 1 to 15: who may name what.
func namingProofs() []proof {
	return []proof{
		func(t *testing.T, w *tenants) (bool, string) {
			return all(t, w.viewer, []string{"get", "integrations", "-n", w.a}, []string{"get", "installations", "-n", w.a}, []string{"get", "integrationtargets", "-n", w.a})
		},
		func(t *testing.T, w *tenants) (bool, string) { return apply(t, w.viewer, w.on("viewed", "own")) },
		func(t *testing.T, w *tenants) (bool, string) {
			so, answer := apply(t, w.editor, w.on("edited", "own"))
			return saying(t, so, answer, "spec.targetClusters[0]", `needs the verb use on integrationtargets "own" in namespace "`+w.a+`"`)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			kubectl(t, "", "label", "integrationtarget", "own", "-n", w.a, "env=prod")
			so, answer := apply(t, w.editor, selected(w.on("edited"), "env: prod"))
			return saying(t, so, answer, "spec.targetSelector", `needs the verb use on integrationtargets "own"`)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			so, answer := apply(t, w.editor, w.onPlatform("edited", "shared"))
			return saying(t, so, answer, "spec.targetClusters[0]", `needs the verb use on integrationtargets "shared" in namespace "`+w.platform+`"`)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			if so, answer := apply(t, w.administrator, w.on("given", "own")); !so {
				t.Fatal(answer)
			}
			waitPhase(t, w.a, "given", v1alpha1.PhaseRunning)
			so, answer := try(t, w.editor, "", "patch", "integration", "given", "-n", w.a, "--type=merge", "-p", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
			if so {
				waitIntegration(t, w.a, "given", func(i *v1alpha1.Integration) bool {
					return i.Status.Phase == v1alpha1.PhaseRunning && i.Status.Version == "1.1.0" && i.Status.TargetsRequestedBy.Username == w.a+"-administrator"
				})
			}
			return so, answer
		},
		func(t *testing.T, w *tenants) (bool, string) {
			so, answer := try(t, w.editor, "", "patch", "integration", "given", "-n", w.a, "--type=merge", "-p", `{"spec":{"targetClusters":["own","other"]}}`)
			return saying(t, so, answer, "spec.targetClusters[1]", `"other"`)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return all(t, w.editor, []string{"-", targetManifest(w.a, "mine", "mine"), "apply", "-f", "-"}, []string{"label", "integrationtarget", "own", "-n", w.a, "x=y"})
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return all(t, w.administrator, []string{"-", w.on("administered", "own", "later"), "apply", "--dry-run=server", "-f", "-"},
				[]string{"-", selected(w.on("administered"), "env: prod"), "apply", "--dry-run=server", "-f", "-"})
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return dryApply(t, w.administrator, w.onPlatform("administered", "shared"))
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return dryApply(t, w.user, w.onPlatform("used", "shared"))
		},
		func(t *testing.T, w *tenants) (bool, string) {
			so, answer := dryApply(t, w.user, w.onPlatform("used", "theirs"))
			return saying(t, so, answer, "allowedNamespaces", w.a)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			var answers []string
			for _, target := range []string{"theirs", "nothing"} {
				for _, who := range []struct{ name, kubeconfig string }{{"user", w.user}, {"editor", w.editor}} {
					_, answer := dryApply(t, who.kubeconfig, w.onPlatform("used", target))
					answers = append(answers, strings.NewReplacer(`"`+target+`"`, "TARGET", w.a+"-"+who.name, "USER").Replace(answer))
				}
			}
			for _, answer := range answers {
				if answer != answers[0] {
					return true, strings.Join(answers, "\n")
				}
			}
			return false, answers[0]
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return dryApply(t, w.other, generic(w.b, "used", "podinfo-lite", "1.0.0", []string{w.platform + "/shared"}, ""))
		},
		func(t *testing.T, w *tenants) (bool, string) {
			may, answer := dryApply(t, w.named, w.onPlatform("used", "shared"))
			w.admit(t, "theirs", w.a, w.b)
			defer w.admit(t, "theirs", w.b)
			more, other := dryApply(t, w.named, w.onPlatform("used", "theirs"))
			return may && !more, answer + other
		},
	}
}

// comingProofs are for lines 16 to 19: what comes to be later.
func comingProofs() []proof {
	return []proof{
		func(t *testing.T, w *tenants) (bool, string) {
			if so, answer := apply(t, w.user, selected(w.on("coming"), "coming: soon")); !so {
				t.Fatal(answer)
			}
			kubectl(t, "", "label", "integrationtarget", "own", "-n", w.a, "coming=soon")
			i := waitIntegration(t, w.a, "coming", func(i *v1alpha1.Integration) bool {
				return conditionIs(i.Status.Conditions, v1alpha1.ConditionTargetsAllowed, metav1.ConditionFalse, "NotAllowed")
			})
			out := kubectl(t, "", "get", "installations", "-n", w.a, "-o", "name")
			return saying(t, strings.Contains(out, "coming.own"), i.Status.Message, "own", w.a+"-user", "needs the verb use")
		},
		func(t *testing.T, w *tenants) (bool, string) {
			kubectl(t, "", "create", "rolebinding", "user-own", "-n", w.a, "--clusterrole=ksit-target-user", "--user="+w.a+"-user")
			kubectl(t, "", "annotate", "integration", "coming", "-n", w.a, "reconcile=allowed")
			i := waitPhase(t, w.a, "coming", v1alpha1.PhaseRunning)
			kubectl(t, "", "delete", "rolebinding", "user-own", "-n", w.a)
			return i.Status.Healthy == 1, i.Status.Message
		},
		func(t *testing.T, w *tenants) (bool, string) {
			if so, answer := apply(t, w.user, w.inside("ceases", "")); !so {
				t.Fatal(answer)
			}
			waitPhase(t, w.a, "ceases", v1alpha1.PhaseRunning)
			w.admit(t, "shared", w.b)
			patch(t, w.a, "ceases", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
			name := w.installation("ceases")
			i := waitInstallation(t, w.a, name, "not allowed", func(i *v1alpha1.Installation) bool {
				return i.Spec.AutoInstall.HelmConfig.Version == "1.1.0" && conditionIs(i.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionUnknown, "NotAllowed")
			})
			waitIntegration(t, w.a, "ceases", func(i *v1alpha1.Integration) bool {
				return conditionIs(i.Status.Conditions, v1alpha1.ConditionTargetsAllowed, metav1.ConditionFalse, "NotAllowed")
			})
			message := onTarget(t, w.shared.Kubeconfig, w.a, "configmap/ceases", "{.data.version}")
			return message != "1.0.0" || i.Status.Releases[0].Version != "1.0.0", i.Status.Message
		},
		func(t *testing.T, w *tenants) (bool, string) {
			stays := deploymentIsThere(t, w, w.a, "ceases")
			if so, answer := try(t, w.user, "", "delete", "integration", "ceases", "-n", w.a, "--timeout=150s"); !so {
				t.Fatal(answer)
			}
			goes := !deploymentIsThere(t, w, w.a, "ceases")
			w.admit(t, "shared", w.a)
			return stays && goes, ""
		},
	}
}

// inside is an Integration of team a on shared, in the namespace of its name.
func (w *tenants) inside(name, extra string) string {
	return generic(w.a, name, "podinfo-lite", "1.0.0", []string{w.platform + "/shared"}, extra+"  config: {namespace: "+w.a+"}\n")
}

func (w *tenants) installation(integration string) string {
	return integration + "." + w.platform + ".shared"
}
