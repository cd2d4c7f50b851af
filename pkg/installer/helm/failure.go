// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"regexp"
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

// redactor takes what may be secret out of the texts of Helm and of API servers:
//
//   - values that API servers quote when they find a field invalid;
//   - pieces of objects that decoders quote around a mistake;
//   - values that the user gave: those whose key tells that they are secret, of
//     four characters or more, and the others of twelve or more, which are not
//     part of the names in plain.
//
// What a template itself says by `fail` or `required` is passed on, less those.
type redactor struct {
	replacer *strings.Replacer
}

const redacted = "(hidden)"

var (
	quotedValues = regexp.MustCompile(`((?:Invalid|Unsupported|Duplicate) value: )(?:"(?:[^"\\]|\\.)*"|\S+)`)
	// decodeContext is what the decoders of JSON show around a mistake.
	decodeContext = regexp.MustCompile(`(?s)(error found in #\d+ byte of \.\.\.).*`)
	// notMatching is how JSON schemas report a string.
	notMatching = regexp.MustCompile(`'(?:[^'\\]|\\.)*' (does not match pattern|is not valid)`)
	secretKey   = regexp.MustCompile(`(?i)passw|passphrase|secret|token|credential|private|apikey|api_key|auth|dsn|connectionstring|webhook`)
)

// newRedactor returns a redactor for the values of a chart. plain are the names
// that a message needs: those of the release, its namespace and its chart.
func newRedactor(values map[string]any, plain ...string) *redactor {
	found := map[string]bool{}
	collect(values, false, func(s string, secret bool) {
		shortest := 12
		if secret {
			shortest = 4
		}
		if len(s) >= shortest && !slices.ContainsFunc(plain, func(p string) bool { return strings.Contains(p, s) }) {
			found[s] = true
		}
	})
	secrets := make([]string, 0, len(found))
	for s := range found {
		secrets = append(secrets, s)
	}
	// The longest first: a value may be part of another.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, redacted)
	}
	return &redactor{replacer: strings.NewReplacer(pairs...)}
}

// collect calls found with the strings, and the numbers as text, of values.
func collect(value any, secret bool, found func(s string, secret bool)) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			collect(child, secret || secretKey.MatchString(key), found)
		}
	case []any:
		for _, child := range v {
			collect(child, secret, found)
		}
	case string:
		found(v, secret)
		// A text of several lines is quoted line by line.
		if strings.Contains(v, "\n") {
			for line := range strings.Lines(v) {
				found(strings.TrimSpace(line), secret)
			}
		}
	case json.Number:
		found(v.String(), secret)
	}
}

// text returns s without what may be secret, and of bounded length.
func (r *redactor) text(s string) string {
	if r != nil && r.replacer != nil {
		s = r.replacer.Replace(s)
	}
	s = decodeContext.ReplaceAllString(s, "${1}"+redacted)
	s = quotedValues.ReplaceAllString(s, "${1}"+redacted)
	s = notMatching.ReplaceAllString(s, redacted+" ${1}")
	return shorten(strings.Join(strings.Fields(s), " "), maxErrorBytes)
}
