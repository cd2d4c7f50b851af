// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

// fetchError gives a failed download its reason. access is what was given for
// it.
func fetchError(ctx context.Context, err error, access *fetch.Access, what string) error {
	var status *fetch.StatusError
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx, "fetching "+what)
	case errors.Is(err, fetch.ErrNotAllowed):
		return installer.Terminalf(installer.ReasonSourceRefused, "%s: %w", what, err)
	case errors.Is(err, fetch.ErrRefused):
		return installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s: %w", what, err)
	case errors.Is(err, fetch.ErrTooLarge):
		return installer.Terminalf(installer.ReasonTooLarge, "%s: %w", what, err)
	case errors.As(err, &status) && denies(status.Code):
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "%s: %w: %s", what, err, fetch.Denied(access, status.Presented))
	case errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone):
		return installer.Errorf(installer.ReasonChartNotFound, "%s: %w", what, err)
	default:
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "%s: %w%s", what, err, hint(err))
	}
}

// failed gives an error of a registry its reason. The texts of a registry are
// not passed on: they come from wherever a tenant pointed.
func (r *ociRepository) failed(ctx context.Context, err error, what string) error {
	var response *errcode.ErrorResponse
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx, "fetching "+what)
	case errors.Is(err, fetch.ErrNotAllowed):
		return installer.Terminalf(installer.ReasonSourceRefused, "%s: %w", what, bareURLError(err))
	case errors.Is(err, fetch.ErrRefused):
		return installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s: %w", what, bareURLError(err))
	case errors.Is(err, errdef.ErrNotFound):
		return installer.Errorf(installer.ReasonChartNotFound, "the registry has no %s", what)
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return installer.Errorf(installer.ReasonDigestMismatch, "what the registry sent for %s does not have its digest", what)
	case errors.As(err, &response):
		switch {
		case response.StatusCode == http.StatusNotFound:
			return installer.Errorf(installer.ReasonChartNotFound, "the registry has no %s", what)
		case denies(response.StatusCode):
			return installer.Errorf(installer.ReasonRepositoryUnreachable, "the registry refuses %s, or has no such chart: %s", what, fetch.Denied(r.access, r.shown != nil))
		default:
			return installer.Errorf(installer.ReasonRepositoryUnreachable, "the registry answers %d for %s", response.StatusCode, what)
		}
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "the registry refuses %s: %s", what, fetch.Denied(r.access, r.shown != nil))
	default:
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "%s: %w%s", what, bareURLError(err), hint(err))
	}
}

func denies(code int) bool { return code == http.StatusUnauthorized || code == http.StatusForbidden }

// hint says what can be done about an error of TLS.
func hint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return ": where its CA is one of your own, name a Secret with it in caSecretRef"
	}
	return ""
}

// bareURLError takes off the URL of a request, which may hold a signature.
func bareURLError(err error) error {
	var urlError *url.Error
	for errors.As(err, &urlError) {
		err = urlError.Err
	}
	return errors.New(shorten(err.Error(), maxErrorBytes))
}
