// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// maxNames is how many names of a kind a message lists.
const maxNames = 10

// refusedImpersonation is how an API server says that somebody may not
// impersonate. Newer ones have more than one verb for it. Nobody but KSIT asks a
// target to impersonate in these requests, so that it speaks of KSIT's account.
var refusedImpersonation = regexp.MustCompile(`User "[^"]*" cannot (impersonate[a-z:-]*) (?:resource|path) "([^"]*)"`)

// missingRight returns the error of the API for a target that refuses to
// impersonate, or nil for one that refuses something else, which is the
// caller's own matter. It names what the account of the kubeconfig needs to pass
// this caller on, but not the account.
func missingRight(target types.NamespacedName, as rest.ImpersonationConfig, status *metav1.Status) error {
	match := refusedImpersonation.FindStringSubmatch(status.Message)
	if match == nil {
		return nil
	}
	refused := match[1] + " on " + match[2]
	if status.Details != nil && status.Details.Name != "" {
		refused += fmt.Sprintf(" %q", status.Details.Name)
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure,
		Code:   http.StatusForbidden,
		Reason: metav1.StatusReasonForbidden,
		Message: fmt.Sprintf("the account of the kubeconfig of IntegrationTarget %s may not act as you on the cluster. "+
			"There it needs the verb impersonate on %s; the cluster refused %s. Nothing was done", target, needed(as), refused),
		Details: status.Details,
	}}
}

// needed lists what impersonating a user takes.
func needed(as rest.ImpersonationConfig) string {
	rights := []string{fmt.Sprintf("users %q", as.UserName)}
	add := func(resource string, names []string) {
		if len(names) == 0 {
			return
		}
		quoted := make([]string, 0, maxNames)
		for _, name := range names[:min(len(names), maxNames)] {
			quoted = append(quoted, fmt.Sprintf("%q", name))
		}
		list := strings.Join(quoted, ", ")
		if more := len(names) - maxNames; more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		rights = append(rights, resource+" "+list)
	}
	add("groups", as.Groups)
	if as.UID != "" {
		add("uids."+authenticationv1.GroupName, []string{as.UID})
	}
	keys := slices.Sorted(maps.Keys(as.Extra))
	for _, key := range keys[:min(len(keys), maxNames)] {
		add("userextras/"+key+"."+authenticationv1.GroupName, as.Extra[key])
	}
	return strings.Join(rights, "; ")
}
