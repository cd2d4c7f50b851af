// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Summary is a line about the report: what is wrong first, or that nothing is.
func (r Report) Summary() string {
	if len(r.Unhealthy) > 0 {
		u := r.Unhealthy[0]
		name := u.Kind + " " + u.Name
		if u.Namespace != "" {
			name = u.Kind + " " + u.Namespace + "/" + u.Name
		}
		text := name + ": " + u.Message
		if u.Message == "" {
			text = name + ": " + u.Reason
		}
		if more := len(r.Unhealthy) - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		return text
	}
	passed := 0
	for _, check := range r.Checks {
		if check.State != v1alpha1.CheckPassed {
			return check.Name + ": " + check.Message
		}
		passed++
	}
	return fmt.Sprintf("%d of %d checks passed", passed, len(r.Checks))
}
