// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const maxURLLength = 2048

// ociPathPattern is what registries take as the path of a repository.
var ociPathPattern = regexp.MustCompile("^(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/?$")

// validateURL checks a URL that something is fetched from. No message repeats
// more of it than scheme, host and path.
func validateURL(value string, path *field.Path, schemes ...string) field.ErrorList {
	if len(value) > maxURLLength {
		return field.ErrorList{field.TooLong(path, "", maxURLLength)}
	}
	parsed, err := url.Parse(value)
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{},
			fmt.Sprintf("must be a URL, with scheme %s and a host", strings.Join(schemes, " or ")))}
	}
	shown := (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String()
	if parsed.User != nil {
		return field.ErrorList{field.Forbidden(path,
			"must not hold a user name or password: everybody who may read this object would read them")}
	}
	var errs field.ErrorList
	if !slices.Contains(schemes, parsed.Scheme) {
		errs = append(errs, field.Invalid(path, shown, "must be a URL with scheme "+strings.Join(schemes, " or ")))
	}
	if parsed.Hostname() == "" {
		errs = append(errs, field.Invalid(path, shown, "must name a host"))
	}
	if port := parsed.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			errs = append(errs, field.Invalid(path, shown, "must have a port from 1 to 65535, or none"))
		}
	}
	if parsed.Fragment != "" {
		errs = append(errs, field.Invalid(path, shown, "must not have a fragment (#...)"))
	}
	if parsed.Scheme == "oci" {
		if parsed.RawQuery != "" || parsed.ForceQuery {
			errs = append(errs, field.Invalid(path, shown, "must not have a query (?...) with scheme oci"))
		}
		if !ociPathPattern.MatchString(parsed.Path) {
			errs = append(errs, field.Invalid(path, shown,
				"the path of an OCI repository has lower case letters and digits, with '.', '_' and '-' between them; tag and digest belong to version"))
		}
	}
	return errs
}
