// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Identity is as whom KSIT acts on a target.
type Identity struct {
	User string
	// Groups are those that are asked for. A service account has none here: the
	// target gives it those that it has, and to ask for them would take rights
	// that the kubeconfig need not have.
	Groups []string
}

// key is the identity as a key of a map. No name holds a line break.
func (i Identity) key() string { return i.User + "\n" + strings.Join(i.Groups, "\n") }

// IdentityFor returns as whom KSIT acts on a target for the Integrations of a
// namespace. It is false where it acts with the power of the kubeconfig.
func IdentityFor(target *v1alpha1.IntegrationTarget, namespace string) (Identity, bool) {
	entry := target.IdentityFor(namespace)
	if entry == nil {
		return Identity{}, false
	}
	fill := func(text string) string { return strings.ReplaceAll(text, v1alpha1.PlaceholderNamespace, namespace) }
	if entry.ServiceAccount != "" {
		of, name, _ := strings.Cut(fill(entry.ServiceAccount), "/")
		return Identity{User: serviceaccount.MakeUsername(of, name)}, true
	}
	identity := Identity{User: fill(entry.User)}
	for _, group := range entry.Groups {
		identity.Groups = append(identity.Groups, fill(group))
	}
	return identity, true
}

// maxIdentities bounds how many connections of tenants are kept beside the one
// that they share.
const maxIdentities = 1024

// For returns the connection by which KSIT works on a target for the
// Integrations of a namespace: as its tenant where the target says so. All work
// for an Installation goes through it.
func (c *Connection) For(target *v1alpha1.IntegrationTarget, namespace string) (*Connection, error) {
	if identity, tenant := IdentityFor(target, namespace); tenant {
		return c.As(identity)
	}
	return c.Base(), nil
}

// As returns a connection that acts as somebody else, and never as itself: every
// request of each of its clients says so, whatever it asks for. It shares the
// transport and the rate limiter of this one, and ends with it. It also shares
// what is known of the kinds that the target serves, and the watch of workloads,
// of which nothing is read but which of them changed: neither tells a tenant
// anything that it may not see, and each would cost as much again for every one.
func (c *Connection) As(identity Identity) (*Connection, error) {
	base := c.Base()
	base.tenantsMu.Lock()
	defer base.tenantsMu.Unlock()
	key := identity.key()
	if known := base.tenants[key]; known != nil {
		return known, nil
	}
	tenant := &Connection{
		name: base.name, info: base.info, transport: base.transport, config: base.RESTConfig(),
		discovery: base.discovery, mapper: base.mapper, workloads: base.workloads, closed: base.closed,
		base: base, identity: Identity{User: identity.User, Groups: slices.Clone(identity.Groups)},
	}
	tenant.config.Transport = &impersonating{identity: tenant.identity, next: base.config.Transport}
	if err := tenant.makeClients(); err != nil {
		return nil, err
	}
	if base.tenants == nil || len(base.tenants) >= maxIdentities {
		// Those that were there hold nothing that must be given back.
		base.tenants = map[string]*Connection{}
	}
	base.tenants[key] = tenant
	return tenant, nil
}

// Base returns the connection that acts as itself: this one, or the one whose
// transport it shares.
func (c *Connection) Base() *Connection {
	if c.base != nil {
		return c.base
	}
	return c
}

// impersonating makes every request one of somebody else.
type impersonating struct {
	identity Identity
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper. What a request says already of whom it
// is for is taken off it: there is one identity to a connection.
func (t *impersonating) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	for name := range request.Header {
		if strings.HasPrefix(strings.ToLower(name), "impersonate-") {
			delete(request.Header, name)
		}
	}
	request.Header.Set(authenticationv1.ImpersonateUserHeader, t.identity.User)
	for _, group := range t.identity.Groups {
		request.Header.Add(authenticationv1.ImpersonateGroupHeader, group)
	}
	return t.next.RoundTrip(request)
}

// ImpersonationError says that the kubeconfig may not act as a tenant.
type ImpersonationError struct {
	Identity Identity
	// Answer is what the target said.
	Answer string
}

func (e *ImpersonationError) Error() string {
	needs := fmt.Sprintf("the verb impersonate on users %q", e.Identity.User)
	if of, name, err := serviceaccount.SplitUsername(e.Identity.User); err == nil {
		needs = fmt.Sprintf("the verb impersonate on serviceaccounts %q in namespace %q", name, of)
	}
	if len(e.Identity.Groups) > 0 {
		needs += fmt.Sprintf(", and on groups %q", e.Identity.Groups)
	}
	return fmt.Sprintf("the kubeconfig of the target may not act as %s, as spec.tenancy of the target asks: give its user %s on that cluster: %s",
		e.Identity.User, needs, e.Answer)
}

// MayAct asks whether the kubeconfig may act as the tenant whose connection this
// is. The error is an *ImpersonationError where it may not; any other is no
// answer.
func (c *Connection) MayAct(ctx context.Context) error {
	if c.base == nil {
		return nil
	}
	_, err := c.kubernetes.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if refused := c.Refused(err); refused != nil {
		return refused
	}
	if apierrors.IsForbidden(err) {
		// It acts as the tenant, who may not ask who he is: that is enough.
		return nil
	}
	return err
}

// Refused tells of an error of this connection, however wrapped, whether it
// means that the kubeconfig may not act as the tenant; nil where it does not.
func (c *Connection) Refused(err error) error {
	if c.base == nil || err == nil || !strings.Contains(err.Error(), " cannot impersonate") {
		return nil
	}
	return &ImpersonationError{Identity: c.identity, Answer: err.Error()}
}
