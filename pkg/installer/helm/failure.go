// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"ksit.io/ksit/pkg/installer"
)

// maxErrorBytes bounds what is passed on of an error's text. Helm joins the
// errors of all objects, and puts lines of templates into its own.
const maxErrorBytes = 1024

// errTimeout is the cause of a context that ended by the timeout of the request.
var errTimeout = errors.New("the time for it is over")

// interrupted is the error of what was cut short by the end of its context.
func interrupted(ctx context.Context, doing string) error {
	if errors.Is(context.Cause(ctx), errTimeout) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return installer.Errorf(installer.ReasonNotReady, "%s was not done in time: %w", doing, context.DeadlineExceeded)
	}
	return installer.Errorf(installer.ReasonCanceled, "%s was interrupted: %w", doing, context.Canceled)
}

// classify gives an error its reason and takes the values of the chart out of
// its text. doing says what was being done, to which object.
func classify(ctx context.Context, err error, doing string, redact *redactor) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*installer.Error](err); ok {
		// What wraps it is Helm's account of the same.
		return &installer.Error{Reason: known.Reason, Terminal: known.Terminal, Err: &wrapped{doing + ": " + redact.text(known.Error()), known.Err}}
	}
	if ctx.Err() != nil {
		return interrupted(ctx, doing)
	}
	text := doing + ": " + redact.text(err.Error())
	reason, terminal := reasonOf(err)
	return &installer.Error{Reason: reason, Terminal: terminal, Err: &wrapped{text, err}}
}

// wrapped is an error with a text of its own.
type wrapped struct {
	text string
	err  error
}

func (w *wrapped) Error() string { return w.text }
func (w *wrapped) Unwrap() error { return w.err }

// reasonOf finds the reason of an error of Helm or of the target. Helm has
// flattened many of them into text.
func reasonOf(err error) (reason installer.Reason, terminal bool) {
	text := err.Error()
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	var netError net.Error
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), has(" is forbidden: "):
		return installer.ReasonForbidden, false
	case has("cannot be imported into the current release"):
		return installer.ReasonReleaseConflict, true
	case apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err), apierrors.IsServerTimeout(err),
		apierrors.IsTimeout(err), apierrors.IsInternalError(err):
		return installer.ReasonInstallFailed, false
	case errors.As(err, &netError), utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err),
		has("connection refused", "connection reset by peer", "no route to host", "i/o timeout", "unexpected EOF", "http2: client connection lost"):
		return installer.ReasonTargetUnreachable, false
	default:
		return installer.ReasonInstallFailed, false
	}
}
