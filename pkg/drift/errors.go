// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/installer"
)

var secretKind = schema.GroupKind{Kind: "Secret"}

// failures keeps the first of many errors, and counts them: those of all
// objects of a release would fill a status.
type failures struct {
	id    object.ObjMetadata
	first error
	count int
}

func (f *failures) add(id object.ObjMetadata, err error) {
	if errors.Is(err, errMoving) {
		return
	}
	f.count++
	// The same one whatever the order in which they came.
	if f.first == nil || compareIDs(id, f.id) < 0 {
		f.id, f.first = id, err
	}
}

// err says what was not done with the objects. It has the reason of the first
// error, if that has one.
func (f *failures) err(done string) error {
	if f.first == nil {
		return nil
	}
	first := plain(f.id, f.first)
	err := fmt.Errorf("%s could not be %s: %w", describe(f.id), done, first)
	if f.count > 1 {
		err = fmt.Errorf("%s and %d more could not be %s: %w", describe(f.id), f.count-1, done, first)
	}
	if known, ok := errors.AsType[*installer.Error](first); ok {
		return &installer.Error{Reason: known.Reason, Terminal: known.Terminal, Err: err}
	}
	return err
}

// plain returns an error without what the API server quotes of an object when it
// refuses it: the whole message, in the case of a Secret.
func plain(id object.ObjMetadata, err error) error {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		return err
	}
	code := status.ErrStatus.Code
	quotes := code == http.StatusBadRequest || code == http.StatusUnprocessableEntity || code == http.StatusInternalServerError
	if !quotes && id.GroupKind != secretKind {
		return err
	}
	clean := &apierrors.StatusError{ErrStatus: *status.ErrStatus.DeepCopy()}
	clean.ErrStatus.Message = fmt.Sprintf("the target answered %d %s", code, status.ErrStatus.Reason)
	if apierrors.IsInvalid(err) && clean.ErrStatus.Details != nil {
		clean.ErrStatus.Message += fieldsOf(clean.ErrStatus.Details.Causes)
	}
	return clean
}

func describe(id object.ObjMetadata) string {
	if id.Namespace == "" {
		return id.GroupKind.Kind + " " + id.Name
	}
	return id.GroupKind.Kind + " " + id.Namespace + "/" + id.Name
}

// maxCauses bounds the fields that an error names.
const maxCauses = 5

// fieldsOf names the fields that the API server finds fault with.
func fieldsOf(causes []metav1.StatusCause) string {
	var text strings.Builder
	for i, cause := range causes[:min(len(causes), maxCauses)] {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteByte(' ')
		text.WriteString(shorten(cause.Field))
	}
	return text.String()
}
