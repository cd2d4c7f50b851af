// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetuse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	ktesting "k8s.io/client-go/testing"

	"ksit.io/ksit/pkg/admission/targetuse"
	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
)

// target is one that is there: namespace/name, and whom it admits.
func target(key string, admits ...string) *v1alpha1.IntegrationTarget {
	namespace, name, _ := strings.Cut(key, "/")
	t := &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"env": "prod"}}}
	if len(admits) > 0 {
		t.Spec.Tenancy = &v1alpha1.TargetTenancy{AllowedNamespaces: admits}
	}
	return t
}

// rights are what anna may use: namespace/name, or namespace/ for all of it.
type rights struct {
	may   []string
	err   error
	asked atomic.Int32
}

func (r *rights) authorizer() authorizer.Authorizer {
	return authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		r.asked.Add(1)
		if r.err != nil {
			return authorizer.DecisionDeny, "", r.err
		}
		if a.GetUser().GetName() != "anna" || a.GetVerb() != "use" || a.GetAPIGroup() != "ksit.io" || a.GetResource() != "integrationtargets" ||
			a.GetSubresource() != "" || !a.IsResourceRequest() {
			return authorizer.DecisionNoOpinion, "", nil
		}
		for _, may := range r.may {
			if may == a.GetNamespace()+"/" || may == a.GetNamespace()+"/"+a.GetName() && a.GetName() != "" {
				return authorizer.DecisionAllow, "", nil
			}
		}
		return authorizer.DecisionNoOpinion, "", nil
	})
}

// on is an Integration of team-a on targets.
func on(targets ...string) *ksit.Integration {
	return &ksit.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "app"}, Spec: ksit.IntegrationSpec{TargetClusters: targets}}
}

// selecting is one that selects by a label.
func selecting(value string, targets ...string) *ksit.Integration {
	i := on(targets...)
	i.Spec.TargetSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": value}}
	return i
}

func request(object, old *ksit.Integration, subresource string) admission.Attributes {
	operation, before := admission.Update, runtime.Object(old)
	if old == nil {
		operation, before = admission.Create, nil
	}
	return admission.NewAttributesRecord(object, before, ksit.Kind("Integration").WithVersion("v1alpha1"), "team-a", object.Name,
		ksit.Resource("integrations").WithVersion("v1alpha1"), subresource, operation, nil, false, &user.DefaultInfo{Name: "anna"})
}

