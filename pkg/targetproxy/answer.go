// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// maxStatus bounds how much of a refusal is read to see who is refused.
const maxStatus = 64 << 10

// answers reads the refusals of targets.
type answers struct {
	decoder runtime.Decoder
}

func newAnswers() answers {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	return answers{serializer.NewCodecFactory(scheme).UniversalDeserializer()}
}

// check returns the error that the caller gets for an answer which is not for
// him: one that refuses KSIT, or leads elsewhere.
func (a answers) check(target types.NamespacedName, as rest.ImpersonationConfig, response *http.Response) error {
	switch code := response.StatusCode; {
	case code >= 300 && code < 400 && response.Header.Get("Location") != "":
		return badGateway(fmt.Sprintf("the API server of IntegrationTarget %s redirects this request, which is not followed", target))
	case code == http.StatusUnauthorized:
		if a.status(response) != nil {
			return apierrors.NewServiceUnavailable(fmt.Sprintf("the API server of IntegrationTarget %s does not accept the credentials of its kubeconfig", target))
		}
	case code == http.StatusForbidden:
		if status := a.status(response); status != nil {
			return missingRight(target, as, status)
		}
	}
	return nil
}

// status returns the Status that an answer is, or nil. The answer can be read
// again afterwards.
func (a answers) status(response *http.Response) *metav1.Status {
	if response.Header.Get("Content-Encoding") != "" {
		return nil
	}
	head, err := io.ReadAll(io.LimitReader(response.Body, maxStatus))
	remaining := io.Reader(response.Body)
	if err != nil {
		remaining = failing{err}
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), remaining), response.Body}
	if err != nil {
		return nil
	}
	object, _, err := a.decoder.Decode(head, nil, nil)
	if err != nil {
		return nil
	}
	status, _ := object.(*metav1.Status)
	return status
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// badGateway is an error of the API for a target whose answer cannot be passed.
func badGateway(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusBadGateway,
		Reason:  metav1.StatusReasonInternalError,
		Message: message,
	}}
}
