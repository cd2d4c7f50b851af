// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// apiServiceName is how the API is registered.
func apiServiceName() string {
	return v1alpha1.SchemeGroupVersion.Version + "." + v1alpha1.GroupName
}

func (a *asker) steps() []step {
	return []step{
		{"The APIService " + apiServiceName() + " is not Available", a.available},
		{"The cluster does not serve " + v1alpha1.SchemeGroupVersion.String(), a.served},
		{"Integrations cannot be listed in the namespace " + a.namespace, a.listed},
		{"An Integration would not be accepted in the namespace " + a.namespace, a.accepted},
	}
}

// unavailable is what the aggregator says of an APIService that is not Available.
type unavailable struct {
	reason, message string
}

func (u *unavailable) Error() string {
	return fmt.Sprintf("%s: %s", u.reason, u.message)
}

// available asks the aggregator whether it reaches KSIT.
func (a *asker) available(ctx context.Context) (string, error) {
	object, err := a.dynamic.Resource(apiServices).Get(ctx, apiServiceName(), metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return "", fmt.Errorf("reading the conditions of the APIService: %w", err)
	}
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		if !ok || condition["type"] != "Available" {
			continue
		}
		if condition["status"] == "True" {
			return "The APIService " + apiServiceName() + " is Available", nil
		}
		return "", &unavailable{reason: fmt.Sprint(condition["reason"]), message: fmt.Sprint(condition["message"])}
	}
	return "", errors.New("the cluster has not looked yet")
}

// served asks for the kinds, as kubectl does before anything else.
func (a *asker) served(context.Context) (string, error) {
	list, err := a.discovery.ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	if err != nil {
		return "", err
	}
	var kinds []string
	for _, resource := range list.APIResources {
		if !strings.Contains(resource.Name, "/") {
			kinds = append(kinds, resource.Name)
		}
	}
	for _, want := range []string{"installations", "integrations", "integrationtargets"} {
		if !slices.Contains(kinds, want) {
			return "", fmt.Errorf("there are no %s, only %q", want, kinds)
		}
	}
	return fmt.Sprintf("The cluster serves %s: %s", v1alpha1.SchemeGroupVersion, strings.Join(kinds, ", ")), nil
}

// listed reads what is stored: etcd answers.
func (a *asker) listed(ctx context.Context) (string, error) {
	list, err := a.ksit.KsitV1alpha1().Integrations(a.namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return "", err
	}
	count := int64(len(list.Items))
	if list.RemainingItemCount != nil {
		count += *list.RemainingItemCount
	}
	return fmt.Sprintf("Integrations can be listed in the namespace %s: there are %d", a.namespace, count), nil
}

// accepted has the whole chain of admission decide on an Integration that selects
// no target, and nothing stored.
func (a *asker) accepted(ctx context.Context) (string, error) {
	_, err := a.ksit.KsitV1alpha1().Integrations(a.namespace).Create(ctx, &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "ksit-check-"},
		Spec: v1alpha1.IntegrationSpec{
			Type:           v1alpha1.IntegrationTypeArgoCD,
			TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"ksit.io/check": "matches-nothing"}},
		},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return "", err
	}
	return "An Integration would be accepted in the namespace " + a.namespace, nil
}