func TestUse(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("t%d", i)
	}
	const forbidden = `integrations.ksit.io "app" is forbidden: `
	own := func(path, name string) string {
		return path + `: user "anna" needs the verb use on integrationtargets "` + name + `" in namespace "team-a"`
	}
	others := func(path, name string) string {
		return path + `: user "anna" needs the verb use on integrationtargets "` + name +
			`" in namespace "platform", and there must be one whose spec.tenancy.allowedNamespaces admits namespace "team-a"`
	}
	going := on("a")
	going.DeletionTimestamp = &metav1.Time{}
	for name, test := range map[string]struct {
		may         []string
		object, old *ksit.Integration
		subresource string
		// refused is the whole error; empty where the request passes.
		refused string
		asked   int32
	}{
		"one that may be used":             {may: []string{"team-a/a"}, object: on("a"), asked: 1},
		"one that is not there yet":        {may: []string{"team-a/later"}, object: on("later"), asked: 1},
		"one that may not be used":         {may: []string{"team-a/a"}, object: on("b"), refused: own("spec.targetClusters[0]", "b"), asked: 1},
		"several, one of them may not":     {may: []string{"team-a/a"}, object: on("a", "b"), refused: own("spec.targetClusters[1]", "b"), asked: 3},
		"all of a namespace":               {may: []string{"team-a/"}, object: on(many...), asked: 1},
		"a thousand, one by one":           {may: prefixed("team-a/", many), object: on(many...), asked: 1001},
		"in two forms":                     {may: []string{"team-a/a"}, object: on("team-a/a"), old: on("a")},
		"what was there":                   {object: on("b", "a"), old: on("a", "b")},
		"what is new":                      {object: on("a", "b"), old: on("a"), refused: own("spec.targetClusters[1]", "b"), asked: 1},
		"one that is dropped":              {object: on("a"), old: on("a", "b")},
		"a status":                         {object: on("a", "b"), old: on("a"), subresource: "status"},
		"one that goes":                    {object: going, old: on("b")},
		"of another namespace":             {may: []string{"platform/"}, object: on("platform/shared"), asked: 1},
		"of another namespace, for all":    {may: []string{"platform/"}, object: on("platform/open"), asked: 1},
		"of another namespace, no right":   {object: on("platform/shared"), refused: others("spec.targetClusters[0]", "shared"), asked: 1},
		"of another namespace, for others": {may: []string{"platform/"}, object: on("platform/theirs"), refused: others("spec.targetClusters[0]", "theirs"), asked: 1},
		"of another namespace, not there":  {may: []string{"platform/"}, object: on("platform/none"), refused: others("spec.targetClusters[0]", "none"), asked: 1},
		"of another namespace, neither":    {object: on("platform/none"), refused: others("spec.targetClusters[0]", "none"), asked: 1},
		"of another namespace, closed":     {may: []string{"platform/"}, object: on("platform/closed"), refused: others("spec.targetClusters[0]", "closed"), asked: 1},
		"a selector":                       {may: []string{"team-a/"}, object: selecting("prod"), asked: 1},
		"a selector, one of them may not":  {may: []string{"team-a/a"}, object: selecting("prod"), refused: own("spec.targetSelector", "b"), asked: 3},
		"a selector of nothing yet":        {object: selecting("test")},
		"a selector that stays":            {object: selecting("prod"), old: selecting("prod")},
		"a selector that comes to match":   {object: selecting("prod"), old: selecting("test"), refused: own("spec.targetSelector", "a") + "; " + own("spec.targetSelector", "b"), asked: 3},
		"a selector that goes":             {object: on("a"), old: selecting("prod", "a")},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []runtime.Object{target("team-a/a"), target("team-a/b"), target("platform/shared", "team-x", "team-a"),
				target("platform/open", "*"), target("platform/theirs", "team-b"), target("platform/closed"), target("team-b/b")}
			rights := &rights{may: test.may}
			plugin := targetuse.New()
			plugin.SetAuthorizer(rights.authorizer())
			plugin.SetIntegrationTargets(fake.NewClientset(objects...).KsitV1alpha1())
			err := plugin.Validate(t.Context(), request(test.object, test.old, test.subresource), nil)
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused != "" && (!apierrors.IsForbidden(err) || err.Error() != forbidden+test.refused):
				t.Errorf("error %v\nwant  %s", err, forbidden+test.refused)
			}
			if asked := rights.asked.Load(); asked != test.asked {
				t.Errorf("%d questions, want %d", asked, test.asked)
			}
		})
	}
}

func prefixed(prefix string, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = prefix + name
	}
	return all
}

func TestRefusalIsBounded(t *testing.T) {
	plugin := targetuse.New()
	plugin.SetAuthorizer((&rights{}).authorizer())
	plugin.SetIntegrationTargets(fake.NewClientset().KsitV1alpha1())
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("t%d", i)
	}
	err := plugin.Validate(t.Context(), request(on(names...), nil, ""), nil)
	if !apierrors.IsForbidden(err) || strings.Count(err.Error(), "needs the verb") != 10 || !strings.HasSuffix(err.Error(), "; and more") {
		t.Errorf("error %v", err)
	}
}

func TestNoAnswerIsNoVerdict(t *testing.T) {
	away := errors.New("the host is away")
	broken := fake.NewClientset()
	broken.PrependReactor("*", "*", func(ktesting.Action) (bool, runtime.Object, error) { return true, nil, away })
	for name, test := range map[string]struct {
		rights *rights
		client *fake.Clientset
		object *ksit.Integration
	}{
		"of the authorizer": {&rights{err: away}, fake.NewClientset(), on("a")},
		"of many":           {&rights{err: away}, fake.NewClientset(), on("a", "b")},
		"of the list":       {&rights{may: []string{"team-a/"}}, broken, selecting("prod")},
		"of the target":     {&rights{may: []string{"platform/"}}, broken, on("platform/shared")},
	} {
		t.Run(name, func(t *testing.T) {
			plugin := targetuse.New()
			plugin.SetAuthorizer(test.rights.authorizer())
			plugin.SetIntegrationTargets(test.client.KsitV1alpha1())
			if err := plugin.Validate(t.Context(), request(test.object, nil, ""), nil); !apierrors.IsServiceUnavailable(err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestPluginNeedsBoth(t *testing.T) {
	plugin := targetuse.New()
	if plugin.ValidateInitialization() == nil {
		t.Error("a plug-in without anything is ready")
	}
	plugin.SetAuthorizer((&rights{}).authorizer())
	if plugin.ValidateInitialization() == nil {
		t.Error("a plug-in without a client is ready")
	}
	plugin.SetIntegrationTargets(fake.NewClientset().KsitV1alpha1())
	if err := plugin.ValidateInitialization(); err != nil {
		t.Error(err)
	}
}
