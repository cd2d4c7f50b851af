// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

// exit is an error that has an exit code of its own.
type exit struct {
	code int
	// err is what is printed; nil where all was said.
	err error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// withCode gives an error an exit code, unless it has one.
func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	if _, has := errors.AsType[*exit](err); has {
		return err
	}
	return &exit{code: code, err: err}
}

// fail prints an error and returns the exit code.
func (s *session) fail(err error) int {
	if err == nil {
		return 0
	}
	code := 1
	if e, ok := errors.AsType[*exit](err); ok {
		code, err = e.code, e.err
	}
	if err != nil {
		fmt.Fprintln(s.ErrOut, terminal.CleanLines(s.describe(err)))
	}
	return code
}

// describe puts an error as kubectl does, and says what to do where the host
// cluster has no KSIT, or it does not answer.
func (s *session) describe(err error) string {
	if text := s.withoutKSIT(err); text != "" {
		return text
	}
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		if status.ErrStatus.Reason == metav1.StatusReasonInvalid && status.ErrStatus.Details != nil {
			return invalid(status.ErrStatus.Details)
		}
		// What was being done stays in front.
		text, _ := cmdutil.StandardErrorMessage(status)
		if wrapped := err.Error(); wrapped != status.Error() {
			text = "error: " + wrapped
		}
		return text
	}
	if clientcmd.IsEmptyConfig(err) || clientcmd.IsConfigurationInvalid(err) {
		return "error: the kubeconfig of the host cluster: " + err.Error()
	}
	if text, ok := cmdutil.StandardErrorMessage(err); ok {
		return text
	}
	return "error: " + err.Error()
}

func invalid(details *metav1.StatusDetails) string {
	text := fmt.Sprintf("The %s %q is invalid:", details.Kind, details.Name)
	if len(details.Causes) == 1 {
		return fmt.Sprintf("%s %s: %s", text, details.Causes[0].Field, details.Causes[0].Message)
	}
	for _, cause := range details.Causes {
		text += fmt.Sprintf("\n* %s: %s", cause.Field, cause.Message)
	}
	return text
}

// withoutKSIT says that the host cluster has no KSIT, or one that does not
// answer, where that is what an error amounts to; else nothing.
func (s *session) withoutKSIT(err error) string {
	status, isStatus := errors.AsType[*apierrors.StatusError](err)
	switch {
	case meta.IsNoMatchError(err):
	case isStatus && apierrors.IsServiceUnavailable(status):
	// An object that is not there is named; a path that is not there is not.
	case isStatus && apierrors.IsNotFound(status) && (status.ErrStatus.Details == nil || status.ErrStatus.Details.Name == "" || unknownPath(status)):
	default:
		return ""
	}
	config, configErr := s.config()
	if configErr != nil {
		return ""
	}
	discovery, clientErr := s.host()
	if clientErr != nil {
		return ""
	}
	_, groupErr := discovery.Discovery().ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	switch {
	case groupErr == nil:
		return ""
	case apierrors.IsNotFound(groupErr):
		return fmt.Sprintf("error: the cluster at %s does not serve %s: KSIT is not installed there\n"+
			"Choose the cluster that has it with --context or --kubeconfig, or install it there with Helm: see docs/install.md",
			config.Host, v1alpha1.SchemeGroupVersion)
	case apierrors.IsServiceUnavailable(groupErr):
		return fmt.Sprintf("error: KSIT is registered with the cluster at %s, and does not answer\n"+
			"See what is wrong with: kubectl get apiservice %s.%s", config.Host, v1alpha1.SchemeGroupVersion.Version, v1alpha1.GroupName)
	default:
		return ""
	}
}

// unknownPath tells whether a status is the client's reading of a 404 that came
// without one.
func unknownPath(status *apierrors.StatusError) bool {
	return apierrors.HasStatusCause(status, metav1.CauseTypeUnexpectedServerResponse)
}
