// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// Bounds of remediation and drift.
const (
	maxRetries       = 50
	maxIgnoreRules   = 50
	maxIgnorePaths   = 20
	maxPointerLength = 512
	maxObjectName    = 253
)

// coreGroup is what a rule calls the API group without a name.
const coreGroup = "core"

var (
	kindPattern = regexp.MustCompile("^[A-Z][a-zA-Z0-9]{0,62}$")
	// objectPattern is what any kind of object may be called, with stars.
	objectPattern = regexp.MustCompile("^[-a-zA-Z0-9_.:@*]+$")
)

func validateRemediation(remediation *ksit.Remediation, path *field.Path) field.ErrorList {
	if remediation == nil {
		return nil
	}
	var errs field.ErrorList
	if retries := remediation.Retries; retries != nil && (*retries < 0 || *retries > maxRetries) {
		errs = append(errs, field.Invalid(path.Child("retries"), *retries, utilvalidation.InclusiveRangeError(0, maxRetries)))
	}
	return append(errs, validateEnum(remediation.Strategy, path.Child("strategy"),
		[]ksit.RemediationStrategy{ksit.RemediationRollback, ksit.RemediationLeave})...)
}

func validateDrift(drift *ksit.Drift, path *field.Path) field.ErrorList {
	if drift == nil {
		return nil
	}
	errs := validateEnum(drift.Mode, path.Child("mode"), []ksit.DriftMode{ksit.DriftWarn, ksit.DriftCorrect, ksit.DriftDisabled})
	path = path.Child("ignore")
	if len(drift.Ignore) > maxIgnoreRules {
		return append(errs, field.TooMany(path, len(drift.Ignore), maxIgnoreRules))
	}
	for i := range drift.Ignore {
		errs = append(errs, validateIgnoreRule(&drift.Ignore[i], path.Index(i))...)
	}
	return errs
}

func validateIgnoreRule(rule *ksit.DriftIgnore, path *field.Path) field.ErrorList {
	if rule.Group == "" && rule.Kind == "" && rule.Namespace == "" && rule.Name == "" && len(rule.Paths) == 0 {
		return field.ErrorList{field.Required(path, "an empty rule would ignore everything: name objects or paths, or set mode to Disabled")}
	}
	var errs field.ErrorList
	if rule.Group != "" && rule.Group != coreGroup {
		for _, message := range utilvalidation.IsDNS1123Subdomain(rule.Group) {
			errs = append(errs, field.Invalid(path.Child("group"), rule.Group, "is no API group, without its version, nor core: "+message))
		}
	}
	if rule.Kind != "" && !kindPattern.MatchString(rule.Kind) {
		errs = append(errs, field.Invalid(path.Child("kind"), rule.Kind, "must be a kind as objects have it, such as Deployment"))
	}
	if rule.Namespace != "" {
		for _, message := range utilvalidation.IsDNS1123Label(rule.Namespace) {
			errs = append(errs, field.Invalid(path.Child("namespace"), rule.Namespace, "is no name of a namespace: "+message))
		}
	}
	switch {
	case len(rule.Name) > maxObjectName:
		errs = append(errs, field.TooLong(path.Child("name"), "", maxObjectName))
	case rule.Name != "" && !objectPattern.MatchString(rule.Name):
		errs = append(errs, field.Invalid(path.Child("name"), rule.Name, "must be the name of an object, in which a * stands for any characters"))
	}
	path = path.Child("paths")
	if len(rule.Paths) > maxIgnorePaths {
		return append(errs, field.TooMany(path, len(rule.Paths), maxIgnorePaths))
	}
	for i, pointer := range rule.Paths {
		if len(pointer) > maxPointerLength {
			errs = append(errs, field.TooLong(path.Index(i), "", maxPointerLength))
		} else if err := checkPointer(pointer); err != nil {
			errs = append(errs, field.Invalid(path.Index(i), pointer, err.Error()))
		}
	}
	return errs
}

// checkPointer checks a JSON pointer. The empty one, which points to the whole
// object, is refused: without paths a rule means the same, and says so.
func checkPointer(pointer string) error {
	switch {
	case pointer == "" || pointer == "/":
		return errors.New("must name a field, such as /spec/replicas: a rule without paths is for whole objects")
	case pointer[0] != '/':
		return errors.New("must be a JSON pointer, which begins with a slash, such as /spec/replicas")
	case !utf8.ValidString(pointer):
		return errors.New("must be UTF-8")
	}
	for rest := pointer; ; {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			return nil
		}
		if !strings.HasPrefix(after, "0") && !strings.HasPrefix(after, "1") {
			return errors.New("must have a slash within a name written as ~1, and a tilde as ~0")
		}
		rest = after
	}
}
