// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installationlog

import (
	"context"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	mediaType = "text/plain"
	// maxFollowers bounds the streams that one API server keeps open.
	maxFollowers = 200
	// busyRetrySeconds is when a reader that found no room may ask again.
	busyRetrySeconds = 5
)

// REST serves the subresource log: users read it as text, the controller adds
// to it.
type REST struct {
	logs          *Store
	installations rest.Getter
	// stopping, if set, ends all streams: the server shuts down.
	stopping  <-chan struct{}
	followers chan struct{}
}

var (
	_ rest.Storage           = &REST{}
	_ rest.GetterWithOptions = &REST{}
	_ rest.NamedCreater      = &REST{}
	_ rest.StorageMetadata   = &REST{}
)

// NewREST serves the logs of Installations. It owns the store of the logs.
func NewREST(logs *Store, installations rest.Getter, stopping <-chan struct{}) *REST {
	return &REST{logs: logs, installations: installations, stopping: stopping, followers: make(chan struct{}, maxFollowers)}
}

// New returns an empty log.
func (r *REST) New() runtime.Object { return &ksit.InstallationLog{} }

// Destroy ends the connection to the storage of the logs.
func (r *REST) Destroy() { r.logs.Destroy() }

// NewGetOptions returns the query parameters of a read.
func (r *REST) NewGetOptions() (runtime.Object, bool, string) {
	return &ksit.InstallationLogOptions{}, false, ""
}

// ProducesMIMETypes says that a read is answered in text.
func (r *REST) ProducesMIMETypes(verb string) []string {
	if verb == http.MethodGet {
		return []string{mediaType}
	}
	return nil
}

// ProducesObject says what OpenAPI shows as the answer.
func (r *REST) ProducesObject(verb string) interface{} {
	if verb == http.MethodGet {
		return ""
	}
	return nil
}

// Get streams the log of an Installation.
func (r *REST) Get(ctx context.Context, name string, options runtime.Object) (runtime.Object, error) {
	wanted, ok := options.(*ksit.InstallationLogOptions)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("got options of type %T", options))
	}
	if errs := validateOptions(wanted); len(errs) > 0 {
		return nil, apierrors.NewInvalid(ksit.Kind("InstallationLogOptions"), name, errs)
	}
	installation, err := r.installation(ctx, name)
	if err != nil {
		return nil, err
	}
	return &stream{rest: r, installation: installation, options: wanted}, nil
}

func validateOptions(options *ksit.InstallationLogOptions) field.ErrorList {
	var errs field.ErrorList
	if n := options.TailLines; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(field.NewPath("tailLines"), *n, "must not be negative"))
	}
	if n := options.SinceSeconds; n != nil && (*n < 1 || *n > int64(maxSince/time.Second)) {
		errs = append(errs, field.Invalid(field.NewPath("sinceSeconds"), *n, fmt.Sprintf("must be from 1 to %d", int64(maxSince/time.Second))))
	}
	return errs
}

// maxSince is longer than any log lasts, and no overflow.
const maxSince = 100 * 365 * 24 * time.Hour

// Create adds lines to the log of an Installation. The answer leaves them out.
func (r *REST) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	added, ok := obj.(*ksit.InstallationLog)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("got a %T, want lines of a log", obj))
	}
	if len(added.Lines) > v1alpha1.MaxLogLines {
		return nil, apierrors.NewInvalid(ksit.Kind("InstallationLog"), name,
			field.ErrorList{field.TooMany(field.NewPath("lines"), len(added.Lines), v1alpha1.MaxLogLines)})
	}
	if validate != nil {
		if err := validate(ctx, obj.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	installation, err := r.installation(ctx, name)
	if err != nil {
		return nil, err
	}
	log, err := r.logs.Append(ctx, installation, added.Lines, options)
	if err != nil {
		return nil, err
	}
	if installation.DeletionTimestamp != nil {
		// It may have gone meanwhile, and its log with it, just before this one.
		if _, err := r.installation(ctx, name); apierrors.IsNotFound(err) {
			r.logs.Delete(installation, nil)
			return nil, err
		}
	}
	return &ksit.InstallationLog{ObjectMeta: log.ObjectMeta, Written: log.Written}, nil
}

func (r *REST) installation(ctx context.Context, name string) (*ksit.Installation, error) {
	object, err := r.installations.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	installation, ok := object.(*ksit.Installation)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("got a %T, want an Installation", object))
	}
	return installation, nil
}
