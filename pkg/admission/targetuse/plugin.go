// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package targetuse holds the admission plug-in that lets an Integration name
// only targets that its author may use.
package targetuse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
)

// PluginName is what flags and configuration call the plug-in.
const PluginName = "IntegrationTargetUse"

// maxFaults is how many targets an answer names.
const maxFaults = 10

// Register makes the plug-in known. It is made ready by the library, which hands
// on the authorizer, and by an initializer that knows WantsIntegrationTargets.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) { return New(), nil })
}

// WantsIntegrationTargets is a plug-in that reads IntegrationTargets.
type WantsIntegrationTargets interface {
	SetIntegrationTargets(client.IntegrationTargetsGetter)
}

// Plugin refuses an Integration that names or selects targets which the user who
// asks may not use: the verb use on the integrationtargets object is needed, and
// for one of another namespace, that its spec.tenancy admits this one. It looks
// at what is new to the list, and at all that a new selector matches now. What a
// selector comes to match later is looked at by the controller, for the user who
// is recorded in status.targetsRequestedBy.
type Plugin struct {
	*admission.Handler

	authorizer authorizer.UnconditionalAuthorizer
	targets    client.IntegrationTargetsGetter
}

var (
	_ admission.ValidationInterface = &Plugin{}
	_ initializer.WantsAuthorizer   = &Plugin{}
	_ WantsIntegrationTargets       = &Plugin{}
)

// New returns a plug-in that has yet to be given an authorizer and a client.
func New() *Plugin {
	return &Plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}
}

// SetAuthorizer implements initializer.WantsAuthorizer.
func (p *Plugin) SetAuthorizer(a authorizer.Authorizer) { p.authorizer = a }

// SetIntegrationTargets implements WantsIntegrationTargets.
func (p *Plugin) SetIntegrationTargets(targets client.IntegrationTargetsGetter) { p.targets = targets }

// ValidateInitialization implements admission.InitializationValidator.
func (p *Plugin) ValidateInitialization() error {
	if p.authorizer == nil {
		return errors.New("admission plug-in " + PluginName + " needs an authorizer")
	}
	if p.targets == nil {
		return errors.New("admission plug-in " + PluginName + " needs a client of the ksit.io API")
	}
	return nil
}

// asked is a target that an Integration asks for, and the field that does.
type asked struct {
	target types.NamespacedName
	path   *field.Path
}

// Validate implements admission.ValidationInterface.
func (p *Plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetSubresource() != "" || a.GetResource().GroupResource() != ksit.Resource("integrations") {
		return nil
	}
	integration, ok := a.GetObject().(*ksit.Integration)
	if !ok || integration.DeletionTimestamp != nil {
		return nil
	}
	old, _ := a.GetOldObject().(*ksit.Integration)
	all := named(a.GetNamespace(), integration, old)
	selected, err := p.selected(ctx, a.GetNamespace(), integration, old)
	if err != nil {
		return unavailable(a, integration, err)
	}
	if all = append(all, selected...); len(all) == 0 {
		return nil
	}
	may, err := p.mayUse(ctx, a.GetUserInfo(), all)
	if err != nil {
		return unavailable(a, integration, err)
	}
	var faults []string
	for _, one := range all {
		allowed := may[one.target]
		if allowed && one.target.Namespace != a.GetNamespace() {
			if allowed, err = p.admitted(ctx, one.target, a.GetNamespace()); err != nil {
				return unavailable(a, integration, err)
			}
		}
		if allowed {
			continue
		}
		if len(faults) == maxFaults {
			faults = append(faults, "and more")
			break
		}
		faults = append(faults, one.path.String()+": "+missing(a, one.target))
	}
	if len(faults) == 0 {
		return nil
	}
	return apierrors.NewForbidden(ksit.Resource("integrations"), integration.Name, errors.New(strings.Join(faults, "; ")))
}

// named are the targets of the list that were not on it before.
func named(namespace string, integration, old *ksit.Integration) []asked {
	before := map[types.NamespacedName]bool{}
	if old != nil {
		for _, name := range old.Spec.TargetClusters {
			before[v1alpha1.ParseTarget(namespace, name)] = true
		}
	}
	path := field.NewPath("spec", "targetClusters")
	var all []asked
	for i, name := range integration.Spec.TargetClusters {
		if target := v1alpha1.ParseTarget(namespace, name); !before[target] {
			all = append(all, asked{target, path.Index(i)})
		}
	}
	return all
}

// selected are the targets that a selector which is new matches now.
func (p *Plugin) selected(ctx context.Context, namespace string, integration, old *ksit.Integration) ([]asked, error) {
	if integration.Spec.TargetSelector == nil || (old != nil && apiequality.Semantic.DeepEqual(old.Spec.TargetSelector, integration.Spec.TargetSelector)) {
		return nil, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(integration.Spec.TargetSelector)
	if err != nil {
		return nil, fmt.Errorf("reading spec.targetSelector: %w", err)
	}
	// Any state of the cache will do: what it lacks, the controller looks at.
	list, err := p.targets.IntegrationTargets(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("listing the targets that spec.targetSelector matches: %w", err)
	}
	path := field.NewPath("spec", "targetSelector")
	all := make([]asked, 0, len(list.Items))
	for i := range list.Items {
		all = append(all, asked{types.NamespacedName{Namespace: namespace, Name: list.Items[i].Name}, path})
	}
	return all, nil
}

// admitted tells whether there is a target of another namespace that admits this
// one.
func (p *Plugin) admitted(ctx context.Context, key types.NamespacedName, namespace string) (bool, error) {
	target, err := p.targets.IntegrationTargets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading IntegrationTarget %s: %w", key, err)
	}
	return target.Admits(namespace), nil
}

// missing says which right is missing. Of another namespace's target it says the
// same whether there is one or not, so that nobody learns what is there by
// trying names.
func missing(a admission.Attributes, target types.NamespacedName) string {
	text := fmt.Sprintf("user %q needs the verb %s on integrationtargets %q in namespace %q",
		a.GetUserInfo().GetName(), v1alpha1.VerbUse, target.Name, target.Namespace)
	if target.Namespace != a.GetNamespace() {
		text += fmt.Sprintf(", and there must be one whose spec.tenancy.allowedNamespaces admits namespace %q", a.GetNamespace())
	}
	return text
}

// unavailable is the answer where nobody could say.
func unavailable(a admission.Attributes, integration *ksit.Integration, err error) error {
	return apierrors.NewServiceUnavailable(fmt.Sprintf("checking the targets of Integration %s/%s: %v", a.GetNamespace(), integration.Name, err))
}
