// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/catalog"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/installer"
)

// Sources reads on the host cluster what an AutoInstall refers to. What is
// missing there is an *installer.Error.
type Sources interface {
	Read(ctx context.Context, namespace string, install *v1alpha1.AutoInstall) (installer.Sources, error)
}

// installs tells whether KSIT installs at all, rather than only probing.
func installs(i *v1alpha1.Installation) bool {
	return i.Spec.AutoInstall != nil && i.Spec.AutoInstall.Enabled
}

// namespaceOf is the namespace on the target.
func namespaceOf(i *v1alpha1.Installation) string {
	if namespace := i.Spec.Config["namespace"]; namespace != "" {
		return namespace
	}
	if entry, known := catalog.For(string(i.Spec.Type)); known {
		return entry.Namespace
	}
	return i.Spec.Integration
}

func ownerOf(i *v1alpha1.Installation) installer.Owner {
	return installer.Owner{Namespace: i.Namespace, Integration: i.Spec.Integration}
}

func timeoutOf(i *v1alpha1.Installation) time.Duration {
	var given *int32
	if i.Spec.AutoInstall != nil {
		given = i.Spec.AutoInstall.TimeoutSeconds
	}
	return pace.Seconds(given, v1alpha1.DefaultInstallTimeoutSeconds)
}

func methodOf(i *v1alpha1.Installation) v1alpha1.InstallMethod {
	if i.Spec.AutoInstall != nil && i.Spec.AutoInstall.Method != "" {
		return i.Spec.AutoInstall.Method
	}
	return v1alpha1.InstallMethodHelm
}

// request is what the spec asks for, but for what it refers to on the host
// cluster.
func request(i *v1alpha1.Installation, target *v1alpha1.IntegrationTarget) installer.Request {
	return installer.Request{
		Owner:       ownerOf(i),
		Type:        i.Spec.Type,
		Namespace:   namespaceOf(i),
		AutoInstall: i.Spec.AutoInstall,
		Target: installer.Target{
			Namespace: target.Namespace, Name: target.Name, ClusterName: target.Spec.ClusterName,
			Labels: target.Labels, Annotations: target.Annotations,
		},
		Recorded: i.Status.Releases,
		Timeout:  timeoutOf(i),
	}
}

// digestOf covers everything that decides what is on the target, and nothing
// else: a changed timeout, password or deletion policy is no reason to touch
// the target.
func digestOf(i *v1alpha1.Installation, target *v1alpha1.IntegrationTarget) string {
	install := i.Spec.AutoInstall
	covered := struct {
		Type      v1alpha1.IntegrationType
		Namespace string
		Method    v1alpha1.InstallMethod
		Helm      *v1alpha1.HelmConfig
		Values    any
		Manifest  *v1alpha1.ManifestConfig
		CRDs      v1alpha1.CRDPolicy
		Sources   string            `json:",omitempty"`
		Target    *installer.Target `json:",omitempty"`
	}{
		Type:      i.Spec.Type,
		Namespace: namespaceOf(i),
		Method:    install.Method,
		CRDs:      install.CRDPolicy,
		Sources:   i.Spec.SourcesDigest,
	}
	if install.ManifestConfig != nil {
		covered.Manifest = install.ManifestConfig.DeepCopy()
		covered.Manifest.SecretRef, covered.Manifest.CASecretRef = nil, nil
	}
	if helm := install.HelmConfig; helm != nil {
		covered.Helm = helm.DeepCopy()
		covered.Helm.ValuesObject = nil
		covered.Helm.SecretRef, covered.Helm.CASecretRef, covered.Helm.Verify = nil, nil, nil
		if helm.ValuesObject != nil {
			covered.Values = canonicalJSON(helm.ValuesObject.Raw)
		}
		if helm.TemplateValues && target != nil {
			facts := request(i, target).Target
			// What kubectl keeps for itself says nothing of the cluster, and changes
			// with every way in which the target is written.
			if _, kept := facts.Annotations[corev1.LastAppliedConfigAnnotation]; kept {
				facts.Annotations = maps.Clone(facts.Annotations)
				delete(facts.Annotations, corev1.LastAppliedConfigAnnotation)
			}
			if len(facts.Annotations) == 0 {
				facts.Annotations = nil
			}
			covered.Target = &facts
		}
	}
	// What was decoded from JSON, and what the API holds, can be written as JSON.
	data, _ := json.Marshal(covered)
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// attemptOf covers how it is installed as well: another timeout, password or key
// may be what mends a failure, and is tried at once.
func attemptOf(i *v1alpha1.Installation, digest string) string {
	data, _ := json.Marshal(i.Spec.AutoInstall)
	sum := sha256.Sum256(append(data, digest...))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// canonicalJSON decodes JSON, so that neither the order of keys nor white space
// counts. What is no JSON counts as it is: the installer refuses it.
func canonicalJSON(raw []byte) any {
	var values any
	if err := json.Unmarshal(raw, &values); err != nil {
		return string(raw)
	}
	return values
}

// removable are the releases that an uninstall removes: those that are
// recorded, and those that a process that was killed before it could record
// them may have begun. The installer leaves alone what is not the owner's.
func removable(i *v1alpha1.Installation) []v1alpha1.ReleaseStatus {
	releases := slices.Clone(i.Status.Releases)
	if !installs(i) {
		return releases
	}
	var names []string
	if helm := i.Spec.AutoInstall.HelmConfig; methodOf(i) == v1alpha1.InstallMethodHelm && helm != nil {
		for _, before := range catalog.Prerequisites(string(i.Spec.Type), helm.Chart) {
			names = append(names, before.ReleaseName)
		}
		names = append(names, helm.ReleaseName)
	} else {
		names = []string{i.Spec.Integration}
	}
	namespace := namespaceOf(i)
	for _, name := range names {
		if !slices.ContainsFunc(releases, func(r v1alpha1.ReleaseStatus) bool { return r.Name == name && r.Namespace == namespace }) {
			releases = append(releases, v1alpha1.ReleaseStatus{Name: name, Namespace: namespace})
		}
	}
	return releases
}
