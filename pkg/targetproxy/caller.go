// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"fmt"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"
)

// systemPrefix begins the names that a cluster gives to its own.
const systemPrefix = "system:"

// identity returns whom a caller is impersonated as, or why he is not.
//
// The names that a cluster gives to its own (system:...) mean power, and a
// target has the same ones: the host's administrators, its nodes and its
// service accounts would become those of the target. So users of such names
// are refused, and groups of such names are left out. system:authenticated is
// among them: the target adds it by itself.
func identity(caller user.Info) (rest.ImpersonationConfig, error) {
	name := caller.GetName()
	switch {
	case name == "":
		return rest.ImpersonationConfig{}, fmt.Errorf("the request names no user")
	case name == user.Anonymous:
		return rest.ImpersonationConfig{}, fmt.Errorf("anonymous requests are not passed on to clusters")
	case strings.HasPrefix(name, "system:serviceaccount:"):
		return rest.ImpersonationConfig{}, fmt.Errorf("service accounts of the host are not passed on to clusters: " +
			"on the cluster this one would be taken for its own service account of the same name; call as a user, or by impersonating one (kubectl --as)")
	case strings.HasPrefix(name, systemPrefix):
		return rest.ImpersonationConfig{}, fmt.Errorf("users whose names begin with system: are not passed on to clusters: " +
			"on the cluster this one would be taken for a part of the cluster itself; call as another user, or by impersonating one (kubectl --as)")
	}
	as := rest.ImpersonationConfig{UserName: name, UID: caller.GetUID()}
	for _, group := range caller.GetGroups() {
		if !ownGroup(group) {
			as.Groups = append(as.Groups, group)
		}
	}
	for key, values := range caller.GetExtra() {
		if !ownKey(key) {
			if as.Extra == nil {
				as.Extra = map[string][]string{}
			}
			as.Extra[key] = values
		}
	}
	return as, nil
}

// ownGroup tells whether a group is one that a cluster, or the tool that set it
// up, makes for its own: kubeadm:cluster-admins is what system:masters was.
func ownGroup(group string) bool {
	return strings.HasPrefix(group, systemPrefix) || strings.HasPrefix(group, "kubeadm:")
}

// ownKey tells whether an extra field is one of Kubernetes itself. They say how
// the host authenticated a request, and name its pods, nodes and certificates:
// nothing of it is true on the target.
func ownKey(key string) bool {
	domain, _, found := strings.Cut(strings.ToLower(key), "/")
	if !found {
		return false
	}
	for _, owned := range []string{"kubernetes.io", "k8s.io"} {
		if domain == owned || strings.HasSuffix(domain, "."+owned) {
			return true
		}
	}
	return false
}
