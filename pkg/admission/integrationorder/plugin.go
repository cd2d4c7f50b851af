// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integrationorder holds the admission plug-in that keeps Integrations
// from waiting for each other in a circle.
package integrationorder

import (
	"context"
	"errors"
	"fmt"
	"io"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/warning"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/dependency"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
)

// PluginName is what flags and configuration call the plug-in.
const PluginName = "IntegrationOrder"

// Register makes the plug-in known. It is made ready by an initializer that
// knows WantsIntegrations.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) { return New(), nil })
}

// WantsIntegrations is a plug-in that reads Integrations.
type WantsIntegrations interface {
	SetIntegrations(client.IntegrationsGetter)
}

// Plugin refuses an Integration whose spec.dependsOn leads back to itself. It
// reads what is stored at the time of the request: two requests that make a
// cycle together, at the same moment, may both pass, and the controller reports
// that cycle.
type Plugin struct {
	*admission.Handler

	integrations client.IntegrationsGetter
}

var (
	_ admission.ValidationInterface     = &Plugin{}
	_ admission.InitializationValidator = &Plugin{}
	_ WantsIntegrations                 = &Plugin{}
)

// New returns a plug-in that has yet to be given a client.
func New() *Plugin {
	return &Plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}
}

// SetIntegrations implements WantsIntegrations.
func (p *Plugin) SetIntegrations(integrations client.IntegrationsGetter) {
	p.integrations = integrations
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *Plugin) ValidateInitialization() error {
	if p.integrations == nil {
		return errors.New("admission plug-in " + PluginName + " needs a client of the ksit.io API")
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *Plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetSubresource() != "" || a.GetResource().GroupResource() != ksit.Resource("integrations") {
		return nil
	}
	integration, ok := a.GetObject().(*ksit.Integration)
	if !ok || len(integration.Spec.DependsOn) == 0 || integration.DeletionTimestamp != nil {
		return nil
	}
	if old, ok := a.GetOldObject().(*ksit.Integration); ok && apiequality.Semantic.DeepEqual(old.Spec.DependsOn, integration.Spec.DependsOn) {
		return nil
	}
	path, err := p.cycle(ctx, integration, a.GetNamespace())
	switch {
	case errors.Is(err, dependency.ErrTooMany):
		return refuse(integration, err.Error()+": split the chain")
	case err != nil:
		return apierrors.NewServiceUnavailable(fmt.Sprintf("checking the order of Integration %s/%s: %v", a.GetNamespace(), integration.Name, err))
	case path != nil:
		return refuse(integration, fmt.Sprintf("none of them could ever start, because each waits for the next: %s: drop one of these dependencies", path))
	}
	return nil
}

// cycle looks for a way back to integration, and warns of what it depends on
// and is not there: it may be made later, or be a slip of the pen.
func (p *Plugin) cycle(ctx context.Context, integration *ksit.Integration, namespace string) (dependency.Path, error) {
	direct := map[string]bool{}
	names := make([]string, 0, len(integration.Spec.DependsOn))
	for _, d := range integration.Spec.DependsOn {
		direct[d.Name] = true
		names = append(names, d.Name)
	}
	return dependency.Cycle(integration.Name, names, func(name string) ([]string, error) {
		before, err := p.integrations.Integrations(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			if direct[name] {
				warning.AddWarning(ctx, "", fmt.Sprintf("spec.dependsOn: there is no Integration %s yet: this one waits for it", name))
			}
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading Integration %s: %w", name, err)
		}
		after := make([]string, 0, len(before.Spec.DependsOn))
		for _, d := range before.Spec.DependsOn {
			after = append(after, d.Name)
		}
		return after, nil
	})
}

func refuse(integration *ksit.Integration, why string) error {
	fault := field.Invalid(field.NewPath("spec", "dependsOn"), field.OmitValueType{}, why)
	return apierrors.NewInvalid(ksit.Kind("Integration"), integration.Name, field.ErrorList{fault})
}
