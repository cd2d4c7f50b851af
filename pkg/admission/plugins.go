// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission says which admission plug-ins the API server runs, and in
// which order. The host cluster's own admission does not see requests that its
// aggregator passes on, so what a cluster administrator sets up there (webhooks,
// policies, quota) takes effect on ksit.io objects only through this list.
package admission

import (
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	mutatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	validatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/admission/integrationorder"
	"ksit.io/ksit/pkg/admission/targetuse"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	ksitclient "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
)

// Order is every plug-in, in the order in which they run; all are on by default.
// Mutating ones see a request before all validating ones, wherever they stand.
func Order() []string {
	return []string{
		// A namespace that is missing or going away takes no new objects: the
		// cheapest answer comes first.
		lifecycle.PluginName,
		mutatingpolicy.PluginName,
		mutatingwebhook.PluginName,
		validatingpolicy.PluginName,
		// Before webhooks, which cost more, and may act on what they let pass.
		integrationorder.PluginName,
		targetuse.PluginName,
		validatingwebhook.PluginName,
		// Quota is charged last, for what nothing else refuses.
		resourcequota.PluginName,
	}
}

// Configure sets the plug-ins of a server: what the library registers, the quota
// of the host cluster, and those of KSIT.
func Configure(options *genericoptions.AdmissionOptions) {
	integrationorder.Register(options.Plugins)
	targetuse.Register(options.Plugins)
	resourcequota.Register(options.Plugins)
	options.RecommendedPluginOrder = Order()
}

// Initializers hand the plug-ins what the library does not. loopback is the
// configuration by which the server reaches itself.
func Initializers(loopback *rest.Config) ([]admission.PluginInitializer, error) {
	client, err := versioned.NewForConfig(loopback)
	if err != nil {
		return nil, fmt.Errorf("making the client of the ksit.io API for admission: %w", err)
	}
	return []admission.PluginInitializer{quotaInitializer{}, objectsInitializer{client.KsitV1alpha1()}}, nil
}

// objectsInitializer hands on the client of the server to itself.
type objectsInitializer struct {
	client ksitclient.KsitV1alpha1Interface
}

// Initialize implements admission.PluginInitializer.
func (i objectsInitializer) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(integrationorder.WantsIntegrations); ok {
		wants.SetIntegrations(i.client)
	}
	if wants, ok := plugin.(targetuse.WantsIntegrationTargets); ok {
		wants.SetIntegrationTargets(i.client)
	}
}

// quotaInitializer counts objects: count/integrations.ksit.io and the like.
// Nothing about ksit.io objects but their number can be limited.
type quotaInitializer struct{}

// Initialize implements admission.PluginInitializer.
func (quotaInitializer) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(initializer.WantsQuotaConfiguration); ok {
		wants.SetQuotaConfiguration(quotaConfiguration())
	}
}

func quotaConfiguration() quota.Configuration {
	return generic.NewConfiguration(nil, nil)
}

// ServerResources is the part of discovery that DisableUnserved asks.
type ServerResources interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// DisableUnserved turns off the plug-ins whose policies the host cluster does
// not serve, and returns their names. Without it they would wait for their
// informers for ever, and with them every write. Mutating policies are served
// in v1 from Kubernetes 1.36, validating ones from 1.30.
func DisableUnserved(options *genericoptions.AdmissionOptions, host ServerResources) ([]string, error) {
	const groupVersion = "admissionregistration.k8s.io/v1"
	served := sets.New[string]()
	list, err := host.ServerResourcesForGroupVersion(groupVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("asking the host cluster what it serves of %s: %w", groupVersion, err)
	}
	if err == nil {
		for _, resource := range list.APIResources {
			served.Insert(resource.Name)
		}
	}
	needs := []struct{ plugin, resource string }{
		{mutatingpolicy.PluginName, "mutatingadmissionpolicies"},
		{mutatingwebhook.PluginName, "mutatingwebhookconfigurations"},
		{validatingpolicy.PluginName, "validatingadmissionpolicies"},
		{validatingwebhook.PluginName, "validatingwebhookconfigurations"},
	}
	var disabled []string
	for _, need := range needs {
		// Who enables a plug-in by flag wants to know that it does not work.
		if !served.Has(need.resource) && !slices.Contains(options.EnablePlugins, need.plugin) {
			disabled = append(disabled, need.plugin)
		}
	}
	options.DisablePlugins = append(options.DisablePlugins, disabled...)
	return disabled, nil
}
