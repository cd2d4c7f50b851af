// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"regexp"
	"strings"
	"unicode"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// maxIdentityLength bounds the name of a user or group, in bytes.
	maxIdentityLength = 256
	// systemPrefix begins the names that Kubernetes keeps for itself: whoever
	// could impersonate one of those would have more than a tenant should.
	systemPrefix = "system:"
)

func validateTenancy(tenancy *ksit.TargetTenancy, path *field.Path) field.ErrorList {
	if tenancy == nil {
		return nil
	}
	errs := validateAllowedNamespaces(tenancy.AllowedNamespaces, path.Child("allowedNamespaces"))
	path = path.Child("impersonate")
	if len(tenancy.Impersonate) > v1alpha1.MaxTenantIdentities {
		return append(errs, field.TooMany(path, len(tenancy.Impersonate), v1alpha1.MaxTenantIdentities))
	}
	seen := map[string]bool{}
	for i := range tenancy.Impersonate {
		if len(errs) >= maxFaults {
			break
		}
		entry, path := &tenancy.Impersonate[i], path.Index(i)
		errs = append(errs, validateTenantNamespace(entry.Namespace, path.Child("namespace"))...)
		if seen[entry.Namespace] {
			errs = append(errs, field.Duplicate(path.Child("namespace"), entry.Namespace))
		}
		seen[entry.Namespace] = true
		errs = append(errs, validateTenantIdentity(entry, path)...)
	}
	return errs
}

func validateAllowedNamespaces(namespaces []string, path *field.Path) field.ErrorList {
	if len(namespaces) > v1alpha1.MaxAllowedNamespaces {
		return field.ErrorList{field.TooMany(path, len(namespaces), v1alpha1.MaxAllowedNamespaces)}
	}
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, namespace := range namespaces {
		if len(errs) >= maxFaults {
			break
		}
		errs = append(errs, validateTenantNamespace(namespace, path.Index(i))...)
		if seen[namespace] {
			errs = append(errs, field.Duplicate(path.Index(i), namespace))
		}
		seen[namespace] = true
	}
	return errs
}

func validateTenantNamespace(namespace string, path *field.Path) field.ErrorList {
	if namespace == v1alpha1.AnyNamespace {
		return nil
	}
	return validateName(namespace, path, "the name of a namespace, or * for all")
}

func validateTenantIdentity(entry *ksit.TenantIdentity, path *field.Path) field.ErrorList {
	switch {
	case entry.ServiceAccount == "" && entry.User == "":
		return field.ErrorList{field.Required(path, "give serviceAccount or user: as whom KSIT acts for the namespace")}
	case entry.ServiceAccount != "" && entry.User != "":
		return field.ErrorList{field.Invalid(path.Child("user"), entry.User, "must not be given beside serviceAccount: KSIT acts as one of them")}
	case entry.ServiceAccount != "" && len(entry.Groups) > 0:
		return field.ErrorList{field.Forbidden(path.Child("groups"), "a service account has the groups that the cluster gives it: they go with user only")}
	case entry.ServiceAccount != "":
		return validateServiceAccount(entry.ServiceAccount, path.Child("serviceAccount"))
	}
	errs := validateSubject(entry.User, path.Child("user"))
	path = path.Child("groups")
	if len(entry.Groups) > v1alpha1.MaxTenantGroups {
		return append(errs, field.TooMany(path, len(entry.Groups), v1alpha1.MaxTenantGroups))
	}
	seen := map[string]bool{}
	for i, group := range entry.Groups {
		errs = append(errs, validateSubject(group, path.Index(i))...)
		if seen[group] {
			errs = append(errs, field.Duplicate(path.Index(i), group))
		}
		seen[group] = true
	}
	return errs
}

// validateServiceAccount checks namespace/name. The shortest namespace stands
// in for the place-holder.
func validateServiceAccount(account string, path *field.Path) field.ErrorList {
	namespace, name, ok := strings.Cut(strings.ReplaceAll(account, v1alpha1.PlaceholderNamespace, "x"), "/")
	if !ok {
		return field.ErrorList{field.Invalid(path, account, "must be namespace/name of a service account on the cluster")}
	}
	var errs field.ErrorList
	for _, message := range utilvalidation.IsDNS1123Label(namespace) {
		errs = append(errs, field.Invalid(path, account, "names no namespace before the slash: "+message))
	}
	for _, message := range utilvalidation.IsDNS1123Subdomain(name) {
		errs = append(errs, field.Invalid(path, account, "names no service account after the slash: "+message))
	}
	return errs
}

// validateSubject checks the name of a user or group.
func validateSubject(name string, path *field.Path) field.ErrorList {
	literal := strings.ReplaceAll(name, v1alpha1.PlaceholderNamespace, "")
	switch {
	case name == "":
		return field.ErrorList{field.Required(path, "must not be empty")}
	case len(name) > maxIdentityLength:
		return field.ErrorList{field.TooLong(path, "", maxIdentityLength)}
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }),
		strings.TrimSpace(name) != name:
		return field.ErrorList{field.Invalid(path, name, "must hold neither control characters nor white space at its ends")}
	case strings.ContainsAny(literal, "{}"):
		return field.ErrorList{field.Invalid(path, name, "the only place-holder is "+v1alpha1.PlaceholderNamespace)}
	case mayBeSystem(name):
		return field.ErrorList{field.Forbidden(path, "names that begin with system: are Kubernetes' own; neither may a namespace make one of it")}
	}
	return nil
}

// mayBeSystem tells whether a name begins with system:, or does for some
// namespace: {namespace}:masters would, for one that is called system.
func mayBeSystem(name string) bool {
	head, _, qualified := strings.Cut(name, ":")
	if !qualified {
		return false
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(head), regexp.QuoteMeta(v1alpha1.PlaceholderNamespace), "[-a-z0-9]+")
	matched, err := regexp.MatchString("^"+pattern+"$", strings.TrimSuffix(systemPrefix, ":"))
	return matched || err != nil
}
