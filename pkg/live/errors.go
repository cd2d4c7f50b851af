// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// ended is the error of a question whose caller left or whose time is over.
func ended(ctx context.Context, doing string) error {
	if ctx.Err() == nil {
		return nil
	}
	return apierrors.NewTimeoutError(doing+" was not done in time", 0)
}

// explain turns the error of an installer into one of the API. What only a change
// of the spec or of the cluster can mend is 422, and what may pass by itself 503:
// that it happened on a target, or at a repository, is no fault of KSIT's, and a
// refusal there is none of the caller's rights.
func explain(ctx context.Context, err error, doing string) error {
	if err == nil {
		return nil
	}
	if ended := ended(ctx, doing); ended != nil {
		return ended
	}
	known, ok := errors.AsType[*installer.Error](err)
	if !ok {
		return apierrors.NewServiceUnavailable(status.Shorten(fmt.Sprintf("%s: %v", doing, err), status.MaxMessage))
	}
	message := status.Shorten(fmt.Sprintf("%s (%s): %s", doing, known.Reason, err.Error()), status.MaxMessage)
	if !known.Terminal {
		return apierrors.NewServiceUnavailable(message)
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: message,
	}}
}
