// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
)

// Reason is a word for why an install failed: the reason of a condition.
type Reason string

// The reasons. docs/troubleshooting.md says what to do for each.
const (
	ReasonRepositoryUnreachable Reason = "RepositoryUnreachable"
	ReasonSourceRefused         Reason = "SourceRefused"
	ReasonChartNotFound         Reason = "ChartNotFound"
	ReasonChartInvalid          Reason = "ChartInvalid"
	ReasonValuesInvalid         Reason = "ValuesInvalid"
	ReasonRenderFailed          Reason = "RenderFailed"
	ReasonManifestUnavailable   Reason = "ManifestUnavailable"
	ReasonManifestInvalid       Reason = "ManifestInvalid"
	ReasonDigestMismatch        Reason = "DigestMismatch"
	ReasonTooLarge              Reason = "TooLarge"
	ReasonReleaseConflict       Reason = "ReleaseConflict"
	ReasonReleaseMissing        Reason = "ReleaseMissing"
	ReasonCRDNotEstablished     Reason = "CRDNotEstablished"
	ReasonForbidden             Reason = "Forbidden"
	ReasonHookFailed            Reason = "HookFailed"
	ReasonNotReady              Reason = "NotReady"
	ReasonTargetUnreachable     Reason = "TargetUnreachable"
	ReasonCanceled              Reason = "Canceled"
	ReasonInstallFailed         Reason = "InstallFailed"
	ReasonUninstallFailed       Reason = "UninstallFailed"
	// ReasonSourceUnavailable is that of a ConfigMap or Secret that is missing.
	ReasonSourceUnavailable Reason = "SourceUnavailable"
	// ReasonVerificationFailed is that of a chart whose signature is missing or
	// not by a given key.
	ReasonVerificationFailed Reason = "VerificationFailed"
	// ReasonCRDVersionInUse is that of a CRD that would lose a version in which
	// objects are stored.
	ReasonCRDVersionInUse Reason = "CRDVersionInUse"
	// ReasonImpersonationForbidden is that of a kubeconfig that may not act as
	// the tenant.
	ReasonImpersonationForbidden Reason = "ImpersonationForbidden"
	ReasonNothingToRollBack      Reason = "NothingToRollBack"
	ReasonRollbackFailed         Reason = "RollbackFailed"
	// ReasonRevisionNotFound is that of a rollback to a revision that there is
	// not.
	ReasonRevisionNotFound Reason = "RevisionNotFound"
)

// Error is a failure with a reason that a user can act on.
type Error struct {
	Reason Reason
	// Terminal is true when trying again cannot help until somebody changes
	// the spec or the target.
	Terminal bool
	Err      error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error with a reason that may pass by itself.
func Errorf(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Terminalf makes an error with a reason that only a change can mend.
func Terminalf(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Terminal: true, Err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason of an error, InstallFailed where it has none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ReasonInstallFailed
}

// IsTerminal tells whether only a change of the spec or the target can mend it.
func IsTerminal(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Terminal
}

// SpendsRetry tells whether a failure counts against the retries that the spec
// allows: one that happened on the target, where every further attempt leaves
// its traces. What failed before, for want of a chart or of the target, may be
// tried for as long as it takes.
func SpendsRetry(err error) bool {
	switch ReasonOf(err) {
	case ReasonInstallFailed, ReasonNotReady, ReasonHookFailed, ReasonForbidden, ReasonCRDNotEstablished, ReasonUninstallFailed:
		return true
	default:
		return false
	}
}
