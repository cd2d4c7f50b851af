// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

const (
	maxMessage = 512
	maxCauses  = 5
)

// classify gives the error of a request its reason.
func classify(conn *cluster.Connection, err error) error {
	var status apierrors.APIStatus
	reason, terminal := installer.ReasonInstallFailed, false
	switch {
	case !errors.As(err, &status):
		if isNetwork(err) {
			finding := conn.Explain(err)
			return installer.Errorf(installer.ReasonTargetUnreachable, "%s", finding.Message)
		}
	case status.Status().Code == http.StatusBadGateway, apierrors.IsServiceUnavailable(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err):
		return installer.Errorf(installer.ReasonTargetUnreachable, "%s", conn.Explain(err).Message)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		// It passes once the namespace is gone.
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		reason = installer.ReasonForbidden
	case malformed(err), apierrors.IsRequestEntityTooLargeError(err):
		reason, terminal = installer.ReasonManifestInvalid, true
	case apierrors.IsNotFound(err):
		reason = installer.ReasonManifestInvalid
	}
	return &installer.Error{Reason: reason, Terminal: terminal, Err: err}
}

func isNetwork(err error) bool {
	_, isNet := errors.AsType[net.Error](err)
	return isNet || utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsTimeout(err)
}

// webhookFailed tells that an admission or conversion webhook gave no answer.
func webhookFailed(err error) bool {
	return apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook") ||
		err != nil && strings.Contains(err.Error(), "conversion webhook for") && strings.Contains(err.Error(), "failed:")
}

// dryRunRefused tells that a webhook has side effects and was not asked.
func dryRunRefused(err error) bool {
	return err != nil && strings.Contains(err.Error(), "does not support dry run")
}

// malformed tells that an object does not fit its kind. The API server answers
// some of these as if they were errors of its own.
func malformed(err error) bool {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		return false
	}
	text := known.Status().Message
	return apierrors.IsInvalid(err) || (apierrors.IsBadRequest(err) && !dryRunRefused(err)) ||
		strings.Contains(text, "failed to create typed patch object") ||
		strings.Contains(text, "cannot be handled as a") ||
		strings.Contains(text, "illegal base64 data")
}

// plain returns the error of a request about an object without the values of
// its fields, which must not get into a status: the API server quotes what it
// refuses. Of Secrets it tells no more than the fields.
func plain(ref object.ObjMetadata, err error) error {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		return err
	}
	status := known.Status()
	if status.Code < 400 || status.Code == http.StatusConflict || status.Code == http.StatusTooManyRequests {
		return err
	}
	clean := &apierrors.StatusError{ErrStatus: *status.DeepCopy()}
	clean.ErrStatus.Message = message(status, ref.GroupKind == secretKind)
	if malformed(err) && !apierrors.IsInvalid(err) {
		clean.ErrStatus.Code, clean.ErrStatus.Reason = http.StatusBadRequest, metav1.StatusReasonBadRequest
	}
	return clean
}

func message(status metav1.Status, secret bool) string {
	switch {
	case status.Reason == metav1.StatusReasonInvalid && status.Details != nil && len(status.Details.Causes) > 0:
		return causes(status.Details.Causes, secret)
	case strings.Contains(status.Message, "failed to create typed patch object"):
		return misfits(status.Message)
	case strings.Contains(status.Message, "illegal base64 data"):
		return "its data is not base64: use stringData for text"
	case secret:
		return fmt.Sprintf("the target answered %d %s", status.Code, status.Reason)
	default:
		return shorten(status.Message)
	}
}

func causes(list []metav1.StatusCause, secret bool) string {
	var parts []string
	for _, cause := range list[:min(len(list), maxCauses)] {
		part := shorten(withoutValue(cause.Message))
		if secret {
			part = string(cause.Type)
		}
		if cause.Field != "" {
			part = shorten(cause.Field) + ": " + part
		}
		parts = append(parts, part)
	}
	if more := len(list) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return "is not valid: " + strings.Join(parts, "; ")
}

// withoutValue takes the value out of a message of the form
// `Invalid value: VALUE: what is wrong`.
func withoutValue(message string) string {
	head, rest, found := strings.Cut(message, " value: ")
	if !found || strings.ContainsAny(head, ":\"") {
		return message
	}
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		rest = rest[len(quoted):]
	} else {
		decoder := json.NewDecoder(strings.NewReader(rest))
		var skip json.RawMessage
		if err := decoder.Decode(&skip); err == nil {
			rest = rest[decoder.InputOffset():]
		} else if i := strings.LastIndex(rest, ": "); i >= 0 {
			rest = rest[i:]
		} else {
			rest = ""
		}
	}
	return head + " value" + rest
}

// misfit is what the API server says of a field that does not fit the schema
// of its kind, up to the value.
var misfit = regexp.MustCompile(`(\.[A-Za-z0-9_.\[\]=,"/-]+): (field not declared in schema|expected [a-z]+)`)

// misfits names the fields that do not fit, and nothing else of the message:
// values in it are printed in a way that cannot be told from the rest.
func misfits(message string) string {
	var parts []string
	for _, match := range misfit.FindAllStringSubmatch(message, maxCauses) {
		parts = append(parts, shorten(match[1])+": "+match[2])
	}
	if len(parts) == 0 {
		return "does not fit the schema of its kind"
	}
	return "does not fit the schema of its kind: " + strings.Join(parts, "; ")
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "..."
}
