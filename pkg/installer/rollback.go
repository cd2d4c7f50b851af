// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import "errors"

// RollbackError gives the error of a rollback its reason: RollbackFailed, except
// where somebody can act on the one that it has, or it passes by itself.
func RollbackError(err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		switch known.Reason {
		case ReasonCanceled, ReasonTargetUnreachable, ReasonForbidden, ReasonReleaseConflict, ReasonNothingToRollBack, ReasonRevisionNotFound, ReasonTooLarge:
			return err
		}
	}
	return Errorf(ReasonRollbackFailed, "rolling back: %w", err)
}
